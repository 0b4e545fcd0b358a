//! The last look at a finished image, before it takes the place of an older one.

use std::path::Path;

use super::BuildError;
use crate::container::assemble::Written;
use crate::image::Image;
use crate::verify::{self, Severity};

/// Reads the finished image's headers again from the disk. They must state the sums that were taken from the file after
/// all else was written, over the same ranges; and nothing but the root file system and the version may differ from the
/// base.
///
/// # Errors
/// When it cannot be read, a sum is wrong, or a protected part is not that of the base.
pub fn prove(base: &Image, made: &Path, written: &Written) -> Result<(), BuildError> {
    let image = Image::read(made)?;
    if !image.states(written) {
        return Err(BuildError::Unsound {
            problems: "a header states another sum than that of the content".into(),
        });
    }
    let findings = verify::against_base(&image, base, false)?;
    let errors: Vec<String> = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(BuildError::Unsound { problems: errors.join("; ") }) }
}
