//! What the people in the chats do, and what they see.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Telegram;
use super::chats::{Chat, ChatKind, Standing};
use super::files::Source;
use super::request::Upload;
use super::world::{Press, World, now, person};

/// What a person does.
impl Telegram {
    /// There is another chat.
    pub(crate) fn add_chat(&self, chat: Chat) {
        self.change(|world| {
            world.chats.retain(|other| other.id != chat.id);
            world.chats.push(chat);
        });
    }

    /// The bot's name, as in `/status@name`.
    pub(crate) fn name_bot(&self, username: &str) {
        self.change(|world| world.bot["username"] = json!(username));
    }

    /// A user writes to a chat. Gives the message's number.
    pub(crate) fn say(&self, chat: i64, user: i64, text: &str) -> i64 {
        self.say_in(chat, None, user, text)
    }

    /// A user writes to a topic of a chat.
    pub(crate) fn say_in(&self, chat: i64, topic: Option<i64>, user: i64, text: &str) -> i64 {
        let mut content = json!({"text": text});
        if text.starts_with('/') {
            let length = text.split_whitespace().next().unwrap_or_default().encode_utf16().count();
            content["entities"] = json!([{"type": "bot_command", "offset": 0, "length": length}]);
        }
        self.change(|world| world.receive(chat, topic, user, content))
    }

    /// A user sends a file to a chat.
    pub(crate) fn send_file(&self, chat: i64, user: i64, name: &str, bytes: &[u8]) -> i64 {
        self.send_large_file(chat, user, name, bytes, bytes.len() as u64)
    }

    /// As [`Telegram::send_file`], and the service says that it has this size.
    pub(crate) fn send_large_file(&self, chat: i64, user: i64, name: &str, bytes: &[u8], size: u64) -> i64 {
        let upload = Upload {
            field: "document".to_owned(),
            filename: name.to_owned(),
            content_type: "application/octet-stream".to_owned(),
            bytes: bytes.into(),
        };
        self.change(|world| {
            let mut document = world.files.file("document", Source::Upload(&upload)).unwrap();
            world.files.claim(document["file_id"].as_str().unwrap(), size);
            document["file_size"] = json!(size);
            world.receive(chat, None, user, json!({"document": document}))
        })
    }

    /// A user presses the button with this label, under a message that the bot has sent. Gives the number of the
    /// press.
    pub(crate) fn press(&self, chat: i64, message: i64, user: i64, label: &str) -> String {
        let shown = self.message(chat, message).unwrap_or_else(|| panic!("there is no message {message}"));
        let rows = shown["reply_markup"]["inline_keyboard"].as_array().cloned().unwrap_or_default();
        let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
        let button = buttons.find(|button| button["text"] == label);
        let button = button.unwrap_or_else(|| panic!("no button `{label}` under {shown:#}"));
        let data = button["callback_data"].as_str().unwrap_or_else(|| panic!("{button} sends nothing"));
        self.press_with(chat, message, user, data)
    }

    /// A user's program says that a button with this data was pressed, whether there is one or not.
    pub(crate) fn press_with(&self, chat: i64, message: i64, user: i64, data: &str) -> String {
        self.change(|world| {
            let id = format!("{}", 4_000_000_000_u64 + world.presses.len() as u64);
            let shown = world.message(chat, message).map(|message| message.shown.clone());
            // The service has no more than this of a message that is gone.
            let gone = json!({"chat": world.chat_mut(chat).shown(), "message_id": message, "date": 0});
            world.presses.push(Press { id: id.clone(), answer: None, old: false });
            world.updates.push(json!({"callback_query": {
                "id": id, "from": person(user), "chat_instance": "1", "data": data, "message": shown.unwrap_or(gone)
            }}));
            id
        })
    }

    /// The service gives up every press that is not answered yet.
    pub(crate) fn expire_presses(&self) {
        self.change(|world| world.presses.iter_mut().for_each(|press| press.old = true));
    }

    /// Any update; its number is put in where it has none. Presses in it can be answered.
    pub(crate) fn update(&self, update: Value) {
        self.change(|world| {
            if let Some(id) = update["callback_query"]["id"].as_str() {
                world.presses.push(Press { id: id.to_owned(), answer: None, old: false });
            }
            world.updates.push(update);
        });
    }

    /// The bot's standing in a chat changes, which it is told.
    pub(crate) fn stand(&self, chat: i64, standing: Standing) {
        self.change(|world| {
            let gone = |standing: Standing| matches!(standing, Standing::Out | Standing::Deactivated);
            let before = std::mem::replace(&mut world.chat_mut(chat).standing, standing);
            if gone(before) == gone(standing) {
                return;
            }
            let bot = world.sender();
            let out = |gone: bool| match gone {
                true => json!({"status": "kicked", "user": bot, "until_date": 0}),
                false => json!({"status": "member", "user": bot}),
            };
            let by = if chat > 0 { person(chat) } else { person(1) };
            let shown = world.chat_mut(chat).shown();
            world.updates.push(json!({"my_chat_member": {
                "chat": shown, "from": by, "date": now(),
                "old_chat_member": out(gone(before)), "new_chat_member": out(gone(standing))
            }}));
        });
    }

