//! The boot loader as it is sent over USB and written to the flash (`MiniLoaderAll.bin`): a header, three lists of what
//! it consists of, their content, and an RKCRC over all. Source: `boot_merger.h` of Rockchip's U-Boot, which writes it,
//! and `RKBoot.cpp` of rkdeveloptool, which reads it.

use serde::Serialize;

use super::PartError;
use crate::container::fields::{FieldReader, shown};
use crate::container::rkcrc::RkCrc;
use crate::container::{Fault, FormatError, Layer, SourceFile, Span};

/// How one begins: as it is made now, and as it was before.
pub(super) const MAGICS: [&[u8; 4]; 2] = [b"LDR ", b"BOOT"];
const HEADER_LEN: u16 = 102;
const ENTRY_LEN: u8 = 57;
const CRC_LEN: u64 = 4;
/// Newest form that is known; rkdeveloptool refuses what is newer.
const NEWEST: u32 = 0x0100_0000;
/// The lists in the order of the header, and what their entries call themselves.
const LISTS: [(&str, u32); 3] = [("471", 1), ("472", 2), ("loader", 4)];
/// Letters of a name, in UTF-16.
const NAME_LEN: usize = 20;

/// What a boot loader's file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loader {
    /// `LDR` or `BOOT`.
    pub magic: &'static str,
    /// Version, as `1.05`.
    pub version: String,
    /// When it was made, `YYYY-MM-DD hh:mm:ss`, on its maker's clock.
    pub made: String,
    /// The chip that it is for, as `RK3562`; as `0x00000080` where it is a number.
    pub chip: String,
    /// Whether it is signed for chips that ask for it.
    pub signed: bool,
    /// Whether what goes to the flash is scrambled there (RC4 with a key that everybody knows).
    pub scrambled: bool,
    /// What it consists of.
    pub entries: Vec<LoaderEntry>,
    /// RKCRC at its end, as `0x0123abcd`.
    pub crc: String,
    /// Whether it is that of the content; `null` where no sums were taken.
    pub crc_ok: Option<bool>,
}

/// One thing that it consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoaderEntry {
    /// `471` for what sets the memory up, `472` for what is loaded over USB, `loader` for what goes to the flash.
    pub list: &'static str,
    /// Name.
    pub name: String,
    /// Offset in it, in bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// How long the chip is left alone after it, in milliseconds.
    pub delay_ms: u32,
}

/// A list as the header states it.
struct List {
    name: &'static str,
    kind: u32,
    count: u8,
    offset: u32,
    step: u8,
}

/// Reads the one that lies at `at`, and takes its sum where `sums` are wanted.
pub(super) fn read(
    source: &SourceFile,
    at: Span,
    sums: bool,
    wrong: &mut Vec<FormatError>,
) -> Result<Loader, PartError> {
    let most = usize::from(HEADER_LEN).min(usize::try_from(at.len).unwrap_or(usize::MAX));
    let header = source.read_up_to(at.offset, most)?;
    let (mut loader, lists) = parse_header(&header, at)?;
    let Some(content) = at.len.checked_sub(CRC_LEN).map(|len| Span::new(at.offset, len)) else {
        return Ok(loader);
    };
    for list in lists {
        read_list(source, content, &list, &mut loader.entries)?;
    }
    let place = content.end();
    let end = source.read_up_to(place, CRC_LEN as usize)?;
    let mut fields = FieldReader::new(Layer::Loader, place, &end);
    let stated = fields.u32_le("CRC")?;
    loader.crc = format!("{stated:#010x}");
    if sums {
        let mut crc = RkCrc::new();
        source.for_each_piece(content, |piece| crc.update(piece))?;
        loader.crc_ok = Some(stated == crc.value());
        if stated != crc.value() {
            let expected = format!("{:#010x}, the sum of the content", crc.value());
            wrong.push(fields.error(Fault::Sum, "CRC", place, loader.crc.clone(), expected));
        }
    }
    Ok(loader)
}

