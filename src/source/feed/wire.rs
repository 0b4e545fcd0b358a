//! The feed's messages.

use crate::json_fields::{pick, text};
use crate::printer::Command;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Longest note that is kept, in bytes.
const MAX_NOTE: usize = 512;

/// A message that is understood.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// The printer's status: a JSON object, or what should be one.
    Status(Cow<'a, str>),
    /// A picture: where in the message its JSON string stands, with the quotation marks.
    Picture(Range<usize>),
    /// The server's words to people.
    Note { is_error: bool, text: String },
}

/// Reads a message; the error says what it is instead of one.
pub(super) fn read(message: &[u8]) -> Result<Message<'_>, &'static str> {
    const NAMES: [&str; 4] = ["type", "data", "image", "message"];
    let message = std::str::from_utf8(message).map_err(|_| "a message that is no text")?;
    let mut found: [Option<&RawValue>; 4] = [None; 4];
    pick(message, &NAMES, &mut found).map_err(|_| "a message that is no JSON object")?;
    let [kind, data, image, note] = found;
    match kind.and_then(text).as_deref() {
        Some("printer_status") => status(data).ok_or("a status without data"),
        Some("jpeg_image") => {
            let place = place(message, image).or_else(|| place(message, data));
            place.map(Message::Picture).ok_or("a picture without data")
        }
        Some(kind @ ("error" | "message")) => {
            let inside = || {
                let mut found = [None];
                pick(data?.get(), &["message"], &mut found).ok()?;
                found[0].and_then(text)
            };
            let text = note.and_then(text).or_else(inside).ok_or("a note without text")?;
            Ok(Message::Note { is_error: kind == "error", text: shown(&text) })
        }
        _ => Err("a message of an unknown type"),
    }
}

/// The object itself, or one inside a string, as older servers send it.
fn status(data: Option<&RawValue>) -> Option<Message<'_>> {
    let raw = data?.get();
    match raw.as_bytes().first()? {
        b'{' => Some(Message::Status(Cow::Borrowed(raw))),
        b'"' => Some(Message::Status(Cow::Owned(text(data?)?.trim().to_owned()))),
        _ => None,
    }
}

/// Where in the message a value stands that is a string.
fn place(message: &str, value: Option<&RawValue>) -> Option<Range<usize>> {
    let raw = value?.get();
    // It is a part of the message.
    let start = (raw.as_ptr() as usize).checked_sub(message.as_ptr() as usize)?;
    raw.starts_with('"').then_some(start..start + raw.len())
}

/// Without what could mislead in a log or a report, and not too long.
fn shown(text: &str) -> String {
    let mut room = MAX_NOTE;
    let fits = |c: &char| {
        room = room.saturating_sub(c.len_utf8());
        room > 0
    };
    let misleading = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.trim().chars().filter(|c| !misleading(c)).take_while(fits).collect()
}

/// What the feed's server is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub what: Command,
    /// In whose name, where that is known.
    pub by: Option<Arc<str>>,
}

impl Order {
    /// The message that asks for it. The server does not answer; the next status shows what came of it.
    pub fn message(&self) -> &'static str {
        match self.what {
            Command::Pause => r#"{"type":"pause_print"}"#,
            Command::Resume => r#"{"type":"resume_print"}"#,
            Command::Cancel => r#"{"type":"stop_print"}"#,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let note = |is_error, text: &str| Ok(Message::Note { is_error, text: text.to_owned() });
        for (message, expected) in [
            (
                r#"{"type":"printer_status","data":{"a": 1.50 ,"b":[]}}"#,
                Ok(Message::Status(r#"{"a": 1.50 ,"b":[]}"#.into())),
            ),
            (
                r#"{"data":"  {\"a\":\"\\u00fc\"} ","type":"printer_status"}"#,
                Ok(Message::Status(r#"{"a":"\u00fc"}"#.into())),
            ),
            (r#"{"type":"printer_status","data":"later","data":{}}"#, Ok(Message::Status("{}".into()))),
            (r#"{"type":"printer_status"}"#, Err("a status without data")),
            (r#"{"type":"printer_status","data":null}"#, Err("a status without data")),
            (r#"{"type":"printer_status","data":[{}]}"#, Err("a status without data")),
            (r#"{"type":"jpeg_image","image":"\/9j/"}"#, Ok(Message::Picture(29..36))),
            (r#"{"type":"jpeg_image","data":"/9j/"}"#, Ok(Message::Picture(28..34))),
            (r#"{"type":"jpeg_image","image":null,"data":"/9j/"}"#, Ok(Message::Picture(41..47))),
            (r#"{"type":"jpeg_image","image":null}"#, Err("a picture without data")),
            (r#"{"type":"jpeg_image","image":{"data":""}}"#, Err("a picture without data")),
            (r#"{"type":"error","message":" Printer\n Offline "}"#, note(true, "Printer Offline")),
            (r#"{"type":"error","data":{"message":"broker"}}"#, note(true, "broker")),
            (r#"{"type":"message","message":"File \u202euploaded"}"#, note(false, "File uploaded")),
            (r#"{"type":"error","message":7}"#, Err("a note without text")),
            (r#"{"type":"error"}"#, Err("a note without text")),
            (r#"{"type":"Printer_Status","data":{}}"#, Err("a message of an unknown type")),
            (r#"{"type":7,"data":{}}"#, Err("a message of an unknown type")),
            (r#"{"hello":1}"#, Err("a message of an unknown type")),
            (r#"[{"type":"printer_status","data":{"a":1}}]"#, Err("a message that is no JSON object")),
            ("not json", Err("a message that is no JSON object")),
            ("", Err("a message that is no JSON object")),
            (r#"{"type":"printer_status","data":{}} {}"#, Err("a message that is no JSON object")),
            (r#"{"type":"printer_status","data":{"a":}}"#, Err("a message that is no JSON object")),
        ] {
            assert_eq!(read(message.as_bytes()), expected, "{message}");
        }
        assert_eq!(read(b"{\"type\":\"\xff\"}"), Err("a message that is no text"));
    }

    #[test]
    fn a_status_and_a_picture_are_not_copied() {
        let message = br#"{"type":"printer_status","data":{"a":"\u00fc"}}"#;
        assert!(matches!(read(message), Ok(Message::Status(Cow::Borrowed(_)))));
    }

    #[test]
    fn a_note_is_bounded() {
        let long = format!(r#"{{"type":"error","message":"{}"}}"#, "\u{fc}".repeat(10_000));
        let Ok(Message::Note { text, .. }) = read(long.as_bytes()) else { panic!("no note") };
        assert!(text.len() <= MAX_NOTE && text.len() > MAX_NOTE - 4, "{}", text.len());
    }

    #[test]
    fn commands_are_messages_of_a_type() {
        for (command, kind) in [
            (Command::Pause, "pause_print"),
            (Command::Resume, "resume_print"),
            (Command::Cancel, "stop_print"),
        ] {
            let order = Order { what: command, by: None };
            let message: serde_json::Value = serde_json::from_str(order.message()).unwrap();
            assert_eq!(message, serde_json::json!({"type": kind}));
        }
    }
}
