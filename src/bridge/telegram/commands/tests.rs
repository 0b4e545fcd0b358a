//! What the tests of commands share, and what the whole of them is tried by.

use super::super::api::{Answer, Api, Call, Fault, FaultKind, Fetched, Outcome};
use super::super::config::Config;
use super::super::delivery::Paces;
use super::voice::{Nap, Voice};
use crate::clock::{Clock, Moment};
use crate::printer::{Klippy, KlippyState, Print, PrintState, Sight, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-11-21 02:20:00 UTC.
pub(super) const START: u64 = 1_795_227_600;
/// A group, a person who controls the printer, and one who does not.
pub(super) const GROUP: i64 = -100;
pub(super) const OWNER: i64 = 7;
pub(super) const GUEST: i64 = 8;

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The settings of a bot for the group and its owner, and of what else is given.
pub(super) fn config(settings: &[(&str, &str)]) -> Config {
    let usual = [
        ("TELEGRAM_BOT_TOKEN", "1:secret-token"),
        ("TELEGRAM_CHAT_ID", "-100"),
        ("TELEGRAM_ALLOWED_CHATS", "-100,7"),
        ("TELEGRAM_ALLOWED_USERS", "7"),
    ];
    let find = |name: &str| {
        let mut all = settings.iter().chain(&usual);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Config::parse(&find).unwrap()
}

/// The printer with a job of that state, file and key.
pub(super) fn sight(state: PrintState, file: Option<&str>, key: Option<&str>) -> Sight {
    let print = Print { state, file: file.map(str::to_owned), progress: Some(0.42), ..Print::default() };
    let snapshot = Snapshot {
        klippy: Klippy { state: KlippyState::Ready, message: None },
        print: Some(print),
        ..Snapshot::default()
    };
    Sight { snapshot: Arc::new(snapshot), job: key.map(Into::into), at: at(0) }
}

/// The key of its job.
pub(super) fn job(sight: &Sight) -> Option<&str> {
    sight.job.as_deref()
}

/// So many seconds after the start.
pub(super) fn at(second: u64) -> Moment {
    Moment { monotonic: seconds(second), unix: seconds(START + second) }
}

#[derive(Clone)]
pub(super) struct FakeClock(pub(super) Arc<Mutex<Moment>>);

impl FakeClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(at(0))))
    }

    pub(super) fn pass(&self, time: Duration) {
        let mut now = self.0.lock().unwrap();
        now.monotonic += time;
        now.unix += time;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) second: u64,
    pub(super) method: &'static str,
    pub(super) fields: Map<String, Value>,
    pub(super) file: Option<Vec<u8>>,
}

impl Made {
    pub(super) fn text(&self) -> &str {
        let words = ["text", "caption"].into_iter().find_map(|name| self.fields.get(name)?.as_str());
        words.unwrap_or_default()
    }

    pub(super) fn field(&self, name: &str) -> Value {
        self.fields.get(name).cloned().unwrap_or_default()
    }

    /// The data of the button with that label.
    pub(super) fn button(&self, label: &str) -> Option<String> {
        let keyboard = self.field("reply_markup");
        let rows = keyboard["inline_keyboard"].as_array()?;
        let button =
            rows.iter().filter_map(Value::as_array).flatten().find(|button| button["text"] == label)?;
        button["callback_data"].as_str().map(str::to_owned)
    }
}

