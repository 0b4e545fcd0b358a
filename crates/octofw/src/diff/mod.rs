//! What differs between two firmware images, by meaning: paths with owners and modes, what starts at boot and in which
//! order, keys of settings, libraries that programs need, packages. Two builds of one input differ in nothing.

mod elf;
mod init;
pub(crate) mod packages;
mod paths;
pub(crate) mod root;
pub(crate) mod settings;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::container::FormatError;
use crate::image::{Image, ImageError, ROOTFS};
use crate::squashfs::{CopyError, ReadError};
use root::Root;

pub use elf::ProgramChange;
pub use init::InitChange;
pub use packages::PackageChange;
pub use paths::{Content, Facts, PathChange};
pub use settings::SettingChange;

/// The whole report. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this report's form.
    pub schema: u32,
    /// The first file, as it was given.
    pub a: String,
    /// The second.
    pub b: String,
    /// What differs around the root: the version, and parts such as the kernel.
    pub image: Vec<FieldChange>,
    /// Paths of the root, in byte order.
    pub paths: Vec<PathChange>,
    /// What starts at boot.
    pub init: Vec<InitChange>,
    /// Keys of settings' files that both have.
    pub settings: Vec<SettingChange>,
    /// What programs and libraries need.
    pub programs: Vec<ProgramChange>,
    /// Packages, by what their package managers wrote down.
    pub packages: Vec<PackageChange>,
}

/// A field of the image that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// In the first; `null` where it has none.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// Why two images cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The system refuses.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A bare squashfs that breaks the rules of its format.
    #[error("{} is not a sound squashfs", path.display())]
    Squashfs {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// A firmware file that cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The root of one cannot be read.
    #[error(transparent)]
    Root(#[from] ReadError),
    /// A file of a root cannot be read.
    #[error("cannot read {path} of {}", image.display())]
    Content {
        /// The image.
        image: PathBuf,
        /// The path in its root.
        path: String,
        /// Why.
        source: Box<CopyError>,
    },
}

impl DiffError {
    /// Whether a file is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Io { .. } => false,
            Self::Squashfs { .. } => true,
            Self::Image(error) => error.is_wrong_input(),
            Self::Root(error) => !matches!(error, ReadError::Io { .. }),
            Self::Content { source, .. } => {
                matches!(&**source, CopyError::Read(error) if !matches!(error, ReadError::Io { .. }))
            }
        }
    }
}

impl Report {
    /// Compares two files, each an upgrade file, an `update.img`, a rom image or a bare squashfs.
    ///
    /// # Errors
    /// If one cannot be read, or its headers or tables break a rule.
    pub fn of(a: &Path, b: &Path) -> Result<Self, DiffError> {
        let (one, other) = (Root::open(a)?, Root::open(b)?);
        let image = around(one.image.as_ref(), other.image.as_ref())?;
        let paths = paths::compare(&one, &other)?;
        Ok(Self {
            schema: 1,
            a: a.display().to_string(),
            b: b.display().to_string(),
            image,
            init: init::compare(&one, &other),
            settings: settings::compare(&one, &other, &paths)?,
            programs: elf::compare(&one, &other, &paths)?,
            packages: packages::compare(&one, &other)?,
            paths,
        })
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.image.is_empty() && self.paths.is_empty()
    }
}

/// What differs outside of the root.
fn around(a: Option<&Image>, b: Option<&Image>) -> Result<Vec<FieldChange>, DiffError> {
    let mut changes = Vec::new();
    let mut field = |field: &str, a: Option<String>, b: Option<String>| {
        if a != b {
            changes.push(FieldChange { field: field.to_owned(), a, b });
        }
    };
    let kind = |image: Option<&Image>| {
        Some(image.map_or_else(|| "squashfs".to_owned(), |image| image.kind().to_string()))
    };
    field("kind", kind(a), kind(b));
    let version = |image: Option<&Image>| image?.version().map(str::to_owned);
    field("version", version(a), version(b));
    let date = |image: Option<&Image>| image?.upfile().map(|upfile| upfile.date.text().to_owned());
    field("build date", date(a), date(b));
    if let (Some(a), Some(b)) = (a, b) {
        let mut names = a.names();
        names.extend(b.names());
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| *name != ROOTFS && *name != ENVELOPE) {
            field(&format!("part {name}"), shown(a, name)?, shown(b, name)?);
        }
    }
    Ok(changes)
}

/// Holds the root, which is compared by its paths.
const ENVELOPE: &str = "update.img";

/// A part in a few words; none where there is none of that name.
fn shown(image: &Image, name: &str) -> Result<Option<String>, DiffError> {
    match image.span_of(name) {
        Ok(span) => {
            let sum = crate::digest::hex(&image.part_sha256(name)?);
            Ok(Some(format!("{} bytes, SHA-256 {sum}", span.len)))
        }
        Err(ImageError::NoPart { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
