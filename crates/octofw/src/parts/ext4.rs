//! The superblock of an ext2, ext3 or ext4 file system. Source: the kernel's documentation, "ext4 Data Structures and
//! Algorithms".

use serde::Serialize;

use crate::container::fields::FieldReader;
use crate::container::{Fault, FormatError, Layer, Span};

/// Where the superblock begins, in bytes.
const START: usize = 1024;
/// Bytes up to its end.
pub(super) const HEAD_LEN: usize = 2 * START;
const MAGIC: u16 = 0xEF53;
const MAGIC_AT: usize = 0x38;
const SUM_AT: usize = 0x3FC;
/// Largest block that the format can state: 1024 bytes doubled so many times.
const MOST_DOUBLED: u32 = 6;

const HAS_JOURNAL: u32 = 0x4;
const EXTENTS: u32 = 0x40;
const BITS_64: u32 = 0x80;
const METADATA_SUMS: u32 = 0x400;

/// What a superblock tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ext4 {
    /// `ext2`, `ext3` or `ext4`, by what it makes use of.
    pub version: &'static str,
    /// Its label.
    pub label: String,
    /// Its identity.
    pub uuid: String,
    /// Bytes of a block.
    pub block_size: u32,
    /// Number of blocks.
    pub blocks: u64,
    /// Number of those in no use.
    pub free_blocks: u64,
    /// Number of inodes.
    pub inodes: u32,
    /// Number of those in no use.
    pub free_inodes: u32,
    /// When it was made, in seconds since 1970.
    pub created: u32,
    /// When it was written last, in seconds since 1970.
    pub written: u32,
    /// Whether it was unmounted in order and no error was found since.
    pub clean: bool,
    /// Whether the superblock's own sum is right; `null` where it has none.
    pub sum_ok: Option<bool>,
}

/// Whether these are the first bytes of one.
pub(super) fn is_one(head: &[u8]) -> bool {
    head.get(START..).and_then(|block| block.get(MAGIC_AT..)).and_then(|rest| rest.first_chunk())
        == Some(&MAGIC.to_le_bytes())
}

/// Reads the superblock from the first bytes of the file system that lies at `at`; a wrong sum is added to `wrong`.
pub(super) fn parse(head: &[u8], at: Span, wrong: &mut Vec<FormatError>) -> Result<Ext4, FormatError> {
    let start = at.offset.saturating_add(START as u64);
    let block = head.get(START..HEAD_LEN).unwrap_or_default();
    let field = |at: usize| {
        FieldReader::new(Layer::Ext4, start.saturating_add(at as u64), block.get(at..).unwrap_or_default())
    };
    let word = |at: usize, what: &'static str| field(at).u32_le(what);
    let log = word(0x18, "size of a block")?;
    if log > MOST_DOUBLED {
        let expected = format!("at most {MOST_DOUBLED}");
        return Err(field(0x18).error(
            Fault::Limit,
            "size of a block",
            start.saturating_add(0x18),
            log.to_string(),
            expected,
        ));
    }
    let block_size = 1024 << log;
    let (compatible, incompatible, readable) =
        (word(0x5C, "features")?, word(0x60, "features")?, word(0x64, "features")?);
    let high = |at: usize, what| match incompatible & BITS_64 {
        0 => Ok(0),
        _ => word(at, what).map(|high| u64::from(high) << 32),
    };
    let blocks = high(0x150, "blocks")? | u64::from(word(0x04, "blocks")?);
    let free_blocks = high(0x158, "free blocks")? | u64::from(word(0x0C, "free blocks")?);
    if blocks.checked_mul(u64::from(block_size)).is_none_or(|bytes| bytes > at.len) {
        let found = format!("{blocks} blocks of {block_size} bytes");
        let expected = format!("blocks within its {} bytes", at.len);
        let place = start.saturating_add(4);
        return Err(field(4).error(Fault::Truncated, "number of blocks", place, found, expected));
    }
    let label: [u8; 16] = field(0x78).bytes("label")?;
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    let sum_ok = (readable & METADATA_SUMS != 0).then(|| check_sum(block, start, wrong)).transpose()?;
    Ok(Ext4 {
        version: match (incompatible & (EXTENTS | BITS_64), compatible & HAS_JOURNAL) {
            (0, 0) => "ext2",
            (0, _) => "ext3",
            _ => "ext4",
        },
        label: label.escape_ascii().to_string(),
        uuid: identity(field(0x68).bytes("identity")?),
        block_size,
        blocks,
        free_blocks,
        inodes: word(0x00, "inodes")?,
        free_inodes: word(0x10, "free inodes")?,
        created: word(0x108, "time of making")?,
        written: word(0x30, "time of writing")?,
        clean: field(0x3A).u16_le("state")? == 1,
        sum_ok,
    })
}

