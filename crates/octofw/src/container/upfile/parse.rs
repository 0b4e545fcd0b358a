//! Reading header and entries, strictly.

use super::{
    ENTRY_LEN, Entry, EntryKind, HEADER_LEN, MAGIC, TABLE_END, Upfile, VERSION_LEN, checksum, is_version_byte,
};
use crate::container::fields::{FieldReader, shown};
use crate::container::{Fault, FixedText, FormatError, Layer, Span, substitution};

impl Upfile {
    /// Reads the layer from its first [`TABLE_END`] stored bytes; `file_len` is the length of the whole file.
    ///
    /// # Errors
    /// For every breach of the format: magic, version, sums, texts, entry count and types, and ranges that leave
    /// the file, lie in the table or overlap. The payloads' MD5 are not checked here.
    pub fn parse(stored: &[u8], file_len: u64) -> Result<Self, FormatError> {
        let mut plain = stored.get(..stored.len().min(TABLE_END)).unwrap_or_default().to_vec();
        substitution::decode(&mut plain);
        let mut reader = FieldReader::new(Layer::Upfile, 0, &plain);

        let header: [u8; HEADER_LEN] = reader.bytes("header")?;
        let mut fields = FieldReader::new(Layer::Upfile, 0, &header);
        let magic: [u8; 4] = fields.bytes("magic")?;
        if magic != *MAGIC {
            let found = stored.get(..4).map(shown).unwrap_or_default();
            let expected = "88 1a 47 df, \"SNMK\" as an upgrade file stores it";
            return Err(fields.error(Fault::Magic, "magic", 0, found, expected));
        }
        let container_version = fields.u16_be("container version")?;
        if !matches!(container_version, 1 | 2) {
            let found = container_version.to_string();
            return Err(fields.error(Fault::Version, "container version", 4, found, "1 or 2"));
        }
        let sum = fields.u16_be("header sum")?;
        let version = FixedText::from_stored(fields.bytes("version")?);
        let date = FixedText::from_stored(fields.bytes("build date")?);
        let count = fields.u16_be("number of entries")?;
        let reserved = fields.bytes("reserved bytes")?;
        check_sum(&fields, "header sum", 6, sum, &header, 6)?;
        check_texts(&fields, &version, &date)?;
        if count != 4 {
            return Err(fields.error(Fault::Count, "number of entries", 46, count.to_string(), "4"));
        }

        let mut entries = Vec::with_capacity(4);
        for kind in EntryKind::ALL {
            entries.push(parse_entry(kind, &mut reader, file_len)?);
        }
        check_overlaps(&reader, &entries)?;
        let entries = <[Entry; 4]>::try_from(entries).map_err(|entries| {
            reader.error(Fault::Count, "number of entries", 46, entries.len().to_string(), "4")
        })?;
        Ok(Self { container_version, version, date, reserved, entries })
    }
}

fn check_sum(
    reader: &FieldReader<'_>,
    field: &'static str,
    offset: u64,
    stored: u16,
    bytes: &[u8],
    sum_at: usize,
) -> Result<(), FormatError> {
    let own = bytes.iter().skip(sum_at).take(2).fold(0, |sum: u16, byte| sum.wrapping_add(u16::from(*byte)));
    let computed = checksum(bytes).wrapping_sub(own);
    if stored == computed {
        return Ok(());
    }
    Err(reader.error(Fault::Sum, field, offset, format!("{stored:#06x}"), format!("{computed:#06x}")))
}

fn check_texts(
    fields: &FieldReader<'_>,
    version: &FixedText<VERSION_LEN>,
    date: &FixedText<14>,
) -> Result<(), FormatError> {
    if !version.is_of(is_version_byte) {
        let expected = "letters, digits and + . _ - only, at least one";
        return Err(fields.error(Fault::Text, "version", 8, shown(version.bytes()), expected));
    }
    if !date.stored().iter().all(u8::is_ascii_digit) {
        let expected = "14 digits YYYYMMDDhhmmss";
        return Err(fields.error(Fault::Text, "build date", 32, shown(date.stored()), expected));
    }
    Ok(())
}

fn parse_entry(kind: EntryKind, reader: &mut FieldReader<'_>, file_len: u64) -> Result<Entry, FormatError> {
    let start = reader.offset();
    let bytes: [u8; ENTRY_LEN] = reader.bytes("entry table")?;
    let mut fields = FieldReader::new(Layer::Upfile, start, &bytes);
    let named = |what: &str| format!("{what} of entry {} ({})", kind as u16, kind.file_name());

    let stored_kind = fields.u16_be("entry type")?;
    let sum = fields.u16_be("entry sum")?;
    let offset = fields.u64_be("entry offset")?;
    let size = fields.u32_be("entry size")?;
    let md5 = fields.bytes("entry MD5")?;
    check_sum(&fields, "entry sum", start.saturating_add(2), sum, &bytes, 2)?;
    if stored_kind != kind as u16 {
        let expected = (kind as u16).to_string();
        return Err(fields.error(Fault::Kind, named("type"), start, stored_kind.to_string(), expected));
    }
    if size == 0 {
        let at = start.saturating_add(12);
        return Err(fields.error(Fault::Empty, named("size"), at, "0", "at least 1 byte"));
    }
    let at = start.saturating_add(4);
    if offset < TABLE_END as u64 {
        let expected = format!("{TABLE_END:#x} or more, after the table");
        return Err(fields.error(Fault::InTable, named("offset"), at, format!("{offset:#x}"), expected));
    }
    let size = u64::from(size);
    match offset.checked_add(size) {
        Some(end) if end <= file_len => Ok(Entry { kind, span: Span::new(offset, size), md5 }),
        end => {
            // The entry's own sum is right: in practice the file behind it was cut short.
            let fault = if end.is_some() { Fault::Truncated } else { Fault::OutOfBounds };
            let found = format!("{size} bytes from {offset:#x}");
            let expected = format!("an end within the file of {file_len} bytes");
            Err(fields.error(fault, named("range"), at, found, expected))
        }
    }
}

fn check_overlaps(reader: &FieldReader<'_>, entries: &[Entry]) -> Result<(), FormatError> {
    for (index, entry) in entries.iter().enumerate() {
        for earlier in entries.iter().take(index) {
            if entry.span.overlaps(earlier.span) {
                let at = (HEADER_LEN + index * ENTRY_LEN + 4) as u64;
                let found = format!("{} bytes from {:#x}", entry.span.len, entry.span.offset);
                let expected = format!("no byte shared with entry {}", earlier.kind.file_name());
                let field = format!("range of entry {index} ({})", entry.kind.file_name());
                return Err(reader.error(Fault::Overlap, field, at, found, expected));
            }
        }
    }
    Ok(())
}
