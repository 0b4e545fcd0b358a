//! A message as it lies in the outbox.

use serde::{Deserialize, Serialize};

/// A message as the outbox keeps it. Later versions may add fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The text, not yet dated.
    pub(super) text: String,
    /// The picture that goes with it, by its number in the darkroom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) picture: Option<u64>,
    /// Whether the phone keeps quiet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) silent: bool,
    /// It is not sent before this, in milliseconds since the Unix epoch: it may turn out not to be worth it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_before_ms: Option<u64>,
    /// Buttons below it: what they say, and what comes back when one is pressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) buttons: Vec<(String, String)>,
}
