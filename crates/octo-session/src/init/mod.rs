//! The first process of the container: starts the services, keeps them, ends them.
//!
//! It serves nothing itself. It reaps whatever ends, since processes without parents become its children; hands SIGTERM
//! on and does not wait for ever; and ends with an error when the service that the container is for cannot be kept.

mod keep;
mod service;
mod settings;
mod skeleton;

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

pub use settings::{Settings, SettingsError};

use keep::{Record, Verdict};
use service::{Log, Service, services, unblocked};

/// Why the container cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The system refuses what every process may do.
    #[error("the system gives no signals: {0}")]
    System(#[from] Errno),
    /// The command that was to run instead of the services is not there.
    #[error("{command}: {source}; name a program of the image")]
    Start {
        /// Its name.
        command: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A service as it stands.
struct Kept {
    service: Service,
    record: Record,
    stand: Stand,
}

enum Stand {
    Running { process: Pid, since: Instant },
    Waiting { until: Instant },
}

/// Where a program is, by PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Runs the services until the container is told to end, or `command` in their place until it ends by itself. Returns
/// the exit code.
///
/// # Errors
///
/// When nothing can be run at all.
pub fn run(settings: &Settings, command: &[String]) -> Result<u8, InitError> {
    let log = Log;
    // What is blocked here waits until it is asked for. Commands get it back: see `unblocked`.
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD] {
        signals.add(signal);
    }
    if let Err(error) = skeleton::fill(&settings.skeleton, &settings.home, &settings.workspace) {
        log.say(&format!("{error}; the container's user must own the directory that is mounted there"));
    }
    signals.thread_block()?;
    match command.split_first() {
        Some((program, arguments)) => instead(settings, &signals, program, arguments, &log),
        None => {
            let mut init = Init::new(settings, log);
            init.run(&signals)
        }
    }
}

/// Runs one command as the container's purpose, for `podman run IMAGE COMMAND`.
fn instead(
    settings: &Settings,
    signals: &SigSet,
    program: &str,
    arguments: &[String],
    log: &Log,
) -> Result<u8, InitError> {
    let mut command = Command::new(program);
    command.args(arguments);
    if settings.workspace.is_dir() && std::env::var_os("WORKSPACE").is_some() {
        command.current_dir(&settings.workspace);
    }
    unblocked(&mut command);
    let child = command.spawn().map_err(|source| InitError::Start { command: program.to_owned(), source })?;
    let main = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    let mut deadline = None;
    loop {
        for (process, code) in ended() {
            if process == main {
                return Ok(code);
            }
        }
        match wait(signals, deadline) {
            Some(Signal::SIGCHLD) => {}
            Some(signal) => {
                log.say(&format!("{signal}: handed on"));
                let _ = kill(main, signal);
                deadline.get_or_insert(Instant::now() + settings.patience);
            }
            None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                let _ = kill(main, Signal::SIGKILL);
                deadline = Some(Instant::now() + Duration::from_secs(1));
            }
            None => {}
        }
    }
}

/// Reaps all that have ended, with their exit codes.
fn ended() -> Vec<(Pid, u8)> {
    let mut all = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(process, code)) => {
                all.push((process, u8::try_from(code).unwrap_or(u8::MAX)))
            }
            Ok(WaitStatus::Signaled(process, signal, _)) => {
                all.push((process, u8::try_from(128 + signal as i32).unwrap_or(u8::MAX)));
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return all,
            Ok(_) => {}
        }
    }
}

/// Waits for a signal, or until then.
fn wait(signals: &SigSet, until: Option<Instant>) -> Option<Signal> {
    let left =
        until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
    let time = nix::sys::time::TimeSpec::from_duration(left);
    // SAFETY: both structures live through the call, and no information about the signal is asked for.
    let number = unsafe { nix::libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), time.as_ref()) };
    Signal::try_from(number).ok()
}

struct Init<'s> {
    settings: &'s Settings,
    log: Log,
    all: Vec<Kept>,
}

