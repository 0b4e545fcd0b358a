//! When to try again while a service starts.

use std::time::Duration;

/// The wait before the second try; each further one is this much longer.
const STEP: Duration = Duration::from_millis(100);

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(2);

/// The tries within a window of time. Knows no clock: it is told how long it has been.
#[derive(Debug, Clone)]
pub struct Backoff {
    window: Duration,
    tries: u32,
}

impl Backoff {
    /// Tries within so much time.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self { window, tries: 0 }
    }

    /// How long to wait before the next try, when `spent` has passed since the first; `None` at the window's end. The
    /// last wait is cut, so that the last try comes at the end and not before it.
    pub fn next(&mut self, spent: Duration) -> Option<Duration> {
        let left = self.window.checked_sub(spent).filter(|left| !left.is_zero())?;
        self.tries = self.tries.saturating_add(1);
        Some(STEP.saturating_mul(self.tries).min(LONGEST).min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waits(window: Duration) -> Vec<u128> {
        let mut backoff = Backoff::new(window);
        let mut spent = Duration::ZERO;
        let mut all = Vec::new();
        while let Some(wait) = backoff.next(spent) {
            spent += wait;
            all.push(wait.as_millis());
        }
        all
    }

    #[test]
    fn each_wait_is_longer_until_two_seconds_and_the_last_ends_with_the_window() {
        assert_eq!(waits(Duration::ZERO), [0; 0]);
        assert_eq!(waits(Duration::from_secs(1)), [100, 200, 300, 400]);
        assert_eq!(waits(Duration::from_millis(1150)), [100, 200, 300, 400, 150]);
        let long = waits(Duration::from_secs(60));
        assert_eq!(long.iter().max(), Some(&2000));
        assert_eq!(long.iter().sum::<u128>(), 60_000);
    }

    proptest! {
        #[test]
        fn the_window_is_never_left(window in 0_u64..200_000, slow in 0_u64..5_000) {
            let window = Duration::from_millis(window);
            let mut backoff = Backoff::new(window);
            let mut spent = Duration::ZERO;
            while let Some(wait) = backoff.next(spent) {
                prop_assert!(!wait.is_zero());
                prop_assert!(spent + wait <= window);
                spent += wait + Duration::from_millis(slow);
            }
        }
    }
}
