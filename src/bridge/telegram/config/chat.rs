//! Which chat, and which topic in it.

use super::ConfigError;
use std::fmt;

/// Chat ids have at most 52 significant bits (Bot API, type Chat).
const MOST_CHAT_ID: i64 = (1 << 52) - 1;

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chat {
    /// By its number; groups have negative ones.
    Id(i64),
    /// A public group or channel by its name, `@` included.
    Name(String),
}

impl Chat {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = |problem| ConfigError { setting: "TELEGRAM_CHAT_ID", problem, missing: false };
        if text.is_empty() {
            let problem = "is not set; run `octobridge pair telegram`, or give the number of the chat, or @name of a public group or channel";
            return Err(ConfigError { missing: true, ..error(problem) });
        }
        if let Some(name) = text.strip_prefix('@') {
            let fits = (4..=32).contains(&name.len());
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let wrong = "is not a name; it is @ and 4 to 32 letters, digits and underscores";
            return if fits && is_name { Ok(Self::Name(text.to_owned())) } else { Err(error(wrong)) };
        }
        match text.parse::<i64>() {
            Ok(id) if id != 0 && id.unsigned_abs() <= MOST_CHAT_ID.unsigned_abs() => Ok(Self::Id(id)),
            _ => Err(error("is neither a chat's number (negative for groups) nor @name")),
        }
    }

    /// Whether the limits for groups apply.
    pub(in crate::bridge::telegram) fn is_group(&self) -> bool {
        !matches!(self, Self::Id(id) if *id > 0)
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The number of a chat or a person.
pub(super) fn parse_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| *id != 0 && id.unsigned_abs() <= MOST_CHAT_ID.unsigned_abs())
}

/// The topic; none is also the General topic, whose number the Bot API refuses.
pub(super) fn parse_thread(text: &str) -> Result<Option<i64>, ConfigError> {
    match text.parse::<i64>() {
        Ok(0 | 1) => Ok(None),
        Ok(id) if id > 0 && id <= i64::from(i32::MAX) => Ok(Some(id)),
        _ if text.is_empty() => Ok(None),
        _ => Err(ConfigError {
            setting: "TELEGRAM_THREAD_ID",
            problem: "is not the number of a topic; leave it empty to send without one",
            missing: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats() {
        let good = [
            ("42", Chat::Id(42)),
            ("-1001234567890", Chat::Id(-1_001_234_567_890)),
            ("4503599627370495", Chat::Id(4_503_599_627_370_495)),
            ("@my_group", Chat::Name("@my_group".to_owned())),
        ];
        for (text, expected) in good {
            assert_eq!(Chat::parse(text).unwrap(), expected, "{text}");
        }
        for text in ["", "0", "4503599627370496", "name", "@", "@a b cd", "1.5", "@my/group"] {
            let error = Chat::parse(text).unwrap_err();
            assert_eq!((error.setting, error.missing), ("TELEGRAM_CHAT_ID", text.is_empty()), "{text}");
        }
        for (text, group) in [("7", false), ("-7", true), ("@name", true)] {
            assert_eq!(Chat::parse(text).unwrap().is_group(), group);
        }
    }

    #[test]
    fn threads() {
        for (thread, expected) in [("", None), ("0", None), ("1", None), ("17", Some(17)), ("2", Some(2))] {
            assert_eq!(parse_thread(thread).unwrap(), expected, "{thread}");
        }
        for thread in ["-1", "x", "1.5", "99999999999"] {
            assert_eq!(parse_thread(thread).unwrap_err().setting, "TELEGRAM_THREAD_ID", "{thread}");
        }
    }
}
