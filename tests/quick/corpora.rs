//! What the fuzzers have found worth keeping goes through their bodies once more.

#[path = "../../fuzz/bodies/bootstrap.rs"]
mod bootstrap;
#[path = "../../fuzz/bodies/extended_cfg.rs"]
mod extended_cfg;
#[path = "../../fuzz/bodies/feed.rs"]
mod feed;
#[path = "../../fuzz/bodies/moonraker_frames.rs"]
mod moonraker_frames;
#[path = "../../fuzz/bodies/outbox.rs"]
mod outbox;

use std::path::Path;

/// A target and what it does with bytes.
type Body = (&'static str, fn(&[u8]));

const BODIES: [Body; 5] = [
    ("bootstrap", bootstrap::run),
    ("extended_cfg", extended_cfg::run),
    ("feed", feed::run),
    ("moonraker_frames", moonraker_frames::run),
    ("outbox", outbox::run),
];

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn replay() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, body) in BODIES {
        let folder = fuzz.join("corpus").join(name);
        let files = names(&folder);
        assert!(!files.is_empty(), "no corpus for {name}");
        for file in files {
            // The file's name shows where a panic comes from.
            println!("{name}/{file}");
            body(&std::fs::read(folder.join(file)).unwrap());
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let replayed: Vec<String> = BODIES.iter().map(|(name, _)| format!("{name}.rs")).collect();
    for folder in ["fuzz_targets", "bodies"] {
        // Those of the image builder are replayed by crates/octofw/tests/corpora.rs.
        let ours: Vec<String> =
            names(&fuzz.join(folder)).into_iter().filter(|name| !name.starts_with("fw_")).collect();
        assert_eq!(ours, replayed);
    }
}
