//! What people do in the chats, as the Bot API tells it. Pure; reads strictly what it needs and passes over all else,
//! since every version of the API adds kinds and fields.

use serde_json::Value;
use std::time::Duration;

/// As whom Telegram shows administrators who hide their names.
const ANONYMOUS: i64 = 1_087_968_824;
/// Largest file that the public Bot API hands out, in bytes (`getFile`).
pub(super) const MOST_DOWNLOAD: u64 = 20 << 20;

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Incoming {
    /// Wrote a command.
    Command(Command),
    /// Sent a file.
    Document(Document),
    /// Pressed a button.
    Press(Press),
    /// A group became a supergroup.
    Migrated {
        /// Its number before.
        from: i64,
        /// Its number now.
        to: i64,
    },
    /// The bot's own standing in a chat changed.
    Standing {
        /// The chat.
        chat: i64,
        /// Whether it is in the chat now.
        member: bool,
    },
    /// Nothing that concerns us, and why.
    Nothing(&'static str),
}

/// A chat, and the topic in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Place {
    /// The chat.
    pub(in crate::bridge::telegram) chat: i64,
    /// The topic; none outside of topics, and in a reply chain.
    pub(in crate::bridge::telegram) thread: Option<i64>,
}

/// Who wrote where and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Origin {
    /// Where.
    pub(in crate::bridge::telegram) place: Place,
    /// Who; none for those who write in the name of a group or a channel.
    pub(in crate::bridge::telegram) user: Option<i64>,
    /// When, as time since the Unix epoch.
    pub(in crate::bridge::telegram) date: Duration,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Command {
    /// Who, where and when.
    pub(in crate::bridge::telegram) origin: Origin,
    /// Its name in small letters, without the slash.
    pub(in crate::bridge::telegram) name: String,
    /// What stands behind it.
    pub(in crate::bridge::telegram) args: String,
    /// Whether it names this bot, or nobody else could be meant.
    pub(in crate::bridge::telegram) personal: bool,
}

/// A file in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Document {
    /// Who, where and when.
    pub(in crate::bridge::telegram) origin: Origin,
    /// By which it is fetched.
    pub(in crate::bridge::telegram) file_id: String,
    /// Its name; may be empty.
    pub(in crate::bridge::telegram) name: String,
    /// Its size in bytes, where it is told.
    pub(in crate::bridge::telegram) size: Option<u64>,
}

impl Document {
    /// Whether the public Bot API hands it out.
    pub(in crate::bridge::telegram) fn is_downloadable(&self) -> bool {
        self.size.is_none_or(|size| size <= MOST_DOWNLOAD)
    }
}

/// A button that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Press {
    /// By which it is answered.
    pub(in crate::bridge::telegram) id: String,
    /// Who pressed it.
    pub(in crate::bridge::telegram) user: Option<i64>,
    /// What the button says to us; none where the press is of another kind.
    pub(in crate::bridge::telegram) data: Option<String>,
    /// The message below which it stands, where Telegram still knows.
    pub(in crate::bridge::telegram) shown: Option<Shown>,
}

/// A message of ours in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Shown {
    /// Where.
    pub(in crate::bridge::telegram) place: Place,
    /// Its number there; none if it cannot be changed any more.
    pub(in crate::bridge::telegram) message: Option<i64>,
    /// Whether its text is the caption of something.
    pub(in crate::bridge::telegram) captioned: bool,
}

/// The number of an update.
pub(in crate::bridge::telegram) fn number(update: &Value) -> Option<i64> {
    update.get("update_id")?.as_i64()
}

/// What an update says to the bot with that user name.
pub(in crate::bridge::telegram) fn read(update: &Value, bot: &str) -> Incoming {
    if let Some(message) = update.get("message") {
        return read_message(message, bot);
    }
    if let Some(press) = update.get("callback_query") {
        return read_press(press).unwrap_or(Incoming::Nothing("a press without its number"));
    }
    if let Some(change) = update.get("my_chat_member") {
        return read_standing(change).unwrap_or(Incoming::Nothing("no change of a chat"));
    }
    if update.get("edited_message").is_some() {
        return Incoming::Nothing("an edit runs no command");
    }
    Incoming::Nothing("not for us")
}

/// When an update was made, where it says so: as time since the Unix epoch.
pub(in crate::bridge::telegram) fn date(update: &Value) -> Option<Duration> {
    let of = |kind: &str| update.get(kind)?.get("date")?.as_u64();
    let found = ["message", "edited_message", "my_chat_member"].into_iter().find_map(of);
    found.filter(|date| *date > 0).map(Duration::from_secs)
}

