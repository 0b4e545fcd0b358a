//! Tables: what is seen, a line each, and the events that must come of it.
//!
//! A line is `SECONDS KLIPPY PRINT [FILE [TOTAL]] [! MESSAGE] [| ID FILE STATUS[@AGE], …]`: Klipper's state, the
//! print's state (`-`: not known), the history (without `|` there is none at all; `AGE` is that of the end, in
//! seconds). `SECONDS lost` loses the connection, `SECONDS restart` goes on with a new process and the memory.

use super::*;
use crate::printer::{History, JobRecord, JobStatus, Klippy, Print, PrintState, RecordId};
use proptest::prelude::*;
use std::sync::Arc;

const UNIX: Duration = Duration::from_secs(1_800_000_000);

fn moment(seconds: f64) -> Moment {
    let passed = Duration::from_secs_f64(seconds);
    Moment { monotonic: passed, unix: UNIX + passed }
}

fn snapshot(line: &str, now: Moment) -> Snapshot {
    let (line, history) = match line.split_once('|') {
        Some((line, history)) => (line, Some(history)),
        None => (line, None),
    };
    let (line, message) = match line.split_once('!') {
        Some((line, message)) => (line, Some(message.trim().to_owned())),
        None => (line, None),
    };
    let mut words = line.split_whitespace();
    let state = KlippyState::from_name(words.next().unwrap()).unwrap();
    let print = PrintState::from_name(words.next().unwrap_or("-")).map(|state| Print {
        state,
        file: words.next().map(str::to_owned),
        message: message.clone(),
        total_duration: words.next().map(|total| Duration::from_secs_f64(total.parse().unwrap())),
        ..Print::default()
    });
    let records = history.unwrap_or_default().split(',').filter(|record| !record.trim().is_empty());
    let jobs = records.map(|record| {
        let words: Vec<&str> = record.split_whitespace().collect();
        let (status, age) = words[2].split_once('@').unwrap_or((words[2], "0"));
        let status = JobStatus::from_name(status);
        JobRecord {
            id: RecordId { id: words[0].to_owned(), started_ms: 1000 },
            file: words[1].to_owned(),
            ended: status.is_final().then(|| now.unix - Duration::from_secs(age.parse().unwrap())),
            status,
            total_duration: None,
            gcode_start_byte: None,
            gcode_end_byte: None,
            estimated_time: None,
        }
    });
    Snapshot {
        klippy: Klippy { state, message },
        print,
        history: Arc::new(History { available: history.is_some(), jobs: jobs.collect() }),
        ..Snapshot::default()
    }
}

fn show(event: &Event) -> String {
    let (name, reason) = match &event.kind {
        EventKind::JobStarted => ("started", None),
        EventKind::Paused { .. } => ("paused", None),
        EventKind::Resumed => ("resumed", None),
        EventKind::Finished => ("finished", None),
        EventKind::Cancelled => ("cancelled", None),
        EventKind::Failed { reason } => ("failed", reason.as_deref()),
        EventKind::KlippyDown { reason } => ("klippy_down", reason.as_deref()),
        EventKind::KlippyReady => ("klippy_ready", None),
        EventKind::SourceLost => ("source_lost", None),
        EventKind::SourceBack => ("source_back", None),
        EventKind::Progress { .. } => ("progress", None),
        EventKind::FirstLayerDone => ("first_layer_done", None),
        EventKind::Layer { .. } => ("layer", None),
        EventKind::Ended => ("ended", None),
        EventKind::NeedsAttention(_) => ("needs_attention", None),
        EventKind::PrinterReady => ("printer_ready", None),
    };
    let key = event.key.replace(&format!("m{}", millis(UNIX)), "m");
    let job = event.job.as_ref().map(|job| format!(" {}", job.file)).unwrap_or_default();
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{name}{job}{reason} {key}")
}

