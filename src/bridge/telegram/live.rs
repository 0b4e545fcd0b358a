//! What the bridge's threads know together of this moment. In memory only.

use super::config::Kind;
use crate::printer::Sight;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most lines of the console that are kept.
const MOST_LINES: usize = 20;

/// Which messages make a sound, or come at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Mute {
    /// All as the settings say.
    #[default]
    Off,
    /// Only errors, ends and alerts until that moment of the monotonic clock.
    Until(Duration),
    /// Only errors, ends and alerts while this job is under way, by the beginning of its keys.
    Job(Arc<str>),
    /// Nothing at all, until it is taken back.
    Everything,
}

impl Mute {
    /// Whether a message of that key and kind is sent at `now`, on the monotonic clock.
    pub(super) fn lets(&self, key: &str, kind: Kind, now: Duration) -> bool {
        let urgent = matches!(kind, Kind::Attention | Kind::End | Kind::Alert);
        match self {
            Self::Off => true,
            Self::Until(until) => now >= *until || urgent,
            Self::Job(job) => {
                let of_job = key.strip_prefix(&**job).is_some_and(|rest| rest.starts_with('/'));
                !(of_job || kind == Kind::State) || urgent
            }
            Self::Everything => false,
        }
    }
}

/// The shared state. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<State>>);

/// What is known.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The printer as it was seen last; none before the first time.
    pub(super) sight: Option<Sight>,
    /// What is not told.
    pub(super) mute: Mute,
    /// How the last defect check went, for people; none before the first.
    pub(super) checked: Option<String>,
    /// The newest lines of the printer's console, and when each came on the monotonic clock; kept where G-code may be
    /// sent.
    pub(super) console: VecDeque<(Duration, String)>,
}

impl State {
    /// The console says something.
    pub(super) fn heard(&mut self, line: &str, at: Duration) {
        if self.console.len() >= MOST_LINES {
            self.console.pop_front();
        }
        self.console.push_back((at, line.to_owned()));
    }
}

impl Live {
    /// The state, for a short time. A panic cannot leave it half changed: each change is one assignment.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The printer as it was seen last.
    pub(super) fn sight(&self) -> Option<Sight> {
        self.lock().sight.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_told_all_the_same() {
        let job = Mute::Job("1".into());
        let until = Mute::Until(Duration::from_secs(60));
        // The mute, the message's key and kind, the second, whether it is told.
        for (mute, key, kind, second, told) in [
            (&Mute::Off, "1/photo/0", Kind::Photo, 0, true),
            (&until, "1/photo/0", Kind::Photo, 59, false),
            (&until, "1/step/0/5", Kind::Progress, 60, true),
            (&until, "1/finished", Kind::End, 0, true),
            (&until, "1/alert/5", Kind::Alert, 0, true),
            (&job, "1/photo/0", Kind::Photo, 0, false),
            (&job, "1/failed", Kind::End, 0, true),
            (&job, "2/photo/0", Kind::Photo, 0, true),
            (&job, "12/photo/0", Kind::Photo, 0, true),
            (&Mute::Everything, "1/alert/5", Kind::Alert, 0, false),
        ] {
            assert_eq!(mute.lets(key, kind, Duration::from_secs(second)), told, "{mute:?} {key} {second}");
        }
    }
}
