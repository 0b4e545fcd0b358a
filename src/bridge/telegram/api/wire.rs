//! What goes over the wire to the Bot API and comes back. Types only, no I/O.

use super::super::config::Chat;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// One call of the Bot API.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bridge::telegram) struct Call<'a> {
    /// The method's name.
    pub(in crate::bridge::telegram) method: &'static str,
    /// Its arguments.
    pub(in crate::bridge::telegram) fields: Map<String, Value>,
    /// A file that goes with them.
    pub(in crate::bridge::telegram) file: Option<File<'a>>,
    /// How long the server may hold the answer back (`getUpdates`).
    pub(in crate::bridge::telegram) held: Duration,
}

/// A file on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct File<'a> {
    /// The field that it is the value of.
    pub(in crate::bridge::telegram) field: &'static str,
    /// What it is called there: plain ASCII.
    pub(in crate::bridge::telegram) name: &'static str,
    /// Its media type.
    pub(in crate::bridge::telegram) kind: &'static str,
    /// Its content.
    pub(in crate::bridge::telegram) bytes: &'a [u8],
}

impl<'a> Call<'a> {
    /// A call without arguments.
    pub(in crate::bridge::telegram) fn new(method: &'static str) -> Self {
        Self { method, fields: Map::new(), file: None, held: Duration::ZERO }
    }

    /// The same with one more argument.
    pub(in crate::bridge::telegram) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The same to a chat, and perhaps to a topic in it.
    pub(in crate::bridge::telegram) fn to(self, chat: &Chat, thread: Option<i64>) -> Self {
        let to = self.with("chat_id", chat);
        match thread {
            Some(thread) => to.with("message_thread_id", thread),
            None => to,
        }
    }

    /// A text.
    pub(in crate::bridge::telegram) fn message(chat: &Chat, thread: Option<i64>, text: &str) -> Self {
        // A file name may look like an address.
        let no_preview = json!({"is_disabled": true});
        Self::new("sendMessage").to(chat, thread).with("text", text).with("link_preview_options", no_preview)
    }

    /// A picture with a caption.
    pub(in crate::bridge::telegram) fn photo(
        chat: &Chat,
        thread: Option<i64>,
        caption: &str,
        jpeg: &'a [u8],
    ) -> Self {
        Self::new("sendPhoto").to(chat, thread).with("caption", caption).carrying("photo", jpeg)
    }

    /// A picture as a file, which has wider bounds.
    pub(in crate::bridge::telegram) fn document(
        chat: &Chat,
        thread: Option<i64>,
        caption: &str,
        jpeg: &'a [u8],
    ) -> Self {
        Self::new("sendDocument").to(chat, thread).with("caption", caption).carrying("document", jpeg)
    }

    fn carrying(mut self, field: &'static str, bytes: &'a [u8]) -> Self {
        self.file = Some(File { field, name: "frame.jpg", kind: "image/jpeg", bytes });
        self
    }
}

impl From<&Chat> for Value {
    fn from(chat: &Chat) -> Self {
        match chat {
            Chat::Id(id) => Self::from(*id),
            Chat::Name(name) => Self::from(name.as_str()),
        }
    }
}

/// A row of buttons for each four: what they say, and what comes back when one is pressed.
pub(in crate::bridge::telegram) fn keyboard(buttons: &[(String, String)]) -> Value {
    let button = |(text, data): &(String, String)| json!({"text": text, "callback_data": data});
    let rows: Vec<Vec<Value>> = buttons.chunks(4).map(|row| row.iter().map(button).collect()).collect();
    json!({ "inline_keyboard": rows })
}

/// The envelope around every answer. Unknown fields are passed over: each version of the API adds some.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(in crate::bridge::telegram) struct Envelope {
    /// Whether the request was carried out.
    pub(in crate::bridge::telegram) ok: bool,
    /// What the method gives, in successes.
    #[serde(default)]
    pub(in crate::bridge::telegram) result: Value,
    /// Equal to the HTTP status in failures.
    #[serde(default, deserialize_with = "lenient")]
    pub(in crate::bridge::telegram) error_code: Option<i64>,
    /// Words for people, and often the only distinction between failures.
    #[serde(default)]
    pub(in crate::bridge::telegram) description: Option<String>,
    /// Hints to a program.
    #[serde(default)]
    pub(in crate::bridge::telegram) parameters: Option<Parameters>,
}

/// Hints in a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in crate::bridge::telegram) struct Parameters {
    /// Seconds to wait (429).
    #[serde(default, deserialize_with = "lenient")]
    pub(in crate::bridge::telegram) retry_after: Option<i64>,
    /// Where the group went.
    #[serde(default, deserialize_with = "lenient")]
    pub(in crate::bridge::telegram) migrate_to_chat_id: Option<i64>,
}

/// What came back: the HTTP status, and the envelope if the body was one.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bridge::telegram) struct Answer {
    /// HTTP status.
    pub(in crate::bridge::telegram) status: u16,
    /// `Retry-After` in seconds.
    pub(in crate::bridge::telegram) retry_after: Option<i64>,
    /// The body, if it was the API's and not a proxy's.
    pub(in crate::bridge::telegram) envelope: Option<Envelope>,
}

impl Answer {
    /// Reads an answer; any body is taken.
    pub(in crate::bridge::telegram) fn read(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_have_exactly_the_documented_fields() {
        let json = |call: Call<'_>| Value::Object(call.fields);
        let no_preview = json!({"is_disabled": true});
        assert_eq!(
            json(Call::message(&Chat::Id(-100), Some(17), "Started: \"a\"")),
            json!({"chat_id": -100, "message_thread_id": 17, "text": "Started: \"a\"", "link_preview_options": no_preview})
        );
        assert_eq!(
            json(Call::message(&Chat::Name("@group".to_owned()), None, "x")),
            json!({"chat_id": "@group", "text": "x", "link_preview_options": no_preview})
        );
        let photo = Call::photo(&Chat::Id(5), None, "c", b"jpeg");
        assert_eq!(photo.file.map(|file| (file.field, file.bytes)), Some(("photo", &b"jpeg"[..])));
        assert_eq!((photo.method, json(photo)), ("sendPhoto", json!({"chat_id": 5, "caption": "c"})));
    }

    #[test]
    fn answers_are_read() {
        let ok = Answer::read(200, None, br#"{"ok":true,"result":{"message_id":5,"chat":{"id":1}}}"#);
        let result = json!({"message_id": 5, "chat": {"id": 1}});
        assert_eq!(ok.envelope, Some(Envelope { ok: true, result, ..Envelope::default() }));
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
