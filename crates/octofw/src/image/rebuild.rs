//! A new firmware file out of a base: another root file system, everything else byte for byte the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Image, ROOTFS};
use crate::container::assemble::{AssembleError, Assembly, Content, Outer, Update, Written};
use crate::container::rkaf::{ArrangeError, Part};
use crate::container::upfile::{EntryKind, TABLE_END, Upfile, VERSION_LEN, is_version_byte};
use crate::container::{FixedText, FormatError, SourceFile, Span, rkfw};
use crate::squashfs::{Incompatible, SUPERBLOCK_LEN, Superblock, compatible};

/// What to make of a base.
#[derive(Debug)]
pub struct Rebuild<'a> {
    /// The base. It must have been opened with its sums checked ([`Image::open`]).
    pub base: &'a Image,
    /// The new root file system.
    pub rootfs: &'a Path,
    /// Appended to the version, without a separator.
    pub version_suffix: Option<&'a str>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Version of the new file; `None` if the base is no whole upgrade file.
    pub version: Option<String>,
    /// Bytes of the root file system.
    pub rootfs_len: u64,
    /// Bytes of the smallest slot it goes into.
    pub slot_limit: Option<u64>,
}

/// Why the new file could not be made. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The root file system cannot be read.
    #[error("cannot read the root file system {path}")]
    Rootfs {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The root file system is none.
    #[error("{path} is not a sound root file system")]
    Format {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// The printer may be unable to mount it.
    #[error("{path} does not fit the base")]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Incompatible,
    },
    /// It is larger than a slot.
    #[error(
        "the root file system has {size} bytes, {} more than the {limit} that the slot {slot} holds: \
         leave overlays or files out",
        size.saturating_sub(*limit)
    )]
    SlotOverflow {
        /// Partition.
        slot: String,
        /// Bytes of the root file system.
        size: u64,
        /// Bytes of the slot.
        limit: u64,
    },
    /// The version does not fit its field.
    #[error("the version {version:?} has {} bytes, {VERSION_LEN} are allowed: shorten the suffix", version.len())]
    VersionTooLong {
        /// Base version and suffix.
        version: String,
    },
    /// The version has characters that the printer refuses.
    #[error("the version {version:?} may have only letters, digits and + . _ -")]
    VersionCharacters {
        /// Base version and suffix.
        version: String,
    },
    /// A suffix was given but there is no version to append it to.
    #[error("{path} has no version to append a suffix to: it is a bare {kind}; give a whole upgrade file")]
    NoVersion {
        /// The base.
        path: PathBuf,
        /// What it is.
        kind: crate::container::Kind,
    },
    /// The output would replace an input.
    #[error("{path} is both an input and the output: choose another output")]
    SameFile {
        /// The path of the output.
        path: PathBuf,
    },
    /// The parts do not fit into one image.
    #[error("the parts do not fit into one firmware file")]
    Arrange(#[from] ArrangeError),
    /// Writing failed.
    #[error("the firmware file could not be written")]
    Assemble(#[from] AssembleError),
}

impl RebuildError {
    /// Whether an input is not what it claims to be, as opposed to a failure of the system or of the caller.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, Self::Format { .. })
    }

    /// Whether the call itself was wrong.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        matches!(
            self,
            Self::VersionTooLong { .. }
                | Self::VersionCharacters { .. }
                | Self::NoVersion { .. }
                | Self::SameFile { .. }
        )
    }
}

/// The new root file system.
struct Root {
    source: SourceFile,
    at: Span,
    /// Whether it is in the output already.
    in_place: bool,
}

impl Image {
    /// Where the root file system begins in a file that [`Rebuild`] makes out of this one, whatever its length.
    ///
    /// # Errors
    /// If the parts do not fit into one image.
    pub fn new_root_offset(&self) -> Result<u64, RebuildError> {
        let mut rkaf = self.rkaf.clone();
        rkaf.arrange(&[(ROOTFS, 1)])?;
        let outer = self.upfile.as_ref().map_or(0, |_| TABLE_END);
        let loader =
            self.rkfw.as_ref().map_or(0, |rkfw| rkfw.loader.len.saturating_add(rkfw::HEADER_LEN as u64));
        let position = rkaf.part_of_file(ROOTFS).map_or(0, |part| part.position);
        Ok((outer as u64).saturating_add(loader).saturating_add(u64::from(position)))
    }
}

