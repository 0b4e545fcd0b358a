//! The stages up to the new root: the base's parts are laid out, pre-scripts run, and the session does its work.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use super::environment::{self, Places};
use super::scratch::{PLAN, Scratch};
use super::state::State;
use super::work::{Work, hashes};
use super::{BuildError, fakeroot};
use crate::digest;
use crate::image::{BOOT, Image, ImageError, ROOTFS};
use crate::manifest::{AppliedOverlay, Manifest};
use crate::overlay::Overlay;
use crate::overlay::scripts::{self, PRE_SCRIPTS, SCRIPTS, Surroundings};
use crate::rootfs::packing::Packing;
use crate::rootfs::session::{Plan, Report};
use crate::verify;

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
    pub(super) fn build(&self, state: &mut State, overlays: &[Overlay]) -> Result<Manifest, BuildError> {
        let image = Image::read(&self.settings.base)?;
        if let Some(finding) = verify::unreadable(&image) {
            return Err(BuildError::Unreadable {
                path: self.settings.base.clone(),
                problem: finding.message,
            });
        }
        let scratch = Scratch::make(&self.settings.out)?;
        let mut sums_known = state.has_right_sums(&self.base_sha256);
        let pre_scripts = any_scripts(overlays, PRE_SCRIPTS)?;
        // They may take minutes.
        if pre_scripts && !sums_known {
            image.check()?;
            sums_known = true;
        }
        let made = thread::scope(|scope| {
            let sums = (!sums_known).then(|| scope.spawn(|| image.check()));
            let made = self.make_root(&image, &scratch, overlays);
            match sums.map(thread::ScopedJoinHandle::join) {
                // A damaged base explains whatever else went wrong.
                Some(Ok(Err(error))) => Err(error.into()),
                Some(Err(_)) => Err(BuildError::Thread),
                Some(Ok(Ok(()))) | None => made,
            }
        })?;
        state.note_right_sums(&self.base_sha256);
        self.finish(state, &image, made)
    }

    fn make_root(
        &self,
        image: &Image,
        scratch: &Scratch,
        overlays: &[Overlay],
    ) -> Result<MadeRoot, BuildError> {
        let start = Instant::now();
        let (pre_scripts, scripts) = (any_scripts(overlays, PRE_SCRIPTS)?, any_scripts(overlays, SCRIPTS)?);
        let parts = scratch.path.join("rk-unpacked");
        if pre_scripts {
            lay_out(image, &scratch.path, &parts)?;
        }
        let base_at = image.span_of(ROOTFS)?;
        let packing = Packing::of_span(&self.settings.base, base_at)?;
        let epoch = self.settings.epoch.unwrap_or(packing.superblock.mkfs_time);
        let tree = scratch.root()?;
        let places = Places { build: &scratch.path, root: &tree, parts: &parts };
        let variables = environment::variables(self.settings, places, epoch, |name| std::env::var(name).ok());
        self.progress.done("read the base", start);
        for overlay in overlays {
            self.pre_scripts(overlay, &tree, &variables)?;
        }
        if pre_scripts {
            check_untouched(image, &parts, ROOTFS)?;
        }
        let applied = hashes(overlays)?;
        let plan = Plan {
            base: self.settings.base.clone(),
            base_at,
            tree,
            result: scratch.path.join("firmware.new"),
            result_offset: image.new_root_offset()?,
            outcome: scratch.path.join("outcome.json"),
            epoch,
            order: self.settings.order,
            overlays: overlays.to_vec(),
            directory: self.settings.directory.clone(),
            variables,
            processors: self.settings.processors,
            progress: self.settings.progress,
            repack: self.settings.repack,
            faked: None,
        };
        let lay_out = || match scripts && !pre_scripts {
            true => lay_out(image, &scratch.path, &parts),
            false => Ok(()),
        };
        let plan_file = scratch.path.join(PLAN);
        let report = fakeroot::run_beside(&self.settings.octofw, &plan, &plan_file, lay_out)?;
        for note in &report.notes {
            self.progress.say(&format!("note: {note}"));
        }
        // Scripts can reach the kernel in the build folder; what they do to it would be lost, so it is an error. An
        // overlay may have got scripts by its pre-scripts.
        if image.span_of(BOOT).is_ok() && (pre_scripts || scripts) {
            check_untouched(image, &parts, BOOT)?;
        }
        Ok(MadeRoot { plan, report, packing, applied })
    }

    /// Runs the pre-scripts of an overlay, where it has any.
    fn pre_scripts(
        &self,
        overlay: &Overlay,
        root: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), BuildError> {
        if !overlay.has_pre_scripts()? {
            return Ok(());
        }
        let start = Instant::now();
        let hidden = ["FAKEROOTKEY".to_owned(), "LD_PRELOAD".to_owned()];
        let surroundings =
            Surroundings { directory: &self.settings.directory, root, variables, hidden: &hidden };
        scripts::run(overlay, PRE_SCRIPTS, surroundings)?;
        overlay.check()?;
        self.progress.done(&format!("pre-scripts of {}", overlay.name), start);
        Ok(())
    }
}

/// Lays the base's parts out where the community's scripts look for them.
fn lay_out(image: &Image, build: &Path, parts: &Path) -> Result<(), BuildError> {
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|e| BuildError::system(format!("cannot write {}", path.display()), e))
    };
    fs::create_dir(parts).map_err(|e| BuildError::system(format!("cannot make {}", parts.display()), e))?;
    if let Some(upfile) = image.upfile() {
        write(build.join("UPFILE_VERSION"), upfile.version.text())?;
        write(build.join("UPFILE_BUILD_DATE"), upfile.date.text())?;
    }
    for part in [ROOTFS, BOOT] {
        // A base without a kernel has nothing for scripts to read.
        if matches!(image.span_of(part), Err(ImageError::NoPart { .. })) {
            continue;
        }
        let path = parts.join(part);
        // It need not outlive a loss of power.
        let mut file = File::create_new(&path)
            .map_err(|e| BuildError::system(format!("cannot write {}", path.display()), e))?;
        image.copy_part(part, &mut file, &path)?;
    }
    Ok(())
}

/// Whether any overlay has scripts of a kind.
fn any_scripts(overlays: &[Overlay], kind: &str) -> Result<bool, BuildError> {
    for overlay in overlays {
        if !scripts::find(overlay, kind)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Shows that a part in the build folder is still that of the base, whatever scripts could do to it.
fn check_untouched(image: &Image, parts: &Path, part: &'static str) -> Result<(), BuildError> {
    // A part that is gone has no digest, and so not that of the base.
    let now = digest::of_file(&parts.join(part)).map(|(sha256, _)| sha256).unwrap_or_default();
    if now == digest::hex(&image.part_sha256(part)?) { Ok(()) } else { Err(BuildError::Protected { part }) }
}
