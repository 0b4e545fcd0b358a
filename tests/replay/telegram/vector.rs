//! A vector of the realtime bridge as it stands in its file.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Seconds since the Unix epoch at which every vector begins: 2025-08-20T10:00:00Z.
pub(crate) const START: u64 = 1_755_684_000;

/// A recorded or written course of things, and what is expected of it.
pub(crate) struct Vector {
    /// The environment of the service.
    pub(crate) env: BTreeMap<String, String>,
    /// Pictures by name.
    pub(crate) frames: BTreeMap<String, Vec<u8>>,
    /// What happens, in order.
    pub(crate) events: Vec<Event>,
    /// What is expected.
    pub(crate) expect: Map<String, Value>,
    /// A feature without which the vector does not count.
    pub(crate) optional_feature: Option<String>,
}

/// One thing that happens.
pub(crate) struct Event {
    /// When, since the start.
    pub(crate) at: Duration,
    /// What.
    pub(crate) what: What,
}

/// What can happen.
pub(crate) enum What {
    /// The feed sends a text message.
    Text(String),
    /// The feed sends a picture, by its name.
    Frame(String),
    /// The feed sends a binary message.
    Binary,
    /// The feed closes the connection.
    Close,
    /// The feed takes connections, or refuses them.
    Accept(bool),
    /// Somebody asks the REST server: method and path.
    Http(String, String),
    /// Answers of Telegram to the next requests.
    TelegramPlan(Vec<Value>),
    /// Answers of the model to the next requests.
    AiPlan(Vec<Value>),
    /// Nothing.
    Wait,
}

impl Vector {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let whole: Value = serde_json::from_str(&text).expect("a vector is JSON");
        let text_of = |value: &Value| value.as_str().map(str::to_owned);
        let env = whole["env"].as_object().into_iter().flatten();
        let frames = whole["frames"].as_object().into_iter().flatten();
        Self {
            env: env.map(|(name, value)| (name.clone(), text_of(value).unwrap())).collect(),
            frames: frames.map(|(name, frame)| (name.clone(), bytes(&frame["jpeg_base64"]))).collect(),
            events: whole["events"].as_array().into_iter().flatten().map(Event::read).collect(),
            expect: whole["expect"].as_object().cloned().unwrap_or_default(),
            optional_feature: text_of(&whole["optional_feature"]),
        }
    }

    /// The name of the picture with this content.
    pub(crate) fn frame_name(&self, jpeg: &[u8]) -> Option<&str> {
        self.frames.iter().find(|(_, bytes)| *bytes == jpeg).map(|(name, _)| name.as_str())
    }

    /// A list of expectations.
    pub(crate) fn expected(&self, name: &str) -> Vec<Value> {
        self.expect.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

impl Event {
    fn read(event: &Value) -> Self {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let plan = || event["plan"].as_array().cloned().unwrap_or_default();
        let what = match event["do"].as_str().unwrap_or_default() {
            "send" if event.get("message").is_some() => What::Text(event["message"].to_string()),
            "send" => What::Text(text("text")),
            "frame" => What::Frame(text("frame")),
            "binary" => What::Binary,
            "feed_close" => What::Close,
            "feed_accept" => What::Accept(event["value"].as_bool().unwrap()),
            "http" => What::Http(text("method"), text("path")),
            "telegram_plan" => What::TelegramPlan(plan()),
            "ai_plan" => What::AiPlan(plan()),
            "wait" => What::Wait,
            other => panic!("the vector has an event `{other}`, which nobody knows"),
        };
        Self { at: Duration::from_secs_f64(event["t"].as_f64().unwrap()), what }
    }
}

/// The bytes of a text in base64.
fn bytes(text: &Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}

/// The two ends of a window, in seconds.
pub(crate) fn window(window: &Value) -> (f64, f64) {
    (window[0].as_f64().unwrap(), window[1].as_f64().unwrap())
}

/// The texts in a list.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}
