//! The sender's world: a scripted server, and a clock that the test turns.

use super::super::super::MovedChat;
use super::super::super::stored::Stored;
use super::super::{Next, Sender};
use crate::bridge::Health;
use crate::bridge::telegram::api::{Answer, Api, Call, Fault, FaultKind, Outcome};
use crate::bridge::telegram::config::Config;
use crate::camera::Frame;
use crate::clock::{Clock, Moment};
use crate::outbox::{Entry, Importance, Limits, Outbox, Queue};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-11-21 02:20:00 UTC.
pub(super) const START: u64 = 1_795_227_600;

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[derive(Clone)]
pub(super) struct FakeClock(pub(super) Arc<Mutex<Moment>>);

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Answer(u16, String),
    /// It takes the message, and the answer is lost.
    Lost,
    /// It is not reached.
    Unreached,
    /// The certificate seems to be from the future.
    TooEarly,
}

pub(super) fn refusal(code: u16, description: &str) -> Reply {
    Reply::Answer(code, format!(r#"{{"ok":false,"error_code":{code},"description":"{description}"}}"#))
}

/// A request that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Seconds since the start.
    pub(super) at: u64,
    pub(super) chat: String,
    pub(super) thread: Option<i64>,
    /// Of a message or a caption.
    pub(super) text: String,
    pub(super) method: &'static str,
    /// Whether the message came into the chat.
    pub(super) shown: bool,
    /// Whether it made no sound.
    pub(super) silent: bool,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) script: Arc<Mutex<VecDeque<Reply>>>,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
    clock: FakeClock,
    /// When connections were closed, in seconds.
    pub(super) rests: Arc<Mutex<Vec<u64>>>,
}

impl Api for Server {
    fn rest(&mut self) {
        self.rests.lock().unwrap().push(self.clock.now().monotonic.as_secs());
    }