    /// The group becomes a supergroup with another number; `told` says whether the bot gets the two messages about it.
    pub(crate) fn migrate(&self, from: i64, to: i64, told: bool) {
        self.change(|world| {
            let old = world.chat_mut(from).clone();
            let kind = if old.kind == ChatKind::Forum { ChatKind::Forum } else { ChatKind::Supergroup };
            world.chats.push(Chat { id: to, kind, ..old });
            if told {
                world.receive(from, None, 1, json!({"migrate_to_chat_id": to}));
                world.receive(to, None, 1, json!({"migrate_from_chat_id": from}));
            }
            world.chat_mut(from).standing = Standing::Migrated(to);
        });
    }

    /// A topic is closed.
    pub(crate) fn close_topic(&self, chat: i64, topic: i64) {
        self.change(|world| world.chat_mut(chat).end_topic(topic, true));
    }

    /// A topic is deleted.
    pub(crate) fn delete_topic(&self, chat: i64, topic: i64) {
        self.change(|world| world.chat_mut(chat).end_topic(topic, false));
    }

    /// Whether the bot may pin messages in a chat.
    pub(crate) fn let_pin(&self, chat: i64, may: bool) {
        self.change(|world| world.chat_mut(chat).may_pin = may);
    }

    /// A message is deleted by somebody else.
    pub(crate) fn remove(&self, chat: i64, message: i64) {
        self.change(|world| world.messages.retain(|other| (other.chat, other.id) != (chat, message)));
    }

    /// Two days go by for a message: it cannot be deleted any more.
    pub(crate) fn age(&self, chat: i64, message: i64) {
        self.change(|world| world.message_mut(chat, message).unwrap().deletable = false);
    }

    /// Another program has told the service where to send updates; none takes that back.
    pub(crate) fn set_webhook(&self, url: Option<&str>) {
        self.change(|world| world.updates.webhook = url.map(str::to_owned));
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let changed = change(&mut self.shared.state().world);
        self.shared.changed.notify_all();
        changed
    }
}

/// What a person sees.
impl Telegram {
    /// What is in a chat now, as the API's `Message`s, oldest first.
    pub(crate) fn messages(&self, chat: i64) -> Vec<Value> {
        let state = self.shared.state();
        let of_chat = state.world.messages.iter().filter(|message| message.chat == chat);
        of_chat.map(|message| message.shown.clone()).collect()
    }

    /// A message, if it is there.
    pub(crate) fn message(&self, chat: i64, id: i64) -> Option<Value> {
        self.shared.state().world.message(chat, id).map(|message| message.shown.clone())
    }

    /// The numbers of the messages that are pinned in a chat, the newest last.
    pub(crate) fn pinned(&self, chat: i64) -> Vec<i64> {
        self.shared.state().world.chat_mut(chat).pinned.clone()
    }

    /// The bytes of the photo or the file of a message.
    pub(crate) fn bytes(&self, message: &Value) -> Arc<[u8]> {
        let kinds = [&message["photo"][0], &message["document"], &message["video"], &message["animation"]];
        let id = kinds.into_iter().find_map(|file| file["file_id"].as_str());
        let id = id.unwrap_or_else(|| panic!("there is no file in {message:#}"));
        self.shared.state().world.files.bytes(id).unwrap()
    }

    /// The commands that were set for a scope, such as `{"type": "default"}`: the names only.
    pub(crate) fn commands(&self, scope: &Value) -> Vec<String> {
        let state = self.shared.state();
        let set = state.world.commands.iter().filter(|set| set.scope == *scope && set.language.is_empty());
        let commands = set.flat_map(|set| set.commands.as_array().unwrap());
        commands.map(|command| command["command"].as_str().unwrap().to_owned()).collect()
    }

    /// How a press was answered: the arguments of the call.
    pub(crate) fn answer_to(&self, press: &str) -> Option<Value> {
        let state = self.shared.state();
        state.world.presses.iter().find(|known| known.id == press).and_then(|known| known.answer.clone())
    }

    /// The presses that nobody has answered.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        let state = self.shared.state();
        let open = state.world.presses.iter().filter(|press| press.answer.is_none());
        open.map(|press| press.id.clone()).collect()
    }

    /// How many updates wait that no `getUpdates` has confirmed.
    pub(crate) fn waiting_updates(&self) -> usize {
        self.shared.state().world.updates.waiting()
    }

    /// The kinds of updates that the bot wants by name.
    pub(crate) fn allowed_updates(&self) -> Vec<String> {
        self.shared.state().world.updates.allowed().to_vec()
    }
}

impl World {
    /// Puts a message of a user into a chat and tells the bot. Gives its number.
    fn receive(&mut self, chat: i64, topic: Option<i64>, user: i64, content: Value) -> i64 {
        let chat = self.chat(chat).unwrap_or_else(|| panic!("the stand-in has no chat {chat}")).clone();
        let shown = self.post(&chat, topic, Some(person(user)), content);
        let id = shown["message_id"].as_i64().unwrap();
        self.updates.push(json!({"message": shown}));
        id
    }
}
