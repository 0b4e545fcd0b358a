//! The last look at a finished image, before it takes the place of an older one.

use std::path::Path;

use super::BuildError;
use crate::image::Image;
use crate::verify::{self, Severity};

/// Reads the finished image again from the disk: every sum must match, and nothing but the root file system and the
/// version may differ from the base.
///
/// # Errors
/// When it cannot be read, a sum is wrong, or a protected part is not that of the base.
pub fn prove(base: &Image, made: &Path) -> Result<(), BuildError> {
    let findings = verify::against_base(&Image::open(made)?, base, false)?;
    let errors: Vec<String> = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(BuildError::Unsound { problems: errors.join("; ") }) }
}
