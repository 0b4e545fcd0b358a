//! A new squashfs that keeps the data of its base: every block and fragment of the base stays where it is, new ones are
//! appended, and only the tables are written anew. Costs what the change costs, and a copy of the file.
//!
//! What is replaced or deleted stays behind as dead bytes ([`Filesystem::dead_bytes`]), so a splice always starts from
//! the original base, never from what another splice made. Equal base, tree and order of [`Splice::store`] give equal
//! bytes.

mod data;
mod inodes;
mod metadata;
mod tables;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::tables::FragmentBlock;
use super::tree::{Form, Stored};
use super::{Filesystem, ReadError, SUPERBLOCK_LEN, Tree};
use crate::container::Span;
use data::Data;

/// What the image is filled up to, as mksquashfs does it: a loop device reads whole pages.
const PADDING: u64 = 4096;

/// Why a new squashfs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// The base cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// New content cannot be read, or the output not be written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The new tree does not fit the format.
    #[error("the new root is too large for a squashfs: {what}; leave something out")]
    Limit {
        /// What there is too much of.
        what: &'static str,
    },
}

/// A squashfs in the making.
#[derive(Debug)]
pub struct Splice<'a> {
    base: &'a Filesystem,
    path: PathBuf,
    /// Where the file system begins in the file.
    offset: u64,
    data: Data<'a>,
}

impl<'a> Splice<'a> {
    /// Begins a new file at `path`, which must not exist, with the data of the base.
    ///
    /// # Errors
    /// If the base cannot be read or the file not be written.
    pub fn begin(base: &'a Filesystem, path: &Path) -> Result<Self, SpliceError> {
        Self::begin_at(base, path, 0)
    }

    /// As [`Self::begin`], for a file system that begins `offset` bytes behind the start of the file.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn begin_at(base: &'a Filesystem, path: &Path, offset: u64) -> Result<Self, SpliceError> {
        let splice = Self::around(base, path, offset)?;
        base.copy_range_to(path, offset, base.data())?;
        Ok(splice)
    }

    /// As [`Self::begin_at`], without the base's data: [`Filesystem::copy_data`] brings that, before or after all else is
    /// written, or meanwhile.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn around(base: &'a Filesystem, path: &Path, offset: u64) -> Result<Self, SpliceError> {
        let failed = |source| SpliceError::Io { action: "write", path: path.to_owned(), source };
        let mut file = File::create_new(path).map_err(failed)?;
        let at = base.data().len;
        file.seek(SeekFrom::Start(offset.saturating_add(at))).map_err(failed)?;
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { base, path: path.to_owned(), offset, data: Data::new(base, out, at) })
    }

    /// Adds the content of a file of this length, in the base's form. A file that has the same content as one that was
    /// added before is stored once, where the base does so too.
    ///
    /// # Errors
    /// If `content` cannot be read or has another length, or the output cannot be written.
    pub fn store(&mut self, content: &Path) -> Result<Stored, SpliceError> {
        let failed = |source| SpliceError::Io { action: "pack", path: content.to_owned(), source };
        let mut file = File::open(content).map_err(failed)?;
        self.data.store(&mut file).map_err(failed)
    }

    /// Adds content that is in memory or comes from elsewhere.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn store_from(&mut self, content: &mut (impl Read + Seek)) -> Result<Stored, SpliceError> {
        self.data.store(content).map_err(|source| self.failed(source))
    }

    /// Writes the tables of `tree`, whose files are those of the base or were stored here, and ends the file.
    /// `made` is the time of packing in seconds since 1970. Returns the bytes of the new file system.
    ///
    /// # Errors
    /// If the output cannot be written, or the tree is larger than the format allows.
    pub fn finish(self, tree: &Tree, made: u32) -> Result<u64, SpliceError> {
        let failed = |source| SpliceError::Io { action: "write", path: self.path.clone(), source };
        let (mut out, at, fragments) = self.data.finish().map_err(failed)?;
        let limit = |what| SpliceError::Limit { what };
        let (fragments, numbers) = in_use(tree, &fragments);
        let inodes = inodes::lay_out(self.base, tree, &numbers).map_err(limit)?;
        let mut writer = tables::Writer { base: self.base, out: &mut out, at };
        let superblock = writer.write(&inodes, &fragments, made).map_err(|source| match source {
            tables::Failed::Io(source) => failed(source),
            tables::Failed::Read(source) => source.into(),
            tables::Failed::Limit(what) => limit(what),
        })?;
        let end = writer.at;
        let padding = end.next_multiple_of(PADDING).saturating_sub(end);
        let zeros = vec![0; usize::try_from(padding).unwrap_or(0)];
        out.write_all(&zeros).map_err(failed)?;
        out.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        debug_assert_eq!(superblock.len(), SUPERBLOCK_LEN);
        out.write_all(&superblock).map_err(failed)?;
        out.flush().map_err(failed)?;
        Ok(end.saturating_add(padding))
    }

    fn failed(&self, source: io::Error) -> SpliceError {
        SpliceError::Io { action: "write", path: self.path.clone(), source }
    }
}

