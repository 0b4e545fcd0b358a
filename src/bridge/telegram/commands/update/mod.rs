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
    /// Whether these are the words of somebody else.
    pub(in crate::bridge::telegram) forwarded: bool,
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
    /// What that person calls himself; may be empty.
    pub(in crate::bridge::telegram) name: String,
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
            let forwarded =
                ["forward_origin", "forward_date"].iter().any(|field| message.get(field).is_some());
            Incoming::Command(Command { origin, name, args, personal: addressed || private, forwarded })
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
    let from = press.get("from").unwrap_or(&Value::Null);
    Some(Incoming::Press(Press {
        id: text(press, "id")?.to_owned(),
        user: from.get("id").and_then(Value::as_i64),
        name: text(from, "first_name").unwrap_or_default().to_owned(),
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
mod tests;
