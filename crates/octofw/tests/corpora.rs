//! What the fuzzers have found worth keeping of the image builder's formats goes through their bodies once more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

#[path = "../../../fuzz/bodies/fw_containers.rs"]
mod fw_containers;
#[path = "../../../fuzz/bodies/fw_elf.rs"]
mod fw_elf;
#[path = "../../../fuzz/bodies/fw_lint.rs"]
mod fw_lint;
#[path = "../../../fuzz/bodies/fw_overlay.rs"]
mod fw_overlay;
#[path = "../../../fuzz/bodies/fw_squashfs.rs"]
mod fw_squashfs;
#[path = "../../../fuzz/bodies/fw_texts.rs"]
mod fw_texts;

use std::path::Path;

/// A target and what it does with bytes.
type Body = (&'static str, fn(&[u8]));

const BODIES: [Body; 6] = [
    ("fw_containers", fw_containers::run),
    ("fw_elf", fw_elf::run),
    ("fw_lint", fw_lint::run),
    ("fw_overlay", fw_overlay::run),
    ("fw_squashfs", fw_squashfs::run),
    ("fw_texts", fw_texts::run),
];

/// Names of the targets that are for this crate; those of the printer's program are replayed beside it.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn replay() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
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
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let replayed: Vec<String> = BODIES.iter().map(|(name, _)| format!("{name}.rs")).collect();
    for folder in ["fuzz_targets", "bodies"] {
        let ours: Vec<String> =
            names(&fuzz.join(folder)).into_iter().filter(|name| name.starts_with("fw_")).collect();
        assert_eq!(ours, replayed);
    }
}
