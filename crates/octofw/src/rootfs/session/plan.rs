//! What a session is told, and what it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::Span;
use crate::manifest::{Change, Counts, Packed};
use crate::overlay::{Order, Overlay};

/// What a session is to do. It travels as JSON in a file of the build folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The file that holds the base's squashfs.
    pub base: PathBuf,
    /// Where in it that is.
    pub base_at: Span,
    /// Where to unpack it. What is there already was unpacked by [`prepare`].
    pub tree: PathBuf,
    /// The file to write the new squashfs to; must not exist.
    pub result: PathBuf,
    /// How many bytes behind its start the new squashfs begins.
    pub result_offset: u64,
    /// Where to write the [`Outcome`].
    pub outcome: PathBuf,
    /// Time of packing, and of everything that changes, in seconds since 1970.
    pub epoch: u32,
    /// In which order the parts of an overlay are applied.
    pub order: Order,
    /// The overlays, in their order.
    pub overlays: Vec<Overlay>,
    /// In which folder scripts are started.
    pub directory: PathBuf,
    /// What scripts find in their environment.
    pub variables: BTreeMap<String, String>,
    /// How many processors `mksquashfs` uses, where not all.
    pub processors: Option<u32>,
    /// Whether stages are reported on standard error.
    pub progress: bool,
    /// Whether the root is packed anew as a whole, also where the base's data could be kept.
    pub repack: bool,
    /// Where fakeroot writes what it remembers, once it is started; filled in when it is.
    pub faked: Option<PathBuf>,
}

/// What came of a session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new squashfs is written and proven equal to the tree.
    Done(Report),
    /// It failed.
    Failed {
        /// The whole message, with its causes.
        message: String,
        /// Whether the base is not what it claims to be.
        wrong_input: bool,
    },
}

/// What the overlays did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every path that differs from the base, in byte order.
    pub changes: Vec<Change>,
    /// What the builder of the image should know.
    pub notes: Vec<String>,
    /// Figures of the base's root.
    pub base: Counts,
    /// Figures of the new root.
    pub result: Counts,
    /// Bytes of the new squashfs.
    pub size: u64,
    /// How the new root was packed.
    pub packed: Packed,
    /// Bytes of its data that no file needs.
    pub dead_bytes: u64,
}