/// Plays the lines; gives the events as `SECONDS EVENT [FILE] [(REASON)] KEY`.
fn play(lines: &str) -> Vec<String> {
    let mut observer = Observer::default();
    let mut told = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (seconds, rest) = line.split_once(' ').unwrap();
        let now = moment(seconds.parse().unwrap());
        let observation = match rest.trim() {
            "restart" => {
                let stored = observer.memory().to_json().unwrap();
                observer = Observer::new(Memory::from_json(&stored).unwrap());
                continue;
            }
            "lost" => Observation::Lost { reason: "closed".into() },
            seen => Observation::Seen(Arc::new(snapshot(seen, now))),
        };
        told.extend(
            observer.observe(&observation, now).iter().map(|event| format!("{seconds} {}", show(event))),
        );
    }
    told
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    assert_eq!(play(lines), expected, "{lines}");
}

#[test]
fn a_job_from_start_to_end_is_named_by_its_record() {
    check(
        "0 ready standby | 
         1 ready printing a.gcode 0.2 |
         1.01 ready printing a.gcode 0.2 | 01 a.gcode in_progress
         60 ready printing a.gcode 59 | 01 a.gcode in_progress
         99 ready complete a.gcode 98 | 01 a.gcode in_progress
         99.01 ready complete a.gcode 98 | 01 a.gcode completed
         120 ready standby | 01 a.gcode completed",
        &["1.01 started a.gcode 01-1000/job_started", "99 finished a.gcode 01-1000/finished"],
    );
}

#[test]
fn without_a_history_a_job_is_told_at_once_under_a_number_of_our_own() {
    check(
        "0 ready standby
         1 ready printing a.gcode 0.2
         9 ready cancelled a.gcode 8
         10 ready printing a.gcode 0.2
         20 ready error a.gcode 9 ! Move out of range",
        &[
            "1 started a.gcode m-1/job_started",
            "9 cancelled a.gcode m-1/cancelled",
            "10 started a.gcode m-2/job_started",
            "20 failed a.gcode (Move out of range) m-2/failed",
        ],
    );
}

#[test]
fn a_late_record_is_waited_for_and_then_not() {
    check(
        "0 ready standby |
         1 ready printing a.gcode 0.2 |
         1.9 ready printing a.gcode 1.1 |
         2.1 ready printing a.gcode 1.3 |
         5 ready printing a.gcode 4 | 01 a.gcode in_progress
         9 ready complete a.gcode 8 | 01 a.gcode completed
         10 ready standby | 01 a.gcode completed",
        &["2.1 started a.gcode m-1/job_started", "9 finished a.gcode m-1/finished"],
    );
    // It comes when the job is over already.
    check(
        "0 ready standby |
         1 ready printing a.gcode 0.2 |
         2.1 ready printing a.gcode 1.3 |
         3 ready complete a.gcode 2 |
         4.1 ready complete a.gcode 2 |
         5 ready complete a.gcode 2 | 01 a.gcode completed",
        &["2.1 started a.gcode m-1/job_started", "4.1 finished a.gcode m-1/finished"],
    );
}

#[test]
fn pauses_are_counted() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 ready paused a.gcode 6 | 01 a.gcode in_progress
         2 ready paused a.gcode 7 | 01 a.gcode in_progress
         3 ready printing a.gcode 8 | 01 a.gcode in_progress
         4 ready paused a.gcode 9 | 01 a.gcode in_progress
         5 ready cancelled a.gcode 9 | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 paused a.gcode 01-1000/paused/1",
            "3 resumed a.gcode 01-1000/resumed/1",
            "4 paused a.gcode 01-1000/paused/2",
            "5 cancelled a.gcode 01-1000/cancelled",
        ],
    );
}