impl Init<'_> {
    fn new(settings: &Settings, log: Log) -> Init<'_> {
        let now = Instant::now();
        let all = services(settings, find).into_iter().map(|service| Kept {
            service,
            record: Record::default(),
            stand: Stand::Waiting { until: now },
        });
        Init { settings, log, all: all.collect() }
    }

    fn run(&mut self, signals: &SigSet) -> Result<u8, InitError> {
        self.log.say(&format!(
            "workspace {}, files on {}, terminal on {}{}",
            self.settings.workspace.display(),
            self.settings.files_port,
            self.settings.terminal_port,
            if self.all.len() > 2 {
                format!(", agent on {}", self.settings.agent_port)
            } else {
                ", no agent".to_owned()
            },
        ));
        loop {
            for (process, code) in ended() {
                if let Some(code) = self.gone(process, code) {
                    self.end_all(signals);
                    return Ok(code);
                }
            }
            if let Some(code) = self.start_due() {
                self.end_all(signals);
                return Ok(code);
            }
            let next = self.all.iter().filter_map(|kept| match kept.stand {
                Stand::Waiting { until } => Some(until),
                Stand::Running { .. } => None,
            });
            match wait(signals, next.min()) {
                None | Some(Signal::SIGCHLD) => {}
                Some(signal) => {
                    self.log.say(&format!("{signal}: the services end"));
                    self.end_all(signals);
                    return Ok(0);
                }
            }
        }
    }

    /// Starts what is due. The exit code, if the container must end over it.
    fn start_due(&mut self) -> Option<u8> {
        let now = Instant::now();
        for kept in &mut self.all {
            if !matches!(kept.stand, Stand::Waiting { until } if until <= now) {
                continue;
            }
            match kept.service.start(&self.settings.workspace, &self.log) {
                Ok(process) => kept.stand = Stand::Running { process, since: now },
                Err(error) => {
                    let name = kept.service.command.first().cloned().unwrap_or_default();
                    self.log.say(&format!("{}: {name}: {error}", kept.service.name));
                    match kept.record.ended(Duration::ZERO, kept.service.is_main) {
                        Verdict::Again(pause) => kept.stand = Stand::Waiting { until: now + pause },
                        Verdict::GiveUp => return Some(127),
                    }
                }
            }
        }
        None
    }

    /// A process has ended. The exit code, if the container must end over it.
    fn gone(&mut self, process: Pid, code: u8) -> Option<u8> {
        let of =
            |kept: &&mut Kept| matches!(kept.stand, Stand::Running { process: its, .. } if its == process);
        // Anything else is an orphan that was only to be reaped.
        let kept = self.all.iter_mut().find(of)?;
        let Stand::Running { since, .. } = kept.stand else { return None };
        // What it has left behind would keep its port.
        let _ = killpg(process, Signal::SIGKILL);
        let name = kept.service.name;
        match kept.record.ended(since.elapsed(), kept.service.is_main) {
            Verdict::Again(pause) => {
                self.log.say(&format!(
                    "{name} has ended with {code}; it is started again in {} ms",
                    pause.as_millis()
                ));
                kept.stand = Stand::Waiting { until: Instant::now() + pause };
                None
            }
            Verdict::GiveUp => {
                self.log.say(&format!("{name} has ended with {code}, again and again; the container ends"));
                // Never 0: nobody asked for the end.
                Some(code.max(1))
            }
        }
    }

    /// Tells all services to end; kills what does not in time.
    fn end_all(&mut self, signals: &SigSet) {
        let deadline = Instant::now() + self.settings.patience;
        let mut running: Vec<Pid> = Vec::new();
        for kept in &self.all {
            if let Stand::Running { process, .. } = kept.stand {
                let _ = killpg(process, Signal::SIGTERM);
                running.push(process);
            }
        }
        loop {
            for (process, _) in ended() {
                running.retain(|&one| one != process);
            }
            if running.is_empty() || Instant::now() >= deadline {
                break;
            }
            wait(signals, Some(deadline));
        }
        for process in &running {
            self.log.say(&format!("process {process} does not end; it is killed"));
            let _ = killpg(*process, Signal::SIGKILL);
        }
        if getpid() == Pid::from_raw(1) {
            // Whoever is left was started by a person, and ends with the container anyhow.
            let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        }
    }
}
