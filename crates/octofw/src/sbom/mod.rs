//! Bills of materials: of the printer program (the crates that are linked into it) and of an image (base, packages of
//! its root, overlays with their files, programs). One model, [`bom`], is written as CycloneDX 1.5 and as SPDX 2.3. The
//! same inputs give the same bytes: the serial number comes from the content, the time from the sources.

pub mod audit;
pub mod bom;
pub(crate) mod cargo_lock;
pub(crate) mod cargo_tree;
mod content;
pub mod image;
pub mod inside;
pub(crate) mod packages;
pub mod program;
pub mod spdx;

use std::io;
use std::path::{Path, PathBuf};

use crate::command::CommandError;
use crate::diff::DiffError;

/// Why a bill of materials could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Cargo could not tell the dependencies.
    #[error("cannot list the crates of {package}")]
    Cargo {
        /// The package asked for.
        package: String,
        /// What cargo said.
        source: CommandError,
    },
    /// Cargo's list has a line that is not understood.
    #[error("cargo tree printed a line that this program does not understand: {line}")]
    Tree {
        /// The line.
        line: String,
    },
    /// The lock file of the workspace is not one.
    #[error("{} is no Cargo.lock", path.display())]
    CargoLock {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: toml::de::Error,
    },
    /// The lock file does not name a crate that is linked.
    #[error("{} does not name {name} {version}; run `cargo update --workspace` and commit it", path.display())]
    NotLocked {
        /// The file.
        path: PathBuf,
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
    /// A JSON input is not what it should be.
    #[error("{} is no {what}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The image is another one than the manifest's.
    #[error("{} is not the image that {} tells of; name its own with --manifest, or build it again", image.display(), manifest.display())]
    Differs {
        /// The image.
        image: PathBuf,
        /// The manifest.
        manifest: PathBuf,
    },
    /// The root of an image cannot be read.
    #[error("cannot look into the root of an image")]
    Root(#[source] Box<DiffError>),
    /// The bill could not be put into words.
    #[error("cannot write the bill of materials")]
    Write(#[source] serde_json::Error),
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SbomError {
    let path = path.to_path_buf();
    move |source| SbomError::File { action, path, source }
}

impl SbomError {
    /// Whether an input is not what it claims to be, rather than missing or in the way.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            SbomError::Json { .. } | SbomError::CargoLock { .. } | SbomError::Differs { .. } => true,
            SbomError::Root(error) => error.is_wrong_input(),
            _ => false,
        }
    }
}

impl From<DiffError> for SbomError {
    fn from(error: DiffError) -> Self {
        SbomError::Root(Box::new(error))
    }
}

/// Writes a bill of materials, at once or not at all; missing folders above it are made. Gives the number of bytes.
///
/// # Errors
/// When it cannot be written.
pub fn write(bom: &bom::Bom, out: &Path) -> Result<u64, SbomError> {
    let bytes = document(bom, out)?;
    crate::output::write_bytes(out, &bytes).map_err(file_error("write", out))?;
    Ok(bytes.len() as u64)
}

/// A bill of materials as it is written to `out`. A name that ends in `.spdx.json` makes it SPDX, one that ends in
/// `.dep-v0` the content of that section, any other CycloneDX.
///
/// # Errors
/// When it cannot be put into that form.
pub fn document(bom: &bom::Bom, out: &Path) -> Result<Vec<u8>, SbomError> {
    let name = out.as_os_str().as_encoded_bytes();
    if name.ends_with(b".dep-v0") {
        return audit::section(bom).map_err(file_error("make", out));
    }
    let text = if name.ends_with(b".spdx.json") { spdx::Document::of(bom).to_text() } else { bom.to_text() };
    text.map(String::into_bytes).map_err(SbomError::Write)
}

/// Reads a bill of materials in CycloneDX.
///
/// # Errors
/// When it cannot be read, or is none of this program's.
pub fn read(path: &Path) -> Result<bom::Bom, SbomError> {
    read_json(path, "CycloneDX document")
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, SbomError> {
    let bytes = std::fs::read(path).map_err(file_error("read", path))?;
    serde_json::from_slice(&bytes).map_err(|source| SbomError::Json {
        path: path.to_path_buf(),
        what,
        source,
    })
}
