//! What is told once a second: values, of which only those that changed are sent.

use serde_json::Value;
use std::borrow::Cow;

/// The values of one moment, by Connect's keys. State, and the ids of command, job and transfer, are not among them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Telemetry {
    fields: Vec<(Cow<'static, str>, Value)>,
}

impl Telemetry {
    /// Sets a value; null is none.
    pub(crate) fn put(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.fields.retain(|(known, _)| *known != key);
        if !value.is_null() {
            self.fields.push((key, value));
        }
    }

    /// The value of that key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// All values, in the order in which they were set.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(key, value)| (&**key, value))
    }
}
