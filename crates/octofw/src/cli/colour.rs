//! `--color`, for every command.

use std::ffi::OsString;
use std::io::IsTerminal;

use crate::paint::Paint;

/// When there are colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Colour {
    /// How a stream is coloured: as was asked, else as its user wants it by the environment, else if it is a terminal.
    pub(super) fn paint(self, stream: &impl IsTerminal) -> Paint {
        match self {
            Self::Always => Paint::COLOURS,
            Self::Never => Paint::PLAIN,
            Self::Auto => Paint::for_output(stream.is_terminal(), |name| std::env::var(name).ok()),
        }
    }

    /// What the command line seems to ask for, before it is understood: for help and mistakes.
    pub(super) fn asked(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut found = Self::Auto;
        let mut follows = false;
        for word in arguments {
            let text = word.to_str().unwrap_or_default();
            if text == "--" {
                break;
            }
            let value = if follows { Some(text) } else { text.strip_prefix("--color=") };
            found = match value {
                Some("always") => Self::Always,
                Some("never") => Self::Never,
                _ => found,
            };
            follows = text == "--color";
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_seen_before_all_is_understood() {
        for (line, expected) in [
            ("octofw plan", Colour::Auto),
            ("octofw plan --color always --nonsense", Colour::Always),
            ("octofw --color=never plan", Colour::Never),
            ("octofw plan --color", Colour::Auto),
            ("octofw plan -- --color never", Colour::Auto),
        ] {
            assert_eq!(Colour::asked(line.split(' ').map(OsString::from)), expected, "{line}");
        }
    }
}
