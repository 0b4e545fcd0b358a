//! A build up to the finished root, in a folder that goes away: what a plan is made from.

use std::path::{Path, PathBuf};

use crate::build::environment::{self, Places};
use crate::build::{BuildError, Settings, fakeroot, parts};
use crate::container::{SourceFile, Span};
use crate::image::{Image, ROOTFS};
use crate::manifest::Packed;
use crate::overlay::{Overlay, name_apart};
use crate::passing::Passing;
use crate::rootfs::packing::Packing;
use crate::rootfs::session::{self, Report, Scripting};
use crate::rootfs::watch::Watching;
use crate::squashfs::{Filesystem, Tree};
use crate::verify;

use super::BaseFile;
use super::space::{self, Space};

/// What a build came to, up to its finished root.
#[derive(Debug)]
pub struct Trial {
    /// The base.
    pub base: BaseFile,
    /// The overlays in their order.
    pub overlays: Vec<Overlay>,
    /// Whether scripts ran.
    pub ran_scripts: bool,
    /// What every step did, and what is different in the end.
    pub report: Report,
    /// The root of the base; none where its compressor is one that octofw does not read.
    pub before: Option<Tree>,
    /// The root that a build would make, with the same exception.
    pub after: Option<Tree>,
    /// What the slot holds.
    pub space: Space,
}

/// Opens the overlays of the settings, looks at everything that can be judged beforehand, and names them apart.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn open(folders: &[PathBuf]) -> Result<Vec<Overlay>, BuildError> {
    let mut overlays = folders.iter().map(|folder| Overlay::open(folder)).collect::<Result<Vec<_>, _>>()?;
    name_apart(&mut overlays)?;
    overlays.iter().try_for_each(Overlay::check)?;
    Ok(overlays)
}

/// Carries out what `settings` ask for up to the finished root, and throws that away; scripts of both kinds run only
/// with `run_scripts`. The output that they name is not
/// looked at.
///
/// # Errors
/// As a build.
pub fn try_out(settings: &Settings, run_scripts: bool) -> Result<Trial, BuildError> {
    let overlays = open(&settings.overlays)?;
    let image = Image::open(&settings.base)?;
    if let Some(finding) = verify::unreadable(&image) {
        return Err(BuildError::Unreadable { path: settings.base.clone(), problem: finding.message });
    }
    let folder = Passing::make("octofw-plan-")
        .map_err(|e| BuildError::system("cannot make a scratch folder; TMPDIR says where", e))?;
    let scratch = folder.path();
    let parts = parts::folder(scratch);
    let base_at = image.span_of(ROOTFS)?;
    let packing = Packing::of_span(&settings.base, base_at)?;
    let epoch = settings.epoch.unwrap_or(packing.superblock.mkfs_time);
    let tree = scratch.join("root");
    let places = Places { build: scratch, root: &tree, parts: &parts };
    let variables = environment::variables(settings, places, epoch, |name| std::env::var(name).ok());
    let plan = session::Plan {
        base: settings.base.clone(),
        base_at,
        tree,
        result: scratch.join("rootfs.new"),
        result_offset: 0,
        outcome: scratch.join("outcome.json"),
        epoch,
        order: settings.order,
        overlays: overlays.clone(),
        directory: settings.directory.clone(),
        variables,
        processors: settings.processors,
        progress: settings.progress,
        repack: false,
        scripting: Scripting { cache: Some(settings.cache_folder()), rehearse: false },
        watch: Some(Watching { skip_scripts: !run_scripts }),
        faked: None,
    };
    let mut laid = None;
    let lay_out = || {
        if run_scripts {
            laid = Some(parts::lay_out(&image, scratch, &parts)?);
        }
        Ok(())
    };
    let plan_file = scratch.join("plan.json");
    let report = fakeroot::prepare(&plan, &plan_file, lay_out)?.run(&settings.octofw);
    let report = match laid {
        Some(laid) => laid.hold(report)?,
        None => report?,
    };
    let (before, _) = read(&settings.base, base_at);
    let made_at = Span::new(0, report.size);
    let (after, filesystem) = read(&plan.result, made_at);
    let sizes = (base_at.len, report.size);
    let kept = match report.packed {
        Packed::Spliced => packing.superblock.tables.inodes,
        Packed::Repacked => 0,
    };
    let parts = filesystem.zip(after.as_ref());
    let names: Vec<&str> = overlays.iter().map(|overlay| overlay.name.as_str()).collect();
    let attribution =
        parts.map(|(filesystem, tree)| space::shares(&filesystem, tree, &names, &report.changes, kept));
    let space = Space::new(image.slots(ROOTFS), sizes, attribution);
    let file = settings.base.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let base = BaseFile { file, version: image.version().map(str::to_owned) };
    Ok(Trial { base, overlays, ran_scripts: run_scripts, report, before, after, space })
}

/// A root and its tree; what cannot be read here, a session has told of.
fn read(file: &Path, at: Span) -> (Option<Tree>, Option<Filesystem>) {
    let opened = SourceFile::open(file).ok();
    let filesystem = opened.and_then(|file| Filesystem::open_at(file, at).ok());
    let tree = filesystem.as_ref().and_then(|filesystem| filesystem.tree().ok());
    (tree, filesystem)
}
