//! Reading the RKAF header, strictly.

use super::{BLOCK, HEADER_LEN, MAGIC, MAX_PARTS, PART_LEN, Part, Rkaf, TRAILER_LEN};
use crate::container::fields::{FieldReader, shown};
use crate::container::{Fault, FixedText, FormatError, Layer, Span};

const TABLE: usize = 140;

impl Rkaf {
    /// Reads the header from the layer's first bytes; `at` is where the layer lies in the file, CRC included.
    ///
    /// # Errors
    /// For every breach of the format: magic, length, number of parts, names, positions that are not at blocks, lie in
    /// the header, leave the image or overlap, block counts that do not fit the size, and parts of one file that do
    /// not share its data. The CRC is not checked here.
    pub fn parse(bytes: &[u8], at: Span) -> Result<Self, FormatError> {
        let mut reader = FieldReader::new(Layer::Rkaf, at.offset, bytes);
        let header: [u8; HEADER_LEN] = reader.bytes("header").map_err(|truncated| {
            // A short file of another kind is better named by its magic.
            match bytes.first_chunk::<4>() {
                Some(magic) if magic != MAGIC => magic_error(&reader, *magic),
                _ => truncated,
            }
        })?;
        let mut fields = FieldReader::new(Layer::Rkaf, at.offset, &header);
        let magic: [u8; 4] = fields.bytes("magic")?;
        if magic != *MAGIC {
            return Err(magic_error(&fields, magic));
        }
        let length = fields.u32_le("length")?;
        check_length(&fields, length, at)?;
        let model = FixedText::from_stored(fields.bytes("machine model")?);
        let id = FixedText::from_stored(fields.bytes("machine id")?);
        let manufacturer = FixedText::from_stored(fields.bytes("manufacturer")?);
        let unknown = fields.u32_le("unknown field")?;
        let version = fields.u32_le("version")?;
        let count = fields.u32_le("number of parts")? as usize;
        if count == 0 || count > MAX_PARTS {
            let offset = at.offset.saturating_add(136);
            let expected = format!("1 to {MAX_PARTS}");
            return Err(fields.error(Fault::Count, "number of parts", offset, count.to_string(), expected));
        }
        let mut parts = Vec::with_capacity(count);
        for index in 0..count {
            let part = parse_part(&mut fields, index, length)?;
            check_against(&fields, at.offset, &part, &parts)?;
            parts.push(part);
        }
        let mut unused = Vec::new();
        for _ in count..MAX_PARTS {
            unused.extend(fields.bytes::<PART_LEN>("unused part")?);
        }
        let reserved = fields.bytes("reserved bytes")?;
        Ok(Self { length, model, id, manufacturer, unknown, version, parts, unused, reserved })
    }
}

fn magic_error(fields: &FieldReader<'_>, magic: [u8; 4]) -> FormatError {
    let offset = fields.offset().saturating_sub(4);
    fields.error(Fault::Magic, "magic", offset, shown(&magic), shown(MAGIC))
}

fn check_length(fields: &FieldReader<'_>, length: u32, at: Span) -> Result<(), FormatError> {
    let offset = at.offset.saturating_add(4);
    let whole = u64::from(length).saturating_add(TRAILER_LEN as u64);
    if (length as usize) < HEADER_LEN {
        let expected = format!("at least {HEADER_LEN}");
        return Err(fields.error(Fault::Empty, "length", offset, length.to_string(), expected));
    }
    if whole != at.len {
        let fault = if whole > at.len { Fault::Truncated } else { Fault::Trailing };
        let found = format!("{} bytes in the layer", at.len);
        let expected = format!("{whole} (length {length} and a CRC of 4)");
        return Err(fields.error(fault, "length", offset, found, expected));
    }
    Ok(())
}

