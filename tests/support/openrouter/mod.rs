//! A strict stand-in for a chat completions API with pictures, on loopback.
//!
//! Source of fields, answers and errors: OpenRouter's reference of `POST /chat/completions`, and its pages on image
//! inputs, structured outputs and errors. Whatever a request has that these do not name is a violation, and a violation
//! fails the test that owns the stand-in; so does a picture that is none of those that it was told of. It misbehaves
//! on demand ([`Behaviour`]).

pub(crate) mod rules;
mod server;

use super::listening::Listening;
use super::telegram::certificates;
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Path of the API's base, as OpenRouter has it.
pub(crate) const BASE: &str = "/api/v1";

/// What the stand-in does with a request that it understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers with a completion that says this.
    Say(String),
    /// Answers with this status, these header lines and this body.
    Answer(u16, &'static str, String),
    /// Answers as a proxy in between would: this status, and HTML.
    Html(u16),
    /// Closes the connection instead of answering.
    Drop,
    /// Sends half of a completion, and closes.
    Half,
    /// Sends a byte of a completion now and then, and never all of it.
    Trickle,
    /// Says nothing before [`OpenRouter::release`], and closes then.
    Stall,
    /// Sends these bytes, whatever they are, and closes.
    Bytes(Vec<u8>),
    /// Refuses a request that has a schema with this status; sees nothing wrong with any other.
    NoSchemas(u16),
}

impl Behaviour {
    /// What the service says about a good print.
    pub(crate) fn clean() -> Self {
        Self::Say(r#"{"has_defect": false, "confidence": 0.02, "summary": "clean"}"#.to_owned())
    }

    /// Refuses as the service does.
    pub(crate) fn refuse(status: u16, message: &str) -> Self {
        let body = json!({"error": {"code": status, "message": message, "metadata": {}}});
        Self::Answer(status, "", body.to_string())
    }

    /// An entry of a recording's `ai_plan`: `content`, or `status` with `raw`; `drop`; nothing for the usual.
    pub(crate) fn planned(entry: &Value) -> Self {
        if entry == "drop" || entry["drop"] == true {
            return Self::Drop;
        }
        if let Some(content) = entry["content"].as_str() {
            return Self::Say(content.to_owned());
        }
        let status = entry["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
        match &entry["raw"] {
            Value::Null if entry["content"].is_null() && entry["status"].is_null() => Self::clean(),
            Value::Null => Self::Answer(status, "", String::new()),
            Value::String(raw) => Self::Answer(status, "", raw.clone()),
            raw => Self::Answer(status, "", raw.to_string()),
        }
    }
}

/// A request that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// When its last byte had come.
    pub(crate) at: Instant,
    /// Name of the picture in it.
    pub(crate) frame: String,
    /// The body, with the picture's name in place of the picture.
    pub(crate) body: Value,
    /// What was done with it.
    pub(crate) behaviour: Behaviour,
}

impl Asked {
    /// The text of the question.
    pub(crate) fn question(&self) -> &str {
        self.body["messages"][1]["content"][0]["text"].as_str().unwrap()
    }
}

#[derive(Debug, Default)]
struct State {
    key: String,
    frames: Vec<(String, Vec<u8>)>,
    plan: VecDeque<Behaviour>,
    asked: Vec<Asked>,
    violations: Vec<String>,
    /// Requests with another key.
    strangers: usize,
    connections: usize,
    released: bool,
}

type Shared = super::listening::Shared<State>;

/// The stand-in. It serves until it is dropped, and fails the test then if there was a violation.
#[derive(Debug)]
pub(crate) struct OpenRouter {
    shared: Arc<Shared>,
    listening: Listening,
    /// The authority that signed its certificate, as PEM; none without TLS.
    pub(crate) ca: Option<String>,
}

impl OpenRouter {
    /// Listens on a free port of 127.0.0.1 for requests with this key about these pictures.
    pub(crate) fn start(key: &str, frames: &[(&str, &[u8])]) -> Self {
        Self::listen(key, frames, None)
    }

    /// The same with TLS.
    pub(crate) fn encrypted(key: &str, frames: &[(&str, &[u8])]) -> Self {
        Self::listen(key, frames, Some(certificates(&["127.0.0.1", "10.0.2.2", "localhost"], (2025, 4096))))
    }

    fn listen(key: &str, frames: &[(&str, &[u8])], certified: Option<(String, Arc<ServerConfig>)>) -> Self {
        let frames = frames.iter().map(|(name, jpeg)| ((*name).to_owned(), jpeg.to_vec())).collect();
        let state = State { key: key.to_owned(), frames, ..State::default() };
        let shared = Arc::new(Shared::new(state));
        let (ca, tls) = certified.unzip();
        let listening = server::listen(tls, Arc::clone(&shared));
        Self { shared, listening, ca }
    }

    /// The base address, as `OPENROUTER_BASE_URL` takes it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{BASE}", self.listening.address)
    }

    /// What to do with the next requests, in order; it says that the print is clean to all that follow.
    pub(crate) fn plan(&self, plan: impl IntoIterator<Item = Behaviour>) {
        self.shared.state().plan.extend(plan);
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// How many requests came with another key.
    pub(crate) fn strangers(&self) -> usize {
        self.shared.state().strangers
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Closes the connections of stalled requests.
    pub(crate) fn release(&self) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
    }

    /// Waits until this many requests came.
    pub(crate) fn wait_for(&self, count: usize, within: Duration) {
        let state = self.shared.state();
        let few = |state: &mut State| state.asked.len() < count;
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, within, few)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "waited {within:?} in vain for request {count}: {:#?}", state.asked);
    }

    /// What requests had that the reference does not name.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }
}

impl Drop for OpenRouter {
    fn drop(&mut self) {
        self.release();
        let violations = self.violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the API would not know: {violations:#?}");
        }
    }
}
