//! Shows that scripts left the base's parts in the build folder alone.
//!
//! The image gets its root from the base and from the unpacked tree, and its kernel from the base. What a script does
//! to the copies in the build folder would be lost, or mixed with what is right.

use std::path::Path;

use super::BuildError;
use super::state::Stamp;
use crate::digest;
use crate::image::{BOOT, Image, ROOTFS};
use crate::rootfs::session::Report;

/// What is said when a script redraws the boot logo, say: with the time of the build in it, no two images would be equal.
const KERNEL_KEPT: &str = "a script changed boot.img in the build folder, as to draw on the boot logo; the image keeps the kernel and the logo of the base";

/// The parts of an image as they were laid out for scripts.
#[derive(Debug)]
pub(crate) struct Untouched<'a> {
    image: &'a Image,
    /// The folder that they are in.
    parts: &'a Path,
    root: Option<Stamp>,
}

impl<'a> Untouched<'a> {
    /// Takes note of the parts of `image` in the folder `parts`, before scripts run beside them.
    pub(crate) fn note(image: &'a Image, parts: &'a Path) -> Self {
        Self { image, parts, root: Stamp::of_file(&parts.join(ROOTFS)) }
    }

    /// Holds the parts against what a session came to. A root that scripts changed is an error, another kernel a note of
    /// the report.
    ///
    /// # Errors
    /// That of the session, and [`BuildError::Protected`], which tells more than what came of it.
    pub(crate) fn hold(self, report: Result<Report, BuildError>) -> Result<Report, BuildError> {
        if Stamp::of_file(&self.parts.join(ROOTFS)) != self.root && !self.is_untouched(ROOTFS)? {
            return Err(BuildError::Protected { part: ROOTFS });
        }
        let mut report = report?;
        if self.image.span_of(BOOT).is_ok() && !self.is_untouched(BOOT)? {
            report.notes.push(KERNEL_KEPT.to_owned());
        }
        Ok(report)
    }

    fn is_untouched(&self, part: &str) -> Result<bool, BuildError> {
        // A part that is gone has no digest, and so not that of the base.
        let now = digest::of_file(&self.parts.join(part)).map(|(sha256, _)| sha256).unwrap_or_default();
        Ok(now == digest::hex(&self.image.part_sha256(part)?))
    }
}
