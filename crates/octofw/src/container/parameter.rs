//! `parameter.txt`: lines of `KEY: value`, among them the partition table (`mtdparts=` on the `CMDLINE` line), and
//! the wrapper in which the rom image stores it: `PARM`, length, text, RKCRC, zero-filled to 2048 bytes.
//! Source: `tools/rk2918_tools/afptool.c` of the community builder.

use super::fields::{FieldReader, shown};
use super::rkcrc::rkcrc;
use super::{Fault, FormatError, Layer};

/// Bytes of the wrapped text in the rom image.
pub const WRAPPED_LEN: usize = 2048;
/// Bytes that the wrapper adds; the recorded size of the part counts them.
pub const OVERHEAD: usize = 12;
/// Longest text.
pub const MAX_TEXT: usize = WRAPPED_LEN - OVERHEAD;
/// More partitions than any table has.
const MAX_PARTITIONS: usize = 128;
/// How the wrapper begins.
pub(crate) const MAGIC: &[u8; 4] = b"PARM";

/// One partition of the printer's flash, in sectors of 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Name without `:grow`.
    pub name: String,
    /// First sector.
    pub start: u32,
    /// Number of sectors; `None` means the rest of the flash.
    pub sectors: Option<u32>,
}

impl Partition {
    /// Size in bytes; `None` means the rest of the flash.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.sectors.map(|sectors| u64::from(sectors).saturating_mul(512))
    }
}

/// The text and what we need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The whole text.
    pub text: String,
    /// The partition table, in its order.
    pub partitions: Vec<Partition>,
}

impl Parameter {
    /// Takes the text out of its wrapper and reads it; `offset` is its place in the file, for messages.
    ///
    /// # Errors
    /// For another magic, a length beyond the wrapper, a wrong CRC, and everything [`Parameter::parse`] refuses.
    pub fn unwrap_stored(stored: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut fields = FieldReader::new(Layer::Parameter, offset, stored);
        let magic: [u8; 4] = fields.bytes("magic")?;
        if magic != *MAGIC {
            return Err(fields.error(Fault::Magic, "magic", offset, shown(&magic), shown(MAGIC)));
        }
        let len = fields.u32_le("text length")? as usize;
        let at = offset.saturating_add(4);
        if len > MAX_TEXT {
            let expected = format!("at most {MAX_TEXT}");
            return Err(fields.error(Fault::Limit, "text length", at, len.to_string(), expected));
        }
        let rest = stored.get(8..).unwrap_or_default();
        let Some((text, rest)) = rest.split_at_checked(len) else {
            let found = format!("{} bytes", rest.len());
            return Err(fields.error(Fault::Truncated, "text", at, found, format!("{len} bytes")));
        };
        let crc_at = offset.saturating_add(8).saturating_add(len as u64);
        let crc = FieldReader::new(Layer::Parameter, crc_at, rest).u32_le("CRC")?;
        let computed = rkcrc(text);
        if crc != computed {
            let (found, expected) = (format!("{crc:#010x}"), format!("{computed:#010x}"));
            return Err(fields.error(Fault::Sum, "CRC", crc_at, found, expected));
        }
        Self::parse(text, offset.saturating_add(8))
    }

    /// Reads the bare text; `offset` is its place in the file, for messages.
    ///
    /// # Errors
    /// If it is not text, or its partition table is missing, malformed, overlapping or names a partition twice.
    pub fn parse(text: &[u8], offset: u64) -> Result<Self, FormatError> {
        let fields = FieldReader::new(Layer::Parameter, offset, text);
        let error = |fault, field: &'static str, found: String, expected: &str| {
            fields.error(fault, field, offset, found, expected)
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return Err(error(Fault::Text, "content", shown(text), "text"));
        };
        let Some(list) = mtdparts(text) else {
            let expected = "mtdparts= on the CMDLINE: line";
            return Err(error(Fault::Missing, "partition table", "none".to_owned(), expected));
        };
        let mut partitions: Vec<Partition> = Vec::new();
        for item in list.split(',') {
            let Some(partition) = parse_partition(item) else {
                let expected = "SIZE@START(NAME) in hexadecimal sectors";
                return Err(error(Fault::Text, "partition", shown(item.as_bytes()), expected));
            };
            if partitions.len() == MAX_PARTITIONS {
                let found = format!("more than {MAX_PARTITIONS}");
                return Err(error(Fault::Count, "partitions", found, "at most 128"));
            }
            for earlier in &partitions {
                if earlier.name == partition.name {
                    return Err(error(Fault::Mismatch, "partition", partition.name, "each name once"));
                }
                if sectors_overlap(earlier, &partition) {
                    let found = format!("{} shares sectors with {}", partition.name, earlier.name);
                    return Err(error(Fault::Overlap, "partition", found, "sectors of its own"));
                }
            }
            partitions.push(partition);
        }
        Ok(Self { text: text.to_owned(), partitions })
    }

    /// The partition of a name.
    #[must_use]
    pub fn partition(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }

    /// The value of `KEY: value`.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        value_of(&self.text, key)
    }

    /// `FIRMWARE_VER: a.b.c` as the number that the RKAF and RKFW headers carry: `a<<24 | b<<16 | c`.
    #[must_use]
    pub fn firmware_version(&self) -> Option<u32> {
        let mut parts = self.value("FIRMWARE_VER")?.split('.');
        let major: u8 = parts.next()?.trim().parse().ok()?;
        let minor: u8 = parts.next()?.trim().parse().ok()?;
        let patch: u16 = parts.next()?.trim().parse().ok()?;
        parts.next().is_none().then(|| u32::from(major) << 24 | u32::from(minor) << 16 | u32::from(patch))
    }
}

