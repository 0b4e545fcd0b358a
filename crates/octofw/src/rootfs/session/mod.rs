//! The part of a build that runs inside fakeroot: unpack, apply the overlays, check, pack.
//!
//! `octofw build` starts itself again as `fakeroot -- octofw session PLAN`. One process tree does all the work on the
//! tree, so that the ownership database lives exactly as long as the files it describes: an inode number that is used
//! again can never bring back an old owner. The outcome goes to a file that the plan names; that the new root is written is
//! said before, on standard output, so that the image around it can be made while the root is proven.

mod error;
mod plan;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};

use super::checks;
use super::contents::Contents;
use super::faked::Faked;
use super::inside::Tree;
use super::packing::{Packing, PackingError};
use super::partial::Partial;
use super::snapshot::Snapshot;
use super::splicing::{self, Base, Parts, SplicingError};
use super::steps::Steps;
use super::unpacking;
use super::watch::Watch;
use crate::build::progress::Progress;
use crate::command::whole;
use crate::container::Span;
use crate::manifest::Packed;
use crate::squashfs::splice::Splice;

pub use error::SessionError;
pub(super) use error::system;
pub use plan::{Outcome, Plan, Report, Scripting};

/// Longer than a tick of any kernel's clock.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// What the session says of the new root, before the number of its bytes.
const WRITTEN: &str = "written ";

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
    let start = Instant::now();
    let faked = prove_faked(plan)?;
    let packing = Packing::of_span(&plan.base, plan.base_at)?;
    let (readable, mut notes) = match Base::open(&plan.base, plan.base_at) {
        Ok(base) => (Some(base), Vec::new()),
        Err(error) => {
            let reason = error.reason();
            let note =
                format!("the base's data cannot be kept, the root is packed anew as a whole: {reason}");
            (None, vec![note])
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
    let session = Session { plan, packing, readable: readable.as_ref(), splice, faked };
    let done = thread::scope(|scope| {
        let (path, offset) = (plan.result.as_path(), plan.result_offset);
        let begun = splice.map(|base| Splice::around(&base.filesystem, path, offset)).transpose();
        let begun = begun.map_err(SplicingError::from)?;
        // The base's data is copied while overlays are applied and the tables written.
        let copying = splice.map(|base| scope.spawn(move || base.filesystem.copy_data(path, offset)));
        session.work(start, notes, begun, || match copying.map(ScopedJoinHandle::join) {
            Some(Ok(copied)) => Ok(copied?),
            _ => Err(SplicingError::Thread),
        })
    });
    if done.is_err() {
        // Half a root is none.
        let _ = fs::remove_file(&plan.result);
    }
    done
}

/// What one session works with.
struct Session<'a> {
    plan: &'a Plan,
    packing: Packing,
    /// The base, where its tree can be read.
    readable: Option<&'a Base>,
    /// The same, where its data is to be kept.
    splice: Option<&'a Base>,
    faked: Option<Faked>,
}

impl<'a> Session<'a> {
    fn take(&self) -> Result<Snapshot, SessionError> {
        Snapshot::take_with(&self.plan.tree, self.faked.as_ref()).map_err(system("cannot walk the root"))
    }

