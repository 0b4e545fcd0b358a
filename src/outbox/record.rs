//! The bytes of a journal: a header, then records that each carry their length and checksum.
//!
//! Pure: reads and writes slices, never a file. The reader takes any bytes; what is damaged is skipped, and
//! what follows is found again by the mark that begins every record.
//!
//! ```text
//! header  = magic[8] version:u32 crc:u32
//! record  = mark[4] kind:u8 length:u32 crc:u32 payload[length]      (little endian; crc over kind, length, payload)
//! entry   = importance:u8 at_ms:u64 key_len:u16 key slot_len:u16 slot body
//! settled = key
//! ```

use super::{Entry, Importance};
use std::time::Duration;

/// Version of the format that this program writes.
pub(super) const VERSION: u32 = 1;
/// Longest payload of a record; a greater length in a file is damage.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;

const MAGIC: [u8; 8] = *b"octo-obx";
const HEADER_LEN: usize = 16;
/// Begins a record. Not valid UTF-8 anywhere, so that no text in a body looks like one.
const MARK: [u8; 4] = [0xF5, 0x9E, 0xFF, 0xC1];
const FRAME_LEN: usize = 13;
const ENTRY: u8 = 1;
const SETTLED: u8 = 2;

/// One record of a journal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A message was queued.
    Entry(Entry),
    /// The message of this key was delivered or given up.
    Settled(String),
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// Nothing, or the torn beginning of a header.
    Blank,
    /// A format that this program reads.
    Known,
    /// Written by a newer program.
    Newer(u32),
    /// Damaged, or not a journal.
    Unknown,
}

/// What was found in a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scan {
    /// The intact records, in order.
    pub(super) records: Vec<Record>,
    /// Bytes without meaning between intact records.
    pub(super) skipped: usize,
    /// Bytes without meaning after the last intact record.
    pub(super) torn: usize,
}

/// Reads the header of a file.
pub(super) fn header(bytes: &[u8]) -> Header {
    let (Some(head), Some(version), Some(crc)) = (bytes.get(..12), read_u32(bytes, 8), read_u32(bytes, 12))
    else {
        let whole = MAGIC.get(..bytes.len().min(MAGIC.len()));
        let torn = bytes.get(..bytes.len().min(MAGIC.len())) == whole;
        return if torn { Header::Blank } else { Header::Unknown };
    };
    if !head.starts_with(&MAGIC) || crc != crc32(&[head]) {
        Header::Unknown
    } else if version > VERSION {
        Header::Newer(version)
    } else {
        Header::Known
    }
}

/// Appends the header of this version.
pub(super) fn write_header(out: &mut Vec<u8>) {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc32(&[&head]).to_le_bytes());
}

/// Appends a record that queues `entry`.
pub(super) fn write_entry(entry: &Entry, out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(entry_len(entry));
    payload.push(entry.importance as u8);
    payload.extend_from_slice(&(entry.at.as_millis() as u64).to_le_bytes());
    for text in [entry.key.as_str(), entry.slot.as_deref().unwrap_or_default()] {
        payload.extend_from_slice(&(text.len() as u16).to_le_bytes());
        payload.extend_from_slice(text.as_bytes());
    }
    payload.extend_from_slice(&entry.body);
    write_record(ENTRY, &payload, out);
}

/// Appends a record that settles `key`.
pub(super) fn write_settled(key: &str, out: &mut Vec<u8>) {
    write_record(SETTLED, key.as_bytes(), out);
}

/// Length of the payload that [`write_entry`] makes, in bytes.
pub(super) fn entry_len(entry: &Entry) -> usize {
    13 + entry.key.len() + entry.slot.as_deref().map_or(0, str::len) + entry.body.len()
}

/// Whether [`write_entry`] can write `entry` so that it is read back as it is.
pub(super) fn fits(entry: &Entry) -> bool {
    let slot = entry.slot.as_deref().map_or(0, str::len);
    entry_len(entry) <= MAX_PAYLOAD && entry.key.len() <= 1024 && slot <= 1024
}

