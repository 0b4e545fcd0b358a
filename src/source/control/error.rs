//! Why the printer did not do, or did not tell, what it was asked.

use std::time::Duration;

/// Longest message of a refusal that is kept, in bytes.
const MOST_MESSAGE: usize = 300;

/// Why there is no answer, or no good one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// This source cannot do it.
    #[error(
        "{what} is beyond what the realtime feed can do: it needs a connection to Moonraker (set MOONRAKER_URL)"
    )]
    Unsupported {
        /// The call.
        what: String,
    },
    /// There is no connection; nothing was sent.
    #[error("no connection to the printer: {why}")]
    NotConnected {
        /// The source's last error, with its remedy.
        why: String,
    },
    /// The connection ended before the answer came. Whether it was done is not known.
    #[error(
        "the connection to the printer was lost before {what} was answered ({why}): look at the printer whether it was done"
    )]
    Lost {
        /// The call.
        what: String,
        /// How the connection ended.
        why: String,
    },
    /// There was no answer in time. It may still be done later.
    #[error("the printer did not answer {what} within {} s: it may be busy and do it later", after.as_secs())]
    TimedOut {
        /// The call.
        what: String,
        /// The limit of the call.
        after: Duration,
    },
    /// Too many requests are under way; this one was not sent.
    #[error(
        "{} requests to the printer wait for their answers already: try again when it has answered some",
        super::MOST_REQUESTS
    )]
    Busy,
    /// The parameters are too long; it was not sent.
    #[error("the parameters of {what} are longer than {} KiB: send less at once", most / 1024)]
    TooLong {
        /// The call.
        what: String,
        /// Most bytes.
        most: usize,
    },
    /// The printer refuses.
    #[error("{what}: {refusal}")]
    Refused {
        /// The call.
        what: String,
        /// Its answer.
        refusal: Refusal,
    },
    /// The answer is not what this call gives.
    #[error("Moonraker's answer to {what} is not what its documentation says: check its version")]
    Unreadable {
        /// The call.
        what: String,
    },
}

impl ControlError {
    /// Why the printer refuses, if it does.
    pub fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.kind),
            _ => None,
        }
    }

    /// Whether the printer says that what was named is not there.
    pub fn is_not_found(&self) -> bool {
        self.refusal() == Some(RefusalKind::NotFound)
    }
}

/// The printer's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// Its number, as Moonraker sent it.
    pub code: i64,
    /// Its words: one line, never a trace; may be empty.
    pub message: String,
}

/// What a refusal means. Moonraker's numbers stand for several things each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Moonraker does not know the call: it is old, or the part for it is not configured.
    MethodMissing,
    /// What was named is not there.
    NotFound,
    /// What was to be made is there already.
    Exists,
    /// Credentials are wanted.
    Unauthorized,
    /// It is protected, or in use by the print.
    Forbidden,
    /// What arrived is not what the checksum says.
    Checksum,
    /// It is larger than Moonraker takes.
    TooLarge,
    /// Klipper is not connected to Moonraker.
    KlipperGone,
    /// Klipper's own refusal, or a wrong argument: the message says it.
    Invalid,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Understands a number, of JSON-RPC or of HTTP, and its words.
    pub(in crate::source) fn new(code: i64, message: &str) -> Self {
        let says = |text: &str| message.contains(text);
        let kind = match code {
            -32601 if says("Method not found") => RefusalKind::MethodMissing,
            -32601 | 404 => RefusalKind::NotFound,
            401 => RefusalKind::Unauthorized,
            -32602 if says("Unauthorized") => RefusalKind::Unauthorized,
            403 => RefusalKind::Forbidden,
            413 => RefusalKind::TooLarge,
            422 => RefusalKind::Checksum,
            503 => RefusalKind::KlipperGone,
            400 if says("File exists") => RefusalKind::Exists,
            400 if ["does not exist", "No such file", "Invalid file path", "Unable to open file"]
                .into_iter()
                .any(says) =>
            {
                RefusalKind::NotFound
            }
            400 | -32602 => RefusalKind::Invalid,
            _ => RefusalKind::Other,
        };
        Self { kind, code, message: one_line(message) }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            RefusalKind::MethodMissing => {
                f.write_str("Moonraker does not know this call: update it, or configure the part it needs")
            }
            RefusalKind::Unauthorized => f.write_str(
                "Moonraker wants a valid key: set MOONRAKER_API_KEY, or add this machine to trusted_clients in moonraker.conf",
            ),
            RefusalKind::Checksum => {
                f.write_str("what arrived is not what was sent (checksum): send it again")
            }
            RefusalKind::TooLarge => f.write_str(
                "the file is larger than Moonraker takes: raise max_upload_size in the [server] section of moonraker.conf",
            ),
            RefusalKind::KlipperGone => {
                f.write_str("Klipper is not running: restart it, and see its log if it does not come up")
            }
            _ if self.message.is_empty() => write!(f, "refused with error {}", self.code),
            _ => f.write_str(&self.message),
        }
    }
}

