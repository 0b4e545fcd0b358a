//! What a build is made of: by what it is known again, and what is known of its inputs.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::base::BaseFile;
use super::progress::Progress;
use super::state::State;
use super::{BuildError, Settings};
use crate::digest;
use crate::image::Image;
use crate::lock::Lock;
use crate::manifest::{AppliedOverlay, Base, Manifest};
use crate::overlay::{Order, Overlay, tree_hash};

/// What stays the same during one build.
pub(super) struct Work<'a> {
    pub(super) settings: &'a Settings,
    pub(super) progress: Progress,
    pub(super) tools: BTreeMap<String, String>,
    pub(super) base: BaseFile,
}

/// Everything that decides about the bytes of image and manifest.
#[derive(Serialize)]
struct Key<'a> {
    octofw_sha256: String,
    base: String,
    base_sha256: &'a str,
    overlays: &'a [AppliedOverlay],
    order: Order,
    profile: Option<&'a str>,
    version_suffix: Option<&'a str>,
    git_version: Option<String>,
    offline: bool,
    repack: bool,
    sbom: Option<&'a str>,
    epoch: Option<u32>,
    tools: &'a BTreeMap<String, String>,
}

impl Work<'_> {
    pub(super) fn key(&self, state: &mut State, overlays: &[AppliedOverlay]) -> Result<String, BuildError> {
        let octofw_sha256 = state
            .sha256(&self.settings.octofw)
            .map_err(|e| BuildError::system(format!("cannot read {}", self.settings.octofw.display()), e))?;
        let key = Key {
            octofw_sha256,
            base: self.base_name(),
            base_sha256: self.base.sha256()?,
            overlays,
            order: self.settings.order,
            profile: self.settings.profile.as_deref(),
            version_suffix: self.settings.version_suffix.as_deref(),
            git_version: std::env::var("GIT_VERSION").ok(),
            offline: self.settings.offline,
            repack: self.settings.repack,
            sbom: self.settings.sbom.as_deref(),
            epoch: self.settings.epoch,
            tools: &self.tools,
        };
        let text = serde_json::to_vec(&key)
            .map_err(|e| BuildError::system("cannot write the stage key", e.into()))?;
        Ok(digest::hex(&Sha256::digest(&text)))
    }

    /// The manifest of the last build, where it had this key and its files are as it left them.
    pub(super) fn current(&self, state: &mut State, key: &str) -> Option<Manifest> {
        let path = Manifest::path_for(&self.settings.out);
        if !state.is_current(key, &[&self.settings.out, &path]) {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Holds base and overlays, as their pre-scripts left them, against the lock.
    pub(super) fn admit(&self, overlays: &[AppliedOverlay]) -> Result<(), BuildError> {
        let Some(lock) = &self.settings.lock else { return Ok(()) };
        let mut met = Lock::new();
        met.lock_base(&self.base_name(), self.base.sha256()?);
        for overlay in overlays {
            met.lock_overlay(&overlay.name, &overlay.tree_sha256);
        }
        for drift in lock.admit_images(&met, self.settings.locked)? {
            self.progress.warn(&drift.to_string());
        }
        Ok(())
    }

    /// What a manifest says of the base.
    pub(super) fn base(&self, image: &Image) -> Result<Base, BuildError> {
        Ok(Base {
            file: self.base_name(),
            sha256: self.base.sha256()?.to_owned(),
            version: image.version().map(str::to_owned),
        })
    }

    /// The base by its file name: where it lies must not reach the output.
    fn base_name(&self) -> String {
        self.settings.base.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The overlays as they are now.
pub(super) fn hashes(overlays: &[Overlay]) -> Result<Vec<AppliedOverlay>, BuildError> {
    let mut list = Vec::new();
    for overlay in overlays {
        list.push(AppliedOverlay {
            name: overlay.name.clone(),
            tree_sha256: tree_hash::of_overlay(overlay)?,
        });
    }
    Ok(list)
}
