//! What a session's container may use of the machine: as people write it, and how much they may ask for. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checks::Unfit;

/// Memory below which no first process starts; docker refuses less.
const LEAST_MEMORY: u64 = 6 << 20;
/// Share of a processor below which a container does not get anywhere; docker refuses less.
const LEAST_CPUS: f64 = 0.01;
/// Processes that the services of a session are, with a shell.
const LEAST_PIDS: u32 = 16;

/// What a user asked for at a session's creation; what is nothing is as the settings have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Asked {
    /// Memory with swap, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Processes.
    pub pids_limit: Option<u32>,
}

/// The most of each; `None`: as much as there is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Most {
    /// Memory with swap, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Processes.
    pub pids_limit: Option<u32>,
}

/// Bytes of an amount of memory as runtimes read it, as `512m`, `1.5g` or `2GiB`: units are powers of 1024, bytes where
/// there is none. `None` where it is not one, or nothing.
#[must_use]
pub fn memory(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let amount = number.parse::<f64>().ok()? * (1_u64 << power) as f64;
    // A cast saturates.
    (amount.is_finite() && amount >= 1.0).then_some(amount as u64)
}

/// An amount of memory for people.
fn shown(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, power) in units {
        if bytes >= 1 << power {
            let amount = (bytes as f64 / (1_u64 << power) as f64 * 100.0).round() / 100.0;
            return format!("{amount} {unit}");
        }
    }
    format!("{bytes} bytes")
}

impl Asked {
    /// What is asked for, in the settings' own spelling, where a session may have as much.
    ///
    /// # Errors
    /// [`Unfit::Amount`] for what is no amount, [`Unfit::Less`] and [`Unfit::More`] for what is out of bounds.
    pub fn of(
        memory: Option<&str>,
        cpus: Option<f64>,
        pids_limit: Option<i64>,
        most: &Most,
    ) -> Result<Self, Unfit> {
        let memory_bytes = match memory {
            None => None,
            Some(text) => Some(self::memory(text).ok_or_else(|| {
                let text = text.chars().take(40).collect::<String>();
                Unfit::Amount { field: "memory", text, example: "2g or 512m" }
            })?),
        };
        let bounds = |field, less, least: String, more: Option<String>| match more {
            _ if less => Err(Unfit::Less { field, least }),
            Some(most) => Err(Unfit::More { field, most }),
            None => Ok(()),
        };
        if let Some(bytes) = memory_bytes {
            let more = most.memory_bytes.filter(|most| bytes > *most).map(shown);
            bounds("memory", bytes < LEAST_MEMORY, shown(LEAST_MEMORY), more)?;
        }
        if let Some(cpus) = cpus {
            let more = most.cpus.filter(|most| cpus > *most).map(|most| most.to_string());
            // Also what is no number.
            let less = !(cpus.is_finite() && cpus >= LEAST_CPUS);
            bounds("cpus", less, LEAST_CPUS.to_string(), more)?;
        }
        let mut pids = None;
        if let Some(given) = pids_limit {
            let more = most.pids_limit.filter(|most| given > i64::from(*most)).map(|most| most.to_string());
            bounds("pids_limit", given < i64::from(LEAST_PIDS), LEAST_PIDS.to_string(), more)?;
            pids = Some(u32::try_from(given).unwrap_or(u32::MAX));
        }
        Ok(Self { memory_bytes, cpus, pids_limit: pids })
    }

    /// No more than is allowed now: the settings may have become stricter since it was asked for.
    #[must_use]
    pub fn within(self, most: &Most) -> Self {
        let least =
            |asked: Option<u64>, most: Option<u64>| asked.map(|asked| asked.min(most.unwrap_or(asked)));
        Self {
            memory_bytes: least(self.memory_bytes, most.memory_bytes),
            cpus: self.cpus.map(|asked| asked.min(most.cpus.unwrap_or(asked))),
            pids_limit: self.pids_limit.map(|asked| asked.min(most.pids_limit.unwrap_or(asked))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: Most = Most { memory_bytes: Some(4 << 30), cpus: Some(2.0), pids_limit: Some(2048) };

    #[test]
    fn amounts_are_read_as_runtimes_do() {
        let rows = [
            ("512m", Some(512 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2GiB", Some(2 << 30)),
            ("2 gb", Some(2 << 30)),
            ("64k", Some(64 << 10)),
            ("1048576", Some(1 << 20)),
            ("5b", Some(5)),
            ("", None),
            ("0", None),
            ("g", None),
            ("-1g", None),
            ("1.2.3g", None),
            ("4 apples", None),
            ("--privileged", None),
        ];
        for (text, expected) in rows {
            assert_eq!(memory(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bound() {
        let asked = Asked::of(Some("4g"), Some(2.0), Some(2048), &MOST).unwrap();
        let exactly = Asked { memory_bytes: Some(4 << 30), cpus: Some(2.0), pids_limit: Some(2048) };
        assert_eq!(asked, exactly);
        assert_eq!(Asked::of(None, None, None, &MOST).unwrap(), Asked::default());
        type Row = (Option<&'static str>, Option<f64>, Option<i64>, &'static str);
        let rows: [Row; 10] = [
            (Some("4097m"), None, None, "memory is more than the 4 GiB"),
            (Some("99999999t"), None, None, "memory is more than the 4 GiB"),
            (Some("1m"), None, None, "memory is less than the 6 MiB"),
            (Some("much"), None, None, "\"much\" is no amount of memory"),
            (None, Some(2.5), None, "cpus is more than the 2 "),
            (None, Some(0.0), None, "cpus is less than the 0.01 "),
            (None, Some(-1.0), None, "cpus is less than the 0.01 "),
            (None, Some(f64::NAN), None, "cpus is less than the 0.01 "),
            (None, None, Some(2049), "pids_limit is more than the 2048 "),
            (None, None, Some(-1), "pids_limit is less than the 16 "),
        ];
        for (memory, cpus, pids, expected) in rows {
            let told = Asked::of(memory, cpus, pids, &MOST).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
        let free = Asked::of(Some("1t"), Some(500.0), Some(1 << 40), &Most::default()).unwrap();
        assert_eq!(free.pids_limit, Some(u32::MAX));
    }

    #[test]
    fn a_stricter_setting_counts_for_what_was_asked_before() {
        let asked = Asked { memory_bytes: Some(8 << 30), cpus: None, pids_limit: Some(100) };
        let now = Asked { memory_bytes: Some(4 << 30), cpus: None, pids_limit: Some(100) };
        assert_eq!(asked.within(&MOST), now);
        assert_eq!(asked.within(&Most::default()), asked);
    }

    proptest! {
        #[test]
        fn nothing_gets_past_the_bounds(text in ".{0,12}|[0-9.]{1,9}[kmgtKMGT]?i?b?", cpus: f64, pids: i64) {
            if let Ok(asked) = Asked::of(Some(&text), Some(cpus), Some(pids), &MOST) {
                prop_assert!(asked.memory_bytes.unwrap() <= 4 << 30);
                prop_assert!(asked.cpus.unwrap() <= 2.0 && asked.pids_limit.unwrap() <= 2048);
                prop_assert_eq!(asked.within(&MOST), asked);
            }
        }
    }
}
