//! The part of a build that runs inside fakeroot: unpack, apply the overlays, check, pack.
//!
//! `octofw build` starts itself again as `fakeroot -- octofw session PLAN`. One process tree does all the work on the
//! tree, so that the ownership database lives exactly as long as the files it describes: an inode number that is used
//! again can never bring back an old owner. The outcome goes to a file that the plan names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::checks;
use super::inside::Tree;
use super::listing::{self, ListingError};
use super::packing::{Packing, PackingError};
use super::partial::Partial;
use super::snapshot::{Snapshot, shown};
use super::splicing::{self, Base, SplicingError};
use super::steps::{Step, Steps};
use super::unpacking;
use super::watch::{Seen, Watch, Watching};
use crate::build::progress::Progress;
use crate::command::{Command, CommandError, whole};
use crate::manifest::{Change, Counts, Packed};
use crate::overlay::{Order, Overlay, OverlayError};

/// Longer than a tick of any kernel's clock.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// What a session is to do. It travels as JSON in a file of the build folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The base's squashfs.
    pub base: PathBuf,
    /// Where to unpack it. What is there already was unpacked by [`prepare`].
    pub tree: PathBuf,
    /// Where to write the new squashfs; must not exist.
    pub result: PathBuf,
    /// Where to write the [`Outcome`].
    pub outcome: PathBuf,
    /// Time of packing, and of everything that changes, in seconds since 1970.
    pub epoch: u32,
    /// In which order the parts of an overlay are applied.
    pub order: Order,
    /// The overlays, in their order.
    pub overlays: Vec<Overlay>,
    /// In which folder scripts are started.
    pub directory: PathBuf,
    /// What scripts find in their environment.
    pub variables: BTreeMap<String, String>,
    /// How many processors `mksquashfs` uses, where not all.
    pub processors: Option<u32>,
    /// Whether stages are reported on standard error.
    pub progress: bool,
    /// Whether the root is packed anew as a whole, also where the base's data could be kept.
    pub repack: bool,
    /// What scripts get besides.
    #[serde(default)]
    pub scripting: Scripting,
    /// How the session is watched, where it is for a plan and not for an image.
    #[serde(default)]
    pub watch: Option<Watching>,
}

/// How scripts and other steps are carried out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scripting {
    /// The folder of what scripts fetched, by its content; one in the build folder where none is given.
    pub cache: Option<PathBuf>,
    /// Whether a step that fails is only recorded, so that every step is tried.
    pub rehearse: bool,
}

/// What came of a session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new squashfs is written and proven equal to the tree.
    Done(Report),
    /// It failed.
    Failed {
        /// The whole message, with its causes.
        message: String,
        /// Whether the base is not what it claims to be.
        wrong_input: bool,
    },
}

/// What the overlays did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every path that differs from the base, in byte order.
    pub changes: Vec<Change>,
    /// What the builder of the image should know.
    pub notes: Vec<String>,
    /// Figures of the base's root.
    pub base: Counts,
    /// Figures of the new root.
    pub result: Counts,
    /// How the new root was packed.
    pub packed: Packed,
    /// Bytes of its data that no file needs.
    pub dead_bytes: u64,
    /// Digests of the overlays that have pre-scripts, as these left them, by the overlay's name.
    #[serde(default)]
    pub made: BTreeMap<String, String>,
    /// What came of each step, in their order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What each part of each overlay did, where the session was watched.
    #[serde(default)]
    pub seen: Vec<Seen>,
}

/// Why a session failed.
#[derive(Debug, Error)]
pub enum SessionError {
    /// An overlay is unfit or failed.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// A squashfs tool failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A squashfs and its tree differ.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// The new root could not be made out of the base.
    #[error(transparent)]
    Splicing(#[from] SplicingError),
    /// The base's squashfs is not one.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// The base's squashfs has a sound head, and what follows cannot be unpacked.
    #[error(
        "the base's root file system cannot be unpacked: it is damaged, or packed in a way that this unsquashfs does not know"
    )]
    Unpack {
        /// What unsquashfs said.
        source: CommandError,
    },
    /// A path could not be read or written.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Owners do not stick.
    #[error(
        "owners do not stick: fakeroot has no effect on this program; install fakeroot (apt-get install fakeroot) and use an octofw that is linked to the system's C library"
    )]
    NotFaked,
    /// The number of inodes differs between a squashfs and its tree.
    #[error("{squashfs} has {there} inodes, the unpacked tree {here}: hard links were lost")]
    Inodes {
        /// The squashfs, by its file name.
        squashfs: String,
        /// Inodes in its superblock.
        there: u64,
        /// Inodes in the tree.
        here: u64,
    },
    /// The result would not be fit for the printer.
    #[error("{path}: {problem}")]
    Unfit {
        /// The path in the root.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> SessionError {
    let what = what.into();
    move |source| SessionError::System { what, source }
}