fn read_message(message: &Value, bot: &str) -> Incoming {
    let chat = message.get("chat").unwrap_or(&Value::Null);
    let Some(place) = place(message) else { return Incoming::Nothing("no chat") };
    if text(chat, "type") == Some("channel") {
        return Incoming::Nothing("a channel");
    }
    let moved = |field: &str| message.get(field).and_then(Value::as_i64).filter(|id| *id != 0);
    if let Some(to) = moved("migrate_to_chat_id") {
        return Incoming::Migrated { from: place.chat, to };
    }
    if let Some(from) = moved("migrate_from_chat_id") {
        return Incoming::Migrated { from, to: place.chat };
    }
    let from = message.get("from").unwrap_or(&Value::Null);
    let is_bot = from.get("is_bot").and_then(Value::as_bool).unwrap_or(false);
    let in_other_name = message.get("sender_chat").is_some();
    let id = from.get("id").and_then(Value::as_i64);
    if is_bot && !in_other_name && id != Some(ANONYMOUS) {
        return Incoming::Nothing("another bot");
    }
    let user = id.filter(|_| !is_bot && !in_other_name);
    let date = message.get("date").and_then(Value::as_u64).unwrap_or_default();
    let origin = Origin { place, user, date: Duration::from_secs(date) };
    if let Some(document) = message.get("document") {
        return read_document(document, origin).unwrap_or(Incoming::Nothing("a file that cannot be had"));
    }
    let private = text(chat, "type") == Some("private");
    match text(message, "text").map(|text| command(text, bot)) {
        Some(Parsed::Command { name, args, addressed }) => {
            Incoming::Command(Command { origin, name, args, personal: addressed || private })
        }
        Some(Parsed::Other(why)) => Incoming::Nothing(why),
        None => Incoming::Nothing("no text"),
    }
}

fn read_document(document: &Value, origin: Origin) -> Option<Incoming> {
    let file_id = text(document, "file_id")?.to_owned();
    let name = text(document, "file_name").unwrap_or_default().to_owned();
    let size = document.get("file_size").and_then(Value::as_u64);
    Some(Incoming::Document(Document { origin, file_id, name, size }))
}

fn read_press(press: &Value) -> Option<Incoming> {
    let shown = press.get("message").and_then(|message| {
        let whole = message.get("date").and_then(Value::as_u64).is_some_and(|date| date > 0);
        Some(Shown {
            place: place(message)?,
            message: message.get("message_id").and_then(Value::as_i64).filter(|_| whole),
            captioned: message.get("text").is_none(),
        })
    });
    Some(Incoming::Press(Press {
        id: text(press, "id")?.to_owned(),
        user: press.get("from").and_then(|from| from.get("id")).and_then(Value::as_i64),
        data: text(press, "data").map(str::to_owned),
        shown,
    }))
}

fn read_standing(change: &Value) -> Option<Incoming> {
    let chat = change.get("chat")?.get("id")?.as_i64()?;
    let new = change.get("new_chat_member")?;
    let member = match text(new, "status")? {
        "left" | "kicked" => false,
        "restricted" => new.get("is_member").and_then(Value::as_bool).unwrap_or(false),
        _ => true,
    };
    Some(Incoming::Standing { chat, member })
}

fn place(message: &Value) -> Option<Place> {
    let chat = message.get("chat")?.get("id")?.as_i64()?;
    // The number is that of a reply chain unless the message says that it is a topic's.
    let in_topic = message.get("is_topic_message").and_then(Value::as_bool).unwrap_or(false);
    let thread = message.get("message_thread_id").and_then(Value::as_i64);
    // The General topic has the number 1, which is refused when it is sent.
    Some(Place { chat, thread: thread.filter(|thread| in_topic && *thread > 1) })
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field)?.as_str()
}

