//! What is told of a job that a feed shows, from its messages to the events.

use super::tests::{World, status};
use crate::printer::{EventKind, Memory, Observer};
use serde_json::json;

/// A message of the feed: `SECONDS STATE NAME PERCENT [ERROR]`; a dash is left out. Further lines are `SECONDS outage`
/// (the connection is lost and comes back) and `SECONDS restart` (so does this program).
fn play(lines: &str) -> Vec<String> {
    let mut world = World::new(0);
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let seconds = words[0].parse().unwrap();
        match words[1] {
            "outage" => world.reconnect(seconds),
            "restart" => {
                let memory = world.observer.memory().to_json().unwrap();
                let told = std::mem::take(&mut world.told);
                world = World::new(0);
                (world.told, world.observer) = (told, Observer::new(Memory::from_json(&memory).unwrap()));
                world.reconnect(seconds);
            }
            _ => {
                let text = |index: usize| words.get(index).copied().filter(|word| *word != "-");
                let number = |index| text(index).map(|number| number.parse::<u32>().unwrap());
                let mut object = json!({ "print_error": number(4).unwrap_or(0) });
                for (name, value) in [
                    ("gcode_state", text(1).map(Into::into)),
                    ("subtask_name", text(2).map(Into::into)),
                    ("mc_percent", number(3).map(Into::into)),
                ] {
                    if let Some(value) = value {
                        object[name] = value;
                    }
                }
                world.message(seconds, &status(&object));
            }
        }
    }
    world.told.iter().map(|told| short(told)).collect()
}

fn short(told: &str) -> String {
    let number = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match told {
        progress if progress.starts_with("Progress") => number(progress) + "%",
        paused if paused.starts_with("Paused") => "paused".to_owned(),
        fault if fault.starts_with("NeedsAttention") => {
            let code = fault.split("code: ").nth(2).unwrap_or_default();
            format!("error {}", number(code.split(' ').next().unwrap()))
        }
        failed if failed.starts_with("Failed") => "failed".to_owned(),
        other => other.to_owned(),
    }
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    assert_eq!(play(lines), expected, "{lines}");
}

#[test]
fn a_job_that_begins_anew_inside_itself_is_told_from_there() {
    check(
        "1 RUNNING a 52
         20 RUNNING a 8
         40 RUNNING a 10
         60 RUNNING a 9
         80 RUNNING a 11",
        &["job_started", "8%", "10%", "11%"],
    );
}

#[test]
fn the_end_of_the_progress_is_told_before_the_end_of_the_job() {
    check(
        "1 RUNNING a 0
         20 RUNNING a 99
         40 RUNNING a 100
         60 FINISH a 100
         80 IDLE a 100",
        &["job_started", "99%", "100%", "finished"],
    );
    // At the start it is that of the job before.
    check(
        "1 PREPARE a 100
         20 PREPARE a 100
         40 RUNNING a -
         60 RUNNING a 0
         80 RUNNING a 7",
        &["job_started", "0%", "7%"],
    );
}

#[test]
fn another_name_is_another_job() {
    // That nothing tells how the one before ended is told before it.
    let told = play(
        "1 RUNNING a 50
         20 RUNNING b/1\\two 13
         40 PAUSE c 14
         60 RUNNING c 15
         80 FINISH c 100",
    );
    let expected = ["job_started", "job_started", "job_started", "paused", "resumed", "15%", "finished"];
    assert_eq!(without_unknown_ends(&told), expected);
    for between in ["outage", "restart"] {
        let told = play(&format!("1 RUNNING a 50\n20 {between}\n30 RUNNING b 3\n40 RUNNING b 4"));
        assert_eq!(without_unknown_ends(&told), ["job_started", "job_started", "4%"], "{between}");
    }
}

fn without_unknown_ends(told: &[String]) -> Vec<&str> {
    let is_other = |told: &&str| !["failed", "replaced", "source_lost", "source_back"].contains(told);
    told.iter().map(String::as_str).filter(is_other).collect()
}

#[test]
fn the_same_name_after_an_end_is_another_job() {
    check(
        "1 RUNNING a 90
         20 FINISH a 100
         40 PREPARE a 100
         60 RUNNING a 0
         80 FAILED a 3 50348044",
        &["job_started", "finished", "job_started", "0%", "cancelled"],
    );
}

#[test]
fn an_end_out_of_sight_is_told_at_the_first_status() {
    // But for a failure, which waits for the code of a cancellation.
    for (word, told) in
        [("FINISH", "finished"), ("FAILED", "failed"), ("CANCELED", "cancelled"), ("IDLE", "ended")]
    {
        for between in ["outage", "restart"] {
            let all = play(&format!("1 RUNNING a 50\n20 {between}\n30 {word} a 50\n34 {word} a 50"));
            let all: Vec<&String> = all.iter().filter(|told| !told.starts_with("source")).collect();
            assert_eq!(all, ["job_started", told], "{between} {word}");
        }
    }
}

#[test]
fn what_has_no_name_is_not_told() {
    check("1 RUNNING - 50\n20 RUNNING - 60\n40 FINISH - 100", &[]);
    check("1 RUNNING - 50\n20 RUNNING a 60\n40 IDLE - 100", &["job_started", "ended"]);
    // Nor is a job of which only the end was seen.
    check("1 FINISH a 100\n20 IDLE a -\n30 FAILED a 5", &[]);
    check("1 OFFLINE a 50\n20 UNKNOWN a 60\n40 IDLE a 60", &[]);
}

#[test]
fn an_error_is_told_once_for_each_time_it_comes() {
    check(
        "1 RUNNING a 10
         2 RUNNING a 10 7
         3 RUNNING a 10 7
         4 RUNNING a 10
         5 RUNNING a 10 7
         6 RUNNING a 10 8
         7 RUNNING a 10 7
         8 restart
         9 RUNNING a 10 7
         10 RUNNING a 10
         11 RUNNING a 10 7",
        &["job_started", "error 7", "error 7", "error 8", "error 7", "error 7"],
    );
    // Also of a printer at rest, but not the one that stood before anybody looked.
    check("1 IDLE a -\n2 IDLE a - 7\n3 IDLE a -\n4 IDLE a - 7", &["error 7", "error 7"]);
    check("1 FINISH a 100 7\n2 IDLE a - 7\n3 IDLE a -\n4 IDLE a - 7", &["error 7"]);
    check("1 OFFLINE a - 7\n2 OFFLINE a - 7", &["error 7"]);
}

#[test]
fn the_job_bears_the_name_that_the_feed_gave_it() {
    let mut world = World::new(0);
    let named = |state: &str| status(&json!({"gcode_state": state, "subtask_name": "plate/1\\two.3mf"}));
    world.message(1.0, &named("RUNNING"));
    world.message(2.0, &named("FINISH"));
    let names: Vec<_> =
        world.events.iter().filter_map(|event| event.job.as_ref()).map(|job| job.name()).collect();
    assert_eq!(names, ["plate/1\\two.3mf"; 2]);
    assert_eq!(world.events.last().map(|event| &event.kind), Some(&EventKind::Finished));
}
