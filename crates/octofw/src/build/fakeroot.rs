//! Starts the session: this program again, inside fakeroot.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::BuildError;
use crate::command::{Command, Running, whole};
use crate::rootfs::session::{self, Outcome, Plan, Report};

/// The hidden command of `octofw` that carries out a plan.
pub const SESSION: &str = "session";

/// Runs a plan and returns what came of it. `octofw` is this program's own file.
///
/// # Errors
/// When fakeroot is missing or fails, or the session itself does.
pub fn run(octofw: &Path, plan: &Plan, plan_file: &Path) -> Result<Report, BuildError> {
    prepare(plan, plan_file, || Ok(()))?.run(octofw)
}

/// A plan of which everything is done that is better done before fakeroot is started.
#[must_use]
pub(crate) struct Prepared<'a> {
    plan: Plan,
    plan_file: &'a Path,
    list: Option<List>,
    /// The list of owners that fakeroot is given.
    owners: Option<PathBuf>,
}

/// Prepares a plan; `beside` is done while the base is unpacked, and before anything of an overlay is.
///
/// # Errors
/// As [`session::prepare`], and those of `beside`.
pub(crate) fn prepare<'a>(
    plan: &Plan,
    plan_file: &'a Path,
    beside: impl FnOnce() -> Result<(), BuildError> + Send,
) -> Result<Prepared<'a>, BuildError> {
    let list = List::make();
    let faked = list.as_ref().map(|list| list.file.clone());
    let plan = Plan { faked, ..plan.clone() };
    let owners = thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let owners = session::prepare(&plan)
            .map_err(|error| BuildError::Session { message: whole(&error), wrong_input: false });
        beside.join().map_err(|_| BuildError::Thread)??;
        owners
    })?;
    Ok(Prepared { plan, plan_file, list, owners })
}

impl Prepared<'_> {
    /// Runs it and returns what came of it. `octofw` is this program's own file.
    ///
    /// # Errors
    /// As [`run`].
    pub(crate) fn run(self, octofw: &Path) -> Result<Report, BuildError> {
        self.begin(octofw)?.end()
    }

    /// Starts the session. `octofw` is this program's own file.
    ///
    /// # Errors
    /// When fakeroot is missing, or the session cannot be told its plan.
    pub(crate) fn begin(self, octofw: &Path) -> Result<Session, BuildError> {
        let Self { plan, plan_file, list, owners } = self;
        let io = |source: io::Error| {
            BuildError::system(format!("cannot hand the plan over in {}", plan_file.display()), source)
        };
        fs::write(plan_file, serde_json::to_vec(&plan).map_err(io::Error::other).map_err(io)?).map_err(io)?;
        let mut command = Command::new("fakeroot");
        if let Some(owners) = &owners {
            // By that name, since fakeroot's script takes a path with a blank apart.
            command = command.arg("-i").arg("/dev/stdin").input(owners);
        }
        if let Some(faked) = &plan.faked {
            command = command.arg("-s").arg(faked);
        }
        let running = command
            .arg("--")
            .arg(octofw)
            .arg(SESSION)
            .arg(plan_file)
            // Owners on the disk stay those of the caller, also for root: every user gets the same session.
            .env("FAKEROOTDONTTRYCHOWN", "1")
            // A session inside another one shall not inherit it.
            .without("FAKEROOTKEY")
            .without("FAKED_MODE")
            .without("LD_PRELOAD")
            .remedy("install it with: apt-get install fakeroot")
            .begin()?;
        Ok(Session { running, _list: list, outcome: plan.outcome })
    }
}

/// A session that was started.
#[derive(Debug)]
pub(crate) struct Session {
    running: Running,
    /// Goes after the session.
    _list: Option<List>,
    outcome: PathBuf,
}

impl Session {
    /// Waits until the session has written the new root, and returns how many bytes that has; `None` where it does not say
    /// so before its end. What it still does then is to prove it.
    pub(crate) fn written(&mut self) -> Option<u64> {
        session::size_told(&self.running.line()?)
    }

    /// Waits for its end and returns what came of it.
    ///
    /// # Errors
    /// When fakeroot fails, or the session itself does.
    pub(crate) fn end(self) -> Result<Report, BuildError> {
        let Self { running, _list: list, outcome } = self;
        let ended = running.end();
        drop(list);
        let outcome = fs::read(outcome).ok().and_then(|text| serde_json::from_slice(&text).ok());
        match (ended, outcome) {
            (Ok(()), Some(Outcome::Done(report))) => Ok(report),
            (_, Some(Outcome::Failed { message, wrong_input })) => {
                Err(BuildError::Session { message, wrong_input })
            }
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => {
                let message = "the session left no outcome".into();
                Err(BuildError::Session { message, wrong_input: false })
            }
        }
    }
}

/// Where fakeroot writes what it remembers: in a folder for temporary files, since its script takes a path with a blank
/// apart.
#[derive(Debug)]
struct List {
    folder: TempDir,
    file: PathBuf,
}

impl List {
    /// `None` where there is no place for it; then all goes the slow way.
    fn make() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("octofw-").tempdir().ok()?;
        let file = folder.path().join("faked");
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
        if !file.as_os_str().as_bytes().iter().all(plain) {
            return None;
        }
        // With a pipe fakeroot's script does not wait for it at the end, which takes most of a second. The session puts
        // a file in its place.
        mkfifo(&file, Mode::S_IRUSR | Mode::S_IWUSR).ok()?;
        Some(Self { folder, file })
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // Should the session never have begun, fakeroot waits for a reader.
        let _ = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.file);
        // It may write once more while it ends.
        for _ in 0..10 {
            match fs::remove_dir_all(self.folder.path()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {}
                _ => return,
            }
        }
    }
}
