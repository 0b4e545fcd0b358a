//! Times in the database: RFC 3339, UTC, milliseconds, `Z`. Texts of one length sort as the times do.

use jiff::{Timestamp, Unit};
use rusqlite::types::Type;

/// A time as it is kept.
#[must_use]
pub fn text(time: Timestamp) -> String {
    let time = time.round(Unit::Millisecond).unwrap_or(time);
    format!("{time:.3}")
}

/// The time that a column keeps; `column` counts from 0.
///
/// # Errors
/// When the column holds something else.
pub fn of(text: &str, column: usize) -> rusqlite::Result<Timestamp> {
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_length_and_sort_as_text() {
        let rows = [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.0001Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100Z"),
            ("2026-01-02T05:04:05.25+01:00", "2026-01-02T04:04:05.250Z"),
        ];
        for (given, kept) in rows {
            let time: Timestamp = given.parse().unwrap();
            assert_eq!(text(time), kept);
            assert_eq!(text(of(kept, 0).unwrap()), kept);
        }
        assert!(rows.is_sorted_by_key(|(_, kept)| kept));
    }
}
