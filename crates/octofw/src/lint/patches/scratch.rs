//! A folder with copies of what patches change, in which they are tried.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path};

use tempfile::{NamedTempFile, TempDir};

use crate::command::{Command, CommandError};

/// Kilobytes of memory and seconds that `patch` gets.
const MEMORY: &str = "1000000";
const SECONDS: &str = "20";
/// Bytes of all copies together.
const MOST_COPIED: usize = 256 << 20;

/// What became of a patch.
pub(super) enum Outcome {
    /// It applies; the lines about hunks that were found elsewhere.
    Applied(Vec<String>),
    /// It does not, in the words of `patch`.
    Refused(String),
    /// It is no whole patch, in the words of `patch`.
    CutOff(String),
    /// It could not be tried.
    Unknown,
}

/// The folder.
pub(super) struct Scratch {
    folder: TempDir,
    held: BTreeSet<String>,
    copied: usize,
}

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, held: BTreeSet::new(), copied: 0 })
    }

    /// Whether there is a copy of a path.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.held.contains(path)
    }

    /// Forgets the copy of a path at which something else is now.
    pub(super) fn forget(&mut self, path: &str) {
        if self.held.remove(path) {
            let _ = fs::remove_file(self.folder.path().join(path));
        }
    }

    /// Makes a copy; false where that is not possible.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) -> bool {
        let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        self.copied = self.copied.saturating_add(bytes.len());
        if !is_plain || path.is_empty() || self.copied > MOST_COPIED {
            return false;
        }
        let place = self.folder.path().join(path);
        let made = place.parent().is_some_and(|above| fs::create_dir_all(above).is_ok());
        let made = made && fs::write(&place, bytes).is_ok();
        if made {
            self.held.insert(path.to_owned());
        }
        made
    }

    /// Tries a patch as a build applies it, in the folder `below`.
    pub(super) fn apply(&mut self, below: &Path, text: &[u8]) -> Outcome {
        let Ok(mut file) = NamedTempFile::new() else { return Outcome::Unknown };
        let place = self.folder.path().join(below);
        if file.write_all(text).is_err() || fs::create_dir_all(&place).is_err() {
            return Outcome::Unknown;
        }
        let limited = format!("ulimit -v {MEMORY}; exec timeout {SECONDS} \"$@\"");
        let command = Command::new("sh")
            .args(["-c", &limited, "sh", "patch"])
            .args(["-u", "-p1", "-F", "0", "--forward", "--no-backup-if-mismatch", "-r", "-", "-i"])
            .arg(file.path())
            .directory(&place)
            .env("LC_ALL", "C")
            .without("POSIXLY_CORRECT")
            .without("VERSION_CONTROL")
            .without("PATCH_GET");
        match command.run() {
            Ok(printed) => {
                let moved = printed.lines().filter(|line| line.contains("(offset"));
                Outcome::Applied(moved.map(|line| line.trim().to_owned()).collect())
            }
            Err(CommandError::Failed { status, tail, .. }) => {
                if let Some(words) = cut_off(&tail) {
                    return Outcome::CutOff(words.to_owned());
                }
                if !status.ends_with(" 1") {
                    return Outcome::Unknown;
                }
                let said = tail
                    .lines()
                    .filter(|line| line.contains("FAILED") || line.contains("previously applied"));
                let said: Vec<&str> = said.map(str::trim).take(5).collect();
                Outcome::Refused(if said.is_empty() { tail.trim().to_owned() } else { said.join(" ") })
            }
            Err(_) => Outcome::Unknown,
        }
    }
}

/// What `patch` says of one that ends too early, or whose hunks have not as many lines as they say.
fn cut_off(said: &str) -> Option<&str> {
    let said = |words: &str| said.lines().find(|line| line.contains(words));
    let line = said("malformed patch at line").or_else(|| said("unexpectedly ends in middle of line"))?;
    Some(line.trim_start_matches("patch: **** ").trim())
}
