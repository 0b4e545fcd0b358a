//! Layers.

use super::check;

#[test]
fn the_slicers_numbers_are_told_at_once_and_only_rise() {
    check(
        "0 ready standby
         1 ready printing a.gcode 1 ; d=0
         2 ready printing a.gcode 2 ; l=0 of=40
         3 ready printing a.gcode 3 ; l=1 of=40
         4 ready printing a.gcode 4 ; l=1 of=40
         5 ready printing a.gcode 5 ; l=2 of=40
         6 ready printing a.gcode 6 ; l=3
         7 ready printing a.gcode 7 ; l=1 of=40
         8 ready printing a.gcode 8 ; l=7 of=40",
        &[
            "1 started a.gcode m-1/job_started",
            "3 layer a.gcode (1/40) m-1/layer/1",
            "5 first_layer_done a.gcode m-1/first_layer_done",
            "5 layer a.gcode (2/40) m-1/layer/2",
            "6 layer a.gcode (3) m-1/layer/3",
            "8 layer a.gcode (7/40) m-1/layer/7",
        ],
    );
}

#[test]
fn layers_before_the_first_sight_are_no_news() {
    check(
        "0 ready printing a.gcode 99 ; l=7 d=9
         1 ready printing a.gcode 100 ; l=8 d=9",
        &["0 started a.gcode m-1/job_started", "1 layer a.gcode (8) m-1/layer/8"],
    );
    // The number comes a moment after the rest.
    check(
        "0 ready printing a.gcode 99 ; d=9
         1 ready printing a.gcode 100 ; l=7 d=9
         2 ready printing a.gcode 100 ; l=8 d=9",
        &["0 started a.gcode m-1/job_started", "2 layer a.gcode (8) m-1/layer/8"],
    );
    // Found in its first layer, that is still to be done.
    check(
        "0 ready printing a.gcode 99 ; l=1 d=9
         1 ready printing a.gcode 100 ; l=2 d=9",
        &[
            "0 started a.gcode m-1/job_started",
            "1 first_layer_done a.gcode m-1/first_layer_done",
            "1 layer a.gcode (2) m-1/layer/2",
        ],
    );
    // Found before it printed anything.
    check(
        "0 ready printing a.gcode 99 ; d=0
         1 ready printing a.gcode 100 ; l=1 d=1",
        &["0 started a.gcode m-1/job_started", "1 layer a.gcode (1) m-1/layer/1"],
    );
}

#[test]
fn a_reckoned_layer_must_hold() {
    check(
        "0 ready standby
         1 ready printing a.gcode 1 ; d=0 z=50
         2 ready printing a.gcode 2 ; d=1 z=0.2
         5 ready printing a.gcode 5 ; d=4 z=0.8
         6 ready printing a.gcode 6 ; d=5 z=0.2
         11.9 ready printing a.gcode 12 ; d=11 z=0.6
         12 ready printing a.gcode 12 ; d=11 z=0.2
         20 ready printing a.gcode 20 ; d=19 z=0.4
         25 ready printing a.gcode 25 ; d=24 z=0.8
         29.9 ready printing a.gcode 29 ; d=28 z=0.4
         30 ready printing a.gcode 30 ; d=29 z=0.8
         31 ready printing a.gcode 31 ; d=30 z=0.4
         32 ready printing a.gcode 32 ; d=31 z=1.0
         33 ready printing a.gcode 33 ; d=32 z=0.6
         42 ready printing a.gcode 42 ; d=41 z=0.6
         43 ready printing a.gcode 43 ; d=42 z=0.8
         44 ready printing a.gcode 44 ; d=43 z=0.6
         53.5 ready printing a.gcode 53 ; d=52 z=0.8
         54 ready printing a.gcode 54 ; d=53 z=0.2
         65 ready printing a.gcode 65 ; d=64 z=0.2",
        &[
            "1 started a.gcode m-1/job_started",
            "12 layer a.gcode (1/50) m-1/layer/1",
            "30 first_layer_done a.gcode m-1/first_layer_done",
            "30 layer a.gcode (2/50) m-1/layer/2",
            "42 layer a.gcode (3/50) m-1/layer/3",
        ],
    );
}

#[test]
fn a_head_that_is_parked_is_no_layer() {
    check(
        "0 ready printing a.gcode 1 ; d=9 z=0.2
         5 ready paused a.gcode 6 ; d=10 z=9
         50 ready paused a.gcode 51 ; d=10 z=9
         51 ready printing a.gcode 52 ; d=11 z=0.2
         62 ready printing a.gcode 63 ; d=22 z=0.2",
        &[
            "0 started a.gcode m-1/job_started",
            "5 paused a.gcode m-1/paused/1",
            "51 resumed a.gcode m-1/resumed/1",
        ],
    );
}

#[test]
fn after_a_restart_no_layer_is_told_under_another_key() {
    check(
        "0 ready standby |
         1 ready printing a.gcode 1 ; d=0 l=1 | 01 a.gcode in_progress
         2 ready printing a.gcode 2 ; d=1 l=2 | 01 a.gcode in_progress
         3 restart
         4 ready printing a.gcode 4 ; d=3 l=2 | 01 a.gcode in_progress
         5 ready printing a.gcode 5 ; d=4 l=30 | 01 a.gcode in_progress
         6 ready printing a.gcode 6 ; d=5 l=33 | 01 a.gcode in_progress
         7 restart
         8 ready printing a.gcode 8 ; d=7 l=33 | 01 a.gcode in_progress
         9 ready printing a.gcode 9 ; d=8 l=34 | 01 a.gcode in_progress",
        &[
            "1 started a.gcode 01-1000/job_started",
            "1 layer a.gcode (1) 01-1000/layer/1",
            "2 first_layer_done a.gcode 01-1000/first_layer_done",
            "2 layer a.gcode (2) 01-1000/layer/2",
            "5 layer a.gcode (30) 01-1000/layer/30",
            "6 layer a.gcode (33) 01-1000/layer/33",
            "8 layer a.gcode (33) 01-1000/layer/33",
            "9 layer a.gcode (34) 01-1000/layer/34",
        ],
    );
    // The first layer was done while we were away.
    check(
        "0 ready printing a.gcode 1 ; d=0 l=1 | 01 a.gcode in_progress
         3 restart
         90 ready printing a.gcode 4 ; d=3 l=9 | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "0 layer a.gcode (1) 01-1000/layer/1",
            "90 first_layer_done a.gcode 01-1000/first_layer_done",
            "90 layer a.gcode (9) 01-1000/layer/9",
        ],
    );
}
