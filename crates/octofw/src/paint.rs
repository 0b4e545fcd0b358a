//! Colour and figures in texts for people.

use std::fmt::{self, Display, Formatter};

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

/// What a colour says; which one it is, is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Something came.
    Added,
    /// Something is another one.
    Changed,
    /// Something went.
    Gone,
    /// Something to look at.
    Warning,
    /// A heading.
    Strong,
    /// What is of less weight than the rest.
    Faint,
}

impl Paint {
    /// Plain text.
    pub const PLAIN: Self = Self { colours: false };
    /// With colours.
    pub const COLOURS: Self = Self { colours: true };

    /// Colours for a terminal, unless its user wants none (`NO_COLOR`, <https://no-color.org>) or it has none; also
    /// elsewhere if the user forces them (`FORCE_COLOR`, `CLICOLOR_FORCE`, <https://bixense.com/clicolors>). `get` reads a
    /// variable of the environment.
    pub(crate) fn for_output(is_terminal: bool, get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
        let is_zero = |name: &str| get(name).is_some_and(|value| value == "0");
        let forced = |name: &str| set(name) && !is_zero(name);
        let dumb = get("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let usual = is_terminal && !dumb && !is_zero("CLICOLOR") && !is_zero("FORCE_COLOR");
        Self { colours: !set("NO_COLOR") && (usual || forced("FORCE_COLOR") || forced("CLICOLOR_FORCE")) }
    }

    /// Whether colours are used.
    pub(crate) fn has_colours(self) -> bool {
        self.colours
    }

    /// Text in a colour.
    pub(crate) fn ink<T: Display>(self, ink: Ink, text: T) -> Painted<T> {
        Painted { ink: self.colours.then_some(ink), text }
    }
}

/// Text that may be in a colour. Widths count its letters alone.
pub(crate) struct Painted<T> {
    ink: Option<Ink>,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let code = match self.ink {
            None => return self.text.fmt(f),
            Some(Ink::Added) => "32",
            Some(Ink::Changed) => "36",
            Some(Ink::Gone) => "31",
            Some(Ink::Warning) => "33",
            Some(Ink::Strong) => "1",
            Some(Ink::Faint) => "2",
        };
        write!(f, "\x1b[{code}m")?;
        self.text.fmt(f)?;
        write!(f, "\x1b[0m")
    }
}

/// A text that somebody else wrote, without anything that a terminal would follow, in one line: control characters are
/// written out.
pub(crate) fn plain(text: &str) -> String {
    written_out(text, char::is_control)
}

/// The same where the text has lines of its own.
pub(crate) fn plain_lines(text: &str) -> String {
    written_out(text, |letter| letter.is_control() && !matches!(letter, '\n' | '\t'))
}

fn written_out(text: &str, is_odd: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::new(), |mut plain, letter| {
        match is_odd(letter) {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
        plain
    })
}

/// A number of bytes for people, in decimal units: `12 B`, `1.2 kB`, `253.9 MB`, `2.1 GB`.
pub(crate) fn bytes(number: u64) -> String {
    // Tenths, rounded half up, in whole numbers: equal on every machine.
    let tenths = |unit: u64| (u128::from(number) * 10 + u128::from(unit) / 2) / u128::from(unit);
    let shown = |unit: u64, name: &str| format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10);
    match number {
        0..1_000 => format!("{number} B"),
        1_000..999_950 => shown(1_000, "kB"),
        999_950..999_950_000 => shown(1_000_000, "MB"),
        _ => shown(1_000_000_000, "GB"),
    }
}

/// A share in percent with one digit: `80.7 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1000).div_ceil(u128::from(whole.max(1)));
    format!("{}.{} %", permille / 10, permille % 10)
}

/// `1 file`, `2 files`; with a plural of its own, `1 path`, `2 paths`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_to_a_tenth() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_249, "1.2 kB"),
            (1_250, "1.3 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (253_890_560, "253.9 MB"),
            (999_949_999, "999.9 MB"),
            (999_950_000, "1.0 GB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(percent(1, 3), "33.4 %");
        assert_eq!(percent(5, 0), "500.0 %");
        assert_eq!(
            (count(1, "file", "files"), count(0, "file", "files")),
            ("1 file".into(), "0 files".into())
        );
    }

    #[test]
    fn nothing_of_a_text_moves_the_cursor() {
        let text = "a\u{1b}[2Jb\tc\nd\u{9b}é";
        assert_eq!(plain(text), "a\\u{1b}[2Jb\\tc\\nd\\u{9b}é");
        assert_eq!(plain_lines(text), "a\\u{1b}[2Jb\tc\nd\\u{9b}é");
    }

    #[test]
    fn colours_are_for_terminals_whose_user_wants_them() {
        let xterm = ("TERM", "xterm");
        let (terminal, pipe) = (true, false);
        for (is_terminal, set, expected) in [
            (terminal, &[xterm][..], Paint::COLOURS),
            (terminal, &[xterm, ("NO_COLOR", "")], Paint::COLOURS),
            (terminal, &[xterm, ("NO_COLOR", "1")], Paint::PLAIN),
            (terminal, &[xterm, ("NO_COLOR", "1"), ("FORCE_COLOR", "1")], Paint::PLAIN),
            (terminal, &[xterm, ("CLICOLOR", "0")], Paint::PLAIN),
            (terminal, &[xterm, ("FORCE_COLOR", "0")], Paint::PLAIN),
            (terminal, &[("TERM", "dumb")], Paint::PLAIN),
            (terminal, &[], Paint::PLAIN),
            (pipe, &[xterm], Paint::PLAIN),
            (pipe, &[xterm, ("CLICOLOR", "1")], Paint::PLAIN),
            (pipe, &[("FORCE_COLOR", "1")], Paint::COLOURS),
            (pipe, &[("CLICOLOR_FORCE", "1")], Paint::COLOURS),
            (pipe, &[("CLICOLOR_FORCE", "0")], Paint::PLAIN),
            (pipe, &[("FORCE_COLOR", "")], Paint::PLAIN),
        ] {
            let get = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(Paint::for_output(is_terminal, get), expected, "{is_terminal} {set:?}");
        }
    }

    #[test]
    fn widths_count_letters() {
        assert_eq!(format!("[{:>3}]", Paint::PLAIN.ink(Ink::Added, "+")), "[  +]");
        assert_eq!(format!("[{:>3}]", Paint::COLOURS.ink(Ink::Added, "+")), "[\x1b[32m  +\x1b[0m]");
    }
}
