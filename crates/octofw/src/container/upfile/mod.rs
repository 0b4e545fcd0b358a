//! UPFILE, the outermost layer: a header and four entries, stored substituted and big-endian, then the four
//! payloads as they are. Source: `tools/upfile/upfile.c` of the community builder, and the rules of its later
//! `firmware-upgrade-preflight.py`. There is no signature in it, only sums.

mod parse;

use super::{FixedText, Span, substitution};

/// First bytes of the decoded header.
pub const MAGIC: &[u8; 4] = b"SNMK";
/// Bytes of the header.
pub const HEADER_LEN: usize = 64;
/// Bytes of one entry.
pub const ENTRY_LEN: usize = 32;
/// Bytes of header and entries; the first payload may begin here.
pub const TABLE_END: usize = HEADER_LEN + 4 * ENTRY_LEN;
/// Bytes of the version field.
pub const VERSION_LEN: usize = 24;

/// What an entry is; its number is its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The system image.
    Update = 0,
    /// Firmware of the main board's controller.
    MainMcu = 1,
    /// Firmware of the tool heads' controllers.
    HeadMcu = 2,
    /// The controller versions that the printer expects after the upgrade.
    McuDesc = 3,
}

impl EntryKind {
    /// All four, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Update, Self::MainMcu, Self::HeadMcu, Self::McuDesc];

    /// The name under which the printer unpacks the payload.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Update => "update.img",
            Self::MainMcu => "at32f403a.bin",
            Self::HeadMcu => "at32f415.bin",
            Self::McuDesc => "MCU_DESC",
        }
    }
}

/// One payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Where it lies in the file.
    pub span: Span,
    /// MD5 of the payload.
    pub md5: [u8; 16],
}

/// The decoded header and its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upfile {
    /// 1, or 2 with the same layout.
    pub container_version: u16,
    /// Firmware version.
    pub version: FixedText<VERSION_LEN>,
    /// Build date, `YYYYMMDDhhmmss`.
    pub date: FixedText<14>,
    /// Sixteen bytes without a known meaning; zero so far.
    pub reserved: [u8; 16],
    /// The payloads, in the order of [`EntryKind::ALL`].
    pub entries: [Entry; 4],
}

/// Whether a byte may stand in the version text.
#[must_use]
pub fn is_version_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+._-".contains(&byte)
}

/// Sum of the bytes of a decoded structure. Taken before the sum is written into it, when its field is zero.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, byte| sum.wrapping_add(u16::from(*byte)))
}

impl Upfile {
    /// The entry of a kind.
    #[must_use]
    pub fn entry(&self, kind: EntryKind) -> &Entry {
        let [update, main, head, desc] = &self.entries;
        match kind {
            EntryKind::Update => update,
            EntryKind::MainMcu => main,
            EntryKind::HeadMcu => head,
            EntryKind::McuDesc => desc,
        }
    }

    /// Header and entries as stored, sums included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut plain = with_sum(|sum| {
            let mut header = Vec::with_capacity(TABLE_END);
            header.extend(MAGIC);
            header.extend(self.container_version.to_be_bytes());
            header.extend(sum.to_be_bytes());
            header.extend(self.version.stored());
            header.extend(self.date.stored());
            header.extend(4u16.to_be_bytes());
            header.extend(self.reserved);
            header
        });
        for entry in &self.entries {
            plain.extend(entry.encode_plain());
        }
        substitution::encode(&mut plain);
        plain
    }
}

impl Entry {
    /// The entry before substitution, with its sum.
    fn encode_plain(&self) -> Vec<u8> {
        // Parsed spans came from a 32-bit field; assembled ones are checked where they are made.
        let size = u32::try_from(self.span.len).unwrap_or(u32::MAX);
        with_sum(|sum| {
            let mut entry = Vec::with_capacity(ENTRY_LEN);
            entry.extend((self.kind as u16).to_be_bytes());
            entry.extend(sum.to_be_bytes());
            entry.extend(self.span.offset.to_be_bytes());
            entry.extend(size.to_be_bytes());
            entry.extend(self.md5);
            entry
        })
    }
}

