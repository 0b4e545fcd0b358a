//! Progress.

use super::{check, events};
use crate::printer::{Observation, Observer};
use std::sync::Arc;

#[test]
fn each_new_highest_per_cent_is_told_and_jumps_are_joined() {
    check(
        "0 ready standby
         1 ready printing a.gcode 1 ; p=0
         2 ready printing a.gcode 2 ; p=0.0099
         3 ready printing a.gcode 3 ; p=0.01
         4 ready printing a.gcode 4 ; p=0.0199
         5 ready printing a.gcode 5 ; p=0.29
         6 ready printing a.gcode 6 ; p=0.28
         7 ready printing a.gcode 7 ; p=0.295
         8 ready printing a.gcode 8
         9 ready printing a.gcode 9 ; p=7.5
         10 ready printing a.gcode 10 ; p=0.999
         11 ready printing a.gcode 11 ; p=1
         12 ready complete a.gcode 12 ; p=1
         20 ready printing a.gcode 0.1 ; p=0
         21 ready printing a.gcode 1 ; p=0.02",
        &[
            "1 started a.gcode m-1/job_started",
            "3 progress a.gcode (1) m-1/progress/1",
            "5 progress a.gcode (29) m-1/progress/29",
            "10 progress a.gcode (99) m-1/progress/99",
            "11 progress a.gcode (100) m-1/progress/100",
            "12 finished a.gcode m-1/finished",
            "20 started a.gcode m-2/job_started",
            "21 progress a.gcode (2) m-2/progress/2",
        ],
    );
}

#[test]
fn a_job_found_running_begins_where_it_is() {
    check(
        "0 ready printing a.gcode 500 ; p=0.37 | 01 a.gcode in_progress
         1 ready printing a.gcode 501 ; p=0.379 | 01 a.gcode in_progress
         2 ready printing a.gcode 502 ; p=0.36 | 01 a.gcode in_progress
         3 ready printing a.gcode 503 ; p=0.37 | 01 a.gcode in_progress
         4 ready printing a.gcode 504 ; p=0.38 | 01 a.gcode in_progress",
        &["0 started a.gcode 01-1000/job_started", "4 progress a.gcode (38) 01-1000/progress/38"],
    );
}

#[test]
fn a_fall_is_told_and_what_comes_after_it_once_more() {
    // The head of the file counts as printed until the file's bounds are known, 87 % of it in a recording; or the job
    // before still shows.
    for wrong in ["0.87", "1", "0.99"] {
        check(
            &format!(
                "0 ready standby
                 1 ready printing a.gcode 0.1 ; p={wrong}
                 2 ready printing a.gcode 0.3 ; p=0
                 60 ready printing a.gcode 60 ; p=0.01
                 61 ready printing a.gcode 61 ; p=0.0"
            ),
            &[
                "1 started a.gcode m-1/job_started",
                "2 progress a.gcode (0) m-1/progress/1/0",
                "60 progress a.gcode (1) m-1/progress/1/1",
            ],
        );
    }
    // The job begins anew under its name; each per cent is told under a key of its own.
    check(
        "0 ready printing a.gcode 9 ; p=0.1
         1 ready printing a.gcode 10 ; p=0.52
         2 ready printing a.gcode 11 ; p=0.08
         3 ready printing a.gcode 12 ; p=0.52
         4 ready printing a.gcode 13 ; p=0.5
         5 ready printing a.gcode 14 ; p=0.52",
        &[
            "0 started a.gcode m-1/job_started",
            "1 progress a.gcode (52) m-1/progress/52",
            "2 progress a.gcode (8) m-1/progress/1/8",
            "3 progress a.gcode (52) m-1/progress/1/52",
            "4 progress a.gcode (50) m-1/progress/2/50",
            "5 progress a.gcode (52) m-1/progress/2/52",
        ],
    );
    // Also by a program that was started anew between.
    check(
        "0 ready printing a.gcode 9 ; p=0.1
         1 ready printing a.gcode 10 ; p=0.5
         2 ready printing a.gcode 11 ; p=0.2
         3 restart
         4 ready printing a.gcode 12 ; p=0.5",
        &[
            "0 started a.gcode m-1/job_started",
            "1 progress a.gcode (50) m-1/progress/50",
            "2 progress a.gcode (20) m-1/progress/1/20",
            "4 progress a.gcode (50) m-1/progress/1/50",
        ],
    );
}

#[test]
fn the_slicers_progress_counts_once_it_is_known() {
    check(
        "0 ready printing a.gcode 1 ; p=0.1
         1 ready printing a.gcode 2 ; p=0.12 m=0.05
         2 ready printing a.gcode 3 ; p=0.2 m=0.07
         3 restart
         4 ready paused a.gcode 4 ; p=0.21
         5 ready printing a.gcode 5 ; p=0.22
         6 ready printing a.gcode 6 ; p=0.23 m=0.08",
        &[
            "0 started a.gcode m-1/job_started",
            "1 progress a.gcode (5) m-1/progress/1/5",
            "2 progress a.gcode (7) m-1/progress/1/7",
            "4 paused a.gcode m-1/paused/1",
            "5 resumed a.gcode m-1/resumed/1",
            "6 progress a.gcode (8) m-1/progress/1/8",
        ],
    );
}

