//! What iPhones get: alerts with the keys of the app's own translations, and the state of a Live Activity. Travels
//! unencrypted.
//!
//! Titles and bodies are what a phone shows that lacks the key.

use super::android::UNKNOWN_ERROR;
use super::push::{Kind, Push, State};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The detail that stands for none.
const SKIP: &str = "_skip";

/// Sounds of the app.
const ATTENTION: &str = "notification_filament_change.wav";
const COMPLETED: &str = "notification_print_done.wav";

/// An alert in two languages: in words, and in keys.
struct Alert {
    title: String,
    title_key: Option<&'static str>,
    title_args: Vec<String>,
    body: Option<String>,
    body_key: Option<String>,
    /// None stands for no arguments at all, which the protocol tells from an empty list.
    body_args: Option<Vec<String>>,
}

/// The content for a push about the printer `printer`, made at `now` by the wall clock; `start` makes it start a Live
/// Activity.
pub(super) fn content(push: &Push, printer: &str, now: Duration, start: bool) -> Value {
    let mut content = Map::new();
    let kind = push.kind;
    if !matches!(kind, Kind::Beep | Kind::Custom) {
        content.insert("event".to_owned(), json!(if kind.is_end() { "end" } else { "update" }));
        content.insert("content-state".to_owned(), state(push, now));
    }
    if let Some(sound) = sound(kind) {
        content.insert("sound".to_owned(), json!(sound));
    }
    if kind == Kind::Custom {
        // The service fills the name in.
        content.insert("collapseId".to_owned(), json!("$instanceId-custom"));
    }
    if let Some(alert) = alert(push, printer) {
        if !matches!(kind, Kind::Beep | Kind::Custom) {
            content.insert("activity-alert".to_owned(), alert.of_activity());
        }
        content.insert("alert".to_owned(), alert.plain(kind));
    }
    if start {
        begin(&mut content, &push.state, now);
    }
    Value::Object(content)
}

/// The end of Live Activities whose time is over.
pub(super) fn expired(last: &State, now: Duration) -> Value {
    let push = Push::new(Kind::Progress, last.clone());
    let mut state = state(&push, now);
    if let Some(state) = state.as_object_mut() {
        state.insert("state".to_owned(), json!("expired"));
    }
    json!({ "event": "end", "content-state": state })
}

/// The start of a Live Activity in the place of one whose time is nearly over.
pub(super) fn renewal(last: &State, now: Duration) -> Value {
    let mut content = Map::new();
    content.insert("content-state".to_owned(), state(&Push::new(Kind::Progress, last.clone()), now));
    begin(&mut content, last, now);
    Value::Object(content)
}

fn begin(content: &mut Map<String, Value>, state: &State, now: Duration) {
    content.insert("event".to_owned(), json!("start"));
    content.insert("attributes-type".to_owned(), json!("PrintActivityAttributes"));
    let attributes = json!({ "filePath": state.path, "startedAt": now.as_secs_f64() });
    content.insert("attributes".to_owned(), attributes);
}

fn state(push: &Push, now: Duration) -> Value {
    let state = &push.state;
    let word = match push.kind {
        Kind::Paused => "paused",
        Kind::Interaction => "pausedGcode",
        Kind::FilamentChange | Kind::SelectionStarted => "filamentRequired",
        Kind::Done => "completed",
        Kind::Cancelled => "cancelled",
        Kind::Error => "error",
        _ => "printing",
    };
    let percent = if push.kind == Kind::Done { 100 } else { state.percent };
    json!({
        "fileName": state.name(),
        "filePath": state.path,
        "progress": percent,
        "sourceTime": now.as_millis() as u64,
        "state": word,
        "error": (push.kind == Kind::Error).then(|| error(push)),
        "timeLeft": state.left,
        "printTime": state.duration as u64,
    })
}

fn error(push: &Push) -> &str {
    if push.text.is_empty() { UNKNOWN_ERROR } else { &push.text }
}

fn sound(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Started | Kind::Beep | Kind::Custom => Some("default"),
        Kind::Done => Some(COMPLETED),
        Kind::Interaction
        | Kind::FilamentChange
        | Kind::FirstLayer
        | Kind::ThirdLayer
        | Kind::Cancelled
        | Kind::Error
        | Kind::SelectionStarted => Some(ATTENTION),
        _ => None,
    }
}

