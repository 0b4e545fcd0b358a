//! How long to wait before the next attempt: exponential, capped, and jittered so that several clients of one
//! peer do not come back in step. Pure: the random number is an argument.

use std::time::Duration;

/// What chance adds at most to the delays of a [patient](Backoff::patient) backoff.
const SPREAD: f64 = 0.2;

/// Delays between attempts: drawn evenly from zero to `min(cap, base · 2ⁿ)` ("full jitter"), or a little above that.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
    patient: bool,
}

impl Backoff {
    /// Delays whose limit begins at `base`, doubles with every failure, and stays at `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0, patient: false }
    }

    /// Delays of `base`, then twice as long with every failure, up to `cap`; chance adds up to a fifth. For peers that
    /// promise how soon they are asked again.
    pub fn patient(base: Duration, cap: Duration) -> Self {
        Self { patient: true, ..Self::new(base, cap) }
    }

    /// The delay after one more failure. `random` is taken as a fraction: 0 gives the shortest, `u32::MAX` the
    /// longest.
    pub fn next_delay(&mut self, random: u32) -> Duration {
        let limit = self.limit();
        self.failures = self.failures.saturating_add(1);
        let fraction = f64::from(random) / f64::from(u32::MAX);
        if self.patient {
            limit.saturating_add(limit.min(Duration::MAX / 2).mul_f64(fraction * SPREAD))
        } else {
            limit.mul_f64(fraction)
        }
    }

    /// The longest delay that the next call of [`Self::next_delay`] can give, but for what a patient one adds.
    pub fn limit(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.base.checked_mul(factor).map_or(self.cap, |limit| limit.min(self.cap))
    }

    /// Begins anew. To be called only after the peer was useful: one that accepts a connection and drops it at
    /// once must not be hit without end.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// A random number of the operating system; the middle of the range should it have none to give.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(500);
    const CAP: Duration = Duration::from_secs(15);

    #[test]
    fn the_limit_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(BASE, CAP);
        let limits: Vec<u128> = (0..8).map(|_| backoff.next_delay(u32::MAX).as_millis()).collect();
        assert_eq!(limits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let mut backoff = Backoff::new(BASE, CAP);
        assert_eq!(backoff.next_delay(0), Duration::ZERO);
        let half = backoff.next_delay(u32::MAX / 2);
        assert!(half > Duration::from_millis(499) && half < Duration::from_millis(501), "{half:?}");
    }

    #[test]
    fn a_patient_one_keeps_to_its_delays_but_for_a_fifth() {
        // As the feed's clients do by default: attempts after 1, 3, 7, 15, 31, 61, 91 seconds.
        for (random, factor) in [(0, 1.0), (u32::MAX / 2, 1.1), (u32::MAX, 1.2)] {
            let mut backoff = Backoff::patient(Duration::from_secs(1), Duration::from_secs(30));
            let delays: Vec<f64> =
                (0..7).map(|_| backoff.next_delay(random).as_secs_f64() / factor).collect();
            for (delay, expected) in delays.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]) {
                assert!((delay - expected).abs() < 1e-6, "{delays:?}");
            }
            backoff.reset();
            assert_eq!(backoff.next_delay(0), Duration::from_secs(1));
        }
        assert_eq!(Backoff::patient(Duration::MAX, Duration::MAX).next_delay(u32::MAX), Duration::MAX);
    }

    #[test]
    fn only_a_reset_shortens_it() {
        let mut backoff = Backoff::new(BASE, CAP);
        for _ in 0..5 {
            backoff.next_delay(7);
        }
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert_eq!(backoff.limit(), BASE);
    }

    #[test]
    fn endless_failure_and_extreme_settings_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(backoff.limit(), Duration::MAX);
        let mut long = Backoff::new(BASE, CAP);
        long.failures = u32::MAX;
        assert_eq!(long.next_delay(u32::MAX), CAP);
        assert_eq!(long.failures(), u32::MAX);
        backoff.reset();
    }

    #[test]
    fn random_numbers_differ() {
        let drawn: Vec<u32> = (0..8).map(|_| random()).collect();
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "{drawn:?}");
    }
}