fn check_sum(block: &[u8], start: u64, wrong: &mut Vec<FormatError>) -> Result<bool, FormatError> {
    let place = start.saturating_add(SUM_AT as u64);
    let fields = FieldReader::new(Layer::Ext4, place, &[]);
    let stored =
        FieldReader::new(Layer::Ext4, place, block.get(SUM_AT..).unwrap_or_default()).u32_le("sum")?;
    let taken = crc32c(block.get(..SUM_AT).unwrap_or_default());
    if stored != taken {
        let (found, expected) = (format!("{stored:#010x}"), format!("{taken:#010x}, the sum of the content"));
        wrong.push(fields.error(Fault::Sum, "sum of the superblock", place, found, expected));
    }
    Ok(stored == taken)
}

/// CRC-32C without the last inversion, as the kernel takes it.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82F6_3B78 & 0_u32.wrapping_sub(sum & 1)))
    })
}

fn identity(bytes: [u8; 16]) -> String {
    let digits = crate::digest::hex(&bytes);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not zero in the first bytes of what `mkfs.ext4 -L oem` (e2fsprogs 1.47) makes of 8 MiB, by its place.
    const MADE: [(usize, &str); 16] = [
        (0x401, "0800000020000099010000ae190000f507000001"),
        (0x421, "200000002000000008"),
        (0x430, "a712026b0000ffff53ef010001000000a712026b"),
        (0x44c, "01"),
        (0x454, "0b"),
        (0x459, "0100003c000000c20200006b04000012345678123412341234123456789abc6f656d"),
        (0x4ce, "3f"),
        (0x4e0, "08"),
        (0x4ec, "d31c790bb3e9432b9eea2cf35fb8dbb1010140000c"),
        (0x508, "a712026b0af3030004"),
        (0x51c, "0200000050000000020000000f0000005300000011000000ef0300006302"),
        (0x54e, "10"),
        (0x55c, "2000200001"),
        (0x574, "0401000054"),
        (0x648, "4406"),
        (0x7fc, "ba2aadbc"),
    ];

    fn made() -> Vec<u8> {
        let mut head = vec![0; HEAD_LEN];
        for (at, digits) in MADE {
            for (place, pair) in digits.as_bytes().chunks(2).enumerate() {
                head[at + place] = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            }
        }
        head
    }

    const AT: Span = Span { offset: 4096, len: 8 << 20 };

    #[test]
    fn a_superblock_is_read_as_its_tools_read_it() {
        let mut wrong = Vec::new();
        assert!(is_one(&made()));
        let found = parse(&made(), AT, &mut wrong).unwrap();
        let expected = Ext4 {
            version: "ext4",
            label: "oem".into(),
            uuid: "12345678-1234-1234-1234-123456789abc".into(),
            block_size: 1024,
            blocks: 8192,
            free_blocks: 6574,
            inodes: 2048,
            free_inodes: 2037,
            created: 1795297959,
            written: 1795297959,
            clean: true,
            sum_ok: Some(true),
        };
        assert_eq!(found, expected);
        assert!(wrong.is_empty());
    }

    #[test]
    fn each_breach_has_its_name() {
        let with = |at: usize, byte: u8| {
            let mut head = made();
            head[START + at] = byte;
            head
        };
        let mut wrong = Vec::new();
        assert_eq!(parse(&with(0x78, b'x'), AT, &mut wrong).unwrap().sum_ok, Some(false));
        assert_eq!((wrong[0].fault, wrong[0].offset), (Fault::Sum, 4096 + 0x7fc));
        for (head, fault) in [
            (with(0x18, 7), Fault::Limit),
            (with(0x05, 0x21), Fault::Truncated),
            (with(0x150, 1), Fault::Truncated),
            (made()[..0x500].to_vec(), Fault::Truncated),
        ] {
            assert_eq!(parse(&head, AT, &mut wrong).unwrap_err().fault, fault);
        }
        assert!(!is_one(&with(0x38, 0)) && !is_one(&[]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, from in 0_usize..1024) {
            let mut head = made();
            head.splice(START + from.., bytes);
            head.resize(HEAD_LEN, 0);
            let _ = parse(&head, AT, &mut Vec::new());
        }
    }
}