/// Reads every intact record of `bytes`, which begin with a header if `headed`.
pub(super) fn scan(bytes: &[u8], headed: bool) -> Scan {
    let mut found = Scan::default();
    let mut at = if headed { HEADER_LEN.min(bytes.len()) } else { 0 };
    let mut lost = 0;
    // Checksums over damaged bytes cost time; a file made to waste it is given up on.
    let mut patience = bytes.len().saturating_mul(8).max(MAX_PAYLOAD);
    while at < bytes.len() {
        match read_record(bytes, at) {
            Ok((record, next)) => {
                found.records.extend(record);
                found.skipped += std::mem::take(&mut lost);
                at = next;
            }
            Err(wasted) => {
                patience = patience.saturating_sub(wasted);
                let next = if patience == 0 { bytes.len() } else { next_mark(bytes, at + 1) };
                lost += next - at;
                at = next;
            }
        }
    }
    found.torn = lost;
    found
}

/// The record at `at` (none if its kind is unknown) and where it ends, or the number of bytes checked in vain.
fn read_record(bytes: &[u8], at: usize) -> Result<(Option<Record>, usize), usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    if !rest.starts_with(&MARK) {
        return Err(0);
    }
    let (Some(kind), Some(length), Some(crc)) = (rest.get(4), read_u32(rest, 5), read_u32(rest, 9)) else {
        return Err(0);
    };
    let length = length as usize;
    if length > MAX_PAYLOAD {
        return Err(0);
    }
    let (Some(head), Some(payload)) = (rest.get(4..9), rest.get(FRAME_LEN..FRAME_LEN + length)) else {
        return Err(0);
    };
    if crc32(&[head, payload]) != crc {
        return Err(length);
    }
    let record = match *kind {
        ENTRY => Some(Record::Entry(read_entry(payload).ok_or(length)?)),
        SETTLED => Some(Record::Settled(String::from_utf8(payload.to_vec()).map_err(|_| length)?)),
        _ => None,
    };
    Ok((record, at + FRAME_LEN + length))
}

fn read_entry(payload: &[u8]) -> Option<Entry> {
    let importance = Importance::from_byte(*payload.first()?)?;
    let at = u64::from_le_bytes(payload.get(1..9)?.try_into().ok()?);
    let (key, rest) = read_text(payload.get(9..)?)?;
    let (slot, body) = read_text(rest)?;
    let slot = Some(slot).filter(|slot| !slot.is_empty());
    Some(Entry { key, importance, at: Duration::from_millis(at), slot, body: body.to_vec() })
}

fn read_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let length = usize::from(u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?));
    let text = std::str::from_utf8(bytes.get(2..2 + length)?).ok()?;
    Some((text.to_owned(), bytes.get(2 + length..)?))
}

fn next_mark(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(MARK.len()).position(|window| window == MARK).map_or(bytes.len(), |found| from + found)
}

