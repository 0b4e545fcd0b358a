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

/// Has `session` run scripts beside the parts of `image` in the folder `parts`. A root that they changed is an error,
/// another kernel a note of the report.
///
/// # Errors
/// Those of the session, and [`BuildError::Protected`], which tells more than what came of it.
pub(crate) fn beside(
    image: &Image,
    parts: &Path,
    session: impl FnOnce() -> Result<Report, BuildError>,
) -> Result<Report, BuildError> {
    let root = parts.join(ROOTFS);
    let stamp = Stamp::of_file(&root);
    let report = session();
    if Stamp::of_file(&root) != stamp && !is_untouched(image, parts, ROOTFS)? {
        return Err(BuildError::Protected { part: ROOTFS });
    }
    let mut report = report?;
    if image.span_of(BOOT).is_ok() && !is_untouched(image, parts, BOOT)? {
        report.notes.push(KERNEL_KEPT.to_owned());
    }
    Ok(report)
}

fn is_untouched(image: &Image, parts: &Path, part: &str) -> Result<bool, BuildError> {
    // A part that is gone has no digest, and so not that of the base.
    let now = digest::of_file(&parts.join(part)).map(|(sha256, _)| sha256).unwrap_or_default();
    Ok(now == digest::hex(&image.part_sha256(part)?))
}
