//! The bridge without threads and network: the printer's state and what happens go in, messages come out, on virtual time.

use super::*;
use crate::bridge::prusa_connect::connect::identity::Identity;
use crate::bridge::prusa_connect::connect::kept::Kept;
use crate::bridge::prusa_connect::orders::desk::Desk;
use crate::bridge::prusa_connect::orders::{Permissions, Said, Task};
use crate::bridge::prusa_connect::outside::{Clerk, Description, Keeper, Purpose};
use crate::bridge::prusa_connect::transfer::{Download, Fetcher};
use crate::printer::{Klippy, KlippyState, Print, Snapshot};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

mod anything;
mod commands;
mod course;
mod faults;
mod prints;
mod restarts;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// What was asked of the world.
#[derive(Default)]
struct World {
    tasks: Vec<(u32, Task)>,
    unmapped: Vec<Vec<u8>>,
    errands: Vec<Errand>,
    /// How many errands there were.
    asked: usize,
    forgotten: Vec<u32>,
    downloads: Vec<Download>,
    kept: Commands,
    /// How often something was kept.
    writes: usize,
    introduced: Vec<Option<String>>,
}

/// A part in the world.
struct Part(Arc<Mutex<World>>);

impl Part {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Desk for Part {
    fn begin(&mut self, command: u32, task: &Task) {
        self.world().tasks.push((command, task.clone()));
    }

    fn forget(&mut self) {}

    fn unmap(&mut self, tools: &[u8]) {
        self.world().unmapped.push(tools.to_vec());
    }
}

impl Clerk for Part {
    fn take(&mut self, errand: Errand) {
        self.world().asked += 1;
        self.world().errands.push(errand);
    }

    fn forget(&mut self, command: u32) {
        self.world().forgotten.push(command);
    }
}

impl Fetcher for Part {
    fn begin(&mut self, download: Download) {
        self.world().downloads.push(download);
    }

    fn transferred(&self) -> u64 {
        0
    }

    fn stop(&mut self) {}
}

impl Keeper for Part {
    fn keep(&mut self, commands: &Commands) {
        let mut world = self.world();
        world.writes += 1;
        world.kept = commands.clone();
    }

