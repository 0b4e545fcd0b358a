//! Time left, by each way of reckoning that the printer's front ends use.

use super::Print;
use std::time::Duration;

/// Estimates of the time that a job still takes; each is none where it cannot be reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimates {
    /// From the time printed so far and the progress in the file.
    pub file: Option<Duration>,
    /// From the time printed so far and the filament used.
    pub filament: Option<Duration>,
    /// The slicer's estimate less the time printed so far.
    pub slicer: Option<Duration>,
}

impl Estimates {
    /// Reckons for `print`.
    pub fn of(_print: &Print) -> Self {
        Self::default()
    }
}