#[test]
fn what_is_found_at_the_first_sight() {
    check("0 ready complete a.gcode 9 | 01 a.gcode completed", &[]);
    check("0 ready error a.gcode 9 ! bad", &[]);
    check("0 shutdown paused a.gcode 9 | 01 a.gcode klippy_shutdown", &[]);
    check(
        "0 ready paused a.gcode 9 | 01 a.gcode in_progress",
        &["0 started a.gcode 01-1000/job_started", "0 paused a.gcode 01-1000/paused/1"],
    );
    // Moonraker was restarted in this print, and does not count it as its own any more.
    check("0 ready printing a.gcode 9 | 01 a.gcode server_exit", &["0 started a.gcode 01-1000/job_started"]);
}

#[test]
fn a_shutdown_fails_the_print_once_whatever_the_print_says() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 shutdown printing a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode in_progress
         1.1 shutdown printing a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode klippy_shutdown
         1.2 shutdown paused a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode klippy_shutdown
         3 disconnected - | 01 a.gcode klippy_shutdown
         5 ready - | 01 a.gcode klippy_shutdown
         5.5 ready standby | 01 a.gcode klippy_shutdown",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 klippy_down (MCU 'mcu' shutdown: ADC out of range) m/klippy_down/1",
            "1 failed a.gcode (MCU 'mcu' shutdown: ADC out of range) 01-1000/failed",
            "5 klippy_ready m/klippy_ready/1",
        ],
    );
}

#[test]
fn a_job_that_ended_just_before_a_shutdown_did_not_fail() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 shutdown complete a.gcode 6 ! stop | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 klippy_down (stop) m/klippy_down/1",
            "1 finished a.gcode 01-1000/finished",
        ],
    );
}

#[test]
fn outages_of_klipper_are_told_once_and_only_after_it_was_ready() {
    check(
        "0 disconnected -
         2 startup - ! starting
         4 error - ! no mcu
         6 ready standby
         8 disconnected -
         9 startup -
         10 error - ! Option 'x' is not valid
         11 disconnected -
         12 ready standby
         20 disconnected -
         21 restart
         21 disconnected -
         25 ready standby",
        &[
            "8 klippy_down m/klippy_down/1",
            "12 klippy_ready m/klippy_ready/1",
            "20 klippy_down m/klippy_down/2",
            "25 klippy_ready m/klippy_ready/2",
        ],
    );
}

#[test]
fn the_reason_is_what_klipper_says_without_its_advice() {
    let message = "MCU 'mcu' shutdown: ADC out of range\n\nSensor 'extruder'\nOnce the underlying issue is \
                   corrected, use the\n\"FIRMWARE_RESTART\" command\nPrinter is shutdown\n";
    assert_eq!(
        reason_of(message).as_deref(),
        Some("MCU 'mcu' shutdown: ADC out of range\nSensor 'extruder'")
    );
    assert_eq!(reason_of("\n \n"), None);
}

#[test]
fn moonraker_restarted_in_a_print_is_no_news_of_the_print() {
    for status in ["server_exit", "interrupted"] {
        check(
            &format!(
                "0 ready printing a.gcode 5 | 01 a.gcode in_progress
                 9 lost
                 15 disconnected - | 01 a.gcode {status}
                 17 startup - | 01 a.gcode {status}
                 19 ready printing a.gcode 24 | 01 a.gcode {status}
                 30 ready paused a.gcode 35 | 01 a.gcode {status}
                 99 ready complete a.gcode 104 | 01 a.gcode {status}"
            ),
            &[
                "0 started a.gcode 01-1000/job_started",
                "9 source_lost m/source_lost/1",
                "15 source_back m/source_back/1",
                "30 paused a.gcode 01-1000/paused/1",
                "99 finished a.gcode 01-1000/finished",
            ],
        );
    }
}

#[test]
fn klipper_missing_for_long_at_a_new_connection_is_an_outage() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         9 lost
         15 disconnected - | 01 a.gcode server_exit
         44 disconnected - | 01 a.gcode server_exit
         46 disconnected - | 01 a.gcode server_exit",
        &[
            "0 started a.gcode 01-1000/job_started",
            "9 source_lost m/source_lost/1",
            "15 source_back m/source_back/1",
            "46 klippy_down m/klippy_down/1",
            "46 failed a.gcode (Klipper stopped during the print) 01-1000/failed",
        ],
    );
}

