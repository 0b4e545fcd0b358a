//! Three prints in a row: done, cancelled, failed.

use super::table::{Row, Seen, compare};
use super::{bed_with, register, start, store, stored, wait_for_records};
use crate::support::bed::Job;
use crate::support::push_service::{PushService, word};
use serde_json::json;
use std::time::{Duration, Instant};

const LAYER_1: &str = "update printing, notification_filament_change.wav, layer_x_completed_title(1), layer_x_completed_message(Left)";
const LAYER_3: &str = "update printing, notification_filament_change.wav, layer_x_completed_title(3), layer_x_completed_message(Left)";
const STARTS: &str = "start printing, default, start_title(Left), start_message()";

/// What is pushed, besides progress.
const TABLE: &[Row] = &[
    (
        "a macro speaks right after an Android phone has registered",
        "A",
        "custom: Ready / All set",
        "null",
        "",
    ),
    // One, with a Live Activity that runs.
    (
        "a print starts",
        "AL",
        r#"printing "0""#,
        "update printing, default, start_title(Left), start_message()",
        "one.gcode",
    ),
    ("its first layer is done", "AP", "first_layer_done", LAYER_1, "one.gcode"),
    ("its third layer is done", "AP", "third_layer_done", LAYER_3, "one.gcode"),
    (
        "3 s after a pause",
        "ALP",
        "paused_gcode",
        "update pausedGcode, notification_filament_change.wav, paused_from_gcode_title(Left), paused_from_gcode_message()",
        "one.gcode",
    ),
    ("it goes on", "AL", "printing", "update printing", "one.gcode"),
    ("a macro speaks", "AP", "custom: Look / _skip", "default, Look / null", ""),
    (
        "5 s after it is done",
        "ALP",
        "completed 100",
        "end completed, notification_print_done.wav, print_done_title(Left), one.gcode()",
        "one.gcode",
    ),
    // Two, whose Live Activity can be started from here.
    ("a print starts", "AS", r#"printing "0""#, STARTS, "parts/two ü.gcode"),
    ("its first layer is done", "AP", "first_layer_done", LAYER_1, "parts/two ü.gcode"),
    ("its third layer is done", "AP", "third_layer_done", LAYER_3, "parts/two ü.gcode"),
    (
        "5 s after it is cancelled",
        "ALP",
        "idle",
        "end cancelled, notification_filament_change.wav, cancelled_title(Left), two ü.gcode()",
        "parts/two ü.gcode",
    ),
    // Three, whose Live Activity was never registered, and which Klipper ends.
    ("a print starts", "AS", r#"printing "0""#, STARTS, "three.gcode"),
    ("its first layer is done", "AP", "first_layer_done", LAYER_1, "three.gcode"),
    ("its third layer is done", "AP", "third_layer_done", LAYER_3, "three.gcode"),
    (
        "5 s after it failed",
        "AP",
        "error: REASON",
        "end error, notification_filament_change.wav, paused_from_gcode_title(Left), \"REASON\"",
        "three.gcode",
    ),
];

/// The macro by which a user speaks.
const MACRO: &str = "\n[gcode_macro _OCTOAPP_STATUS]\nvariable_notify_message: ''\ngcode:\n  M118\n";

#[test]
fn three_prints_are_told_as_the_table_says() {
    let bed = bed_with(MACRO);
    store(&bed, "mainsail", "general.printername", &json!("Left"));
    let service = PushService::start();
    let _program = start(&bed, &service);
    let public = stored(&bed, "octoapp", "public");
    let say = |message: &str| {
        bed.gcode(&format!(
            "SET_GCODE_VARIABLE MACRO=_OCTOAPP_STATUS VARIABLE=notify_message VALUE=\"'{message}'\""
        ));
    };

    register(&bed, "expired", "old", json!({"expireAt": 1_600_000_000}));
    register(&bed, "android", "1", json!({}));
    say("Ready|||All set~~~1");
    // That it takes no longer than two seconds is tested in virtual time.
    service.wait_for("android", 0, Duration::from_secs(30));

    register(&bed, "ios:phone", "2", json!({"expireAt": 4_000_000_000_u64}));
    register(&bed, "activity:one", "2", json!({"expireAt": 4_000_000_000_u64}));
    bed.start_print("one.gcode", Job::LONG);
    service.wait_for("layer_x_completed_title", 0, Duration::from_secs(20));
    service.wait_for("layer_x_completed_title", from_last(&service) + 1, Duration::from_secs(20));
    let begun = Instant::now();
    bed.pause_print();
    let (at, _) = service.wait_for("paused_from_gcode_title", 0, Duration::from_secs(20));
    assert!(at.duration_since(begun) >= Duration::from_secs(3));
    let from = service.count();
    bed.resume_print();
    service.wait_for("printing", from, Duration::from_secs(10));
    say("Look|||_skip~~~2");
    service.wait_for("Look", from, Duration::from_secs(10));
    bed.hurry();
    bed.wait_for("complete", Duration::from_secs(120));
    service.wait_for("print_done_title", from, Duration::from_secs(20));
    wait_for_records(&bed, &["android", "ios:phone"]);

    register(&bed, "ios:phone", "2", json!({"activityAutoStartToken": "start-place"}));
    std::fs::create_dir(bed.root("gcodes").join("parts")).unwrap();
    let from = service.count();
    bed.start_print("parts/two ü.gcode", Job::LONG);
    service.wait_for("start_title", from, Duration::from_secs(10));
    register(&bed, "activity:two", "2", json!({"expireAt": 4_000_000_000_u64}));
    service.wait_for("layer_x_completed_title", from, Duration::from_secs(20));
    service.wait_for("layer_x_completed_title", from_last(&service) + 1, Duration::from_secs(20));
    bed.cancel_print();
    let (_, cancelled) = service.wait_for("cancelled_title", from, Duration::from_secs(30));
    let took = bed.history_of_newest()["total_duration"].as_f64().unwrap();
    assert_eq!(cancelled["apnsData"]["content-state"]["printTime"].as_u64(), Some(took as u64));
    wait_for_records(&bed, &["android", "ios:phone"]);

    let from = service.count();
    bed.start_print("three.gcode", Job { spoiled: true, ..Job::SHORT });
    let (_, failed) = service.wait_for("paused_from_gcode_title", from, Duration::from_secs(90));
    let reason = failed["apnsData"]["content-state"]["error"].as_str().unwrap();
    assert!(reason.contains("Move out of range"), "{reason}");
    // What else could come has come by then.
    std::thread::sleep(Duration::from_secs(8));

    let after = stored(&bed, "octoapp", "public");
    assert_eq!(
        (&after["encryptionKey"], &after["printerId"]),
        (&public["encryptionKey"], &public["printerId"])
    );
    let mut seen = Seen::new(public["encryptionKey"].as_str().unwrap());
    let mut rows = seen.rows(&service.timed());
    for column in rows.iter_mut().flatten() {
        *column = column.replace(reason, "REASON");
    }
    compare(TABLE, &rows);
    assert_eq!(seen.prints.len(), 3);
}

/// The number of the last push about a layer.
fn from_last(service: &PushService) -> usize {
    let pushes = service.timed();
    let layer = |(_, push): &(Instant, serde_json::Value)| word(push) == "layer_x_completed_title";
    pushes.iter().rposition(layer).unwrap()
}
