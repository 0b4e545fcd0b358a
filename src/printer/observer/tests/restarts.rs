//! Restarts of this program at any point of a printer's life: a job is driven by random acts, once watched without a
//! break and once with one, and the same keys must come in the same order.

use super::*;
use proptest::prelude::*;

/// What a printer or somebody at it does.
#[derive(Debug, Clone)]
enum Act {
    Start,
    Print(u32),
    Layer(u32),
    Pause,
    Resume,
    Empty,
    Fill,
    Fault(u32),
    NoFault,
    Prompt(u32),
    NoPrompt,
    Finish,
    Cancel,
    Fail,
    Shutdown,
    Reset,
}

/// A printer that behaves: what it shows is what a real one shows in that order.
struct Printer {
    history: bool,
    now: f64,
    state: &'static str,
    jobs: Vec<&'static str>,
    file: char,
    /// Tenths of a second since the job's start.
    total: f64,
    percent: u32,
    layer: u32,
    sensor: bool,
    fault: Option<u32>,
    prompt: Option<u32>,
    shown: Vec<(f64, String)>,
}

impl Printer {
    fn new(history: bool) -> Self {
        let mut printer = Self {
            history,
            now: 100.0,
            state: "standby",
            jobs: Vec::new(),
            file: 'a',
            total: 0.0,
            percent: 0,
            layer: 0,
            sensor: true,
            fault: None,
            prompt: None,
            shown: Vec::new(),
        };
        printer.show("ready", 0.25);
        printer.show("ready", 11.0);
        printer
    }

    fn show(&mut self, klippy: &str, wait: f64) {
        self.now += wait;
        let print = if self.state == "-" { "- ;".to_owned() } else { self.print(wait) };
        let fault = self.fault.map(|code| format!("fault=523-0-{code}@3")).unwrap_or_default();
        let prompt = self.prompt.map(|title| format!("prompt={title}")).unwrap_or_default();
        let records = self.jobs.iter().enumerate().rev();
        let records: Vec<String> =
            records.map(|(id, status)| format!("{id:02} {} {status}", file_of(id))).collect();
        let history = if self.history { format!("| {}", records.join(",")) } else { String::new() };
        let line = format!("{klippy} {print} {fault} {prompt} ! stop {history}");
        self.shown.push((self.now, line));
    }

    fn print(&mut self, wait: f64) -> String {
        if self.works() {
            self.total += wait;
        }
        let (total, progress) = (self.total, f64::from(self.percent) / 100.0);
        let printed = if self.percent + self.layer > 0 { total } else { 0.0 };
        let file =
            if self.state == "standby" { String::new() } else { format!("{}.gcode {total}", self.file) };
        let sensor = u32::from(self.sensor);
        format!("{} {file} ; p={progress} d={printed} l={} s:{sensor}", self.state, self.layer)
    }

    fn works(&self) -> bool {
        ["printing", "paused"].contains(&self.state)
    }

    fn end(&mut self, state: &'static str, status: &'static str) {
        self.state = state;
        self.show("ready", 0.25);
        if let Some(job) = self.jobs.last_mut() {
            *job = status;
        }
        self.show("ready", 0.01);
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Start if !self.works() => {
                (self.state, self.total, self.percent, self.layer) = ("printing", 0.0, 0, 0);
                self.file = file_of(self.jobs.len()).chars().next().unwrap();
                self.show("ready", 0.25);
                self.jobs.push("in_progress");
                self.show("ready", 0.01);
            }
            Act::Print(more) if self.state == "printing" => {
                self.percent = (self.percent + more).min(100);
                self.show("ready", 7.0);
            }
            Act::Layer(more) if self.state == "printing" => {
                self.layer += more;
                self.show("ready", 3.0);
            }
            Act::Pause if self.state == "printing" => self.change("paused"),
            Act::Resume if self.state == "paused" => self.change("printing"),
            Act::Empty => {
                self.sensor = false;
                self.show("ready", 0.25);
            }
            Act::Fill => {
                self.sensor = true;
                self.show("ready", 0.25);
            }
            Act::Fault(code) => {
                self.fault = Some(*code);
                self.show("ready", 0.25);
                // A new connection believes that something is gone only after a while.
                self.show("ready", 11.0);
            }
            Act::NoFault => {
                self.fault = None;
                self.show("ready", 0.25);
                self.show("ready", 11.0);
            }
            Act::Prompt(title) => {
                self.prompt = Some(*title);
                self.show("ready", 0.25);
            }
            Act::NoPrompt => {
                self.prompt = None;
                self.show("ready", 0.25);
                self.show("ready", 11.0);
            }
            Act::Finish if self.state == "printing" => self.end("complete", "completed"),
            Act::Cancel if self.works() => self.end("cancelled", "cancelled"),
            Act::Fail if self.state == "printing" => self.end("error", "error"),
            Act::Shutdown => {
                if self.works() {
                    // What a print says that a shutdown killed.
                    self.state = "paused";
                    self.show("shutdown", 0.25);
                    if let Some(job) = self.jobs.last_mut() {
                        *job = "klippy_shutdown";
                    }
                }
                self.show("shutdown", 0.1);
                self.state = "-";
                self.show("disconnected", 2.0);
                self.show("startup", 2.0);
                self.state = "standby";
                self.show("ready", 5.0);
            }
            Act::Reset if !self.works() => self.change("standby"),
            _ => {}
        }
    }

    fn change(&mut self, state: &'static str) {
        self.state = state;
        self.show("ready", 0.25);
    }
}

