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
            file_is_name: true,
            message: if state == PrintState::Error { self.reason.clone() } else { None },
            progress,
            display_progress: progress,
            layer: status.layer.filter(|_| sense != Sense::Nothing),
            layers: status.layers,
            told_left: status.left.filter(|_| job),
            ..Print::default()
        });
        Told { print, fault: self.fault(sense, status) }
    }

    /// The word of the printer's state that was told last, in capitals.
    pub fn stage(&self) -> Option<&str> {
        self.word.as_deref()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::PrintState::{Cancelled, Complete, Error, Paused, Printing, Standby};
    use proptest::prelude::*;

    /// `STATE NAME PERCENT ERROR`; a dash is left out.
    fn status(line: &str) -> Status {
        let mut words = line.split(' ').map(|word| (word != "-").then_some(word));
        let mut word = || words.next().flatten();
        Status {
            state: word().map(str::to_owned),
            name: word().map(str::to_owned),
            percent: word().map(|percent| percent.parse().unwrap()),
            error: word().map_or(0, |error| error.parse().unwrap()),
            ..Status::default()
        }
    }

    type Expected = (Option<PrintState>, Option<&'static str>, Option<u8>, Option<u32>);

    /// What each status tells: the job's state, its name, the per cent, and the error that stands.
    fn check(title: &str, steps: &[(u64, &str, Expected)]) {
        let mut course = Course::default();
        for (at, line, expected) in steps {
            let now = Duration::from_secs(*at);
            let told = course.take(&status(line), now);
            let print = told.print.as_ref();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "per cents")]
            let percent =
                print.and_then(|print| print.progress).map(|progress| (progress * 100.0).round() as u8);
            let file = print.and_then(|print| print.file.as_deref());
            let fault = told.fault.as_ref().map(|fault| fault.code.code);
            assert_eq!(
                (print.map(|print| print.state), file, percent, fault),
                *expected,
                "{title}: {at} {line}"
            );
        }
    }

    const P: Option<PrintState> = Some(Printing);

    #[test]
    fn every_word_has_its_meaning() {
        for (words, expected) in [
            ("PREPARE RUNNING SLICING HEATING RESUME PRINTING BUSY", P),
            ("PAUSE PAUSED", Some(Paused)),
            ("FINISH FINISHED DONE COMPLETED", Some(Complete)),
            ("CANCELED CANCELLED", Some(Cancelled)),
            ("FAIL FAILED", Some(Error)),
            ("IDLE", Some(Standby)),
            ("UNKNOWN OFFLINE INIT -", None),
        ] {
            for word in words.split(' ') {
                let told = Course::default().take(&status(&format!("{word} a 10")), Duration::ZERO);
                assert_eq!(told.print.map(|print| print.state), expected, "{word}");
            }
        }
        // A word that is not known: a job if there is a name and a per cent below 100.
        for (line, expected) in
            [("X a 0", P), ("X a 99", P), ("X a 100", None), ("X a -", None), ("X - 10", None)]
        {
            let told = Course::default().take(&status(line), Duration::ZERO);
            assert_eq!(told.print.map(|print| print.state), expected, "{line}");
        }
    }

    #[test]
    fn what_says_nothing_keeps_what_is_known() {
        check(
            "neutral",
            &[
                (0, "OFFLINE a 10", (None, None, None, None)),
                (1, "RUNNING a 10", (P, Some("a"), Some(10), None)),
                (2, "- a 11", (P, Some("a"), Some(11), None)),
                (3, "UNKNOWN b 90", (P, Some("a"), None, None)),
                // The last word that was told counts, not the last that said something.
                (4, "- b 90", (P, Some("a"), None, None)),
                (5, "PAUSE a 12", (Some(Paused), Some("a"), Some(12), None)),
                (6, "- a 16", (Some(Paused), Some("a"), Some(16), None)),
                (7, "INIT - -", (Some(Paused), Some("a"), None, None)),
                (8, "RUNNING - 17", (P, Some("a"), Some(17), None)),
                (9, "FINISH a 100", (Some(Complete), Some("a"), Some(100), None)),
                (10, "OFFLINE b -", (Some(Complete), Some("a"), None, None)),
            ],
        );
    }

    #[test]
    fn a_job_has_the_name_under_which_it_began() {
        check(
            "names",
            &[
                (0, "IDLE a -", (Some(Standby), Some("a"), None, None)),
                // The name comes before the state.
                (1, "IDLE b -", (Some(Standby), Some("a"), None, None)),
                (2, "RUNNING b 0", (P, Some("b"), Some(0), None)),
                (3, "RUNNING c 5", (P, Some("c"), Some(5), None)),
                (4, "FINISH c 100", (Some(Complete), Some("c"), Some(100), None)),
                (5, "FINISH d -", (Some(Complete), Some("c"), None, None)),
                // A job without a name does not inherit that of the last.
                (6, "RUNNING - 1", (P, None, Some(1), None)),
                (7, "RUNNING d 2", (P, Some("d"), Some(2), None)),
            ],
        );
    }

    #[test]
    fn a_hundred_per_cent_at_the_start_is_of_the_job_before() {
        check(
            "100 %",
            &[
                (0, "RUNNING a 100", (P, Some("a"), None, None)),
                (1, "RUNNING a 100", (P, Some("a"), Some(100), None)),
                (2, "FINISH a 100", (Some(Complete), Some("a"), Some(100), None)),
                (3, "PREPARE a 100", (P, Some("a"), None, None)),
                (4, "SLICING a 100", (P, Some("a"), None, None)),
                (5, "HEATING a 100", (P, Some("a"), None, None)),
                (6, "HEATING a 0", (P, Some("a"), Some(0), None)),
                (7, "RUNNING b 100", (P, Some("b"), None, None)),
                (8, "PAUSE b 100", (Some(Paused), Some("b"), Some(100), None)),
            ],
        );
    }

    #[test]
    fn an_end_is_one_end() {
        check(
            "ends",
            &[
                (0, "RUNNING a 50", (P, Some("a"), Some(50), None)),
                (1, "FINISH a 100", (Some(Complete), Some("a"), Some(100), None)),
                (2, "FAILED a 100", (Some(Complete), Some("a"), Some(100), None)),
                (3, "IDLE a -", (Some(Standby), Some("a"), None, None)),
                (4, "FINISH a -", (Some(Standby), Some("a"), None, None)),
                (5, "RUNNING a 1", (P, Some("a"), Some(1), None)),
                (6, "IDLE a 1", (Some(Standby), Some("a"), Some(1), None)),
            ],
        );
    }

    #[test]
    fn the_code_of_a_cancellation_makes_a_failure_one() {
        let cancelled = (Some(Cancelled), Some("a"), Some(5), None);
        let running = (P, Some("a"), Some(5), None);
        check(
            "at once, then it clears",
            &[
                (0, "RUNNING a 5", running),
                (1, "FAILED a 5 50348044", cancelled),
                (2, "FAILED a 5 0", cancelled),
            ],
        );
        check(
            "before",
            &[
                (0, "RUNNING a 5 50348044", (P, Some("a"), Some(5), Some(CANCELLED))),
                (3, "FAILED a 5", cancelled),
            ],
        );
        check(
            "too long before",
            &[
                (0, "RUNNING a 5 50348044", (P, Some("a"), Some(5), Some(CANCELLED))),
                (1, "RUNNING a 5", running),
                (4, "FAILED a 5 7", (Some(Error), Some("a"), Some(5), Some(7))),
            ],
        );
        check(
            "after",
            &[(0, "RUNNING a 5", running), (1, "FAILED a 5", running), (3, "FAILED a 5 50348044", cancelled)],
        );
        check(
            "too long after",
            &[
                (0, "RUNNING a 5", running),
                (1, "FAILED a 5", running),
                (4, "FAILED a 5", (Some(Error), Some("a"), Some(5), None)),
                (5, "FAILED a 5 50348044", (Some(Error), Some("a"), Some(5), None)),
            ],
        );
        check(
            "another end meanwhile",
            &[
                (0, "RUNNING a 5", running),
                (1, "FAILED a 5", running),
                (2, "IDLE a 5", (Some(Error), Some("a"), Some(5), None)),
                (3, "IDLE a 5", (Some(Standby), Some("a"), Some(5), None)),
            ],
        );
        check("at first sight", &[(0, "FAILED a 5", (Some(Error), Some("a"), Some(5), None))]);
    }

    #[test]
    fn a_failure_is_believed_in_time_and_says_why() {
        let mut course = Course::default();
        course.take(&status("RUNNING a 5"), Duration::ZERO);
        assert_eq!(course.next_tick(), None);
        let failed = Status { reason: Some("no filament".to_owned()), ..status("FAILED a 5") };
        course.take(&failed, Duration::from_secs(1));
        assert_eq!(course.next_tick(), Some(Duration::from_secs(4)));
        assert_eq!(course.on_tick(Duration::from_millis(3999)), None);
        let believed = Some((Error, Some("no filament".to_owned())));
        assert_eq!(course.on_tick(Duration::from_secs(4)), believed);
        assert_eq!((course.on_tick(Duration::from_secs(9)), course.next_tick()), (None, None));
        let told = course.take(&status("FAILED a 5"), Duration::from_secs(9)).print.unwrap();
        assert_eq!((told.state, told.message.as_deref()), (Error, Some("no filament")));

        let mut course = Course::default();
        course.take(&status("RUNNING a 5"), Duration::ZERO);
        let told = course.take(&status("FAILED a 5 50364437"), Duration::from_secs(1)).print.unwrap();
        assert_eq!(told.message.as_deref(), Some("printer error 50364437 (0300-8015)"));
    }

    #[test]
    fn a_job_that_goes_on_did_not_fail() {
        let mut course = Course::default();
        for (second, line) in [(0, "RUNNING a 5"), (1, "FAILED a 5"), (2, "RUNNING a 5")] {
            course.take(&status(line), Duration::from_secs(second));
        }
        assert_eq!((course.next_tick(), course.on_tick(Duration::from_secs(9))), (None, None));
    }

    #[test]
    fn what_is_told_of_a_job_is_left_out_where_it_says_nothing() {
        let mut course = Course::default();
        let left = Some(Duration::from_secs(60));
        for (line, time, layer) in [
            ("RUNNING a 5", left, Some(7)),
            ("PAUSE a 5", left, Some(7)),
            ("UNKNOWN a 5", None, None),
            ("FINISH a 5", None, Some(7)),
            ("IDLE a 5", None, Some(7)),
        ] {
            let status = Status { left, layer: Some(7), layers: Some(9), ..status(line) };
            let print = course.take(&status, Duration::ZERO).print.unwrap();
            assert_eq!((print.told_left, print.layer, print.layers), (time, layer, Some(9)), "{line}");
        }
    }

    #[test]
    fn an_error_stands_while_its_code_does() {
        let fault = |code| (P, Some("a"), Some(5), code);
        check(
            "codes",
            &[
                (0, "RUNNING a 5", fault(None)),
                (1, "RUNNING a 5 7", fault(Some(7))),
                (2, "RUNNING a 5 7", fault(Some(7))),
                (3, "RUNNING a 5 0", fault(None)),
                (4, "RUNNING a 5 8", fault(Some(8))),
                (5, "UNKNOWN a 5 8", (P, Some("a"), None, Some(8))),
            ],
        );
        // On a printer that was at rest when it was first seen, the same code is old.
        check(
            "old",
            &[
                (0, "FINISH a 5 7", (Some(Complete), Some("a"), Some(5), None)),
                (1, "FINISH a 5 7", (Some(Complete), Some("a"), Some(5), None)),
                (2, "FINISH a 5 8", (Some(Complete), Some("a"), Some(5), Some(8))),
                (3, "FINISH a 5 7", (Some(Complete), Some("a"), Some(5), Some(7))),
            ],
        );
        let told = Course::default().take(&status("PAUSE a 5 117473297"), Duration::ZERO).fault.unwrap();
        assert_eq!(&*told.message, "Printer error 117473297 (0700-8011)");
    }

    proptest! {
        #[test]
        fn no_order_breaks_it(
            steps in proptest::collection::vec((0_u64..9, "(RUNNING|PAUSE|FAILED|FINISH|IDLE|OFFLINE|X|-) [ab-] (0|50|100|-) (0|7|50348044)", any::<bool>()), 0..40),
        ) {
            let (mut course, mut now) = (Course::default(), Duration::ZERO);
            for (seconds, line, tick) in steps {
                now += Duration::from_secs(seconds);
                if tick {
                    course.on_tick(now);
                    prop_assert!(course.next_tick().is_none_or(|next| next > now));
                }
                let told = course.take(&status(&line), now);
                prop_assert!(course.next_tick().is_none_or(|next| next <= now + HOLD));
                let state = told.print.map(|print| print.state);
                prop_assert!(course.next_tick().is_none() || state.is_some_and(PrintState::is_active), "{:?}", state);
            }
        }
    }
}
