//! Whether two files contain the same, each in its own file system.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::content::{CopyError, LastFragment};
use super::tables::stored_len;
use super::tree::Stored;
use super::{DATA_PLAIN, Filesystem, ReadError};

/// Compares files of two file systems, one after the other. Blocks that are stored alike are not decompressed: between
/// an image and its base that is nearly all of them.
#[derive(Debug)]
pub struct Comparison<'a> {
    sides: [&'a Filesystem; 2],
    last: [LastFragment; 2],
}

impl<'a> Comparison<'a> {
    /// A comparison of files of `a` with files of `b`.
    #[must_use]
    pub fn new(a: &'a Filesystem, b: &'a Filesystem) -> Self {
        Self { sides: [a, b], last: Default::default() }
    }

    /// Whether two files contain the same.
    ///
    /// # Errors
    /// If a block of one is not sound or cannot be read.
    pub fn is_same(&mut self, a: &Stored, b: &Stored) -> Result<bool, ReadError> {
        if a.size != b.size {
            return Ok(false);
        }
        if self.are_stored_alike(a, b)? {
            return Ok(true);
        }
        Ok(self.digest(0, a)? == self.digest(1, b)?)
    }

    /// Whether everything of two files is in blocks of their own, and those are the same bytes. False says nothing.
    fn are_stored_alike(&self, a: &Stored, b: &Stored) -> Result<bool, ReadError> {
        let [one, other] = self.sides;
        let form = |filesystem: &Filesystem| {
            let superblock = filesystem.superblock();
            (superblock.compressor, superblock.block_size)
        };
        if form(one) != form(other) || a.blocks != b.blocks || a.fragment.is_some() || b.fragment.is_some() {
            return Ok(false);
        }
        let (mut at, mut there) = (a.start, b.start);
        for size in &a.blocks {
            let length = usize::try_from(stored_len(*size & !DATA_PLAIN)).unwrap_or(usize::MAX);
            if one.bytes("data block", at, length)? != other.bytes("data block", there, length)? {
                return Ok(false);
            }
            at = at.saturating_add(stored_len(*size));
            there = there.saturating_add(stored_len(*size));
        }
        Ok(true)
    }

    fn digest(&mut self, side: usize, stored: &Stored) -> Result<Option<[u8; 32]>, ReadError> {
        let (Some(filesystem), Some(last)) = (self.sides.get(side), self.last.get_mut(side)) else {
            return Ok(None);
        };
        let mut sum = Sum(Sha256::new());
        match filesystem.copy_next(stored, last, &mut sum) {
            Ok(()) | Err(CopyError::Write(_)) => Ok(Some(sum.0.finalize().into())),
            Err(CopyError::Read(error)) => Err(error),
        }
    }
}

struct Sum(Sha256);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