fn file_of(job: usize) -> String {
    format!("{}.gcode", if job.is_multiple_of(3) { 'b' } else { 'a' })
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Start),
        6 => (1_u32..9).prop_map(Act::Print),
        4 => (1_u32..3).prop_map(Act::Layer),
        2 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => Just(Act::Empty),
        1 => Just(Act::Fill),
        1 => (0_u32..3).prop_map(Act::Fault),
        1 => Just(Act::NoFault),
        1 => (0_u32..3).prop_map(Act::Prompt),
        1 => Just(Act::NoPrompt),
        1 => Just(Act::Finish),
        1 => Just(Act::Cancel),
        1 => Just(Act::Fail),
        1 => Just(Act::Shutdown),
        1 => Just(Act::Reset),
    ]
}

/// What an outbox holds: a key is taken once.
fn take(outbox: &mut Vec<String>, events: &[Event]) {
    for event in events {
        if !outbox.contains(&event.key) {
            outbox.push(event.key.clone());
        }
    }
}

fn seen(shown: &(f64, String)) -> (Observation, Moment) {
    let now = moment(shown.0);
    (Observation::Seen(Arc::new(snapshot(&shown.1, now))), now)
}

fn life(history: bool, acts: &[Act]) -> Vec<(f64, String)> {
    let mut printer = Printer::new(history);
    for act in acts {
        printer.act(act);
    }
    // What waits for a fact comes to its end.
    printer.show(if printer.state == "-" { "disconnected" } else { "ready" }, 2.0);
    printer.shown
}

proptest! {
    #[test]
    fn a_restart_anywhere_changes_no_key_and_no_order(
        history in any::<bool>(),
        acts in proptest::collection::vec(any_act(), 0..30),
    ) {
        let shown = life(history, &acts);
        let mut whole = Kept::default();
        let mut expected = Vec::new();
        let mut states = Vec::new();
        for shown in &shown {
            let before = whole.stored.clone();
            let (observation, now) = seen(shown);
            let events = whole.observe(&observation, now);
            for event in &events {
                prop_assert!(!expected.contains(&event.key), "{} twice in {shown:?}", event.key);
            }
            take(&mut expected, &events);
            states.push((before, whole.stored.clone(), expected.clone()));
        }
        // The first two sights make the printer known; a break in these is another beginning.
        for (index, (before, after, told)) in states.iter().enumerate().skip(2) {
            // The process died with the memory written, or between the events and that.
            for stored in [before, after] {
                let mut kept = Kept::restarted(stored.as_ref());
                let mut outbox = told.clone();
                for shown in &shown[index..] {
                    let (observation, now) = seen(shown);
                    take(&mut outbox, &kept.observe(&observation, now));
                }
                prop_assert_eq!(&outbox, &expected, "cut at {} in {:#?}", index, shown);
            }
        }
    }

    /// Also while we are away the end of every job is told, once, and as what it was, where a history knows it.
    #[test]
    fn no_end_is_lost_while_we_are_away(
        acts in proptest::collection::vec(any_act(), 1..30),
        from in any::<proptest::sample::Index>(),
        length in 1_usize..20,
    ) {
        let shown = life(true, &acts);
        // The first sight of all is no news, and the last one shows what became of it.
        let from = 2 + from.index(shown.len() - 2);
        let away = from..(from + length).min(shown.len() - 1);
        let mut whole = Kept::default();
        let mut kept = Kept::default();
        let (mut expected, mut outbox) = (Vec::new(), Vec::new());
        for (index, shown) in shown.iter().enumerate() {
            let (observation, now) = seen(shown);
            take(&mut expected, &whole.observe(&observation, now));
            if index == away.start {
                kept = Kept::restarted(kept.stored.as_ref());
            }
            if !away.contains(&index) {
                take(&mut outbox, &kept.observe(&observation, now));
            }
        }
        let ends = |keys: &[String]| {
            let mut ends: Vec<String> = keys.iter().filter(|key| is_end(key)).cloned().collect();
            ends.sort();
            ends
        };
        prop_assert_eq!(ends(&outbox), ends(&expected), "away {:?} in {:#?}", away, shown);
    }
}

fn is_end(key: &str) -> bool {
    ["/finished", "/cancelled", "/failed", "/ended"].iter().any(|end| key.ends_with(end))
}
