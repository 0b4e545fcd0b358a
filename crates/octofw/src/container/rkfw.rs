//! RKFW, the layer of `update.img`: a 102-byte header, the boot loader, the rom image (RKAF), and the MD5 of all
//! that as 32 hex digits. Source: `tools/rk2918_tools/rkrom_29xx.h` and `img_maker.c` of the community builder.
//!
//! Version, code, chip and time are carried over from what was read: this program never writes a build time.

use super::fields::{FieldReader, shown};
use super::{Fault, FormatError, Layer, Span, rkaf};
use crate::digest::hex;

/// First bytes.
pub const MAGIC: &[u8; 4] = b"RKFW";
/// Bytes of the header.
pub const HEADER_LEN: usize = 0x66;
/// Bytes of the MD5 at the end.
pub const TRAILER_LEN: usize = 32;

/// The header's time of build, in an unknown time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildTime {
    /// Year.
    pub year: u16,
    /// Month, day, hour, minute and second, as stored.
    pub rest: [u8; 5],
}

impl std::fmt::Display for BuildTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [month, day, hour, minute, second] = self.rest;
        write!(f, "{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}", self.year)
    }
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rkfw {
    /// Version, the same as in the RKAF header.
    pub version: u32,
    /// Meaning unknown; 0x02000000 in stock images.
    pub code: u32,
    /// Time of build.
    pub time: BuildTime,
    /// Marker of the chip family.
    pub chip: u32,
    /// The boot loader; absolute in the file.
    pub loader: Span,
    /// The rom image with its CRC trailer; absolute in the file.
    pub image: Span,
    /// Meaning unknown; 0 and 1.
    pub unknown: [u32; 2],
    /// System file system type; 0.
    pub fs_type: u32,
    /// Zero unless there is a part called `backup`.
    pub backup_end: u32,
    /// Bytes without a known meaning; zero so far.
    pub reserved: [u8; 45],
}

impl Rkfw {
    /// Reads the header from the layer's first bytes; `at` is where the layer lies in the file, MD5 included.
    ///
    /// # Errors
    /// For every breach of the format. Loader, image and MD5 must follow each other without a gap and fill the
    /// layer. The MD5 itself is not checked here.
    pub fn parse(bytes: &[u8], at: Span) -> Result<Self, FormatError> {
        let mut fields = FieldReader::new(Layer::Rkfw, at.offset, bytes);
        let magic: [u8; 4] = fields.bytes("magic")?;
        if magic != *MAGIC {
            return Err(fields.error(Fault::Magic, "magic", at.offset, shown(&magic), shown(MAGIC)));
        }
        let header_len = fields.u16_le("header length")?;
        if usize::from(header_len) != HEADER_LEN {
            let offset = at.offset.saturating_add(4);
            let (found, expected) = (header_len.to_string(), HEADER_LEN.to_string());
            return Err(fields.error(Fault::Limit, "header length", offset, found, expected));
        }
        let version = fields.u32_le("version")?;
        let code = fields.u32_le("code")?;
        let time = BuildTime { year: fields.u16_le("year")?, rest: fields.bytes("time")? };
        let chip = fields.u32_le("chip")?;
        let places = fields.offset();
        let loader_offset = fields.u32_le("loader offset")?;
        let loader_len = fields.u32_le("loader length")?;
        let image_offset = fields.u32_le("image offset")?;
        let image_len = fields.u32_le("image length")?;
        let unknown = [fields.u32_le("unknown field 1")?, fields.u32_le("unknown field 2")?];
        let fs_type = fields.u32_le("system file system type")?;
        let backup_end = fields.u32_le("backup end")?;
        let reserved = fields.bytes("reserved bytes")?;

        if loader_offset as usize != HEADER_LEN {
            let expected = format!("{HEADER_LEN:#x}, directly after the header");
            let found = format!("{loader_offset:#x}");
            return Err(fields.error(Fault::Mismatch, "loader offset", places, found, expected));
        }
        if loader_len == 0 {
            let offset = places.saturating_add(4);
            return Err(fields.error(Fault::Empty, "loader length", offset, "0", "at least 1 byte"));
        }
        let loader_end = u64::from(loader_offset).saturating_add(u64::from(loader_len));
        if u64::from(image_offset) != loader_end {
            let offset = places.saturating_add(8);
            let expected = format!("{loader_end:#x}, directly after the loader");
            let found = format!("{image_offset:#x}");
            return Err(fields.error(Fault::Mismatch, "image offset", offset, found, expected));
        }
        let offset = places.saturating_add(12);
        if (image_len as usize) < rkaf::HEADER_LEN + rkaf::TRAILER_LEN {
            let expected = format!("at least {}", rkaf::HEADER_LEN + rkaf::TRAILER_LEN);
            return Err(fields.error(Fault::Empty, "image length", offset, image_len.to_string(), expected));
        }
        let end = loader_end.saturating_add(u64::from(image_len)).saturating_add(TRAILER_LEN as u64);
        if end != at.len {
            let fault = if end > at.len { Fault::Truncated } else { Fault::Trailing };
            let found = format!("{} bytes in the layer", at.len);
            let expected = format!("{end} (header, loader, image of {image_len} bytes, MD5)");
            return Err(fields.error(fault, "image length", offset, found, expected));
        }
        let inside =
            |start: u32, len: u32| Span::new(at.offset.saturating_add(u64::from(start)), u64::from(len));
        Ok(Self {
            version,
            code,
            time,
            chip,
            loader: inside(loader_offset, loader_len),
            image: inside(image_offset, image_len),
            unknown,
            fs_type,
            backup_end,
            reserved,
        })
    }

