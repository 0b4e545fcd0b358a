//! What becomes of a panic, which can only be an error of this program.
//!
//! The program aborts on panic, because the tables that unwinding needs would cost a tenth of its size. A panic on the
//! thread of a bridge need not take the others along, though: the thread is halted where it stands, the worker ends in
//! order, so that the other bridges bring what they are sending to its end, and the next worker, a moment later, starts
//! the bridge that failed after a pause that grows. The same goes for the thread that fetches the camera's picture: the
//! next worker fetches none for so long. A panic anywhere else ends the worker as it is.

use crate::supervisor::RestartPolicy;
use crate::whole_file;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A bridge that failed so often in a row is left off.
const TOO_OFTEN: u32 = 10;
/// The file is some lines.
const LIMIT: u64 = 16 * 1024;

/// Halts a thread that panics, other than the main one, and tells its name.
pub(super) fn halt_threads() -> UnboundedReceiver<String> {
    let (tell, told) = unbounded_channel();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Words that were put together may hold anything, a secret too; those that stand in the program do not.
        let words = panic.payload().downcast_ref::<&'static str>().unwrap_or(&"");
        log::error!("an error of this program, to be reported: thread {name} at {place}: {words}");
        if name != "main" && tell.send(name.to_owned()).is_ok() {
            loop {
                std::thread::park();
            }
        }
    }));
    told
}

/// How often each bridge, and the camera, failed in a row, in a file that a reboot takes away.
#[derive(Debug)]
pub(super) struct HeldBack {
    path: PathBuf,
    counts: BTreeMap<String, u32>,
}

/// How a bridge that failed is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// After this time, since it failed so often in a row.
    For(Duration, u32),
    /// Not any more.
    Off(u32),
}

impl HeldBack {
    /// What earlier workers left in the folder `run`.
    pub(super) fn read(run: &Path) -> Self {
        let path = run.join("held-back");
        let text = whole_file::read_text(&path, LIMIT).unwrap_or_default();
        let entry = |line: &str| {
            let (count, name) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Self { path, counts: text.lines().filter_map(entry).collect() }
    }

    /// Notes that the thread of this name failed.
    pub(super) fn note(&mut self, name: &str) {
        // The threads of a bridge are called by its name, or by its name in files.
        let count = self.counts.entry(name.replace('_', " ")).or_default();
        *count = count.saturating_add(1);
        let text: String = self.counts.iter().map(|(name, count)| format!("{count} {name}\n")).collect();
        if let Err(error) = whole_file::replace(&self.path, text.as_bytes()) {
            log::warn!("cannot write {}: {error}", self.path.display());
        }
    }

    /// How the bridge of this name is to be started; none: at once.
    pub(super) fn hold(&self, name: &str) -> Option<Hold> {
        let count = *self.counts.get(&name.replace('_', " "))?;
        if count >= TOO_OFTEN {
            return Some(Hold::Off(count));
        }
        let mut policy = RestartPolicy::resume(count.saturating_sub(1), 0);
        Some(Hold::For(policy.died(Duration::ZERO).after, count))
    }

    /// Forgets all: every bridge ran long enough.
    pub(super) fn forget(&mut self) {
        if !self.counts.is_empty() {
            self.counts.clear();
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_that_fails_is_held_back_longer_each_time_and_then_left_off() {
        let dir = tempfile::tempdir().unwrap();
        let mut waits = Vec::new();
        for count in 1..=10 {
            HeldBack::read(dir.path()).note("telegram_two");
            match HeldBack::read(dir.path()).hold("telegram two").unwrap() {
                Hold::For(wait, times) => {
                    assert_eq!(times, count);
                    waits.push(wait.as_millis());
                }
                Hold::Off(times) => assert_eq!((times, count), (10, 10)),
            }
        }
        assert_eq!(waits, [100, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 60_000]);
        let mut held = HeldBack::read(dir.path());
        assert_eq!(held.hold("telegram"), None, "another bridge");
        held.forget();
        assert_eq!(HeldBack::read(dir.path()).hold("telegram two"), None);
    }

    #[test]
    fn the_camera_is_held_back_as_a_bridge_is() {
        let dir = tempfile::tempdir().unwrap();
        HeldBack::read(dir.path()).note(crate::camera::THREAD);
        let held = HeldBack::read(dir.path());
        assert_eq!(held.hold(crate::camera::THREAD), Some(Hold::For(Duration::from_millis(100), 1)));
        assert_eq!(held.hold("telegram"), None);
    }

    #[test]
    fn a_damaged_file_holds_nobody_back() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("held-back"), "x telegram\n\n3\n2 telegram two\n").unwrap();
        let held = HeldBack::read(dir.path());
        assert_eq!(held.hold("telegram"), None);
        assert_eq!(held.hold("telegram two"), Some(Hold::For(Duration::from_millis(500), 2)));
    }
}