fn parse_header(header: &[u8], at: Span) -> Result<(Loader, [List; 3]), FormatError> {
    let mut fields = FieldReader::new(Layer::Loader, at.offset, header);
    let magic: [u8; 4] = fields.bytes("magic")?;
    let is_older = magic == *MAGICS[1];
    let place = fields.offset();
    let length = fields.u16_le("header length")?;
    if length < HEADER_LEN {
        let expected = format!("at least {HEADER_LEN}");
        return Err(fields.error(Fault::Limit, "header length", place, length.to_string(), expected));
    }
    if at.len < u64::from(length) + CRC_LEN {
        let (found, expected) = (format!("{} bytes", at.len), format!("{length} bytes and a CRC"));
        return Err(fields.error(Fault::Truncated, "header", place, found, expected));
    }
    let version = fields.u32_le("version")?;
    let place = fields.offset();
    let form = fields.u32_le("form")?;
    if !is_older && form > NEWEST {
        let (found, expected) = (format!("{form:#010x}"), format!("at most {NEWEST:#010x}"));
        return Err(fields.error(Fault::Version, "form", place, found, expected));
    }
    let year = fields.u16_le("time")?;
    let [month, day, hour, minute, second] = fields.bytes("time")?;
    let chip = fields.u32_le("chip")?;
    let mut list = |(name, kind): (&'static str, u32)| -> Result<List, FormatError> {
        let [count] = fields.bytes("number of entries")?;
        let offset = fields.u32_le("place of a list")?;
        let place = fields.offset();
        let [step] = fields.bytes("length of an entry")?;
        let list = List { name, kind, count, offset, step };
        if count > 0 && step < ENTRY_LEN {
            let (field, expected) =
                (format!("length of an entry of {name}"), format!("at least {ENTRY_LEN}"));
            return Err(fields.error(Fault::Limit, field, place, step.to_string(), expected));
        }
        if count > 0 && offset < u32::from(length) {
            let expected = format!("{length} or more, behind the header");
            return Err(fields.error(
                Fault::InTable,
                format!("list {name}"),
                place,
                offset.to_string(),
                expected,
            ));
        }
        Ok(list)
    };
    let [memory, usb, flash] = LISTS;
    let lists = [list(memory)?, list(usb)?, list(flash)?];
    let [signed, plain] = fields.bytes("flags")?;
    let loader = Loader {
        magic: if is_older { "BOOT" } else { "LDR" },
        version: format!("{:x}.{:02x}", version >> 8, version & 0xff),
        made: format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
        chip: chip_name(chip),
        signed: signed == b'S',
        scrambled: plain == 0,
        entries: Vec::new(),
        crc: String::new(),
        crc_ok: None,
    };
    Ok((loader, lists))
}

/// Reads the entries of a list; `content` is all but the CRC at the end.
fn read_list(
    source: &SourceFile,
    content: Span,
    list: &List,
    entries: &mut Vec<LoaderEntry>,
) -> Result<(), PartError> {
    let start = content.offset.saturating_add(u64::from(list.offset));
    let length = u64::from(list.count) * u64::from(list.step);
    let Some(at) = content.part(u64::from(list.offset), length) else {
        let found = format!("{} entries of {} bytes from {:#x}", list.count, list.step, list.offset);
        let expected = format!("entries within the {} bytes of it", content.len);
        let fields = FieldReader::new(Layer::Loader, start, &[]);
        return Err(fields
            .error(Fault::OutOfBounds, format!("list {}", list.name), start, found, expected)
            .into());
    };
    let bytes = source.read_up_to(at.offset, usize::from(list.count) * usize::from(list.step))?;
    let mut place = at.offset;
    for entry in bytes.chunks(usize::from(list.step).max(1)) {
        entries.push(parse_entry(entry, place, list, content)?);
        place = place.saturating_add(u64::from(list.step));
    }
    Ok(())
}

fn parse_entry(entry: &[u8], place: u64, list: &List, content: Span) -> Result<LoaderEntry, FormatError> {
    let mut fields = FieldReader::new(Layer::Loader, place, entry);
    let [step] = fields.bytes("length of the entry")?;
    let field = |what: &str| format!("{what} of an entry of {}", list.name);
    if step != list.step {
        let expected = format!("{}, as the header says", list.step);
        return Err(fields.error(Fault::Mismatch, field("length"), place, step.to_string(), expected));
    }
    let at = fields.offset();
    let kind = fields.u32_le("type of the entry")?;
    if kind != list.kind {
        return Err(fields.error(Fault::Kind, field("type"), at, kind.to_string(), list.kind.to_string()));
    }
    let name: [u8; 2 * NAME_LEN] = fields.bytes("name of the entry")?;
    let letters = name.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    let letters = char::decode_utf16(letters.take_while(|letter| *letter != 0));
    let name: String = letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let at = fields.offset();
    let offset = u64::from(fields.u32_le("place of the content")?);
    let size = u64::from(fields.u32_le("length of the content")?);
    let delay_ms = fields.u32_le("delay")?;
    let name = name.escape_debug().to_string();
    if content.part(offset, size).is_none() {
        let found = format!("{size} bytes from {offset:#x}");
        let expected = format!("a place within the {} bytes of it", content.len);
        let field = format!("place of {}", shown(name.as_bytes()));
        return Err(fields.error(Fault::OutOfBounds, field, at, found, expected));
    }
    Ok(LoaderEntry { list: list.name, name, offset, size, delay_ms })
}

