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

#[test]
fn what_people_do() {
    let (bed, watcher) = watched(1);
    bed.start_print("whole.gcode", Job::SHORT);
    bed.pause_print();
    bed.resume_print();
    bed.hurry();
    bed.wait_for("complete", SOON);
    assert_eq!(watcher.take(), ["job_started", "paused", "resumed", "finished"]);

    // The same file again is another job.
    bed.start_print("whole.gcode", Job::SHORT);
    bed.cancel_print();
    bed.wait_for("cancelled", SOON);
    assert_eq!(watcher.take(), ["job_started", "cancelled"]);

    bed.start_print("paused.gcode", Job::LONG);
    bed.pause_print();
    bed.cancel_print();
    bed.wait_for("cancelled", SOON);
    assert_eq!(watcher.take(), ["job_started", "paused", "cancelled"]);
}

#[test]
fn what_people_do_over_a_bridge_is_told_with_who_did_it() {
    let (bed, watcher) = watched(1);
    bed.start_print("asked.gcode", Job::LONG);
    let (ada, bob) = (watcher.control("Telegram: Ada"), watcher.control("Telegram: Bob"));
    ada.pause_print(Some(SOON)).wait().unwrap();
    bed.wait_for("paused", SOON);
    bob.resume_print(Some(SOON)).wait().unwrap();
    bed.wait_for("printing", SOON);
    // Somebody at the printer.
    bed.pause_print();
    bed.resume_print();
    ada.cancel_print(Some(SOON)).wait().unwrap();
    bed.wait_for("cancelled", SOON);
    let told = watcher.take_with_who();
    let told: Vec<_> = told.iter().map(|(name, who)| (name.as_str(), who.as_deref())).collect();
    let expected = [
        ("job_started", None),
        ("paused", Some("Telegram: Ada")),
        ("resumed", Some("Telegram: Bob")),
        ("paused", None),
        ("resumed", None),
        ("cancelled", Some("Telegram: Ada")),
    ];
    assert_eq!(told, expected);
}

#[test]
fn four_tools_and_a_line_that_is_refused() {
    let (bed, watcher) = watched(4);
    for line in ["M104 T2 S200", "M104 T3 S200"] {
        bed.gcode(line);
    }
    bed.start_print("tools.gcode", Job { spoiled: true, ..Job::SHORT });
    bed.hurry();
    bed.wait_for("error", SOON);
    assert_eq!(watcher.take(), ["job_started", "failed"]);
    bed.start_print("next.gcode", Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", SOON);
    assert_eq!(watcher.take(), ["job_started", "finished"]);
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
        bed.start_print("fault.gcode", Job::LONG);
        fault();
        bed.wait_for_klippy("shutdown");
        watcher.wait_for("failed");
        assert_eq!(watcher.take(), ["job_started", "klippy_down", "failed"], "{name}");
        for line in ["open extruder 0", "dead extruder 0"] {
            bed.control(line);
        }
        bed.firmware_restart();
        watcher.wait_for("klippy_ready");
        assert_eq!(watcher.take(), ["klippy_ready"], "{name}");
    }
    // Asked for, and an outage none the less.
    bed.start_print("restart.gcode", Job::LONG);
    bed.firmware_restart();
    watcher.wait_for("klippy_ready");
    assert_eq!(watcher.take(), ["job_started", "klippy_down", "failed", "klippy_ready"]);
}

#[test]
fn klippy_dies_in_a_print() {
    let (bed, watcher) = watched(1);
    bed.start_print("died.gcode", Job::LONG);
    bed.kill(Part::Klippy);
    watcher.wait_for("failed");
    assert_eq!(watcher.take(), ["job_started", "klippy_down", "failed"]);
    bed.start(Part::Klippy);
    // The controller shut itself down meanwhile.
    bed.wait_for_klippy("error");
    bed.firmware_restart();
    watcher.wait_for("klippy_ready");
    bed.start_print("after.gcode", Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", SOON);
    assert_eq!(watcher.take(), ["klippy_ready", "job_started", "finished"]);
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
    assert_eq!(watcher.take(), ["source_lost", "source_back"], "idle");

    bed.start_print("phases.gcode", Job::LONG);
    restart();
    assert_eq!(watcher.take(), ["job_started", "source_lost", "source_back"], "printing");
    bed.pause_print();
    restart();
    assert_eq!(watcher.take(), ["paused", "source_lost", "source_back"], "paused");
    bed.resume_print();
    bed.hurry();
    bed.wait_for("complete", SOON);
    assert_eq!(watcher.take(), ["resumed", "finished"], "after the pause");
    restart();
    assert_eq!(watcher.take(), ["source_lost", "source_back"], "over");

    // It ends while Moonraker is away.
    bed.start_print("unseen.gcode", Job::SHORT);
    bed.hurry();
    bed.kill(Part::Moonraker);
    watcher.wait_for("source_lost");
    std::thread::sleep(Duration::from_secs(15));
    bed.start(Part::Moonraker);
    bed.wait_for_klippy("ready");
    assert_eq!(bed.query("print_stats")["state"], "complete", "it should be over by now");
    watcher.wait_for("finished");
    assert_eq!(watcher.take(), ["job_started", "source_lost", "source_back", "finished"], "unseen");
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
    assert_eq!(watcher.take(), ["job_started"], "started while it was away");
    crash(&mut watcher, &|| ());
    assert_eq!(watcher.take(), [""; 0], "printing");
    crash(&mut watcher, &|| bed.pause_print());
    assert_eq!(watcher.take(), ["paused"], "paused while it was away");
    crash(&mut watcher, &|| ());
    assert_eq!(watcher.take(), [""; 0], "paused");
    crash(&mut watcher, &|| {
        bed.resume_print();
        bed.hurry();
        bed.wait_for("complete", SOON);
    });
    assert_eq!(watcher.take(), ["finished"], "finished while it was away");
    crash(&mut watcher, &|| ());
    assert_eq!(watcher.take(), [""; 0], "over");
    crash(&mut watcher, &|| {
        bed.start_print("away.gcode", Job::SHORT);
        bed.cancel_print();
        bed.wait_for("cancelled", SOON);
    });
    assert_eq!(watcher.take(), ["cancelled"], "started and cancelled while it was away");
    crash(&mut watcher, &|| {
        bed.start_print("away.gcode", Job::LONG);
        bed.emergency_stop();
        bed.wait_for_klippy("shutdown");
        bed.firmware_restart();
    });
    assert_eq!(watcher.take(), ["failed"], "failed and restarted while it was away");
}