/// Puts a text into the wrapper: exactly 2048 bytes. `None` if it is longer than [`MAX_TEXT`].
#[must_use]
pub fn wrap(text: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(text.len()).ok().filter(|_| text.len() <= MAX_TEXT)?;
    let mut stored = Vec::with_capacity(WRAPPED_LEN);
    stored.extend(MAGIC);
    stored.extend(len.to_le_bytes());
    stored.extend(text);
    stored.extend(rkcrc(text).to_le_bytes());
    stored.resize(WRAPPED_LEN, 0);
    Some(stored)
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.trim_start().strip_prefix(key)?.strip_prefix(':')?.trim()))
}

/// The list after `mtdparts=` and the optional device name before the colon.
fn mtdparts(text: &str) -> Option<&str> {
    let (_, after) = value_of(text, "CMDLINE")?.split_once("mtdparts=")?;
    let list = after.split_whitespace().next()?;
    // The colon of `:grow` comes after a parenthesis, that of the device before any.
    match list.split_once(':') {
        Some((device, list)) if !device.contains('(') => Some(list),
        _ => Some(list),
    }
}

fn parse_partition(item: &str) -> Option<Partition> {
    let (size, rest) = item.split_once('@')?;
    let (start, rest) = rest.split_once('(')?;
    let name = rest.strip_suffix(')')?;
    let name = name.strip_suffix(":grow").unwrap_or(name);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || !name.bytes().all(legal) {
        return None;
    }
    let sectors = if size == "-" { None } else { Some(hexadecimal(size)?) };
    Some(Partition { name: name.to_owned(), start: hexadecimal(start)?, sectors })
}

