//! What a build remembers beside its output, so that the next one can tell that nothing changed.
//!
//! One hidden file per output. It is locked for as long as a build runs: two builds into one output would mix. A digest
//! is believed as long as the file's inode, size and times are those that were noted well after the last change;
//! everything else is read again.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::digest;

/// Version of the file's form; another one is forgotten.
const FORM: u32 = 1;
/// A file that changed less than this before it was looked at may change again unseen, in nanoseconds.
const SETTLING: i128 = 2_000_000_000;

/// Why the state file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another build holds it.
    #[error("another build writes to {}; wait for it, or choose another --out", out.display())]
    Busy {
        /// The output of both.
        out: PathBuf,
    },
    /// It cannot be opened or written.
    #[error("cannot keep the build's state in {}", path.display())]
    System {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The locked state of one output.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    file: File,
    known: Known,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    form: u32,
    /// The stage key of the build that wrote the output.
    key: Option<String>,
    /// SHA-256 of the output and of its manifest after that build.
    outputs: BTreeMap<String, String>,
    /// SHA-256 of the last base whose sums were right.
    #[serde(default)]
    right_sums: Option<String>,
    /// Digests of files by their path.
    digests: BTreeMap<PathBuf, Digested>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Digested {
    stamp: Stamp,
    /// When the stamp was taken, in nanoseconds since 1970.
    at: i128,
    sha256: String,
}

/// A look at a file.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    real: PathBuf,
    stamp: Stamp,
    /// When it was, in nanoseconds since 1970.
    at: i128,
    /// The file's SHA-256, where it is known.
    sha256: Option<String>,
}

impl Looked {
    /// Whether no change since then can stay unseen.
    pub(super) fn is_settled(&self) -> bool {
        self.stamp.settled(self.at)
    }

    /// Whether the file has not changed since.
    pub(super) fn is_still(&self) -> bool {
        Stamp::of_file(&self.real).is_some_and(|stamp| stamp == self.stamp)
    }

    /// The file's SHA-256 in lower-case hex, where it is known.
    pub(super) fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }
}

/// What changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file at `path`; none where it cannot be looked at.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn settled(&self, at: i128) -> bool {
        let last = self.modified.max(self.changed);
        // `at` comes out of a file.
        at.saturating_sub(i128::from(last.0) * 1_000_000_000 + i128::from(last.1)) > SETTLING
    }
}

impl State {
    /// Opens and locks the state of the output `out`.
    ///
    /// # Errors
    /// When another build holds it or the folder cannot be written to.
    pub fn lock(out: &Path) -> Result<Self, StateError> {
        let path = beside(out, "octofw-state");
        let system = |source| StateError::System { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(system)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Busy { out: out.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(system(source)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(system)?;
        Ok(Self { path, file, known: parse(&text).unwrap_or_default() })
    }

    /// SHA-256 of a file in hex, from memory where the file has not changed since.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file: a pipe would keep its reader waiting.
    pub fn sha256(&mut self, path: &Path) -> io::Result<String> {
        let looked = self.look(path)?;
        if let Some(sha256) = looked.sha256 {
            return Ok(sha256);
        }
        let (sha256, _) = digest::of_file(&looked.real)?;
        self.note(looked, &sha256);
        Ok(sha256)
    }

    /// Looks whether a file has changed since its digest was noted.
    ///
    /// # Errors
    /// When it is not there, or is no regular file.
    pub(super) fn look(&self, path: &Path) -> io::Result<Looked> {
        let real = path.canonicalize()?;
        let metadata = fs::metadata(&real)?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let stamp = Stamp::of(&metadata);
        let known = self.known.digests.get(&real);
        let known = known.filter(|known| known.stamp == stamp && stamp.settled(known.at));
        let sha256 = known.map(|known| known.sha256.clone());
        let at =
            SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_nanos() as i128).unwrap_or(0);
        Ok(Looked { real, stamp, at, sha256 })
    }

    /// Notes the digest of what was read of a file after the look at it.
    pub(super) fn note(&mut self, looked: Looked, sha256: &str) {
        let Looked { real, stamp, at, sha256: known } = looked;
        if known.as_deref() != Some(sha256) {
            self.known.digests.insert(real, Digested { stamp, at, sha256: sha256.to_owned() });
        }
    }

    /// Whether all sums of the file with this SHA-256 are known to be right.
    pub fn has_right_sums(&self, sha256: &str) -> bool {
        self.known.right_sums.as_deref() == Some(sha256)
    }

    /// Whether a build ended, so that the next may find that nothing changed.
    pub(super) fn has_key(&self) -> bool {
        self.known.key.is_some()
    }

    /// Notes that all sums of the file with this SHA-256 are right.
    pub fn note_right_sums(&mut self, sha256: &str) {
        self.known.right_sums = Some(sha256.to_owned());
    }

    /// Whether a build of this key wrote exactly these files and they are as it left them.
    pub fn is_current(&mut self, key: &str, outputs: &[&Path]) -> bool {
        if self.known.key.as_deref() != Some(key) {
            return false;
        }
        outputs.iter().all(|path| {
            let expected = self.known.outputs.get(&name(path)).cloned();
            expected.is_some() && self.sha256(path).ok() == expected
        })
    }

    /// Notes that from now on the outputs are no longer those of the key: a build is about to replace them.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin(&mut self) -> Result<(), StateError> {
        self.known.key = None;
        self.save()
    }

    /// Notes that a build of this key wrote these files with these digests.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn finish(&mut self, key: &str, outputs: &[(&Path, &str)]) -> Result<(), StateError> {
        self.known.key = Some(key.to_owned());
        self.known.outputs =
            outputs.iter().map(|(path, sha256)| (name(path), (*sha256).to_owned())).collect();
        self.save()
    }