/// Carries out the plan in the file `plan` and writes the outcome where the plan says.
///
/// # Errors
/// Only when plan or outcome cannot be read or written; whatever else fails is part of the outcome.
pub fn run(plan: &Path) -> io::Result<()> {
    // Held until the end: a session outlives a build that is killed, and the next build must not empty its folder.
    let mut held = File::open(plan)?;
    held.lock()?;
    let mut text = Vec::new();
    held.read_to_end(&mut text)?;
    let plan: Plan = serde_json::from_slice(&text)?;
    let outcome = match carry_out(&plan) {
        Ok(report) => Outcome::Done(report),
        Err(error) => Outcome::Failed {
            wrong_input: matches!(
                error,
                SessionError::Packing(PackingError::Format { .. }) | SessionError::Unpack { .. }
            ),
            message: whole(&error),
        },
    };
    fs::write(&plan.outcome, serde_json::to_vec(&outcome)?)
}

fn carry_out(plan: &Plan) -> Result<Report, SessionError> {
    umask(Mode::from_bits_truncate(0o022));
    let progress = Progress::new(plan.progress);
    let start = Instant::now();
    prove_faked(plan)?;
    let packing = Packing::of_file(&plan.base)?;
    let mut notes = Vec::new();
    let readable = match Base::open(&plan.base) {
        Ok(base) => Some(base),
        Err(error) => {
            let reason = error.reason();
            notes.push(format!(
                "the base's data cannot be kept, the root is packed anew as a whole: {reason}"
            ));
            None
        }
    };
    let splice = readable.as_ref().filter(|_| !plan.repack);
    if packing.superblock.has_xattrs && splice.is_none() {
        notes.push(
            "the base has extended attributes; the printer's kernel cannot read them and they are left out"
                .to_owned(),
        );
    }
    let dead = splice.map_or(0, |base| base.filesystem.dead_bytes(&base.tree));
    if dead > 0 {
        notes.push(format!(
            "{dead} bytes of the base's data belong to no file, as in an image that was built without --repack; build on the original base"
        ));
    }
    // Only scripts can touch what nobody named beforehand.
    let mut partial = match splice {
        Some(base) if !any_scripts(plan)? => Some(
            Partial::begin(&base.filesystem, &base.tree, &plan.tree)
                .map_err(system("cannot make the root"))?,
        ),
        _ => None,
    };
    let mut base = match &partial {
        Some(_) => Snapshot::take(&plan.tree).map_err(system("cannot walk the root"))?,
        None => unpack_whole(plan, &packing, readable.as_ref())?,
    };
    progress.done("unpack the root", start);

    let tree = Tree::at(&plan.tree);
    let mut steps = Steps::begin(plan).map_err(system("cannot lay out the commands for scripts"))?;
    let mut touched: BTreeMap<Vec<u8>, BTreeSet<usize>> = BTreeMap::new();
    let mut before = base.clone();
    let whole_tree = readable.as_ref().filter(|_| partial.is_none());
    let mut watch = plan.watch.map(|watching| Watch::new(plan, watching, whole_tree));
    for (number, overlay) in plan.overlays.iter().enumerate() {
        let start = Instant::now();
        if !steps.fit(overlay)? {
            continue;
        }
        if let Some(partial) = &mut partial {
            for path in partial.bring(overlay)? {
                let read = || system(format!("cannot read {}", shown(&path)));
                base.add(&plan.tree, &path).map_err(read())?;
                before.add(&plan.tree, &path).map_err(read())?;
            }
        }
        match &mut watch {
            Some(watch) => {
                watch.overlay((number, overlay), &tree, &before, |part| steps.part(overlay, part))?;
            }
            None => steps.overlay(overlay)?,
        }
        let mut after = Snapshot::take(&plan.tree).map_err(system("cannot walk the root"))?;
        checks::check_sizes(overlay, &before, &after)?;
        if let (Some(readable), None) = (&readable, &partial) {
            after.mark_rewritten(&before, |path| readable.differs(&plan.tree, path))?;
        }
        for path in after.since(&before).into_keys() {
            touched.entry(path).or_default().insert(number);
        }
        before = after;
        progress.done(&format!("overlay {}", overlay.name), start);
    }

    let mut last = before;
    last.settle_times(&plan.tree, &base, plan.epoch).map_err(system("cannot set a time"))?;
    let changes = checks::changes(plan, &base, &last, &touched, &mut steps.steps)?;
    checks::check_owners(&base, &last)?;
    checks::check_nodes(&base, &last)?;
    checks::check_hard_links(plan, &base, &last)?;
    let Steps { notes: more, made, steps, .. } = steps;
    notes.extend(more);
    notes.extend(checks::undeclared_privileges(plan, &base, &last)?);

    let seen = watch.map(|watch| watch.seen).unwrap_or_default();
    let start = Instant::now();
    let report = match splice {
        Some(readable) => {
            let (result, dead_bytes) =
                readable.write(&plan.tree, (&base, &last), plan.epoch, &plan.result)?;
            let base = splicing::counts(&readable.tree);
            let packed = Packed::Spliced;
            Report { changes, notes, base, result, packed, dead_bytes, made, steps, seen }
        }
        None => {
            pack(plan, &packing)?;
            prove_equal(&plan.result, &Packing::of_file(&plan.result)?, &last)?;
            let (base, result) = (checks::counts(&base), checks::counts(&last));
            let packed = Packed::Repacked;
            Report { changes, notes, base, result, packed, dead_bytes: 0, made, steps, seen }
        }
    };
    progress.done("pack the root", start);
    Ok(report)
}

