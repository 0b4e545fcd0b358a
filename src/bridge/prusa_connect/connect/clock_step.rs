//! Steps of the wall clock, which Connect is told of once each.

use crate::clock::Moment;
use std::time::Duration;

/// From where on a step is told.
const STEP: Duration = Duration::from_secs(1);

/// The difference of the two clocks that Connect knows.
#[derive(Debug)]
pub(super) struct ClockStep {
    known: Moment,
}

impl ClockStep {
    pub(super) fn new(now: Moment) -> Self {
        Self { known: now }
    }

    /// Whether a step is to be told.
    pub(super) fn is_new(&self, now: Moment) -> bool {
        // The clocks' differences, without any below zero.
        let here = now.unix.saturating_add(self.known.monotonic);
        let there = self.known.unix.saturating_add(now.monotonic);
        here.abs_diff(there) >= STEP
    }

    /// It was told at that moment.
    pub(super) fn told(&mut self, at: Moment) {
        self.known = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_second_and_drift_that_adds_up_to_one_are_told() {
        let at = |unix: u64, monotonic: u64| Moment {
            unix: Duration::from_millis(unix),
            monotonic: Duration::from_millis(monotonic),
        };
        let mut step = ClockStep::new(at(1_000_000, 50_000));
        for (unix, monotonic, expected) in [
            (1_000_000, 50_000, false),
            (1_001_999, 51_000, false),
            (1_002_000, 51_000, true),
            (990_001, 41_000, false),
            (990_000, 51_000, true),
            (0, 51_000, true),
        ] {
            assert_eq!(step.is_new(at(unix, monotonic)), expected, "{unix} {monotonic}");
        }
        step.told(at(0, 51_000));
        assert!(!step.is_new(at(9_999, 61_000)));
        assert!(step.is_new(at(11_000, 61_000)));
        assert!(!step.is_new(Moment { unix: Duration::MAX, monotonic: Duration::MAX }));
    }
}
