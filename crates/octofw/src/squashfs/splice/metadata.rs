//! Writing a table of metadata blocks.

use super::super::{Codec, METADATA_BLOCK, METADATA_PLAIN};

/// Collects a table.
#[derive(Debug)]
pub(super) struct Table {
    /// `None` where blocks are stored as they are.
    codec: Option<Codec>,
    open: Vec<u8>,
    done: Vec<u8>,
    /// Where each block begins in the finished table.
    starts: Vec<u64>,
}

/// A place in a table: the block, in bytes from the table's start, and the byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) offset: u16,
}

impl Place {
    /// As an inode is referred to.
    pub(super) fn number(self) -> u64 {
        u64::from(self.block) << 16 | u64::from(self.offset)
    }
}

impl Table {
    pub(super) fn new(codec: &Codec, plain: bool) -> Self {
        let codec = (!plain).then(|| codec.for_tables());
        Self { codec, open: Vec::new(), done: Vec::new(), starts: Vec::new() }
    }

    /// Where the next byte goes; `None` where the table has become larger than references can say.
    pub(super) fn place(&self) -> Option<Place> {
        let block = u32::try_from(self.done.len()).ok()?;
        Some(Place { block, offset: u16::try_from(self.open.len()).ok()? })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        while self.open.len() >= METADATA_BLOCK {
            let rest = self.open.split_off(METADATA_BLOCK);
            let block = std::mem::replace(&mut self.open, rest);
            self.end_block(&block);
        }
    }

    fn end_block(&mut self, block: &[u8]) {
        self.starts.push(self.done.len() as u64);
        let packed = self.codec.as_ref().and_then(|codec| codec.compress(block));
        let (bytes, mark) = packed.as_deref().map_or((block, METADATA_PLAIN), |packed| (packed, 0));
        // A block has 8192 bytes at most, which the field holds.
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX) & !METADATA_PLAIN;
        self.done.extend_from_slice(&(length | mark).to_le_bytes());
        self.done.extend_from_slice(bytes);
    }

    /// The table's bytes, and where each block begins in them.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u64>) {
        let last = std::mem::take(&mut self.open);
        if !last.is_empty() {
            self.end_block(&last);
        }
        (self.done, self.starts)
    }
}
