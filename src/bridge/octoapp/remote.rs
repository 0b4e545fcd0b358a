//! The configuration that the service publishes. What is missing or senseless in it keeps its default.

use serde_json::Value;

/// Where pushes go.
const SEND_URL: &str = "https://europe-west1-octoapp-4e438.cloudfunctions.net/sendNotificationV2";
/// Where the configuration is.
pub(super) const CONFIG_URL: &str = "https://www.octoapp.eu/config/plugin.json";
/// Longest address that is believed, in bytes.
const MOST_URL: usize = 512;

/// The configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remote {
    /// A progress divisible by this is always told.
    pub(super) modulus: f64,
    /// So is one up to this,
    pub(super) near_start: f64,
    /// and one this near to 100.
    pub(super) near_end: f64,
    /// So is one after so many seconds of silence.
    pub(super) interval: f64,
    /// Where pushes go.
    pub(super) send_url: String,
}

impl Default for Remote {
    fn default() -> Self {
        let (modulus, near_start, near_end, interval) = (5.0, 5.0, 5.0, 300.0);
        Self { modulus, near_start, near_end, interval, send_url: SEND_URL.to_owned() }
    }
}

impl Remote {
    /// Merged over the defaults; none where it is no object.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let read: Value = serde_json::from_slice(json).ok().filter(Value::is_object)?;
        let usual = Self::default();
        let number = |name: &str, usual: f64| {
            let number = read.get(name).and_then(Value::as_f64);
            number.filter(|number| (0.0..=1e6).contains(number)).unwrap_or(usual)
        };
        let url = read.get("sendNotificationUrl").and_then(Value::as_str);
        // Tokens go there: never in the open.
        let url = url.filter(|url| url.starts_with("https://") && url.len() <= MOST_URL);
        Some(Self {
            modulus: number("updatePercentModulus", usual.modulus),
            near_start: number("highPrecisionRangeStart", usual.near_start),
            near_end: number("highPrecisionRangeEnd", usual.near_end),
            interval: number("minIntervalSecs", usual.interval),
            send_url: url.map_or(usual.send_url, str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_give_senseful_numbers(json in r#"\{("(updatePercentModulus|minIntervalSecs|sendNotificationUrl)":([0-9]{1,20}|-1|1e999|null|"http://x"|\[\]),?){0,4}\}"#) {
            if let Some(read) = Remote::read(json.as_bytes()) {
                prop_assert!((0.0..=1e6).contains(&read.modulus) && (0.0..=1e6).contains(&read.interval));
                prop_assert!(read.send_url.starts_with("https://"));
            }
        }
    }

    #[test]
    fn it_is_merged_over_the_defaults() {
        let usual = Remote::default();
        assert_eq!(Remote::read(b"{}"), Some(usual.clone()));
        let read = Remote::read(
            br#"{"updatePercentModulus":10,"minIntervalSecs":-1,"highPrecisionRangeEnd":"x","sendNotificationUrl":"http://x"}"#,
        );
        assert_eq!(read, Some(Remote { modulus: 10.0, ..usual.clone() }));
        let read = Remote::read(br#"{"sendNotificationUrl":"https://example.com/send"}"#);
        assert_eq!(read, Some(Remote { send_url: "https://example.com/send".to_owned(), ..usual }));
        for nothing in [&b""[..], b"[]", b"oops", b"null"] {
            assert_eq!(Remote::read(nothing), None);
        }
    }
}
