//! Time as an argument: a moment that carries both clocks, so that rules never ask for the time themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One moment, on both clocks of the machine.
///
/// Intervals are measured on the monotonic clock; the wall clock only dates messages, since a printer boots
/// with a wrong date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time since an arbitrary start; never goes back within one run of the process.
    pub monotonic: Duration,
    /// Wall clock, as time since the Unix epoch; may jump.
    pub unix: Duration,
}

/// Tells the time. Tests pass their own.
pub trait Clock: Send {
    /// The present moment.
    fn now(&self) -> Moment;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic part begins now.
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment {
            monotonic: self.started.elapsed(),
            unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}
