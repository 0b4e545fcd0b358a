//! Moonraker, session, observer and bridge, on a clock that jumps from one thing to the next.

use super::moonraker::{Moonraker, Request, Shelf};
use octobridge::bridge::octoapp::rehearsal::Rehearsal;
use octobridge::clock::Moment;
use octobridge::printer::{Memory, Observation, Observer, Sight};
use octobridge::source::moonraker::{Action, Session, SessionOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What the monotonic clock shows at the connection.
const BORN: f64 = 100.0;
const PRINTER_ID: &str = "A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5";

/// What came of a vector.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) requests: Vec<Request>,
    pub(crate) deletes: Vec<(f64, String)>,
    pub(crate) downloads: Vec<String>,
    pub(crate) apps: BTreeSet<String>,
    /// The text of the cipher's key.
    pub(crate) key: Option<String>,
}

impl Log {
    fn of(shelf: &Shelf) -> Self {
        Self {
            requests: shelf.requests(),
            deletes: shelf.deletes(),
            downloads: shelf.downloads(),
            apps: shelf.apps(),
            key: shelf.key(),
        }
    }
}

struct World {
    epoch: f64,
    t: f64,
    session: Session,
    observer: Observer,
    moonraker: Moonraker,
    shelf: Shelf,
    bridge: Rehearsal<Shelf>,
}

/// Plays a vector to its end.
pub(crate) fn play(vector: &Value) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let epoch = vector["clock"]["epoch"].as_f64().unwrap();
    let shelf = Shelf::new(vector);
    let mut world = World {
        epoch,
        t: 0.0,
        session: Session::new(SessionOptions { version: "0.0.0", api_key: None }),
        observer: Observer::new(Memory::default()),
        moonraker: Moonraker::new(vector),
        bridge: Rehearsal::new(folder.path(), shelf.clone(), PRINTER_ID, moment(epoch, 0.0)),
        shelf: shelf.clone(),
    };
    let actions = world.session.on_connected(world.now().monotonic);
    world.act(actions);
    for message in vector["moonraker_messages"].as_array().unwrap() {
        world.pass_time(message["t"].as_f64().unwrap());
        world.happen(message);
    }
    world.pass_time(vector["clock"]["end_t"].as_f64().unwrap());
    Log::of(&shelf)
}

/// Hands one event straight to a fresh bridge; gives what is expected of it in the form of a vector, and what came.
pub(crate) fn one_case(vector: &Value, case: &Value) -> (Value, Log) {
    let set = case["app_set"].as_str().unwrap();
    let name = set.split(',').next().unwrap();
    let mut apps = vector["app_sets"][name].as_array().unwrap_or_else(|| panic!("no records {set}")).clone();
    if let Some(excluded) = case["excluded"].as_array() {
        // As the set says it: everybody but the second iPhone.
        assert!(set.ends_with("but the second iPhone"), "nobody knows whom `{set}` means");
        for app in apps.iter_mut().filter(|app| app["instanceId"] != "inst-ios-2") {
            app["excludeNotifications"] = json!(excluded);
        }
    }
    let epoch = vector["clock"]["epoch"].as_f64().unwrap();
    let key = &vector["encryption"]["key"];
    let mut played = json!({
        "clock": {"epoch": epoch, "resolution": 0.0},
        "apps": apps,
        "database": {"octoapp": {"public": {"encryptionKey": key}}},
        "expected_requests": case["expected_requests"],
        "expected_apps_after": case["apps_after"],
    });
    if let Some(quirk) = case.get("quirk").or(vector.get("quirk")) {
        played["quirk"] = quirk.clone();
    }
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(&played);
    let mut bridge = Rehearsal::new(folder.path(), shelf.clone(), PRINTER_ID, moment(epoch, 0.0));
    let mut print = case["print"].clone();
    print["error"] = json!("Klipper Disconnected");
    let printer = vector["printer_name"].as_str().unwrap();
    bridge.send(case["event"].as_str().unwrap(), &print, printer, moment(epoch, 0.0)).unwrap();
    let mut t = 0.0;
    while t < 30.0 {
        shelf.turn(t);
        let next = bridge.work(moment(epoch, t));
        t = next.as_secs_f64() - BORN;
    }
    (played, Log::of(&shelf))
}

fn moment(epoch: f64, t: f64) -> Moment {
    let milliseconds = |seconds: f64| Duration::from_micros((seconds * 1e6).round() as u64);
    Moment { monotonic: milliseconds(BORN + t), unix: milliseconds(epoch + t) }
}

impl World {
    fn now(&self) -> Moment {
        moment(self.epoch, self.t)
    }

    fn happen(&mut self, message: &Value) {
        if let Some(state) = message["klippy_state"].as_str() {
            self.moonraker.set_klippy(state);
        }
        for change in message["db_set"].as_array().into_iter().flatten() {
            self.shelf.set(change[0].as_str().unwrap(), change[1].as_str().unwrap(), &change[2]);
        }
        let mut silent = message["objects"].clone();
        if silent.is_object() {
            // Klipper's time in a print only grows; the plugin's stand-in made some recordings in which it does not.
            let turned_back =
                silent["print_stats"]["total_duration"].as_f64() < self.moonraker.total_duration();
            if let Some(stats) = silent["print_stats"].as_object_mut().filter(|_| turned_back) {
                stats.remove("total_duration");
            }
            self.moonraker.merge(&silent);
            // The plugin asks for these; we are subscribed to them, and would have been told.
            self.deliver(&json!({"method": "notify_status_update", "params": [silent, 0.0]}));
        }
        let notify = &message["notify"];
        if notify.is_object() {
            match notify["method"].as_str() {
                Some("notify_status_update") => self.moonraker.merge(&notify["params"][0]),
                Some("notify_history_changed") => self.moonraker.record(&notify["params"][0]["job"]),
                _ => {}
            }
            self.deliver(notify);
        }
        self.bridge.work(self.now());
    }

    fn deliver(&mut self, message: &Value) {
        let mut message = message.clone();
        message["jsonrpc"] = json!("2.0");
        let now = self.now().monotonic;
        let actions = self.session.on_message(&serde_json::to_vec(&message).unwrap(), now);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(request) => {
                    let answer = self.moonraker.answer(&serde_json::from_str(&request).unwrap());
                    self.deliver(&answer);
                }
                Action::Emit(observation) => self.observe(&observation),
                Action::Close(error) => panic!("at {}: {error}", self.t),
            }
        }
    }

    fn observe(&mut self, observation: &Observation) {
        let at = self.now();
        for event in self.observer.observe(observation, at) {
            self.bridge.on_event(&event, at);
        }
        if let Observation::Seen(snapshot) = observation {
            let job = self.observer.job().map(Arc::from);
            self.bridge.on_sight(&Sight { snapshot: Arc::clone(snapshot), job, at }, at);
        }
    }

    /// Goes from one thing to the next until that time.
    fn pass_time(&mut self, until: f64) {
        loop {
            let work = self.bridge.work(self.now()).as_secs_f64() - BORN;
            let tick = self.session.next_tick().map_or(f64::INFINITY, |tick| tick.as_secs_f64() - BORN);
            let next = work.min(tick);
            if next > until {
                break;
            }
            self.turn(next);
            if tick <= next {
                let actions = self.session.on_tick(self.now().monotonic + Duration::from_nanos(1000));
                self.act(actions);
            }
        }
        self.turn(until);
    }

    fn turn(&mut self, t: f64) {
        self.t = t.max(self.t);
        self.shelf.turn(self.t);
    }
}