#[test]
fn ends_that_came_while_we_were_away_are_told_once() {
    for (seen, expected) in [
        ("ready complete a.gcode 90 | 01 a.gcode completed", "50 finished a.gcode 01-1000/finished"),
        ("ready standby | 01 a.gcode cancelled", "50 cancelled a.gcode 01-1000/cancelled"),
        ("ready standby | 01 a.gcode completed", "50 finished a.gcode 01-1000/finished"),
        (
            "ready error a.gcode 90 ! Move out of range | 01 a.gcode error",
            "50 failed a.gcode (Move out of range) 01-1000/failed",
        ),
        (
            "ready standby | 01 a.gcode klippy_disconnect",
            "50 failed a.gcode (Klipper stopped during the print) 01-1000/failed",
        ),
    ] {
        check(
            &format!(
                "0 ready printing a.gcode 5 | 01 a.gcode in_progress
                 9 restart
                 50 {seen}
                 51 {seen}
                 52 restart
                 53 {seen}"
            ),
            &["0 started a.gcode 01-1000/job_started", expected],
        );
    }
}

#[test]
fn an_end_that_nobody_saw_is_told_as_such() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         9 restart
         50 ready standby | 01 a.gcode interrupted
         51.5 ready standby | 01 a.gcode interrupted",
        &[
            "0 started a.gcode 01-1000/job_started",
            "51.5 failed a.gcode (the print ended while the printer was out of sight; how is not known) 01-1000/failed",
        ],
    );
}

#[test]
fn the_next_job_of_the_same_file_is_another_job() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         9 restart
         50 ready printing a.gcode 20 | 02 a.gcode in_progress, 01 a.gcode completed
         60 ready complete a.gcode 30 | 02 a.gcode completed, 01 a.gcode completed",
        &[
            "0 started a.gcode 01-1000/job_started",
            "50 finished a.gcode 01-1000/finished",
            "50 started a.gcode 02-1000/job_started",
            "60 finished a.gcode 02-1000/finished",
        ],
    );
    // Cancelled and started again between two updates.
    check(
        "0 ready printing a.gcode 500 | 01 a.gcode in_progress
         1 ready printing a.gcode 0.1 | 01 a.gcode in_progress
         1.01 ready printing a.gcode 0.1 | 01 a.gcode cancelled
         1.02 ready printing a.gcode 0.1 | 02 a.gcode in_progress, 01 a.gcode cancelled",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1.01 cancelled a.gcode 01-1000/cancelled",
            "1.02 started a.gcode 02-1000/job_started",
        ],
    );
}

#[test]
fn jobs_that_only_the_history_saw() {
    // While we were away: the end alone, the oldest first, and only what is not stale.
    check(
        "0 ready standby | 01 a.gcode completed
         9 restart
         50 ready standby | 05 e.gcode server_exit, 04 d.gcode error, 03 c.gcode completed, 02 b.gcode cancelled@90000, 01 a.gcode completed",
        &[
            "50 finished c.gcode 03-1000/finished",
            "50 failed d.gcode (the print ended with an error) 04-1000/failed",
        ],
    );
    // Before our eyes, too short to be seen.
    check(
        "0 ready standby |
         9 ready standby | 01 a.gcode in_progress
         9.1 ready complete a.gcode 0.1 | 01 a.gcode completed
         9.2 ready standby | 01 a.gcode completed",
        &["9.1 started a.gcode 01-1000/job_started", "9.1 finished a.gcode 01-1000/finished"],
    );
}