/// The fragment blocks that files of the tree are in, and the number that each of these has then. Others are left out:
/// unsquashfs takes a file system with more fragments than inodes for damaged.
fn in_use(tree: &Tree, fragments: &[FragmentBlock]) -> (Vec<FragmentBlock>, HashMap<u32, u32>) {
    let mut used = BTreeSet::new();
    for folder in tree.directories() {
        for node in tree.children(folder).filter_map(|(_, child)| tree.node(child)) {
            if let Form::File(Stored { fragment: Some(fragment), .. }) = &node.form {
                used.insert(fragment.block);
            }
        }
    }
    let mut kept = Vec::new();
    let mut numbers = HashMap::new();
    for number in used {
        let block = usize::try_from(number).ok().and_then(|number| fragments.get(number));
        if let (Some(block), Ok(new)) = (block, u32::try_from(kept.len())) {
            numbers.insert(number, new);
            kept.push(*block);
        }
    }
    (kept, numbers)
}

impl Filesystem {
    /// Writes a copy of the whole file system, padding included, with another time of packing, to a file that holds
    /// nothing else, `offset` bytes behind its start. Returns the bytes of the copy.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn copy_with_time(&self, path: &Path, offset: u64, made: u32) -> Result<u64, SpliceError> {
        let failed = |source| SpliceError::Io { action: "write", path: path.to_owned(), source };
        let mut file = File::create(path).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        self.copy_range(&mut file, self.whole()).map_err(failed)?;
        file.seek(SeekFrom::Start(offset.saturating_add(8))).map_err(failed)?;
        file.write_all(&made.to_le_bytes()).map_err(failed)?;
        Ok(self.whole().len)
    }

    /// Copies all data to a splice that was begun around it, `offset` bytes behind the start of the file at `path`. The
    /// superblock is left to the splice.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) fn copy_data(&self, path: &Path, offset: u64) -> Result<(), SpliceError> {
        let head = (SUPERBLOCK_LEN as u64).min(self.data().len);
        let Span { offset: start, len } = self.data();
        let behind = Span::new(start.saturating_add(head), len.saturating_sub(head));
        self.copy_range_to(path, offset.saturating_add(head), behind)
    }

    fn copy_range_to(&self, path: &Path, offset: u64, span: Span) -> Result<(), SpliceError> {
        let failed = |source| SpliceError::Io { action: "write", path: path.to_owned(), source };
        let mut file = File::options().write(true).open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        self.copy_range(&mut file, span).map_err(failed)
    }

    /// Copies within the kernel, where it can: a file system that shares blocks then copies nothing.
    fn copy_range(&self, out: &mut File, span: Span) -> io::Result<()> {
        let mut source = File::open(self.file().path())?;
        source.seek(SeekFrom::Start(span.offset))?;
        let copied = io::copy(&mut source.take(span.len), out)?;
        if copied == span.len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
