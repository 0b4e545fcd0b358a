//! Each phase of a job on the real Moonraker and Klipper host, disturbed from each side: no event is lost, and none
//! comes twice.

use crate::support::bed::{Bed, Job, Part};
use crate::support::watcher::Watcher;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A bed with this number of toolheads, and who watches it.
fn watched(tools: u32) -> (Bed, Watcher) {
    let bed = Bed::with_tools(tools);
    let watcher = Watcher::of(&bed.socket());
    (bed, watcher)
}

/// Starts a print, and waits until that is told.
fn start(bed: &Bed, watcher: &Watcher, name: &str, job: Job) {
    bed.start_print(name, job);
    watcher.wait_until_told("job_started");
}

#[test]
fn what_people_do() {
    let (bed, watcher) = watched(1);
    start(&bed, &watcher, "whole.gcode", Job::SHORT);
    bed.pause_print();
    watcher.wait_for("paused");
    bed.resume_print();
    bed.hurry();
    bed.wait_for("complete", SOON);
    watcher.assert_told(&["job_started", "paused", "resumed", "finished"], "done");

    // The same file again is another job.
    start(&bed, &watcher, "whole.gcode", Job::SHORT);
    bed.cancel_print();
    bed.wait_for("cancelled", SOON);
    watcher.assert_told(&["job_started", "cancelled"], "cancelled");

    start(&bed, &watcher, "paused.gcode", Job::LONG);
    bed.pause_print();
    watcher.wait_for("paused");
    bed.cancel_print();
    bed.wait_for("cancelled", SOON);
    watcher.assert_told(&["job_started", "paused", "cancelled"], "cancelled in a pause");
}

#[test]
fn what_people_do_over_a_bridge_is_told_with_who_did_it() {
    let (bed, watcher) = watched(1);
    start(&bed, &watcher, "asked.gcode", Job::LONG);
    let (ada, bob) = (watcher.control("Telegram: Ada"), watcher.control("Telegram: Bob"));
    ada.pause_print(Some(SOON)).wait().unwrap();
    watcher.wait_for("paused");
    bob.resume_print(Some(SOON)).wait().unwrap();
    watcher.wait_for("resumed");
    // Somebody at the printer.
    bed.pause_print();
    watcher.wait_for("paused");
    bed.resume_print();
    watcher.wait_for("resumed");
    ada.cancel_print(Some(SOON)).wait().unwrap();
    bed.wait_for("cancelled", SOON);
    watcher.assert_told_with_who(&[
        ("job_started", None),
        ("paused", Some("Telegram: Ada")),
        ("resumed", Some("Telegram: Bob")),
        ("paused", None),
        ("resumed", None),
        ("cancelled", Some("Telegram: Ada")),
    ]);
}

