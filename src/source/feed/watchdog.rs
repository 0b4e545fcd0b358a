//! The watch over the camera: a feed whose pictures stop is connected anew. Pure; times are on the monotonic clock.

use std::time::Duration;

/// Shortest time between two looks.
const SHORTEST_TICK: Duration = Duration::from_secs(1);
/// A feed that never sent a picture is connected anew so often before it is left alone for longer.
const PATIENT_AFTER: u32 = 3;
/// It is left alone for at most this many times the usual.
const MOST_PATIENCE: u32 = 10;

/// How the watch is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchdogSettings {
    /// Longest time without a picture (`IMAGE_TIMEOUT_SECONDS`); zero is no watch at all.
    pub timeout: Duration,
    /// Time between two looks (`WATCHDOG_TICK_SECONDS`); less than a second counts as one.
    pub tick: Duration,
}

/// Tells when a connection is to be given up because pictures do not come.
#[derive(Debug, Clone)]
pub struct Watchdog {
    settings: WatchdogSettings,
    /// The later of the connection's beginning and its last picture.
    base: Duration,
    next: Duration,
    status_at: Option<Duration>,
    /// A picture came, over whichever connection.
    ever: bool,
    /// Connections that were given up before the first picture.
    rounds: u32,
}

impl Watchdog {
    /// Nothing came yet.
    pub fn new(settings: WatchdogSettings) -> Self {
        let tick = settings.tick.max(SHORTEST_TICK);
        let settings = WatchdogSettings { tick, ..settings };
        Self { settings, base: Duration::ZERO, next: tick, status_at: None, ever: false, rounds: 0 }
    }

    /// A connection begins.
    pub fn on_connected(&mut self, now: Duration) {
        self.base = now;
        self.next = now.saturating_add(self.settings.tick);
        self.status_at = None;
    }

    /// A valid picture came.
    pub fn on_picture(&mut self, now: Duration) {
        self.base = now;
        self.ever = true;
    }

    /// A valid status came.
    pub fn on_status(&mut self, now: Duration) {
        self.status_at = Some(now);
    }

    /// When [`Self::on_tick`] wants to be called.
    pub fn next_tick(&self) -> Option<Duration> {
        (!self.settings.timeout.is_zero()).then_some(self.next)
    }

    /// Looks, if it is time to. Returns whether the connection is to be given up.
    pub fn on_tick(&mut self, now: Duration) -> bool {
        if self.settings.timeout.is_zero() || now < self.next {
            return false;
        }
        self.next = now.saturating_add(self.settings.tick);
        if now.saturating_sub(self.base) <= self.limit(now) {
            return false;
        }
        if !self.ever {
            self.rounds = self.rounds.saturating_add(1);
        }
        true
    }

    /// A feed without a camera is left alone for longer and longer, as long as its statuses come.
    fn limit(&self, now: Duration) -> Duration {
        let timeout = self.settings.timeout;
        let alive = self.status_at.is_some_and(|at| now.saturating_sub(at) <= timeout);
        if self.ever || !alive || self.rounds < PATIENT_AFTER {
            return timeout;
        }
        let doubled = 2_u32.saturating_pow((self.rounds - PATIENT_AFTER).saturating_add(1));
        timeout.saturating_mul(doubled.min(MOST_PATIENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy)]
    enum Comes {
        Picture,
        Status,
    }

    /// Timeout and tick, what comes, until when, and when the connection is given up.
    type Case = (u64, u64, Vec<(u64, Comes)>, u64, Vec<u64>);

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn watchdog(timeout: u64, tick: u64) -> Watchdog {
        Watchdog::new(WatchdogSettings { timeout: seconds(timeout), tick: seconds(tick) })
    }

    /// When a feed is given up, that connects again a second later each time.
    fn closes(mut dog: Watchdog, comes: &[(u64, Comes)], until: u64) -> Vec<u64> {
        let mut closed = Vec::new();
        let mut connect_at = Some(0);
        for now in 0..until {
            if connect_at.take_if(|at| *at == now).is_some() {
                dog.on_connected(seconds(now));
            }
            if connect_at.is_none() {
                for (_, what) in comes.iter().filter(|(at, _)| *at == now) {
                    match what {
                        Comes::Picture => dog.on_picture(seconds(now)),
                        Comes::Status => dog.on_status(seconds(now)),
                    }
                }
                if dog.next_tick().is_some_and(|tick| tick <= seconds(now)) && dog.on_tick(seconds(now)) {
                    closed.push(now);
                    connect_at = Some(now + 1);
                }
            }
        }
        closed
    }

    #[test]
    #[allow(clippy::type_complexity, reason = "a table")]
    fn a_feed_is_given_up_at_the_first_look_after_the_time() {
        use Comes::{Picture, Status};
        let statuses: Vec<(u64, Comes)> = (0..2000).step_by(10).map(|at| (at, Status)).collect();
        let with_pictures = |at: &[u64]| {
            let mut comes = statuses.clone();
            comes.extend(at.iter().map(|at| (*at, Picture)));
            comes
        };
        let cases: [Case; 8] = [
            // The last picture came at 33: later than 93, at a look each five seconds. The new connection's time
            // begins anew, and its first picture keeps it.
            (60, 5, with_pictures(&[3, 13, 23, 33, 125, 135, 145, 155]), 200, vec![95]),
            // Exactly the time is not longer than the time.
            (60, 5, with_pictures(&[35]), 96, vec![]),
            (60, 5, with_pictures(&[35]), 101, vec![100]),
            // Never a picture, and nothing else either.
            (60, 5, vec![], 270, vec![65, 131, 197, 263]),
            // Never a picture, but statuses: three rounds, then twice the time, four times, eight, ten.
            (10, 1, statuses.clone(), 600, vec![11, 23, 35, 57, 99, 181, 283, 385, 487, 589]),
            // A look each second at least, however short the tick.
            (2, 0, vec![], 8, vec![3, 7]),
            // Off.
            (0, 5, statuses.clone(), 2000, vec![]),
            // A picture ends the patience for good.
            (10, 1, with_pictures(&[50]), 130, vec![11, 23, 35, 61, 73, 85, 97, 109, 121]),
        ];
        for (n, (timeout, tick, comes, until, expected)) in cases.into_iter().enumerate() {
            assert_eq!(closes(watchdog(timeout, tick), &comes, until), expected, "case {n}");
        }
    }

    #[test]
    fn patience_needs_statuses_that_still_come() {
        let comes: Vec<(u64, Comes)> = (0..40).map(|at| (at, Comes::Status)).collect();
        // In the fourth round the statuses stop: that connection is as dead as any.
        assert_eq!(closes(watchdog(10, 1), &comes, 64), [11, 23, 35, 50, 62]);
    }

    proptest! {
        #[test]
        fn no_time_breaks_it(
            timeout in any::<u64>(), tick in any::<u64>(), steps in proptest::collection::vec((0..4, any::<u64>()), 0..60),
        ) {
            let mut dog = watchdog(timeout, tick);
            for (what, at) in steps {
                match what {
                    0 => dog.on_connected(seconds(at)),
                    1 => dog.on_picture(seconds(at)),
                    2 => dog.on_status(seconds(at)),
                    _ => {
                        let closed = dog.on_tick(seconds(at));
                        prop_assert!(!closed || timeout > 0);
                        // A look must lead to a later one, or the caller would spin.
                        prop_assert!(dog.next_tick().is_none_or(|next| next > seconds(at) || at == u64::MAX));
                    }
                }
            }
        }
    }
}
