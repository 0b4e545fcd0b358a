//! A firmware file taken apart into a folder, and put together again: each layer in a form that can be edited, and byte
//! for byte the same where it was not.
//!
//! ```text
//! DIR/layout.json        the headers, and which files there are
//! DIR/parts/…            the parts of the rom image; parameter.txt without its wrapper
//! DIR/loader             the boot loader of the RKFW layer
//! DIR/at32f403a.bin …    the other payloads of an upgrade file
//! DIR/root/              the root file system as a tree
//! DIR/root.tsv           who owns what in it, with modes, times and devices
//! ```
//!
//! It needs no privileges: owners, devices and the set-user bit are in the table, not on the disk.

mod apart;
mod layout;
mod root;
pub(crate) mod table;
mod together;

use std::io;
use std::path::PathBuf;

use crate::container::assemble::AssembleError;
use crate::container::rkaf::ArrangeError;
use crate::container::{FormatError, Kind};
use crate::image::ImageError;
use crate::rootfs::splicing::SplicingError;
use crate::squashfs::ReadError;

pub use apart::{Piece, Unpack, foretell, unpack};
pub use together::{Packed, is_of_folder, pack};

/// The file that describes the folder.
const LAYOUT: &str = "layout.json";
/// The folder of the rom image's parts.
const PARTS: &str = "parts";
/// The unpacked root, and its table.
const TREE: &str = "root";
const TABLE: &str = "root.tsv";
/// What lies behind the last payload of an upgrade file.
const TRAILING: &str = "trailing.bin";
/// Ends the name of what fills up the last block of a part, where that is not zeros.
const PADDING: &str = "padding";

/// Why a file cannot be taken apart or put together.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The system refuses.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The firmware file cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The root file system cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file has no layers.
    #[error("{} is nothing that can be unpacked; give an upgrade file, an update.img, a rom image or a squashfs", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The file's parts lie in a way that could not be put together again.
    #[error("{} cannot be unpacked: {problem}, and so it could not be packed to the same bytes again", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// What lies where it should not.
        problem: &'static str,
    },
    /// A file of the folder is not as it must be.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// What the parts make is no firmware.
    #[error("what {} holds makes no sound firmware file; mend the part that is named", path.display())]
    Unsound {
        /// The folder.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// A header in the layout breaks the rules of its format.
    #[error("{} has a header that is not sound", path.display())]
    Format {
        /// The layout.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// The parts have become too large.
    #[error("the parts do not fit into one firmware file")]
    Arrange(#[from] ArrangeError),
    /// Writing failed.
    #[error("the firmware file could not be written")]
    Assemble(#[from] AssembleError),
    /// The tree cannot be packed.
    #[error("the root cannot be packed")]
    Splicing(#[from] SplicingError),
}

impl UnpackError {
    /// Whether an input is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Image(error) => error.is_wrong_input(),
            Self::Read(error) => !matches!(error, ReadError::Io { .. }),
            Self::Unknown { .. }
            | Self::Order { .. }
            | Self::Folder { .. }
            | Self::Format { .. }
            | Self::Unsound { .. } => true,
            Self::Io { .. } | Self::Arrange(_) | Self::Assemble(_) | Self::Splicing(_) => false,
        }
    }

    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// The word for a kind of file in the layout.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Upgrade => "upgrade",
        Kind::Rkfw => "rkfw",
        Kind::Rkaf => "rkaf",
        Kind::Squashfs => "squashfs",
    }
}
