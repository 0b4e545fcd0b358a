//! Texts that are safe to show: foreign names cleaned and shortened, times in words.
//!
//! Lengths of messages are counted in UTF-16 units, the strictest reading of Telegram's limits.

use std::time::Duration;

/// Most UTF-16 units of a message (Bot API, sendMessage).
pub(super) const MOST_MESSAGE: usize = 4096;
/// Most UTF-16 units of a caption (Bot API, sendPhoto).
pub(super) const MOST_CAPTION: usize = 1024;
/// Most characters of a name that is shown, and how many of its beginning stay.
const MOST_NAME: usize = 128;
const NAME_HEAD: usize = 120;

/// A name on one line without what could mislead, shortened in the middle.
pub(super) fn name(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !is_misleading(*c)).collect();
    let clean = clean.trim();
    let count = clean.chars().count();
    if count == 0 {
        return "(no name)".to_owned();
    }
    if count <= MOST_NAME {
        return clean.to_owned();
    }
    let head: String = clean.chars().take(NAME_HEAD).collect();
    let tail: String = clean.chars().skip(count - (MOST_NAME - NAME_HEAD - 1)).collect();
    format!("{head}\u{2026}{tail}")
}

/// A text of several lines without what could mislead, at most `most` UTF-16 units long.
pub(super) fn paragraph(text: &str, most: usize) -> String {
    let lines = text.lines().map(|line| line.chars().filter(|c| !is_misleading(*c)).collect::<String>());
    let lines: Vec<String> =
        lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    shorten(&lines.join("\n"), most)
}

/// `text`, or its beginning and an ellipsis, in at most `most` UTF-16 units.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |c: &char| {
        let units = c.len_utf16();
        let fits = units <= left;
        left = left.saturating_sub(units);
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('\u{2026}');
    short
}

/// A time span as `2h 14m`, or `14m` below an hour.
pub(super) fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "under 1m".to_owned(),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    }
}

/// Control characters, and those that change the direction of what follows or hide in it.
fn is_misleading(c: char) -> bool {
    let invisible = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    // The joiner inside an emoji family is no trick.
    c.is_control() || (invisible && c != '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_cleaned_and_shortened() {
        let long = format!("{}{}.gcode", "a".repeat(120), "b".repeat(100));
        let cases = [
            ("cube.gcode".to_owned(), "cube.gcode".to_owned()),
            ("_*[<b>`.gcode".to_owned(), "_*[<b>`.gcode".to_owned()),
            ("a\u{202e}edocg.b\n\u{7}c".to_owned(), "aedocg.bc".to_owned()),
            (" \t ".to_owned(), "(no name)".to_owned()),
            ("x".repeat(128), "x".repeat(128)),
            (long, format!("{}\u{2026}b.gcode", "a".repeat(120))),
        ];
        for (raw, expected) in cases {
            assert_eq!(name(&raw), expected);
            assert!(name(&raw).chars().count() <= 128);
        }
    }

    #[test]
    fn paragraphs_keep_their_lines() {
        assert_eq!(paragraph("one\r\n\n  two\u{0}\u{202d} \n", 100), "one\ntwo");
    }

    #[test]
    fn lengths_are_utf16_units() {
        // The cases of the vectors `b-limits`.
        assert_eq!(shorten(&"a".repeat(4096), 4096).len(), 4096);
        assert_eq!(shorten(&"\u{1f3b2}".repeat(2048), 4096).chars().count(), 2048);
        let over = format!("{}{}", "c".repeat(511), "\u{1f3b2}".repeat(257));
        assert_eq!(shorten(&over, 1024), format!("{}{}\u{2026}", "c".repeat(511), "\u{1f3b2}".repeat(256)));
    }

    #[test]
    fn spans() {
        let cases = [
            (0, "under 1m"),
            (59, "under 1m"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h 0m"),
            (8040, "2h 14m"),
            (100 * 3600, "100h 0m"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_grows_beyond_its_limit(text in "\\PC{0,400}", most in 1usize..300) {
            prop_assert!(shorten(&text, most).encode_utf16().count() <= most);
            prop_assert!(paragraph(&text, most).encode_utf16().count() <= most);
            prop_assert!(name(&text).chars().count() <= MOST_NAME);
            prop_assert!(!name(&text).chars().any(is_misleading));
        }
    }
}