fn parse_part(fields: &mut FieldReader<'_>, index: usize, length: u32) -> Result<Part, FormatError> {
    let start = fields.offset();
    let at = |offset: u64| start.saturating_add(offset);
    let part = Part {
        name: FixedText::from_stored(fields.bytes("part name")?),
        file: FixedText::from_stored(fields.bytes("part file name")?),
        flash_size: fields.u32_le("part flash size")?,
        position: fields.u32_le("part position")?,
        flash_address: fields.u32_le("part flash address")?,
        blocks: fields.u32_le("part blocks")?,
        size: fields.u32_le("part size")?,
    };
    let named = |what: &str| format!("{what} of part {index} ({})", part.file);
    // File names become names of extracted files: nothing that could leave the folder.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    let expected = "letters, digits and . _ + - only, not beginning with a dot";
    for (what, offset, text, good) in [
        ("name", 0, part.name.bytes(), part.name.is_of(legal)),
        ("file name", 32, part.file.bytes(), part.file.is_of(legal)),
    ] {
        if !good || text.starts_with(b".") {
            return Err(fields.error(Fault::Text, named(what), at(offset), shown(text), expected));
        }
    }
    if part.is_self() {
        return Ok(part);
    }
    let position = u64::from(part.position);
    if position < HEADER_LEN as u64 {
        let expected = format!("{HEADER_LEN} or more, after the header");
        return Err(fields.error(Fault::InTable, named("position"), at(96), position.to_string(), expected));
    }
    if !position.is_multiple_of(BLOCK) {
        let expected = format!("a multiple of {BLOCK}");
        return Err(fields.error(
            Fault::Misaligned,
            named("position"),
            at(96),
            position.to_string(),
            expected,
        ));
    }
    let blocks = u64::from(part.size).div_ceil(BLOCK);
    if u64::from(part.blocks) != blocks {
        let expected = format!("{blocks} blocks for {} bytes", part.size);
        return Err(fields.error(
            Fault::Mismatch,
            named("blocks"),
            at(104),
            part.blocks.to_string(),
            expected,
        ));
    }
    let end = position.saturating_add(part.padded_size());
    if end > u64::from(length) {
        let found = format!("{} blocks from {position}, to {end}", part.blocks);
        let expected = format!("an end within the {length} bytes of the image");
        return Err(fields.error(Fault::OutOfBounds, named("range"), at(96), found, expected));
    }
    Ok(part)
}

