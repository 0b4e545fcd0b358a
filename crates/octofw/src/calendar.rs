//! Moments in seconds since 1970 as people write them, in UTC.

/// Date, and hours, minutes and seconds of the day (days to civil, after H. Hinnant).
fn parts(seconds: i64) -> (String, [i64; 3]) {
    let days = seconds.div_euclid(86_400) + 719_468;
    let of_day = seconds.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (format!("{year:04}-{month:02}-{day:02}"), [of_day / 3600, of_day % 3600 / 60, of_day % 60])
}

/// Date and time of day, to the minute.
pub(crate) fn date_and_time(seconds: i64) -> (String, String) {
    let (date, [hours, minutes, _]) = parts(seconds);
    (date, format!("{hours:02}:{minutes:02}"))
}

/// The whole moment, as ISO 8601 has it.
pub(crate) fn iso(seconds: u32) -> String {
    let (date, [hours, minutes, seconds]) = parts(i64::from(seconds));
    format!("{date}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `date -u -d @SECONDS` says it.
    #[test]
    fn moments_are_written_as_iso_8601() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_294_967_295, "2106-02-07T06:28:15Z"),
        ] {
            assert_eq!(iso(seconds), expected);
        }
    }
}