impl Rebuild<'_> {
    /// Writes the new file to `out`, which appears whole or not at all.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub fn write(&self, out: &Path) -> Result<Rebuilt, RebuildError> {
        let unreadable = |source| RebuildError::Rootfs { path: self.rootfs.to_owned(), source };
        let source = SourceFile::open(self.rootfs).map_err(unreadable)?;
        self.check_output(out, &source)?;
        let root = Root { at: source.span(), source, in_place: false };
        let (assembly, rebuilt) = self.assembly(&root)?;
        assembly.write(out)?;
        Ok(rebuilt)
    }

    /// Completes the file at [`Rebuild::rootfs`], in which the new root file system lies already, in its place
    /// ([`Image::new_root_offset`]), with `root_len` bytes. Whether it reaches the disk is the caller's matter.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub fn complete(&self, root_len: u64) -> Result<(Rebuilt, Written), RebuildError> {
        let unreadable = |source| RebuildError::Rootfs { path: self.rootfs.to_owned(), source };
        let source = SourceFile::open(self.rootfs).map_err(unreadable)?;
        let at = Span::new(self.base.new_root_offset()?, root_len);
        let root = Root { at, source, in_place: true };
        let (assembly, rebuilt) = self.assembly(&root)?;
        let mut file = File::options().read(true).write(true).open(self.rootfs).map_err(unreadable)?;
        let written = assembly.write_into(&mut file, self.rootfs)?;
        Ok((rebuilt, written))
    }

    /// What is to be written, after all that can be checked beforehand.
    fn assembly<'b>(&'b self, root: &'b Root) -> Result<(Assembly<'b>, Rebuilt), RebuildError> {
        let unreadable = |source| RebuildError::Rootfs { path: self.rootfs.to_owned(), source };
        let first = root.source.read_up_to(root.at.offset, SUPERBLOCK_LEN).map_err(unreadable)?;
        let superblock = Superblock::parse(&first, root.at)
            .map_err(|source| RebuildError::Format { path: self.rootfs.to_owned(), source })?;
        compatible(&self.base.rootfs, &superblock)
            .map_err(|source| RebuildError::Incompatible { path: self.rootfs.to_owned(), source })?;
        let slot_limit = self.check_slots(root.at.len)?;
        let version = self.new_version()?;

        let mut rkaf = self.base.rkaf.clone();
        rkaf.arrange(&[(ROOTFS, root.at.len)])?;
        let files = self.base.rkaf.files().into_iter().map(|part| self.content(part, root)).collect();
        let update = self
            .base
            .rkfw
            .as_ref()
            .map(|rkfw| Update { header: rkfw.clone(), loader: self.copied("loader", rkfw.loader) });
        let outer =
            self.base.upfile.as_ref().zip(version).map(|(upfile, version)| self.outer(upfile, version));
        let rebuilt = Rebuilt {
            version: version.map(|version| version.text().to_owned()),
            rootfs_len: root.at.len,
            slot_limit,
        };
        let sha256_of = root.in_place.then_some(root.at);
        Ok((Assembly { outer, update, rkaf, files, sha256_of }, rebuilt))
    }

    fn copied(&self, name: &str, span: Span) -> Content<'_> {
        Content::new(name, span.len, self.base.source.reader(span))
    }

    fn content<'b>(&'b self, part: &Part, root: &'b Root) -> Content<'b> {
        let name = part.file.text();
        if name == ROOTFS {
            return match root.in_place {
                true => Content::in_place(name, root.at.len),
                false => Content::new(name, root.at.len, root.source.reader(root.at)),
            };
        }
        // With the bytes up to the block's end: whatever stands there, it stays.
        let start = self.base.rkaf.data(part, self.base.rkaf_span.offset).offset;
        self.copied(name, Span::new(start, part.padded_size()))
    }

    fn outer(&self, upfile: &Upfile, version: FixedText<VERSION_LEN>) -> Outer<'_> {
        let other = |kind: EntryKind| self.copied(kind.file_name(), upfile.entry(kind).span);
        Outer {
            container_version: upfile.container_version,
            version,
            date: upfile.date,
            reserved: upfile.reserved,
            others: [other(EntryKind::MainMcu), other(EntryKind::HeadMcu), other(EntryKind::McuDesc)],
        }
    }

    fn check_output(&self, out: &Path, rootfs: &SourceFile) -> Result<(), RebuildError> {
        let Ok(existing) = fs::metadata(out) else { return Ok(()) };
        for input in [&self.base.source, rootfs] {
            let same = input
                .metadata()
                .is_ok_and(|input| (input.dev(), input.ino()) == (existing.dev(), existing.ino()));
            if same {
                return Err(RebuildError::SameFile { path: out.to_owned() });
            }
        }
        Ok(())
    }

    fn check_slots(&self, size: u64) -> Result<Option<u64>, RebuildError> {
        let slots = self.base.slots(ROOTFS);
        let smallest = slots.iter().filter_map(|slot| Some((slot.limit?, &slot.name))).min();
        match smallest {
            Some((limit, slot)) if size > limit => {
                Err(RebuildError::SlotOverflow { slot: slot.clone(), size, limit })
            }
            smallest => Ok(smallest.map(|(limit, _)| limit)),
        }
    }

    fn new_version(&self) -> Result<Option<FixedText<VERSION_LEN>>, RebuildError> {
        let Some(upfile) = &self.base.upfile else {
            return match self.version_suffix {
                None | Some("") => Ok(None),
                Some(_) => {
                    let (path, kind) = (self.base.path().to_owned(), self.base.kind());
                    Err(RebuildError::NoVersion { path, kind })
                }
            };
        };
        // The field as stored, so that nothing changes where nothing is asked for.
        let Some(suffix) = self.version_suffix.filter(|suffix| !suffix.is_empty()) else {
            return Ok(Some(upfile.version));
        };
        let version = format!("{}{suffix}", upfile.version.text());
        if !version.bytes().all(is_version_byte) {
            return Err(RebuildError::VersionCharacters { version });
        }
        match FixedText::new(&version) {
            Some(field) => Ok(Some(field)),
            None => Err(RebuildError::VersionTooLong { version }),
        }
    }
}
