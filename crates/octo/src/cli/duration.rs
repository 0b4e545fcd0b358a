//! Lengths of time as a person writes them: `90s`, `15m`, `12h`, `7d`, `2w`.

use std::str::FromStr;
use thiserror::Error;

/// A length of time in seconds; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u64);

/// The text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no length of time; write a number and s, m, h, d or w, as 12h or 7d")]
pub struct NoDuration(String);

impl FromStr for Seconds {
    type Err = NoDuration;

    fn from_str(text: &str) -> Result<Self, NoDuration> {
        let wrong = || NoDuration(text.chars().take(40).collect());
        let (number, unit) = text
            .char_indices()
            .next_back()
            .and_then(|(at, _)| text.split_at_checked(at))
            .ok_or_else(wrong)?;
        let unit: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        // Without a sign, which `parse` would take.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .filter(|seconds| *seconds > 0)
            .map(Self)
            .ok_or_else(wrong)
    }
}
