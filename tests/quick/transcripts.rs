//! Recordings of a real Moonraker, played through the real session and observer, give the events of the tables
//! beside them, uncut and cut at any boundary between messages and gone on from the stored memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: a failure is a panic, and the lines per transcript are the result"
)]

pub(crate) mod player;
mod sights;
pub(crate) mod stand_in;
mod table;

use player::{Told, Transcript};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use table::Table;

fn transcripts() -> Vec<PathBuf> {
    // `make` passes an empty one where none is given.
    let folder = std::env::var_os("VECTORS_DIR")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from)
        .join("moonraker");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    assert!(!paths.is_empty(), "no transcript in {}", folder.display());
    paths
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_stem().unwrap().to_string_lossy()
}

#[test]
fn each_gives_the_events_of_its_table() {
    let mut failed = 0;
    for path in transcripts() {
        let name = name(&path);
        let table = Table::beside(&path);
        if let Some(reason) = &table.skip {
            println!("moonraker {name} skipped: {reason}");
            continue;
        }
        let (told, _) = player::play(&Transcript::load(&path));
        match table.compare(&told) {
            Ok(()) => println!("moonraker {name} ok"),
            Err(difference) => {
                failed += 1;
                println!("moonraker {name} FAILED: {difference}\n{}", table::show(&told));
            }
        }
    }
    assert_eq!(failed, 0, "transcripts failed");
}

/// At each cut the old process is gone and a new one connects at once, as after a crash.
#[test]
fn each_gives_the_same_events_when_cut_and_gone_on() {
    let paths = std::sync::Mutex::new(transcripts());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cuts: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut cuts = 0;
                    while let Some(path) = { paths.lock().unwrap().pop() } {
                        cuts += cut_everywhere(&path);
                    }
                    cuts
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    println!("{cuts} cuts");
}

fn cut_everywhere(path: &Path) -> usize {
    let table = Table::beside(path);
    if table.skip.is_some() {
        return 0;
    }
    let transcript = Transcript::load(path);
    let (whole, boundaries) = player::play(&transcript);
    for (index, boundary) in boundaries.iter().enumerate() {
        let mut told = whole[..boundary.told].to_vec();
        told.extend(player::resume(&transcript, index, boundary));
        if let Err(difference) = table.compare(&told) {
            let t = transcript.items[index].0;
            panic!("{} cut before line {index} at {t}: {difference}\n{}", name(path), table::show(&told));
        }
        let difference = differing_keys(&whole, &told);
        assert!(difference.is_empty(), "{} cut before line {index}: {difference:?}", name(path));
    }
    boundaries.len()
}

/// The keys that an outbox would hold of one of the two only. What may be missing are per cents, which are joined, and
/// a dialog that was being opened at the cut: a new connection is not told its first lines again.
fn differing_keys<'t>(whole: &'t [Told], cut: &'t [Told]) -> Vec<&'t str> {
    let keys = |told: &'t [Told]| told.iter().map(|told| told.event.key.as_str()).collect::<BTreeSet<_>>();
    let (whole, cut) = (keys(whole), keys(cut));
    let missing = whole
        .difference(&cut)
        .filter(|key| !["/progress/", "/prompt/"].iter().any(|part| key.contains(part)));
    missing.chain(cut.difference(&whole)).copied().collect()
}

/// The outbox takes a key once: no two facts may share one, and a fact keeps its key.
#[test]
fn keys_name_facts() {
    for path in transcripts() {
        let transcript = Transcript::load(&path);
        let (told, _) = player::play(&transcript);
        let mut keys: Vec<&str> = told.iter().map(|told| told.event.key.as_str()).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count, "{}: {}", name(&path), table::show(&told));
        let (again, _) = player::play(&transcript);
        for (one, other) in told.iter().zip(&again) {
            assert_eq!(one.event.key, other.event.key);
        }
    }
}
