//! The text that Android phones get, encrypted on its way.

use super::push::{Kind, Push};
use std::fmt::Write;
use std::time::Duration;

/// What an error says where nothing is known of it. Never nothing: apps take that for the cancellation of an old plugin.
pub(super) const UNKNOWN_ERROR: &str = "The print ended by an error";

/// The text, made at `now` by the wall clock. Pure ASCII, and spaced as the plugin's own.
pub(super) fn text(push: &Push, now: Duration) -> String {
    let kind = match push.kind {
        Kind::Started | Kind::Progress | Kind::TimerProgress | Kind::Resume => "printing",
        Kind::Paused => "paused",
        Kind::Interaction => "paused_gcode",
        Kind::FilamentChange => "filament_required",
        Kind::Done => "completed",
        Kind::Cancelled => "idle",
        kind @ (Kind::FirstLayer
        | Kind::ThirdLayer
        | Kind::Error
        | Kind::SelectionStarted
        | Kind::SelectionCompleted
        | Kind::Beep
        | Kind::Custom) => kind.name(),
    };
    match push.kind {
        Kind::Beep => return format!("{{\"type\": \"{kind}\"}}"),
        Kind::Custom => {
            let detail = push.detail.as_deref().map_or_else(|| "null".to_owned(), quoted);
            return format!(
                "{{\"type\": \"{kind}\", \"message\": {}, \"detail\": {detail}}}",
                quoted(&push.text)
            );
        }
        _ => {}
    }
    let state = &push.state;
    let percent = match push.kind {
        Kind::Done => "100".to_owned(),
        _ => format!("\"{}\"", state.percent),
    };
    let message = match push.kind {
        Kind::Error if push.text.is_empty() => quoted(UNKNOWN_ERROR),
        Kind::Error => quoted(&push.text),
        _ => "null".to_owned(),
    };
    format!(
        "{{\"serverTime\": {}, \"serverTimePrecise\": {:?}, \"printId\": {}, \"fileName\": {}, \"progress\": {percent}, \
         \"timeLeft\": \"{}\", \"type\": \"{kind}\", \"message\": {message}}}",
        now.as_secs(),
        now.as_secs_f64(),
        quoted(&state.id),
        quoted(state.name()),
        state.left,
    )
}

/// A JSON string of ASCII alone.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ' '..='~' => quoted.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a text cannot fail.
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::push::State;
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn an_error_always_says_something() {
        let text = text(&Push::new(Kind::Error, State::default()), Duration::ZERO);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["message"], UNKNOWN_ERROR);
        assert_eq!(read["serverTimePrecise"].to_string(), "0.0");
    }

    proptest! {
        #[test]
        fn any_text_is_json_and_ascii(title in any::<String>(), detail in any::<Option<String>>()) {
            let push = Push { text: title.clone(), detail: detail.clone(), ..Push::new(Kind::Custom, State::default()) };
            let text = text(&push, Duration::ZERO);
            prop_assert!(text.is_ascii());
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["message"].as_str(), Some(title.as_str()));
            prop_assert_eq!(read["detail"].as_str(), detail.as_deref());
        }
    }
}
