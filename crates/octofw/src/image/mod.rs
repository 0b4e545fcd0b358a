//! A firmware file as a whole: all layers read and held against each other, its parts by name, and a new file with
//! another root file system. Nothing is ever loaded whole: the parts are ranges of the file.

mod open;
mod rebuild;
mod slots;
mod sums;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::container::assemble::Written;
use crate::container::package_file::Line;
use crate::container::parameter::Parameter;
use crate::container::rkaf::Rkaf;
use crate::container::rkfw::Rkfw;
use crate::container::upfile::{EntryKind, Upfile};
use crate::container::{FormatError, Kind, SourceFile, Span, SpanReader};
use crate::output::AtomicOutput;
use crate::squashfs::Superblock;

pub use rebuild::{Rebuild, RebuildError, Rebuilt};
pub use slots::Slot;

/// File of the root file system.
pub const ROOTFS: &str = "rootfs.img";
/// File of the kernel.
pub const BOOT: &str = "boot.img";
/// Name under which the boot loader of the RKFW layer is read and extracted.
pub const LOADER: &str = "loader";

/// An open firmware file: an upgrade file, a bare `update.img`, or a bare rom image.
#[derive(Debug)]
pub struct Image {
    source: SourceFile,
    upfile: Option<Upfile>,
    rkfw: Option<Rkfw>,
    rkfw_span: Span,
    rkfw_md5: [u8; 16],
    rkaf: Rkaf,
    rkaf_span: Span,
    rkaf_crc: u32,
    parameter: Parameter,
    package_file: Vec<Line>,
    rootfs: Superblock,
}

