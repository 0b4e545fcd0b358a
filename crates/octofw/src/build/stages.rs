//! The stages up to the new root: the session does its work, and what scripts look for is laid out beside it.

use std::path::Path;
use std::time::Instant;

use super::environment::{self, Places};
use super::fakeroot::Session;
use super::finish::MadeRoot;
use super::scratch::{PLAN, Scratch};
use super::state::State;
use super::untouched::Untouched;
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

/// The last stage, as it is told.
const IMAGE: &str = "write the image";
/// What is said of the bill of materials in an image, which is made before the overlays are applied.
const BILL_BEFORE: &str = "the bill of materials inside the image lists overlays as they were before their pre-scripts ran; that beside the image lists what came of them";

/// A session at work, and what it was started with.
struct Begun<'a> {
    plan: Plan,
    session: Session,
    /// How many bytes the new root has, which is written; none where the session does not tell before its end.
    size: Option<u64>,
    /// How the base's root is packed.
    packing: Packing,
    /// The base's parts, which scripts find beside them.
    laid: Option<Untouched<'a>>,
    /// The overlays as they were when the session began, and how many of them were given.
    applied: Vec<AppliedOverlay>,
    given: usize,
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
        let parts = parts::folder(&scratch.path);
        let mut pre_scripts = false;
        for overlay in overlays {
            pre_scripts |= overlay.has_pre_scripts()?;
        }
        // They may take minutes.
        if pre_scripts {
            self.base.check()?;
        }
        let begun = self.begin_root(&image, &scratch, &parts, overlays);
        // A damaged base explains whatever else went wrong.
        self.base.check()?;
        let Begun { plan, session, size, packing, laid, mut applied, given } = begun?;
        let ended = || {
            let report = session.end();
            match laid {
                Some(laid) => laid.hold(report),
                None => report,
            }
        };
        let (start, sealed, report) = match size {
            // The root is proven while the image around it is made.
            Some(size) => {
                let start = self.begin_image();
                let (sealed, report) = self.seal(&image, &plan, size, ended);
                // What the session says explains more.
                let report = report?;
                (start, sealed?, report)
            }
            None => {
                let report = ended()?;
                let start = self.begin_image();
                let (sealed, report) = self.seal(&image, &plan, report.size, || Ok(report));
                (start, sealed?, report?)
            }
        };
        let report = self.look_at(report, &mut applied, given)?;
        self.base.note(state)?;
        state.note_right_sums(self.base.sha256()?);
        let made = MadeRoot { plan, report, packing, applied };
        let finished = self.finish(state, &image, made, sealed)?;
        self.progress.done(IMAGE, start);
        Ok(finished)
    }

    fn begin_image(&self) -> Instant {
        self.progress.begin(IMAGE);
        Instant::now()
    }

    /// Starts the session, and waits until it has written the new root, or ended.
    fn begin_root<'a>(
        &self,
        image: &'a Image,
        scratch: &Scratch,
        parts: &'a Path,
        overlays: &[Overlay],
    ) -> Result<Begun<'a>, BuildError> {
        let start = Instant::now();
        self.progress.begin("read the base");
        let base_at = image.span_of(ROOTFS)?;
        let packing = Packing::of_span(&self.settings.base, base_at)?;
        let epoch = self.settings.epoch.unwrap_or(packing.superblock.mkfs_time);
        let tree = scratch.root()?;
        let places = Places { build: &scratch.path, root: &tree, parts };
        let variables = environment::variables(self.settings, places, epoch, |name| std::env::var(name).ok());
        let given = overlays.len();
        let mut overlays = overlays.to_vec();
        if let Some(place) = &self.settings.sbom {
            overlays.push(self.bill(&self.base(image)?, &overlays, epoch, place, &scratch.path)?);
        }
        let applied = hashes(&overlays)?;
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
                laid = Some(parts::lay_out(image, &scratch.path, parts)?);
            }
            Ok(())
        };
        let plan_file = scratch.path.join(PLAN);
        let prepared = fakeroot::prepare(&plan, &plan_file, lay_out)?;
        // Unpacking keeps every processor busy, the session does not.
        self.base.go_on();
        let mut session = prepared.begin(&self.settings.octofw)?;
        let size = session.written();
        Ok(Begun { plan, session, size, packing, laid, applied, given })
    }

    /// Holds what the pre-scripts made of the overlays against the lock, and says what the report has to say.
    fn look_at(
        &self,
        mut report: Report,
        applied: &mut [AppliedOverlay],
        given: usize,
    ) -> Result<Report, BuildError> {
        for overlay in &mut *applied {
            if let Some(made) = report.made.get(&overlay.name) {
                overlay.tree_sha256.clone_from(made);
            }
        }
        if !report.made.is_empty() {
            self.admit(applied.get(..given).unwrap_or(applied))?;
            if self.settings.sbom.is_some() {
                report.notes.push(BILL_BEFORE.to_owned());
            }
        }
        for note in &report.notes {
            self.progress.say(&format!("note: {note}"));
        }
        Ok(report)
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
