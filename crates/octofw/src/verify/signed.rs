//! Whether an image is the one that a signed manifest tells of: the signature covers the manifest, and the manifest has
//! the image's digest.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::Finding;
use crate::digest;
use crate::image::{Image, ImageError};
use crate::manifest::Manifest;
use crate::sign::{PublicKey, SignError, path_for};

/// Bytes of a manifest that are read; a line of it tells of a changed path, and a root has some ten thousand.
const LONGEST_MANIFEST: u64 = 64 * 1024 * 1024;

/// What to hold an image's manifest against.
#[derive(Debug)]
pub struct Signed<'a> {
    /// The manifest; that beside the image where none is given.
    pub manifest: Option<&'a Path>,
    /// Whose signature it must have. Without a key only the manifest and the image are compared.
    pub key: Option<&'a PublicKey>,
}

pub(super) fn check(
    image: &Path,
    signed: &Signed<'_>,
    base: Option<&Image>,
    findings: &mut Vec<Finding>,
) -> Result<(), ImageError> {
    let manifest = signed.manifest.map_or_else(|| Manifest::path_for(image), Path::to_path_buf);
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| ImageError::Io { action: "read", path, source }
    };
    let bytes = match read_bounded(&manifest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("there is no {}; get it from where the image is from", manifest.display());
            findings.push(Finding::error("manifest-missing", message));
            return Ok(());
        }
        bytes => bytes.map_err(read(&manifest))?,
    };
    if let Some(key) = signed.key {
        findings.extend(of_signature(&manifest, key));
    }
    let Ok(told) = serde_json::from_slice::<Manifest>(&bytes) else {
        let message = format!("{} is no manifest of an image", manifest.display());
        findings.push(Finding::error("manifest-malformed", message));
        return Ok(());
    };
    let (sha256, _) = digest::of_file(image).map_err(read(image))?;
    if sha256 != told.result.sha256 {
        let message = format!(
            "the file has SHA-256 {sha256}, its manifest is of one with {}: it was changed, or is another one",
            told.result.sha256
        );
        findings.push(Finding::error("manifest-differs", message));
    }
    if let Some(base) = base {
        let (sha256, _) = digest::of_file(base.path()).map_err(read(base.path()))?;
        if sha256 != told.base.sha256 {
            let message = format!(
                "the base has SHA-256 {sha256}, the manifest names {} with {}",
                told.base.file, told.base.sha256
            );
            findings.push(Finding::error("manifest-base-differs", message));
        }
    }
    Ok(())
}

/// A file, or as much of it as any manifest has.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_MANIFEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is wrong with the signature of a file, if anything.
fn of_signature(file: &Path, key: &PublicKey) -> Option<Finding> {
    let signature: PathBuf = path_for(file);
    let error = key.check(file, &signature).err()?;
    let code = match &error {
        SignError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => "signature-missing",
        SignError::Wrong { .. } => "signature-wrong",
        _ => "signature-malformed",
    };
    Some(Finding::error(code, crate::command::whole(&error)))
}
