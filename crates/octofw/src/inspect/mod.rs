//! What a firmware file holds, layer by layer, as text for people and as stable JSON for scripts.

mod contents;
mod report;
mod text;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::container::{FormatError, Kind, SourceFile};
use crate::image::{Image, ImageError};
use crate::parts::{self, Content, PartError};
use crate::squashfs::{SUPERBLOCK_LEN, Superblock};

/// The whole report. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this report's form.
    pub schema: u32,
    /// Path as it was given.
    pub path: String,
    /// `upgrade`, `rkfw`, `rkaf`, `squashfs`, or, for a part by itself, `parameter`, `package-file`, `fit`, `ext4`,
    /// `resource` or `loader`.
    pub kind: &'static str,
    /// Bytes of the file.
    pub size: u64,
    /// The outermost layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upfile: Option<UpfileReport>,
    /// The layer of `update.img`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rkfw: Option<RkfwReport>,
    /// The rom image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rkaf: Option<RkafReport>,
    /// The partitions of the flash and what goes into them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionReport>,
    /// The root file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<RootfsReport>,
    /// What the file is, where it is a part by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Every sum that does not match; empty if all do, or none was taken.
    pub wrong_sums: Vec<String>,
}

/// UPFILE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpfileReport {
    /// 1 or 2.
    pub container_version: u16,
    /// Firmware version.
    pub version: String,
    /// Build date, `YYYYMMDDhhmmss`.
    pub date: String,
    /// The payloads.
    pub entries: Vec<EntryReport>,
}

/// One payload of UPFILE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryReport {
    /// Its file name on the printer.
    pub name: &'static str,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// MD5 that the header states.
    pub md5: String,
    /// Whether it is that of the content; `null` where no sums were taken.
    pub md5_ok: Option<bool>,
    /// The text of `MCU_DESC`, which says what versions are expected of the other processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// RKFW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RkfwReport {
    /// Version, `a.b.c`.
    pub version: String,
    /// Code, as `0x02000000`.
    pub code: String,
    /// Chip, as `0x33353632`.
    pub chip: String,
    /// Time of build.
    pub time: String,
    /// Bytes of the boot loader.
    pub loader_size: u64,
    /// The boot loader, which lies in front of the rom image; the printer is rescued with it.
    pub loader: LoaderReport,
    /// Bytes of the rom image with its CRC.
    pub image_size: u64,
    /// MD5 at its end.
    pub md5: String,
    /// Whether it is that of the content; `null` where no sums were taken.
    pub md5_ok: Option<bool>,
}

/// The boot loader of RKFW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoaderReport {
    /// SHA-256 of it; `null` where no sums were taken.
    pub sha256: Option<String>,
    /// The file of the rom image with the same bytes, as it is in the vendor's images; `null` where there is none, or no
    /// sums were taken.
    pub same_as: Option<String>,
    /// What is in it, where that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Why it cannot be read, where it begins as a boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// RKAF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RkafReport {
    /// Bytes without the CRC.
    pub length: u32,
    /// Version, `a.b.c`.
    pub version: String,
    /// Machine model.
    pub model: String,
    /// Machine id.
    pub id: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// CRC at its end, as `0x0123abcd`.
    pub crc: String,
    /// Whether it is that of the content; `null` where no sums were taken.
    pub crc_ok: Option<bool>,
    /// The part table.
    pub parts: Vec<PartReport>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Name.
    pub name: String,
    /// File; parts of one file share its data.
    pub file: String,
    /// Position in the rom image.
    pub position: u32,
    /// Bytes.
    pub size: u32,
    /// First sector in the flash, if it has a partition.
    pub flash_sector: Option<u32>,
    /// SHA-256 of the data as it is stored; `null` where no sums were taken.
    pub sha256: Option<String>,
    /// What is in it, where that is known here; with the first of the parts that share a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Why it cannot be read, where it begins as something known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// Name.
    pub name: String,
    /// First sector of 512 bytes.
    pub first_sector: u32,
    /// Bytes; `null` for the rest of the flash.
    pub size: Option<u64>,
    /// The file that goes into it.
    pub file: Option<String>,
    /// Bytes of that file.
    pub used: Option<u64>,
    /// Bytes that remain; negative if it does not fit.
    pub free: Option<i64>,
}

