//! JSON written piece by piece, straight to its text.

use serde_json::Value;

/// An object that is being written to the end of a text.
pub(crate) struct Object<'t> {
    to: &'t mut String,
    empty: bool,
}

impl<'t> Object<'t> {
    /// Begins an object.
    pub(crate) fn begin(to: &'t mut String) -> Self {
        to.push('{');
        Self { to, empty: true }
    }

    /// Begins a field, and gives where its value is to be written.
    pub(crate) fn field(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.empty) {
            self.to.push(',');
        }
        quote(self.to, name);
        self.to.push(':');
        self.to
    }

    /// A field with this text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        quote(self.field(name), value);
    }

    /// A field with this number.
    pub(crate) fn whole(&mut self, name: &str, value: u64) {
        let number = value.to_string();
        self.field(name).push_str(&number);
    }

    /// A field that is true or false.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.field(name).push_str(if value { "true" } else { "false" });
    }

    /// Ends it.
    pub(crate) fn end(self) {
        self.to.push('}');
    }
}

/// Writes a text with its quotation marks.
pub(crate) fn quote(to: &mut String, text: &str) {
    to.push_str(&Value::from(text).to_string());
}

/// A text with its quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes what stands between two elements.
pub(crate) fn separate(to: &mut String, first: &mut bool) {
    if !std::mem::take(first) {
        to.push(',');
    }
}

/// A number as JSON; none where JSON has no such number.
pub(crate) fn number(value: f64) -> Option<String> {
    value.is_finite().then(|| Value::from(value).to_string())
}