/// Holds a part against those before it: the same file means the same data, another file other data.
fn check_against(
    fields: &FieldReader<'_>,
    image_start: u64,
    part: &Part,
    earlier: &[Part],
) -> Result<(), FormatError> {
    let offset = image_start.saturating_add((TABLE + earlier.len() * PART_LEN + 96) as u64);
    let span = |part: &Part| Span::new(u64::from(part.position), part.padded_size());
    let named = |what: &str| format!("{what} of part {} ({})", earlier.len(), part.file);
    if part.is_self() {
        return Ok(());
    }
    for other in earlier.iter().filter(|other| !other.is_self()) {
        if other.name.text() == part.name.text() {
            let found = shown(part.name.bytes());
            let offset = offset.saturating_sub(96);
            return Err(fields.error(Fault::Mismatch, named("name"), offset, found, "each name once"));
        }
        let found = format!("{} bytes at {}", part.size, part.position);
        if other.file.text() == part.file.text() {
            if (other.position, other.size) != (part.position, part.size) {
                let expected =
                    format!("{} bytes at {}, as in part {}", other.size, other.position, other.name);
                return Err(fields.error(Fault::Mismatch, named("data"), offset, found, expected));
            }
        } else if span(other).overlaps(span(part)) {
            let expected = format!("no byte shared with {}", other.file);
            return Err(fields.error(Fault::Overlap, named("data"), offset, found, expected));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{NO_PARTITION, REST, SELF};
    use super::*;
    use proptest::prelude::*;

    fn small() -> Rkaf {
        let mut rkaf = Rkaf::new();
        rkaf.add("package-file", "package-file", NO_PARTITION, 0, 251).unwrap();
        rkaf.add("system_a", "rootfs.img", 64, 64, 4097).unwrap();
        rkaf.add("system_b", "rootfs.img", 128, 64, 4097).unwrap();
        rkaf.add("oem", "oem.img", 192, REST, 2048).unwrap();
        rkaf.arrange(&[]).unwrap();
        rkaf
    }

    fn at(rkaf: &Rkaf) -> Span {
        Span::new(1000, u64::from(rkaf.length) + 4)
    }

    type Change = fn(&mut Vec<u8>);
    fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    /// Offset of a field of a part.
    const fn field(part: usize, offset: usize) -> usize {
        TABLE + part * PART_LEN + offset
    }

    #[test]
    fn each_breach_has_its_name() {
        let table: [(&str, Change, Fault, usize); 18] = [
            ("other magic", |b| b[0] = b'X', Fault::Magic, 0),
            ("length below the header", |b| put(b, 4, 2047), Fault::Empty, 4),
            ("length beyond the layer", |b| put(b, 4, u32::MAX), Fault::Truncated, 4),
            ("length short of the layer", |b| put(b, 4, 2048), Fault::Trailing, 4),
            ("no parts", |b| put(b, 136, 0), Fault::Count, 136),
            ("17 parts", |b| put(b, 136, 17), Fault::Count, 136),
            ("4294967295 parts", |b| put(b, 136, u32::MAX), Fault::Count, 136),
            ("no name", |b| b[field(1, 0)] = 0, Fault::Text, field(1, 0)),
            ("control character in a name", |b| b[field(1, 0)] = 0x1b, Fault::Text, field(1, 0)),
            ("path as file name", |b| b[field(1, 34)] = b'/', Fault::Text, field(1, 32)),
            ("parent folder as file name", |b| b[field(1, 32)] = b'.', Fault::Text, field(1, 32)),
            ("position in the header", |b| put(b, field(1, 96), 0), Fault::InTable, field(1, 96)),
            ("position between blocks", |b| put(b, field(1, 96), 4097), Fault::Misaligned, field(1, 96)),
            (
                "position beyond the end",
                |b| put(b, field(3, 96), 0xFFFF_F800),
                Fault::OutOfBounds,
                field(3, 96),
            ),
            ("one block too many", |b| put(b, field(1, 104), 4), Fault::Mismatch, field(1, 104)),
            ("slots that do not share", |b| put(b, field(2, 96), 6144), Fault::Mismatch, field(2, 96)),
            ("overlap", |b| put(b, field(3, 96), 4096), Fault::Overlap, field(3, 96)),
            ("a name twice", |b| b[field(2, 7)] = b'a', Fault::Mismatch, field(2, 0)),
        ];
        for (name, change, fault, offset) in table {
            let rkaf = small();
            let mut bytes = rkaf.encode();
            change(&mut bytes);
            let error = Rkaf::parse(&bytes, at(&rkaf)).expect_err(name);
            assert_eq!((error.fault, error.offset), (fault, 1000 + offset as u64), "{name}: {error}");
        }
    }

    #[test]
    fn cut_short_at_any_byte_is_truncated() {
        let rkaf = small();
        let bytes = rkaf.encode();
        for len in 0..HEADER_LEN {
            let error = Rkaf::parse(&bytes[..len], at(&rkaf)).unwrap_err();
            assert_eq!(error.fault, Fault::Truncated, "{len}");
        }
        assert_eq!(Rkaf::parse(b"RKXX", at(&rkaf)).unwrap_err().fault, Fault::Magic);
    }

    #[test]
    fn a_self_part_needs_no_data() {
        let mut rkaf = small();
        rkaf.add("self", SELF, NO_PARTITION, 0, 0).unwrap();
        rkaf.arrange(&[]).unwrap();
        let read = Rkaf::parse(&rkaf.encode(), at(&rkaf)).unwrap();
        assert_eq!(read.parts[4].size, read.length + 4);
        assert_eq!(read.files().len(), 3);
    }

    #[test]
    fn bytes_without_meaning_survive() {
        let rkaf = small();
        let mut bytes = rkaf.encode();
        bytes[field(9, 3)] = 7;
        bytes[2000] = 9;
        bytes[field(0, 20)] = 1;
        assert_eq!(Rkaf::parse(&bytes, at(&rkaf)).unwrap().encode(), bytes);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..4096),
            offset: u64,
            len: u64,
        ) {
            let _ = Rkaf::parse(&bytes, Span::new(offset, len));
        }

        #[test]
        fn what_is_read_is_written_back(
            changes in prop::collection::vec((0..HEADER_LEN, any::<u8>()), 0..6),
        ) {
            let rkaf = small();
            let mut bytes = rkaf.encode();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            if let Ok(read) = Rkaf::parse(&bytes, at(&rkaf)) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }
}
