//! Plays a recorded transcript of Moonraker through the real session and observer.
//!
//! The recording stands in for Moonraker: its notifications come as recorded. Our own requests are answered at
//! the time of the recorded answer to the same method where one is near, else at once, in both cases from the
//! state that the recording's messages have shown so far.

use super::stand_in::StandIn;
use super::transcript::{Item, Transcript};
use octobridge::clock::Moment;
use octobridge::printer::{Event, EventKind, Memory, Observation, Observer};
use octobridge::source::moonraker::{Action, Session, SessionOptions};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// A recorded answer this near is waited for.
const NEAR: f64 = 1.0;

/// An event with the time at which it was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) t: f64,
    pub(crate) event: Event,
}

impl Told {
    pub(crate) fn name(&self) -> &'static str {
        match self.event.kind {
            EventKind::JobStarted => "job_started",
            EventKind::Paused { .. } => "paused",
            EventKind::Resumed => "resumed",
            EventKind::Finished => "finished",
            EventKind::Cancelled => "cancelled",
            EventKind::Failed { .. } => "failed",
            EventKind::KlippyDown { .. } => "klippy_down",
            EventKind::KlippyReady => "klippy_ready",
            EventKind::SourceLost => "source_lost",
            EventKind::SourceBack => "source_back",
            EventKind::Progress { .. } => "progress",
            EventKind::FirstLayerDone => "first_layer_done",
            EventKind::Layer { .. } => "layer",
            EventKind::Ended => "ended",
            EventKind::Replaced => "replaced",
            EventKind::NeedsAttention(_) => "needs_attention",
            EventKind::PrinterReady => "printer_ready",
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.event.kind {
            EventKind::Failed { reason } | EventKind::KlippyDown { reason } => reason.as_deref(),
            _ => None,
        }
    }
}

/// State of the play at one boundary between messages, to go on from.
#[derive(Clone)]
pub(crate) struct Boundary {
    memory: Vec<u8>,
    stand_in: StandIn,
    pub(crate) told: usize,
}

/// A play under way.
struct Player<'a> {
    transcript: &'a Transcript,
    next: usize,
    now: f64,
    /// Time at which this process began.
    born: f64,
    stand_in: StandIn,
    session: Option<Session>,
    observer: Observer,
    /// Our requests that wait for an answer: when at the latest, the method, our id.
    waiting: VecDeque<(f64, String, u64)>,
    told: Vec<Told>,
    /// What the source told, where somebody wants to know.
    seen: Option<Vec<(f64, Observation)>>,
}

/// Plays the whole; gives the events, and the state at each boundary.
pub(crate) fn play(transcript: &Transcript) -> (Vec<Told>, Vec<Boundary>) {
    let start = transcript.items.first().map_or(0.0, |(t, _)| *t);
    let mut player = Player::new(transcript, 0, start, StandIn::default(), Memory::default());
    let mut boundaries = Vec::new();
    while player.next < transcript.items.len() {
        boundaries.push(Boundary {
            memory: player.observer.memory().to_json().unwrap(),
            stand_in: player.stand_in.clone(),
            told: player.told.len(),
        });
        player.step();
    }
    player.settle();
    (player.told, boundaries)
}

/// Plays the whole; gives what the source told, with the times. `stand_in` is what is known beforehand.
pub(crate) fn watch(transcript: &Transcript, stand_in: StandIn) -> Vec<(f64, Observation)> {
    let start = transcript.items.first().map_or(0.0, |(t, _)| *t);
    let mut player = Player::new(transcript, 0, start, stand_in, Memory::default());
    player.seen = Some(Vec::new());
    while player.next < transcript.items.len() {
        player.step();
    }
    player.seen.unwrap()
}

/// Goes on at a boundary with a new process that has the stored memory; gives the events from there.
pub(crate) fn resume(transcript: &Transcript, index: usize, boundary: &Boundary) -> Vec<Told> {
    let start = transcript.items[index].0;
    let memory = Memory::from_json(&boundary.memory).unwrap();
    let mut player = Player::new(transcript, index, start, boundary.stand_in.clone(), memory);
    if player.stand_in.open {
        player.connect();
    }
    while player.next < transcript.items.len() {
        player.step();
    }
    player.settle();
    player.told
}

impl<'a> Player<'a> {
    fn new(transcript: &'a Transcript, next: usize, now: f64, stand_in: StandIn, memory: Memory) -> Self {
        Self {
            transcript,
            next,
            now,
            born: now,
            stand_in,
            session: None,
            observer: Observer::new(memory),
            waiting: VecDeque::new(),
            told: Vec::new(),
            seen: None,
        }
    }

    /// Time since this process began, as its monotonic clock shows it.
    fn monotonic(&self) -> Duration {
        Duration::from_secs_f64(self.now - self.born + 5.0)
    }

    /// Lets time pass up to the next line, then plays it.
    fn step(&mut self) {
        let (t, item) = &self.transcript.items[self.next];
        self.pass_time(*t);
        self.next += 1;
        match item {
            Item::Open => {
                self.stand_in.open = true;
                self.connect();
            }
            Item::Close => {
                self.stand_in.open = false;
                self.waiting.clear();
                if let Some(mut session) = self.session.take() {
                    self.act(session.on_closed("closed"));
                }
            }
            Item::Out(message) => self.stand_in.note_request(message),
            Item::In(message, bytes) => self.receive(message, bytes),
        }
    }

