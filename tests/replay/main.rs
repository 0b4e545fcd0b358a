//! The vectors: recordings and tables of what the programs around us do, played through the real code.
//!
//! `VECTORS_DIR` names the folder that holds them, `tests/vectors` by default. Prints a line for each, and ends with
//! status 1 if one fails. An argument runs only those whose names contain it, or all of the folder of that name:
//! `cargo test --test vectors -- print`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it saw"
)]

mod folder;
mod moonraker;
mod octoapp;
#[allow(dead_code, reason = "the quick tests use the rest")]
mod player;
mod stand_in;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod telegram;
mod transcript;

use folder::Verdict;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the vectors of one folder are tried: how their names end, and what tries one.
type Player = (&'static str, fn(&Path) -> Verdict);

/// The folders of vectors that there may be. One without a player belongs to a bridge that this version lacks.
const FOLDERS: [(&str, Option<Player>); 4] = [
    ("octoapp", Some((octoapp::SUFFIX, octoapp::verdict))),
    ("prusa-connect", None),
    ("telegram", Some((telegram::SUFFIX, telegram::verdict))),
    ("moonraker", Some((moonraker::SUFFIX, moonraker::verdict))),
];

fn main() -> ExitCode {
    // Those that begin with a dash are for the test harness that this is not.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let place = place();
    // A panic is that vector's failure, and told in its line.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut found, mut failed, mut tried) = (false, false, false);
    for (name, player) in FOLDERS {
        let path = place.join(name);
        if !path.is_dir() {
            continue;
        }
        let Some((suffix, verdict)) = player else {
            found = true;
            if wanted.is_empty() {
                println!("{name}: not in this version");
            }
            continue;
        };
        let all = folder::with_subfolders(&path, suffix, &[]).len();
        found |= all > 0;
        let whole = wanted.iter().any(|word| word == name);
        let paths = folder::with_subfolders(&path, suffix, if whole { &[] } else { &wanted });
        if paths.is_empty() && all > 0 {
            continue;
        }
        tried = true;
        failed |= folder::run(name, &paths, suffix, verdict).failed > 0;
    }
    if !found {
        println!("no vectors in {}", place.display());
    } else if !tried {
        // No failure: a filter of cargo's is for all programs of tests.
        println!("no vector's name contains {}", wanted.join(" or "));
    }
    if failed || !found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The folder of folders. `make` passes an empty name where none is given.
fn place() -> PathBuf {
    let given = std::env::var_os("VECTORS_DIR").filter(|folder| !folder.is_empty());
    given.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from)
}
