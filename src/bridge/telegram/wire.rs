//! What goes over the wire to the Bot API and comes back, and what the outbox keeps. Types only, no I/O.

use super::config::Chat;
use serde::{Deserialize, Deserializer, Serialize};

/// `sendMessage`.
#[derive(Debug, Serialize)]
pub(super) struct SendMessage<'a> {
    chat_id: ChatId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    text: &'a str,
    link_preview_options: LinkPreview,
}

impl<'a> SendMessage<'a> {
    /// A plain text for a chat and perhaps a topic in it.
    pub(super) fn new(chat: &'a Chat, thread: Option<i64>, text: &'a str) -> Self {
        let chat_id = match chat {
            Chat::Id(id) => ChatId::Id(*id),
            Chat::Name(name) => ChatId::Name(name),
        };
        // A file name may look like an address.
        let link_preview_options = LinkPreview { is_disabled: true };
        Self { chat_id, message_thread_id: thread, text, link_preview_options }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ChatId<'a> {
    Id(i64),
    Name(&'a str),
}

#[derive(Debug, Serialize)]
struct LinkPreview {
    is_disabled: bool,
}

/// The envelope around every answer. Unknown fields are passed over: each version of the API adds some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Envelope {
    /// Whether the request was carried out.
    pub(super) ok: bool,
    /// Equal to the HTTP status in failures.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error_code: Option<i64>,
    /// Words for people, and often the only distinction between failures.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// Hints to a program.
    #[serde(default)]
    pub(super) parameters: Option<Parameters>,
}

/// Hints in a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Parameters {
    /// Seconds to wait (429).
    #[serde(default, deserialize_with = "lenient")]
    pub(super) retry_after: Option<i64>,
    /// Where the group went.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) migrate_to_chat_id: Option<i64>,
}

/// What came back: the HTTP status, and the envelope if the body was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// `Retry-After` in seconds.
    pub(super) retry_after: Option<i64>,
    /// The body, if it was the API's and not a proxy's.
    pub(super) envelope: Option<Envelope>,
}

impl Answer {
    /// Reads an answer; any body is taken.
    pub(super) fn read(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok());
        Self { status, retry_after, envelope: serde_json::from_slice(body).ok() }
    }
}

/// An integer, also as a text or with a fraction; whatever else stands there is none.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form<'a> {
        Integer(i64),
        Float(f64),
        #[serde(borrow)]
        Text(std::borrow::Cow<'a, str>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::Integer(number) => Some(number),
        Form::Float(number) if number.is_finite() => Some(number.ceil() as i64),
        Form::Text(text) => text.trim().parse().ok(),
        Form::Float(_) | Form::Other(_) => None,
    })
}

/// A message as the outbox keeps it. Later versions may add fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The text, not yet dated.
    pub(super) text: String,
}

/// Where a group went, as the state file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    /// Version of this form.
    pub(super) version: u32,
    /// The chat as the settings name it.
    pub(super) configured: String,
    /// The chat it is now.
    pub(super) chat_id: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_have_exactly_the_documented_fields() {
        let json = |message: SendMessage<'_>| serde_json::to_string(&message).unwrap();
        assert_eq!(
            json(SendMessage::new(&Chat::Id(-100), Some(17), "Started: \"a\"")),
            r#"{"chat_id":-100,"message_thread_id":17,"text":"Started: \"a\"","link_preview_options":{"is_disabled":true}}"#
        );
        assert_eq!(
            json(SendMessage::new(&Chat::Name("@group".to_owned()), None, "x")),
            r#"{"chat_id":"@group","text":"x","link_preview_options":{"is_disabled":true}}"#
        );
    }

    #[test]
    fn answers_are_read() {
        let ok = Answer::read(200, None, br#"{"ok":true,"result":{"message_id":5,"chat":{"id":1}}}"#);
        assert_eq!(ok.envelope, Some(Envelope { ok: true, ..Envelope::default() }));
        let body =
            br#"{"ok":false,"error_code":429,"description":"d","parameters":{"retry_after":17,"new":1}}"#;
        let flood = Answer::read(429, Some(" 18 "), body);
        let envelope = flood.envelope.unwrap();
        assert_eq!((flood.retry_after, envelope.parameters.unwrap().retry_after), (Some(18), Some(17)));
        let odd =
            br#"{"ok":false,"error_code":"400","parameters":{"retry_after":"3","migrate_to_chat_id":[]}}"#;
        let envelope = Answer::read(400, Some("soon"), odd).envelope.unwrap();
        assert_eq!(envelope.error_code, Some(400));
        assert_eq!(envelope.parameters, Some(Parameters { retry_after: Some(3), migrate_to_chat_id: None }));
        for body in [&b"<html>"[..], b"", b"[]", b"{}", b"{\"ok\":1}", b"\xff"] {
            assert_eq!(Answer::read(502, None, body).envelope, None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read(body in proptest::collection::vec(any::<u8>(), 0..300), header in "\\PC{0,20}") {
            let _ = Answer::read(200, Some(&header), &body);
        }

        #[test]
        fn any_json_is_read(ok in any::<bool>(), value in "(-?[0-9]{1,30}(\\.[0-9]{1,5})?(e[0-9]{1,3})?|null|\"[a-z0-9 ]{0,9}\"|\\[1\\]|\\{\\})") {
            let body = format!(r#"{{"ok":{ok},"error_code":{value},"parameters":{{"retry_after":{value}}}}}"#);
            let _ = Answer::read(400, None, body.as_bytes());
        }
    }
}
