//! Bodies of JSON. Nothing in them is null: what is not known is left out.

use super::event::Event;
use super::identity::Identity;
use super::state::State;
use serde_json::Value;

/// Takes what is null out of a value: fields of objects and entries of lists, at any depth.
pub(crate) fn prune(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|entry| !entry.is_null());
            list.iter_mut().for_each(prune);
        }
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(prune);
        }
        _ => {}
    }
}

/// An object that is being written.
pub(crate) struct Writer(String);

impl Writer {
    /// An empty object with room for that many bytes.
    pub(crate) fn new(room: usize) -> Self {
        let mut text = String::with_capacity(room.saturating_add(160));
        text.push('{');
        Self(text)
    }

    /// A field whose value is JSON already.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(json);
    }

    /// A field with text.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.raw(key, &quoted(text));
    }

    /// A field with a number, unless there is none or it is zero: the SDK takes zero for none.
    pub(crate) fn id(&mut self, key: &str, id: Option<u32>) {
        if let Some(id) = id.filter(|id| *id > 0) {
            self.raw(key, &id.to_string());
        }
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What is true of the printer whenever something is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Present {
    /// What it does.
    pub(crate) state: State,
    /// Its job.
    pub(crate) job: Option<u32>,
    /// The transfer that runs.
    pub(crate) transfer: Option<u32>,
    /// The dialog that is open.
    pub(crate) dialog: Option<u32>,
}

/// The body of an event.
pub(crate) fn event(event: &Event, present: &Present) -> String {
    let mut body = Writer::new(event.data.len());
    body.text("event", event.kind.word());
    body.text("source", event.source.word());
    body.raw("data", if event.data.is_empty() { "{}" } else { &event.data });
    body.text("state", present.state.word());
    body.id("command_id", event.command);
    body.id("job_id", present.job);
    body.id("transfer_id", event.transfer.or(present.transfer));
    body.id("dialog_id", event.dialog.or(present.dialog));
    if let Some(reason) = event.reason.as_deref().filter(|reason| !reason.is_empty()) {
        body.text("reason", reason);
    }
    body.finish()
}

/// The body of telemetry with those values.
pub(crate) fn telemetry<'v>(
    values: impl Iterator<Item = (&'v str, &'v Value)>,
    present: &Present,
    command: Option<u32>,
) -> String {
    let mut body = Writer::new(256);
    for (key, value) in values {
        body.raw(key, &value.to_string());
    }
    body.id("command_id", command);
    body.id("job_id", present.job);
    body.id("transfer_id", present.transfer);
    body.id("dialog_id", present.dialog);
    body.text("state", present.state.word());
    body.finish()
}

/// The body of a registration.
pub(crate) fn registration(identity: &Identity) -> String {
    let mut body = Writer::new(160);
    body.text("sn", &identity.serial);
    body.text("fingerprint", &identity.fingerprint);
    body.text("printer_type", &identity.printer_type);
    body.text("firmware", &identity.firmware);
    body.finish()
}

#[cfg(test)]
mod tests {
    use super::super::event::{EventKind, Source};
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn null_is_left_out_at_any_depth() {
        let mut value =
            json!({"a": null, "b": [1, null, {"c": null, "d": [null]}], "e": {"f": null}, "g": 0});
        prune(&mut value);
        assert_eq!(value, json!({"b": [1, {"d": []}], "e": {}, "g": 0}));
    }

    #[test]
    fn ids_of_zero_are_none_and_text_is_quoted() {
        let present = Present { state: State::Paused, job: Some(0), transfer: Some(7), dialog: Some(0) };
        let told = Event::new(EventKind::Failed, Source::Wui).of_command(Some(0)).because("a \"b\"\n\u{1}ř");
        let expected = json!({"event": "FAILED", "source": "WUI", "data": {}, "state": "PAUSED", "transfer_id": 7, "reason": "a \"b\"\n\u{1}ř"});
        assert_eq!(read(&event(&told, &present)), expected);
        let told = Event::new(EventKind::TransferStopped, Source::Wui).of_transfer(8).because("");
        assert_eq!(read(&event(&told, &present))["transfer_id"], 8);
        assert_eq!(read(&event(&told, &present)).get("reason"), None);
        let values = [("slot", json!({"active": 0})), ("a\"b", json!(1.5))];
        let body = telemetry(values.iter().map(|(key, value)| (*key, value)), &present, Some(3));
        let expected =
            json!({"slot": {"active": 0}, "a\"b": 1.5, "command_id": 3, "transfer_id": 7, "state": "PAUSED"});
        assert_eq!(read(&body), expected);
    }
}