    fn keep_token(&mut self, _: &Token) -> Result<(), String> {
        Ok(())
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// What the clerk does about its errands.
#[derive(Clone, Copy, PartialEq)]
enum Service {
    /// All is well.
    Answers,
    /// It takes for ever.
    Hangs,
    /// The files cannot be listed.
    Fails,
}

/// An answer: a status, headers, and a body; or none at all.
type Answer = Result<(u16, Vec<(&'static str, String)>, String), String>;

fn status(status: u16) -> Answer {
    Ok((status, Vec::new(), String::new()))
}

fn order(id: u32, name: &str, kwargs: Value) -> Answer {
    let headers = vec![("Command-Id", id.to_string()), ("Content-Type", "application/json".to_owned())];
    Ok((200, headers, json!({ "command": name, "kwargs": kwargs }).to_string()))
}

/// Takes all; commands come with telemetry in their turn.
fn with(orders: Vec<Answer>) -> impl FnMut(&Out) -> Answer {
    let mut orders = orders.into_iter();
    move |out| (!out.is_event).then(|| orders.next()).flatten().unwrap_or_else(|| status(204))
}

/// A message that came out.
#[derive(Debug, Clone)]
struct Out {
    at: f64,
    is_event: bool,
    adjusted: bool,
    created: f64,
    body: Value,
}

impl Out {
    /// In short: event, state, and command, or nothing of telemetry but its state.
    fn short(&self) -> String {
        let text = |key: &str| self.body[key].as_str().unwrap_or_default();
        let command = self.body.get("command_id").map(|id| format!(" {id}")).unwrap_or_default();
        match self.is_event {
            true => format!("{} {}{command}", text("event"), text("state")),
            false => format!("telemetry {}{command}", text("state")),
        }
    }
}

fn short(out: &[Out]) -> Vec<String> {
    out.iter().map(Out::short).collect()
}

/// Only the events.
fn events(out: &[Out]) -> Vec<String> {
    out.iter().filter(|out| out.is_event).map(Out::short).collect()
}

/// The events about a command, with their reasons.
fn about(out: &[Out], id: u32) -> Vec<String> {
    let of_it = out.iter().filter(|out| out.is_event && out.body["command_id"] == id);
    let text = |out: &Out| {
        let reason = out.body["reason"].as_str().unwrap_or_default();
        format!("{} {reason}", out.body["event"].as_str().unwrap()).trim_end().to_owned()
    };
    of_it.map(text).collect()
}

struct Bed {
    core: Core,
    world: Arc<Mutex<World>>,
    now: Duration,
    /// Wall clock less monotonic clock.
    offset: Duration,
    service: Service,
    snapshot: Snapshot,
    job: Option<Arc<str>>,
}

impl Bed {
    /// A registered printer that may do everything, not seen yet.
    fn new() -> Self {
        Self::after(Commands::default())
    }

    /// The same after a restart.
    fn after(kept: Commands) -> Self {
        Self::allowed(Permissions::ALL, kept, seconds(100.0))
    }

    fn allowed(allowed: Permissions, kept: Commands, now: Duration) -> Self {
        let offset = seconds(1_700_000_000.0);
        let moment = Moment { unix: now + offset, monotonic: now };
        let identity = Identity {
            serial: "KLP-1".to_owned(),
            fingerprint: "f".repeat(64),
            printer_type: "6.1.0".to_owned(),
            firmware: "1.3.19".to_owned(),
            software: "0.3.0".to_owned(),
            product: "P/1".to_owned(),
        };
        let line = Kept { token: Token::new("token"), code: None, ..kept.line.clone() };
        let world = Arc::new(Mutex::new(World { kept: kept.clone(), ..World::default() }));
        let part = || Part(Arc::clone(&world));
        let told = part();
        let outside = Outside {
            desk: Box::new(part()),
            clerk: Box::new(part()),
            fetcher: Box::new(part()),
            keeper: Box::new(part()),
            introduced: Box::new(move |token| {
                told.world().introduced.push(token.map(|token| token.reveal().to_owned()));
            }),
            printing: Arc::default(),
        };
        let place = Place::new("local").unwrap();
        let settings = Settings {
            machine: machine::Options::default(),
            orders: Options { allowed, ..Options::default() },
            place,
            server: "https://connect.example".to_owned(),
        };
        let core = Core::new(Line::new(identity, line, 7, moment), settings, kept, outside, moment);
        let toolhead = |number| printer::Toolhead { number, ..Default::default() };
        let parts = printer::Machine { toolheads: (0..4).map(toolhead).collect(), ..Default::default() };
        let snapshot = Snapshot {
            klippy: Klippy { state: KlippyState::Ready, message: None },
            print: Some(Print::default()),
            machine: Arc::new(parts),
            ..Snapshot::default()
        };
        Self { core, world, now, offset, service: Service::Answers, snapshot, job: None }
    }

    /// One that is idle, introduced, and has said all that there is to say.
    fn idle() -> Self {
        let mut bed = Self::new();
        bed.see();
        bed.run(5.5, |_| status(204));
        bed
    }

    fn now(&self) -> Moment {
        Moment { unix: self.now + self.offset, monotonic: self.now }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The program ends, and another one begins with what was kept.
    fn restarted(&self) -> Self {
        let kept = self.world().kept.clone();
        let mut next = Self::allowed(self.core.options.allowed, kept, self.now);
        next.snapshot = self.snapshot.clone();
        next.job.clone_from(&self.job);
        next
    }

    /// The printer is seen as it is.
    fn see(&mut self) {
        let snapshot = Arc::new(self.snapshot.clone());
        let sight = Sight { snapshot, job: self.job.clone(), at: self.now() };
        self.core.on_sight(sight, self.now());
    }

    /// The printer is seen with its print in that state.
    fn print(&mut self, state: PrintState, file: &str) {
        let is_new = state.is_active() && self.job.is_none();
        self.job = match (state.is_active(), &self.job) {
            (true, None) => Some(format!("{:06x}-1", self.now.as_secs()).into()),
            (true, known) => known.clone(),
            (false, _) => None,
        };
        self.snapshot.print = Some(Print { state, file: Some(file.to_owned()), ..Print::default() });
        if is_new {
            self.event(printer::EventKind::JobStarted);
        }
        self.see();
    }

    fn event(&mut self, kind: printer::EventKind) {
        let event = printer::Event { kind, job: None, at: self.now().unix, key: "k".to_owned() };
        self.core.on_event(&event, self.now());
    }

    fn said(&mut self, id: u32, said: Said) {
        self.core.on_answer(super::Answer::Said(id, said), self.now());
    }

    fn filed(&mut self, news: FileNews) {
        self.core.on_answer(super::Answer::Files(news), self.now());
    }

    /// Lets so many seconds pass with a server that answers so.
    fn run(&mut self, length: f64, mut server: impl FnMut(&Out) -> Answer) -> Vec<Out> {
        let until = self.now + seconds(length);
        let mut all = Vec::new();
        let mut still = 0;
        loop {
            still += 1;
            assert!(still < 5000, "it does not come to rest");
            match self.core.step(self.now()) {
                Step::Wait(time) if time > until => {
                    if !self.serve() {
                        break;
                    }
                }
                // What comes back comes at once.
                Step::Wait(time) => {
                    if !self.serve() {
                        still = if time > self.now { 0 } else { still };
                        self.now = self.now.max(time);
                    }
                }
                Step::Send(request) => {
                    let header = |name| request.headers.iter().find(|(known, _)| *known == name);
                    let out = Out {
                        at: self.now.as_secs_f64() - 100.0,
                        is_event: request.path == EVENTS,
                        adjusted: header("Clock-Adjusted").is_some(),
                        created: header("Timestamp").unwrap().1.parse().unwrap(),
                        body: serde_json::from_str(request.body.as_deref().unwrap()).unwrap(),
                    };
                    let answer = server(&out).map(|(status, headers, body)| {
                        let headers =
                            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                        Reply { status, headers, body: body.into_bytes() }
                    });
                    all.push(out);
                    let now = self.now();
                    self.core.answered(answer.as_ref().map_err(String::as_str), now);
                }
            }
        }
        self.now = until;
        all
    }

    /// The clerk does what it is asked; whether there was something.
    fn serve(&mut self) -> bool {
        if self.service == Service::Hangs {
            return false;
        }
        let well = self.service == Service::Answers;
        let errands = std::mem::take(&mut self.world().errands);
        let worked = !errands.is_empty();
        let event = |kind| Event::new(kind, Source::Wui);
        for errand in errands {
            let news = match errand {
                Errand::Describe(purpose) => {
                    let first = well && purpose == Purpose::Greeting { first: true };
                    let description = Description {
                        network: json!({}),
                        files: well.then(|| "{}".to_owned()),
                        inserted: first.then(|| event(EventKind::MediumInserted)),
                        nozzles: well.then(|| vec![(0, 0.6)]),
                    };
                    FileNews::Described(purpose, description)
                }
                Errand::Order { order, .. } => {
                    let outcome = if well {
                        crate::bridge::prusa_connect::connect::order::Outcome::Finished(Source::Connect)
                    } else {
                        crate::bridge::prusa_connect::connect::order::Outcome::Failed("no files".into())
                    };
                    FileNews::Done(order.id, outcome)
                }
                Errand::Change(FileChange::Everything) => {
                    let all = vec![event(EventKind::MediumEjected), event(EventKind::MediumInserted)];
                    FileNews::Listed(well.then_some(all))
                }
                Errand::Change(_) => FileNews::Changed(vec![event(EventKind::FileChanged)]),
                Errand::Nozzles => FileNews::Nozzles(vec![(0, 0.6)]),
            };
            self.filed(news);
        }
        worked
    }
}
