//! What a macro asks to be told, by a line on the printer's console: `RESPOND PREFIX=tgnotify MSG="Change the plate"`.
//!
//! The words are those of the bot that most users of Moonraker come from (nlef/moonraker-telegram-bot), so that their
//! macros go on working.

use super::super::text;

/// Longest message of a macro, in UTF-16 units.
const MOST: usize = 1000;

/// A macro's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Said {
    /// The message.
    pub(in crate::bridge::telegram) text: String,
    /// Whether a picture goes with it.
    pub(in crate::bridge::telegram) photo: bool,
    /// Whether it makes a sound whatever the settings say.
    pub(in crate::bridge::telegram) alarm: bool,
}

/// Reads a line of the console; none if it is not for a chat.
pub(in crate::bridge::telegram) fn read(line: &str) -> Option<Said> {
    // Klipper's own prefixes of comments and echoes.
    let line = line.trim_start_matches("// ").trim_start_matches("echo: ").trim_start();
    let (word, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
    let (photo, alarm) = match word {
        "tgnotify" => (false, false),
        "tgnotify_photo" => (true, false),
        "tgalarm" => (false, true),
        "tgalarm_photo" => (true, true),
        _ => return None,
    };
    let text = text::paragraph(rest, MOST);
    (photo || !text.is_empty()).then_some(Said { text, photo, alarm })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_of_macros() {
        for (line, expected) in [
            ("tgnotify Change the plate", Some(("Change the plate", false, false))),
            ("// tgnotify Change the plate", Some(("Change the plate", false, false))),
            ("echo: tgnotify_photo  done", Some(("done", true, false))),
            ("tgalarm: fire", Some(("fire", false, true))),
            ("tgalarm_photo", Some(("", true, true))),
            ("tgnotify", None),
            ("tgnotifyx a", None),
            ("TGNOTIFY a", None),
            ("ok", None),
            ("!! tgnotify a", None),
        ] {
            let said = read(line);
            let said = said.as_ref().map(|said| (said.text.as_str(), said.photo, said.alarm));
            assert_eq!(said, expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "(tgnotify|tgalarm|// )?\\PC{0,300}") {
            if let Some(said) = read(&line) {
                prop_assert!(said.text.encode_utf16().count() <= MOST);
            }
        }
    }
}
