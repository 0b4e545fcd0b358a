//! The OctoApp bridge over the life of a printer: which pushes go out, by the rules of the protocol. The tables are
//! written from those; `first` to `last` column: when, what happens, and what iPhones then get.

mod meanwhile;
mod rules;
mod troubles;

use octobridge::bridge::octoapp::rehearsal::{Peer, Rehearsal};
use octobridge::clock::Moment;
use octobridge::printer::{
    Event, History, JobRecord, JobStatus, Klippy, KlippyState, Memory, Observation, Observer, Print,
    PrintState, RecordId, Sight, Snapshot,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const EPOCH: u64 = 1_750_000_000;

#[derive(Default)]
struct Side {
    apps: Vec<(String, Value)>,
    values: Vec<(String, Value)>,
    pushes: Vec<Value>,
    /// The service is away.
    away: bool,
    /// The tokens that it calls dead.
    dead: Vec<String>,
    /// The plugin runs; none: Moonraker does not answer.
    plugin: Option<bool>,
    /// The file that prints.
    gcode: String,
    /// It takes time to read it.
    slow: bool,
    /// The files that were read, and how often each was changed.
    read: Vec<String>,
    changes: u64,
    /// Moonraker's database cannot be read.
    locked: bool,
}

/// Moonraker's database and the service. Clones are the same one.
#[derive(Clone, Default)]
struct Shelf(Rc<RefCell<Side>>);

impl Shelf {
    /// With an iPhone whose Live Activity runs.
    fn with_phone() -> Self {
        let shelf = Self::default();
        shelf.register("ios:phone", "1", json!({}));
        shelf.register("activity:running", "1", json!({}));
        shelf
    }

    fn register(&self, token: &str, instance: &str, further: Value) {
        let mut record = json!({"fcmToken": token, "instanceId": instance, "expireAt": null});
        record.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        self.0.borrow_mut().apps.push((token.to_owned(), record));
    }

    /// What came since this was asked last: what is told, and to how many.
    fn told(&self) -> Vec<String> {
        let pushes = std::mem::take(&mut self.0.borrow_mut().pushes);
        let told = |push: &Value| {
            let apple = &push["apnsData"];
            let word = apple["alert"]["title-loc-key"].as_str().and_then(|key| key.split("___").nth(1));
            let state = &apple["content-state"];
            let word = word.or(state["state"].as_str()).or(apple["alert"]["title"].as_str()).unwrap_or("?");
            let word = match apple["event"].as_str() {
                Some("start") => format!("{word}!"),
                _ => word.to_owned(),
            };
            match state["progress"].as_u64() {
                Some(percent) if percent > 0 => format!("{word} {percent}"),
                _ => word,
            }
        };
        pushes.iter().map(told).collect()
    }

    /// To whom the last push went.
    fn last_tokens(&self) -> Vec<String> {
        let last = self.last();
        let targets = last["targets"].as_array().unwrap().iter();
        targets.map(|target| target["fcmToken"].as_str().unwrap().to_owned()).collect()
    }

    fn last(&self) -> Value {
        self.0.borrow().pushes.last().unwrap().clone()
    }
}

impl Peer for Shelf {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<Option<String>, String> {
        let side = self.0.borrow();
        if side.locked {
            return Err("the database is locked".to_owned());
        }
        if (namespace, key) == ("octoapp", &["apps"]) {
            let all: serde_json::Map<String, Value> = side.apps.iter().cloned().collect();
            return Ok((!all.is_empty()).then(|| Value::Object(all).to_string()));
        }
        let place = format!("{namespace}/{}", key.join("/"));
        Ok(side.values.iter().rev().find(|(known, _)| *known == place).map(|(_, value)| value.to_string()))
    }

    fn write(&mut self, namespace: &str, key: &[&str], value: &Value) {
        self.0.borrow_mut().values.push((format!("{namespace}/{}", key.join("/")), value.clone()));
    }

    fn delete(&mut self, _namespace: &str, key: &[&str]) {
        self.0.borrow_mut().apps.retain(|(name, _)| name != key[1]);
    }

    fn request(&mut self, method: &str, _url: &str, body: Option<&str>) -> Option<(u16, Vec<u8>)> {
        let mut side = self.0.borrow_mut();
        if side.away || method == "GET" {
            return None;
        }
        side.pushes.push(serde_json::from_str(body.unwrap()).unwrap());
        Some((200, json!({ "invalidTokens": side.dead }).to_string().into_bytes()))
    }

    fn modified_ms(&mut self, _path: &str) -> Option<u64> {
        Some(self.0.borrow().changes)
    }

    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        let mut side = self.0.borrow_mut();
        side.read.push(path.to_owned());
        (!side.slow).then(|| side.gcode.clone().into_bytes())
    }

    fn plugin_runs(&mut self) -> Option<bool> {
        self.0.borrow().plugin
    }
}