    fn call(&mut self, call: &Call<'_>, _now: Duration) -> Outcome {
        let reply = self.script.lock().unwrap().pop_front();
        let reply = reply.unwrap_or(Reply::Answer(200, r#"{"ok":true,"result":{}}"#.to_owned()));
        let fault = |kind| Outcome::Failed(Fault { kind, text: "cannot reach it".to_owned() });
        let (shown, outcome) = match reply {
            Reply::Answer(status, body) => {
                (body.contains("true"), Outcome::Answered(Answer::read(status, None, body.as_bytes())))
            }
            Reply::Lost => (true, fault(FaultKind::Network)),
            Reply::Unreached => (false, fault(FaultKind::Network)),
            Reply::TooEarly => (false, fault(FaultKind::ClockNotSet)),
        };
        let at = self.clock.now().monotonic.as_secs();
        let field = |name: &str| call.fields.get(name).cloned().unwrap_or_default();
        let text = [field("text"), field("caption")].iter().find_map(|text| text.as_str().map(str::to_owned));
        let (chat, text) = (field("chat_id").to_string(), text.unwrap_or_default());
        let thread = field("message_thread_id").as_i64();
        let silent = field("disable_notification") == true;
        let shown = shown && call.method != "getMe";
        let request = Request { at, chat, thread, text, method: call.method, shown, silent };
        self.requests.lock().unwrap().push(request);
        outcome
    }
}

pub(super) fn config(format: &str) -> Config {
    let setting = |name: &str| {
        let value = match name {
            "TELEGRAM_BOT_TOKEN" => "1:secret-token",
            "TELEGRAM_CHAT_ID" => "-100",
            "TELEGRAM_THREAD_ID" => "17",
            "TELEGRAM_FORMAT" => format,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Config::parse(&setting).unwrap()
}

pub(super) struct World {
    place: tempfile::TempDir,
    pub(super) clock: FakeClock,
    pub(super) server: Server,
    sender: Option<Sender<Server, crate::outbox::FileStore>>,
    pub(super) config: Config,
}

impl World {
    pub(super) fn new(script: &[Reply]) -> Self {
        let clock =
            FakeClock(Arc::new(Mutex::new(Moment { monotonic: Duration::ZERO, unix: seconds(START) })));
        let script = Arc::new(Mutex::new(script.iter().cloned().collect()));
        let server = Server { script, requests: Arc::default(), clock: clock.clone(), rests: Arc::default() };
        let place = tempfile::tempdir().unwrap();
        let mut world = Self { place, clock, server, sender: None, config: config("") };
        world.restart();
        world
    }

    /// Ends the process without a word and starts it again.
    pub(super) fn restart(&mut self) {
        self.sender = None;
        let (outbox, _) = Outbox::open(&self.place.path().join("outbox/journal"), Limits::default());
        self.sender = Some(Sender::new(
            &self.config,
            MovedChat::new(self.place.path(), "telegram", &self.config.chat),
            self.server.clone(),
            Queue::new(outbox),
            Box::new(self.clock.clone()),
            Box::new(|| 0.0),
        ));
    }

    pub(super) fn sender(&mut self) -> &mut Sender<Server, crate::outbox::FileStore> {
        self.sender.as_mut().unwrap()
    }

    pub(super) fn push(&mut self, text: &str, importance: Importance) {
        let at = self.clock.now().unix;
        self.store(text, importance, at, &Stored { text: text.to_owned(), ..Stored::default() });
    }

    pub(super) fn store(&mut self, key: &str, importance: Importance, at: Duration, stored: &Stored) {
        let body = serde_json::to_vec(stored).unwrap();
        self.sender().queue.push(Entry { key: key.to_owned(), importance, at, slot: None, body });
    }

    pub(super) fn push_picture(&mut self, caption: &str, width: u16, height: u16, bytes: usize) {
        let taken = self.clock.now();
        let frame = Frame { jpeg: vec![0xff; bytes], taken, width, height };
        let picture = Some(self.sender().darkroom().keep(Arc::new(frame), Importance::Passing, taken));
        let stored = Stored { text: caption.to_owned(), picture, ..Stored::default() };
        let key = format!("{picture:?}");
        self.store(&key, Importance::Passing, taken.unix, &stored);
    }

    pub(super) fn methods(&self) -> Vec<&'static str> {
        self.requests().iter().map(|request| request.method).collect()
    }

    /// Lets the sender work until `until` seconds after the start.
    pub(super) fn run(&mut self, until: u64) {
        let until = seconds(until);
        loop {
            let now = self.clock.now().monotonic;
            match self.sender().step() {
                Next::Again => {}
                Next::At(moment) if moment <= until => {
                    assert!(moment > now, "it waits for the past");
                    self.turn(moment);
                }
                Next::At(_) | Next::Idle => return self.turn(until.max(now)),
            }
        }
    }

    /// Turns both clocks to a moment of the monotonic one.
    pub(super) fn turn(&self, monotonic: Duration) {
        let mut moment = self.clock.0.lock().unwrap();
        let passed = monotonic - moment.monotonic;
        moment.unix += passed;
        moment.monotonic = monotonic;
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.server.requests.lock().unwrap().clone()
    }

    pub(super) fn times(&self) -> Vec<u64> {
        self.requests().iter().map(|request| request.at).collect()
    }

    /// The messages that came into the chat, in order.
    pub(super) fn messages(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| request.shown).map(|request| request.text).collect()
    }

    /// What was told in them: one message may tell several things.
    pub(super) fn chat(&self) -> Vec<String> {
        let messages = self.messages();
        messages.iter().flat_map(|text| text.split("\n\n")).map(str::to_owned).collect()
    }

    pub(super) fn waiting(&mut self) -> usize {
        self.sender().queue.len()
    }

    pub(super) fn trouble(&mut self) -> (Health, String) {
        let report = self.sender().report.lock().unwrap().clone();
        report.trouble.map_or((Health::Ok, String::new()), |trouble| (trouble.health, trouble.text))
    }
}
