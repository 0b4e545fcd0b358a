//! The lock that makes the service single, and the pid file that names its supervising process.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock of the running service; released when the process ends, however it ends.
///
/// A lock of the open file (`F_OFD_SETLK`), because whether it is held can be asked without taking it: somebody who
/// asks for the status must not make a start fail.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

/// A write lock on the whole file.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("octobridge is already running{}", pid.map(|p| format!(" (pid {p})")).unwrap_or_default())]
    Held {
        /// The supervising process, where the pid file tells.
        pid: Option<u32>,
    },
    /// The lock file cannot be made.
    #[error("cannot use {}: {source}; set OCTOBRIDGE_RUN_DIR to a folder that can be written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock in `run`, making the folder where it is missing.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] when the service runs already.
    pub fn take(run: &Path, pid_file: &Path) -> Result<Self, LockError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io { path, source }
        };
        if !run.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(run).map_err(io(run))?;
        }
        let path = run.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => Ok(Self { _held: file }),
            Err(Errno::EAGAIN | Errno::EACCES) => Err(LockError::Held { pid: read(pid_file) }),
            Err(errno) => Err(LockError::Io { path, source: errno.into() }),
        }
    }

    /// Whether the service runs, as far as its lock tells.
    pub fn is_held(run: &Path) -> bool {
        let Ok(file) = File::open(run.join("lock")) else { return false };
        let mut found = whole_file();
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok()
            && found.l_type != libc::F_UNLCK as libc::c_short
    }
}

/// Writes the process's own id, in place: the folder belongs to root, the file to the service.
///
/// # Errors
///
/// What the system says.
pub(super) fn write_own(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(path)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// Empties the file after a clean end, so that it names nobody.
pub(super) fn clear(path: &Path) {
    let _ = OpenOptions::new().truncate(true).write(true).open(path);
}

/// The process that the pid file names, where there is one and the file is sound.
pub fn supervising_pid(path: &Path) -> Option<u32> {
    read(path)
}

fn read(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let pid_file = dir.path().join("pid");
        write_own(&pid_file).unwrap();
        assert!(!Lock::is_held(&run));
        let held = Lock::take(&run, &pid_file).unwrap();
        for _ in 0..3 {
            assert!(Lock::is_held(&run));
        }
        let pid = Some(std::process::id());
        assert!(matches!(Lock::take(&run, &pid_file), Err(LockError::Held { pid: p }) if p == pid));
        drop(held);
        assert!(!Lock::is_held(&run));
        Lock::take(&run, &pid_file).unwrap();
    }

    #[test]
    fn a_damaged_pid_file_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        for text in ["", "abc", "-4", "0", "99999999999999999999"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(supervising_pid(&path), None, "{text:?}");
        }
        std::fs::write(&path, "812\n").unwrap();
        assert_eq!(supervising_pid(&path), Some(812));
        clear(&path);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
