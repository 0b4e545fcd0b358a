//! Commands that are taken, with the printer's state before and after: what is told, and in which order.

use super::*;
use crate::bridge::prusa_connect::connect::event::{EventKind, Source};
use crate::bridge::prusa_connect::connect::order::Outcome;
use crate::bridge::prusa_connect::machine::{self, Machine};
use crate::clock::Moment;
use crate::printer::{Klippy, KlippyState, Print, PrintState, Sight, Snapshot};
use std::time::Duration;

fn at(seconds: u64) -> Moment {
    Moment {
        monotonic: Duration::from_secs(500 + seconds),
        unix: Duration::from_secs(1_700_000_000 + seconds),
    }
}

fn see(machine: &mut Machine, state: PrintState, now: u64) -> Vec<(&'static str, &'static str, Option<u32>)> {
    let print = Print { state, file: Some("cube.gcode".to_owned()), ..Print::default() };
    let snapshot = Snapshot {
        klippy: Klippy { state: KlippyState::Ready, message: None },
        print: Some(print),
        ..Snapshot::default()
    };
    let job = state.is_active().then(|| Arc::from("00002a-1"));
    machine.on_sight(&Sight { snapshot: Arc::new(snapshot), job, at: at(now) });
    tick(machine, now)
}

fn tick(machine: &mut Machine, now: u64) -> Vec<(&'static str, &'static str, Option<u32>)> {
    let news = machine.tick(at(now));
    news.iter().map(|news| (news.state.word(), news.event.source.word(), news.event.command)).collect()
}

fn idle() -> Machine {
    let mut machine = Machine::new(machine::Options::default(), &Value::Null);
    assert_eq!(see(&mut machine, PrintState::Standby, 0), [("IDLE", "FIRMWARE", None)]);
    machine
}

fn ended(taken: Taken) -> Outcome {
    match taken {
        Taken::Ended(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ready_is_said_and_taken_back_as_recorded() {
    let mut machine = idle();
    let options = Options::default();
    let done = Outcome::Finished(Source::Connect);
    let taken = take(&order("SET_PRINTER_READY", json!({})), &mut machine, &options, at(1));
    assert_eq!(ended(taken), done);
    assert_eq!(tick(&mut machine, 1), [("READY", "CONNECT", None)]);
    let taken = take(&order("CANCEL_PRINTER_READY", json!({})), &mut machine, &options, at(2));
    assert_eq!(ended(taken), done);
    assert_eq!(tick(&mut machine, 2), [("IDLE", "CONNECT", None)]);
    let taken = take(&order("CANCEL_PRINTER_READY", json!({})), &mut machine, &options, at(3));
    assert_eq!(ended(taken), Outcome::Failed("Can't cancel, printer isn't ready".into()));
    assert_eq!(tick(&mut machine, 3), []);
}

#[test]
fn a_print_is_started_as_recorded() {
    let mut machine = idle();
    let options = Options::default();
    machine.set_ready(true, Source::User, at(1));
    assert_eq!(tick(&mut machine, 1), [("READY", "USER", None)]);
    let start = Order { id: 77, ..order("START_PRINT", json!({"path": "/local/cube.gcode"})) };
    let Taken::Running(mut running) = take(&start, &mut machine, &options, at(2)) else { panic!() };
    assert_eq!(running.task(), &Task::Start { path: "cube.gcode".into(), mapping: vec![] });
    assert_eq!(running.look(&machine, at(2)), None);
    assert_eq!(see(&mut machine, PrintState::Printing, 3), [("PRINTING", "CONNECT", Some(77))]);
    assert_eq!(
        (machine.job(), running.look(&machine, at(3))),
        (Some(43), Some(Outcome::Finished(Source::Connect)))
    );
    machine.command_ends();
    // Connect takes the job off its queue by the number of the command.
    let asked = order("SEND_JOB_INFO", json!({"job_id": 43}));
    let Outcome::Answered(event) = ended(take(&asked, &mut machine, &options, at(4))) else { panic!() };
    assert_eq!((event.kind, event.command), (EventKind::JobInfo, Some(7)));
    assert!(event.data.contains("\"start_cmd_id\":77"), "{}", event.data);
}

#[test]
fn what_is_known_here_is_done_at_once() {
    let mut machine = idle();
    see(&mut machine, PrintState::Printing, 1);
    see(&mut machine, PrintState::Complete, 2);
    let done = Outcome::Finished(Source::Connect);
    let options = all();
    assert_eq!(ended(take(&order("SET_IDLE", json!({})), &mut machine, &options, at(3))), done);
    assert_eq!(tick(&mut machine, 12), []);
    assert_eq!(tick(&mut machine, 13), [("IDLE", "CONNECT", None)]);
    let Outcome::Answered(event) =
        ended(take(&order("SEND_STATE_INFO", json!({})), &mut machine, &options, at(14)))
    else {
        panic!()
    };
    assert_eq!((event.kind, &*event.data, event.command), (EventKind::StateChanged, "{}", Some(7)));
    let nozzle = order("SET_VALUE", json!({"tools.1.nozzle_diameter": 0.6}));
    assert_eq!(ended(take(&nozzle, &mut machine, &options, at(15))), done);
    assert!(machine.kept().to_string().contains("0.6"), "{}", machine.kept());
}

#[test]
fn what_others_do_is_handed_on() {
    let mut machine = idle();
    let mut taken =
        |name: &str, kwargs| format!("{:?}", take(&order(name, kwargs), &mut machine, &all(), at(1)));
    for (name, kwargs, expected) in [
        ("SEND_INFO", json!({}), "Info"),
        ("DELETE_FILE", json!({"path": "/local/a"}), "Files(Delete(\"/local/a\"))"),
        ("STOP_TRANSFER", json!({}), "Transfer"),
        ("SET_TOKEN", json!({"token": "t"}), "Token"),
        ("MAKE_COFFEE", json!({}), "Unserved"),
        ("PAUSE_PRINT", json!({}), "Ended(Refused(\"No print to pause\"))"),
    ] {
        assert_eq!(taken(name, kwargs), expected);
    }
}
