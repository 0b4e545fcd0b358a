//! What the stand-in knows: its bot, chats, messages, files, commands and updates.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::chats::{Chat, ChatKind, Refusal, bad};
use super::files::Files;
use super::request::Upload;
use super::updates::Updates;

/// A message that is in a chat.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) chat: i64,
    pub(super) id: i64,
    /// Whether the bot has sent it.
    pub(super) own: bool,
    /// Whether it is young enough to be deleted.
    pub(super) deletable: bool,
    /// As the API's `Message`.
    pub(super) shown: Value,
}

/// A button that was pressed.
#[derive(Debug, Clone)]
pub(super) struct Press {
    pub(super) id: String,
    /// The arguments of its answer.
    pub(super) answer: Option<Value>,
    /// Whether the service has given it up.
    pub(super) old: bool,
}

/// Commands that were set for a scope and a language.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    pub(super) scope: Value,
    pub(super) language: String,
    pub(super) commands: Value,
}

#[derive(Debug)]
pub(super) struct World {
    /// As the API's `User`.
    pub(super) bot: Value,
    pub(super) chats: Vec<Chat>,
    pub(super) messages: Vec<Message>,
    pub(super) files: Files,
    pub(super) commands: Vec<Commands>,
    pub(super) presses: Vec<Press>,
    pub(super) updates: Updates,
    last_message: i64,
}

/// A call that is in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) arguments: &'a Map<String, Value>,
    pub(super) files: &'a [Upload],
}

impl<'a> Asked<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.arguments.get(name).and_then(Value::as_i64)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.arguments.get(name) == Some(&Value::Bool(true))
    }

    pub(super) fn numbers(&self, name: &str) -> Vec<i64> {
        self.arguments
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect()
    }
}

/// The time, in seconds since 1970: what a message is dated by.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A person, as the API's `User`.
pub(super) fn person(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": format!("User {id}"), "language_code": "en"})
}

impl World {
    pub(super) fn new(token: &str, chat: i64) -> Self {
        let id = token.split(':').next().and_then(|digits| digits.parse::<i64>().ok()).unwrap_or(1);
        let bot = json!({
            "id": id, "is_bot": true, "first_name": "Printer", "username": "printer_bot", "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false
        });
        let kind = if chat > 0 { ChatKind::Private } else { ChatKind::Forum };
        Self {
            bot,
            chats: vec![Chat::new(chat, kind)],
            messages: Vec::new(),
            files: Files::default(),
            commands: Vec::new(),
            presses: Vec::new(),
            updates: Updates::default(),
            last_message: 0,
        }
    }

    /// The bot as a message's sender; `getMe` says more of it.
    pub(super) fn sender(&self) -> Value {
        json!({
            "id": self.bot["id"], "is_bot": true, "first_name": self.bot["first_name"],
            "username": self.bot["username"]
        })
    }

    pub(super) fn chat(&self, id: i64) -> Option<&Chat> {
        self.chats.iter().find(|chat| chat.id == id)
    }

    pub(super) fn chat_mut(&mut self, id: i64) -> &mut Chat {
        let found = self.chats.iter_mut().find(|chat| chat.id == id);
        found.unwrap_or_else(|| panic!("the stand-in has no chat {id}"))
    }

    /// The chat that a call means: a number, a number as text, or an @name.
    pub(super) fn meant(&self, asked: &Asked<'_>) -> Result<Chat, Refusal> {
        let given = asked.arguments.get("chat_id").ok_or_else(|| bad("chat_id is empty"))?;
        let named = |chat: &&Chat| {
            let username = chat.username.as_ref().map(|name| format!("@{name}"));
            username.is_some_and(|name| given.as_str().is_some_and(|given| given.eq_ignore_ascii_case(&name)))
        };
        let number = given.as_i64().or_else(|| given.as_str()?.parse().ok());
        let found = match number {
            Some(number) => self.chat(number),
            None => self.chats.iter().find(named),
        };
        let chat = found.cloned().ok_or_else(|| bad("chat not found"))?;
        chat.readable()?;
        Ok(chat)
    }

    /// A message that is there.
    pub(super) fn message(&self, chat: i64, id: i64) -> Option<&Message> {
        self.messages.iter().find(|message| (message.chat, message.id) == (chat, id))
    }

    pub(super) fn message_mut(&mut self, chat: i64, id: i64) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| (message.chat, message.id) == (chat, id))
    }

    /// Puts a message into a chat, and gives it as the API's `Message`.
    pub(super) fn post(
        &mut self,
        chat: &Chat,
        thread: Option<i64>,
        from: Option<Value>,
        content: Value,
    ) -> Value {
        self.last_message += 1;
        let own = from.is_none();
        let mut shown = json!({
            "message_id": self.last_message, "from": from.unwrap_or_else(|| self.sender()), "chat": chat.shown(),
            "date": now()
        });
        if let Some(thread) = thread {
            shown["message_thread_id"] = json!(thread);
            shown["is_topic_message"] = json!(true);
        }
        shown.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        super::check::must_be("Message", &shown);
        let message =
            Message { chat: chat.id, id: self.last_message, own, deletable: true, shown: shown.clone() };
        self.messages.push(message);
        shown
    }
}
