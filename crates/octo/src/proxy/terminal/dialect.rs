//! The simple dialect of the terminal's WebSocket, for programs that do not speak ttyd's protocol. Pure.
//!
//! A client that offers no subprotocol speaks it. Binary messages are what is typed and what is printed, as bytes. Text
//! messages are JSON. From the client: `{"type":"resize","columns":80,"rows":24}`, `{"type":"pause"}` and
//! `{"type":"resume"}`, which hold and release the output. From the server: `{"type":"waiting","message":…}` while the
//! session starts, `{"type":"ready"}` once it is connected, `{"type":"title","title":…}`, and
//! `{"type":"error","message":…}` for a text message that is none of these. The size at the begin can be given as
//! `?columns=120&rows=40`, which are the values without it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a client may say as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Control {
    /// The window has another size.
    Resize {
        /// Characters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// Hold the output.
    Pause,
    /// Let it go on.
    Resume,
}

/// What a client is told as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Notice<'a> {
    /// The terminal does not listen yet.
    Waiting {
        /// For a person.
        message: &'a str,
    },
    /// The terminal is there.
    Ready,
    /// Its window's title.
    Title {
        /// The title.
        title: Cow<'a, str>,
    },
    /// The last text message was not understood.
    Error {
        /// For a person.
        message: String,
    },
}

impl Notice<'_> {
    /// As it is sent.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a message of ttyd's means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Printed bytes.
    Output(Bytes),
    /// Text for the client.
    Notice(String),
    /// Nothing for a program.
    Nothing,
}

/// The first message to ttyd, which starts its program.
#[must_use]
pub fn first(query: &str) -> String {
    let of = |name: &str, without: u16| {
        url::form_urlencoded::parse(query.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.parse().ok()).flatten())
            .filter(|number| (1..=1000).contains(number))
            .unwrap_or(without)
    };
    let (columns, rows) = (of("columns", 120), of("rows", 40));
    format!(r#"{{"AuthToken":"","columns":{columns},"rows":{rows}}}"#)
}

/// Typed bytes as a message to ttyd.
#[must_use]
pub fn input(typed: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(typed.len() + 1);
    message.push(b'0');
    message.extend_from_slice(typed);
    message
}

/// A text message as a message to ttyd.
///
/// # Errors
/// The answer to the client, where it is none.
pub fn control(text: &str) -> Result<String, Notice<'static>> {
    match serde_json::from_str(text) {
        Ok(Control::Resize { columns, rows }) => Ok(format!(r#"1{{"columns":{columns},"rows":{rows}}}"#)),
        Ok(Control::Pause) => Ok("2".into()),
        Ok(Control::Resume) => Ok("3".into()),
        Err(error) => Err(Notice::Error {
            message: format!(
                "text messages are JSON of the type resize, pause or resume; what is typed is sent as binary ({error})"
            ),
        }),
    }
}

/// What a message of ttyd's means for the client.
#[must_use]
pub fn said(message: &Bytes) -> Said {
    match message.first() {
        Some(b'0') => Said::Output(message.slice(1..)),
        Some(b'1') => {
            let title = message.slice(1..);
            Said::Notice(Notice::Title { title: String::from_utf8_lossy(&title) }.json())
        }
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_controls_and_nothing_else() {
        for (text, expected) in [
            (r#"{"type":"resize","columns":80,"rows":24}"#, Some(r#"1{"columns":80,"rows":24}"#)),
            (r#"{"type":"pause"}"#, Some("2")),
            (r#"{"type":"resume"}"#, Some("3")),
            (r#"{"columns":80,"rows":24}"#, None),
            (r#"{"type":"resize","columns":80}"#, None),
            (r#"{"type":"resize","columns":-1,"rows":24}"#, None),
            (r#"{"type":"resize","columns":80,"rows":24,"more":1}"#, None),
            ("ls -l", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(control(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn output_is_bytes_and_a_title_is_text() {
        assert_eq!(said(&Bytes::from_static(b"0\xff\x00")), Said::Output(Bytes::from_static(b"\xff\x00")));
        assert_eq!(
            said(&Bytes::from_static(b"1sh \"x\"")),
            Said::Notice(r#"{"type":"title","title":"sh \"x\""}"#.into())
        );
        for nothing in [&b"2{ }"[..], b"", b"9"] {
            assert_eq!(said(&Bytes::copy_from_slice(nothing)), Said::Nothing);
        }
    }

    #[test]
    fn the_first_size_comes_from_the_query() {
        for (query, columns, rows) in [
            ("", 120, 40),
            ("columns=80&rows=24", 80, 24),
            ("rows=24&x=y", 120, 24),
            ("columns=0&rows=99999", 120, 40),
            ("columns=a\"&rows=", 120, 40),
        ] {
            let expected = format!(r#"{{"AuthToken":"","columns":{columns},"rows":{rows}}}"#);
            assert_eq!(first(query), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn typed_bytes_are_never_taken_for_anything_else(typed: Vec<u8>) {
            let message = input(&typed);
            prop_assert_eq!(message.first(), Some(&b'0'));
            prop_assert_eq!(&message[1..], &typed[..]);
            prop_assert_eq!(said(&Bytes::from(message)), Said::Output(Bytes::from(typed)));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,200}") {
            if let Ok(message) = control(&text) {
                prop_assert!(message.starts_with(['1', '2', '3']));
            }
        }
    }
}