fn write_record(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc32(&[&head, payload]).to_le_bytes());
    out.extend_from_slice(payload);
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// CRC-32 as in zip and PNG (reflected polynomial 0xEDB88320), over the parts in order.
fn crc32(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 16] = [
        0x0000_0000,
        0x1DB7_1064,
        0x3B6E_20C8,
        0x26D9_30AC,
        0x76DC_4190,
        0x6B6B_51F4,
        0x4DB2_6158,
        0x5005_713C,
        0xEDB8_8320,
        0xF00F_9344,
        0xD6D6_A3E8,
        0xCB61_B38C,
        0x9B64_C2B0,
        0x86D3_D2D4,
        0xA00A_E278,
        0xBDBD_F21C,
    ];
    let nibble = |crc: u32| crc >> 4 ^ TABLE.get((crc & 15) as usize).copied().unwrap_or_default();
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |crc, byte| nibble(nibble(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(n: usize, body: &[u8]) -> Entry {
        Entry {
            key: format!("job-{n}/finished/1"),
            importance: Importance::Terminal,
            at: Duration::from_millis(1_763_000_000_123),
            slot: (n % 2 == 1).then(|| "progress".to_owned()),
            body: body.to_vec(),
        }
    }

    #[test]
    fn checksum_is_the_standard_crc32() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xCBF4_3926);
        assert_eq!(crc32(&[b""]), 0);
    }

    #[test]
    fn reads_what_it_wrote() {
        let mut bytes = Vec::new();
        write_header(&mut bytes);
        write_entry(&entry(0, b"body"), &mut bytes);
        write_settled("k\u{e9}y", &mut bytes);
        write_entry(&entry(1, b""), &mut bytes);
        assert_eq!(header(&bytes), Header::Known);
        let found = scan(&bytes, true);
        let expected = vec![
            Record::Entry(entry(0, b"body")),
            Record::Settled("k\u{e9}y".to_owned()),
            Record::Entry(entry(1, b"")),
        ];
        assert_eq!(found, Scan { records: expected, skipped: 0, torn: 0 });
    }

    #[test]
    fn knows_headers() {
        let mut ours = Vec::new();
        write_header(&mut ours);
        let mut newer = ours.clone();
        newer[8..12].copy_from_slice(&7u32.to_le_bytes());
        let damaged = newer.clone();
        let crc = crc32(&[&newer[..12]]);
        newer[12..].copy_from_slice(&crc.to_le_bytes());
        let cases: [(&[u8], Header); 6] = [
            (b"", Header::Blank),
            (&ours[..9], Header::Blank),
            (&ours, Header::Known),
            (&newer, Header::Newer(7)),
            (&damaged, Header::Unknown),
            (b"something else entirely", Header::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(header(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_unknown_kind_is_passed_over() {
        let mut bytes = Vec::new();
        write_record(99, b"from the future", &mut bytes);
        write_settled("k", &mut bytes);
        let found = scan(&bytes, false);
        assert_eq!(found, Scan { records: vec![Record::Settled("k".to_owned())], skipped: 0, torn: 0 });
    }

    /// A file of a few entries, and where each record ends.
    fn file(bodies: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        write_header(&mut bytes);
        let mut ends = Vec::new();
        for (n, body) in bodies.iter().enumerate() {
            write_entry(&entry(n, body), &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    proptest! {
        #[test]
        fn truncation_keeps_every_whole_record(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let (bytes, ends) = file(&bodies);
            let cut = cut.index(bytes.len() + 1);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let found = scan(&bytes[..cut], true);
            prop_assert_eq!(found.records.len(), whole);
            prop_assert_eq!(found.skipped, 0);
            let kept = ends[..whole].last().copied().unwrap_or(HEADER_LEN).min(cut);
            prop_assert_eq!(found.torn, cut - kept);
        }

        #[test]
        fn a_flipped_byte_costs_at_most_its_own_record(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..8),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let (mut bytes, ends) = file(&bodies);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let all: Vec<Record> =
                bodies.iter().enumerate().map(|(n, body)| Record::Entry(entry(n, body))).collect();
            if at < HEADER_LEN {
                prop_assert_eq!(header(&bytes), Header::Unknown);
                prop_assert_eq!(scan(&bytes, false).records, all);
            } else {
                let hit = ends.iter().filter(|end| **end <= at).count();
                let mut rest = all;
                rest.remove(hit);
                prop_assert_eq!(scan(&bytes, true).records, rest);
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let _ = header(&bytes);
            let found = scan(&bytes, false);
            prop_assert!(found.skipped + found.torn <= bytes.len());
        }

        #[test]
        fn marks_and_lengths_at_random_are_read(
            parts in proptest::collection::vec((any::<u8>(), 0u32..80_000, any::<u32>()), 0..200),
        ) {
            let mut bytes = Vec::new();
            for (kind, length, crc) in parts {
                bytes.extend_from_slice(&MARK);
                bytes.push(kind);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(&crc.to_le_bytes());
            }
            let _ = scan(&bytes, false);
        }
    }
}