fn hexadecimal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    // from_str_radix would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn sectors_overlap(one: &Partition, other: &Partition) -> bool {
    let range = |partition: &Partition| {
        let start = u64::from(partition.start);
        (start, partition.sectors.map_or(u64::MAX, |sectors| start.saturating_add(u64::from(sectors))))
    };
    let ((start, end), (other_start, other_end)) = (range(one), range(other));
    start < other_end && other_start < end && start != end && other_start != other_end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "FIRMWARE_VER: 1.2.3\nMACHINE_MODEL: U1\n\
        CMDLINE: mtdparts=:0x00002000@0x00004000(uboot_a),0x96000@0x2a000(system_a),-@0xc0000(userdata:grow)\n";

    #[test]
    fn reads_what_the_field_writes() {
        let parameter = Parameter::parse(TEXT.as_bytes(), 0).unwrap();
        let partition = |name: &str, start, sectors| Partition { name: name.to_owned(), start, sectors };
        assert_eq!(
            parameter.partitions,
            [
                partition("uboot_a", 16384, Some(8192)),
                partition("system_a", 172_032, Some(614_400)),
                partition("userdata", 0xc0000, None),
            ]
        );
        assert_eq!(parameter.partition("system_a").unwrap().bytes(), Some(314_572_800));
        assert_eq!(parameter.partition("userdata").unwrap().bytes(), None);
        assert_eq!(parameter.value("MACHINE_MODEL"), Some("U1"));
        assert_eq!(parameter.firmware_version(), Some(0x0102_0003));
    }

    #[test]
    fn the_device_name_and_other_arguments_are_passed_over() {
        let text = b"CMDLINE:console=ttyS0 mtdparts=rk29xxnand:10@20(a),-@40(b:grow) root=/dev/sda\r\n";
        let parameter = Parameter::parse(text, 0).unwrap();
        let names: Vec<&str> = parameter.partitions.iter().map(|partition| partition.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(parameter.partition("a").unwrap().start, 0x20);
        assert_eq!(parameter.firmware_version(), None);
        assert_eq!(Parameter::parse(b"CMDLINE: mtdparts=1@2(a:grow)", 0).unwrap().partitions.len(), 1);
    }

    #[test]
    fn malformed_tables_have_their_names() {
        let table = [
            ("", Fault::Missing),
            ("CMDLINE: quiet\n", Fault::Missing),
            ("mtdparts=:1@2(a)\n", Fault::Missing),
            ("CMDLINE: mtdparts=:", Fault::Text),
            ("CMDLINE: mtdparts=:1@2(a),", Fault::Text),
            ("CMDLINE: mtdparts=:1(a)", Fault::Text),
            ("CMDLINE: mtdparts=:1@2()", Fault::Text),
            ("CMDLINE: mtdparts=:1@2(../a)", Fault::Text),
            ("CMDLINE: mtdparts=:+1@2(a)", Fault::Text),
            ("CMDLINE: mtdparts=:100000000@2(a)", Fault::Text),
            ("CMDLINE: mtdparts=:1@-(a)", Fault::Text),
            ("CMDLINE: mtdparts=:1@2(a),1@3(a)", Fault::Mismatch),
            ("CMDLINE: mtdparts=:2@2(a),1@3(b)", Fault::Overlap),
            ("CMDLINE: mtdparts=:-@2(a),1@9(b)", Fault::Overlap),
        ];
        for (text, fault) in table {
            let error = Parameter::parse(text.as_bytes(), 0).expect_err(text);
            assert_eq!(error.fault, fault, "{text}: {error}");
        }
        assert_eq!(Parameter::parse(b"\xff", 0).unwrap_err().fault, Fault::Text);
    }

    #[test]
    fn the_wrapper_is_as_documented() {
        let stored = wrap(TEXT.as_bytes()).unwrap();
        let len = TEXT.len();
        assert_eq!(stored.len(), 2048);
        assert_eq!(&stored[..4], b"PARM");
        assert_eq!(stored[4..8], (len as u32).to_le_bytes());
        assert_eq!(&stored[8..8 + len], TEXT.as_bytes());
        assert_eq!(stored[8 + len..12 + len], rkcrc(TEXT.as_bytes()).to_le_bytes());
        assert!(stored[12 + len..].iter().all(|byte| *byte == 0));
        assert_eq!(Parameter::unwrap_stored(&stored, 0).unwrap().text, TEXT);
        assert_eq!(wrap(&[b'x'; 2036]).unwrap().len(), 2048);
        assert!(wrap(&[b'x'; 2037]).is_none());
    }

    #[test]
    fn a_broken_wrapper_has_its_name() {
        let good = wrap(TEXT.as_bytes()).unwrap();
        let crc_at = 8 + TEXT.len();
        type Change = Box<dyn Fn(&mut Vec<u8>)>;
        let table: [(&str, Change, Fault, u64); 6] = [
            ("magic", Box::new(|b| b[0] = b'X'), Fault::Magic, 0),
            ("length too large", Box::new(|b| b[6] = 0xff), Fault::Limit, 4),
            ("length off by one", Box::new(|b| b[4] -= 1), Fault::Sum, crc_at as u64 - 1),
            ("text", Box::new(|b| b[8] ^= 1), Fault::Sum, crc_at as u64),
            (
                "CRC off by one",
                Box::new(move |b| b[crc_at] = b[crc_at].wrapping_add(1)),
                Fault::Sum,
                crc_at as u64,
            ),
            ("cut", Box::new(|b| b.truncate(20)), Fault::Truncated, 4),
        ];
        for (name, change, fault, offset) in table {
            let mut stored = good.clone();
            change(&mut stored);
            let error = Parameter::unwrap_stored(&stored, 4096).expect_err(name);
            assert_eq!((error.fault, error.offset), (fault, 4096 + offset), "{name}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, offset: u64) {
            let _ = Parameter::unwrap_stored(&bytes, offset);
            let _ = Parameter::parse(&bytes, offset);
        }

        #[test]
        fn arbitrary_tables_never_panic(list in "[0-9a-fx@(),:a-z-]{0,80}") {
            let _ = Parameter::parse(format!("CMDLINE: mtdparts=:{list}").as_bytes(), 0);
        }

        #[test]
        fn any_text_that_fits_comes_back(text in prop::collection::vec(any::<u8>(), 0..=MAX_TEXT)) {
            let stored = wrap(&text).unwrap();
            prop_assert_eq!(&stored[8..8 + text.len()], &text[..]);
        }
    }
}
