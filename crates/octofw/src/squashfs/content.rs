//! What a file contains, block by block.

use std::io::{self, Write};

use super::tables::stored_len;
use super::tree::Stored;
use super::{DATA_PLAIN, Filesystem, ReadError};
use crate::container::Fault;

/// Why the content of a file could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be written.
    #[error("cannot write the content of a file")]
    Write(#[from] io::Error),
}

/// The fragment block that was read last.
#[derive(Debug, Default)]
pub struct LastFragment {
    number: Option<u32>,
    plain: Vec<u8>,
}

impl Filesystem {
    /// Copies the content of a file to `out`, a block at a time.
    ///
    /// # Errors
    /// If a block is not sound, or `out` does not take it.
    pub fn copy(&self, stored: &Stored, out: &mut impl Write) -> Result<(), CopyError> {
        self.copy_next(stored, &mut LastFragment::default(), out)
    }

    /// As [`Self::copy`], for files one after the other: those that end in the same fragment block read it once.
    ///
    /// # Errors
    /// As [`Self::copy`].
    pub fn copy_next(
        &self,
        stored: &Stored,
        last: &mut LastFragment,
        out: &mut impl Write,
    ) -> Result<(), CopyError> {
        let mut at = stored.start;
        let mut left = stored.size;
        for size in &stored.blocks {
            let length = left.min(u64::from(self.superblock().block_size));
            left = left.saturating_sub(length);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            match stored_len(*size) {
                // A hole.
                0 => out.write_all(&vec![0; length])?,
                _ => out.write_all(&self.block("data block", at, *size, length, length)?)?,
            }
            at = at.saturating_add(stored_len(*size));
        }
        let Some(fragment) = stored.fragment else { return Ok(()) };
        let block = usize::try_from(fragment.block).ok().and_then(|block| self.fragments.get(block));
        let wrong = |found: String| {
            let expected = format!("{left} bytes at {}", fragment.offset);
            self.fault(Fault::OutOfBounds, "fragment", at, found, expected)
        };
        let block = block.ok_or_else(|| wrong(format!("no fragment {}", fragment.block)))?;
        let most = self.superblock().block_size as usize;
        if last.number != Some(fragment.block) {
            last.plain = self.block("fragment", block.start, block.size, 1, most)?;
            last.number = Some(fragment.block);
        }
        let plain = &last.plain;
        let start = usize::try_from(fragment.offset).unwrap_or(usize::MAX);
        let end = usize::try_from(left).ok().and_then(|left| start.checked_add(left));
        let part = end.and_then(|end| plain.get(start..end));
        out.write_all(part.ok_or_else(|| wrong(format!("a fragment of {} bytes", plain.len())))?)?;
        Ok(())
    }

    /// One block of data, which must hold `least` to `most` bytes.
    fn block(
        &self,
        field: &'static str,
        at: u64,
        size: u32,
        least: usize,
        most: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let length = usize::try_from(stored_len(size)).unwrap_or(usize::MAX);
        let stored = self.bytes(field, at, length)?;
        let plain = match size & DATA_PLAIN {
            0 => self.codec().decompress(&stored, most),
            _ => Some(stored),
        };
        plain.filter(|plain| (least..=most).contains(&plain.len())).ok_or_else(|| {
            let expected = format!("a block of {least} to {most} bytes, {}", self.superblock().compressor);
            self.fault(Fault::Sum, field, at, "bytes that do not decompress to it", expected)
        })
    }
}
