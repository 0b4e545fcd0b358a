//! Boots a root file system in QEMU and talks to it over its serial console.
//!
//! What boots is the squashfs of a built image on Debian's arm64 kernel: init, the init scripts and the programs are
//! those of the image, while the kernel, the drivers and the vendor's hardware are not the printer's.

pub mod console;
pub mod cpio;
pub mod demonstration;
pub mod guest;
pub mod initramfs;
pub mod kernel;
pub mod oem;
pub mod root;
pub mod session;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::CommandError;
use crate::debian::DebianError;
use crate::image::ImageError;

pub use guest::{Guest, GuestClock, Machine, Output};
pub use kernel::GuestFiles;
pub use oem::{OemDisk, OemTree};

/// The emulator.
const QEMU: &str = "qemu-system-aarch64";

/// Why a boot, or a step of preparing one, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or created.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried, as a verb ("read", "create").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// QEMU is not installed or cannot be started.
    #[error("cannot start {QEMU}: {0}; install it with: apt-get install qemu-system-arm")]
    Qemu(std::io::Error),
    /// A helper program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The kernel or BusyBox could not be fetched.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// The image is not what it claims to be, or cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The folder of guest files lacks something.
    #[error("{} holds no {what}; it should be an unpacked Debian arm64 kernel package with busybox-static", folder.display())]
    GuestFiles {
        /// What is missing.
        what: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A path of the `/oem` disk that its tools cannot carry.
    #[error("`{0}` cannot be put on the /oem disk: paths are relative and have no spaces, quotes or `..`")]
    OemPath(String),
    /// The guest did not do in time what was waited for.
    #[error("the guest did not show {awaited} within {:.1} s; the end of its console:\n{tail}", within.as_secs_f64())]
    TimedOut {
        /// What was waited for.
        awaited: String,
        /// For how long.
        within: Duration,
        /// The last lines of the console.
        tail: String,
    },
    /// QEMU ended while something was still expected of the guest.
    #[error("QEMU ended before the guest showed {awaited}; the end of its console:\n{tail}")]
    Ended {
        /// What was waited for.
        awaited: String,
        /// The last lines of the console, and what QEMU itself said.
        tail: String,
    },
}

impl Error {
    /// Whether the image is not what it claims to be, as opposed to a failure of the system or of the guest.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, Self::Image(error) if error.is_wrong_input())
    }

    /// Makes an [`Error::Io`] out of a system error, for `map_err`.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::Io { action, path, reason }
    }
}
