//! Under which licences an image is passed on: the gate, which holds a bill of materials against a policy, and the texts
//! that go with a program's crates.

pub mod policy;
pub mod texts;

use std::io;
use std::path::{Path, PathBuf};

use crate::sbom::SbomError;

/// Why licences could not be judged or collected.
#[derive(Debug, thiserror::Error)]
pub enum LicenceError {
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
    /// The policy is no TOML, or has unknown keys.
    #[error("{} is no policy of licences", path.display())]
    Policy {
        /// The policy.
        path: PathBuf,
        /// What the parser said.
        source: Box<toml::de::Error>,
    },
    /// The policy has a licence that SPDX does not know.
    #[error("{}: {text:?} is no SPDX identifier or expression: {reason}", path.display())]
    Identifier {
        /// The policy.
        path: PathBuf,
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bill of materials cannot be read or made.
    #[error(transparent)]
    Sbom(#[from] SbomError),
}

impl LicenceError {
    /// Whether an input is not what it claims to be, rather than missing or in the way.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::File { .. } => false,
            Self::Policy { .. } | Self::Identifier { .. } => true,
            Self::Sbom(error) => error.is_wrong_input(),
        }
    }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LicenceError {
    let path = path.to_path_buf();
    move |source| LicenceError::File { action, path, source }
}