/// Builds a structure twice: with a zero sum to compute it, and with the sum.
fn with_sum(build: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
    build(checksum(&build(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Fault, FormatError, Layer};
    use crate::digest::hex;
    use proptest::prelude::*;

    fn md5(text: &str) -> [u8; 16] {
        let bytes: Vec<u8> =
            (0..16).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    /// Release 1.3.0-paxx12-17, from its published build log.
    fn release() -> Upfile {
        let entry = |kind, offset, len, sum| Entry { kind, span: Span::new(offset, len), md5: md5(sum) };
        Upfile {
            container_version: 1,
            version: FixedText::new("1.3.0.168fea4715").unwrap(),
            date: FixedText::new("20260414155825").unwrap(),
            reserved: [0; 16],
            entries: [
                entry(EntryKind::Update, 0xC0, 293_179_978, "9abe6fa0ac3b13520574fa20f07ba2f7"),
                entry(EntryKind::MainMcu, 0x1179_930A, 47004, "becf658f8013a1e11e19a87c5261aab0"),
                entry(EntryKind::HeadMcu, 0x117A_4AA6, 45452, "645b9419e8d5bb6358f2a3493481b066"),
                entry(EntryKind::McuDesc, 0x117A_FC32, 26, "31aaf9765c0e659251cb0fce134d9773"),
            ],
        }
    }

    const FILE_LEN: u64 = 0x117A_FC32 + 26;

    #[test]
    fn known_answers_of_a_published_release() {
        let mut stored = release().encode();
        assert_eq!(
            hex(&stored[..64]),
            "881a47df0018392af3c40fc483c4f363c0c5f62d4017f3920000000000000000108310638340f340f39292c0109200d6\
             00000000000000000000000000000000"
        );
        assert_eq!(Upfile::parse(&stored, FILE_LEN).unwrap(), release());
        substitution::decode(&mut stored);
        let sum = |at: usize| u16::from_be_bytes([stored[at], stored[at + 1]]);
        assert_eq!(sum(6), 0x07C5);
        let sums: Vec<u16> = (0..4).map(|entry| sum(64 + 32 * entry + 2)).collect();
        assert_eq!(sums, [0x0A70, 0x0A79, 0x0B02, 0x08E4]);
    }

    /// Changes the plain bytes and mends the sums, so that only the change itself is wrong.
    fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Result<Upfile, FormatError> {
        let mut plain = release().encode();
        substitution::decode(&mut plain);
        change(&mut plain);
        for (start, len, sum_at) in [(0, 64, 6), (64, 32, 2), (96, 32, 2), (128, 32, 2), (160, 32, 2)] {
            plain[start + sum_at..start + sum_at + 2].fill(0);
            let sum = checksum(&plain[start..start + len]).to_be_bytes();
            plain[start + sum_at..start + sum_at + 2].copy_from_slice(&sum);
        }
        substitution::encode(&mut plain);
        Upfile::parse(&plain, FILE_LEN)
    }

    type Change = fn(&mut Vec<u8>);

    #[test]
    fn each_breach_has_its_name() {
        let table: [(&str, Change, Fault, u64); 14] = [
            ("other magic", |b| b[0] = b'X', Fault::Magic, 0),
            ("container version 0", |b| b[5] = 0, Fault::Version, 4),
            ("container version 3", |b| b[5] = 3, Fault::Version, 4),
            ("no version", |b| b[8..32].fill(0), Fault::Text, 8),
            ("blank in the version", |b| b[9] = b' ', Fault::Text, 8),
            ("letter in the date", |b| b[32] = b'x', Fault::Text, 32),
            ("three entries", |b| b[47] = 3, Fault::Count, 46),
            ("65535 entries", |b| b[46..48].fill(0xff), Fault::Count, 46),
            ("wrong type", |b| b[97] = 2, Fault::Kind, 96),
            ("empty payload", |b| b[172..176].fill(0), Fault::Empty, 172),
            ("offset in the table", |b| b[75] = 0xBF, Fault::InTable, 68),
            ("offset overflow", |b| b[100..108].fill(0xff), Fault::OutOfBounds, 100),
            ("beyond the end", |b| b[175] = 27, Fault::Truncated, 164),
            ("overlap", |b| b[139] -= 1, Fault::Overlap, 132),
        ];
        for (name, change, fault, offset) in table {
            let error = altered(change).expect_err(name);
            assert_eq!(
                (error.layer, error.fault, error.offset),
                (Layer::Upfile, fault, offset),
                "{name}: {error}"
            );
        }
        assert_eq!(altered(|b| b[5] = 2).unwrap().container_version, 2);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_found() {
        let stored = release().encode();
        for bit in 0..TABLE_END * 8 {
            let mut broken = stored.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(Upfile::parse(&broken, FILE_LEN).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn cut_short_at_any_byte_is_truncated() {
        let stored = release().encode();
        for len in 0..TABLE_END {
            let error = Upfile::parse(&stored[..len], FILE_LEN).unwrap_err();
            assert_eq!(error.fault, Fault::Truncated, "{len}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, file_len: u64) {
            let _ = Upfile::parse(&bytes, file_len);
        }

        #[test]
        fn mutated_bytes_never_panic_and_what_is_read_is_written_back(
            changes in prop::collection::vec((0..TABLE_END, any::<u8>()), 0..4),
            mend: bool,
        ) {
            let change = |plain: &mut Vec<u8>| {
                for (at, byte) in &changes {
                    plain[*at] = *byte;
                }
            };
            if mend {
                if let Ok(read) = altered(change) {
                    prop_assert_eq!(Upfile::parse(&read.encode(), FILE_LEN).unwrap(), read);
                }
            } else {
                let mut stored = release().encode();
                change(&mut stored);
                if let Ok(read) = Upfile::parse(&stored, FILE_LEN) {
                    prop_assert_eq!(read.encode(), stored);
                }
            }
        }
    }
}