/// Why a firmware file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system refuses.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file breaks the rules of its format.
    #[error("{path} is not a sound U1 firmware file")]
    Format {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// There is no such part.
    #[error("{path} has no part {name}; it has {known}")]
    NoPart {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl ImageError {
    /// Whether the file is not what it claims to be, as opposed to a failure of the system or of the caller.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, Self::Format { .. })
    }
}

impl Image {
    /// Reads all layers and checks every sum.
    ///
    /// # Errors
    /// If the file cannot be read, breaks a rule of its format, or a sum is wrong.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let image = Self::read(path)?;
        image.check()?;
        Ok(image)
    }

    /// Checks every sum of an image of which only the headers were read ([`Image::read`]).
    ///
    /// # Errors
    /// If the file cannot be read or a sum is wrong.
    pub fn check(&self) -> Result<(), ImageError> {
        match self.check_sums()?.into_iter().next() {
            None => Ok(()),
            Some(source) => Err(ImageError::Format { path: self.path().to_owned(), source }),
        }
    }

    /// Whether its headers state the sums that were taken when it was written, over the same ranges.
    #[must_use]
    pub fn states(&self, written: &Written) -> bool {
        let rom = Span::new(self.rkaf_span.offset, u64::from(self.rkaf.length));
        let payloads = self.upfile.as_ref().map_or(&[][..], |upfile| &upfile.entries);
        let md5 = self.rkfw.is_some().then_some(self.rkfw_md5);
        (rom, self.rkaf_crc, md5) == (written.rom, written.crc, written.update_md5)
            && payloads == written.payloads
    }

    /// What kind of file it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.upfile, &self.rkfw) {
            (Some(_), _) => Kind::Upgrade,
            (None, Some(_)) => Kind::Rkfw,
            (None, None) => Kind::Rkaf,
        }
    }

    /// Path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.source.len()
    }

    /// The outermost layer, which only an upgrade file has.
    #[must_use]
    pub fn upfile(&self) -> Option<&Upfile> {
        self.upfile.as_ref()
    }

    /// The layer of `update.img`.
    #[must_use]
    pub fn rkfw(&self) -> Option<&Rkfw> {
        self.rkfw.as_ref()
    }

    /// The rom image.
    #[must_use]
    pub fn rkaf(&self) -> &Rkaf {
        &self.rkaf
    }

    /// Where the rom image lies in the file, with its CRC.
    #[must_use]
    pub fn rkaf_span(&self) -> Span {
        self.rkaf_span
    }

    /// The MD5 at the end of `update.img`, as stored; zeros without that layer.
    #[must_use]
    pub fn rkfw_md5(&self) -> &[u8; 16] {
        &self.rkfw_md5
    }

    /// The RKCRC at the end of the rom image, as stored.
    #[must_use]
    pub fn rkaf_crc(&self) -> u32 {
        self.rkaf_crc
    }

    /// `parameter.txt`, out of its wrapper.
    #[must_use]
    pub fn parameter(&self) -> &Parameter {
        &self.parameter
    }

    /// The lines of `package-file`.
    #[must_use]
    pub fn package_file(&self) -> &[Line] {
        &self.package_file
    }

    /// The superblock of the root file system.
    #[must_use]
    pub fn rootfs(&self) -> &Superblock {
        &self.rootfs
    }

    /// Firmware version of an upgrade file; the other kinds do not say it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.upfile.as_ref().map(|upfile| upfile.version.text())
    }

    /// The names that [`Image::read_part`] knows, from the outside in.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if self.upfile.is_some() {
            names.extend(EntryKind::ALL.map(EntryKind::file_name));
        }
        if self.rkfw.is_some() {
            names.push(LOADER);
        }
        names.extend(self.rkaf.files().iter().map(|part| part.file.text()));
        names
    }

    /// Where a file lies: a part of the rom image by its file name, a payload of the upgrade file, or [`LOADER`].
    ///
    /// # Errors
    /// If there is no such part.
    pub fn span_of(&self, name: &str) -> Result<Span, ImageError> {
        if let Some(part) = self.rkaf.part_of_file(name).filter(|part| !part.is_self()) {
            return Ok(self.rkaf.data(part, self.rkaf_span.offset));
        }
        if let Some(upfile) = &self.upfile
            && let Some(kind) = EntryKind::ALL.into_iter().find(|kind| kind.file_name() == name)
        {
            return Ok(upfile.entry(kind).span);
        }
        match &self.rkfw {
            Some(rkfw) if name == LOADER => Ok(rkfw.loader),
            _ => Err(ImageError::NoPart {
                path: self.path().to_owned(),
                name: name.to_owned(),
                known: self.names().join(", "),
            }),
        }
    }

    /// A reader over a part, as it is stored (`parameter.txt` in its wrapper).
    ///
    /// # Errors
    /// If there is no such part.
    pub fn read_part(&self, name: &str) -> Result<SpanReader<'_>, ImageError> {
        Ok(self.reader(self.span_of(name)?))
    }

    /// Copies a part, as it is stored, into a file that appears whole or not at all.
    ///
    /// # Errors
    /// If there is no such part, or reading or writing fails.
    pub fn extract_part(&self, name: &str, to: &Path) -> Result<(), ImageError> {
        let written = |source| ImageError::Io { action: "write", path: to.to_owned(), source };
        let mut output = AtomicOutput::create(to).map_err(written)?;
        self.copy_part(name, output.file(), to)?;
        output.commit().map_err(written)
    }

    /// Copies a part, as it is stored, into an open file; `to` is its path, for messages.
    ///
    /// # Errors
    /// As [`Self::extract_part`].
    pub fn copy_part(&self, name: &str, file: &mut File, to: &Path) -> Result<(), ImageError> {
        let mut reader = self.read_part(name)?;
        let written = |source| ImageError::Io { action: "write", path: to.to_owned(), source };
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = reader.read(&mut buffer).map_err(|source| self.unreadable(source))?;
            match buffer.get(..read) {
                None | Some([]) => return Ok(()),
                Some(piece) => file.write_all(piece).map_err(written)?,
            }
        }
    }

    /// SHA-256 of a part as it is stored.
    ///
    /// # Errors
    /// If there is no such part or it cannot be read.
    pub fn part_sha256(&self, name: &str) -> Result<[u8; 32], ImageError> {
        self.sha256_of(self.span_of(name)?)
    }

    /// SHA-256 of any range of the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sha256_of(&self, span: Span) -> Result<[u8; 32], ImageError> {
        let mut sha256 = Sha256::new();
        let taken = self.source.for_each_piece(span, |piece| sha256.update(piece));
        taken.map_err(|source| self.unreadable(source))?;
        Ok(sha256.finalize().into())
    }

    /// A reader over any range of the file.
    #[must_use]
    pub fn reader(&self, span: Span) -> SpanReader<'_> {
        self.source.reader(span)
    }

    /// The open file.
    #[must_use]
    pub fn source(&self) -> &SourceFile {
        &self.source
    }

    pub(crate) fn unreadable(&self, source: io::Error) -> ImageError {
        ImageError::Io { action: "read", path: self.path().to_owned(), source }
    }
}