    fn work(
        &self,
        start: Instant,
        mut notes: Vec<String>,
        begun: Option<Splice<'a>>,
        copied: impl FnOnce() -> Result<(), SplicingError>,
    ) -> Result<Report, SessionError> {
        let plan = self.plan;
        let progress = Progress::new(plan.progress);
        progress.begin("unpack the root");
        // Only scripts can touch what nobody named beforehand.
        let mut partial = match self.splice {
            Some(base) if !plan.runs_scripts()? => Some(
                Partial::begin(&base.filesystem, &base.tree, &plan.tree)
                    .map_err(system("cannot make the root"))?,
            ),
            _ => None,
        };
        let mut base = match &partial {
            Some(_) => self.take()?,
            None => self.unpack_whole()?,
        };
        progress.done("unpack the root", start);

        let tree = Tree::at(&plan.tree);
        let mut steps = Steps::begin(plan).map_err(system("cannot lay out the commands for scripts"))?;
        let mut touched: BTreeMap<Vec<u8>, BTreeSet<usize>> = BTreeMap::new();
        let mut before = base.clone();
        // Where only parts of the root are on the disk no script runs, and what is written gets a new inode.
        let whole_tree = self.readable.filter(|_| partial.is_none());
        let contents = || whole_tree.map(|readable| Contents::new(&plan.tree, readable));
        let mut known = contents();
        let mut watch =
            plan.watch.map(|watching| Watch::new(plan, watching, contents(), self.faked.as_ref()));
        for (number, overlay) in plan.overlays.iter().enumerate() {
            let start = Instant::now();
            progress.begin(&format!("overlay {}", overlay.name));
            if !steps.fit(overlay)? {
                continue;
            }
            if let Some(partial) = &mut partial {
                let came = partial.bring(overlay)?;
                base.add(&plan.tree, &came).map_err(system("cannot look at what came of the base"))?;
                before.add(&plan.tree, &came).map_err(system("cannot look at what came of the base"))?;
            }
            match &mut watch {
                Some(watch) => {
                    watch.overlay((number, overlay), &tree, &before, |part| steps.part(overlay, part))?;
                }
                None => steps.overlay(overlay)?,
            }
            let mut after = self.take()?;
            checks::check_sizes(overlay, &before, &after)?;
            if let Some(known) = &known {
                known.mark(&mut after, &before)?;
            }
            let changes = after.since(&before);
            if let Some(known) = &mut known {
                known.remember(&changes, &after)?;
            }
            for path in changes.into_keys() {
                touched.entry(path).or_default().insert(number);
            }
            before = after;
            progress.done(&format!("overlay {}", overlay.name), start);
        }

        let mut last = before;
        if let Some(known) = &known {
            known.mark_in_all(&mut last, &base)?;
        }
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
        progress.begin("pack the root");
        let written = |size| {
            progress.done("pack the root", start);
            tell_size(size);
        };
        let (base, result, size, packed, dead_bytes) = match self.splice.zip(begun) {
            Some((readable, begun)) => {
                let to = (plan.result.as_path(), plan.result_offset);
                let parts = Parts { splice: begun, copied, written };
                let made = readable.write(&plan.tree, (&base, &last), plan.epoch, to, parts)?;
                let base = splicing::counts(&readable.tree);
                (base, made.counts, made.size, Packed::Spliced, made.dead_bytes)
            }
            None => {
                let size = tools::pack(plan, &self.packing)?;
                let at = Span::new(plan.result_offset, size);
                tools::prove_equal(&plan.result, at, &Packing::of_span(&plan.result, at)?, &last)?;
                progress.done("pack the root", start);
                (checks::counts(&base), checks::counts(&last), size, Packed::Repacked, 0)
            }
        };
        Ok(Report { changes, notes, base, result, size, packed, dead_bytes, made, steps, seen })
    }

    /// Unpacks the whole base and shows that all of it is there.
    fn unpack_whole(&self) -> Result<Snapshot, SessionError> {
        let plan = self.plan;
        match self.readable.filter(|_| plan.tree.exists()) {
            Some(readable) => Partial::complete(&readable.filesystem, &readable.tree, &plan.tree)
                .map_err(system("cannot make the devices of the base"))?,
            None => tools::unpack(plan)?,
        }
        let base = self.take()?;
        match self.readable {
            Some(readable) => splicing::compare("the base", &readable.tree, &base, true)?,
            None => tools::prove_equal(&plan.base, plan.base_at, &self.packing, &base)?,
        }
        // What is written within the same tick of the kernel's clock would bear the same time.
        thread::sleep(TICK);
        Ok(base)
    }
}

/// Tells whoever started the session that the new root is written, while it is proven still.
fn tell_size(size: u64) {
    let mut out = io::stdout().lock();
    // Where nobody wants to know, it goes unsaid.
    let _ = writeln!(out, "{WRITTEN}{size}").and_then(|()| out.flush());
}

/// How many bytes a line of the session's standard output tells of; `None` where it tells of none.
pub(crate) fn size_told(line: &str) -> Option<u64> {
    line.strip_prefix(WRITTEN)?.parse().ok()
}

/// Does what is better done before the session: unpacks the whole base where scripts need it, which fakeroot would make
/// slow. Returns the list of owners that fakeroot must be given then.
///
/// # Errors
/// When an overlay cannot be read, the base is damaged, or its files cannot be written.
pub fn prepare(plan: &Plan) -> Result<Option<PathBuf>, SessionError> {
    let owners = plan.outcome.with_extension("owners");
    if plan.repack || !plan.runs_scripts()? {
        return Ok(None);
    }
    match unpacking::unpack((&plan.base, plan.base_at), &plan.tree, &owners) {
        Ok(true) => Ok(Some(owners)),
        Ok(false) => Ok(None),
        // The full way tells better what is wrong with the base, if that is it.
        Err(_) if fs::remove_dir_all(&plan.tree).is_ok() => Ok(None),
        Err(source) => Err(system("cannot unpack the base's root")(source)),
    }
}

/// Gives a file an owner that nobody has and looks whether it has it. Returns who remembers that, where he can be asked
/// for all at once.
fn prove_faked(plan: &Plan) -> Result<Option<Faked>, SessionError> {
    let probe = plan.outcome.with_extension("probe");
    fs::write(&probe, "").map_err(system("cannot write into the build folder"))?;
    let proven = chown(&probe, Some(12_345), Some(23_456))
        .and_then(|()| fs::symlink_metadata(&probe))
        .is_ok_and(|metadata| (metadata.uid(), metadata.gid()) == (12_345, 23_456));
    match proven {
        true => Ok(plan.faked.as_deref().and_then(|file| Faked::find(file, &probe))),
        false => Err(SessionError::NotFaked),
    }
}
