//! Jobs: which one, since when, and how it ended.

use super::super::Observer;
use super::{check, moment, show, snapshot};
use crate::clock::Moment;
use crate::printer::Observation;
use std::sync::Arc;
use std::time::Duration;

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
fn a_job_without_a_record_gets_no_other_jobs_record() {
    check(
        "0 ready standby |
         1 ready printing b.gcode 0.2 |
         2.1 ready printing b.gcode 1.3 |
         3 restart
         50 ready complete a.gcode 9 | 01 a.gcode in_progress
         51.5 ready complete a.gcode 9 | 01 a.gcode completed",
        &[
            "2.1 started b.gcode m-1/job_started",
            "51.5 failed b.gcode (the print ended while the printer was out of sight; how is not known) m-1/failed",
            "51.5 started a.gcode 01-1000/job_started",
            "51.5 finished a.gcode 01-1000/finished",
        ],
    );
}

#[test]
fn a_job_whose_record_came_while_we_were_away() {
    // Another file runs, or the same one again, or none.
    for (seen, next) in [
        (
            "printing a.gcode 9 | 02 a.gcode in_progress, 01 b.gcode cancelled",
            "50 started a.gcode 02-1000/job_started",
        ),
        (
            "printing b.gcode 9 | 02 b.gcode in_progress, 01 b.gcode cancelled",
            "50 started b.gcode 02-1000/job_started",
        ),
        (
            "standby | 02 b.gcode error, 01 b.gcode cancelled",
            "50 failed b.gcode (the print ended with an error) 02-1000/failed",
        ),
    ] {
        check(
            &format!("0 ready standby |\n1 ready printing b.gcode 0.2 |\n2 restart\n50 ready {seen}"),
            &["50 started b.gcode 01-1000/job_started", "50 cancelled b.gcode 01-1000/cancelled", next],
        );
    }
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
fn a_file_that_is_reset_in_the_print_is_cancelled_as_far_as_the_history_says_so() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 ready standby | 01 a.gcode in_progress
         1.01 ready standby | 01 a.gcode cancelled",
        &["0 started a.gcode 01-1000/job_started", "1.01 cancelled a.gcode 01-1000/cancelled"],
    );
    check(
        "0 ready printing a.gcode 5
         1 ready standby",
        &["0 started a.gcode m-1/job_started", "1 ended a.gcode m-1/ended"],
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