/// The root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootfsReport {
    /// Bytes of the image.
    pub size: u64,
    /// Bytes of the file system in it.
    pub bytes_used: u64,
    /// Compressor, as `mksquashfs -comp` takes it.
    pub compressor: &'static str,
    /// Bytes of a data block.
    pub block_size: u32,
    /// Number of inodes.
    pub inodes: u32,
    /// Number of different user and group ids.
    pub ids: u16,
    /// Number of fragments.
    pub fragments: u32,
    /// Time of creation in seconds since 1970.
    pub created: u32,
    /// Whether there are extended attributes.
    pub xattrs: bool,
    /// Bytes of data that no file needs: what a build replaced and kept. `null` where the tables cannot be read.
    pub dead_bytes: Option<u64>,
    /// Why the tables cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Names of the flags.
    pub flags: Vec<&'static str>,
}

/// Why a file cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The system refuses.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is none of the kinds that we know.
    #[error(
        "{path} is no firmware file: it begins with {found}; give a U1 upgrade file, an update.img, a rom image, a \
         squashfs, or another part of a rom image"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        found: String,
    },
    /// A squashfs that breaks the rules of its format.
    #[error("{path} is not a sound squashfs")]
    Squashfs {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// A part of a rom image that breaks the rules of its format.
    #[error("{path} is not sound")]
    Part {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// A firmware file that cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl InspectError {
    /// Whether the file is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Io { .. } => false,
            Self::Unknown { .. } | Self::Squashfs { .. } | Self::Part { .. } => true,
            Self::Image(error) => error.is_wrong_input(),
        }
    }
}

impl Report {
    /// Reads a file of any of the kinds; `sums` tells whether all of its content is read and summed.
    ///
    /// # Errors
    /// If it cannot be read, is of no known kind, or its headers break a rule. Wrong sums are part of the report.
    pub fn of(path: &Path, sums: bool) -> Result<Self, InspectError> {
        let failed = |source| InspectError::Io { path: path.to_owned(), source };
        let source = SourceFile::open(path).map_err(failed)?;
        let first = source.read_up_to(0, SUPERBLOCK_LEN).map_err(failed)?;
        match first.first_chunk().copied().and_then(Kind::of) {
            None => {
                match parts::of_file(&source, sums) {
                    Ok(Some((look, parameter))) => {
                        return Ok(report::of_part(&source, look, parameter.as_ref()));
                    }
                    Ok(None) => {}
                    Err(PartError::Io(source)) => return Err(failed(source)),
                    Err(PartError::Format(source)) => {
                        return Err(InspectError::Part { path: path.to_owned(), source });
                    }
                }
                let found = match first.get(..4.min(first.len())) {
                    None | Some([]) => "nothing".to_owned(),
                    Some(bytes) => crate::container::fields::shown(bytes),
                };
                Err(InspectError::Unknown { path: path.to_owned(), found })
            }
            Some(Kind::Squashfs) => {
                let superblock = Superblock::parse(&first, source.span())
                    .map_err(|source| InspectError::Squashfs { path: path.to_owned(), source })?;
                Ok(report::of_squashfs(path, &superblock, source.span()))
            }
            Some(Kind::Upgrade | Kind::Rkfw | Kind::Rkaf) => Ok(report::of_image(&Image::read(path)?, sums)?),
        }
    }

    /// Whether every sum matches.
    #[must_use]
    pub fn sums_ok(&self) -> bool {
        self.wrong_sums.is_empty()
    }
}

fn verdict(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => "ok",
        Some(false) => "WRONG",
        None => "not checked",
    }
}
