//! Lines of G-code, and which of them are taken.

use super::super::options;

/// Longest G-code of one command, in bytes and lines.
const MOST_BYTES: usize = 64 * 1024;
const MOST_LINES: usize = 1000;
/// Longest name of a command that is repeated in a refusal, in letters.
const MOST_NAME: usize = 64;

/// Commands that are harmless while a job prints.
const IN_A_PRINT: [&str; 7] = ["M104", "M106", "M107", "M117", "M140", "M220", "M221"];

/// Commands that are refused whatever is allowed: they change what is stored in the machine, or leave Klipper. The numbers
/// are Prusa's: memory, a file on the card, settings that are stored and reset, flashing. A file
/// of the card is started by Connect's own command alone, which asks whether the bed is clear.
const NEVER: [&str; 16] = [
    "D2",
    "D3",
    "D5",
    "M23",
    "M24",
    "M28",
    "M32",
    "M500",
    "M501",
    "M502",
    "M504",
    "M505",
    "M997",
    "RUN_SHELL_COMMAND",
    "SAVE_CONFIG",
    "SDCARD_PRINT_FILE",
];

/// Commands that only come alone, since what they do is a command of Connect's of its own.
const ALONE: [&str; 10] = [
    "CANCEL_PRINT",
    "FIRMWARE_RESTART",
    "M112",
    "M601",
    "M602",
    "M603",
    "M999",
    "PAUSE",
    "RESTART",
    "RESUME",
];

/// Why G-code is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is more than is taken at once.
    #[error("GCode too large")]
    TooLong,
    /// There is none in it.
    #[error("Missing or broken parameters")]
    Empty,
    /// It has characters that are no text.
    #[error("The G-code has characters that are no text")]
    NoText,
    /// A command of it is never taken from Connect.
    #[error("{0} is not taken from Connect")]
    Never(String),
    /// A command of it must come alone.
    #[error("{0} must come alone, without other commands")]
    Alone(String),
    /// The printer does not know a command of it.
    #[error("The printer does not know {0}")]
    Unknown(String),
    /// Nothing on the printer stands for a command of it.
    #[error(
        "{command} needs the macro {wanted}, which the printer does not have; name one in {}",
        options::SETTING_MACROS
    )]
    NoMacro {
        /// The command.
        command: String,
        /// The macro.
        wanted: String,
    },
    /// The material is not known.
    #[error("The material {0:?} is not known")]
    Material(String),
}

/// One command of G-code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// Its name in capitals: a letter and a number, or words as Klipper's own commands have them.
    pub(super) name: String,
    /// What follows the name.
    pub(super) rest: &'t str,
    /// All of it, without comment.
    pub(super) text: &'t str,
}

impl<'t> Line<'t> {
    /// The command of a line; none if there is only a comment.
    fn read(line: &'t str) -> Option<Self> {
        let text = line.split(';').next().unwrap_or_default().trim();
        let first = text.chars().next()?;
        let end = match text.get(first.len_utf8()..).unwrap_or_default().chars().next() {
            Some(second) if first.is_ascii_alphabetic() && second.is_ascii_digit() => {
                let rest = text.get(1..).unwrap_or_default();
                1 + rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())
            }
            _ => text.find(char::is_whitespace).unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        Some(Self { name: name.to_ascii_uppercase(), rest: rest.trim(), text })
    }

    /// The name, no longer than fits into a sentence.
    pub(super) fn shown(&self) -> String {
        let mut name: String = self.name.chars().take(MOST_NAME).collect();
        if name.len() < self.name.len() {
            name.push('…');
        }
        name
    }
}

/// G-code, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script<'t> {
    pub(super) lines: Vec<Line<'t>>,
}

impl<'t> Script<'t> {
    /// Parts G-code into its commands.
    ///
    /// # Errors
    ///
    /// If it is too long, empty, or no text.
    pub(crate) fn read(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > MOST_BYTES || text.lines().take(MOST_LINES + 1).count() > MOST_LINES {
            return Err(Refusal::TooLong);
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Refusal::NoText);
        }
        // Klipper takes a CR for the end of a line as well.
        let lines: Vec<_> = text.split(['\n', '\r']).filter_map(Line::read).collect();
        if lines.is_empty() { Err(Refusal::Empty) } else { Ok(Self { lines }) }
    }

    /// The name of its first command.
    pub(crate) fn first(&self) -> Option<&str> {
        self.lines.first().map(|line| &*line.name)
    }

    /// The name of its command, if it has one only.
    pub(crate) fn only(&self) -> Option<&str> {
        match self.lines.as_slice() {
            [line] => Some(&line.name),
            _ => None,
        }
    }

    /// Whether it may be run at all.
    ///
    /// # Errors
    ///
    /// If a command of it is never taken, or must come alone.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        for line in &self.lines {
            let whole = line.name.split('.').next().unwrap_or_default();
            if NEVER.contains(&whole) {
                return Err(Refusal::Never(line.shown()));
            }
            if ALONE.contains(&line.name.as_str()) && self.lines.len() > 1 {
                return Err(Refusal::Alone(line.shown()));
            }
        }
        Ok(())
    }

    /// Whether it disturbs no job.
    pub(crate) fn is_harmless_in_a_print(&self) -> bool {
        self.lines.iter().all(|line| IN_A_PRINT.contains(&line.name.as_str()))
    }
}
