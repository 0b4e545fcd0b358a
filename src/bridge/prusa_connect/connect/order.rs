//! A command of Connect's, as it came, and how it ends.

use super::event::{Event, Source};
use serde_json::{Map, Value};

/// A command.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Order {
    /// Connect's number for it, above zero.
    pub(crate) id: u32,
    /// Its name, such as `START_PRINT`.
    pub(crate) name: String,
    /// Its values by position. They repeat those by name, which count.
    pub(crate) args: Vec<Value>,
    /// Its values by name.
    pub(crate) kwargs: Map<String, Value>,
    /// Whether it is to be done though the printer is at work.
    pub(crate) force: bool,
}

impl Order {
    /// The value of that name, or that at the position, where there is none by name.
    pub(crate) fn value(&self, name: &str, position: usize) -> Option<&Value> {
        self.kwargs.get(name).or_else(|| self.args.get(position)).filter(|value| !value.is_null())
    }

    /// The same, if it is text that is not empty.
    pub(crate) fn text(&self, name: &str, position: usize) -> Option<&str> {
        self.value(name, position).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// The end of a command. There is exactly one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done, by whom it is said to be.
    Finished(Source),
    /// Done, and this event is the answer: `INFO`, `JOB_INFO`, `FILE_INFO`, `TRANSFER_INFO`, `STATE_CHANGED`.
    Answered(Box<Event>),
    /// Refused before anything was done. The reason is shown to the user.
    Refused(Box<str>),
    /// Begun, or tried, and failed. The reason is shown to the user.
    Failed(Box<str>),
}
