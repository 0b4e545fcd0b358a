//! The OctoApp bridge over the life of a printer: which pushes go out, by the rules of the protocol. The tables are
//! written from those; `first` to `last` column: when, what happens, and what iPhones then get.

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
    plugin: bool,
    /// The file that prints.
    gcode: String,
    /// It takes time to read it.
    slow: bool,
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

    fn last(&self) -> Value {
        self.0.borrow().pushes.last().unwrap().clone()
    }
}

impl Peer for Shelf {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<Option<String>, String> {
        let side = self.0.borrow();
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
        Some((200, br#"{"invalidTokens":[]}"#.to_vec()))
    }

    fn file(&mut self, _path: &str) -> Option<Vec<u8>> {
        let side = self.0.borrow();
        (!side.slow).then(|| side.gcode.clone().into_bytes())
    }

    fn plugin_runs(&mut self) -> bool {
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

#[test]
fn two_prints_and_a_restart_in_the_second() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    let kept = |printer: &Printer| {
        let text = std::fs::read_to_string(printer.place.path().join("octoapp-print.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
    };
    printer.begin("a/one.gcode");
    assert_eq!(shelf.last()["apnsData"]["content-state"]["filePath"], "a/one.gcode");
    let first = kept(&printer);
    assert_eq!(shelf.told(), ["start_title"]);
    printer.print_to(50);
    assert_eq!(shelf.told(), ["printing 50"]);
    printer.end(PrintState::Complete, JobStatus::Completed);
    assert!(shelf.told().is_empty(), "an end comes last");
    printer.pass(5.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
    // The activity ended with the print.
    shelf.register("activity:two", "1", json!({}));
    printer.begin("two.gcode");
    assert_eq!(shelf.told(), ["start_title"]);
    printer.print_to(50);
    assert_eq!(shelf.told(), ["printing 50"]);
    let identity = kept(&printer);
    assert!(identity.len() == 32 && identity != first, "{identity}");
    printer.restart();
    assert_eq!(kept(&printer), identity);
    printer.pass(30.0);
    assert!(shelf.told().is_empty(), "a print that is found is no start");
    printer.print_to(55);
    assert!(shelf.told().is_empty(), "the first progress is no news then");
    printer.print_to(60);
    assert_eq!(shelf.told(), ["printing 60"]);
    printer.end(PrintState::Cancelled, JobStatus::Cancelled);
    printer.pass(5.0);
    let push = shelf.last();
    assert_eq!(push["apnsData"]["content-state"]["printTime"], 77);
    assert_eq!(shelf.told().len(), 1);
    printer.pass(7300.0);
    assert!(shelf.told().is_empty());
}

#[test]
fn who_changes_over_from_the_plugin_in_mid_print_keeps_the_print() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    let (infos, kept) =
        (printer.place.path().join("PrintInfos"), printer.place.path().join("octoapp-print.json"));
    for (age, inherited) in [(0, true), (90_000, false)] {
        let id = "THEPLUGINSPRINT00000000000000000";
        let start = EPOCH - age;
        let info = json!({"PrintId": id, "PrintStartTimeSec": start, "FileName": "one.gcode"});
        std::fs::create_dir_all(&infos).unwrap();
        std::fs::write(infos.join("one.gcode.json"), info.to_string()).unwrap();
        std::fs::remove_file(&kept).unwrap();
        printer.restart();
        let text = std::fs::read_to_string(&kept).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (known["id"] == id, known["started_ms"] == start * 1000),
            (inherited, inherited),
            "{known}"
        );
    }
    assert!(infos.join("one.gcode.json").is_file());
}

#[test]
fn a_record_that_was_there_before_the_history_was_known_is_no_start() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    let known = Arc::clone(&printer.snapshot.history);
    printer.snapshot.history = Arc::new(History::default());
    printer.look();
    printer.snapshot.history = known;
    printer.jobs = 6;
    let print = printer.snapshot.print.clone();
    Arc::make_mut(&mut printer.snapshot.history).jobs.clear();
    // Left behind by a Moonraker that died.
    printer.begin_record("old.gcode");
    printer.snapshot.print = print;
    printer.look();
    assert!(shelf.told().is_empty());
    printer.begin("new.gcode");
    assert_eq!(shelf.told(), ["start_title"]);
}

#[test]
fn a_failed_print_says_why() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(10);
    shelf.told();
    printer.snapshot.print.as_mut().unwrap().message = Some("Move out of range".to_owned());
    printer.end(PrintState::Error, JobStatus::Error);
    printer.pass(5.0);
    let push = shelf.last();
    assert_eq!(push["apnsData"]["content-state"]["error"], "Move out of range");
    assert_eq!(push["apnsData"]["alert"]["body"], "Move out of range");
    assert_eq!((push["targets"].as_array().unwrap().len(), shelf.told().len()), (2, 1));
}

#[test]
fn an_end_that_cannot_be_sent_is_sent_by_the_next_process() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    shelf.told();
    shelf.0.borrow_mut().away = true;
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.pass(60.0);
    printer.restart();
    printer.pass(60.0);
    assert!(shelf.told().is_empty());
    shelf.0.borrow_mut().away = false;
    printer.pass(700.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
    printer.restart();
    printer.pass(700.0);
    assert!(shelf.told().is_empty(), "nothing is told twice");
}

#[test]
fn klipper_may_be_away_for_a_moment() {
    for (away, told) in [(3.0, 0), (6.0, 1)] {
        let shelf = Shelf::with_phone();
        let mut printer = Printer::new(shelf.clone());
        printer.begin("one.gcode");
        printer.print_to(20);
        shelf.told();
        printer.klipper(KlippyState::Shutdown);
        printer.pass(away);
        let print = printer.snapshot.print.as_mut().unwrap();
        (print.state, print.file) = (PrintState::Standby, None);
        printer.klipper(KlippyState::Ready);
        printer.pass(60.0);
        let pushes = shelf.told();
        assert_eq!(pushes.len(), told, "{pushes:?}");
        printer.pass(4000.0);
        assert!(shelf.told().is_empty());
    }
}

#[test]
fn pauses_are_told_when_they_last() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    shelf.told();
    for (lasts, told) in
        [(2.0, vec!["printing 20"]), (4.0, vec!["paused_from_gcode_title 20", "printing 20"])]
    {
        printer.set(|print| print.state = PrintState::Paused);
        printer.pass(lasts);
        printer.set(|print| print.state = PrintState::Printing);
        printer.pass(30.0);
        assert_eq!(shelf.told(), told);
    }
    printer.pass(3600.0);
    assert_eq!(shelf.told(), ["printing 20"], "each hour");
}

#[test]
fn messages_of_the_users_own_are_bounded() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    shelf.told();
    for number in 0..40 {
        printer.snapshot.app_message = Some(format!("Hello|||x~~~{number}").into());
        printer.look();
    }
    let told = shelf.told();
    assert_eq!((told.len(), told[24].as_str()), (26, "Hello"));
    assert!(told[25].contains("too many"), "{told:?}");
    printer.begin("two.gcode");
    printer.snapshot.app_message = Some("Again~~~1".into());
    printer.look();
    assert!(shelf.told().contains(&"Again".to_owned()));
}

