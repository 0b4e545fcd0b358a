//! Tables of metadata blocks: each up to 8 KiB before it is compressed, one behind the other.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use super::{Filesystem, METADATA_BLOCK, METADATA_PLAIN, ReadError};
use crate::container::Fault;

/// Most bytes of one table before it is compressed. The largest roots have a few: 50,000 files make about 4 MiB.
pub(super) const MOST: usize = 64 << 20;

/// A whole table, decompressed.
#[derive(Debug)]
pub(super) struct Blocks {
    field: &'static str,
    start: u64,
    bytes: Vec<u8>,
    /// Where in `bytes` the block begins that is stored so many bytes from the table's start.
    places: BTreeMap<u64, usize>,
}

/// Reads the blocks from `start` to `end`, which must be the end of a block.
pub(super) fn blocks(
    filesystem: &Filesystem,
    field: &'static str,
    start: u64,
    end: u64,
) -> Result<Blocks, ReadError> {
    let Some(span) = filesystem.span(start, end.saturating_sub(start)) else {
        let expected = "a table inside the file system";
        return Err(filesystem.fault(Fault::OutOfBounds, field, start, format!("{start:#x}"), expected));
    };
    let mut reader = BufReader::with_capacity(1 << 16, filesystem.file().reader(span));
    let mut blocks = Blocks { field, start, bytes: Vec::new(), places: BTreeMap::new() };
    let mut at = start;
    while at < end {
        let (block, length) = read_block(filesystem, &mut reader, field, at, end)?;
        if blocks.bytes.len().saturating_add(block.len()) > MOST {
            let (found, expected) = ("more".to_owned(), format!("at most {MOST} bytes in all its blocks"));
            return Err(filesystem.fault(Fault::Limit, field, at, found, expected));
        }
        blocks.places.insert(at.saturating_sub(start), blocks.bytes.len());
        blocks.bytes.extend_from_slice(&block);
        at = at.saturating_add(length);
    }
    Ok(blocks)
}

/// One block at `at`, and how many bytes it takes there.
pub(super) fn read_block(
    filesystem: &Filesystem,
    reader: &mut impl Read,
    field: &'static str,
    at: u64,
    end: u64,
) -> Result<(Vec<u8>, u64), ReadError> {
    let wrong = |fault, found: String, expected: &str| {
        Err(filesystem.fault(fault, field, at, found, expected.to_owned()))
    };
    let left = end.saturating_sub(at);
    if left < 2 {
        return wrong(Fault::Truncated, format!("{left} bytes"), "the length of a block");
    }
    let mut head = [0; 2];
    reader.read_exact(&mut head).map_err(|source| filesystem.io(source))?;
    let head = u16::from_le_bytes(head);
    let length = usize::from(head & !METADATA_PLAIN);
    if length == 0 || length > METADATA_BLOCK {
        return wrong(Fault::Limit, format!("a block of {length} bytes"), "1 to 8192 bytes");
    }
    if length as u64 > left.saturating_sub(2) {
        return wrong(Fault::Truncated, format!("{} bytes", left.saturating_sub(2)), "a whole block");
    }
    let mut block = vec![0; length];
    reader.read_exact(&mut block).map_err(|source| filesystem.io(source))?;
    if head & METADATA_PLAIN == 0 {
        let Some(plain) = filesystem.codec().decompress(&block, METADATA_BLOCK) else {
            let expected = format!("a block of up to 8192 bytes, {}", filesystem.superblock().compressor);
            return wrong(Fault::Sum, "bytes that do not decompress".to_owned(), &expected);
        };
        block = plain;
    }
    if block.is_empty() {
        return wrong(Fault::Empty, "an empty block".to_owned(), "1 to 8192 bytes");
    }
    Ok((block, 2 + length as u64))
}

impl Blocks {
    /// A reader from an offset in the block that is stored `block` bytes from the table's start.
    pub(super) fn cursor<'a>(
        &'a self,
        filesystem: &'a Filesystem,
        block: u64,
        offset: u16,
    ) -> Result<Cursor<'a>, ReadError> {
        let at = self.start.saturating_add(block);
        let place = self.places.get(&block).and_then(|place| place.checked_add(usize::from(offset)));
        let inside = usize::from(offset) < METADATA_BLOCK;
        match place.filter(|_| inside).and_then(|place| self.bytes.get(place..)) {
            Some(rest) => Ok(Cursor { filesystem, field: self.field, at, rest }),
            None => {
                let found = format!("block {block:#x}, offset {offset}");
                let expected = "a place in one of its blocks";
                Err(filesystem.fault(Fault::OutOfBounds, self.field, at, found, expected))
            }
        }
    }
}

/// Reads one field after the other out of a table.
pub(super) struct Cursor<'a> {
    filesystem: &'a Filesystem,
    field: &'static str,
    /// Where the block is stored in which the reading began: the nearest to an offset that can be given.
    at: u64,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => {
                let found = format!("{} bytes", self.rest.len());
                Err(self.wrong(Fault::Truncated, found, format!("{len} bytes")))
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let taken = self.take(N)?;
        taken.first_chunk().copied().ok_or_else(|| self.wrong(Fault::Truncated, "fewer bytes", "a field"))
    }

    pub(super) fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ReadError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes that are left in the table.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// An error of what was read last.
    pub(super) fn wrong(
        &self,
        fault: Fault,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> ReadError {
        self.filesystem.fault(fault, self.field, self.at, found, expected)
    }
}
