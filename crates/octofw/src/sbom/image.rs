//! The bill of materials of a finished image: the base, the packages of its root, each overlay with the files it
//! brought, and the programs with their crates. What else is inside the base is not known and not guessed.

use std::path::{Path, PathBuf};

use super::bom::{Bom, Component, Kind};
use super::content::{Contents, Part, Piece, versioned};
use super::{SbomError, file_error, packages, read, read_json};
use crate::diff::root::Root;
use crate::digest::{self, Twice};
use crate::manifest::{Change, Manifest};

/// Makes the bill of an image from its manifest, the image itself, and the bills of the programs in it.
///
/// # Errors
/// When one of the files cannot be read or is not what it should be, or the manifest is that of another image.
pub fn bill(manifest: &Path, image: &Path, programs: &[PathBuf]) -> Result<Bom, SbomError> {
    let told: Manifest = read_json(manifest, "manifest of an image")?;
    let (sha256, _) = digest::of_file(image).map_err(file_error("read", image))?;
    if sha256 != told.result.sha256 {
        return Err(SbomError::Differs { image: image.to_path_buf(), manifest: manifest.to_path_buf() });
    }
    let programs = programs.iter().map(|path| read(path)).collect::<Result<Vec<Bom>, _>>()?;
    let root = Root::open(image)?;
    contents(told, &root, programs)?.bill().map_err(SbomError::Write)
}

fn contents(told: Manifest, root: &Root, programs: Vec<Bom>) -> Result<Contents, SbomError> {
    let image = Component::new(Kind::Firmware, "image", "printer firmware").sha256(&told.result.sha256);
    let mut overlays = Vec::new();
    for overlay in &told.overlays {
        // A path that several overlays touched is the last one's.
        let own = told.changes.iter().filter(|change| change.overlays.last() == Some(&overlay.name));
        let files = own.filter_map(|change| piece(root, change).transpose()).collect::<Result<_, _>>()?;
        overlays.push(Part { name: overlay.name.clone(), tree_sha256: overlay.tree_sha256.clone(), files });
    }
    Ok(Contents {
        image: versioned(image, told.result.version.as_ref()),
        base: told.base,
        overlays,
        packages: packages::of_root(root)?,
        programs,
        tools: told.tools.into_iter().collect(),
        epoch: told.source_date_epoch,
    })
}

/// A file that an overlay brought. What has no digest is no file, or is gone.
fn piece(root: &Root, change: &Change) -> Result<Option<Piece>, SbomError> {
    let mut digests = Twice::default();
    // What is in the image counts, not what the manifest says of it.
    if change.sha256.is_none() || !root.copy(&change.path, &mut digests)? {
        return Ok(None);
    }
    let (sha1, sha256) = digests.finish();
    Ok(Some(Piece {
        path: format!("/{}", change.path.trim_start_matches('/')),
        sha256,
        sha1,
        mode: change.mode.clone(),
        owner: change.owner.clone(),
    }))
}