    /// The header as stored, for a loader and an image of the lengths of the spans.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Parsed lengths came from 32-bit fields; assembled ones are checked where they are made.
        let loader_len = u32::try_from(self.loader.len).unwrap_or(u32::MAX);
        let image_len = u32::try_from(self.image.len).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(MAGIC);
        bytes.extend((HEADER_LEN as u16).to_le_bytes());
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.code.to_le_bytes());
        bytes.extend(self.time.year.to_le_bytes());
        bytes.extend(self.time.rest);
        bytes.extend(self.chip.to_le_bytes());
        bytes.extend((HEADER_LEN as u32).to_le_bytes());
        bytes.extend(loader_len.to_le_bytes());
        bytes.extend((HEADER_LEN as u32).saturating_add(loader_len).to_le_bytes());
        bytes.extend(image_len.to_le_bytes());
        for field in [self.unknown[0], self.unknown[1], self.fs_type, self.backup_end] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(self.reserved);
        bytes
    }
}

/// Reads the MD5 at the end of the layer. `offset` is its place in the file.
///
/// # Errors
/// If there are not 32 lower-case hex digits.
pub fn parse_trailer(bytes: &[u8], offset: u64) -> Result<[u8; 16], FormatError> {
    let mut fields = FieldReader::new(Layer::Rkfw, offset, bytes);
    let digits: [u8; TRAILER_LEN] = fields.bytes("MD5 trailer")?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut md5 = [0; 16];
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in md5.iter_mut().zip(pairs) {
        match (value(*high), value(*low)) {
            (Some(high), Some(low)) => *byte = (high << 4) | low,
            _ => {
                let expected = "32 lower-case hex digits";
                return Err(fields.error(Fault::Text, "MD5 trailer", offset, shown(&digits), expected));
            }
        }
    }
    Ok(md5)
}

