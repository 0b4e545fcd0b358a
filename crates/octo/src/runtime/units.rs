//! Amounts as container runtimes print them for people: `421.9kB / 268.4MB`, `5.64%`, `1m2.5s`.

/// Bytes of an amount with its unit; `None` where it is not one.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return None,
    };
    let amount = number.parse::<f64>().ok()? * factor;
    // A cast saturates.
    amount.is_finite().then_some(amount.round() as u64)
}

/// The two amounts of `A / B`.
pub(super) fn pair(text: &str) -> (Option<u64>, Option<u64>) {
    match text.split_once('/') {
        Some((first, second)) => (bytes(first), bytes(second)),
        None => (None, None),
    }
}

/// The number of `5.64%`.
pub(super) fn percent(text: &str) -> Option<f64> {
    text.trim().strip_suffix('%')?.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Seconds of a duration as Go prints it, as `1h2m3.5s` and `37.7ms`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(sum).filter(|sum| sum.is_finite())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_of_both_runtimes_are_read() {
        let rows = [
            ("0B", Some(0)),
            ("472B", Some(472)),
            ("421.9kB", Some(421_900)),
            ("268.4MB", Some(268_400_000)),
            ("1.5GiB", Some(1_610_612_736)),
            ("7.656 GiB", Some(8_220_567_404)),
            ("2TB", Some(2_000_000_000_000)),
            ("--", None),
            ("", None),
            ("1.2.3kB", None),
            ("12 apples", None),
        ];
        for (text, expected) in rows {
            assert_eq!(bytes(text), expected, "{text}");
        }
        assert_eq!(pair("421.9kB / 268.4MB"), (Some(421_900), Some(268_400_000)));
        assert_eq!(pair("-- / --"), (None, None));
        assert_eq!(percent("5.64%"), Some(5.64));
        assert_eq!(percent("--"), None);
        assert_eq!(percent("NaN%"), None);
    }

    #[test]
    fn durations_of_go_are_read() {
        let rows = [
            ("37.5ms", Some(0.0375)),
            ("1.5s", Some(1.5)),
            ("1m2s", Some(62.0)),
            ("1h0m0.5s", Some(3600.5)),
            ("250µs", Some(0.00025)),
            ("", None),
            ("5", None),
            ("s", None),
            ("1x", None),
        ];
        for (text, expected) in rows {
            match (seconds(text), expected) {
                (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-9, "{text}: {got}"),
                (got, expected) => assert_eq!(got, expected, "{text}"),
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_printed_makes_it_panic(text in ".*") {
            let _ = (bytes(&text), pair(&text), percent(&text), seconds(&text));
        }
    }
}