fn alert(push: &Push, printer: &str) -> Option<Alert> {
    let file = push.state.name();
    let to_printer = || vec![printer.to_owned()];
    let keyed = |title: String, title_key, body: &str, body_key: &str| Alert {
        title,
        title_key: Some(title_key),
        title_args: to_printer(),
        body: Some(body.to_owned()),
        body_key: Some(body_key.to_owned()),
        body_args: Some(Vec::new()),
    };
    let layer = |number: &str| Alert {
        title: format!("Layer {number} is done"),
        title_key: Some("print_notification___layer_x_completed_title"),
        title_args: vec![number.to_owned()],
        body: Some(format!("{printer} goes on with the next one")),
        body_key: Some("print_notification___layer_x_completed_message".to_owned()),
        body_args: Some(to_printer()),
    };
    Some(match push.kind {
        Kind::Started => keyed(
            format!("{printer} began to print"),
            "print_notification___start_title",
            "You are told how it goes on",
            "print_notification___start_message",
        ),
        Kind::Interaction => keyed(
            format!("{printer} is paused"),
            "print_notification___paused_from_gcode_title",
            "It may wait for you",
            "print_notification___paused_from_gcode_message",
        ),
        Kind::FilamentChange => keyed(
            format!("{printer} needs filament"),
            "print_notification___filament_change_required_title",
            file,
            file,
        ),
        Kind::FirstLayer => layer("1"),
        Kind::ThirdLayer => layer("3"),
        Kind::Done => {
            keyed(format!("{printer} is done"), "print_notification___print_done_title", file, file)
        }
        Kind::Cancelled => {
            keyed(format!("{printer}: cancelled"), "print_notification___cancelled_title", file, file)
        }
        Kind::Error => Alert {
            title: format!("{printer} stopped"),
            title_key: Some("print_notification___paused_from_gcode_title"),
            title_args: to_printer(),
            body: Some(error(push).to_owned()),
            body_key: None,
            body_args: None,
        },
        Kind::SelectionStarted => keyed(
            format!("{printer} wants to know which filament"),
            "print_notification___filament_selection_title",
            "Choose one at the printer",
            "print_notification___filament_selection_message",
        ),
        Kind::Beep => Alert {
            title: "Beep".to_owned(),
            title_key: Some("print_notification___beep_title"),
            title_args: Vec::new(),
            body: Some(format!("{printer} calls")),
            body_key: Some("print_notification___beep_message".to_owned()),
            body_args: Some(to_printer()),
        },
        Kind::Custom => {
            let (body, key) = match push.detail.as_deref() {
                Some(SKIP) => (None, None),
                Some(detail) => (Some(detail.to_owned()), None),
                None => {
                    (Some(format!("A message from {printer}")), Some("print_notification___custom_message"))
                }
            };
            Alert {
                title: push.text.clone(),
                title_key: None,
                title_args: Vec::new(),
                body,
                body_args: key.map(|_| to_printer()),
                body_key: key.map(str::to_owned),
            }
        }
        _ => return None,
    })
}

impl Alert {
    /// What is null or empty is left out, but for the one list that the apps always got.
    fn plain(self, kind: Kind) -> Value {
        let mut alert = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                alert.insert(name.to_owned(), value);
            }
        };
        let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
        put("title", Some(json!(self.title)));
        put("body", self.body.map(Value::String));
        put("title-loc-key", self.title_key.map(|key| json!(key)));
        match kind {
            Kind::Beep => put("title-loc-args", Some(json!(self.title_args))),
            _ => put("title-loc-args", list(self.title_args)),
        }
        put("loc-key", self.body_key.map(Value::String));
        put("loc-args", self.body_args.and_then(list));
        Value::Object(alert)
    }

    fn of_activity(&self) -> Value {
        json!({
            "title": { "loc-key": self.title_key, "loc-args": self.title_args },
            "body": { "loc-key": self.body_key, "loc-args": self.body_args },
        })
    }
}
