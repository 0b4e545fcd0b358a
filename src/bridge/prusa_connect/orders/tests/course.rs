//! The course of a command, with a desk that does nothing and virtual time.

use super::super::desk::Desk;
use super::super::running::Trouble;
use super::*;
use crate::bridge::prusa_connect::connect::event::{EventKind, Source};
use crate::bridge::prusa_connect::connect::order::Outcome;
use crate::bridge::prusa_connect::machine::{self, Machine};
use crate::clock::Moment;
use crate::printer::{Klippy, KlippyState, Print, PrintState, Sight, Snapshot};
use std::time::Duration;

/// Remembers what it was asked.
#[derive(Default)]
struct Idle(Vec<Task>);

impl Desk for Idle {
    fn begin(&mut self, _: u32, task: &Task) {
        self.0.push(task.clone());
    }

    fn forget(&mut self) {}

    fn unmap(&mut self, _: &[u8]) {}
}

struct Bed {
    machine: Machine,
    snapshot: Snapshot,
    running: Running,
    desk: Idle,
    now: f64,
}

fn at(seconds: f64) -> Moment {
    Moment { monotonic: Duration::from_secs_f64(500.0 + seconds), unix: Duration::from_secs(1_700_000_000) }
}

impl Bed {
    /// A command that was taken in that state of the print.
    fn new(state: PrintState, order: &Order) -> Self {
        let mut machine = Machine::new(machine::Options::default(), &Value::Null);
        let print = Print { state, file: Some("a.gcode".to_owned()), ..Print::default() };
        let parts = crate::printer::Machine { objects: objects(), ..Default::default() };
        let snapshot = Snapshot {
            klippy: Klippy { state: KlippyState::Ready, message: None },
            print: Some(print),
            machine: Arc::new(parts),
            ..Snapshot::default()
        };
        machine.on_sight(&sight(&snapshot, 0.0));
        machine.tick(at(0.0));
        let Decision::Work(work) = decide(order, &machine.situation(), &all()) else { panic!("no work") };
        let limit = work.limit.unwrap_or_default();
        machine.command_begins(order.id, work.effect.clone().map(|effect| (effect, limit)), at(0.0));
        let mut desk = Idle::default();
        desk.begin(order.id, &work.task);
        let running = Running::new(order.id, work, at(0.0));
        Self { machine, snapshot, running, desk, now: 0.0 }
    }

    fn see(&mut self) -> Option<Outcome> {
        self.machine.on_sight(&sight(&self.snapshot, self.now));
        self.look()
    }

    fn look(&mut self) -> Option<Outcome> {
        self.machine.tick(at(self.now));
        self.running.look(&self.machine, at(self.now))
    }

    fn print(&mut self, state: PrintState) -> Option<Outcome> {
        self.snapshot.print.as_mut().unwrap().state = state;
        self.see()
    }

    fn klippy(&mut self, state: KlippyState) -> Option<Outcome> {
        self.snapshot.klippy.state = state;
        self.see()
    }

    fn said(&mut self, said: Said) -> Option<Outcome> {
        self.running.on_said(said, at(self.now));
        self.look()
    }

    fn wait(&mut self, seconds: f64) -> Option<Outcome> {
        let end = self.now + seconds;
        while self.now < end {
            self.now += 0.5;
            if let Some(outcome) = self.look() {
                return Some(outcome);
            }
        }
        None
    }
}

fn sight(snapshot: &Snapshot, now: f64) -> Sight {
    let job = snapshot.print.as_ref().filter(|print| print.state.is_active()).map(|_| Arc::from("00002a-1"));
    Sight { snapshot: Arc::new(snapshot.clone()), job, at: at(now) }
}

fn start() -> Order {
    order("START_PRINT", json!({"path": "/local/a.gcode"}))
}

const CONNECT: Option<Outcome> = Some(Outcome::Finished(Source::Connect));

fn failed(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Failed(why)) => why.into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_is_done_when_its_effect_is_seen() {
    use PrintState::{Cancelled, Paused, Printing, Standby};
    for (before, order, after, task) in [
        (Standby, start(), Printing, "Start"),
        (Printing, order("PAUSE_PRINT", json!({})), Paused, "Pause"),
        (Paused, order("RESUME_PRINT", json!({})), Printing, "Resume"),
        (Printing, order("STOP_PRINT", json!({})), Cancelled, "Cancel"),
        (Paused, order("STOP_PRINT", json!({})), Cancelled, "Cancel"),
    ] {
        // Whether the answer comes before or after it is seen, or never.
        for said in [0, 1, 2] {
            let mut bed = Bed::new(before, &order);
            assert!(format!("{:?}", bed.desk.0).contains(task));
            assert_eq!(bed.wait(5.0), None, "{task}");
            if said == 0 {
                assert_eq!(bed.said(Ok(())), None, "{task}");
            }
            if said == 1 {
                assert_eq!(bed.said(Err(Trouble::Unknown("lost".into()))), None, "{task}");
            }
            assert_eq!(bed.print(after), CONNECT, "{task}");
        }
    }
}