#[test]
fn wavering_by_one_is_nothing() {
    check(
        "0 ready printing a.gcode 9 ; p=0.24
         1 ready printing a.gcode 10 ; p=0.25
         2 ready printing a.gcode 11 ; p=0.24
         3 ready printing a.gcode 12 ; p=0.25
         4 ready printing a.gcode 13 ; p=0.24
         5 ready printing a.gcode 14 ; p=0.26",
        &[
            "0 started a.gcode m-1/job_started",
            "1 progress a.gcode (25) m-1/progress/25",
            "5 progress a.gcode (26) m-1/progress/26",
        ],
    );
}

#[test]
fn progress_that_is_not_known_at_the_start_is_told_when_it_is() {
    check(
        "0 ready printing a.gcode 9
         1 ready printing a.gcode 10 ; p=0.17",
        &["0 started a.gcode m-1/job_started", "1 progress a.gcode (17) m-1/progress/17"],
    );
    check(
        "0 ready printing a.gcode 9
         1 ready printing a.gcode 10 ; p=0",
        &["0 started a.gcode m-1/job_started", "1 progress a.gcode (0) m-1/progress/0"],
    );
}

#[test]
fn after_a_restart_it_goes_on_and_repeats_only_under_the_same_key() {
    check(
        "0 ready printing a.gcode 1 ; p=0 | 01 a.gcode in_progress
         1 ready printing a.gcode 2 ; p=0.41 | 01 a.gcode in_progress
         2 ready printing a.gcode 3 ; p=0.42 | 01 a.gcode in_progress
         3 restart
         4 ready printing a.gcode 5 ; p=0.42 | 01 a.gcode in_progress
         5 ready printing a.gcode 6 ; p=0.41 | 01 a.gcode in_progress
         6 ready printing a.gcode 7 ; p=0.45 | 01 a.gcode in_progress
         7 restart
         8 ready printing a.gcode 9 ; p=0.45 | 01 a.gcode in_progress
         9 restart
         99 ready printing a.gcode 99 ; p=0.6 | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 progress a.gcode (41) 01-1000/progress/41",
            "2 progress a.gcode (42) 01-1000/progress/42",
            "4 progress a.gcode (42) 01-1000/progress/42",
            "6 progress a.gcode (45) 01-1000/progress/45",
            "99 progress a.gcode (60) 01-1000/progress/60",
        ],
    );
}

#[test]
fn it_stands_before_a_pause_and_behind_its_end() {
    check(
        "0 ready printing a.gcode 1 ; p=0
         1 ready paused a.gcode 2 ; p=0.1
         2 ready printing a.gcode 3 ; p=0.2",
        &[
            "0 started a.gcode m-1/job_started",
            "1 progress a.gcode (10) m-1/progress/10",
            "1 paused a.gcode m-1/paused/1",
            "2 resumed a.gcode m-1/resumed/1",
            "2 progress a.gcode (20) m-1/progress/20",
        ],
    );
}

#[test]
fn an_event_carries_what_a_message_needs() {
    let told = events(
        "0 ready standby
         1 ready printing a.gcode 1 ; p=0 d=0 z=0.2 used=0
         2 ready printing a.gcode 700 ; p=0.25 d=600 l=12 of=40 used=1500
         3 ready complete a.gcode 900 ; p=1 d=800 l=40 of=40 used=6000",
    );
    let job = |index: usize| told[index].1.job.as_ref().unwrap();
    let progress = job(1);
    assert_eq!((progress.layer, progress.layers, progress.percent()), (Some(12), Some(40), Some(25)));
    assert_eq!(
        (progress.filament_used, progress.left.map(|left| left.as_secs())),
        (Some(1500.0), Some(1800))
    );
    assert_eq!(progress.print_duration.map(|printed| printed.as_secs()), Some(600));
    let start = job(0);
    assert_eq!((start.layer, start.layers, start.left), (None, Some(50), None));
    let end = &told.last().unwrap().1;
    assert_eq!(end.key.rsplit('/').next(), Some("finished"));
    let end = end.job.as_ref().unwrap();
    assert_eq!(
        (end.left, end.progress, end.layer, end.filament_used),
        (None, Some(1.0), Some(40), Some(6000.0))
    );
}

#[test]
fn a_message_names_no_layer_of_a_moment() {
    let told = events(
        "0 ready standby
         1 ready printing a.gcode 1 ; p=0 d=0 z=0.2
         2 ready printing a.gcode 2 ; p=0 d=1 z=0.2
         13 ready printing a.gcode 13 ; p=0 d=12 z=0.2
         14 ready printing a.gcode 14 ; p=0.02 d=13 z=5
         15 ready paused a.gcode 15 ; p=0.02 d=13 z=9",
    );
    let layers: Vec<_> = told.iter().map(|(_, event)| event.job.as_ref().unwrap().layer).collect();
    assert_eq!(layers, [None, Some(1), Some(1), Some(1)]);
}

#[test]
fn the_memory_changes_seldom_however_long_a_print_is() {
    let mut observer = Observer::default();
    let mut changes = 0;
    for second in 0..36_000 {
        let (progress, layer) = (f64::from(second) / 36_000.0, 1 + second / 36);
        let line = format!(
            "ready printing a.gcode {second} ; p={progress} l={layer} of=1000 e0:1 | 01 a.gcode in_progress"
        );
        let now = super::moment(f64::from(second));
        observer.observe(&Observation::Seen(Arc::new(super::snapshot(&line, now))), now);
        changes += u32::from(observer.take_changed());
    }
    // One for each of 120 steps of time, 23 of progress, 44 of layers, and a few at the start.
    assert!(changes <= 195, "{changes} writes in ten hours");
}
