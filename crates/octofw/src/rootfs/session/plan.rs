//! What a session is told, and what it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::steps::Step;
use super::super::watch::{Seen, Watching};
use super::SessionError;
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
    /// What scripts get besides.
    #[serde(default)]
    pub scripting: Scripting,
    /// How the session is watched, where it is for a plan and not for an image.
    #[serde(default)]
    pub watch: Option<Watching>,
    /// Where fakeroot writes what it remembers, once it is started; filled in when it is.
    pub faked: Option<PathBuf>,
}

/// How scripts and other steps are carried out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scripting {
    /// The folder of what scripts fetched, by its content; one in the build folder where none is given.
    pub cache: Option<PathBuf>,
    /// Whether a step that fails is only recorded, so that every step is tried.
    pub rehearse: bool,
}

impl Plan {
    /// Whether any overlay has a script that will not run.
    pub(in crate::rootfs) fn passes_over_scripts(&self) -> Result<bool, SessionError> {
        Ok(self.watch.is_some_and(|watching| watching.skip_scripts) && self.has_scripts()?)
    }

    /// Whether any script will run.
    pub(super) fn runs_scripts(&self) -> Result<bool, SessionError> {
        Ok(self.has_scripts()? && !self.passes_over_scripts()?)
    }

    fn has_scripts(&self) -> Result<bool, SessionError> {
        for overlay in &self.overlays {
            if overlay.has_scripts()? {
                return Ok(true);
            }
        }
        Ok(false)
    }
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
    /// Digests of the overlays that have pre-scripts, as these left them, by the overlay's name.
    #[serde(default)]
    pub made: BTreeMap<String, String>,
    /// What came of each step, in their order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What each part of each overlay did, where the session was watched.
    #[serde(default)]
    pub seen: Vec<Seen>,
}
