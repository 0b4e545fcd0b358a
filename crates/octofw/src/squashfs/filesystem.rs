//! An open squashfs: its superblock, its tables that are needed to read files, and where everything is.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::metadata::Blocks;
use super::tables::{FragmentBlock, Xattrs};
use super::tree::Fragment;
use super::{Codec, Flags, SUPERBLOCK_LEN, Superblock, Tree, metadata, tables, tree};
use crate::container::{Fault, FormatError, Layer, SourceFile, Span};

/// Bytes behind the superblock in which a compressor's options lie, with their length.
const OPTIONS_LEN: usize = 64;

/// Why a squashfs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It breaks a rule of its format.
    #[error("{} holds no sound squashfs", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// It is compressed in a way that this program does not read.
    #[error("{} is compressed with {compressor}, which octofw does not read", path.display())]
    Compressor {
        /// The file.
        path: PathBuf,
        /// Its compressor.
        compressor: super::Compressor,
    },
}

/// An open squashfs. Only tables are held in memory; what files contain is read when it is asked for.
#[derive(Debug)]
pub struct Filesystem {
    file: SourceFile,
    at: Span,
    superblock: Superblock,
    codec: Codec,
    first_data: u64,
    pub(super) fragments: Vec<FragmentBlock>,
    pub(super) xattrs: Option<Xattrs>,
    ids: Vec<u32>,
}

impl ReadError {
    /// The reason alone, without the file's path.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } => source.to_string(),
            Self::Format { source, .. } => source.to_string(),
            Self::Compressor { compressor, .. } => format!("octofw does not read {compressor}"),
        }
    }
}

impl Filesystem {
    /// Opens a file that is a squashfs.
    ///
    /// # Errors
    /// If it cannot be read or its superblock, its tables of ids, fragments or attributes are not sound.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file =
            SourceFile::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let at = file.span();
        Self::open_at(file, at)
    }

    /// Opens the squashfs that lies at `at` in a file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(file: SourceFile, at: Span) -> Result<Self, ReadError> {
        let read = |source| ReadError::Io { path: file.path().to_owned(), source };
        let format = |source| ReadError::Format { path: file.path().to_owned(), source };
        let most = usize::try_from(at.len).unwrap_or(usize::MAX);
        let head = file.read_up_to(at.offset, most.min(SUPERBLOCK_LEN + OPTIONS_LEN)).map_err(read)?;
        let superblock =
            Superblock::parse(head.get(..SUPERBLOCK_LEN).unwrap_or(&head), at).map_err(format)?;
        let options = match superblock.flags.has(Flags::COMPRESSOR_OPTIONS) {
            true => stored_options(head.get(SUPERBLOCK_LEN..).unwrap_or_default()),
            false => &[],
        };
        let Some(codec) = Codec::new(superblock.compressor, options, superblock.block_size) else {
            let path = file.path().to_owned();
            return Err(ReadError::Compressor { path, compressor: superblock.compressor });
        };
        let behind = if options.is_empty() { 0 } else { 2 + options.len() };
        let mut filesystem = Self {
            first_data: (SUPERBLOCK_LEN + behind) as u64,
            file,
            at,
            superblock,
            codec,
            fragments: Vec::new(),
            xattrs: None,
            ids: Vec::new(),
        };
        filesystem.ids = tables::ids(&filesystem)?;
        filesystem.fragments = tables::fragments(&filesystem)?;
        filesystem.xattrs = tables::xattrs(&filesystem)?;
        Ok(filesystem)
    }

    /// The superblock.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Reads the whole tree.
    ///
    /// # Errors
    /// If something in it is not as the format demands, or it is larger than any root of a printer.
    pub fn tree(&self) -> Result<Tree, ReadError> {
        tree::read::tree(self)
    }

    /// Whether the end of a file here and that of one in a file system that was spliced out of this one are the same
    /// bytes at the same place, as far as both know: a fragment block that is new is not known here.
    #[must_use]
    pub fn same_fragment(&self, here: Option<Fragment>, other: &Self, there: Option<Fragment>) -> bool {
        let (Some(here), Some(there)) = (here, there) else { return here.is_none() && there.is_none() };
        let block = |filesystem: &Self, number| {
            usize::try_from(number).ok().and_then(|number| filesystem.fragments.get(number)).copied()
        };
        let known = block(self, here.block);
        let found = block(other, there.block);
        here.offset == there.offset && found.is_some() && (known.is_none() || known == found)
    }

    /// How data is compressed.
    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The file that it lies in.
    pub(super) fn file(&self) -> &SourceFile {
        &self.file
    }

    /// The first byte that can belong to a file: behind the superblock and the compressor's options.
    pub(super) fn first_data(&self) -> u64 {
        self.first_data
    }

    /// All bytes, those behind the tables that fill it up included.
    pub(super) fn whole(&self) -> Span {
        self.at
    }

    /// The bytes from the start to the first table: all data, and the superblock.
    pub(super) fn data(&self) -> Span {
        Span::new(self.at.offset, self.superblock.tables.inodes)
    }

    /// A range of the file system as one of the file.
    pub(super) fn span(&self, offset: u64, len: u64) -> Option<Span> {
        Span::new(0, self.superblock.bytes_used)
            .part(offset, len)
            .and_then(|part| self.at.part(part.offset, part.len))
    }

    /// An id by its place in the table.
    pub(super) fn id(&self, place: u16) -> Option<u32> {
        self.ids.get(usize::from(place)).copied()
    }

    /// `len` bytes at `offset`.
    pub(super) fn bytes(&self, field: &'static str, offset: u64, len: usize) -> Result<Vec<u8>, ReadError> {
        let Some(span) = self.span(offset, len as u64) else {
            let expected = format!("{len} bytes inside the file system");
            return Err(self.fault(Fault::OutOfBounds, field, offset, format!("{offset:#x}"), expected));
        };
        let mut bytes = Vec::with_capacity(len.min(1 << 20));
        self.file.reader(span).read_to_end(&mut bytes).map_err(|source| self.io(source))?;
        Ok(bytes)
    }

    /// The table of metadata blocks from `start` to the next thing behind it.
    pub(super) fn blocks(&self, field: &'static str, start: u64) -> Result<Blocks, ReadError> {
        metadata::blocks(self, field, start, tables::end_of(self, start)?)
    }

    pub(super) fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.file.path().to_owned(), source }
    }

    /// An error at an offset in the file system.
    pub(super) fn fault(
        &self,
        fault: Fault,
        field: &'static str,
        offset: u64,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> ReadError {
        let source = FormatError {
            layer: Layer::Squashfs,
            fault,
            field: field.into(),
            offset: self.at.offset.saturating_add(offset),
            found: found.into(),
            expected: expected.into(),
        };
        ReadError::Format { path: self.file.path().to_owned(), source }
    }
}

/// The options in the block behind the superblock, which is never compressed.
fn stored_options(bytes: &[u8]) -> &[u8] {
    let Some((length, rest)) = bytes.split_first_chunk() else { return &[] };
    let length = u16::from_le_bytes(*length) & !super::METADATA_PLAIN;
    rest.get(..usize::from(length)).unwrap_or_default()
}
