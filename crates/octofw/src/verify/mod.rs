//! Whether a firmware file may be given to a printer: every sum and rule of its layers, and, against the base it was
//! built from, that nothing changed but what may. The result is a list of findings with stable codes.
//!
//! | code | severity | means |
//! |---|---|---|
//! | `upfile-sum`, `rkfw-sum`, `rkaf-sum`, `parameter-sum` | error | a sum does not match |
//! | `fit-sum` | error | the sum of an image in `boot.img` or `uboot.img` does not match, and U-Boot would not start it |
//! | `loader-sum`, `resource-sum`, `ext4-sum` | warning | so it is with the boot loader, in the rom image or in front of it, and other parts |
//! | `package-file-differs` | error | the list of parts is not the part table |
//! | `partition-differs` | error | the part table and `mtdparts=` disagree |
//! | `slot-overflow` | error | a part is larger than its partition |
//! | `squashfs-unreadable` | error | a compressor that the kernel of this version lacks |
//! | `squashfs-dead-bytes` | warning | a twentieth of the root file system, or more, belongs to no file |
//! | `upfile-trailing` | warning | bytes behind the last payload |
//! | `below-50-mb` | warning | the printer's newer updater refuses so small a file |
//! | `rkfw-version` | warning | RKFW and RKAF state different versions |
//! | `misc-debug-record` | warning | the debug record is set |
//! | `kind-differs` | error | the base is another kind of file |
//! | `part-missing`, `part-added` | error | a part of the base is gone, or a new one is there |
//! | `protected-part-differs` | error | a part that must equal the base does not |
//! | `part-table-differs` | error | names, order or partitions of the parts changed |
//! | `container-version-differs` | error | another UPFILE layout than the base's |
//! | `squashfs-compressor`, `squashfs-block-size`, `squashfs-xattrs` | error | the kernel may be unable to read it |
//! | `squashfs-export` | warning | the base can be exported by NFS, this one not |
//! | `rkfw-header-differs`, `rkaf-header-differs` | warning | code, chip, time or machine changed |
//! | `version-prefix` | warning | the version does not begin with the base's |
//! | `manifest-missing`, `manifest-malformed` | error | there is no manifest to hold the image against |
//! | `manifest-differs`, `manifest-base-differs` | error | the image or its base is not the one that the manifest tells of |
//! | `signature-missing`, `signature-malformed`, `signature-wrong` | error | the manifest is not signed by the key that was given |

mod against_base;
mod alone;
mod signed;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::container::{Fault, FormatError};
use crate::image::{Image, ImageError};

pub use signed::Signed;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file must not be given to a printer.
    Error,
    /// Worth knowing.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// What, where, and what to do.
    pub message: String,
}

impl Finding {
    fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), severity: Severity::Error, message: message.into() }
    }

    fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), severity: Severity::Warning, message: message.into() }
    }

    fn of(error: &FormatError) -> Self {
        Self::error(error.code(), error.to_string())
    }
}

/// What to hold a file against.
#[derive(Debug, Default)]
pub struct VerifyOptions<'a> {
    /// The firmware file it was built from.
    pub base: Option<&'a Image>,
    /// Whether `boot.img` may differ from the base.
    pub allow_boot: bool,
    /// The manifest that must tell of the file, and who must have signed it.
    pub signed: Option<&'a Signed<'a>>,
}

/// Checks a file.
///
/// # Errors
/// If it cannot be read, or its headers break a rule of the format so that there is nothing to check. Wrong sums, in the
/// headers too, are findings.
pub fn verify(path: &Path, options: &VerifyOptions<'_>) -> Result<Vec<Finding>, ImageError> {
    // First, and whatever the file is: a stranger's image need not be looked at any closer.
    let mut findings = Vec::new();
    if let Some(signed) = options.signed {
        signed::check(path, signed, options.base, &mut findings)?;
    }
    let image = match Image::read(path) {
        Err(ImageError::Format { source, .. }) if source.fault == Fault::Sum => {
            findings.push(Finding::of(&source));
            return Ok(findings);
        }
        result => result?,
    };
    findings.extend(image.check_sums()?.iter().map(Finding::of));
    alone::check(&image, &mut findings)?;
    if let Some(base) = options.base {
        findings.extend(against_base(&image, base, options.allow_boot)?);
    }
    Ok(findings)
}

/// The finding `squashfs-unreadable`, if the kernel of the file's version cannot mount its root file system.
#[must_use]
pub fn unreadable(image: &Image) -> Option<Finding> {
    alone::unreadable(image)
}

/// Checks only what an image changes against its base.
///
/// # Errors
/// If one of the two cannot be read.
pub fn against_base(image: &Image, base: &Image, allow_boot: bool) -> Result<Vec<Finding>, ImageError> {
    let mut findings = Vec::new();
    against_base::check(image, base, allow_boot, &mut findings)?;
    Ok(findings)
}
