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

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
pub fn civil_date(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is a year's last; 400 years have 146097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