/// `RK` and the digits that the number spells, if it does.
fn chip_name(chip: u32) -> String {
    match std::str::from_utf8(&chip.to_be_bytes()) {
        Ok(text) if text.bytes().all(|letter| letter.is_ascii_alphanumeric()) => format!("RK{text}"),
        _ => format!("{chip:#010x}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::container::rkcrc::rkcrc;
    use crate::parts::{Content, Look, of_file, of_part};

    /// Where things lie in [`made`].
    const FIRST: usize = 102;
    const DATA: usize = FIRST + 4 * 57;

    /// As `boot_merger` makes it of four pieces, after its header file.
    fn made() -> Vec<u8> {
        let mut bytes = b"LDR ".to_vec();
        bytes.extend(102_u16.to_le_bytes());
        bytes.extend([0x15, 0x01, 0, 0, 0, 0, 0, 1]);
        bytes.extend(2024_u16.to_le_bytes());
        bytes.extend([5, 6, 7, 8, 9]);
        bytes.extend(b"2653");
        for (count, before) in [(1, 0), (1, 1), (2, 2)] {
            bytes.push(count);
            bytes.extend((FIRST as u32 + before * 57).to_le_bytes());
            bytes.push(57);
        }
        bytes.extend([0, 1]);
        bytes.resize(FIRST, 0);
        let pieces = [
            (1_u32, "rk3562_ddr", 64_u32, 3_u32),
            (2, "usbplug", 100, 0),
            (4, "FlashData", 64, 0),
            (4, "FlashBoot", 300, 0),
        ];
        let mut place = DATA as u32;
        for (kind, name, size, delay) in pieces {
            bytes.push(57);
            bytes.extend(kind.to_le_bytes());
            let mut letters: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            letters.resize(40, 0);
            bytes.extend(letters);
            for number in [place, size, delay] {
                bytes.extend(number.to_le_bytes());
            }
            place += size;
        }
        for (kind, _, size, _) in pieces {
            bytes.resize(bytes.len() + size as usize, kind as u8);
        }
        seal(bytes)
    }

    /// With the CRC at its end.
    fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
        let crc = rkcrc(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn looked(bytes: &[u8], sums: bool) -> Result<Option<Look>, PartError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        // Not at its start, so that places are counted from where it lies.
        file.write_all(&[0; 77]).unwrap();
        file.write_all(bytes).unwrap();
        let source = SourceFile::open(file.path()).unwrap();
        of_part(&source, Span::new(77, bytes.len() as u64), "MiniLoaderAll.bin", sums)
    }

    fn loader(bytes: &[u8], sums: bool) -> (Loader, Vec<FormatError>) {
        match looked(bytes, sums) {
            Ok(Some(Look { content: Content::Loader(loader), wrong })) => (loader, wrong),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn header_and_entries_are_shown() {
        let (found, wrong) = loader(&made(), true);
        let entry = |list, name: &str, offset: usize, size, delay_ms| LoaderEntry {
            list,
            name: name.into(),
            offset: offset as u64,
            size,
            delay_ms,
        };
        let crc = made().last_chunk::<4>().map(|crc| u32::from_le_bytes(*crc)).unwrap();
        let expected = Loader {
            magic: "LDR",
            version: "1.15".into(),
            made: "2024-05-06 07:08:09".into(),
            chip: "RK3562".into(),
            signed: false,
            scrambled: false,
            entries: vec![
                entry("471", "rk3562_ddr", DATA, 64, 3),
                entry("472", "usbplug", DATA + 64, 100, 0),
                entry("loader", "FlashData", DATA + 164, 64, 0),
                entry("loader", "FlashBoot", DATA + 228, 300, 0),
            ],
            crc: format!("{crc:#010x}"),
            crc_ok: Some(true),
        };
        assert_eq!(found, expected);
        assert!(wrong.is_empty());
        assert_eq!(loader(&made(), false).0, Loader { crc_ok: None, ..expected });
    }

    #[test]
    fn flags_and_the_older_form_are_told() {
        let mut bytes = made();
        bytes[..4].copy_from_slice(b"BOOT");
        // Newer than any: the older form does not count so.
        bytes[13] = 2;
        bytes[21..25].copy_from_slice(&[0x80, 0, 0, 0]);
        bytes[43..45].copy_from_slice(b"S\0");
        let (found, wrong) = loader(&bytes, true);
        assert_eq!((found.magic, found.chip.as_str()), ("BOOT", "0x00000080"));
        assert!(found.signed && found.scrambled);
        let told: Vec<String> =
            wrong.iter().map(|error| format!("{} {}", error.code(), error.field)).collect();
        assert_eq!((found.crc_ok, told), (Some(false), vec!["loader-sum CRC".to_owned()]));
        assert_eq!(wrong[0].offset, 77 + bytes.len() as u64 - 4);
    }

    #[test]
    fn a_file_that_is_one_is_known() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&made()).unwrap();
        let (look, _) = of_file(&SourceFile::open(file.path()).unwrap(), true).unwrap().unwrap();
        assert_eq!(look.content.kind(), "loader");
    }

    #[test]
    fn forged_headers_have_their_own_errors() {
        type Change = fn(&mut Vec<u8>);
        let table: [(&str, Change, Fault, &str); 13] = [
            ("cut in its header", |b| b.truncate(50), Fault::Truncated, "header"),
            ("cut in its magic's length", |b| b.truncate(5), Fault::Truncated, "header length"),
            ("no room for the CRC", |b| b.truncate(102), Fault::Truncated, "header"),
            ("short header", |b| b[4] = 101, Fault::Limit, "header length"),
            ("long header", |b| b[5] = 0xff, Fault::Truncated, "header"),
            ("newer than known", |b| b[10] = 1, Fault::Version, "form"),
            ("short entries", |b| b[30] = 56, Fault::Limit, "length of an entry of 471"),
            ("a list in the header", |b| b[32] = 0, Fault::InTable, "list 472"),
            ("a list beyond the end", |b| b[41] = 0xff, Fault::OutOfBounds, "list loader"),
            ("more entries than room", |b| b[37] = 255, Fault::OutOfBounds, "list loader"),
            ("an entry of another length", |b| b[FIRST] = 58, Fault::Mismatch, "length of an entry of 471"),
            ("an entry of another list", |b| b[FIRST + 58] = 4, Fault::Kind, "type of an entry of 472"),
            ("content beyond the end", |b| b[FIRST + 48] = 1, Fault::OutOfBounds, "place of \"rk3562_ddr\""),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (name, change, fault, field) in table {
            let mut bytes = made();
            bytes.truncate(bytes.len() - 4);
            change(&mut bytes);
            // Sealed anew, but where there would be more of it again.
            let bytes = if bytes.len() < DATA { bytes } else { seal(bytes) };
            let error = match looked(&bytes, true) {
                Err(PartError::Format(error)) => error,
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(
                (error.layer, error.fault, error.field.as_ref()),
                (Layer::Loader, fault, field),
                "{name}"
            );
            assert!(seen.insert((error.field.clone(), error.found.clone())), "{name}: not its own: {error}");
        }
        // The content may reach up to the CRC, and not into it.
        let mut bytes = made();
        bytes[FIRST + 3 * 57 + 49] += 1;
        assert!(looked(&bytes, false).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn no_change_makes_it_panic(
            changes in prop::collection::vec((0..DATA, any::<u8>()), 0..6),
            cut in prop::option::of(0..DATA + 600),
            sums: bool,
        ) {
            let mut bytes = made();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(cut.unwrap_or(bytes.len()));
            let Ok(Some(look)) = looked(&bytes, sums) else { return Ok(()) };
            if let Content::Loader(found) = look.content {
                let inside = |entry: &LoaderEntry| entry.offset + entry.size <= bytes.len() as u64 - 4;
                prop_assert!(found.entries.iter().all(inside));
                prop_assert_eq!(found.crc_ok.is_some(), sums);
            }
        }
    }
}
