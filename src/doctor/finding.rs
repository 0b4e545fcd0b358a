//! What an examination finds, one thing at a time.

use serde::Serialize;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// It does not work until somebody acts.
    Fail,
}

impl Level {
    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One finding. What is not as it should be says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub level: Level,
    /// What was found, in one line.
    pub text: String,
    /// What to do; none where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { level: Level::Ok, text: text.into(), remedy: None }
    }

    /// It works, but somebody should look.
    pub fn warn(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work until somebody acts.
    pub fn fail(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// A failure whose text names the remedy behind the last semicolon or colon, as our errors do.
    pub fn fail_with_remedy_inside(text: &str) -> Self {
        let split = text.rfind("; ").map(|at| (at, 2)).or_else(|| text.find(": ").map(|at| (at, 2)));
        match split {
            Some((at, width)) => {
                let (what, remedy) = text.split_at(at);
                Self::fail(what, remedy.get(width..).unwrap_or_default())
            }
            None => Self { level: Level::Fail, text: text.to_owned(), remedy: None },
        }
    }
}
