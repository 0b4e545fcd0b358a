//! The outbox of a process that is killed without warning.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test sets up may fail it"
)]

use octobridge::outbox::{Entry, Importance, Limits, Outbox, Persistence};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PLACE: &str = "OUTBOX_CHILD_PLACE";

fn open(directory: &Path) -> Outbox {
    let limits = Limits { entries: 10_000, bytes: 10_000_000, keys: 10_000, history: 1000 };
    Outbox::open(&directory.join("outbox/test.journal"), limits).0
}

/// Not a test of its own: what the killed process does.
#[test]
fn child() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let mut outbox = open(Path::new(&place));
    assert_eq!(outbox.persistence(), Persistence::Disk);
    let mut out = std::io::stderr();
    for n in 0.. {
        let (key, at) = (format!("k{n}"), Duration::from_secs(n));
        outbox.push(Entry { key, importance: Importance::Terminal, at, slot: None, body: vec![7; 50] });
        writeln!(out, "pushed {n}").unwrap();
        if n % 3 == 2 {
            let held = outbox.peek().unwrap().clone();
            outbox.done(held.id);
            writeln!(out, "done {}", held.entry.key).unwrap();
        }
    }
}

#[test]
fn nothing_is_lost_to_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outbox::child", "--nocapture", "--test-threads=1"])
        .env(PLACE, place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut pushed, mut done) = (0, 0);
    let mut note = |line: String| {
        pushed += usize::from(line.starts_with("pushed"));
        done += usize::from(line.starts_with("done"));
    };
    for line in lines.by_ref().take(200) {
        note(line.unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lines.map_while(Result::ok).for_each(&mut note);
    assert!(pushed > 100 && done > 30, "{pushed} {done}");
    let outbox = open(place.path());
    let waiting: Vec<u64> = outbox.waiting().map(|held| held.entry.at.as_secs()).collect();
    // One push or one delivery may have been under way.
    let (first, last) = (waiting[0] as usize, *waiting.last().unwrap() as usize);
    assert!(first == done || first == done + 1, "{first} {done}");
    assert!(last + 1 == pushed || last == pushed, "{last} {pushed}");
    assert_eq!(waiting, (first as u64..=last as u64).collect::<Vec<_>>());
}
