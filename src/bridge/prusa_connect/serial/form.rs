//! The form of a serial number, and how one is made of what a machine has.

use ring::digest::{SHA256, digest};

/// Ours begin with it. Prusa's begin with a digit or `CZPX`; and another program on the same printer that makes its
/// serial number of the same input is another printer to Connect.
const PREFIX: &str = "OB-";
/// Shortest and longest serial number. Prusa's 32-bit firmware stores 19 characters.
const LENGTH: std::ops::RangeInclusive<usize> = 10..=19;
/// Longest part behind the prefix.
const MOST: usize = *LENGTH.end() - PREFIX.len();
/// What is shorter tells no two machines apart; together with the prefix it is the shortest serial number.
const LEAST: usize = *LENGTH.start() - PREFIX.len();
/// Letters and digits of what is drawn or reckoned: none that looks like another.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// What stands on many machines: the serial number that Rockchip's loader has for a chip without one, and what makers
/// leave in place of a number.
const EVERYBODYS: [&str; 7] = [
    "C3D9B8674F4B94F6",
    "0123456789",
    "0123456789ABCDEF",
    "1234567890",
    "123456789ABCDEF",
    "TOBEFILLEDBYOEM",
    "NOTSPECIFIED",
];

/// Whether a serial number has the form that every Connect client takes, and looks like none of Prusa's own printers.
pub(crate) fn is_sound(serial: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    LENGTH.contains(&serial.len()) && serial.bytes().all(plain) && !is_prusas(serial)
}

/// Whether a serial number looks like one of Prusa's own printers.
pub(crate) fn is_prusas(serial: &str) -> bool {
    serial.starts_with(|first: char| first.is_ascii_digit()) || serial.starts_with("CZPX")
}

/// The serial number of a machine that has this number; none where the number is not its own.
pub(super) fn made_of(number: &str) -> Option<String> {
    let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let clean: String = number.chars().filter(kept).map(|c| c.to_ascii_uppercase()).collect();
    let mut signs: Vec<u8> = clean.bytes().filter(u8::is_ascii_alphanumeric).collect();
    signs.sort_unstable();
    signs.dedup();
    if clean.len() < LEAST || signs.len() < 3 || EVERYBODYS.contains(&clean.as_str()) {
        return None;
    }
    Some(match clean.len() <= MOST {
        true => format!("{PREFIX}{clean}"),
        false => letters(digest(&SHA256, clean.as_bytes()).as_ref()),
    })
}

/// The serial number of these random bytes, or of a digest: 80 bits of them.
pub(super) fn letters(bytes: &[u8]) -> String {
    let letters = bytes.iter().take(MOST).filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    let mut serial = PREFIX.to_owned();
    serial.extend(letters.map(|letter| char::from(*letter)));
    serial
}

/// How many bytes [`letters`] takes.
pub(super) const DRAWN: usize = MOST;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_machines() {
        for (number, expected) in [
            ("U1A2B3C4D5", Some("OB-U1A2B3C4D5")),
            ("  u1-a2b3c4 \n", Some("OB-U1-A2B3C4")),
            ("1a2b3c4d5e6f7081", Some("OB-1A2B3C4D5E6F7081")),
            ("CZPX4720X004XC34242", None),
            ("0000000000000000", None),
            ("ffffffffffff", None),
            ("0101010101", None),
            ("c3d9b8674f4b94f6", None),
            ("To be filled by O.E.M.", None),
            ("0123456789", None),
            ("A1B2C3", None),
            ("", None),
        ] {
            let made = made_of(number);
            match (made, expected) {
                // Too long to stand in it as it is.
                (Some(made), None) => {
                    assert!(number.len() > MOST && is_sound(&made), "{number}: {made}");
                    assert!(!made.contains("CZPX"), "{made}");
                }
                (made, expected) => assert_eq!(made.as_deref(), expected, "{number}"),
            }
        }
    }

    #[test]
    fn long_numbers_that_differ_in_one_place_stay_apart() {
        let made: Vec<_> = ["a", "b"].map(|end| made_of(&format!("U1-2025-0000-0001-000{end}"))).into();
        assert!(made[0].is_some() && made[0] != made[1], "{made:?}");
        assert_eq!(made_of("U1-2025-0000-0001-000A"), made[0], "and one of them is always the same");
    }

    #[test]
    fn what_a_serial_number_may_be() {
        for (serial, sound) in [
            ("KLP-U1-00A1B2C3", true),
            ("SNAP-U1-0001", true),
            ("CZPX1234X004XC12345", false),
            ("10589-3742441630", false),
            ("ABCDEFGHI", false),
            ("ABCDEFGHIJABCDEFGHIJ", false),
            ("abcdefghij", false),
            ("ABCDEFG HIJ", false),
            ("\u{17d}LU\u{164}OU\u{10c}K\u{dd}", false),
        ] {
            assert_eq!(is_sound(serial), sound, "{serial}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_machine_has_makes_a_sound_one_or_none(number in "\\PC{0,40}") {
            if let Some(serial) = made_of(&number) {
                prop_assert!(is_sound(&serial), "{serial}");
            }
        }

        #[test]
        fn random_bytes_make_a_sound_one(bytes in any::<[u8; DRAWN]>()) {
            prop_assert!(is_sound(&letters(&bytes)));
        }
    }
}