#[test]
fn four_tools_and_a_line_that_is_refused() {
    let (bed, watcher) = watched(4);
    for line in ["M104 T2 S200", "M104 T3 S200"] {
        bed.gcode(line);
    }
    start(&bed, &watcher, "tools.gcode", Job { spoiled: true, ..Job::SHORT });
    bed.hurry();
    bed.wait_for("error", SOON);
    watcher.assert_told(&["job_started", "failed"], "refused");
    start(&bed, &watcher, "next.gcode", Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", SOON);
    watcher.assert_told(&["job_started", "finished"], "the next one");
}

#[test]
fn faults_of_the_machine() {
    let (bed, watcher) = watched(1);
    let faults: [(&str, &dyn Fn()); 4] = [
        ("a thermistor that breaks", &|| drop(bed.control("open extruder 1"))),
        ("a fault of the controller", &|| drop(bed.control("shutdown Timer too close"))),
        ("the emergency stop", &|| bed.emergency_stop()),
        ("a heater without power", &|| bed.nozzle_without_power()),
    ];
    for (name, fault) in faults {
        start(&bed, &watcher, "fault.gcode", Job::LONG);
        fault();
        bed.wait_for_klippy("shutdown");
        watcher.wait_for("failed");
        watcher.assert_told(&["job_started", "klippy_down", "failed"], name);
        for line in ["open extruder 0", "dead extruder 0"] {
            bed.control(line);
        }
        bed.firmware_restart();
        watcher.wait_for("klippy_ready");
        watcher.assert_told(&["klippy_ready"], name);
    }
    // Asked for, and an outage none the less.
    start(&bed, &watcher, "restart.gcode", Job::LONG);
    bed.firmware_restart();
    watcher.wait_for("klippy_ready");
    watcher.assert_told(
        &["job_started", "klippy_down", "failed", "klippy_ready"],
        "a restart that was asked for",
    );
}

#[test]
fn klippy_dies_in_a_print() {
    let (bed, watcher) = watched(1);
    start(&bed, &watcher, "died.gcode", Job::LONG);
    bed.kill(Part::Klippy);
    watcher.wait_for("failed");
    watcher.assert_told(&["job_started", "klippy_down", "failed"], "dead");
    bed.start(Part::Klippy);
    // The controller shut itself down meanwhile.
    bed.wait_for_klippy("error");
    bed.firmware_restart();
    watcher.wait_for("klippy_ready");
    start(&bed, &watcher, "after.gcode", Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", SOON);
    watcher.assert_told(&["klippy_ready", "job_started", "finished"], "alive again");
}

#[test]
fn moonraker_is_restarted_in_each_phase() {
    let (bed, watcher) = watched(1);
    let restart = || {
        bed.kill(Part::Moonraker);
        watcher.wait_for("source_lost");
        bed.start(Part::Moonraker);
        bed.wait_for_klippy("ready");
        watcher.wait_for("source_back");
    };
    restart();
    watcher.assert_told(&["source_lost", "source_back"], "idle");

    start(&bed, &watcher, "phases.gcode", Job::LONG);
    restart();
    watcher.assert_told(&["job_started", "source_lost", "source_back"], "printing");
    bed.pause_print();
    watcher.wait_for("paused");
    restart();
    watcher.assert_told(&["paused", "source_lost", "source_back"], "paused");
    bed.resume_print();
    bed.hurry();
    bed.wait_for("complete", SOON);
    watcher.assert_told(&["resumed", "finished"], "after the pause");
    restart();
    watcher.assert_told(&["source_lost", "source_back"], "over");

    // It ends while Moonraker is away.
    start(&bed, &watcher, "unseen.gcode", Job { layers: 8, ..Job::SHORT });
    bed.kill(Part::Moonraker);
    watcher.wait_for("source_lost");
    bed.wait_for_unseen("complete", SOON);
    bed.start(Part::Moonraker);
    bed.wait_for_klippy("ready");
    watcher.wait_for("finished");
    watcher.assert_told(&["job_started", "source_lost", "source_back", "finished"], "unseen");
}

#[test]
fn this_program_crashes_in_each_phase() {
    let (bed, mut watcher) = watched(1);
    let crash = |watcher: &mut Watcher, meanwhile: &dyn Fn()| {
        watcher.crash();
        meanwhile();
        watcher.start();
    };
    crash(&mut watcher, &|| ());
    crash(&mut watcher, &|| bed.start_print("away.gcode", Job::LONG));
    watcher.assert_told(&["job_started"], "started while it was away");
    crash(&mut watcher, &|| ());
    watcher.assert_told(&[], "printing");
    crash(&mut watcher, &|| bed.pause_print());
    watcher.assert_told(&["paused"], "paused while it was away");
    crash(&mut watcher, &|| ());
    watcher.assert_told(&[], "paused");
    crash(&mut watcher, &|| {
        bed.resume_print();
        bed.hurry();
        bed.wait_for("complete", SOON);
    });
    watcher.assert_told(&["finished"], "finished while it was away");
    crash(&mut watcher, &|| ());
    watcher.assert_told(&[], "over");
    crash(&mut watcher, &|| {
        bed.start_print("away.gcode", Job::SHORT);
        bed.cancel_print();
        bed.wait_for("cancelled", SOON);
    });
    watcher.assert_told(&["cancelled"], "started and cancelled while it was away");
    crash(&mut watcher, &|| {
        bed.start_print("away.gcode", Job::LONG);
        bed.emergency_stop();
        bed.wait_for_klippy("shutdown");
        bed.firmware_restart();
    });
    watcher.assert_told(&["failed"], "failed and restarted while it was away");
}
