//! Looks for what has bricked printers, in overlays before a build and in images after it: one rule per mistake that
//! the field has paid for, with a stable code, an explanation, and a way to allow it with a reason.
//!
//! Nothing of an overlay is run or changed, and it may be hostile: links are not followed out of it, pipes are not
//! opened, and how much is read of a file has a bound. Not here: what one overlay does to another (`plan`), and
//! whether an image is sound as a container (`verify`, whose findings are passed on).

mod allow;
mod config;
mod docs;
mod elf;
mod files;
mod finding;
mod image;
mod init;
mod layers;
mod overlay;
mod patches;
mod print;
mod rule;
mod run;
pub(crate) mod scripts;
mod secrets;
mod shell;
mod subject;
mod web;

use std::path::PathBuf;

use serde::Serialize;

use crate::diff::DiffError;
use crate::image::ImageError;
use crate::overlay::{Order, OverlayError};

pub use docs::{explanation, list, reference};
pub use finding::Finding;
pub use print::{github, sarif, text};
pub use rule::{Rule, Severity, rule, rules};
pub use run::lint;

/// Name of the file in an overlay that says what is allowed there.
pub use allow::ALLOW_FILE;

/// Room that an image leaves in its slot, in bytes, before a warning: the next base may be larger.
pub const MARGIN: u64 = 8 << 20;

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Overlay folders, in the order in which they apply.
    pub overlays: Vec<PathBuf>,
    /// A firmware file to look at instead.
    pub image: Option<PathBuf>,
    /// The firmware file that the overlays are for, or that the image was made of; a bare squashfs will do.
    pub base: Option<PathBuf>,
    /// In which order `scripts/` and `root/` are applied.
    pub order: Order,
    /// What a build appends to the base's version.
    pub version_suffix: Option<String>,
    /// Room that is to be left in the slot of the root, in bytes.
    pub margin: u64,
    /// A further list of what is allowed, for all overlays or for the image.
    pub allow: Option<PathBuf>,
    /// Whether the machine's interpreters are left alone, which otherwise are asked about the syntax of scripts. Nothing is
    /// known of it then, as where they are missing.
    pub without_interpreters: bool,
}

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// An overlay folder is not there, or there twice.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The base or the image cannot be read.
    #[error(transparent)]
    Root(#[from] DiffError),
    /// The base or the image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is nothing to look at, or too much.
    #[error("{0}")]
    Usage(&'static str),
}

impl LintError {
    /// Whether the call itself was wrong.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Overlay(error) => error.is_wrong_usage(),
            Self::Root(_) | Self::Image(_) => false,
        }
    }

    /// Whether a file is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Root(error) => error.is_wrong_input(),
            Self::Image(error) => error.is_wrong_input(),
            Self::Overlay(_) | Self::Usage(_) => false,
        }
    }
}

/// Rules that were not looked at, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Their codes.
    pub codes: Vec<&'static str>,
    /// Why.
    pub reason: String,
}

/// The whole report. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this report's form.
    pub schema: u32,
    /// Names of the overlays, or of the image.
    pub looked_at: Vec<String>,
    /// Their folders or file, as they were given, in the same order.
    pub folders: Vec<String>,
    /// The base, as it was given.
    pub base: Option<String>,
    /// Whether there is neither an error nor a warning.
    pub ok: bool,
    /// What was found, what is allowed included.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are listed, of rules that had very many.
    pub more: u64,
    /// What was not looked at.
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// How many findings of a severity are not allowed.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|one| one.allowed.is_none() && one.severity == severity).count()
    }

    /// Takes out what is less bad than `least`.
    pub fn keep(&mut self, least: Severity) {
        self.findings.retain(|finding| finding.severity >= least);
        self.ok = !self.findings.iter().any(Finding::counts);
    }
}
