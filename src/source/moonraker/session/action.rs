//! What goes into a session besides messages, and what comes out of it.

use super::ANSWER;
use crate::printer::Observation;
use crate::source::moonraker::MAX_MESSAGE;
use std::fmt;

/// A key for Moonraker's API. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes the key as Moonraker shows it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself, for the wire.
    pub(in crate::source::moonraker) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What a session says of itself.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Version of this program.
    pub version: &'static str,
    /// Key for Moonraker, where it asks for one.
    pub api_key: Option<ApiKey>,
}

/// What is to be done.
#[derive(Clone, PartialEq)]
pub enum Action {
    /// Send this message, framed as the transport does it.
    Send(String),
    /// Tell the domain.
    Emit(Observation),
    /// Close the connection; the session takes nothing more.
    Close(SessionError),
}

impl fmt::Debug for Action {
    /// Without the text of requests, one of which holds the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(text) => write!(f, "Send({} bytes)", text.len()),
            Self::Emit(observation) => f.debug_tuple("Emit").field(observation).finish(),
            Self::Close(error) => f.debug_tuple("Close").field(error).finish(),
        }
    }
}

/// Why a session ends its connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A message is not JSON.
    #[error("what answers there does not speak Moonraker's JSON ({found:?} …): check MOONRAKER_URL")]
    Garbage {
        /// Its beginning.
        found: String,
    },
    /// A message is longer than [`MAX_MESSAGE`].
    #[error("a message is longer than {} KiB, which no Moonraker sends: check MOONRAKER_URL", MAX_MESSAGE / 1024)]
    TooLong,
    /// No answer came in time.
    #[error("Moonraker does not answer {method} within {} s: it hangs or the connection is dead; if it stays so, restart Moonraker", ANSWER.as_secs())]
    Stalled {
        /// The method that was called.
        method: &'static str,
    },
    /// Credentials are wanted.
    #[error(
        "Moonraker refuses this program without a valid key: set MOONRAKER_API_KEY, add this machine to trusted_clients in moonraker.conf, or use Moonraker's Unix socket"
    )]
    Unauthorized,
}