/// A printer, an observer and the bridge, each of which can be started anew.
struct Printer {
    place: tempfile::TempDir,
    shelf: Shelf,
    seconds: f64,
    observer: Observer,
    bridge: Rehearsal<Shelf>,
    snapshot: Snapshot,
    jobs: u32,
}

fn moment(seconds: f64) -> Moment {
    let monotonic = Duration::from_secs_f64(seconds);
    Moment { monotonic, unix: Duration::from_secs(EPOCH) + monotonic }
}

impl Printer {
    fn new(shelf: Shelf) -> Self {
        let place = tempfile::tempdir().unwrap();
        let bridge = Rehearsal::new(place.path(), shelf.clone(), &"P".repeat(60), moment(0.0));
        let ready = Klippy { state: KlippyState::Ready, message: None };
        let history = Arc::new(History { available: true, jobs: Vec::new() });
        let print = Print { file_progress: Some(0.0), ..Print::default() };
        let snapshot = Snapshot { klippy: ready, print: Some(print), history, ..Snapshot::default() };
        let observer = Observer::new(Memory::default());
        let mut printer = Self { place, shelf, seconds: 0.0, observer, bridge, snapshot, jobs: 0 };
        printer.look();
        printer
    }

    /// A new process with what the old one kept.
    fn restart(&mut self) {
        let memory = self.observer.memory().to_json().unwrap();
        self.observer = Observer::new(Memory::from_json(&memory).unwrap());
        // The outbox is one process' own.
        let elsewhere = tempfile::tempdir().unwrap();
        let idle = Rehearsal::new(elsewhere.path(), Shelf::default(), "", moment(self.seconds));
        drop(std::mem::replace(&mut self.bridge, idle));
        self.bridge =
            Rehearsal::new(self.place.path(), self.shelf.clone(), &"P".repeat(60), moment(self.seconds));
        self.look();
    }

    /// Moonraker goes away.
    fn lose(&mut self) {
        let (at, lost) = (moment(self.seconds), Observation::Lost { reason: "closed".to_owned() });
        self.observer.observe(&lost, at).iter().for_each(|event| self.bridge.on_event(event, at));
        self.bridge.work(at);
    }

    fn look(&mut self) {
        let at = moment(self.seconds);
        let seen = Observation::Seen(Arc::new(self.snapshot.clone()));
        let events: Vec<Event> = self.observer.observe(&seen, at);
        events.iter().for_each(|event| self.bridge.on_event(event, at));
        let Observation::Seen(snapshot) = seen else { return };
        let job = self.observer.job().map(Arc::from);
        self.bridge.on_sight(&Sight { snapshot, job, at }, at);
        self.bridge.work(at);
    }

    fn pass(&mut self, seconds: f64) {
        let until = self.seconds + seconds;
        while self.seconds < until {
            let next = self.bridge.work(moment(self.seconds)).as_secs_f64();
            self.seconds = next.clamp(self.seconds, until);
            if next > until {
                self.seconds = until;
            }
        }
        self.bridge.work(moment(self.seconds));
    }

    fn set(&mut self, change: impl FnOnce(&mut Print)) {
        change(self.snapshot.print.as_mut().unwrap());
        self.look();
    }

    fn begin(&mut self, file: &str) {
        self.begin_record(file);
        let file = Some(file.to_owned());
        let (progress, position) = (Some(0.0), Some(0));
        self.snapshot.print = Some(Print {
            state: PrintState::Printing,
            file,
            progress,
            file_progress: progress,
            file_position: position,
            total_duration: Some(Duration::ZERO),
            ..Print::default()
        });
        self.look();
    }

    fn begin_record(&mut self, file: &str) {
        self.jobs += 1;
        let id = RecordId { id: format!("{:06X}", self.jobs), started_ms: (EPOCH + self.jobs as u64) * 1000 };
        let record = JobRecord {
            id,
            file: file.to_owned(),
            status: JobStatus::InProgress,
            ended: None,
            total_duration: None,
            gcode_start_byte: None,
            gcode_end_byte: None,
            estimated_time: None,
        };
        Arc::make_mut(&mut self.snapshot.history).jobs.insert(0, record);
    }

    fn print_to(&mut self, percent: u64) {
        self.pass(6.0);
        let time = Duration::from_secs_f64(self.seconds);
        self.set(|print| {
            print.progress = Some(percent as f64 / 100.0);
            print.file_progress = print.progress;
            print.file_position = Some(percent * 1000);
            print.total_duration = Some(time);
        });
    }

    fn end(&mut self, state: PrintState, status: JobStatus) {
        let record = &mut Arc::make_mut(&mut self.snapshot.history).jobs[0];
        record.status = status;
        record.ended = Some(Duration::from_secs(EPOCH) + Duration::from_secs_f64(self.seconds));
        record.total_duration = Some(Duration::from_secs(77));
        self.set(|print| print.state = state);
    }

    fn klipper(&mut self, state: KlippyState) {
        self.snapshot.klippy.state = state;
        self.look();
    }
}
