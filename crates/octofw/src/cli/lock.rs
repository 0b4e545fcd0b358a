//! `octofw lock`, and the options about the lock that other commands share.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cache::CacheOptions;
use super::{Failure, Status, print, print_json};
use crate::build::BuildError;
use crate::debian::{Archive, DebianError};
use crate::lock::{Drift, FILE_NAME, Lock, LockError, TOOLS, file_digest, observe_sources, observe_tools};
use crate::output::folder_of;
use crate::overlay::{Overlay, tree_hash};
use crate::paint::count;
use crate::standin::BUSYBOX_PACKAGE;

/// Records every input of an image with its hash or version, or checks that nothing changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw lock --check\n\
                        Without --check, the current state of everything becomes the locked one.")]
pub(super) struct Args {
    /// The lock file; the repository is the folder it lies in
    #[arg(long, value_name = "FILE", default_value = FILE_NAME)]
    file: PathBuf,
    /// Record also this firmware file to build on; without one, those of the lock stay as they are
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// Record also this overlay; without one, those of the lock stay as they are
    #[arg(long = "overlay", value_name = "DIR", num_args = 1..)]
    overlays: Vec<PathBuf>,
    /// Change nothing; exit code 1 if an input differs
    #[arg(long)]
    check: bool,
    /// Tell what would be recorded, and write nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    #[command(flatten)]
    cache: CacheOptions,
    /// Use only what the cache holds
    #[arg(long)]
    offline: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

/// Options of the commands that use locked inputs.
#[derive(Debug, clap::Args)]
pub(super) struct LockOptions {
    /// Lock file (default: octofw.lock in the current folder; where there is none, nothing is compared)
    #[arg(long = "lock", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Fail, instead of warning, if an input is not the locked one
    #[arg(long)]
    locked: bool,
}

/// Options of the commands that use Debian's packages.
#[derive(Debug, clap::Args)]
pub(super) struct PackageOptions {
    #[command(flatten)]
    pub(super) lock: LockOptions,
    #[command(flatten)]
    pub(super) cache: CacheOptions,
    /// Use only what the cache holds
    #[arg(long)]
    pub(super) offline: bool,
}

impl LockOptions {
    /// The lock, if there is one. One that was named is, and `--locked` needs one.
    pub(super) fn read(&self) -> Result<Option<Lock>, Failure> {
        let needed = self.locked || self.file.is_some();
        Ok(if needed { Some(Lock::read(self.file())?) } else { Lock::read_if_any(self.file())? })
    }

    fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(FILE_NAME))
    }

    /// Whether a difference is an error.
    pub(super) fn is_strict(&self) -> bool {
        self.locked
    }

    /// Holds what was met against the lock: says what differs, or fails with `--locked`.
    pub(super) fn admit(&self, lock: &Lock, met: &Lock) -> Result<(), Failure> {
        warn(&lock.admit(met, self.locked)?);
        Ok(())
    }

    /// The repository is the folder in which the lock file lies.
    pub(super) fn repository(&self) -> &Path {
        folder_of(self.file())
    }
}

/// One line per difference on standard error. A closed one is no reason to fail.
fn warn(drifts: &[Drift]) {
    for drift in drifts {
        let _ = writeln!(io::stderr().lock(), "octofw: warning: {drift}");
    }
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    path: String,
    /// Whether the file is now another one than before.
    written: bool,
    differences: &'a [Drift],
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let old = if self.check { Some(Lock::read(&self.file)?) } else { Lock::read_if_any(&self.file)? };
        let cache = self.cache.begin(None, true)?;
        let observed = self.observe(cache.folder(), old.as_ref().filter(|_| self.check));
        cache.end(self.offline);
        let mut found = observed?;
        self.observe_images(&mut found)?;
        if let Some(old) = &old {
            found.keep_images(old);
        }
        let drifts = old.as_ref().map(|old| old.compare(&found)).unwrap_or_default();
        if self.writes() {
            found.write(&self.file)?;
        }
        if self.json {
            print_json(&JsonReport {
                schema: 1,
                path: self.file.display().to_string(),
                written: self.writes() && old.as_ref() != Some(&found),
                differences: &drifts,
            })?;
        } else {
            print(&self.told(old.is_some(), &drifts))?;
        }
        Ok(if self.check && !drifts.is_empty() { Status::Findings } else { Status::Fine })
    }

    fn writes(&self) -> bool {
        !self.check && !self.dry_run
    }

    /// What was found, for people.
    fn told(&self, was_there: bool, drifts: &[Drift]) -> String {
        let mut text = drifts.iter().map(|drift| format!("{drift}\n")).collect::<String>();
        let path = self.file.display();
        let verdict = match (self.check, was_there, drifts.len()) {
            (true, _, 0) => "every input is the locked one".to_owned(),
            (true, _, number) => {
                format!("{} the locked one", count(number, "input is not", "inputs are not"))
            }
            (false, false, _) if self.dry_run => "would be written".to_owned(),
            (false, true, number @ 1..) if self.dry_run => {
                format!("{} would be recorded anew", count(number, "input", "inputs"))
            }
            (false, false, _) => "written".to_owned(),
            (false, true, 0) => "unchanged".to_owned(),
            (false, true, number) => format!("{} recorded anew", count(number, "input", "inputs")),
        };
        text.push_str(&format!("{path}: {verdict}\n"));
        text
    }

    /// The bases and overlays that were given.
    fn observe_images(&self, found: &mut Lock) -> Result<(), Failure> {
        for base in &self.base {
            let name = base.file_name().unwrap_or_default().to_string_lossy();
            found.lock_base(&name, &file_digest(base)?);
        }
        for folder in &self.overlays {
            let overlay = Overlay::open(folder).map_err(BuildError::from)?;
            found.lock_overlay(&overlay.name, &tree_hash::of_overlay(&overlay).map_err(BuildError::from)?);
        }
        Ok(())
    }

    /// Everything as it is now; packages as `lock` has them where they can still be had.
    fn observe(&self, cache: &Path, lock: Option<&Lock>) -> Result<Lock, Failure> {
        let repository = folder_of(&self.file);
        let mut found = Lock::new();
        let archive = Archive::open(cache)?.offline(self.offline);
        found.lock_deb(&archive.fetch(BUSYBOX_PACKAGE, lock)?);
        found.lock_deb(&archive.fetch_kernel(lock)?);
        observe_sources(&mut found, repository)?;
        observe_tools(&mut found, repository, &TOOLS.map(|(name, ..)| name));
        Ok(found)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}

impl From<DebianError> for Failure {
    fn from(error: DebianError) -> Self {
        Self::new(Status::Findings, error)
    }
}
