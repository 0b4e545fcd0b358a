//! Who paused the job.

use super::play;

/// What is told of a pause that comes at 100 s into a job, after `before`.
#[track_caller]
fn paused(before: &str, at_the_pause: &str, expected: &str) {
    let lines = format!(
        "0 ready printing a.gcode 1 ; e0:1 e1:0
         {before}
         100 ready paused a.gcode 101 ; {at_the_pause}"
    );
    let told = play(&lines);
    let found: Vec<_> = told.iter().filter(|line| line.contains(" paused ")).collect();
    assert_eq!(found, [&format!("100 paused a.gcode {expected}m-1/paused/1")], "{lines}");
}

#[test]
fn who_paused_is_told_where_it_is_certain() {
    for (before, at_the_pause, expected) in [
        ("", "e0:1 e1:0", ""),
        // Somebody over a bridge, within a minute, and not what was taken back.
        ("40.1 pause Telegram: Ada", "e0:1 e1:0", "(bridge Telegram: Ada) "),
        ("39.9 pause telegram", "e0:1 e1:0", ""),
        ("90 pause telegram\n91 resume telegram", "e0:1 e1:0", ""),
        ("90 pause telegram\n91 ready printing a.gcode 91 ; e0:0 e1:0", "e0:0 e1:0", "(bridge telegram) "),
        // Filament that runs out with the pause, a moment before it, long before it, or came back before it.
        ("", "e0:0 e1:0", "(runout e0) "),
        ("99 ready printing a.gcode 99 ; e0:0 e1:0", "e0:0 e1:0", "(runout e0) "),
        ("9 ready printing a.gcode 9 ; e0:0 e1:0", "e0:0 e1:0", "(runout e0) "),
        ("9 ready printing a.gcode 9 ; e0:0 e1:0\n50 restart", "e0:0 e1:0", "(runout e0) "),
        (
            "92 ready printing a.gcode 9 ; e0:0 e1:0\n95 ready printing a.gcode 9 ; e0:1 e1:0",
            "e0:1 e1:0",
            "(runout e0) ",
        ),
        ("9 ready printing a.gcode 9 ; e0:0 e1:0\n10 ready printing a.gcode 9 ; e0:1 e1:0", "e0:1 e1:0", ""),
        // A sensor that nobody minds, and one that was empty all the time.
        ("", "e0:-0 e1:0", ""),
        // A fault of the vendor's.
        ("99 ready printing a.gcode 99 ; e0:1 e1:0 fault=523-1-12@3", "e0:1 e1:0", "(fault 523-1-12: bad) "),
        ("", "e0:1 e1:0 fault=523-1-12@2", "(fault 523-1-12: bad) "),
        ("", "e0:1 e1:0 fault=523-1-12@1", ""),
        ("80 ready printing a.gcode 80 ; e0:1 e1:0 fault=523-1-12@3", "e0:1 e1:0 fault=523-1-12@3", ""),
        // The vendor tells a runout as a fault too: the sensor says more.
        ("", "e0:0 e1:0 fault=523-1-12@2", "(runout e0) "),
        // A fault now says more than a runout that was passed by hours ago.
        ("9 ready printing a.gcode 9 ; e0:0 e1:0", "e0:0 e1:0 fault=523-1-12@2", "(fault 523-1-12: bad) "),
        // The console: only what is surely meant.
        ("99 console !! SD busy", "e0:1 e1:0", ""),
        ("99 console // action:notification Change to red", "e0:1 e1:0", "(: Change to red) "),
        ("99 console // probe at 3,4 is z=1", "e0:1 e1:0", ""),
        ("97 console // action:notification Change to red", "e0:1 e1:0", ""),
        ("99 console // action:notification  ", "e0:1 e1:0", ""),
    ] {
        paused(before, at_the_pause, expected);
    }
}

#[test]
fn one_cause_explains_one_pause() {
    let told = play(
        "0 ready printing a.gcode 1 ; e0:1
         1 pause telegram
         2 ready paused a.gcode 2 ; e0:1
         3 ready printing a.gcode 3 ; e0:1
         4 ready paused a.gcode 4 ; e0:1",
    );
    assert_eq!(
        told,
        [
            "0 started a.gcode m-1/job_started",
            "2 paused a.gcode (bridge telegram) m-1/paused/1",
            "3 resumed a.gcode m-1/resumed/1",
            "4 paused a.gcode m-1/paused/2",
        ]
    );
}

#[test]
fn a_job_found_paused_waits_for_filament_if_there_is_none_anywhere() {
    for (sensors, by) in
        [("e0:0", "(runout e0) "), ("e0:-0 e1:0", "(runout e1) "), ("e0:0 e1:1", ""), ("e0:-0", ""), ("", "")]
    {
        let told = play(&format!("0 ready paused a.gcode 9 ; {sensors}"));
        let expected = format!("0 paused a.gcode {by}m-1/paused/1");
        assert_eq!(told, ["0 started a.gcode m-1/job_started".to_owned(), expected], "{sensors}");
    }
}

#[test]
fn who_asked_for_it_is_told_with_what_came_of_it() {
    let told = play(
        "0 cancel nobody: there is no job
         1 ready printing a.gcode 1
         10 pause Telegram: Ada
         11 ready paused a.gcode 11
         20 resume Telegram: Bob
         21 ready printing a.gcode 21
         30 ready paused a.gcode 30
         31 ready printing a.gcode 31
         40 cancel Telegram: Ada
         95 ready printing a.gcode 95
         100 ready cancelled a.gcode 100
         101 ready printing b.gcode 1
         102 ready cancelled b.gcode 1",
    );
    assert_eq!(
        told,
        [
            "1 started a.gcode m-1/job_started",
            "11 paused a.gcode (bridge Telegram: Ada) m-1/paused/1",
            "21 resumed a.gcode (Telegram: Bob) m-1/resumed/1",
            "30 paused a.gcode m-1/paused/2",
            "31 resumed a.gcode m-1/resumed/2",
            "100 cancelled a.gcode (Telegram: Ada) m-1/cancelled",
            "101 started b.gcode m-2/job_started",
            "102 cancelled b.gcode m-2/cancelled",
        ]
    );
    // A job that ends another way was not ended by it, nor is the next one.
    let told = play(
        "1 ready printing a.gcode 1
         2 cancel Telegram: Ada
         3 ready complete a.gcode 3
         4 ready printing b.gcode 1
         5 ready cancelled b.gcode 2",
    );
    assert!(!told.iter().any(|line| line.contains("Ada")), "{told:?}");
}
