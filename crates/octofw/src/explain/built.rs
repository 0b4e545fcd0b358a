//! Explaining a path of a built image, by the manifest that lies beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::{Below, Explanation, Hand, near, result, way};
use crate::container::SourceFile;
use crate::digest;
use crate::image::{Image, ImageError, ROOTFS};
use crate::manifest::{Change, Manifest};
use crate::plan::Effect;
use crate::rootfs::snapshot::What;
use crate::rootfs::watch::Part;
use crate::squashfs::{Filesystem, ReadError, Tree};

/// Why nothing can be told of an image.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// It cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its root cannot be read.
    #[error(transparent)]
    Root(#[from] ReadError),
    /// The manifest, or the image for its digest, cannot be read.
    #[error("cannot read {}: without its manifest nobody knows who made what; name --base and --overlay instead", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The manifest is none.
    #[error("{} is no manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The manifest is that of another image.
    #[error("{} is the manifest of another image than {}: build again, or put the two together", manifest.display(), image.display())]
    Another {
        /// The manifest.
        manifest: PathBuf,
        /// The image.
        image: PathBuf,
    },
}

impl ExplainError {
    /// Whether a file is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Image(error) => error.is_wrong_input(),
            Self::Root(error) => !matches!(error, ReadError::Io { .. }),
            Self::Io { .. } => false,
            Self::Manifest { .. } | Self::Another { .. } => true,
        }
    }
}

/// Explains a path of an image that was built.
///
/// # Errors
/// When the image or its manifest cannot be read, or they do not belong together.
pub fn of_image(path: &str, image: &Path) -> Result<Explanation, ExplainError> {
    let place = Manifest::path_for(image);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ExplainError::Io { path, source }
    };
    let text = std::fs::read(&place).map_err(io(&place))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|source| ExplainError::Manifest { path: place.clone(), source })?;
    let (sha256, _) = digest::of_file(image).map_err(io(image))?;
    if sha256 != manifest.result.sha256 {
        return Err(ExplainError::Another { manifest: place, image: image.to_owned() });
    }
    let opened = Image::read(image)?;
    let file = SourceFile::open(image).map_err(io(image))?;
    let tree = Filesystem::open_at(file, opened.span_of(ROOTFS)?)?.tree()?;
    Ok(told(path, &manifest, &tree))
}

fn told(path: &str, manifest: &Manifest, tree: &Tree) -> Explanation {
    let way = way::to(tree, path);
    let mut told = Explanation::new(path, &way);
    told.after = way::find(tree, &way.path).map(way::state);
    told.there = told.after.is_some();
    let change = manifest.changes.iter().find(|change| told.path == format!("/{}", change.path));
    if let Some(change) = change {
        told.steps = hands(change);
        told.notes.push(
            match change.what {
                What::Added => "the base does not have it",
                What::Replaced => "the base has something else there",
                What::Deleted => "the base has it",
                What::Attributes => "the base has it with another owner or mode",
            }
            .to_owned(),
        );
    } else if told.there {
        let what = if way::is_directory(tree, &way.path) { "the directory itself" } else { "it" };
        told.notes.push(format!("{what} is as in the base"));
    }
    result(&mut told, tree, &way);
    told.below = way::below(tree, &way.path).map(|(paths, bytes)| {
        let folder = if way.path.is_empty() { String::new() } else { format!("{}/", way.path) };
        let mut changes: Vec<(String, usize)> = Vec::new();
        for overlay in &manifest.overlays {
            let touched = |change: &&Change| {
                change.path != way.path
                    && change.path.starts_with(&folder)
                    && change.overlays.contains(&overlay.name)
            };
            let number = manifest.changes.iter().filter(touched).count();
            if number > 0 {
                changes.push((overlay.name.clone(), number));
            }
        }
        Below { paths, bytes, changes }
    });
    if !told.is_known() {
        let gone = manifest.changes.iter().map(|change| format!("/{}", change.path));
        told.near = near::matches(&told.path, way::paths(tree).chain(gone));
    }
    told
}

/// Of several overlays the manifest does not tell who did what.
fn hands(change: &Change) -> Vec<Hand> {
    let effect = Effect::of(change.what, Part::Root);
    let effect = (change.overlays.len() == 1).then_some(effect);
    let hand = |overlay: &String| Hand { overlay: overlay.clone(), part: None, effect, source: None };
    change.overlays.iter().map(hand).collect()
}