/// The MD5 as it is written at the end of the layer.
#[must_use]
pub fn encode_trailer(md5: &[u8; 16]) -> String {
    hex(md5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lengths of release 1.3.0-paxx12-17, whose update.img has 293179978 bytes, at offset 0xC0 of its file.
    const AT: Span = Span { offset: 0xC0, len: 293_179_978 };

    fn release() -> Rkfw {
        Rkfw {
            version: 0x0100_0000,
            code: 0x0200_0000,
            time: BuildTime { year: 2026, rest: [4, 14, 15, 58, 25] },
            chip: 0x3253_3632,
            loader: Span::new(0xC0 + 0x66, 469_440),
            image: Span::new(0xC0 + 0x66 + 469_440, 292_710_404),
            unknown: [0, 1],
            fs_type: 0,
            backup_end: 0,
            reserved: [0; 45],
        }
    }

    #[test]
    fn the_header_is_as_documented_and_comes_back() {
        let bytes = release().encode();
        assert_eq!(bytes.len(), 102);
        assert_eq!(&bytes[..6], b"RKFW\x66\x00");
        assert_eq!(bytes[25..29], 0x66u32.to_le_bytes());
        assert_eq!(bytes[33..37], (0x66u32 + 469_440).to_le_bytes());
        assert_eq!(bytes[37..41], 292_710_404u32.to_le_bytes());
        assert_eq!(bytes[45..49], 1u32.to_le_bytes());
        assert_eq!(Rkfw::parse(&bytes, AT).unwrap(), release());
        assert_eq!(release().time.to_string(), "2026-04-14 15:58:25");
    }

    type Change = fn(&mut Vec<u8>);

    #[test]
    fn each_breach_has_its_name() {
        let table: [(&str, Change, Fault, u64); 8] = [
            ("other magic", |b| b[3] = b'X', Fault::Magic, 0),
            ("longer header", |b| b[4] = 0x67, Fault::Limit, 4),
            ("loader in the header", |b| b[25] = 0x60, Fault::Mismatch, 25),
            ("no loader", |b| b[29..33].fill(0), Fault::Empty, 29),
            ("gap before the image", |b| b[33] += 1, Fault::Mismatch, 33),
            ("image too small", |b| b[37..41].copy_from_slice(&2051u32.to_le_bytes()), Fault::Empty, 37),
            ("image beyond the layer", |b| b[40] = 0xff, Fault::Truncated, 37),
            ("bytes after the MD5", |b| b[37] -= 1, Fault::Trailing, 37),
        ];
        for (name, change, fault, offset) in table {
            let mut bytes = release().encode();
            change(&mut bytes);
            let error = Rkfw::parse(&bytes, AT).expect_err(name);
            assert_eq!((error.fault, error.offset), (fault, AT.offset + offset), "{name}: {error}");
        }
        for len in 0..HEADER_LEN {
            let error = Rkfw::parse(&release().encode()[..len], AT).unwrap_err();
            assert_eq!(error.fault, Fault::Truncated, "{len}");
        }
    }

    #[test]
    fn the_trailer_is_lower_case_hex_and_nothing_else() {
        let text = b"31aaf9765c0e659251cb0fce134d9773";
        let md5 = parse_trailer(text, 0).unwrap();
        assert_eq!(md5[..2], [0x31, 0xaa]);
        assert_eq!(encode_trailer(&md5).as_bytes(), text);
        let upper = text.to_ascii_uppercase();
        assert_eq!(parse_trailer(&upper, 7).unwrap_err().fault, Fault::Text);
        assert_eq!(parse_trailer(&text[..31], 7).unwrap_err().fault, Fault::Truncated);
        assert_eq!(parse_trailer(&[b' '; 32], 7).unwrap_err().fault, Fault::Text);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, offset: u64, len: u64) {
            let _ = Rkfw::parse(&bytes, Span::new(offset, len));
            let _ = parse_trailer(&bytes, offset);
        }

        #[test]
        fn what_is_read_is_written_back(
            changes in prop::collection::vec((0..HEADER_LEN, any::<u8>()), 0..4),
        ) {
            let mut bytes = release().encode();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            if let Ok(read) = Rkfw::parse(&bytes, AT) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }
}
