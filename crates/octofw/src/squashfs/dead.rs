//! Bytes that no file needs: what a splice replaced or deleted stays where it was.

use std::collections::BTreeSet;
use std::path::Path;

use super::tables::stored_len;
use super::tree::{Form, Tree};
use super::{Filesystem, ReadError};
use crate::container::{SourceFile, Span};

/// Opens the squashfs at `at` in a file, reads its tree, and counts its dead bytes.
///
/// # Errors
/// If the file cannot be read, its tables are not sound, or its compressor is one that octofw does not read.
pub fn dead_bytes_at(path: &Path, at: Span) -> Result<u64, ReadError> {
    let file = SourceFile::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let filesystem = Filesystem::open_at(file, at)?;
    Ok(filesystem.dead_bytes(&filesystem.tree()?))
}

impl Filesystem {
    /// Bytes between the superblock and the first table that belong to no file of the tree. A block that holds the ends
    /// of several files counts as long as one of them is left.
    #[must_use]
    pub fn dead_bytes(&self, tree: &Tree) -> u64 {
        let mut ranges = Vec::new();
        let mut fragments = BTreeSet::new();
        for node in tree.nodes() {
            let Form::File(stored) = &node.form else { continue };
            let length: u64 = stored.blocks.iter().map(|size| stored_len(*size)).sum();
            if length > 0 {
                ranges.push((stored.start, stored.start.saturating_add(length)));
            }
            fragments.extend(stored.fragment.map(|fragment| fragment.block));
        }
        for block in fragments {
            if let Some(block) = usize::try_from(block).ok().and_then(|block| self.fragments.get(block)) {
                ranges.push((block.start, block.start.saturating_add(stored_len(block.size))));
            }
        }
        ranges.sort_unstable();
        let (mut dead, mut at) = (0u64, self.first_data());
        for (start, end) in ranges {
            dead = dead.saturating_add(start.saturating_sub(at));
            at = at.max(end);
        }
        dead.saturating_add(self.superblock().tables.inodes.saturating_sub(at))
    }
}