#[test]
fn a_clock_that_is_not_set_makes_no_old_job_news() {
    let mut observer = Observer::default();
    let now = moment(0.0);
    observer
        .observe(&Observation::Seen(Arc::new(snapshot("ready standby | 01 a.gcode completed", now))), now);
    let mut observer = Observer::new(observer.memory().clone());
    let line = "ready standby | 03 c.gcode completed, 02 b.gcode completed@90000, 01 a.gcode completed@99000";
    let seen = snapshot(line, moment(200_000.0));
    let booted = Moment { monotonic: Duration::from_secs(40), unix: Duration::from_secs(40) };
    let told = observer.observe(&Observation::Seen(Arc::new(seen)), booted);
    assert_eq!(told.iter().map(show).collect::<Vec<_>>(), ["finished c.gcode 03-1000/finished"]);
}

#[test]
fn a_short_job_that_no_history_tells_of() {
    check(
        "0 ready standby
         9 ready complete a.gcode 0.1
         10 ready complete a.gcode 0.1
         20 ready complete a.gcode 0.2",
        &[
            "9 started a.gcode m-1/job_started",
            "9 finished a.gcode m-1/finished",
            "20 started a.gcode m-2/job_started",
            "20 finished a.gcode m-2/finished",
        ],
    );
}

#[test]
fn a_file_that_is_reset_in_the_print_is_cancelled() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 ready standby | 01 a.gcode in_progress
         1.01 ready standby | 01 a.gcode cancelled",
        &["0 started a.gcode 01-1000/job_started", "1.01 cancelled a.gcode 01-1000/cancelled"],
    );
    check(
        "0 ready printing a.gcode 5
         1 ready standby",
        &["0 started a.gcode m-1/job_started", "1 cancelled a.gcode m-1/cancelled"],
    );
}

#[test]
fn a_history_that_was_cleared_is_no_news() {
    check(
        "0 ready standby | 07 g.gcode completed, 06 f.gcode completed
         9 ready standby | 
         10 ready printing a.gcode 0.1 |
         10.1 ready printing a.gcode 0.1 | 01 a.gcode in_progress
         20 ready complete a.gcode 9 | 01 a.gcode completed",
        &["10.1 started a.gcode 01-1000/job_started", "20 finished a.gcode 01-1000/finished"],
    );
}

#[test]
fn losses_are_told_once_and_only_after_something_was_seen() {
    check("0 lost\n1 lost\n2 ready standby", &[]);
    check(
        "0 ready standby
         1 lost
         2 lost
         3 restart
         4 lost
         5 ready standby
         6 ready standby
         7 restart
         8 lost",
        &["1 source_lost m/source_lost/1", "5 source_back m/source_back/1"],
    );
}

#[test]
fn an_event_seen_again_after_a_crash_has_the_same_key() {
    let before = [
        "0 ready standby",
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress",
        "0 ready paused a.gcode 5",
        "0 ready standby | 01 a.gcode completed",
    ];
    let after = [
        "9 ready printing a.gcode 9 | 02 a.gcode in_progress, 01 a.gcode completed",
        "9 ready complete a.gcode 9 | 01 a.gcode completed",
        "9 ready printing b.gcode 1",
        "9 shutdown paused a.gcode 9 ! stop",
        "9 ready error a.gcode 7 ! bad",
    ];
    for before in before {
        for after in after {
            let (_, first) = before.split_once(' ').unwrap();
            let mut observer = Observer::default();
            observer.observe(&Observation::Seen(Arc::new(snapshot(first, moment(0.0)))), moment(0.0));
            let stored = observer.memory().clone();
            let (_, then) = after.split_once(' ').unwrap();
            let keys = |at: f64| {
                let mut observer = Observer::new(stored.clone());
                let observation = Observation::Seen(Arc::new(snapshot(then, moment(at))));
                let mut events = observer.observe(&observation, moment(at));
                events.extend(observer.observe(&observation, moment(at + 2.0)));
                events.into_iter().map(|event| event.key).collect::<Vec<_>>()
            };
            assert_eq!(keys(9.0), keys(77.0), "{before} / {after}");
        }
    }
}

