//! The stages up to the new root: the session does its work, and what scripts look for is laid out beside it.

use std::path::Path;
use std::time::Instant;

use super::environment::{self, Places};
use super::scratch::{PLAN, Scratch};
use super::state::State;
use super::work::{Work, hashes};
use super::{BuildError, fakeroot, parts};
use crate::image::{Image, ROOTFS};
use crate::manifest::{AppliedOverlay, Base, Manifest};
use crate::overlay::Overlay;
use crate::rootfs::packing::Packing;
use crate::rootfs::session::{Plan, Report, Scripting};
use crate::rootfs::steps::Step;
use crate::sbom::inside;
use crate::verify;

/// What is said of the bill of materials in an image, which is made before the overlays are applied.
const BILL_BEFORE: &str = "the bill of materials inside the image lists overlays as they were before their pre-scripts ran; that beside the image lists what came of them";

/// A new root, and how it came to be.
pub(super) struct MadeRoot {
    pub(super) plan: Plan,
    pub(super) report: Report,
    /// How the base's root is packed.
    pub(super) packing: Packing,
    /// The overlays as they were when they were applied.
    pub(super) applied: Vec<AppliedOverlay>,
}

impl Work<'_> {
    /// Builds the image and puts it in its place.
    pub(super) fn build(
        &self,
        state: &mut State,
        overlays: &[Overlay],
    ) -> Result<(Manifest, Vec<Step>), BuildError> {
        let image = Image::read(&self.settings.base)?;
        if let Some(finding) = verify::unreadable(&image) {
            return Err(BuildError::Unreadable {
                path: self.settings.base.clone(),
                problem: finding.message,
            });
        }
        let scratch = Scratch::make(&self.settings.out)?;
        let mut pre_scripts = false;
        for overlay in overlays {
            pre_scripts |= overlay.has_pre_scripts()?;
        }
        // They may take minutes.
        if pre_scripts {
            self.base.check()?;
        }
        let made = self.make_root(&image, &scratch, overlays);
        // A damaged base explains whatever else went wrong.
        self.base.check()?;
        let made = made?;
        self.base.note(state)?;
        state.note_right_sums(self.base.sha256()?);
        self.finish(state, &image, made)
    }

    fn make_root(
        &self,
        image: &Image,
        scratch: &Scratch,
        overlays: &[Overlay],
    ) -> Result<MadeRoot, BuildError> {
        let start = Instant::now();
        self.progress.begin("read the base");
        let parts = parts::folder(&scratch.path);
        let base_at = image.span_of(ROOTFS)?;
        let packing = Packing::of_span(&self.settings.base, base_at)?;
        let epoch = self.settings.epoch.unwrap_or(packing.superblock.mkfs_time);
        let tree = scratch.root()?;
        let places = Places { build: &scratch.path, root: &tree, parts: &parts };
        let variables = environment::variables(self.settings, places, epoch, |name| std::env::var(name).ok());
        let given = overlays.len();
        let mut overlays = overlays.to_vec();
        if let Some(place) = &self.settings.sbom {
            overlays.push(self.bill(&self.base(image)?, &overlays, epoch, place, &scratch.path)?);
        }
        let mut applied = hashes(&overlays)?;
        let scripted = any_scripts(&overlays)?;
        self.progress.done("read the base", start);
        let plan = Plan {
            base: self.settings.base.clone(),
            base_at,
            tree,
            result: scratch.path.join("firmware.new"),
            result_offset: image.new_root_offset()?,
            outcome: scratch.path.join("outcome.json"),
            epoch,
            order: self.settings.order,
            overlays,
            directory: self.settings.directory.clone(),
            variables,
            processors: self.settings.processors,
            progress: self.settings.progress,
            repack: self.settings.repack,
            scripting: Scripting {
                cache: Some(self.settings.cache_folder()),
                rehearse: self.settings.rehearse,
            },
            watch: None,
            faked: None,
        };
        let mut laid = None;
        let lay_out = || {
            if scripted {
                laid = Some(parts::lay_out(image, &scratch.path, &parts)?);
            }
            Ok(())
        };
        let plan_file = scratch.path.join(PLAN);
        let prepared = fakeroot::prepare(&plan, &plan_file, lay_out)?;
        // Unpacking keeps every processor busy, the session does not.
        self.base.go_on();
        let report = prepared.run(&self.settings.octofw);
        let mut report = match laid {
            Some(laid) => laid.hold(report)?,
            None => report?,
        };
        for overlay in &mut applied {
            if let Some(made) = report.made.get(&overlay.name) {
                overlay.tree_sha256.clone_from(made);
            }
        }
        if !report.made.is_empty() {
            self.admit(applied.get(..given).unwrap_or(&applied))?;
            if self.settings.sbom.is_some() {
                report.notes.push(BILL_BEFORE.to_owned());
            }
        }
        for note in &report.notes {
            self.progress.say(&format!("note: {note}"));
        }
        Ok(MadeRoot { plan, report, packing, applied })
    }

    /// The overlay that puts the bill of materials into the image, made in the build folder.
    fn bill(
        &self,
        base: &Base,
        overlays: &[Overlay],
        epoch: u32,
        place: &str,
        folder: &Path,
    ) -> Result<Overlay, BuildError> {
        let suffix = self.settings.version_suffix.as_deref().unwrap_or_default();
        let version = base.version.as_ref().map(|version| format!("{version}{suffix}"));
        let tools = self.tools.clone().into_iter().collect();
        let root = &self.settings.base;
        let overlay = inside::Plan { base, root, overlays, version, tools, epoch }.overlay(folder, place)?;
        overlay.check()?;
        Ok(overlay)
    }
}

/// Whether any overlay has a script.
pub(super) fn any_scripts(overlays: &[Overlay]) -> Result<bool, BuildError> {
    for overlay in overlays {
        if overlay.has_scripts()? {
            return Ok(true);
        }
    }
    Ok(false)
}
