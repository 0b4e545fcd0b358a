//! The wall clock: Gregorian dates in UTC, and whether a clock can be believed.

use std::time::Duration;

/// A wall clock before this moment (2026-01-01) was never set: the program is younger than that.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// Whether a wall clock that shows `unix` (time since the Unix epoch) can be believed. A printer boots with a
/// wrong date until it has a network.
pub fn is_set(unix: Duration) -> bool {
    unix >= EARLIEST
}

/// A wall clock time as `2026-11-21 14:20 UTC`.
pub fn utc(unix: Duration) -> String {
    let ((year, month, day), (hour, minute, _)) = parts(unix);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// A moment as RFC 3339 has it, with milliseconds: `2026-11-21T14:20:07.250Z`.
pub fn rfc3339(unix: Duration) -> String {
    let (date, time) = parts(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.0,
        date.1,
        date.2,
        time.0,
        time.1,
        time.2,
        unix.subsec_millis()
    )
}

fn parts(unix: Duration) -> ((u64, u64, u64), (u64, u64, u64)) {
    let seconds = unix.as_secs();
    (civil(seconds / 86_400), (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60))
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes() {
        // From `date -u -d @N`.
        let cases = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_767_225_600, "2026-01-01 00:00 UTC"),
            (1_795_227_600, "2026-11-21 02:20 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ];
        for (unix, expected) in cases {
            assert_eq!(utc(Duration::from_secs(unix)), expected, "{unix}");
        }
    }

    #[test]
    fn to_the_millisecond() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_795_270_807_250, "2026-11-21T14:20:07.250Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_clock_from_before_the_program_was_never_set() {
        assert!(!is_set(Duration::from_secs(1_767_225_599)));
        assert!(is_set(Duration::from_secs(1_767_225_600)));
    }
}
