//! Commands: each is accepted once and has one end.

use super::*;
use crate::bridge::prusa_connect::orders::Trouble;

/// A command in a state of the print, what the printer does about it, and what is told.
#[test]
fn each_command_has_its_course() {
    type Do = fn(&mut Bed, u32);
    let nothing: Do = |_, _| ();
    let well: Do = |bed, id| bed.said(id, Ok(()));
    let fails: Do = |bed, id| bed.said(id, Err(Trouble::Failed("no heat".into())));
    let starts: Do = |bed, id| {
        bed.said(id, Ok(()));
        bed.print(PrintState::Printing, "a.gcode");
    };
    let pauses: Do = |bed, _| bed.print(PrintState::Paused, "a.gcode");
    let stops: Do = |bed, _| bed.print(PrintState::Cancelled, "a.gcode");
    let path = json!({"path": "/local/a.gcode"});
    let idle = PrintState::Standby;
    for (name, kwargs, state, does, expected) in [
        ("SEND_INFO", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "INFO IDLE 9"]),
        ("SEND_STATE_INFO", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "STATE_CHANGED IDLE 9"]),
        ("SEND_JOB_INFO", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "FAILED IDLE 9"]),
        ("SEND_TRANSFER_INFO", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "TRANSFER_INFO IDLE 9"]),
        ("SEND_FILE_INFO", path.clone(), idle, nothing, vec!["ACCEPTED IDLE 9", "FINISHED IDLE 9"]),
        (
            "SET_PRINTER_READY",
            json!({}),
            idle,
            nothing,
            vec!["ACCEPTED IDLE 9", "STATE_CHANGED READY", "FINISHED READY 9"],
        ),
        (
            "START_PRINT",
            path.clone(),
            idle,
            starts,
            vec!["ACCEPTED IDLE 9", "STATE_CHANGED PRINTING 9", "FINISHED PRINTING 9"],
        ),
        ("START_PRINT", path.clone(), idle, fails, vec!["ACCEPTED IDLE 9", "FAILED IDLE 9"]),
        ("PAUSE_PRINT", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "REJECTED IDLE 9"]),
        (
            "PAUSE_PRINT",
            json!({}),
            PrintState::Printing,
            pauses,
            vec!["ACCEPTED PRINTING 9", "STATE_CHANGED PAUSED 9", "FINISHED PAUSED 9"],
        ),
        (
            "STOP_PRINT",
            json!({}),
            PrintState::Printing,
            stops,
            vec!["ACCEPTED PRINTING 9", "STATE_CHANGED STOPPED 9", "FINISHED STOPPED 9"],
        ),
        ("GCODE", json!({"gcode": "G28"}), idle, well, vec!["ACCEPTED IDLE 9", "FINISHED IDLE 9"]),
        ("GCODE", json!({"gcode": "G28"}), idle, fails, vec!["ACCEPTED IDLE 9", "FAILED IDLE 9"]),
        ("UPGRADE", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "REJECTED IDLE 9"]),
        ("FLY", json!({}), idle, nothing, vec!["ACCEPTED IDLE 9", "REJECTED IDLE 9"]),
    ] {
        let mut bed = Bed::idle();
        bed.print(state, "a.gcode");
        bed.run(5.0, |_| status(204));
        let mut out = bed.run(1.2, with(vec![order(9, name, kwargs)]));
        does(&mut bed, 9);
        out.extend(bed.run(3.0, |_| status(204)));
        let told: Vec<String> = events(&out).into_iter().collect();
        assert_eq!(told, expected, "{name} {state:?}");
        // It is kept that it was done, and done no more.
        let tasks = bed.world().tasks.len();
        let again = bed.run(3.0, with(vec![order(9, name, path.clone())]));
        assert_eq!((about(&again, 9).len(), bed.world().tasks.len()), (1, tasks), "{name}");
    }
}

#[test]
fn a_stop_does_not_wait_for_a_question() {
    for (slow, kwargs) in [
        ("SEND_INFO", json!({})),
        ("SEND_FILE_INFO", json!({"path": "/local/b.gcode"})),
        ("DELETE_FOLDER", json!({"path": "/local/b"})),
    ] {
        let mut bed = Bed::idle();
        bed.print(PrintState::Printing, "a.gcode");
        bed.run(2.0, |_| status(204));
        bed.service = Service::Hangs;
        let out = bed.run(3.0, with(vec![order(1, slow, kwargs), order(2, "STOP_PRINT", json!({}))]));
        assert_eq!(about(&out, 1), ["ACCEPTED", "FAILED Command interrupted"], "{slow}");
        assert_eq!(about(&out, 2), ["ACCEPTED"]);
        assert_eq!(bed.world().tasks.as_slice(), [(2, Task::Cancel)]);
        // It is not done when the clerk comes to it, and its late answer is none.
        assert_eq!(bed.world().forgotten, [1]);
        bed.service = Service::Answers;
        bed.print(PrintState::Cancelled, "a.gcode");
        let out = bed.run(3.0, |_| status(204));
        assert_eq!((about(&out, 1).len(), about(&out, 2).last().unwrap().as_str()), (0, "FINISHED"));
    }
}

#[test]
fn a_question_that_takes_too_long_fails() {
    let mut bed = Bed::idle();
    bed.service = Service::Hangs;
    let out = bed.run(40.0, with(vec![order(1, "SEND_INFO", json!({}))]));
    let late = "FAILED The printer's file service does not answer in time";
    assert_eq!(about(&out, 1), ["ACCEPTED", late]);
    let end = out.iter().find(|out| out.body["event"] == "FAILED").unwrap();
    assert!((30.0..32.0).contains(&(end.at - 5.5)), "{}", end.at);
    assert_eq!(bed.world().forgotten, [1]);
    bed.service = Service::Answers;
    assert_eq!(about(&bed.run(5.0, |_| status(204)), 1), [""; 0]);
}

#[test]
fn a_command_that_came_at_a_bad_time_is_done_when_it_comes_again() {
    let mut bed = Bed::idle();
    let gcode = || json!({"gcode": "G28"});
    let out = bed.run(3.0, with(vec![order(1, "GCODE", gcode()), order(2, "SET_PRINTER_READY", json!({}))]));
    assert_eq!(about(&out, 2), ["REJECTED Another command is running"]);
    bed.said(1, Ok(()));
    let out = bed.run(3.0, with(vec![order(2, "SET_PRINTER_READY", json!({}))]));
    assert_eq!(
        (about(&out, 1), about(&out, 2)),
        (vec!["FINISHED".to_owned()], vec!["ACCEPTED".to_owned(), "FINISHED".to_owned()])
    );
}

#[test]
fn another_token_is_another_registration_for_cameras() {
    let mut bed = Bed::idle();
    bed.run(6.0, with(vec![order(1, "SET_TOKEN", json!({"token": "newer"}))]));
    let expected = [Some("token"), None, Some("newer")].map(|token| token.map(str::to_owned));
    assert_eq!(bed.world().introduced, expected);
}
