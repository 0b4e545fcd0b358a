//! When a session is idle. Pure; times and measurements are given.

use jiff::Timestamp;
use std::time::Duration;

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watched {
    /// When it became running.
    pub started_at: Timestamp,
    /// When somebody last used it.
    pub last_activity_at: Option<Timestamp>,
    /// Percent of one processor that its container used since the last look; `None` where that is not known.
    pub cpu_percent: Option<f64>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// It computes: this counts as use.
    Bump,
    /// It would be stopped, but whether it computes is not known yet.
    Measure,
    /// It is to be stopped.
    Stop,
}

/// Whether a running session is to be stopped. A `timeout` of zero never stops one; a `busy_percent` of zero does not
/// look at what it computes.
#[must_use]
pub fn decide(watched: &Watched, now: Timestamp, timeout: Duration, busy_percent: f64) -> Decision {
    // One that never comes keeps it; a clock that was set back makes nothing idle.
    if deadline(watched.started_at, watched.last_activity_at, timeout).is_none_or(|deadline| now < deadline) {
        return Decision::Keep;
    }
    if busy_percent <= 0.0 {
        return Decision::Stop;
    }
    match watched.cpu_percent {
        None => Decision::Measure,
        Some(percent) if percent > busy_percent => Decision::Bump,
        Some(_) => Decision::Stop,
    }
}

/// When a running session has been idle for `timeout`, as far as is known now; `None` where it is never stopped.
#[must_use]
pub fn deadline(
    started_at: Timestamp,
    last_activity_at: Option<Timestamp>,
    timeout: Duration,
) -> Option<Timestamp> {
    if timeout.is_zero() {
        return None;
    }
    last_activity_at.unwrap_or(started_at).max(started_at).checked_add(timeout).ok()
}

/// Percent of one processor between two readings of what was used since the start, in seconds. `None` where the second
/// is of a container that was started anew, or no time has passed.
#[must_use]
pub fn between(before: f64, after: f64, passed: Duration) -> Option<f64> {
    let used = after - before;
    (used >= 0.0 && !passed.is_zero()).then(|| used / passed.as_secs_f64() * 100.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

    #[test]
    fn a_session_is_stopped_when_nobody_and_nothing_used_it() {
        use Decision::{Bump, Keep, Measure, Stop};
        let rows = [
            // started, used, now, cpu, decision
            (0, None, 29, Some(0.0), Keep),
            (0, None, 30, Some(0.0), Stop),
            (0, Some(20), 49, Some(0.0), Keep),
            (0, Some(20), 50, Some(0.0), Stop),
            // Used before it was resumed.
            (100, Some(20), 120, Some(0.0), Keep),
            (0, Some(0), 40, Some(5.0), Stop),
            (0, Some(0), 40, Some(5.1), Bump),
            (0, Some(0), 40, None, Measure),
            (0, Some(0), 10, None, Keep),
            // The clock was set back.
            (50, Some(60), 0, Some(0.0), Keep),
        ];
        for (started, used, now, cpu_percent, expected) in rows {
            let watched = Watched { started_at: at(started), last_activity_at: used.map(at), cpu_percent };
            assert_eq!(decide(&watched, at(now), HALF_AN_HOUR, 5.0), expected, "{watched:?} {now}");
        }
    }

    #[test]
    fn zero_turns_each_part_off() {
        let watched = Watched { started_at: at(0), last_activity_at: None, cpu_percent: None };
        assert_eq!(decide(&watched, at(10_000), Duration::ZERO, 5.0), Decision::Keep);
        assert_eq!(decide(&watched, at(10_000), HALF_AN_HOUR, 0.0), Decision::Stop);
    }

    #[test]
    fn what_was_computed_between_two_looks() {
        let second = Duration::from_secs(1);
        assert_eq!(between(1.0, 1.5, second), Some(50.0));
        assert_eq!(between(1.0, 1.0, second), Some(0.0));
        assert_eq!(between(9.0, 0.5, second), None);
        assert_eq!(between(0.0, 1.0, Duration::ZERO), None);
    }

    proptest! {
        #[test]
        fn any_use_within_the_time_keeps_it(started in 0i64..1000, used in 0i64..1000, since in 0i64..30) {
            let watched = Watched { started_at: at(started), last_activity_at: Some(at(used)), cpu_percent: Some(0.0) };
            let now = at(started.max(used) + since);
            prop_assert_eq!(decide(&watched, now, HALF_AN_HOUR, 5.0), Decision::Keep);
        }
    }
}
