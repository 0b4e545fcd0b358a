//! Prints that follow a transfer.

use super::*;
use crate::bridge::prusa_connect::orders::Trouble;
use crate::bridge::prusa_connect::transfer::{End, News, Print as ToPrint};

/// A file of command 5 is on its way, to be printed.
fn transfers(bed: &mut Bed) {
    let kwargs = json!({"path": "/local/new.gcode", "team_id": 1, "hash": "h", "printing": true});
    let out = bed.run(1.5, with(vec![order(5, "START_CONNECT_DOWNLOAD", kwargs)]));
    assert_eq!(about(&out, 5), ["ACCEPTED", "TRANSFER_INFO"]);
    assert!(bed.world().kept.transfer.is_some());
}

/// It has arrived.
fn arrives(bed: &mut Bed) {
    let id = bed.world().downloads[0].id;
    let news = News::Ended { id, end: End::Complete("new.gcode".to_owned()) };
    bed.core.on_answer(super::super::Answer::Transfer(news), bed.now());
}

fn started(bed: &Bed) -> Vec<(u32, Task)> {
    bed.world().tasks.iter().filter(|(_, task)| matches!(task, Task::Start { .. })).cloned().collect()
}

/// Why it was not printed.
fn reasons(out: &[Out]) -> Vec<String> {
    let failed = out.iter().filter(|out| out.body["event"] == "FAILED");
    failed.map(|out| out.body["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_is_printed_when_it_is_there() {
    let mut bed = Bed::idle();
    transfers(&mut bed);
    arrives(&mut bed);
    let out = bed.run(1.5, |_| status(204));
    assert_eq!(events(&out), ["TRANSFER_FINISHED IDLE"]);
    let task = Task::Start { path: "new.gcode".into(), mapping: vec![] };
    assert_eq!(started(&bed), [(5, task)]);
    bed.said(5, Ok(()));
    bed.print(PrintState::Printing, "new.gcode");
    let out = bed.run(70.0, |_| status(204));
    assert_eq!(
        (events(&out), bed.world().kept.print.is_some()),
        (vec!["STATE_CHANGED PRINTING".to_owned()], false)
    );
    let out = bed.run(1.5, with(vec![order(6, "SEND_JOB_INFO", json!({}))]));
    let info = out.iter().find(|out| out.body["event"] == "JOB_INFO").unwrap();
    assert_eq!(info.body["data"]["start_cmd_id"], 5);
}

#[test]
fn a_question_does_not_hold_a_print_up() {
    let mut bed = Bed::idle();
    transfers(&mut bed);
    bed.service = Service::Hangs;
    bed.run(1.5, with(vec![order(6, "SEND_INFO", json!({}))]));
    arrives(&mut bed);
    let out = bed.run(1.0, |_| status(204));
    assert_eq!((started(&bed).len(), reasons(&out)), (1, vec![]));
}

#[test]
fn what_the_printer_does_holds_a_print_up_for_ten_seconds() {
    for (over, prints) in [(5.0, true), (15.0, false)] {
        let mut bed = Bed::idle();
        transfers(&mut bed);
        bed.run(1.5, with(vec![order(6, "GCODE", json!({"gcode": "M117 x"}))]));
        arrives(&mut bed);
        let mut out = bed.run(over, |_| status(204));
        bed.said(6, Ok(()));
        out.extend(bed.run(5.0, |_| status(204)));
        assert_eq!((started(&bed).len() == 1, reasons(&out).is_empty()), (prints, prints), "{over}");
    }
}

#[test]
fn what_is_not_printed_is_told() {
    type Do = fn(&mut Bed);
    let refused: Do = |bed| bed.said(5, Err(Trouble::Failed("SD busy".into())));
    let silent: Do = |_| ();
    let elsewhere: Do = |bed| bed.print(PrintState::Printing, "other.gcode");
    for (before, after, expected) in [
        (silent, refused, "SD busy"),
        (silent, silent, "did not start in time"),
        (elsewhere, silent, "which is busy"),
    ] {
        let mut bed = Bed::idle();
        transfers(&mut bed);
        before(&mut bed);
        arrives(&mut bed);
        bed.run(1.0, |_| status(204));
        after(&mut bed);
        let mut out = bed.run(0.0, |_| status(204));
        out.extend(bed.run(80.0, |_| status(204)));
        let all = reasons(&out);
        let told = if expected == "which is busy" {
            all.len() <= 1
        } else {
            all.len() == 1 && all[0].contains(expected)
        };
        assert!(told, "{expected}: {all:?}");
        assert!(bed.world().kept.print.is_none());
    }
}

#[test]
fn a_print_that_a_restart_cuts_off_is_told_once_and_not_started() {
    let mut bed = Bed::idle();
    transfers(&mut bed);
    bed.run(1.5, with(vec![order(6, "GCODE", json!({"gcode": "M117 x"}))]));
    arrives(&mut bed);
    bed.run(1.0, |_| status(204));
    assert_eq!(bed.world().kept.print, Some(ToPrint { path: "new.gcode".to_owned(), command: 5 }));
    // The printer is away at first.
    let mut bed = bed.restarted();
    let mut out = bed.run(20.0, |_| status(204));
    assert_eq!(reasons(&out).iter().filter(|why| why.contains("The file")).count(), 0);
    bed.see();
    out = bed.run(20.0, |_| status(204));
    assert!(
        matches!(&reasons(&out)[..], [why] if why.contains("restarted before its print began")),
        "{out:?}"
    );
    assert_eq!((started(&bed).len(), bed.world().kept.print.is_some()), (0, false));
    let mut bed = bed.restarted();
    bed.see();
    assert_eq!(reasons(&bed.run(20.0, |_| status(204))), [""; 0]);
}

#[test]
fn a_print_that_was_started_before_a_restart_goes_on() {
    let mut bed = Bed::idle();
    transfers(&mut bed);
    arrives(&mut bed);
    bed.run(0.1, |_| status(204));
    assert_eq!(started(&bed).len(), 1);
    let mut bed = bed.restarted();
    bed.print(PrintState::Printing, "new.gcode");
    let out = bed.run(20.0, |_| status(204));
    assert_eq!(reasons(&out), [""; 0]);
    assert!(bed.world().kept.print.is_none());
    let out = bed.run(1.5, with(vec![order(6, "SEND_JOB_INFO", json!({}))]));
    let info = out.iter().find(|out| out.body["event"] == "JOB_INFO").unwrap();
    assert_eq!(info.body["data"]["start_cmd_id"], 5);
}

#[test]
fn of_two_files_at_once_one_is_printed_and_the_other_told() {
    for first_starts in [true, false] {
        let mut bed = Bed::idle();
        transfers(&mut bed);
        if !first_starts {
            bed.run(1.5, with(vec![order(8, "GCODE", json!({"gcode": "M117 x"}))]));
        }
        arrives(&mut bed);
        let mut out = bed.run(0.1, |_| status(204));
        bed.world().downloads.clear();
        let print = ToPrint { path: "other.gcode".to_owned(), command: 7 };
        let now = bed.now();
        bed.core.came_to_be_printed(print, now);
        bed.said(8, Ok(()));
        out.extend(bed.run(2.0, |_| status(204)));
        let ids: Vec<u32> = started(&bed).iter().map(|(id, _)| *id).collect();
        assert_eq!((ids, reasons(&out).len()), (vec![if first_starts { 5 } else { 7 }], 1));
    }
}
