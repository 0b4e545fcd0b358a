//! Moments as HTTP writes them.

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since the Unix epoch at 9999-12-31 23:59:59, the last that HTTP can write.
const LAST: u64 = 253_402_300_799;

/// A wall clock time as HTTP writes it: `Sat, 21 Nov 2026 14:20:05 GMT`.
pub(super) fn http(unix: Duration) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix.as_secs().min(LAST)))
}

/// Whole seconds since the Unix epoch of a date in any form that HTTP allows.
pub(super) fn read_http(text: &str) -> Option<u64> {
    let moment = httpdate::parse_http_date(text).ok()?;
    moment.duration_since(UNIX_EPOCH).ok().map(|unix| unix.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_ways() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_827_696_789, "Tue, 29 Feb 2000 12:34:56 GMT"),
            (1_795_227_605_007, "Sat, 21 Nov 2026 02:20:05 GMT"),
        ];
        for (ms, expected_http) in table {
            let unix = Duration::from_millis(ms);
            assert_eq!(http(unix), expected_http);
            assert_eq!(read_http(expected_http), Some(ms / 1000));
        }
        // RFC 9110, 5.6.7: the forms of old.
        assert_eq!(read_http("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read_http("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(read_http("yesterday"), None);
    }

    proptest! {
        #[test]
        fn no_moment_and_no_text_panics(seconds in any::<u64>(), text in ".*") {
                        let _ = http(Duration::from_secs(seconds));
            let _ = read_http(&text);
        }
    }
}
