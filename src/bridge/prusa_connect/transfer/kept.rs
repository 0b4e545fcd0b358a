//! What is kept of a transfer, so that its end is told even if the program ends before it.

use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::files::json::Object;
use serde_json::Value;

/// A transfer that was under way, or whose end Connect may not have got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(super) id: u32,
    pub(super) command: u32,
    /// Connect's path of the file.
    pub(super) path: String,
    /// The file is there.
    pub(crate) complete: bool,
}

impl Kept {
    /// The text in which it is kept.
    pub(crate) fn to_json(&self) -> String {
        let mut text = String::new();
        let mut object = Object::begin(&mut text);
        object.whole("id", u64::from(self.id));
        object.whole("command", u64::from(self.command));
        object.text("path", &self.path);
        object.flag("complete", self.complete);
        object.end();
        text
    }

    /// Reads it; none where the text is another one.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |name| value.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
        Some(Self {
            id: number("id")?,
            command: number("command")?,
            path: value.get("path")?.as_str()?.to_owned(),
            complete: value.get("complete").and_then(Value::as_bool) == Some(true),
        })
    }

    /// Tells Connect after a restart that it is over. Nothing is left of a file that is not complete: Moonraker keeps only
    /// whole ones.
    pub(crate) fn over(&self) -> Event {
        let over = |kind| over(kind, self.id, self.command, &self.path);
        if self.complete {
            return over(EventKind::TransferFinished);
        }
        let event = over(EventKind::TransferAborted);
        event.because("the printer's bridge was restarted during the transfer: start it again")
    }
}

/// The event for the end of a transfer.
pub(super) fn over(kind: EventKind, id: u32, command: u32, path: &str) -> Event {
    let mut data = String::new();
    let mut object = Object::begin(&mut data);
    object.text("path", path);
    object.whole("start_cmd_id", u64::from(command));
    object.end();
    Event::new(kind, Source::Connect).with(data).of_transfer(id)
}
