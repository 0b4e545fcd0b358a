//! What the ways to pair have in common in a terminal: the service that follows what was stored, and how it ends early.

use super::super::{Exit, complain, say, terminal};
use crate::settings::{Environment, Settings};
use crate::setup::{self, Note};
use crate::status::{State, ask};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::time::Duration;

/// Longest wait, in seconds.
pub(super) const LONGEST: u64 = 3600;

/// Why it ends early: the exit code, and what to say.
pub(super) type Stop = (Exit, String);

pub(super) fn failed(text: impl Into<String>) -> Stop {
    (Exit::Failed, text.into())
}

/// How long is waited, as it was asked for.
pub(super) fn patience(seconds: u64) -> Result<Duration, Stop> {
    match seconds {
        1..=LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err((Exit::Usage, format!("--wait takes 1 to {LONGEST} seconds"))),
    }
}

/// Why what is to be stored was not.
pub(super) fn stopped(stop: setup::Stop) -> Stop {
    let exit = if matches!(stop, setup::Stop::Wrong(_)) { Exit::Usage } else { Exit::Failed };
    (exit, stop.to_string())
}

/// Tells what was stored.
pub(super) fn tell(notes: impl IntoIterator<Item = Note>) {
    notes.into_iter().for_each(|note| match note {
        Note::Done(text) | Note::ByHand(text) => say(&text),
        Note::Beware(text) => complain(&text),
    });
}

/// Lets the service read its settings again, or says how to start it.
pub(super) fn reload(environment: &Environment) {
    let settings = Settings::load(None, environment);
    let start = if settings.on_a_printer { "`/etc/init.d/S66octoapp start`" } else { "`octobridge run`" };
    match ask(&settings) {
        State::Running(report) => {
            let pid = i32::try_from(report.pid).ok().filter(|pid| *pid > 1);
            match pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP)) {
                Some(Ok(())) => {
                    say("The service reads its settings again; `octobridge status` tells how it goes.")
                }
                _ => {
                    complain("the service runs as another user; run `/etc/init.d/S66octoapp reload` as root")
                }
            }
        }
        State::NothingEnabled(_) => {}
        State::Dead(_) | State::Stopped(_) => {
            say(&format!("The service does not run; start it with {start}."))
        }
    }
}

/// Shows the time that is left where somebody looks, and remarks on lines of their own.
pub(super) struct Countdown {
    watched: bool,
}

impl Countdown {
    pub(super) fn new() -> Self {
        Self { watched: io::stderr().is_terminal() }
    }

    pub(super) fn left(&self, time: Duration) -> ControlFlow<()> {
        if self.watched {
            terminal::show(&format!("\r  {} s left \u{1b}[K", time.as_secs()));
        }
        // Ctrl-C ends it, without asking here.
        ControlFlow::Continue(())
    }

    pub(super) fn remark(&self, text: &str) -> ControlFlow<()> {
        self.clear();
        say(text);
        ControlFlow::Continue(())
    }

    pub(super) fn clear(&self) {
        if self.watched {
            terminal::show("\r\u{1b}[K");
        }
    }
}
