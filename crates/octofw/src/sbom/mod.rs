//! Bills of materials in CycloneDX 1.5 JSON: of the printer program (the crates that are linked into it) and of
//! an image (base, overlays with their files, program). The same inputs give the same bytes: the serial number
//! comes from the content, and there is no time of day.

pub mod bom;
mod cargo_lock;
mod cargo_tree;
pub mod image;
pub mod program;

use std::io;
use std::path::{Path, PathBuf};

use crate::command::CommandError;

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
        matches!(self, SbomError::Json { .. } | SbomError::CargoLock { .. })
    }
}

/// Writes a bill of materials, at once or not at all; missing folders above it are made.
///
/// # Errors
/// When it cannot be written.
pub fn write(bom: &bom::Bom, out: &Path) -> Result<(), SbomError> {
    let text = bom.to_text().map_err(SbomError::Write)?;
    crate::output::write_text(out, &text).map_err(file_error("write", out))
}
