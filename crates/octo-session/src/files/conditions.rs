//! Ranges and conditions of HTTP (RFC 9110), as far as files need them. Pure.

use std::ops::Range;

use rustix::fs::Stat;

/// The version of a file: changes whenever its content may have.
pub(crate) fn etag(status: &Stat) -> String {
    format!("\"{:x}-{:x}-{:x}.{:x}\"", status.st_ino, status.st_size, status.st_mtime, status.st_mtime_nsec)
}

/// Whether a list of entity tags (`If-Match`, `If-None-Match`) names `tag`. `*` names any that exists.
pub(crate) fn names(list: &str, tag: Option<&str>) -> bool {
    let Some(tag) = tag else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// What part of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: no range, one that is not understood, or several.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that it does not have.
    Beyond,
}

/// Reads a `Range` header for a file of `size` bytes.
pub(crate) fn part(header: Option<&str>, size: u64) -> Part {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((from, to)) = spec.split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let text = text.trim();
        // A number too large for the machine lies beyond every file; anything but digits is no number.
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(from), number(to)) {
        (Some(from), _)
            if from >= size && (to.trim().is_empty() || number(to).is_some_and(|to| to >= from)) =>
        {
            Part::Beyond
        }
        (Some(from), Some(to)) if from <= to => Part::Bytes(from..to.saturating_add(1).min(size)),
        (Some(from), None) if to.trim().is_empty() => Part::Bytes(from..size),
        (None, Some(last)) if from.trim().is_empty() => match last {
            0 => Part::Beyond,
            _ if size == 0 => Part::Beyond,
            _ => Part::Bytes(size.saturating_sub(last)..size),
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_table_says() {
        for (header, size, expected) in [
            (None, 10, Part::Whole),
            (Some("bytes=0-0"), 10, Part::Bytes(0..1)),
            (Some("bytes=2-"), 10, Part::Bytes(2..10)),
            (Some("bytes=-3"), 10, Part::Bytes(7..10)),
            (Some("bytes=-30"), 10, Part::Bytes(0..10)),
            (Some("bytes=5-99"), 10, Part::Bytes(5..10)),
            (Some("bytes=10-"), 10, Part::Beyond),
            (Some("bytes=10-12"), 10, Part::Beyond),
            (Some("bytes=-0"), 10, Part::Beyond),
            (Some("bytes=0-"), 0, Part::Beyond),
            (Some("bytes=99999999999999999999-"), 10, Part::Beyond),
            (Some("bytes=0-99999999999999999999"), 10, Part::Bytes(0..10)),
            (Some("bytes=5-4"), 10, Part::Whole),
            (Some("bytes=0-1,3-4"), 10, Part::Whole),
            (Some("bytes=a-b"), 10, Part::Whole),
            (Some("bytes=--1"), 10, Part::Whole),
            (Some("bytes=-"), 10, Part::Whole),
            (Some("items=0-1"), 10, Part::Whole),
        ] {
            assert_eq!(part(header, size), expected, "{header:?} of {size}");
        }
    }

    #[test]
    fn lists_of_tags_are_searched() {
        assert!(names("\"a\", \"b\"", Some("\"b\"")));
        assert!(names("W/\"b\"", Some("\"b\"")));
        assert!(names("*", Some("\"b\"")));
        assert!(!names("*", None));
        assert!(!names("\"a\"", Some("\"b\"")));
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_nor_beyond(header in "\\PC{0,30}|bytes=[0-9]{0,22}-[0-9]{0,22}", size in 0u64..1000) {
            if let Part::Bytes(range) = part(Some(&header), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
