//! The bill of materials that goes into the image itself. It is made before the root is: from the base, the packages in
//! the base's root, and the overlays as they lie there. The digest of the image it is part of cannot be in it.

use std::fs::{self, File};
use std::io;
use std::path::{Component as Step, Path};

use super::bom::{Bom, Component, Kind};
use super::content::{Contents, Part, Piece, versioned};
use super::{SbomError, file_error, packages, write};
use crate::diff::root::Root;
use crate::digest::Twice;
use crate::manifest::Base;
use crate::overlay::{Overlay, OverlayError, entries, tree_hash};

/// The name of the overlay that brings the bill.
pub const NAME: &str = "octofw-sbom";
/// How files are called in which overlays bring the bills of their programs.
const PROGRAM: &str = ".cdx.json";
/// Longer files are no such bills, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What an image is going to be made of.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The base.
    pub base: &'a Base,
    /// The file with the base's root: the base itself, or a bare squashfs.
    pub root: &'a Path,
    /// The overlays, in their order.
    pub overlays: &'a [Overlay],
    /// The version that the image will have.
    pub version: Option<String>,
    /// Tools with their versions.
    pub tools: Vec<(String, String)>,
    /// Time of packing, in seconds since 1970.
    pub epoch: u32,
}

/// Why there is no bill to put into an image.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// The folder that was asked for is none of a root.
    #[error("--sbom {place}: it must be a folder of the root, such as /usr/share/sbom")]
    Place {
        /// The folder as it was given.
        place: String,
    },
    /// An overlay cannot be read.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The bill cannot be made.
    #[error(transparent)]
    Sbom(#[from] SbomError),
}

impl Plan<'_> {
    /// Makes an overlay in `folder` that puts `image.cdx.json` and `image.spdx.json` into the folder `place` of the root.
    ///
    /// # Errors
    /// When the base or an overlay cannot be read, or the folder not be written.
    pub fn overlay(self, folder: &Path, place: &str) -> Result<Overlay, InsideError> {
        let place = place.trim_matches('/');
        if place.is_empty() || !Path::new(place).components().all(|step| matches!(step, Step::Normal(_))) {
            return Err(InsideError::Place { place: place.to_owned() });
        }
        let bom = self.bill()?;
        let folder = folder.join(NAME);
        let inside = folder.join("root").join(place);
        fs::create_dir_all(&inside).map_err(file_error("create", &inside))?;
        for name in ["image.cdx.json", "image.spdx.json"] {
            write(&bom, &inside.join(name))?;
        }
        Ok(Overlay::open(&folder)?)
    }

    fn bill(self) -> Result<Bom, InsideError> {
        let image = Component::new(Kind::Firmware, "image", "printer firmware");
        let (mut overlays, mut programs) = (Vec::new(), Vec::new());
        for overlay in self.overlays {
            let tree_sha256 = tree_hash::of_overlay(overlay)?;
            let mut files = Vec::new();
            add_files(overlay, &overlay.folder.join("root"), "", &mut files, &mut programs)?;
            overlays.push(Part { name: overlay.name.clone(), tree_sha256, files });
        }
        let root = Root::open(self.root).map_err(SbomError::from)?;
        let contents = Contents {
            image: versioned(image, self.version.as_ref()),
            base: self.base.clone(),
            overlays,
            packages: packages::of_root(&root)?,
            programs,
            tools: self.tools,
            epoch: self.epoch,
        };
        Ok(contents.bill().map_err(SbomError::Write)?)
    }
}

/// The files below `root/` of an overlay, and the bills of programs among them. Links are no files.
fn add_files(
    overlay: &Overlay,
    folder: &Path,
    prefix: &str,
    files: &mut Vec<Piece>,
    programs: &mut Vec<Bom>,
) -> Result<(), InsideError> {
    for (name, place) in entries(overlay, folder)? {
        let path = format!("{prefix}/{name}");
        let kind = fs::symlink_metadata(&place).map_err(file_error("read", &place))?.file_type();
        if kind.is_dir() {
            add_files(overlay, &place, &path, files, programs)?;
        } else if kind.is_file() {
            let failed = || file_error("read", &place);
            let mut file = File::open(&place).map_err(failed())?;
            // A document of another tool, or of something else, is a file like others.
            if name.ends_with(PROGRAM)
                && file.metadata().map_err(failed())?.len() <= LONGEST
                && let Ok(bom) = super::read(&place)
                && bom.metadata.component.kind == Kind::Application
            {
                programs.push(bom);
            }
            let mut digests = Twice::default();
            io::copy(&mut file, &mut digests).map_err(failed())?;
            let (sha1, sha256) = digests.finish();
            files.push(Piece { path, sha256, sha1, mode: None, owner: None });
        }
    }
    Ok(())
}
