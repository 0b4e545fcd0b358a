//! From what is on the disk to a changed tree of the base: which inodes stay, which are new, and the proof that what was
//! written is what was meant.

mod content;
mod device;
mod edit;
mod proof;

use std::io;
use std::path::Path;

use thiserror::Error;

use super::snapshot::{Snapshot, place, shown};
use crate::container::{SourceFile, Span};
use crate::manifest::Counts;
use crate::squashfs::splice::{Splice, SpliceError};
use crate::squashfs::tree::{EditError, Form, Stored};
use crate::squashfs::{Filesystem, ReadError, Tree};
use content::is_other;
pub(crate) use device::device;
use edit::Edit;
use proof::Proof;
pub(super) use proof::compare;

/// Why the new root could not be made out of the base.
#[derive(Debug, Error)]
pub enum SplicingError {
    /// The base or the result cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The result cannot be written.
    #[error(transparent)]
    Splice(#[from] SpliceError),
    /// What is on the disk is no tree that a squashfs can hold.
    #[error("the changed root cannot be packed")]
    Edit(#[from] EditError),
    /// A file on the disk cannot be compared.
    #[error("cannot compare {path} with the base")]
    Compare {
        /// The path in the root.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A path has something that a squashfs cannot hold.
    #[error("{path}: {problem}")]
    Unfit {
        /// The path in the root.
        path: String,
        /// What, and the remedy.
        problem: &'static str,
    },
    /// A thread of ours ended early.
    #[error("the copy of the base's data ended early; build again, and report it if it stays so")]
    Thread,
    /// What was written is not what was meant, or what was unpacked not what is there.
    #[error("{what} and the root differ; report this, and build with --repack meanwhile:\n{differences}")]
    Differs {
        /// Which squashfs.
        what: &'static str,
        /// The first paths that differ.
        differences: String,
    },
}

/// A base that is open, and its tree.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) filesystem: Filesystem,
    pub(crate) tree: Tree,
}

impl Base {
    /// Opens the squashfs that lies at `at` in a file, and reads its tree.
    pub(crate) fn open(path: &Path, at: Span) -> Result<Self, ReadError> {
        let filesystem = open_at(path, at)?;
        let tree = filesystem.tree()?;
        Ok(Self { filesystem, tree })
    }

    /// Whether the file at `path` of the tree at `root` has another content than in the base.
    pub(crate) fn differs(&self, root: &Path, path: &[u8]) -> Result<bool, SplicingError> {
        match self.tree.find(path).and_then(|id| self.tree.node(id)).map(|node| &node.form) {
            Some(Form::File(stored)) => self.is_other(stored, root, path),
            _ => Ok(true),
        }
    }

    fn is_other(&self, stored: &Stored, root: &Path, path: &[u8]) -> Result<bool, SplicingError> {
        is_other(&self.filesystem, stored, &place(root, path))
            .map_err(|source| SplicingError::Compare { path: shown(path), source })
    }

    /// Whether nothing differs between two moments of its tree.
    #[expect(clippy::unused_self, reason = "both are moments of its tree")]
    pub(crate) fn is_unchanged(&self, before: &Snapshot, last: &Snapshot) -> bool {
        last.since(before).is_empty() && same_times(before, last)
    }

    /// Writes the new root to a file, so many bytes behind its start: what `last` says, where that differs from `before`.
    /// Then proves it.
    pub(crate) fn write<'a>(
        &'a self,
        root: &Path,
        (before, last): (&Snapshot, &Snapshot),
        epoch: u32,
        (out, offset): (&Path, u64),
        parts: Parts<'a, impl FnOnce() -> Result<(), SplicingError>, impl FnOnce(u64)>,
    ) -> Result<Made, SplicingError> {
        let Parts { mut splice, copied, written } = parts;
        if self.is_unchanged(before, last) {
            drop(splice);
            copied()?;
            let size = self.filesystem.copy_with_time(out, offset, epoch)?;
            written(size);
            let dead_bytes = self.filesystem.dead_bytes(&self.tree);
            return Ok(Made { size, counts: counts(&self.tree), dead_bytes });
        }
        let mut edit = Edit { base: self, tree: self.tree.clone(), root, before, last, stored: Vec::new() };
        edit.all(&mut splice)?;
        let Edit { tree, stored, .. } = edit;
        let size = splice.finish(&tree, epoch)?;
        copied()?;
        written(size);
        let made = open_at(out, Span::new(offset, size))?;
        let there = made.tree()?;
        Proof { base: self, filesystem: &made, meant: &tree, there: &there }.prove()?;
        // What was packed is read again from the result: a sound table alone does not show sound blocks.
        for path in stored {
            let node = there.find(&path).and_then(|id| there.node(id));
            let other = match node.map(|node| &node.form) {
                Some(Form::File(stored)) => is_other(&made, stored, &place(root, &path))
                    .map_err(|source| SplicingError::Compare { path: shown(&path), source })?,
                _ => true,
            };
            if other {
                return Err(SplicingError::Differs { what: "the new squashfs", differences: shown(&path) });
            }
        }
        compare("the new squashfs", &there, last, false)?;
        Ok(Made { size, counts: counts(&there), dead_bytes: made.dead_bytes(&there) })
    }
}

/// What a new root is written with.
pub(crate) struct Parts<'a, Copied, Written> {
    /// The splice that was begun in the file.
    pub(crate) splice: Splice<'a>,
    /// Waits until the base's data is there too.
    pub(crate) copied: Copied,
    /// Is told how many bytes the new root has, once all of it is there.
    pub(crate) written: Written,
}

/// What was written.
pub(crate) struct Made {
    /// Bytes of the squashfs.
    pub(crate) size: u64,
    pub(crate) counts: Counts,
    pub(crate) dead_bytes: u64,
}

fn open_at(path: &Path, at: Span) -> Result<Filesystem, ReadError> {
    let file = SourceFile::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Filesystem::open_at(file, at)
}

/// Directories get a time when something in them was replaced, which is no change of its own.
fn same_times(before: &Snapshot, last: &Snapshot) -> bool {
    last.entries
        .iter()
        .all(|(path, now)| before.entries.get(path).is_some_and(|was| was.modified.0 == now.modified.0))
}

/// What a tree consists of.
pub(super) fn counts(tree: &Tree) -> Counts {
    let figures = tree.figures();
    Counts {
        paths: figures.names,
        inodes: figures.inodes,
        hard_links: figures.names.saturating_sub(figures.inodes),
        devices: figures.devices,
    }
}
