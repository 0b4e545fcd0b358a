//! The supervising process: starts the worker, waits for its end or for a signal, and does nothing else, so
//! that there is next to nothing in it that can fail.

use super::handover::{PROCESS_NAME, own_program};
use super::pid_file::{Lock, LockError, clear, write_own};
use super::restart::RestartPolicy;
use crate::footprint::give_back_code;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A worker that was asked to end has this long before it is killed; `S66octoapp stop` waits a little longer.
const GRACE: Duration = Duration::from_millis(3500);
/// Pause between two tries to take the lock.
const RETRY: Duration = Duration::from_millis(10);
/// Exit codes of a worker that will not do better next time: wrong usage, and nothing enabled.
const FINAL_CODES: std::ops::RangeInclusive<i32> = 2..=3;
/// Exit code of a worker that ended in order and is to be started again at once: it holds back itself what failed.
pub const AGAIN: u8 = 75;

/// What the supervising process guards.
#[derive(Debug)]
pub struct Guard {
    /// Folder of the lock.
    pub run: PathBuf,
    /// The pid file.
    pub pid_file: PathBuf,
    /// Arguments that make this program the worker.
    pub worker: Vec<OsString>,
    /// Counts of an earlier supervising process, which this one replaces.
    pub policy: RestartPolicy,
    /// Wait before the first start: this process replaces one that was killed in a loop.
    pub delay: Duration,
    /// How long a lock that is held is tried again. The worker may learn of the supervising process's death a moment
    /// before the system has released that one's lock.
    pub patience: Duration,
}

/// Why the supervising process could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The lock was not taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

enum Wake {
    Died(ExitStatus),
    Asked(Signal),
    TimeUp,
}

/// Runs until the service is asked to stop, or the worker says that there is nothing to run. Returns the exit
/// code of the whole service.
///
/// # Errors
///
/// [`SuperviseError`] when it cannot begin; the service does not run then.
pub fn supervise(guard: Guard) -> Result<i32, SuperviseError> {
    let _lock = take_lock(&guard)?;
    let signals = Signals::block()?;
    if write_own(&guard.pid_file).is_err() {
        // Somebody else's file stands there: the lock alone tells then.
        log_line(&format!("cannot write {}", guard.pid_file.display()));
    }
    let code = run(&guard, &signals);
    clear(&guard.pid_file);
    code
}

fn take_lock(guard: &Guard) -> Result<Lock, LockError> {
    let deadline = Instant::now() + guard.patience;
    loop {
        match Lock::take(&guard.run, &guard.pid_file) {
            Err(LockError::Held { .. }) if Instant::now() < deadline => std::thread::sleep(RETRY),
            taken => return taken,
        }
    }
}

fn run(guard: &Guard, signals: &Signals) -> Result<i32, SuperviseError> {
    let mut policy = guard.policy;
    let mut wait = guard.delay;
    loop {
        if let Wake::Asked(Signal::SIGTERM | Signal::SIGINT) = signals.wait(None, Some(wait))? {
            return Ok(0);
        }
        let started = Instant::now();
        let ended = match start(guard, policy.total()) {
            Ok(mut worker) => {
                give_back_code();
                let wake = loop {
                    match signals.wait(Some(&mut worker), None)? {
                        // The worker exchanges what has new settings, and nothing else.
                        Wake::Asked(Signal::SIGHUP) => pass_on(&worker, Signal::SIGHUP),
                        wake => break wake,
                    }
                };
                match wake {
                    Wake::Asked(_) | Wake::TimeUp => {
                        end(&mut worker, signals)?;
                        return Ok(0);
                    }
                    Wake::Died(status) => {
                        if let Some(code) = status.code().filter(|code| FINAL_CODES.contains(code)) {
                            return Ok(code);
                        }
                        if status.code() == Some(i32::from(AGAIN)) {
                            policy = RestartPolicy::resume(0, policy.total().saturating_add(1));
                            wait = Duration::ZERO;
                            continue;
                        }
                        format!("worker {} ended ({status})", worker.id())
                    }
                }
            }
            // Memory or process ids are short: they come back, and nobody else would start the service again.
            Err(error) => format!("cannot start the worker: {error}"),
        };
        wait = policy.died(started.elapsed()).after;
        log_line(&format!("{ended}; next start in {wait:?}"));
    }
}

fn start(guard: &Guard, restarts: u32) -> io::Result<Child> {
    Command::new(own_program())
        .arg0(PROCESS_NAME)
        .args(&guard.worker)
        .args(["--restarts", &restarts.to_string()])
        // Its end closes when this process dies: that is how the worker learns of it.
        .stdin(Stdio::piped())
        .spawn()
}

fn pass_on(worker: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(worker.id().cast_signed()), signal);
}

/// Asks the worker to end, and kills it after the grace period.
fn end(worker: &mut Child, signals: &Signals) -> Result<(), SuperviseError> {
    pass_on(worker, Signal::SIGTERM);
    let deadline = Instant::now() + GRACE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match signals.wait(Some(worker), Some(left))? {
            Wake::Died(_) => return Ok(()),
            Wake::Asked(_) => {}
            Wake::TimeUp => {
                let _ = worker.kill();
                let _ = worker.wait();
                return Ok(());
            }
        }
    }
}

/// Lets signals through again in a worker: it inherits the supervising process's mask.
///
/// # Errors
///
/// What the system says.
pub fn unblock_signals() -> io::Result<()> {
    SigSet::all().thread_unblock().map_err(Into::into)
}

/// The signals this process waits for, instead of being interrupted by them.
struct Signals {
    fd: SignalFd,
}

impl Signals {
    fn block() -> Result<Self, SuperviseError> {
        let system = |e: Errno| SuperviseError::System { what: "wait for signals", source: e.into() };
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block().map_err(system)?;
        let fd =
            SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(system)?;
        Ok(Self { fd })
    }

    /// Waits for the worker's end, a signal, or the end of `limit`.
    fn wait(&self, mut worker: Option<&mut Child>, limit: Option<Duration>) -> Result<Wake, SuperviseError> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if let Some(worker) = worker.as_deref_mut() {
                let died = worker.try_wait();
                if let Some(status) =
                    died.map_err(|source| SuperviseError::System { what: "watch the worker", source })?
                {
                    return Ok(Wake::Died(status));
                }
            }
            let timeout = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Ok(Wake::TimeUp),
                Some(left) => PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
                None => PollTimeout::NONE,
            };
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(SuperviseError::System { what: "wait", source: e.into() }),
            }
            while let Ok(Some(info)) = self.fd.read_signal() {
                let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
                match signal {
                    Some(Signal::SIGCHLD) | None => {}
                    Some(signal) => return Ok(Wake::Asked(signal)),
                }
            }
        }
    }
}

/// The supervising process has no logger, to stay small; the next worker logs the restart with its count.
fn log_line(text: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "octobridge: {text}");
}