#[test]
fn a_live_activity_is_renewed_before_it_expires() {
    let shelf = Shelf::default();
    shelf.register("ios:phone", "1", json!({"activityAutoStartToken": "activity:start"}));
    shelf.register("activity:old", "1", json!({"expireAt": EPOCH + 1900}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    assert_eq!(shelf.told(), ["start_title!", "start_title"], "to be started, and running");
    printer.pass(50.0);
    assert!(shelf.told().is_empty());
    printer.pass(120.0);
    let push = shelf.last();
    assert_eq!(
        (push["targets"][0]["fcmToken"].as_str(), &push["androidData"]),
        (Some("activity:start"), &json!("none"))
    );
    assert_eq!(shelf.told(), ["printing!"]);
    let left: Vec<String> = shelf.0.borrow().apps.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(left, ["ios:phone"]);
    printer.pass(3000.0);
    assert!(shelf.told().is_empty());
}

#[test]
fn beside_the_plugin_nothing_is_told_and_nothing_is_written() {
    let shelf = Shelf::with_phone();
    shelf.0.borrow_mut().plugin = true;
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(50);
    printer.pass(400.0);
    assert!(shelf.told().is_empty() && shelf.0.borrow().values.is_empty());
    shelf.0.borrow_mut().plugin = false;
    printer.pass(60.0);
    assert!(!shelf.0.borrow().values.is_empty(), "the printer is announced");
    printer.print_to(75);
    assert_eq!(shelf.told(), ["printing 75"]);
    shelf.0.borrow_mut().plugin = true;
    printer.print_to(80);
    assert!(shelf.told().is_empty(), "the plugin is seen before the next push");
}

#[test]
fn fluidds_name_counts_where_mainsail_has_none() {
    let shelf = Shelf::with_phone();
    shelf.clone().write("fluidd", &["uiSettings", "general"], &json!({"instanceName": "Fluid one"}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    assert_eq!(shelf.last()["apnsData"]["alert"]["title-loc-args"], json!(["Fluid one"]));
}

#[test]
fn the_marks_of_the_file_are_told_as_they_are_passed() {
    let shelf = Shelf::with_phone();
    let layer = format!(";LAYER_CHANGE\n{}", "G1 X1\n".repeat(3000));
    shelf.0.borrow_mut().gcode = format!("; generated by OrcaSlicer\n{}", layer.repeat(5));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    shelf.told();
    printer.set(|print| print.file_position = Some(1000));
    assert!(shelf.told().is_empty());
    printer.set(|print| print.file_position = Some(20_000));
    assert_eq!(shelf.told(), ["layer_x_completed_title"]);
    printer.set(|print| print.file_position = Some(70_000));
    assert_eq!(shelf.told(), ["layer_x_completed_title"]);
    assert_eq!(shelf.told(), Vec::<String>::new());
}
