//! Why a session failed.

use std::io;

use thiserror::Error;

use super::super::listing::ListingError;
use super::super::packing::PackingError;
use super::super::splicing::SplicingError;
use crate::command::CommandError;
use crate::overlay::OverlayError;

/// Why a session failed.
#[derive(Debug, Error)]
pub enum SessionError {
    /// An overlay is unfit or failed.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// A squashfs tool failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A squashfs and its tree differ.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// The new root could not be made out of the base.
    #[error(transparent)]
    Splicing(#[from] SplicingError),
    /// The base's squashfs is not one.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// The base's squashfs has a sound head, and what follows cannot be unpacked.
    #[error(
        "the base's root file system cannot be unpacked: it is damaged, or packed in a way that this unsquashfs does not know"
    )]
    Unpack {
        /// What unsquashfs said.
        source: CommandError,
    },
    /// A path could not be read or written.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Owners do not stick.
    #[error(
        "owners do not stick: fakeroot has no effect on this program; install fakeroot (apt-get install fakeroot) and use an octofw that is linked to the system's C library"
    )]
    NotFaked,
    /// The number of inodes differs between a squashfs and its tree.
    #[error("{squashfs} has {there} inodes, the unpacked tree {here}: hard links were lost")]
    Inodes {
        /// The squashfs, by its file name.
        squashfs: String,
        /// Inodes in its superblock.
        there: u64,
        /// Inodes in the tree.
        here: u64,
    },
    /// The result would not be fit for the printer.
    #[error("{path}: {problem}")]
    Unfit {
        /// The path in the root.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

pub(in crate::rootfs) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> SessionError {
    let what = what.into();
    move |source| SessionError::System { what, source }
}
