//! How much may be kept, and what goes when it is more.

use std::time::{Duration, SystemTime};

use super::entries::{Entry, Kind};

/// What is kept unless somebody says otherwise: 2 GiB, some dozens of overlays' downloads.
pub const DEFAULT_BOUND: u64 = 2 << 30;
/// The coarsest time of modification that a file system keeps (FAT).
const GRAIN: Duration = Duration::from_secs(2);

/// Units as people write them; a bare letter is decimal.
const UNITS: [(&str, u64); 18] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("ki", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mi", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gi", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("ti", 1 << 40),
    ("tib", 1 << 40),
];

/// A number of bytes as people write it: `2GiB`, `500 MB`, `0`.
///
/// # Errors
/// What is wrong with the text.
pub fn bytes_of(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let number: Option<u64> = number.parse().ok();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "write it as 500MB or 2GiB; 0 is without bound".to_owned())
}

/// Which of the entries go so that the rest has at most `bound` bytes: the ones that were not used for longest first,
/// never one that was used at or after `since`, where that is given, and always what an interrupted command left. With a
/// bound of 0 nothing else goes.
#[must_use]
pub fn goes(entries: &[Entry], bound: u64, since: Option<SystemTime>) -> Vec<bool> {
    let since = since.map(|since| since.checked_sub(GRAIN).unwrap_or(since));
    let mut total = 0_u64;
    let mut going = vec![false; entries.len()];
    let mut oldest: Vec<(&Entry, &mut bool)> = entries.iter().zip(&mut going).collect();
    for (entry, goes) in &mut oldest {
        **goes = entry.kind == Kind::Unfinished;
        if !**goes {
            total = total.saturating_add(entry.size);
        }
    }
    oldest.sort_by_key(|(entry, _)| (entry.used, &entry.path));
    for (entry, goes) in oldest {
        if bound == 0 || total <= bound || since.is_some_and(|since| entry.used >= since) {
            break;
        }
        if !*goes {
            *goes = true;
            total = total.saturating_sub(entry.size);
        }
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn entry(kind: Kind, number: usize, size: u64, used: u64) -> Entry {
        Entry { kind, path: format!("sha256/{number}"), name: None, size, used: at(used) }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("2GiB", DEFAULT_BOUND),
            (" 500 MB ", 500_000_000),
            ("3k", 3000),
            ("3Ki", 3072),
            ("1tib", 1 << 40),
        ] {
            assert_eq!(bytes_of(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "GiB", "1.5GB", "-1", "2 apples", "99999999999TiB", "1G B"] {
            assert!(bytes_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let entries = [
            entry(Kind::File, 0, 10, 1000),
            entry(Kind::Repository, 1, 10, 200),
            entry(Kind::Package, 2, 10, 300),
            entry(Kind::Unfinished, 3, 10, 5000),
        ];
        assert_eq!(goes(&entries, 30, None), [false, false, false, true], "it fits");
        assert_eq!(goes(&entries, 29, None), [false, true, false, true]);
        assert_eq!(goes(&entries, 19, Some(at(9000))), [false, true, true, true]);
        assert_eq!(goes(&entries, 1, None), [true, true, true, true]);
        assert_eq!(goes(&entries, 1, Some(at(1000))), [false, true, true, true], "the current build used it");
        assert_eq!(goes(&entries, 0, None), [false, false, false, true], "0 is no bound");
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_nothing_goes_that_need_not(
            files in prop::collection::vec((0_u64..1000, 0_u64..100), 0..30), bound in 1_u64..5000, since in 0_u64..100
        ) {
            let entries: Vec<Entry> = files
                .iter()
                .enumerate()
                .map(|(number, (size, used))| entry(Kind::File, number, *size, *used))
                .collect();
            let going = goes(&entries, bound, Some(at(since)));
            let (mut kept, mut gone) = (Vec::new(), Vec::new());
            for (entry, goes) in entries.iter().zip(&going) {
                if *goes { gone.push(entry) } else { kept.push(entry) }
            }
            let total: u64 = kept.iter().map(|entry| entry.size).sum();
            prop_assert!(total <= bound || kept.iter().all(|entry| entry.used + GRAIN >= at(since)));
            prop_assert!(gone.iter().all(|entry| entry.used + GRAIN < at(since)));
            if let Some(last) = gone.iter().max_by_key(|entry| (entry.used, &entry.path)) {
                prop_assert!(total + last.size > bound, "the last one need not have gone");
                prop_assert!(kept.iter().all(|entry| (entry.used, &entry.path) > (last.used, &last.path)));
            }
        }
    }
}
