//! What the bridge's threads know together of this moment. In memory only.

use crate::printer::Sight;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