/// Method, status and body.
type Script = Arc<Mutex<Vec<(&'static str, u16, String)>>>;

/// A server that does what it is told, and what it usually does when it is told nothing.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) clock: FakeClock,
    pub(super) made: Arc<Mutex<Vec<Made>>>,
    /// Status and body of the next answers to calls of a method; status 0 is no answer.
    pub(super) script: Script,
    /// Updates that wait.
    pub(super) updates: Arc<Mutex<VecDeque<Value>>>,
    pub(super) files: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub(super) fn new(clock: &FakeClock) -> Self {
        Self {
            clock: clock.clone(),
            made: Arc::default(),
            script: Arc::default(),
            updates: Arc::default(),
            files: Arc::default(),
        }
    }

    /// What it does with the next call of a method.
    pub(super) fn next(&self, method: &'static str, status: u16, body: &str) {
        self.script.lock().unwrap().push((method, status, body.to_owned()));
    }

    pub(super) fn refuse(&self, method: &'static str, code: u16, why: &str) {
        let body = json!({"ok": false, "error_code": code, "description": why});
        self.next(method, code, &body.to_string());
    }

    /// The calls so far, without the polls.
    pub(super) fn calls(&self) -> Vec<Made> {
        let mut made = self.made.lock().unwrap().clone();
        made.retain(|made| made.method != "getUpdates");
        made
    }

    pub(super) fn polls(&self) -> Vec<Made> {
        let mut made = self.made.lock().unwrap().clone();
        made.retain(|made| made.method == "getUpdates");
        made
    }

    fn usual(&self, call: &Call<'_>) -> Value {
        match call.method {
            "getMe" => json!({"id": 1, "is_bot": true, "username": "MyBot"}),
            "getMyCommands" => json!([]),
            "getFile" => {
                json!({"file_path": "documents/file_1.gcode", "file_size": self.files.lock().unwrap().len()})
            }
            "getUpdates" => {
                let mut updates = self.updates.lock().unwrap();
                let offset = call.fields.get("offset").and_then(Value::as_i64).unwrap_or_default();
                if offset < 0 {
                    let surplus = updates.len().saturating_sub(offset.unsigned_abs() as usize);
                    updates.drain(..surplus);
                }
                updates.retain(|update| update["update_id"].as_i64().is_none_or(|id| id >= offset));
                if updates.is_empty() {
                    self.clock.pass(call.held);
                }
                let limit = call.fields.get("limit").and_then(Value::as_u64).unwrap() as usize;
                updates.iter().take(limit).cloned().collect()
            }
            method if method.starts_with("send") => {
                json!({"message_id": 500, "chat": {"id": call.fields["chat_id"]}})
            }
            _ => json!(true),
        }
    }
}

impl Api for Server {
    fn call(&mut self, call: &Call<'_>, _now: Duration) -> Outcome {
        let second = self.clock.now().monotonic.as_secs();
        let file = call.file.map(|file| file.bytes.to_vec());
        self.made.lock().unwrap().push(Made {
            second,
            method: call.method,
            fields: call.fields.clone(),
            file,
        });
        let mut script = self.script.lock().unwrap();
        let found = script.iter().position(|(method, ..)| *method == call.method);
        let (status, body) = match found.map(|index| script.remove(index)) {
            Some((_, 0, _)) => {
                let text = "cannot reach it".to_owned();
                return Outcome::Failed(Fault { kind: FaultKind::Network, text });
            }
            Some((_, status, body)) => (status, body),
            None => (200, json!({"ok": true, "result": self.usual(call)}).to_string()),
        };
        Outcome::Answered(Answer::read(status, None, body.as_bytes()))
    }

    fn fetch(&mut self, path: &str, _most: u64, _now: Duration) -> Result<Fetched, Fault> {
        assert_eq!(path, "documents/file_1.gcode");
        let bytes = self.files.lock().unwrap().clone();
        Ok((Some(bytes.len() as u64), Box::new(std::io::Cursor::new(bytes))))
    }
}

/// A voice to `server` whose waits turn the clock.
pub(super) fn voice(server: &Server) -> Voice<Server> {
    let clock = server.clock.clone();
    let nap: Nap = Arc::new(move |time| {
        clock.pass(time);
        true
    });
    Voice {
        api: server.clone(),
        clock: Box::new(server.clock.clone()),
        nap,
        format: super::super::markup::Format::Plain,
        paces: Paces::default(),
        patience: seconds(60),
    }
}