    /// Writes the digests that were found.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn save(&mut self) -> Result<(), StateError> {
        self.known.form = FORM;
        self.known.digests.retain(|path, _| path.exists());
        self.write().map_err(|source| StateError::System { path: self.path.clone(), source })
    }

    fn write(&mut self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.known)?;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)
    }
}

/// What a build left. A file that was cut off or is of another version is no state at all.
pub(crate) fn parse(text: &[u8]) -> Option<Known> {
    serde_json::from_slice(text).ok().filter(|known: &Known| known.form == FORM)
}

impl Drop for State {
    /// Unlocks by word. To close the file is not enough: between the fork and the exec of a command that another thread
    /// starts, that child has the open file too, and with it the lock.
    fn drop(&mut self) {
        // A lock that cannot be given up goes when the process does.
        let _ = self.file.unlock();
    }
}

/// A hidden path beside `out` whose name says whose it is.
pub fn beside(out: &Path, what: &str) -> PathBuf {
    out.with_file_name(format!(".{}.{what}", name(out)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_current_until_key_or_bytes_change() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("firmware.bin");
        fs::write(&out, "abc").unwrap();
        let sha256 = digest::of_file(&out).unwrap().0;
        let mut state = State::lock(&out).unwrap();
        assert!(!state.is_current("k", &[&out]));
        state.finish("k", &[(&out, &sha256)]).unwrap();
        drop(state);

        let mut state = State::lock(&out).unwrap();
        assert!(state.is_current("k", &[&out]));
        assert!(!state.is_current("other", &[&out]));
        fs::write(&out, "abd").unwrap();
        assert!(!state.is_current("k", &[&out]), "same size, other bytes, at once");
        fs::write(&out, "abc").unwrap();
        assert!(state.is_current("k", &[&out]));
        fs::remove_file(&out).unwrap();
        assert!(!state.is_current("k", &[&out]));
        fs::write(&out, "abc").unwrap();
        state.begin().unwrap();
        drop(state);
        assert!(
            !State::lock(&out).unwrap().is_current("k", &[&out]),
            "a build that did not end leaves no key"
        );
    }

    #[test]
    fn two_builds_into_one_output_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("firmware.bin");
        let _first = State::lock(&out).unwrap();
        let error = State::lock(&out).unwrap_err().to_string();
        assert!(error.starts_with("another build writes to"), "{error}");
        assert!(State::lock(&folder.path().join("other.bin")).is_ok());
    }

    /// What a child between fork and exec does to the lock, held for as long as it takes to look.
    #[test]
    fn a_copy_of_the_open_file_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("firmware.bin");
        let state = State::lock(&out).unwrap();
        let inherited = state.file.try_clone().unwrap();
        drop(state);
        assert!(State::lock(&out).is_ok());
        drop(inherited);
    }

    #[test]
    fn a_damaged_state_is_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("firmware.bin");
        fs::write(&out, "abc").unwrap();
        for text in ["", "{", "{\"form\":99,\"outputs\":{},\"digests\":{},\"key\":\"k\"}"] {
            fs::write(beside(&out, "octofw-state"), text).unwrap();
            assert!(!State::lock(&out).unwrap().is_current("k", &[&out]));
        }
    }

    #[test]
    fn a_stamp_is_believed_only_when_the_file_had_settled() {
        let second = 1_000_000_000;
        let stamp = Stamp { device: 1, inode: 1, size: 1, modified: (100, 0), changed: (101, 0) };
        assert!(stamp.settled(104 * second));
        assert!(!stamp.settled(102 * second));
        assert!(!stamp.settled(50 * second));
    }
}