    /// Time after the last line, for what is still being waited for.
    fn settle(&mut self) {
        self.pass_time(self.now + 2.5);
    }

    fn connect(&mut self) {
        let mut session = Session::new(SessionOptions { version: "0.0.0", api_key: None });
        let actions = session.on_connected(self.monotonic());
        self.session = Some(session);
        self.act(actions);
    }

    fn pass_time(&mut self, until: f64) {
        loop {
            let tick = self.session.as_ref().and_then(Session::next_tick);
            let tick = tick.map_or(f64::INFINITY, |tick| tick.as_secs_f64() - 5.0 + self.born);
            let answer = self.waiting.iter().map(|(due, ..)| *due).fold(f64::INFINITY, f64::min);
            let next = tick.min(answer);
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if answer <= tick {
                let index = self.waiting.iter().position(|(due, ..)| *due <= answer).unwrap();
                let (_, method, id) = self.waiting.remove(index).unwrap();
                self.answer(&method, id);
            } else {
                let now = self.monotonic() + Duration::from_nanos(1000);
                let actions = self.session.as_mut().map(|session| session.on_tick(now)).unwrap_or_default();
                self.act(actions);
            }
        }
        self.now = self.now.max(until);
    }

    /// Klipper's state has shown: who asked for it has waited long enough.
    fn answer_about_klippy(&mut self) {
        while self.stand_in.knows_klippy() {
            let found = self.waiting.iter().position(|(_, method, _)| method == "server.info");
            let Some((_, method, id)) = found.and_then(|index| self.waiting.remove(index)) else { return };
            self.answer(&method, id);
        }
    }

    /// A recorded message: a notification is for us too; an answer shows the state, and when ours comes.
    fn receive(&mut self, message: &Value, bytes: &[u8]) {
        let learnt = self.stand_in.learn(message);
        self.answer_about_klippy();
        if message.get("method").is_some() {
            self.deliver_bytes(bytes);
            return;
        }
        if let Some(changes) = learnt.changes {
            // Had the recorded client been subscribed as we are, it would have been told.
            self.deliver(
                &json!({"jsonrpc": "2.0", "method": "notify_status_update", "params": [changes, 0.0]}),
            );
        }
        let Some(method) = learnt.answered else { return };
        if let Some(index) = self.waiting.iter().position(|(_, waiting, _)| *waiting == method) {
            let (_, _, id) = self.waiting.remove(index).unwrap();
            match message.get("error") {
                Some(error) => self.deliver(&json!({"jsonrpc": "2.0", "error": error, "id": id})),
                None => self.answer(&method, id),
            }
        }
    }

    fn answer(&mut self, method: &str, id: u64) {
        let answer = self.stand_in.answer(method, id);
        self.deliver(&answer);
    }

    fn deliver(&mut self, message: &Value) {
        self.deliver_bytes(&serde_json::to_vec(message).unwrap());
    }

    fn deliver_bytes(&mut self, bytes: &[u8]) {
        let now = self.monotonic();
        let actions = self.session.as_mut().map(|session| session.on_message(bytes, now)).unwrap_or_default();
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(request) => self.request(&request),
                Action::Emit(observation) => self.observe(&observation),
                Action::Close(error) => panic!("at {}: {error}", self.now),
            }
        }
    }

    fn request(&mut self, request: &str) {
        let request: Value = serde_json::from_str(request).unwrap();
        let method = request["method"].as_str().unwrap();
        let id = request["id"].as_u64().unwrap();
        let due = match self.recorded_answer(method) {
            Some(t) => t + 0.001,
            // Whether Klipper is ready may show in a moment.
            None if method == "server.info" && !self.stand_in.knows_klippy() => self.now + NEAR,
            // So do the objects that there are.
            None if method == "printer.objects.list" && !self.stand_in.knows_objects() => self.now + NEAR,
            None => self.now,
        };
        self.waiting.push_back((due, method.to_owned(), id));
    }

    /// When the recording next answers that method, if soon.
    fn recorded_answer(&self, method: &str) -> Option<f64> {
        let mut ids = self.stand_in.open_requests(method);
        for (t, item) in &self.transcript.items[self.next..] {
            if *t > self.now + NEAR {
                return None;
            }
            match item {
                Item::Out(message) if message["method"] == method => ids.extend(message["id"].as_u64()),
                Item::In(message, _) if message.get("method").is_none() => {
                    if message["id"].as_u64().is_some_and(|id| ids.contains(&id)) {
                        return Some(*t);
                    }
                }
                Item::Open | Item::Close => return None,
                Item::Out(_) | Item::In(..) => {}
            }
        }
        None
    }

    fn observe(&mut self, observation: &Observation) {
        if let Some(seen) = &mut self.seen {
            seen.push((self.now, observation.clone()));
        }
        let now = Moment {
            monotonic: self.monotonic(),
            unix: Duration::from_secs(1_795_222_000) + Duration::from_secs_f64(self.now),
        };
        for event in self.observer.observe(observation, now) {
            self.told.push(Told { t: self.now, event });
        }
    }
}
