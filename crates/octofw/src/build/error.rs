//! Why there is no new image.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::state::StateError;
use crate::command::CommandError;
use crate::image::{ImageError, RebuildError};
use crate::lock::LockError;
use crate::overlay::OverlayError;
use crate::rootfs::packing::PackingError;
use crate::sbom::inside::InsideError;

/// Why there is no new image. Whatever was there before is still there.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The base cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The new root does not fit the base.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// An overlay is unfit.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The work on the root failed.
    #[error("{message}")]
    Session {
        /// The whole message, with its causes.
        message: String,
        /// Whether the base is not what it claims to be.
        wrong_input: bool,
    },
    /// The base or an overlay is not the locked one.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The bill of materials for the image cannot be made.
    #[error(transparent)]
    Sbom(#[from] InsideError),
    /// A tool is missing or failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The lock or the state beside the output.
    #[error(transparent)]
    State(#[from] StateError),
    /// The base's root cannot be read.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// A script changed a part that must stay as it is in the base.
    #[error(
        "a script changed {part} in the build folder; the image gets it from the base and from the unpacked root, so leave it alone"
    )]
    Protected {
        /// The part.
        part: &'static str,
    },
    /// The output names a folder.
    #[error("{} is a folder: give --out the name of the file to write", path.display())]
    NoFileName {
        /// The output as it was given.
        path: PathBuf,
    },
    /// What is at the output's place, or at that of its manifest, is no file that could be replaced.
    #[error("{} is there and is no regular file: choose another output", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// The printer could mount neither the base's root nor one that is packed like it.
    #[error("{} is no base for an image: {problem}; get it from its origin again", path.display())]
    Unreadable {
        /// The base.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The base is another file than when the build began.
    #[error("the base {} changed while the image was built; leave it alone and build again", path.display())]
    BaseChanged {
        /// The base.
        path: PathBuf,
    },
    /// The finished image is not what it should be, and was thrown away.
    #[error(
        "the finished image is not sound and was thrown away: {problems}; build again, and report it if it stays so"
    )]
    Unsound {
        /// Codes and messages of what was found.
        problems: String,
    },
    /// A thread of ours ended early.
    #[error("a part of the work ended early; build again, and report it if it stays so")]
    Thread,
    /// A path could not be read or written.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildError {
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System { what: what.into(), source }
    }

    /// Whether an input is not what it claims to be, as opposed to a failure.
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Image(error) => error.is_wrong_input(),
            Self::Rebuild(error) => error.is_wrong_input(),
            Self::Packing(error) => matches!(error, PackingError::Format { .. }),
            Self::Session { wrong_input, .. } => *wrong_input,
            Self::Unreadable { .. } => true,
            _ => false,
        }
    }

    /// Whether the call itself was wrong.
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Overlay(error) => error.is_wrong_usage(),
            Self::Rebuild(error) => error.is_wrong_usage(),
            Self::NoFileName { .. } | Self::NoFile { .. } | Self::Sbom(InsideError::Place { .. }) => true,
            _ => false,
        }
    }
}
