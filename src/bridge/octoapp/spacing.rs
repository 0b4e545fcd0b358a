//! How often progress is told, and how urgently.

use super::remote::Remote;
use std::time::Duration;

/// How a progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// To everybody, at once.
    Full,
    /// To Live Activities alone, whenever it suits the service.
    Low,
    /// Not at all.
    None,
}

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    /// The last full update, on the monotonic clock.
    full: Option<Duration>,
    /// The per cent of the last push.
    percent: u8,
}

impl Spacing {
    /// A push that is no progress goes out.
    pub(super) fn told(&mut self, percent: u8, starts: bool, now: Duration) {
        self.percent = percent;
        if starts {
            self.full = Some(now);
        }
    }

    /// How a progress is told at `now`.
    pub(super) fn judge(&mut self, percent: u8, remote: &Remote, now: Duration) -> Urgency {
        let before = std::mem::replace(&mut self.percent, percent);
        let since = self.full.map_or(Duration::MAX, |full| now.saturating_sub(full));
        let p = f64::from(percent);
        let on_step = remote.modulus > 0.0 && p % remote.modulus == 0.0;
        if on_step || p <= remote.near_start || p >= 100.0 - remote.near_end {
            self.full = Some(now);
            Urgency::Full
        } else if before == 0 {
            Urgency::Full
        } else if since.as_secs_f64() > remote.interval {
            self.full = Some(now);
            Urgency::Full
        } else if since.as_secs_f64() > remote.interval / 10.0 {
            Urgency::Low
        } else {
            Urgency::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let seconds = Duration::from_secs;
        let mut spacing = Spacing::default();
        spacing.told(0, true, seconds(0));
        use Urgency::{Full, Low, None};
        for (percent, at, urgency) in [
            (1, 10, Full),
            (5, 20, Full),
            (6, 25, None),
            (7, 51, Low),
            (9, 320, Low),
            (11, 321, Full),
            (12, 322, None),
            (15, 323, Full),
            (94, 324, None),
            (95, 325, Full),
            (99, 326, Full),
        ] {
            assert_eq!(spacing.judge(percent, &Remote::default(), seconds(at)), urgency, "{percent} at {at}");
        }
        spacing.told(0, true, seconds(400));
        assert_eq!(spacing.judge(7, &Remote::default(), seconds(401)), Full);
        assert_eq!(spacing.judge(8, &Remote::default(), seconds(402)), None);
    }
}