#[test]
fn the_memory_changes_seldom_in_a_long_print() {
    let mut observer = Observer::default();
    let mut changes = 0;
    for second in 0..36_000 {
        let line = format!("ready printing a.gcode {second} | 01 a.gcode in_progress");
        let now = moment(f64::from(second));
        observer.observe(&Observation::Seen(Arc::new(snapshot(&line, now))), now);
        changes += u32::from(observer.take_changed());
    }
    assert!(changes <= 121, "{changes} writes in ten hours");
}

fn any_line() -> impl Strategy<Value = String> {
    let klippy = prop_oneof![5 => Just("ready"), 1 => Just("shutdown"), 1 => Just("disconnected"), 1 => Just("startup"), 1 => Just("error")];
    let print = prop_oneof![
        Just("-"),
        Just("standby"),
        Just("printing"),
        Just("paused"),
        Just("complete"),
        Just("cancelled"),
        Just("error")
    ];
    let file = prop_oneof![Just("a.gcode"), Just("b.gcode")];
    let status = prop_oneof![
        Just("in_progress"),
        Just("completed"),
        Just("cancelled"),
        Just("error"),
        Just("klippy_shutdown"),
        Just("server_exit"),
        Just("interrupted"),
        Just("news"),
    ];
    let record =
        (0_u32..6, file.clone(), status).prop_map(|(id, file, status)| format!("{id:02} {file} {status}"));
    let history = proptest::option::of(proptest::collection::vec(record, 0..4));
    let seen =
        (klippy, print, file, 0_u32..2000, history).prop_map(|(klippy, print, file, total, history)| {
            let history = history.map(|records| format!("| {}", records.join(", "))).unwrap_or_default();
            format!("{klippy} {print} {file} {total} {history}")
        });
    prop_oneof![12 => seen, 1 => Just("lost".to_owned()), 1 => Just("restart".to_owned())]
}

proptest! {
    /// Whatever comes: no panic, a small memory, and each job begins before it pauses, and pauses before it
    /// goes on.
    #[test]
    fn any_sequence_gives_orderly_events(
        steps in proptest::collection::vec((1_u32..40, any_line()), 0..60),
    ) {
        let mut observer = Observer::default();
        let mut now = 0.0;
        let mut running: Option<String> = None;
        let mut paused = false;
        let mut down = false;
        for (wait, line) in &steps {
            now += f64::from(*wait) / 10.0;
            let observation = match line.as_str() {
                "lost" => Observation::Lost { reason: String::new() },
                "restart" => {
                    let stored = observer.memory().to_json().unwrap();
                    prop_assert!(stored.len() < 2000, "{}", stored.len());
                    observer = Observer::new(Memory::from_json(&stored).unwrap());
                    continue;
                }
                seen => Observation::Seen(Arc::new(snapshot(seen, moment(now)))),
            };
            for event in observer.observe(&observation, moment(now)) {
                let base = event.key.split('/').next().unwrap_or_default().to_owned();
                match &event.kind {
                    EventKind::JobStarted => {
                        prop_assert_eq!(&running, &None, "{:?}", event);
                        running = Some(base);
                        paused = false;
                    }
                    EventKind::Paused { .. } | EventKind::Resumed => {
                        prop_assert_eq!(running.as_deref(), Some(base.as_str()), "{:?}", event);
                        paused = !paused;
                        prop_assert_eq!(paused, event.kind != EventKind::Resumed);
                    }
                    EventKind::Finished
                    | EventKind::Cancelled
                    | EventKind::Failed { .. }
                    | EventKind::Ended => {
                        // One that was not seen to run ends only while none runs.
                        prop_assert!(running.is_none() || running == Some(base), "{:?} {:?}", event, running);
                        running = None;
                    }
                    EventKind::KlippyDown { .. } | EventKind::KlippyReady => {
                        down = !down;
                        prop_assert_eq!(down, event.kind != EventKind::KlippyReady);
                    }
                    _ => {}
                }
            }
        }
    }
}
