//! Every part restarts in mid-print.

use super::table::{Row, Seen, compare};
use super::{bed_with, register, start, stored, wait_for_records, wait_for_state};
use crate::support::bed::{Job, Part};
use crate::support::program::Program;
use crate::support::push_service::{PushService, word};
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::time::{Duration, Instant};

/// What is pushed, besides progress.
const TABLE: &[Row] = &[
    (
        "a print starts",
        "AL",
        r#"printing "0""#,
        "update printing, default, start_title(Klipper), start_message()",
        "one.gcode",
    ),
    ("its first layer is done", "AP", "first_layer_done", LAYER_1, "one.gcode"),
    ("its third layer is done", "AP", "third_layer_done", LAYER_3, "one.gcode"),
    // The program is killed, restarted in order, Moonraker is killed, both are: nothing is told of that, and the print is
    // the same.
    (
        "3 s after a pause",
        "ALP",
        "paused_gcode",
        "update pausedGcode, notification_filament_change.wav, paused_from_gcode_title(Klipper), paused_from_gcode_message()",
        "one.gcode",
    ),
    ("it goes on", "AL", "printing", "update printing", "one.gcode"),
    // Klipper is killed. Its return is not told.
    (
        "5 s after Klipper is gone, and 5 s behind all else",
        "ALP",
        "error: Klipper Disconnected",
        "end error, notification_filament_change.wav, paused_from_gcode_title(Klipper), \"Klipper Disconnected\"",
        "one.gcode",
    ),
    // Another print, without a Live Activity.
    ("a print starts", "A", r#"printing "0""#, "null", "two.gcode"),
    ("its first layer is done", "AP", "first_layer_done", LAYER_1, "two.gcode"),
    ("its third layer is done", "AP", "third_layer_done", LAYER_3, "two.gcode"),
    (
        "5 s after it is done",
        "AP",
        "completed 100",
        "end completed, notification_print_done.wav, print_done_title(Klipper), two.gcode()",
        "two.gcode",
    ),
];

const LAYER_1: &str = "update printing, notification_filament_change.wav, layer_x_completed_title(1), layer_x_completed_message(Klipper)";
const LAYER_3: &str = "update printing, notification_filament_change.wav, layer_x_completed_title(3), layer_x_completed_message(Klipper)";

/// Kills the program's worker, and waits for the next one.
fn kill_worker(program: &Program) {
    let worker = program.worker_now().unwrap();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    wait::until("another worker", Duration::from_secs(30), || {
        program.worker_now().filter(|now| *now != worker).map(|_| ())
    });
}

fn wait_until_connected(program: &Program) {
    wait_for_state(program, "connected");
    // Its first sight of the printer follows its report at once.
    std::thread::sleep(Duration::from_secs(2));
}

#[test]
fn restarts_of_every_part_are_told_as_the_table_says() {
    let bed = bed_with("");
    let service = PushService::start();
    let mut program = start(&bed, &service);
    let public = stored(&bed, "octoapp", "public");
    register(&bed, "android", "1", json!({}));
    register(&bed, "ios:phone", "2", json!({}));
    register(&bed, "activity:one", "2", json!({"expireAt": 4_000_000_000_u64}));
    // More than seven minutes, for all that is started again.
    bed.start_print("one.gcode", Job { layers: 150, ..Job::LONG });
    service.wait_for("layer_x_completed_title", 0, Duration::from_secs(20));
    wait::until("the third layer", Duration::from_secs(20), || {
        let layer = |(_, push): &(Instant, serde_json::Value)| word(push) == "layer_x_completed_title";
        (service.timed().iter().filter(|push| layer(push)).count() == 2).then_some(())
    });

    kill_worker(&program);
    wait_until_connected(&program);
    program.restart();
    wait_until_connected(&program);
    bed.kill(Part::Moonraker);
    std::thread::sleep(Duration::from_secs(2));
    bed.start(Part::Moonraker);
    bed.wait_for_klippy("ready");
    wait_until_connected(&program);
    bed.kill(Part::Moonraker);
    kill_worker(&program);
    bed.start(Part::Moonraker);
    bed.wait_for_klippy("ready");
    wait_until_connected(&program);
    wait_for_records(&bed, &["android", "ios:phone", "activity:one"]);

    bed.pause_print();
    service.wait_for("paused_from_gcode_title", 0, Duration::from_secs(20));
    let from = service.count();
    bed.resume_print();
    service.wait_for("printing", from, Duration::from_secs(10));
    std::thread::sleep(Duration::from_secs(1));

    let (from, begun) = (service.count(), Instant::now());
    bed.kill(Part::Klippy);
    let (at, _) = service.wait_for("paused_from_gcode_title", from, Duration::from_secs(30));
    assert!(at.duration_since(begun) >= Duration::from_secs(10), "{:?}", at.duration_since(begun));
    wait_for_records(&bed, &["android", "ios:phone"]);
    bed.start(Part::Klippy);
    bed.firmware_restart();
    std::thread::sleep(Duration::from_secs(8));

    bed.start_print("two.gcode", Job::SHORT);
    service.wait_for("print_done_title", from, Duration::from_secs(90));
    std::thread::sleep(Duration::from_secs(3));

    let after = stored(&bed, "octoapp", "public");
    assert_eq!(
        (&after["encryptionKey"], &after["printerId"]),
        (&public["encryptionKey"], &public["printerId"])
    );
    let mut seen = Seen::new(public["encryptionKey"].as_str().unwrap());
    compare(TABLE, &seen.rows(&service.timed()));
    assert_eq!(seen.prints.len(), 2);
}
