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

    /// A failure whose text names the remedy behind a semicolon or colon, as our errors do; `otherwise` is the remedy
    /// where it names none.
    pub fn fail_with_remedy_inside(text: &str, otherwise: &str) -> Self {
        let marks = text.match_indices("; ").chain(text.match_indices(": ")).map(|(at, _)| at);
        let is_remedy = |at: &usize| {
            let word = text.get(at + 2..).and_then(|rest| rest.split([' ', ',']).next());
            word.is_some_and(|word| REMEDIES.contains(&word))
        };
        match marks.filter(is_remedy).min().or_else(|| text.rfind("; ")) {
            Some(at) => {
                let (what, remedy) = text.split_at(at);
                Self::fail(what, remedy.get(2..).unwrap_or_default())
            }
            None => Self::fail(text, otherwise),
        }
    }
}

/// The words with which the remedies in our errors begin.
const REMEDIES: [&str; 26] = [
    "add", "ask", "check", "copy", "correct", "delete", "enter", "for", "get", "give", "if", "leave", "let",
    "look", "lower", "mend", "plug", "put", "restart", "set", "switch", "try", "update", "use", "wait",
    "write",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_found_in_the_words_of_an_error() {
        for (text, what, remedy) in [
            ("a: b; check c, d", "a: b", "check c, d"),
            (
                "a 401: it wants a login; put it there, as in http://b",
                "a 401: it wants a login",
                "put it there, as in http://b",
            ),
            ("a refuses b: set C; or D", "a refuses b", "set C; or D"),
            ("A: is not b; it is c: d", "A: is not b", "it is c: d"),
            ("a broke: settings (b)", "a broke: settings (b)", "otherwise"),
            ("", "", "otherwise"),
            ("é; ", "é", ""),
        ] {
            assert_eq!(Finding::fail_with_remedy_inside(text, "otherwise"), Finding::fail(what, remedy));
        }
    }
}
