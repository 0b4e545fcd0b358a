//! The printers that this one can be to Connect, which knows none but Prusa's.
//!
//! The type is a choice of protocol: Connect picks dashboard, commands and the way of files by it.

/// A type of printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrinterType {
    /// As it goes over the wire: `type.version.subversion`.
    pub(crate) wire: String,
    /// The version of firmware that it is said to have, unless another is set: one that Connect hides nothing from.
    pub(crate) firmware: &'static str,
    /// Whether Connect shows several toolheads of it.
    pub(crate) several_tools: bool,
}

/// Firmware of the 8-bit printers.
const EIGHT_BIT: &str = "3.14.1";
/// Firmware of the 32-bit printers.
const BUDDY: &str = "6.4.0";
/// Firmware of the HT90.
const HT90: &str = "1.3.19";
/// Largest of the three numbers of a type.
const MOST: u32 = 999;

/// Names, without the signs between their parts; the numbers; the usual firmware. Resin printers are left out: Connect
/// would ask them for what no Klipper has.
const TYPES: [(&str, &str, &str); 20] = [
    ("HT90", "6.1.0", HT90),
    ("I3MK3", "1.3.0", EIGHT_BIT),
    ("MK3", "1.3.0", EIGHT_BIT),
    ("I3MK3S", "1.3.1", EIGHT_BIT),
    ("MK3S", "1.3.1", EIGHT_BIT),
    ("I3MK25", "1.2.5", EIGHT_BIT),
    ("MK25", "1.2.5", EIGHT_BIT),
    ("I3MK25S", "1.2.6", EIGHT_BIT),
    ("MK25S", "1.2.6", EIGHT_BIT),
    ("MK35", "1.3.5", BUDDY),
    ("MK35S", "1.3.6", BUDDY),
    ("MK39", "1.3.9", BUDDY),
    ("MK39S", "1.3.10", BUDDY),
    ("MK4", "1.4.0", BUDDY),
    ("MK4S", "1.4.1", BUDDY),
    ("MINI", "2.1.0", BUDDY),
    ("XL", "3.1.0", BUDDY),
    ("IX", "4.1.0", BUDDY),
    ("COREONE", "7.1.0", BUDDY),
    ("CORE1", "7.1.0", BUDDY),
];
/// The type whose dashboard shows several toolheads.
const XL: &str = "3.1.0";

impl PrinterType {
    /// The type of that name, in any case and with or without signs between its parts, or of those numbers; none where
    /// there is no such.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let of = |wire: &str, firmware| Self { wire: wire.to_owned(), firmware, several_tools: wire == XL };
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        if let Some([kind, version, subversion]) = numbers.as_deref() {
            let wire = format!("{kind}.{version}.{subversion}");
            let known = TYPES.iter().find(|(_, known, _)| *known == wire);
            return Some(of(&wire, known.map_or(BUDDY, |(.., firmware)| firmware)));
        }
        let kept = |c: &char| c.is_ascii_alphanumeric();
        let name: String = text.chars().filter(kept).map(|c| c.to_ascii_uppercase()).collect();
        let (_, wire, firmware) = TYPES.iter().find(|(known, ..)| *known == name)?;
        Some(of(wire, firmware))
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, expected) in [
            ("HT90", Some(("6.1.0", HT90, false))),
            ("ht90", Some(("6.1.0", HT90, false))),
            ("6.1.0", Some(("6.1.0", HT90, false))),
            ("I3MK3", Some(("1.3.0", EIGHT_BIT, false))),
            ("MK3.5S", Some(("1.3.6", BUDDY, false))),
            ("Core One", Some(("7.1.0", BUDDY, false))),
            ("XL", Some(("3.1.0", BUDDY, true))),
            ("3.1.0", Some(("3.1.0", BUDDY, true))),
            ("8.1.0", Some(("8.1.0", BUDDY, false))),
            ("", None),
            ("6.1", None),
            ("6.1.x", None),
            ("+6.1.0", None),
            ("6.1.0.0", None),
            ("6.1.1000", None),
            ("Ender 3", None),
            ("SL1", None),
        ] {
            let found = PrinterType::parse(text);
            let found = found.as_ref().map(|found| (&*found.wire, found.firmware, found.several_tools));
            assert_eq!(found, expected, "{text}");
        }
    }
}
