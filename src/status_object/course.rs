//! Follows the job over the status objects, which tell it less plainly than Klipper does: states that say nothing,
//! fields that are left out, per cents of the job before, a cancellation that looks like a failure.

use super::read::{CANCELLED, Status, code_in_words};
use crate::printer::{Fault, FaultCode, Print, PrintState};
use std::sync::Arc;
use std::time::Duration;

/// The code of a cancellation may come this long before or after the state that ends the job.
pub const HOLD: Duration = Duration::from_secs(3);

/// Words of states in which a job is under way.
const JOB: [&str; 7] = ["RUNNING", "RESUME", "PRINTING", "BUSY", "PREPARE", "SLICING", "HEATING"];
/// Those of them in which 100 % is the rest of the job before.
const BEFORE_PRINTING: [&str; 3] = ["PREPARE", "SLICING", "HEATING"];
/// Words that neither begin nor end a job.
const NEUTRAL: [&str; 3] = ["UNKNOWN", "OFFLINE", "INIT"];

/// The job, as far as it was seen. Outlives connections.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// The last word of a state that was told.
    word: Option<String>,
    /// The job's state; none until an object says something of it.
    state: Option<PrintState>,
    /// The job's name.
    name: Option<String>,
    /// When the code of a cancellation was seen last.
    cancelled_at: Option<Duration>,
    /// Until then a failure may turn out to be a cancellation.
    hold_until: Option<Duration>,
    /// What the failure said of itself.
    reason: Option<String>,
    /// A code that stood when the printer was first seen at rest, which is no news.
    old_error: u32,
    looked: bool,
}

/// What a status object tells of the job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// The job; none until it is known whether there is one.
    pub print: Option<Print>,
    /// The error that stands.
    pub fault: Option<Fault>,
}

/// What a word says of the job.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sense {
    Job(PrintState),
    Over(PrintState),
    Failed,
    Nothing,
}

impl Course {
    /// Takes the next object. `now` is on the monotonic clock.
    pub fn take(&mut self, status: &Status, now: Duration) -> Told {
        if status.state.is_some() {
            self.word.clone_from(&status.state);
        }
        if status.error == CANCELLED {
            self.cancelled_at = Some(now);
        }
        let sense = self.sense(status);
        let new_job = self.go_on(sense, status, now);
        let job = matches!(sense, Sense::Job(_));
        let left_over = BEFORE_PRINTING.iter().any(|word| self.word.as_deref() == Some(word));
        let percent = status.percent.filter(|percent| *percent < 100 || !(new_job || left_over));
        let progress = percent.filter(|_| sense != Sense::Nothing).map(|percent| f64::from(percent) / 100.0);
        let print = self.state.map(|state| Print {
            state,
            file: self.name.clone(),
            message: if state == PrintState::Error { self.reason.clone() } else { None },
            progress,
            display_progress: progress,
            layer: status.layer,
            layers: status.layers,
            told_left: status.left.filter(|_| job),
            ..Print::default()
        });
        Told { print, fault: self.fault(sense, status) }
    }

    /// When a failure is believed, on the monotonic clock.
    pub fn next_tick(&self) -> Option<Duration> {
        self.hold_until
    }

    /// Time passed. Gives the job's state and reason if a failure is believed now.
    pub fn on_tick(&mut self, now: Duration) -> Option<(PrintState, Option<String>)> {
        self.hold_until.take_if(|until| *until <= now)?;
        self.state = Some(PrintState::Error);
        Some((PrintState::Error, self.reason.clone()))
    }

    fn sense(&self, status: &Status) -> Sense {
        match self.word.as_deref() {
            None => Sense::Nothing,
            Some(word) if NEUTRAL.contains(&word) => Sense::Nothing,
            Some(word) if JOB.contains(&word) => Sense::Job(PrintState::Printing),
            Some("PAUSE" | "PAUSED") => Sense::Job(PrintState::Paused),
            Some("FINISH" | "FINISHED" | "DONE" | "COMPLETED") => Sense::Over(PrintState::Complete),
            Some("CANCELED" | "CANCELLED") => Sense::Over(PrintState::Cancelled),
            Some("IDLE") => Sense::Over(PrintState::Standby),
            Some("FAIL" | "FAILED") => Sense::Failed,
            // A word that is not known here.
            Some(_) => match (&status.name, status.percent) {
                (Some(_), Some(0..100)) => Sense::Job(PrintState::Printing),
                _ => Sense::Nothing,
            },
        }
    }

    /// Puts the object into what is known. Returns whether a job begins with it.
    fn go_on(&mut self, sense: Sense, status: &Status, now: Duration) -> bool {
        let under_way = self.state.is_some_and(PrintState::is_active);
        let ended = match sense {
            Sense::Nothing => return false,
            Sense::Job(state) => {
                self.looked = true;
                self.hold_until = None;
                self.state = Some(state);
                let other = status.name.is_some() && status.name != self.name;
                if other || !under_way {
                    self.name.clone_from(&status.name);
                }
                return other || !under_way;
            }
            // Of the states at rest only the first counts, until the printer forgets the job: a further one would tell
            // of the same end in other words.
            Sense::Over(PrintState::Standby) if !under_way => Some(PrintState::Standby),
            _ if self.state.is_some() && !under_way => None,
            Sense::Over(_) if self.hold_until.is_some() => Some(PrintState::Error),
            Sense::Over(state) => Some(state),
            Sense::Failed => self.failure(status, now),
        };
        if !self.looked {
            self.looked = true;
            self.old_error = status.error;
        }
        if let Some(state) = ended {
            self.hold_until = None;
            if self.state.is_none() {
                self.name.clone_from(&status.name);
            }
            self.state = Some(state);
        }
        false
    }

    /// A job ends by `FAILED`: how it ended; none while that may still come out.
    fn failure(&mut self, status: &Status, now: Duration) -> Option<PrintState> {
        let cancelled = self.cancelled_at.is_some_and(|at| now.saturating_sub(at) <= HOLD);
        if cancelled {
            return Some(PrintState::Cancelled);
        }
        self.reason = match status.error {
            0 => status.reason.clone(),
            code => Some(format!("printer error {}", code_in_words(code))),
        };
        // At first sight it is old already.
        if status.error != 0 || self.state.is_none() {
            return Some(PrintState::Error);
        }
        let until = *self.hold_until.get_or_insert(now + HOLD);
        (until <= now).then_some(PrintState::Error)
    }

    fn fault(&mut self, sense: Sense, status: &Status) -> Option<Fault> {
        let code = status.error;
        if code != self.old_error {
            self.old_error = 0;
        }
        if code == 0 || code == self.old_error || (code == CANCELLED && sense == Sense::Failed) {
            return None;
        }
        Some(Fault {
            code: FaultCode { id: 0, index: 0, code },
            level: 3,
            message: Arc::from(format!("Printer error {}", code_in_words(code))),
        })
    }
}
