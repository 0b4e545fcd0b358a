//! Why a command failed, and its exit code.

use serde_json::Value;

/// A failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened and what to do; empty where everything was said already.
    pub(super) said: String,
    /// The exit code.
    pub(super) code: u8,
}

/// The server cannot be reached.
const UNREACHABLE: u8 = 3;
/// Not logged in, or not allowed.
const AUTH: u8 = 4;
/// There is no such thing.
pub(super) const NOT_FOUND: u8 = 5;

impl Failure {
    /// Of a kind that has no code of its own.
    pub(super) fn new(said: impl Into<String>) -> Self {
        Self { said: said.into(), code: 1 }
    }

    /// With nothing more to say.
    pub(super) const fn quiet(code: u8) -> Self {
        Self { said: String::new(), code }
    }

    /// The command line makes no sense.
    pub(super) fn usage(said: impl Into<String>) -> Self {
        Self { said: said.into(), code: 2 }
    }

    /// Nobody answers there.
    pub(super) fn unreachable(server: &str, why: &dyn std::fmt::Display) -> Self {
        let said = format!("cannot reach {server}: {why}; is the server running, and --server right?");
        Self { said, code: UNREACHABLE }
    }

    /// The server refused; in its own words where it has some.
    pub(super) fn refused(status: u16, body: &str) -> Self {
        let json: Option<Value> = serde_json::from_str(body).ok();
        let message = json.as_ref().and_then(|json| json.get("error")?.as_str());
        let mut said = message.map_or_else(
            || format!("the server answered with status {status}, and not as octo does"),
            str::to_owned,
        );
        let code = match status {
            401 | 403 => AUTH,
            404 => NOT_FOUND,
            409 => 6,
            _ => 1,
        };
        if status == 401 {
            said.push_str(" (octoctl login, or OCTO_AUTH_TOKEN)");
        }
        Self { said, code }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Box<dyn std::error::Error>> for Failure {
    fn from(error: Box<dyn std::error::Error>) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_server_s_words_and_a_code_of_its_kind() {
        for (status, code) in [(400, 1), (401, 4), (403, 4), (404, 5), (409, 6), (429, 1), (500, 1), (503, 1)]
        {
            let failure = Failure::refused(status, r#"{"error":"words","code":"X"}"#);
            assert!(failure.said.starts_with("words"), "{}", failure.said);
            assert_eq!(failure.code, code, "{status}");
            for body in ["", "<html>", "[]", r#"{"error":1}"#] {
                let failure = Failure::refused(status, body);
                assert!(failure.said.contains(&status.to_string()), "{}", failure.said);
                assert_eq!(failure.code, code, "{status}");
            }
        }
    }
}