/// The first line that says something; of a trace it is the last one.
fn one_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let line = if first.starts_with("Traceback") { lines.next_back().unwrap_or_default() } else { first };
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().find(|(index, c)| index + c.len_utf8() > MOST_MESSAGE) {
        Some((end, _)) => line.get(..end).unwrap_or_default().to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_understood_as_measured() {
        use RefusalKind::*;
        for (code, message, kind) in [
            (-32601, "Method not found", MethodMissing),
            (-32601, "Method not found for transport WEBSOCKET", MethodMissing),
            (-32601, "Metadata not available for <a.gcode>", NotFound),
            (-32601, "Key 'a' in namespace 'b' not found", NotFound),
            (-32601, "Namespace nope not found", NotFound),
            (-32602, "Unauthorized", Unauthorized),
            (-32602, "Invalid params:", Invalid),
            (400, "Directory does not exist (gcodes/nope)", NotFound),
            (400, "File /home/a/gcodes/nope does not exist", NotFound),
            (400, "Invalid file path: gcodes/nope", NotFound),
            (400, "Unable to open file", NotFound),
            (400, "[Errno 17] File exists: '/home/a/gcodes/x'", Exists),
            (400, "[Errno 2] No such file or directory: '/a'", NotFound),
            (400, "Must home axis first: 9.000 0.000 0.000 [0.000]", Invalid),
            (400, "SD busy", Invalid),
            (401, "Unauthorized", Unauthorized),
            (403, "Write access to namespace 'moonraker' is forbidden", Forbidden),
            (404, "Not Found", NotFound),
            (413, "Request Entity Too Large", TooLarge),
            (422, "Unprocessable Entity", Checksum),
            (500, "", Other),
            (503, "Klippy Host not connected", KlipperGone),
            (424, "the agent's", Other),
        ] {
            assert_eq!(Refusal::new(code, message).kind, kind, "{code} {message}");
        }
    }

    #[test]
    fn a_message_is_one_line_and_never_a_trace() {
        for (message, line) in [
            ("one", "one"),
            ("\n  first \nsecond", "first"),
            (
                "Traceback (most recent call last):\n  File \"x.py\", line 3\nValueError: no\n",
                "ValueError: no",
            ),
            ("Traceback (most recent call last):", ""),
            ("bell\u{7}\tand tab", "bell  and tab"),
            ("", ""),
        ] {
            assert_eq!(Refusal::new(400, message).message, line, "{message:?}");
        }
        let long = Refusal::new(400, &"ü".repeat(1000)).message;
        assert_eq!(long, "ü".repeat(150));
    }

    #[test]
    fn a_refusal_names_the_remedy_where_there_is_one() {
        for (code, message, part) in [
            (-32602, "Unauthorized", "MOONRAKER_API_KEY"),
            (-32601, "Method not found", "update it"),
            (413, "", "max_upload_size"),
            (503, "", "restart it"),
            (400, "Must home axis first", "Must home axis first"),
            (418, "", "error 418"),
        ] {
            let shown = Refusal::new(code, message).to_string();
            assert!(shown.contains(part), "{code}: {shown}");
        }
    }
}