enum Parsed {
    Command { name: String, args: String, addressed: bool },
    Other(&'static str),
}

/// Reads `/command@Bot arguments`.
fn command(text: &str, bot: &str) -> Parsed {
    let Some(rest) = text.strip_prefix('/') else { return Parsed::Other("no command") };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, args) = rest.split_at(end);
    let (name, to) = match word.split_once('@') {
        Some((name, to)) => (name, Some(to)),
        None => (word, None),
    };
    if to.is_some_and(|to| to.is_empty() || !to.eq_ignore_ascii_case(bot)) {
        return Parsed::Other("addressed to another bot");
    }
    if name.is_empty() {
        return Parsed::Other("no command");
    }
    let (name, args) = (name.to_lowercase(), args.trim().to_owned());
    Parsed::Command { name, args, addressed: to.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn written(text: &str) -> Value {
        let chat = json!({"id": -100, "type": "supergroup"});
        json!({"update_id": 1, "message": {"chat": chat, "from": {"id": 7, "is_bot": false}, "date": 5, "text": text}})
    }

    #[test]
    fn commands_are_parsed() {
        let found = |text: &str| match read(&written(text), "MyBot") {
            Incoming::Command(command) => Some((command.name, command.args, command.personal)),
            Incoming::Nothing(_) => None,
            other => panic!("{other:?}"),
        };
        let is = |name: &str, args: &str, personal| Some((name.to_owned(), args.to_owned(), personal));
        for (text, expected) in [
            ("/status", is("status", "", false)),
            ("/STATUS", is("status", "", false)),
            ("/status@mybot", is("status", "", true)),
            ("/Status@MYBOT  now ", is("status", "now", true)),
            ("/gcode G28 X\nM114", is("gcode", "G28 X\nM114", false)),
            ("/gcode\nG28\n\n  M114 ", is("gcode", "G28\n\n  M114", false)),
            ("/status@", None),
            ("/status@OtherBot", None),
            ("/status@OtherBot @MyBot", None),
            ("/ status", None),
            ("/", None),
            ("/@MyBot", None),
            (" /status", None),
            ("status", None),
            ("", None),
        ] {
            assert_eq!(found(text), expected, "{text:?}");
        }
        // Before its own name is known, nothing is addressed to the bot.
        assert!(matches!(read(&written("/a@"), ""), Incoming::Nothing(_)));
    }

    #[test]
    fn who_is_nobody_and_who_is_no_person() {
        let from = |from: Value, sender: Option<Value>| {
            let mut update = written("/status");
            update["message"]["from"] = from;
            if let Some(sender) = sender {
                update["message"]["sender_chat"] = sender;
            }
            match read(&update, "b") {
                Incoming::Command(command) => Some(command.origin.user),
                _ => None,
            }
        };
        let channel = Some(json!({"id": -5, "type": "channel"}));
        assert_eq!(from(json!({"id": 7, "is_bot": false}), None), Some(Some(7)));
        assert_eq!(from(json!({"id": 7, "is_bot": true}), None), None);
        assert_eq!(from(json!({"id": ANONYMOUS, "is_bot": true}), channel.clone()), Some(None));
        assert_eq!(from(json!({"id": 136_817_688, "is_bot": true}), channel.clone()), Some(None));
        assert_eq!(from(json!({"id": 777_000, "is_bot": false}), channel), Some(None));
        assert_eq!(from(json!(null), None), Some(None));
    }

    #[test]
    fn topics_and_reply_chains_are_told_apart() {
        for (topic, thread, expected) in [
            (Some(true), Some(10), Some(10)),
            (Some(true), Some(1), None),
            (Some(false), Some(10), None),
            (None, Some(10), None),
            (Some(true), None, None),
        ] {
            let mut update = written("/status");
            update["message"]["is_topic_message"] = json!(topic);
            update["message"]["message_thread_id"] = json!(thread);
            let Incoming::Command(command) = read(&update, "b") else { panic!("{update}") };
            assert_eq!(command.origin.place, Place { chat: -100, thread: expected });
        }
    }

    #[test]
    fn presses_without_a_message_that_can_be_changed() {
        let press = |message: Value| {
            let update =
                json!({"callback_query": {"id": "9", "from": {"id": 7}, "data": "x", "message": message}});
            match read(&update, "b") {
                Incoming::Press(press) => press.shown,
                other => panic!("{other:?}"),
            }
        };
        let place = Place { chat: -100, thread: None };
        let chat = json!({"id": -100});
        for (message, expected) in [
            (json!({"chat": chat, "message_id": 3, "date": 9, "text": "a"}), Some((Some(3), false))),
            (json!({"chat": chat, "message_id": 3, "date": 9, "photo": []}), Some((Some(3), true))),
            (json!({"chat": chat, "message_id": 3, "date": 0}), Some((None, true))),
            (json!(null), None),
            (json!({"message_id": 3}), None),
        ] {
            let expected = expected.map(|(message, captioned)| Shown { place, message, captioned });
            assert_eq!(press(message), expected);
        }
    }

    #[test]
    fn the_bots_own_standing() {
        for (status, member) in [
            ("member", true),
            ("administrator", true),
            ("left", false),
            ("kicked", false),
            ("restricted", false),
        ] {
            let update =
                json!({"my_chat_member": {"chat": {"id": -5}, "new_chat_member": {"status": status}}});
            assert_eq!(read(&update, "b"), Incoming::Standing { chat: -5, member }, "{status}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "(/[a-z]{0,4}(@[a-z]{0,3})?[ \n]?\\PC{0,9}|\\PC{0,9})".prop_map(Value::from),
        ];
        let names = proptest::sample::select(vec![
            "update_id",
            "message",
            "callback_query",
            "my_chat_member",
            "chat",
            "from",
            "id",
            "type",
            "text",
            "date",
            "document",
            "file_id",
            "file_size",
            "data",
            "new_chat_member",
            "status",
            "migrate_to_chat_id",
            "is_topic_message",
            "message_thread_id",
            "sender_chat",
            "is_bot",
            "edited_message",
            "message_id",
        ]);
        leaf.prop_recursive(5, 60, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(names.clone().prop_map(str::to_owned), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_update_is_read(update in any_json(), bot in "[a-zA-Z_]{0,8}") {
            let _ = (number(&update), date(&update));
            if let Incoming::Command(command) = read(&update, &bot) {
                prop_assert!(!command.name.is_empty());
                prop_assert!(!command.name.contains(char::is_whitespace) && !command.name.contains('@'));
            }
        }
    }
}