#[test]
fn a_command_without_effect_fails_in_its_time() {
    for (before, order, limit, words) in [
        (PrintState::Standby, start(), 15.0, "The print did not start in time; the printer is in state IDLE"),
        (
            PrintState::Printing,
            order("PAUSE_PRINT", json!({})),
            60.0,
            "The print did not pause in time; the printer is in state PRINTING",
        ),
        (
            PrintState::Printing,
            order("STOP_PRINT", json!({})),
            60.0,
            "The print did not stop in time; the printer is in state PRINTING",
        ),
    ] {
        let mut bed = Bed::new(before, &order);
        assert_eq!(bed.wait(limit - 0.5), None, "{words}");
        assert_eq!(failed(bed.wait(0.5)), words);
        // Once the printer says that it is done, nothing more comes of it.
        let mut bed = Bed::new(before, &order);
        bed.said(Ok(()));
        assert_eq!(bed.wait(9.5), None);
        assert_eq!(failed(bed.wait(0.5)), words);
    }
}

#[test]
fn what_the_printer_says_against_it_ends_it() {
    let mut bed = Bed::new(PrintState::Standby, &start());
    assert_eq!(failed(bed.said(Err(Trouble::Failed("File not found".into())))), "File not found");
    let mut bed = Bed::new(PrintState::Standby, &start());
    let refused = bed.said(Err(Trouble::Refused("Tools mapping not enabled".into())));
    assert_eq!(refused, Some(Outcome::Refused("Tools mapping not enabled".into())));
    assert_eq!(bed.running.interrupted(), Outcome::Failed("Command interrupted".into()));
}

#[test]
fn g_code_is_done_when_the_printer_says_so_however_long_it_takes() {
    let order = order("GCODE", json!({"gcode": "M104 S0\r\nM140 S0\r\n"}));
    let mut bed = Bed::new(PrintState::Standby, &order);
    assert_eq!(bed.wait(7200.0), None);
    assert_eq!(bed.said(Ok(())), Some(Outcome::Finished(Source::Marlin)));
    let mut bed = Bed::new(PrintState::Standby, &order);
    assert_eq!(failed(bed.said(Err(Trouble::Unknown("lost".into())))), "lost");
}

#[test]
fn a_restart_is_done_when_klipper_is_back() {
    let order = order("RESET_PRINTER", json!({}));
    let mut bed = Bed::new(PrintState::Standby, &order);
    assert_eq!(bed.klippy(KlippyState::Disconnected), None);
    // Its own call ends with it.
    assert_eq!(bed.said(Err(Trouble::Failed("Klippy Disconnected".into()))), None);
    assert_eq!(bed.klippy(KlippyState::Startup), None);
    assert_eq!(bed.wait(20.0), None);
    assert_eq!(bed.klippy(KlippyState::Ready), CONNECT);
    // So quick that nobody saw it.
    let mut bed = Bed::new(PrintState::Standby, &order);
    assert_eq!(bed.said(Ok(())), None);
    assert_eq!(bed.wait(4.5), None);
    assert_eq!(bed.wait(0.5), CONNECT);
    // It never comes back.
    let mut bed = Bed::new(PrintState::Standby, &order);
    bed.said(Ok(()));
    bed.klippy(KlippyState::Disconnected);
    assert_eq!(bed.wait(59.5), None);
    assert!(failed(bed.wait(0.5)).starts_with("Klipper did not come back in time"));
    // It refuses.
    let mut bed = Bed::new(PrintState::Standby, &order);
    assert_eq!(failed(bed.said(Err(Trouble::Failed("no".into())))), "no");
}

#[test]
fn an_object_that_is_left_out_is_answered_with_the_list() {
    let mut bed = Bed::new(PrintState::Printing, &order("CANCEL_OBJECT", json!({"id": 0})));
    assert_eq!(bed.said(Ok(())), None);
    Arc::make_mut(&mut bed.snapshot.machine).objects.excluded = [Arc::from("CUBE_1")].into();
    let Some(Outcome::Answered(event)) = bed.see() else { panic!() };
    assert_eq!(
        (event.kind, event.source, event.command),
        (EventKind::CancelableChanged, Source::Connect, Some(7))
    );
    assert!(event.data.contains(r#""canceled":true"#), "{}", event.data);
    let mut bed = Bed::new(PrintState::Printing, &order("UNCANCEL_OBJECT", json!({"id": 1})));
    assert!(matches!(bed.look(), Some(Outcome::Answered(_))), "it was not left out");
}
