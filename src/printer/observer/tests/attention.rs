//! Filament, dialogs and faults.

use super::check;

#[test]
fn filament_that_runs_out_is_told_once_and_before_the_pause() {
    check(
        "0 ready printing a.gcode 1 ; e0:1 e1:0
         1 ready printing a.gcode 2 ; e0:0 e1:0
         2 ready paused a.gcode 3 ; e0:0 e1:0
         3 ready printing a.gcode 4 ; e0:0 e1:0
         4 restart
         5 ready printing a.gcode 6 ; e0:0 e1:0
         6 ready printing a.gcode 7 ; e0:1 e1:0
         7 ready paused a.gcode 8 ; e0:0 e1:0",
        &[
            "0 started a.gcode m-1/job_started",
            "1 attention a.gcode (runout e0) m-1/runout/e0/1",
            "2 paused a.gcode (runout e0) m-1/paused/1",
            "3 resumed a.gcode m-1/resumed/1",
            "7 attention a.gcode (runout e0) m-1/runout/e0/2",
            "7 paused a.gcode (runout e0) m-1/paused/2",
        ],
    );
}

#[test]
fn filament_that_somebody_pulls_out_is_no_runout() {
    // Without a job, in a pause, at a sensor that is switched off, or after Klipper went.
    check(
        "0 ready standby ; e0:1\n1 ready standby ; e0:0\n2 ready printing a.gcode 1 ; e0:0",
        &["2 started a.gcode m-1/job_started"],
    );
    check(
        "0 ready printing a.gcode 1 ; e0:1
         1 ready paused a.gcode 2 ; e0:1
         2 ready paused a.gcode 3 ; e0:0
         3 ready paused a.gcode 4 ; e0:1
         4 ready printing a.gcode 5 ; e0:1
         5 ready printing a.gcode 6 ; e0:-0
         6 ready printing a.gcode 7 ; e0:0
         7 shutdown printing a.gcode 8 ; e0:0 ! stop",
        &[
            "0 started a.gcode m-1/job_started",
            "1 paused a.gcode m-1/paused/1",
            "4 resumed a.gcode m-1/resumed/1",
            "7 klippy_down (stop) m/klippy_down/1",
            "7 failed a.gcode (stop) m-1/failed",
        ],
    );
}

#[test]
fn filament_that_ran_out_while_we_were_away() {
    check(
        "0 ready printing a.gcode 1 ; e0:1 | 01 a.gcode in_progress
         1 restart
         60 ready paused a.gcode 61 ; e0:0 | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "60 attention a.gcode (runout e0) 01-1000/runout/e0/1",
            "60 paused a.gcode (runout e0) 01-1000/paused/1",
        ],
    );
}

#[test]
fn sensors_that_are_gone_make_room_for_others() {
    let old: Vec<String> = (0..16).map(|number| format!("old{number}:1")).collect();
    check(
        &format!(
            "0 ready printing a.gcode 1 ; {}
             1 ready printing a.gcode 2 ; new:1
             2 ready printing a.gcode 3 ; new:0",
            old.join(" ")
        ),
        &["0 started a.gcode m-1/job_started", "2 attention a.gcode (runout new) m-1/runout/new/1"],
    );
}

#[test]
fn a_dialog_is_told_once_until_it_is_closed() {
    let told = super::play(
        "0 ready standby
         20 ready standby ; prompt=Go/on
         21 ready standby ; prompt=Go/on
         22 restart
         23 ready standby ; prompt=Go/on
         24 ready standby
         25 ready standby ; prompt=Go/on
         40 ready standby
         41 ready standby ; prompt=Go/on
         42 ready standby ; prompt=Stop
         43 ready printing a.gcode 1 ; prompt=Stop
         44 ready printing a.gcode 2 ; prompt=Other",
    );
    let without_sums: Vec<String> = told
        .iter()
        .map(|line| match line.split_once("prompt/") {
            Some((head, key)) => format!("{head}prompt/…/{}", key.rsplit('/').next().unwrap()),
            None => line.clone(),
        })
        .collect();
    assert_eq!(
        without_sums,
        [
            "20 attention (Go/on) m/prompt/…/1",
            "41 attention (Go/on) m/prompt/…/2",
            "42 attention (Stop) m/prompt/…/3",
            "43 started a.gcode m-1/job_started",
            "44 attention a.gcode (Other) m/prompt/…/4",
        ]
    );
}

#[test]
fn a_fault_is_told_once_while_it_stands() {
    check(
        "0 ready standby
         20 ready standby ; fault=523-1-12@2 fault=522-0-1@1
         21 ready standby ; fault=523-1-12@2 fault=522-0-1@1 fault=2052-0-3@3
         22 restart
         23 ready standby
         24 ready standby ; fault=523-1-12@2 fault=2052-0-3@3
         34 ready standby ; fault=523-1-12@2
         35 ready printing a.gcode 1 ; fault=523-1-12@2 fault=2052-0-3@3",
        &[
            "20 attention (fault 523-1-12 level 2: bad) m/fault/523-1-12/1",
            "21 attention (fault 2052-0-3 level 3: bad) m/fault/2052-0-3/2",
            "35 started a.gcode m-1/job_started",
            "35 attention a.gcode (fault 2052-0-3 level 3: bad) m/fault/2052-0-3/3",
        ],
    );
}

#[test]
fn what_stands_at_the_first_sight_is_news_only_in_a_job() {
    // The list may come a moment after the first sight.
    check(
        "0 ready standby
         0.2 ready standby ; fault=523-1-12@3 prompt=Go
         11 ready standby ; fault=523-1-12@3 prompt=Go
         12 ready standby ; fault=523-1-12@3 fault=523-2-12@3 prompt=Go",
        &["12 attention (fault 523-2-12 level 3: bad) m/fault/523-2-12/1"],
    );
    check(
        "0 ready printing a.gcode 9 ; fault=523-1-12@3",
        &[
            "0 started a.gcode m-1/job_started",
            "0 attention a.gcode (fault 523-1-12 level 3: bad) m/fault/523-1-12/1",
        ],
    );
    // Faults need no Klipper.
    check(
        "0 ready standby
         20 ready standby
         21 disconnected - ; fault=2052-0-3@3",
        &["21 klippy_down m/klippy_down/1", "21 attention (fault 2052-0-3 level 3: bad) m/fault/2052-0-3/1"],
    );
}

#[test]
fn the_start_of_a_job_comes_before_what_is_wrong_with_it() {
    check(
        "0 ready standby |
         20 ready standby |
         21 ready printing a.gcode 0.1 ; fault=523-1-12@3 |
         21.1 ready printing a.gcode 0.2 ; fault=523-1-12@3 | 01 a.gcode in_progress
         21.2 ready paused a.gcode 0.3 ; fault=523-1-12@3 | 01 a.gcode in_progress",
        &[
            "21.1 started a.gcode 01-1000/job_started",
            "21.1 attention a.gcode (fault 523-1-12 level 3: bad) m/fault/523-1-12/1",
            "21.2 paused a.gcode (fault 523-1-12: bad) 01-1000/paused/1",
        ],
    );
}