impl Plan {
    /// Whether any overlay has a script that will not run.
    pub(super) fn passes_over_scripts(&self) -> Result<bool, SessionError> {
        Ok(self.watch.is_some_and(|watching| watching.skip_scripts) && has_scripts(self)?)
    }
}

/// Whether any script will run.
fn any_scripts(plan: &Plan) -> Result<bool, SessionError> {
    Ok(has_scripts(plan)? && !plan.passes_over_scripts()?)
}

fn has_scripts(plan: &Plan) -> Result<bool, SessionError> {
    for overlay in &plan.overlays {
        if overlay.has_scripts()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Does what is better done before the session: unpacks the whole base where scripts need it, which fakeroot would make
/// slow. Returns the list of owners that fakeroot must be given then.
///
/// # Errors
/// When an overlay cannot be read, the base is damaged, or its files cannot be written.
pub fn prepare(plan: &Plan) -> Result<Option<PathBuf>, SessionError> {
    let owners = plan.outcome.with_extension("owners");
    if plan.repack || !any_scripts(plan)? {
        return Ok(None);
    }
    match unpacking::unpack(&plan.base, &plan.tree, &owners) {
        Ok(true) => Ok(Some(owners)),
        Ok(false) => Ok(None),
        // The full way tells better what is wrong with the base, if that is it.
        Err(_) if fs::remove_dir_all(&plan.tree).is_ok() => Ok(None),
        Err(source) => Err(system("cannot unpack the base's root")(source)),
    }
}

/// Unpacks the whole base and shows that all of it is there.
fn unpack_whole(plan: &Plan, packing: &Packing, readable: Option<&Base>) -> Result<Snapshot, SessionError> {
    match readable.filter(|_| plan.tree.exists()) {
        Some(readable) => Partial::complete(&readable.filesystem, &readable.tree, &plan.tree)
            .map_err(system("cannot make the devices of the base"))?,
        None => unpack(plan)?,
    }
    let base = Snapshot::take(&plan.tree).map_err(system("cannot walk the unpacked base"))?;
    match readable {
        Some(readable) => splicing::compare("the base", &readable.tree, &base, true)?,
        None => prove_equal(&plan.base, packing, &base)?,
    }
    // What is written within the same tick of the kernel's clock would bear the same time.
    std::thread::sleep(TICK);
    Ok(base)
}

/// Gives a file an owner that nobody has and looks whether it has it.
fn prove_faked(plan: &Plan) -> Result<(), SessionError> {
    let probe = plan.outcome.with_extension("probe");
    let proven = fs::write(&probe, "")
        .and_then(|()| chown(&probe, Some(12_345), Some(23_456)))
        .and_then(|()| fs::symlink_metadata(&probe))
        .is_ok_and(|metadata| (metadata.uid(), metadata.gid()) == (12_345, 23_456));
    fs::remove_file(&probe).map_err(system("cannot write into the build folder"))?;
    if proven { Ok(()) } else { Err(SessionError::NotFaked) }
}

fn unpack(plan: &Plan) -> Result<(), SessionError> {
    squashfs_tool("unsquashfs")
        .args(["-no-progress", "-quiet", "-no-xattrs", "-d"])
        .arg(&plan.tree)
        .arg(&plan.base)
        .run()
        .map(drop)
        .map_err(|source| match &source {
            CommandError::Failed { tail, .. } if !tail.contains("No space left") => {
                SessionError::Unpack { source }
            }
            _ => source.into(),
        })
}

fn pack(plan: &Plan, packing: &Packing) -> Result<(), SessionError> {
    let mut command = squashfs_tool("mksquashfs")
        .arg(&plan.tree)
        .arg(&plan.result)
        .args(packing.options())
        .args(["-mkfs-time", &plan.epoch.to_string()])
        .args(["-noappend", "-no-progress", "-quiet", "-no-recovery", "-exit-on-error"]);
    if let Some(processors) = plan.processors {
        command = command.args(["-processors", &processors.to_string()]);
    }
    command.run()?;
    Ok(())
}

/// SOURCE_DATE_EPOCH would clamp the times of files that did not change; the time of packing is given as an option.
fn squashfs_tool(program: &str) -> Command {
    Command::new(program)
        .without("SOURCE_DATE_EPOCH")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .remedy("install it with: apt-get install squashfs-tools")
}

/// Shows that a squashfs and its tree hold the same, hard links included.
fn prove_equal(squashfs: &Path, packing: &Packing, tree: &Snapshot) -> Result<(), SessionError> {
    listing::compare(squashfs, tree)?;
    let (there, here) = (u64::from(packing.superblock.inodes), tree.inodes());
    if there == here {
        return Ok(());
    }
    let squashfs = squashfs.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(SessionError::Inodes { squashfs, there, here })
}
