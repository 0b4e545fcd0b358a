//! Where a value came from, and what is wrong with the places values come from.

use super::redact;
use std::fmt;
use std::path::PathBuf;

/// The source of one value, in rising order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built into the program.
    Default,
    /// A key of the bootstrap JSON.
    Bootstrap {
        /// The file, or `None` where the JSON came as an argument.
        file: Option<PathBuf>,
        /// The JSON key.
        key: &'static str,
    },
    /// A key of extended2.cfg or extended.cfg.
    ExtendedCfg {
        /// The file.
        file: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// A secrets file in the data folder.
    SecretFile(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A file that an environment variable `NAME_FILE` names.
    EnvironmentFile {
        /// The variable.
        variable: String,
        /// The file.
        file: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Bootstrap { file: Some(file), key } => write!(f, "{key} in {}", file.display()),
            Self::Bootstrap { file: None, key } => write!(f, "{key} in the bootstrap argument"),
            Self::ExtendedCfg { file, line } => write!(f, "{} line {line}", file.display()),
            Self::SecretFile(file) => write!(f, "{}", file.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::EnvironmentFile { variable, file } => write!(f, "{} (from {variable})", file.display()),
        }
    }
}

/// A value together with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// Ends the remedy of a problem whose setting counts as not set.
pub(super) const DEFAULT_COUNTS: &str = "until then the default counts";
/// The same in a service that had another value before.
pub(super) const BEFORE_COUNTS: &str = "until then what was set before counts";

/// Something wrong with the settings, in words for the person who can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A problem and its remedy. A token that was written where a name belongs is left out.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: redact(&what.into()), remedy: redact(&remedy.into()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}
