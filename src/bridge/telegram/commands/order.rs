//! What the printer may be told to do, and when that makes sense. Pure.

use super::wording;
use crate::printer::{KlippyState, PrintState, Sight};
use std::sync::Arc;

/// What the printer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Pause the job.
    Pause,
    /// Go on with it.
    Resume,
    /// Cancel it.
    Cancel,
    /// Stop everything at once.
    Stop,
    /// Print the file of that path.
    Print(String),
    /// Run a macro: its name in capitals, and parameters behind it.
    Macro(String),
    /// Run G-code.
    Gcode(String),
}

impl Order {
    /// Its word in the data of buttons.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Stop => "estop",
            Self::Print(_) => "print",
            Self::Macro(_) => "macro",
            Self::Gcode(_) => "gcode",
        }
    }
}

/// Which job a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mark {
    key: Option<Arc<str>>,
    file: Option<String>,
}

impl Mark {
    /// The job under way; nothing while there is none.
    pub(super) fn of(sight: Option<&Sight>) -> Self {
        let Some(sight) = sight else { return Self::default() };
        let print = sight.snapshot.print.as_ref().filter(|print| print.state.is_active());
        let key = sight.job.clone().filter(|_| print.is_some());
        Self { key, file: print.and_then(|print| print.file.clone()) }
    }

    /// The path of its file, where it is known.
    pub(super) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Whether both may be the same job. Its key is known a moment later than its file.
    fn is_like(&self, other: &Self) -> bool {
        self.file == other.file && (self.key == other.key || self.key.is_none() || other.key.is_none())
    }
}

/// Whether a job is under way.
pub(super) fn is_busy(sight: Option<&Sight>) -> bool {
    let print = sight.and_then(|sight| sight.snapshot.print.as_ref());
    print.is_some_and(|print| print.state.is_active())
}

/// Whether `order` fits the printer's state.
///
/// # Errors
///
/// If it does not: why, in words.
pub(super) fn fits(order: &Order, sight: Option<&Sight>) -> Result<(), String> {
    if *order == Order::Stop {
        return Ok(());
    }
    let Some(sight) = sight else { return Err(wording::OUT_OF_SIGHT.to_owned()) };
    let snapshot = &sight.snapshot;
    if snapshot.klippy.state != KlippyState::Ready {
        return Err(wording::not_ready(snapshot.klippy.state));
    }
    let state = snapshot.print.as_ref().map(|print| print.state);
    match (order, state) {
        (Order::Pause, Some(PrintState::Printing)) | (Order::Resume, Some(PrintState::Paused)) => Ok(()),
        (Order::Pause, Some(PrintState::Paused)) => Err(wording::PAUSED_ALREADY.to_owned()),
        (Order::Resume, Some(PrintState::Printing)) => Err(wording::RUNS_ALREADY.to_owned()),
        (Order::Cancel, Some(state)) if state.is_active() => Ok(()),
        (Order::Pause | Order::Resume | Order::Cancel, _) => Err(wording::NO_JOB.to_owned()),
        (Order::Print(_), Some(state)) if state.is_active() => {
            Err(wording::busy(Mark::of(Some(sight)).file()))
        }
        (Order::Print(_) | Order::Macro(_) | Order::Gcode(_) | Order::Stop, _) => Ok(()),
    }
}

/// Whether `order`, about which was asked when the job was `then`, still fits.
///
/// # Errors
///
/// If it does not: why, in words.
pub(super) fn still_fits(order: &Order, then: &Mark, sight: Option<&Sight>) -> Result<(), String> {
    fits(order, sight)?;
    let now = Mark::of(sight);
    let of_job = !matches!(order, Order::Stop);
    if of_job && !then.is_like(&now) { Err(wording::OTHER_JOB.to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, sight};
    use super::*;
    use crate::printer::Klippy;

    #[test]
    fn orders_fit_the_state_or_are_refused_with_a_reason() {
        use Order::{Cancel, Gcode, Macro, Pause, Print, Resume, Stop};
        let idle = sight(PrintState::Standby, None, None);
        let printing = sight(PrintState::Printing, Some("parts/cube.gcode"), Some("1"));
        let paused = sight(PrintState::Paused, Some("cube.gcode"), Some("1"));
        let done = sight(PrintState::Complete, Some("cube.gcode"), None);
        let print = Print("a.gcode".to_owned());
        let script = Gcode("G28".to_owned());
        for (order, sight, reason) in [
            (&Pause, &printing, None),
            (&Pause, &paused, Some("paused already")),
            (&Pause, &idle, Some("No job")),
            (&Pause, &done, Some("No job")),
            (&Resume, &paused, None),
            (&Resume, &printing, Some("not paused")),
            (&Resume, &done, Some("No job")),
            (&Cancel, &printing, None),
            (&Cancel, &paused, None),
            (&Cancel, &idle, Some("No job")),
            (&print, &idle, None),
            (&print, &done, None),
            (&print, &paused, Some("cube.gcode")),
            (&print, &printing, Some("cube.gcode")),
            (&script, &printing, None),
            (&Macro("PARK".to_owned()), &idle, None),
            (&Stop, &idle, None),
            (&Stop, &printing, None),
        ] {
            match (fits(order, Some(sight)), reason) {
                (Ok(()), None) => {}
                (Err(why), Some(reason)) => assert!(why.contains(reason), "{order:?}: {why}"),
                other => panic!("{order:?} {sight:?}: {other:?}"),
            }
        }
        assert!(fits(&Stop, None).is_ok() && fits(&Pause, None).is_err() && fits(&script, None).is_err());
        let mut down = (*printing.snapshot).clone();
        down.klippy = Klippy { state: KlippyState::Shutdown, message: None };
        let down = Sight { snapshot: Arc::new(down), ..printing };
        assert!(fits(&Cancel, Some(&down)).unwrap_err().contains("shutdown"));
        assert!(fits(&Stop, Some(&down)).is_ok());
    }

    #[test]
    fn a_question_is_about_one_job() {
        let first = sight(PrintState::Printing, Some("a"), Some("1"));
        let then = Mark::of(Some(&first));
        let nameless = Mark::of(Some(&Sight { job: None, ..first.clone() }));
        for (then, now, fits) in [
            (&then, sight(PrintState::Printing, Some("a"), Some("1")), true),
            (&then, sight(PrintState::Paused, Some("a"), Some("1")), true),
            // The same file once more, another file, none.
            (&then, sight(PrintState::Printing, Some("a"), Some("2")), false),
            (&then, sight(PrintState::Printing, Some("b"), Some("1")), false),
            (&then, sight(PrintState::Standby, None, None), false),
            (&nameless, sight(PrintState::Printing, Some("a"), Some("1")), true),
            (&nameless, sight(PrintState::Printing, Some("b"), None), false),
        ] {
            assert_eq!(still_fits(&Order::Cancel, then, Some(&now)).is_ok(), fits, "{then:?} {now:?}");
        }
        let idle = Mark::of(Some(&sight(PrintState::Complete, Some("a"), None)));
        let print = Order::Print("a".to_owned());
        assert!(still_fits(&print, &idle, Some(&sight(PrintState::Standby, None, None))).is_ok());
        assert!(still_fits(&print, &idle, Some(&first)).is_err());
        assert!(still_fits(&Order::Stop, &then, None).is_ok());
        assert_eq!(job(&first), Some("1"));
    }
}
