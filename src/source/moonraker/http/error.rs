//! Why a file did not pass.

use crate::source::control::ControlError;
use std::io;

/// Why a file did not pass.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is no connection, the source cannot do it, or Moonraker refuses.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The path is none below a root.
    #[error(
        "{shown:?} is no path of a file on the printer: it must be relative, below 1 KiB, and without .. in it"
    )]
    Path {
        /// The path, without control characters, shortened.
        shown: String,
    },
    /// Nothing answers at the address.
    #[error(
        "no HTTP answer from Moonraker at {base}: {why}; check host and port in the [server] section of moonraker.conf"
    )]
    NoAnswer {
        /// The address.
        base: String,
        /// In words.
        why: String,
    },
    /// The connection broke on the way.
    #[error("the transfer broke off: {why}; try it again")]
    Broken {
        /// In words.
        why: String,
    },
    /// The file is longer than the caller takes.
    #[error("the file is longer than {} MiB, which is more than is taken here", most.div_ceil(1024 * 1024))]
    TooLong {
        /// Most bytes.
        most: u64,
    },
    /// The caller's own side of the file failed.
    #[error("the file on this side cannot be read or written: {0}")]
    Local(io::Error),
    /// The caller broke it off.
    #[error("the transfer was cancelled")]
    Cancelled,
}

impl TransferError {
    /// The printer's own error, if it is one.
    pub fn control(&self) -> Option<&ControlError> {
        match self {
            Self::Control(error) => Some(error),
            _ => None,
        }
    }
}
