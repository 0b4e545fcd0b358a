//! New data blocks and fragments, behind those of the base.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::super::tables::FragmentBlock;
use super::super::tree::{Fragment, Stored};
use super::super::{DATA_PLAIN, Filesystem, Flags};

/// Writes content in the form of the base.
#[derive(Debug)]
pub(super) struct Data<'a> {
    base: &'a Filesystem,
    out: BufWriter<File>,
    /// Where the next block goes.
    at: u64,
    fragments: Vec<FragmentBlock>,
    /// The fragment block that is being filled.
    shared: Vec<u8>,
    /// What was stored, by its hash.
    known: HashMap<[u8; 32], Stored>,
}

impl<'a> Data<'a> {
    /// `out` stands behind the base's data, at `at`.
    pub(super) fn new(base: &'a Filesystem, out: BufWriter<File>, at: u64) -> Self {
        let fragments = base.fragments.clone();
        Self { base, out, at, fragments, shared: Vec::new(), known: HashMap::new() }
    }

    pub(super) fn store(&mut self, content: &mut (impl Read + Seek)) -> io::Result<Stored> {
        if !self.flags().has(Flags::NO_DUPLICATES) {
            return self.write(content);
        }
        let hash = hash_of(content)?;
        if let Some(stored) = self.known.get(&hash) {
            return Ok(stored.clone());
        }
        content.seek(SeekFrom::Start(0))?;
        let stored = self.write(content)?;
        self.known.insert(hash, stored.clone());
        Ok(stored)
    }

    fn flags(&self) -> Flags {
        self.base.superblock().flags
    }

    fn write(&mut self, content: &mut impl Read) -> io::Result<Stored> {
        let block_size = self.base.superblock().block_size;
        let mut stored = Stored { start: self.at, ..Stored::default() };
        let mut block = Vec::new();
        loop {
            block.clear();
            content.take(u64::from(block_size)).read_to_end(&mut block)?;
            let length = block.len() as u64;
            if length == 0 {
                break;
            }
            let small = length < u64::from(block_size);
            let alone = stored.size == 0 || self.flags().has(Flags::ALWAYS_FRAGMENTS);
            stored.size = stored.size.saturating_add(length);
            if small && alone && !self.flags().has(Flags::NO_FRAGMENTS) {
                stored.fragment = Some(self.share(&block)?);
            } else if block.iter().all(|byte| *byte == 0) {
                stored.sparse = stored.sparse.saturating_add(length);
                stored.blocks.push(0);
            } else {
                let plain = self.flags().has(Flags::PLAIN_DATA);
                stored.blocks.push(self.block(&block, plain)?);
            }
            if small {
                break;
            }
        }
        if stored.blocks.iter().all(|size| *size == 0) {
            stored.start = 0;
        }
        // As mksquashfs does it: the kernel counts blocks by what is no hole, and zero would be none at all.
        if stored.sparse > 0 && stored.sparse == stored.size {
            stored.sparse = stored.size.saturating_sub(1);
        }
        Ok(stored)
    }

    /// Writes a block and returns its length as an inode states it.
    fn block(&mut self, block: &[u8], plain: bool) -> io::Result<u32> {
        let packed = if plain { None } else { self.base.codec().compress(block) };
        let (bytes, mark) = packed.as_deref().map_or((block, DATA_PLAIN), |packed| (packed, 0));
        self.out.write_all(bytes)?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        // A block has 1 MiB at most.
        Ok(u32::try_from(bytes.len()).map_err(io::Error::other)? | mark)
    }

    /// Puts the end of a file into a fragment.
    fn share(&mut self, end: &[u8]) -> io::Result<Fragment> {
        let room = self.base.superblock().block_size as usize;
        if self.shared.len().saturating_add(end.len()) > room {
            self.end_fragment()?;
        }
        let block = u32::try_from(self.fragments.len()).map_err(io::Error::other)?;
        let offset = u32::try_from(self.shared.len()).map_err(io::Error::other)?;
        self.shared.extend_from_slice(end);
        Ok(Fragment { block, offset })
    }

    fn end_fragment(&mut self) -> io::Result<()> {
        let shared = std::mem::take(&mut self.shared);
        if shared.is_empty() {
            return Ok(());
        }
        let start = self.at;
        let plain = self.flags().has(Flags::PLAIN_FRAGMENTS);
        let size = self.block(&shared, plain)?;
        self.fragments.push(FragmentBlock { start, size });
        Ok(())
    }

    /// The output, where its data ends, and all fragments.
    pub(super) fn finish(mut self) -> io::Result<(BufWriter<File>, u64, Vec<FragmentBlock>)> {
        self.end_fragment()?;
        Ok((self.out, self.at, self.fragments))
    }
}

fn hash_of(content: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let length = content.read(&mut piece)?;
        match piece.get(..length) {
            None | Some([]) => return Ok(hash.finalize().into()),
            Some(piece) => hash.update(piece),
        }
    }
}
