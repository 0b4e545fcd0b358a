//! Prints that follow a transfer. They belong to no command under way: that of the transfer ended when it began.

use super::Core;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::Effect;
use crate::bridge::prusa_connect::orders::{Said, Task};
use crate::bridge::prusa_connect::transfer::{Print, may_print};
use crate::clock::Moment;
use std::time::Duration;

/// How long a file that came to be printed waits for the printer to be free.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long its job counts as the command's, once it is started.
const EXPECTED: Duration = Duration::from_secs(15);
/// How long the printer may take to start it.
const START: Duration = Duration::from_secs(60);
/// How long after a restart the printer may take to show a print that was started before.
const SETTLED: Duration = Duration::from_secs(5);

/// A file that came to be printed.
pub(super) struct Coming {
    print: Print,
    /// Since when it is so far.
    since: Duration,
    stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// It waits for the printer.
    Waits,
    /// The printer is to start it.
    Starts,
    /// A restart came between.
    CutOff,
}

impl Core {
    /// A file came to be printed.
    pub(super) fn came_to_be_printed(&mut self, print: Print, now: Moment) {
        match self.coming.as_ref().map(|coming| coming.stage) {
            None => {}
            // What is being started is not given up for it.
            Some(Stage::Starts) => {
                return self
                    .fail("The file is on the printer, which starts another: start it later".into(), now);
            }
            Some(Stage::Waits | Stage::CutOff) => {
                let why = "The file is on the printer, but another one came to be printed before it: start it later";
                self.print_fails(why, now);
            }
        }
        self.kept.print = Some(print.clone());
        self.unsaved = true;
        self.coming = Some(Coming { print, since: now.monotonic, stage: Stage::Waits });
    }

    /// Takes up what an earlier run was to print. It is not started any more: nobody knows how long ago that was, and who
    /// stands before the printer now. But it may run already.
    pub(super) fn resume_print(&mut self, now: Moment) {
        let Some(print) = self.kept.print.clone() else { return };
        let effect = Effect::Started(print.path.as_str().into());
        self.machine.expect(print.command, effect, EXPECTED, now);
        self.coming = Some(Coming { print, since: now.monotonic, stage: Stage::CutOff });
    }

    /// Goes on with the print that a transfer was for.
    pub(super) fn print_what_came(&mut self, now: Moment) {
        let Some(coming) = &mut self.coming else { return };
        if self.sight.is_none() && coming.stage == Stage::CutOff {
            coming.since = now.monotonic;
        }
        let passed = now.monotonic.saturating_sub(coming.since);
        let (stage, print) = (coming.stage, coming.print.clone());
        let runs = self.in_print().is_some_and(|file| file == print.path);
        match stage {
            // Only what the printer does holds it up, not what somebody asks.
            Stage::Waits => {
                let held = self.running.is_some() || self.machine.state() == State::Busy;
                if !held || passed >= PATIENCE {
                    self.start_what_came(print, now);
                }
            }
            Stage::Starts | Stage::CutOff if runs => self.print_over(),
            Stage::Starts if passed >= START => {
                self.print_fails("The file is on the printer, but its print did not start in time", now);
            }
            Stage::CutOff if passed >= SETTLED => {
                let why = "The file is on the printer, but the service was restarted before its print began: start it";
                self.print_fails(why, now);
            }
            Stage::Starts | Stage::CutOff => {}
        }
    }

    fn start_what_came(&mut self, print: Print, now: Moment) {
        let ready = self.machine.situation().ready || self.options.allowed.unready;
        if self.running.is_some() || !may_print(self.machine.state()) {
            self.print_fails("The file is on the printer, which is busy: start it when it is free", now);
        } else if !ready {
            let why = "The file is on the printer; it is not printed since nobody has said that the bed is clear: set \
                       the printer ready and start it";
            self.print_fails(why, now);
        } else {
            let Print { path, command } = print.clone();
            self.machine.expect(command, Effect::Started(path.as_str().into()), EXPECTED, now);
            self.coming = Some(Coming { print, since: now.monotonic, stage: Stage::Starts });
            self.outside.desk.begin(command, &Task::Start { path: path.into(), mapping: Vec::new() });
        }
    }

    /// What the printer said about the start.
    pub(super) fn print_said(&mut self, command: u32, said: Said, now: Moment) {
        let starts = |coming: &Coming| coming.stage == Stage::Starts && coming.print.command == command;
        if self.coming.as_ref().is_some_and(starts) {
            match said {
                Ok(()) => self.print_over(),
                Err(trouble) => self.print_fails(&trouble.reason(), now),
            }
        }
    }

    fn print_over(&mut self) {
        (self.coming, self.kept.print) = (None, None);
        self.unsaved = true;
    }

    fn print_fails(&mut self, why: &str, now: Moment) {
        self.print_over();
        self.fail(why.into(), now);
    }
}
