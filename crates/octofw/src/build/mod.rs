//! `octofw build`: a base, overlays, and out comes an image with its manifest.
//!
//! Needs no privileges and gives equal bytes for equal inputs and tools, whoever builds, where, and with which umask,
//! locale or time zone. What the result holds is decided in [`crate::rootfs::session`]; here are the order of the
//! stages, the files around them, and the shortcut when nothing changed.

mod base;
pub mod environment;
mod error;
pub mod fakeroot;
mod finish;
pub(crate) mod parts;
pub mod progress;
pub mod proof;
mod scratch;
mod stages;
pub mod state;
pub mod tools;
pub(crate) mod untouched;
mod work;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread::{self, Scope};
use std::time::Instant;

use crate::image::RebuildError;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::output::check_place;
use crate::overlay::{Order, Overlay, name_apart};
use crate::rootfs::steps::Step;
use base::BaseFile;
pub use error::BuildError;
use progress::Progress;
use state::State;
use work::{Work, hashes};

/// What to build, from what, and how.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The base image.
    pub base: PathBuf,
    /// The overlay folders, in their order.
    pub overlays: Vec<PathBuf>,
    /// Order of the parts of an overlay.
    pub order: Order,
    /// The profile that scripts are told.
    pub profile: Option<String>,
    /// The image to write; the manifest goes beside it.
    pub out: PathBuf,
    /// Text appended to the base's version.
    pub version_suffix: Option<String>,
    /// Tells scripts to do without the network.
    pub offline: bool,
    /// Folder of what scripts fetch, by its content: `tmp/cache/octofw` below `directory` where none is given.
    pub cache: Option<PathBuf>,
    /// Goes on after a step that failed. The image is then no image to install.
    pub rehearse: bool,
    /// Builds also when nothing changed.
    pub force: bool,
    /// Reports stages on standard error.
    pub progress: bool,
    /// Time of packing in seconds since 1970; that of the base where none is given.
    pub epoch: Option<u32>,
    /// Packs the root anew as a whole, instead of keeping the base's data where it is.
    pub repack: bool,
    /// Folder of the root into which a bill of materials goes, where one is wanted.
    pub sbom: Option<String>,
    /// The lock to hold base and overlays against.
    pub lock: Option<Lock>,
    /// Whether what differs from the lock is an error.
    pub locked: bool,
    /// Processors that mksquashfs uses, where not all.
    pub processors: Option<u32>,
    /// Versions of tools that the caller knows, by name.
    pub tools: BTreeMap<String, String>,
    /// The repository's root, in which scripts run: the current directory.
    pub directory: PathBuf,
    /// The file of this program, which is started again inside fakeroot.
    pub octofw: PathBuf,
}

impl Settings {
    /// Where what scripts fetch is kept.
    pub(crate) fn cache_folder(&self) -> PathBuf {
        let given = self.cache.as_ref().map(std::path::absolute).and_then(Result::ok);
        given.unwrap_or_else(|| self.directory.join("tmp/cache/octofw"))
    }
}

/// What a build came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The manifest of the image.
    pub manifest: Manifest,
    /// Whether an image was written; otherwise the one that is there is up to date.
    pub built: bool,
    /// What came of each step of the overlays, where an image was written.
    pub steps: Vec<Step>,
}

/// Builds the image, or finds that it is up to date.
///
/// # Errors
/// See [`BuildError`]; nothing is written then.
pub fn build(settings: &Settings) -> Result<Finished, BuildError> {
    let start = Instant::now();
    let progress = Progress::new(settings.progress);
    let mut overlays =
        settings.overlays.iter().map(|folder| Overlay::open(folder)).collect::<Result<Vec<_>, _>>()?;
    name_apart(&mut overlays)?;
    // A rehearsal tells of an unfit overlay in its turn.
    for overlay in overlays.iter().filter(|_| !settings.rehearse) {
        overlay.check()?;
    }
    let slash = settings.out.as_os_str().as_encoded_bytes().ends_with(b"/");
    if slash || settings.out.file_name().is_none() || settings.out.is_dir() {
        return Err(BuildError::NoFileName { path: settings.out.clone() });
    }
    for path in [settings.out.clone(), Manifest::path_for(&settings.out)] {
        if check_place(&path).is_err() {
            return Err(BuildError::NoFile { path });
        }
    }
    if let Some(folder) = settings.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|e| BuildError::system(format!("cannot make {}", folder.display()), e))?;
    }
    if let (Ok(base), Ok(out)) = (settings.base.canonicalize(), settings.out.canonicalize())
        && base == out
    {
        return Err(RebuildError::SameFile { path: settings.out.clone() }.into());
    }
    let mut state = State::lock(&settings.out)?;
    thread::scope(|scope| build_beside(scope, settings, &mut state, &overlays, progress, start))
}

/// The build proper. The base is read on threads of `scope` meanwhile, where it is not known yet: at once, unless scripts
/// need it unpacked, which keeps every processor busy first.
fn build_beside<'scope>(
    scope: &'scope Scope<'scope, '_>,
    settings: &Settings,
    state: &mut State,
    overlays: &[Overlay],
    progress: Progress,
    start: Instant,
) -> Result<Finished, BuildError> {
    let compares = !settings.force && !settings.rehearse && state.has_key();
    let early = compares || settings.lock.is_some() || settings.sbom.is_some();
    let base = BaseFile::begin(&settings.base, state, scope, early)?;
    if !stages::any_scripts(overlays)? {
        base.go_on();
    }
    let work = Work { settings, progress, tools: tools::versions(&settings.tools)?, base };

    // What a pre-script makes can lie anywhere, so only a build without any can tell that nothing changed.
    let mut pre_scripts = false;
    for overlay in overlays {
        pre_scripts |= overlay.has_pre_scripts()?;
    }
    if !pre_scripts {
        let hashes = hashes(overlays)?;
        work.admit(&hashes)?;
        if compares {
            work.base.note(state)?;
            let key = work.key(state, &hashes)?;
            if let Some(manifest) = work.current(state, &key) {
                state.save()?;
                progress.say(&format!("nothing changed: {} is up to date", settings.out.display()));
                return Ok(Finished { manifest, built: false, steps: Vec::new() });
            }
        }
    }
    let (manifest, steps) = work.build(state, overlays)?;
    progress.done("in all", start);
    Ok(Finished { manifest, built: true, steps })
}
