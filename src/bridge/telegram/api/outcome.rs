//! What came of a call: an answer, or why there is none.

use super::wire::Answer;
use serde_json::Value;

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bridge::telegram) enum Outcome {
    /// The server answered.
    Answered(Answer),
    /// There was no answer; whether the request was carried out is unknown.
    Failed(Fault),
}

impl Outcome {
    /// What the method gave; null where it gave nothing.
    pub(in crate::bridge::telegram) fn result(&self) -> &Value {
        match self {
            Self::Answered(Answer { envelope: Some(envelope), .. }) => &envelope.result,
            Self::Answered(_) | Self::Failed(_) => &Value::Null,
        }
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Fault {
    /// What kind of failure.
    pub(in crate::bridge::telegram) kind: FaultKind,
    /// What happened, for the status; free of secrets.
    pub(in crate::bridge::telegram) text: String,
}

/// Kinds of failures without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum FaultKind {
    /// No network, no name, refused, reset, too slow, or no trust in the certificate.
    Network,
    /// The certificate is not valid yet, and the printer's clock was never set.
    ClockNotSet,
}
