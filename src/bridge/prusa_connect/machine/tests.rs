use super::*;
use crate::bridge::prusa_connect::connect::event::EventKind;
use crate::printer::{
    Activity, Fault, FaultCode, Filament, FilamentSensor, Heat, Job, Klippy, KlippyState, Metadata, Motion,
    Named, Print, PrintState, Prompt, PromptButton, Snapshot, Toolhead,
};

mod needs;
mod orderly;
mod source;
mod states;
mod values;

/// A printer with virtual time.
pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) snapshot: Snapshot,
    job: Option<Arc<str>>,
    now: f64,
}

pub(super) fn at(seconds: f64) -> Moment {
    Moment {
        monotonic: Duration::from_secs_f64(1000.0 + seconds),
        unix: Duration::from_secs_f64(1_700_000_000.0 + seconds),
    }
}

impl Rig {
    pub(super) fn new(options: Options) -> Self {
        Self::again(options, &Value::Null)
    }

    pub(super) fn again(options: Options, kept: &Value) -> Self {
        let snapshot = Snapshot {
            klippy: Klippy { state: KlippyState::Ready, message: None },
            print: Some(Print::default()),
            ..Snapshot::default()
        };
        Self { machine: Machine::new(options, kept), snapshot, job: None, now: 0.0 }
    }

    /// One that is seen to be idle.
    pub(super) fn idle() -> Self {
        let mut rig = Self::new(Options::default());
        assert_eq!(rig.see(), ["IDLE FIRMWARE"]);
        rig
    }

    pub(super) fn now(&self) -> Moment {
        at(self.now)
    }

    /// Time passes, with a look each quarter of a second.
    pub(super) fn wait(&mut self, seconds: f64) -> Vec<String> {
        let mut told = Vec::new();
        let end = self.now + seconds;
        while self.now + 0.25 <= end {
            self.now += 0.25;
            told.extend(self.tick());
        }
        self.now = end;
        told.extend(self.tick());
        told
    }

    pub(super) fn tick(&mut self) -> Vec<String> {
        self.news().iter().filter(|news| news.event.kind == EventKind::StateChanged).map(shown).collect()
    }

    pub(super) fn news(&mut self) -> Vec<News> {
        let now = self.now();
        self.machine.tick(now)
    }

    /// The printer is seen as it is.
    pub(super) fn show(&mut self) {
        let sight =
            Sight { snapshot: Arc::new(self.snapshot.clone()), job: self.job.clone(), at: self.now() };
        self.machine.on_sight(&sight);
    }

    pub(super) fn see(&mut self) -> Vec<String> {
        self.show();
        self.tick()
    }

    pub(super) fn klippy(&mut self, state: KlippyState, message: Option<&str>) -> Vec<String> {
        self.snapshot.klippy = Klippy { state, message: message.map(str::to_owned) };
        self.see()
    }

    pub(super) fn print(&mut self, state: PrintState) -> Vec<String> {
        self.snapshot.print.get_or_insert_with(Print::default).state = state;
        let active = state.is_active();
        if active && self.job.is_none() {
            self.job = Some("00002A-1700000000000".into());
            self.snapshot.print.as_mut().unwrap().file = Some("sub/cube.gcode".to_owned());
        } else if !active {
            self.job = None;
        }
        self.see()
    }

    pub(super) fn activity(&mut self, activity: Activity) -> Vec<String> {
        Arc::make_mut(&mut self.snapshot.machine).activity = Some(activity);
        self.see()
    }

    pub(super) fn prompt(&mut self, title: Option<&str>) -> Vec<String> {
        self.snapshot.prompt = title.map(|title| {
            let button = PromptButton { label: "OK".into(), gcode: "RESUME".into() };
            Arc::new(Prompt { title: title.into(), text: "".into(), buttons: vec![button] })
        });
        self.see()
    }

    pub(super) fn happens(&mut self, kind: printer::EventKind, by: Option<&str>) {
        let job = Job { by: by.map(str::to_owned), ..Job::default() };
        let now = self.now();
        let event = printer::Event { kind, job: Some(job), at: now.unix, key: "k".to_owned() };
        self.machine.on_event(&event, now);
    }

    pub(super) fn expect(&mut self, command: u32, effect: Effect) {
        let now = self.now();
        self.machine.command_begins(command, Some((effect, Duration::ZERO)), now);
    }

    pub(super) fn ready(&mut self) -> Vec<String> {
        let now = self.now();
        self.machine.set_ready(true, Source::Connect, now);
        self.tick()
    }
}

/// State, source, and what else there is: `#` the job, `!` the command, and the reason.
fn shown(news: &News) -> String {
    let mut text = format!("{} {}", news.state.word(), news.event.source.word());
    if let Some(job) = news.job {
        text += &format!(" #{job}");
    }
    if let Some(command) = news.event.command {
        text += &format!(" !{command}");
    }
    if let Some(reason) = &news.event.reason {
        text += &format!(" {reason}");
    }
    text
}

pub(super) const NONE: [&str; 0] = [];
