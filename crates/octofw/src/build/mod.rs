//! `octofw build`: a base, overlays, and out comes an image with its manifest.
//!
//! Needs no privileges and gives equal bytes for equal inputs and tools, whoever builds, where, and with which umask,
//! locale or time zone. What the result holds is decided in [`crate::rootfs::session`]; here are the order of the
//! stages, the files around them, and the shortcut when nothing changed.

pub mod environment;
pub mod fakeroot;
pub mod progress;
pub mod proof;
mod scratch;
pub mod state;
pub mod tools;
pub(crate) mod untouched;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::command::CommandError;
use crate::digest;
use crate::image::{BOOT, Image, ImageError, ROOTFS, Rebuild, RebuildError};
use crate::lock::{Lock, LockError};
use crate::manifest::{AppliedOverlay, Base, Built, Manifest, Root, SCHEMA};
use crate::overlay::{Order, Overlay, OverlayError, name_apart, tree_hash};
use crate::rootfs::packing::{Packing, PackingError};
use crate::rootfs::session::{Plan, Scripting};
use crate::rootfs::steps::Step;
use crate::sbom::inside::{self, InsideError};
use crate::verify;
use environment::Places;
use progress::Progress;
use scratch::{PLAN, Scratch};
use state::{State, StateError};

/// What is said of the bill of materials in an image, which is made before the overlays are applied.
const BILL_BEFORE: &str = "the bill of materials inside the image lists overlays as they were before their pre-scripts ran; that beside the image lists what came of them";

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

/// Why there is no new image. Whatever was there before is still there.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The base cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The new root does not fit the base.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// An overlay is unfit.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The work on the root failed.
    #[error("{message}")]
    Session {
        /// The whole message, with its causes.
        message: String,
        /// Whether the base is not what it claims to be.
        wrong_input: bool,
    },
    /// The base or an overlay is not the locked one.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The bill of materials for the image cannot be made.
    #[error(transparent)]
    Sbom(#[from] InsideError),
    /// A tool is missing or failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The lock or the state beside the output.
    #[error(transparent)]
    State(#[from] StateError),
    /// The base's root cannot be read.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// A script changed a part that must stay as it is in the base.
    #[error(
        "a script changed {part} in the build folder; the image gets it from the base and from the unpacked root, so leave it alone"
    )]
    Protected {
        /// The part.
        part: &'static str,
    },
    /// The output names a folder.
    #[error("{} is a folder: give --out the name of the file to write", path.display())]
    NoFileName {
        /// The output as it was given.
        path: PathBuf,
    },
    /// The printer could mount neither the base's root nor one that is packed like it.
    #[error("{} is no base for an image: {problem}; get it from its origin again", path.display())]
    Unreadable {
        /// The base.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The base is another file than when the build began.
    #[error("the base {} changed while the image was built; leave it alone and build again", path.display())]
    BaseChanged {
        /// The base.
        path: PathBuf,
    },
    /// The finished image is not what it should be, and was thrown away.
    #[error(
        "the finished image is not sound and was thrown away: {problems}; build again, and report it if it stays so"
    )]
    Unsound {
        /// Codes and messages of what was found.
        problems: String,
    },
    /// A path could not be read or written.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildError {
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System { what: what.into(), source }
    }

    /// Whether an input is not what it claims to be, as opposed to a failure.
    pub fn is_wrong_input(&self) -> bool {
        match self {
            Self::Image(error) => error.is_wrong_input(),
            Self::Rebuild(error) => error.is_wrong_input(),
            Self::Packing(error) => matches!(error, PackingError::Format { .. }),
            Self::Session { wrong_input, .. } => *wrong_input,
            Self::Unreadable { .. } => true,
            _ => false,
        }
    }

    /// Whether the call itself was wrong.
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Overlay(error) => {
                matches!(error, OverlayError::NoFolder { .. } | OverlayError::Twice { .. })
            }
            Self::Rebuild(error) => error.is_wrong_usage(),
            Self::NoFileName { .. } | Self::Sbom(InsideError::Place { .. }) => true,
            _ => false,
        }
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
    let base_sha256 = base_digest(settings, &mut state)?;
    let work = Work { settings, progress, tools: tools::versions(&settings.tools)?, base_sha256 };

    // What a pre-script makes can lie anywhere, so only a build without any can tell that nothing changed.
    let mut pre_scripts = false;
    for overlay in &overlays {
        pre_scripts |= overlay.has_pre_scripts()?;
    }
    if !pre_scripts {
        let hashes = hashes(&overlays)?;
        work.admit(&hashes)?;
        let key = work.key(&mut state, &hashes)?;
        if !settings.force
            && !settings.rehearse
            && let Some(manifest) = work.current(&mut state, &key)
        {
            state.save()?;
            progress.say(&format!("nothing changed: {} is up to date", settings.out.display()));
            return Ok(Finished { manifest, built: false, steps: Vec::new() });
        }
    }
    let (manifest, steps) = work.build(&mut state, &overlays)?;
    progress.done("in all", start);
    Ok(Finished { manifest, built: true, steps })
}

/// What stays the same during one build.
struct Work<'a> {
    settings: &'a Settings,
    progress: Progress,
    tools: BTreeMap<String, String>,
    base_sha256: String,
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
    fn key(&self, state: &mut State, overlays: &[AppliedOverlay]) -> Result<String, BuildError> {
        let octofw_sha256 = state
            .sha256(&self.settings.octofw)
            .map_err(|e| BuildError::system(format!("cannot read {}", self.settings.octofw.display()), e))?;
        let key = Key {
            octofw_sha256,
            base: self.base_name(),
            base_sha256: &self.base_sha256,
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
    fn current(&self, state: &mut State, key: &str) -> Option<Manifest> {
        let path = Manifest::path_for(&self.settings.out);
        if !state.is_current(key, &[&self.settings.out, &path]) {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    fn build(&self, state: &mut State, overlays: &[Overlay]) -> Result<(Manifest, Vec<Step>), BuildError> {
        let start = Instant::now();
        let image = Image::open(&self.settings.base)?;
        if let Some(finding) = verify::unreadable(&image) {
            return Err(BuildError::Unreadable {
                path: self.settings.base.clone(),
                problem: finding.message,
            });
        }
        let scratch = Scratch::make(&self.settings.out)?;
        let parts = scratch.path.join("rk-unpacked");
        self.unpack(&image, &scratch.path, &parts)?;
        let base_root = parts.join(ROOTFS);
        let packing = Packing::of_file(&base_root)?;
        let epoch = self.settings.epoch.unwrap_or(packing.superblock.mkfs_time);
        self.progress.done("read the base", start);

        let tree = scratch.path.join("root");
        let places = Places { build: &scratch.path, root: &tree, parts: &parts };
        let variables = environment::variables(self.settings, places, epoch, |name| std::env::var(name).ok());
        let base = Base {
            file: self.base_name(),
            sha256: self.base_sha256.clone(),
            version: image.version().map(str::to_owned),
        };
        let given = overlays.len();
        let mut overlays = overlays.to_vec();
        if let Some(place) = &self.settings.sbom {
            overlays.push(self.bill(&base, &base_root, &overlays, epoch, place, &scratch.path)?);
        }
        let mut applied = hashes(&overlays)?;
        let scripted = any_scripts(&overlays)?;
        let plan = Plan {
            base: base_root.clone(),
            tree,
            result: scratch.path.join("rootfs.new"),
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
        };
        let session = || fakeroot::run(&self.settings.octofw, &plan, &scratch.path.join(PLAN));
        let mut report = if scripted { untouched::beside(&image, &parts, session)? } else { session()? };
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

        let start = Instant::now();
        let made = scratch.path.join("firmware.new");
        let suffix = self.settings.version_suffix.as_deref();
        let rebuilt = Rebuild { base: &image, rootfs: &plan.result, version_suffix: suffix }.write(&made)?;
        proof::prove(&image, &made)?;
        let read = |path: &Path| {
            digest::of_file(path)
                .map_err(|e| BuildError::system(format!("cannot read {}", path.display()), e))
        };
        let (sha256, size) = read(&made)?;
        let (root_sha256, root_size) = read(&plan.result)?;
        let base_size = fs::metadata(&base_root).map(|m| m.len()).unwrap_or_default();
        let slot_size = rebuilt.slot_limit;
        let manifest = Manifest {
            schema: SCHEMA,
            base,
            overlays: applied,
            order: self.settings.order,
            profile: self.settings.profile.clone(),
            source_date_epoch: epoch,
            result: Built { sha256, size, version: rebuilt.version },
            rootfs: Root {
                sha256: root_sha256,
                size: root_size,
                base_size,
                slot_size,
                slot_fill_permille: slot_size
                    .map(|slot| root_size.saturating_mul(1000).div_ceil(slot.max(1))),
                compressor: packing.superblock.compressor.name().to_owned(),
                block_size: packing.superblock.block_size,
                packed: report.packed,
                dead_bytes: report.dead_bytes,
                base: report.base,
                result: report.result,
            },
            changes: report.changes,
            notes: report.notes,
            tools: self.tools.clone(),
        };
        if base_digest(self.settings, state)? != self.base_sha256 {
            return Err(BuildError::BaseChanged { path: self.settings.base.clone() });
        }
        self.put_in_place(state, &made, &manifest)?;
        self.progress.done("write the image", start);
        Ok((manifest, report.steps))
    }

    /// Holds base and overlays, as their pre-scripts left them, against the lock.
    fn admit(&self, overlays: &[AppliedOverlay]) -> Result<(), BuildError> {
        let Some(lock) = &self.settings.lock else { return Ok(()) };
        let mut met = Lock::new();
        met.lock_base(&self.base_name(), &self.base_sha256);
        for overlay in overlays {
            met.lock_overlay(&overlay.name, &overlay.tree_sha256);
        }
        for drift in lock.admit_images(&met, self.settings.locked)? {
            self.progress.warn(&drift.to_string());
        }
        Ok(())
    }

    /// The overlay that puts the bill of materials into the image, made in the build folder.
    fn bill(
        &self,
        base: &Base,
        root: &Path,
        overlays: &[Overlay],
        epoch: u32,
        place: &str,
        folder: &Path,
    ) -> Result<Overlay, BuildError> {
        let suffix = self.settings.version_suffix.as_deref().unwrap_or_default();
        let version = base.version.as_ref().map(|version| format!("{version}{suffix}"));
        let tools = self.tools.clone().into_iter().collect();
        let overlay = inside::Plan { base, root, overlays, version, tools, epoch }.overlay(folder, place)?;
        overlay.check()?;
        Ok(overlay)
    }

    /// Lays the base's parts out where the community's scripts look for them.
    fn unpack(&self, image: &Image, build: &Path, parts: &Path) -> Result<(), BuildError> {
        let write = |path: PathBuf, text: &str| {
            fs::write(&path, text)
                .map_err(|e| BuildError::system(format!("cannot write {}", path.display()), e))
        };
        fs::create_dir(parts)
            .map_err(|e| BuildError::system(format!("cannot make {}", parts.display()), e))?;
        image.extract_part(ROOTFS, &parts.join(ROOTFS))?;
        if let Some(upfile) = image.upfile() {
            write(build.join("UPFILE_VERSION"), upfile.version.text())?;
            write(build.join("UPFILE_BUILD_DATE"), upfile.date.text())?;
        }
        if self.settings.overlays.is_empty() {
            return Ok(());
        }
        match image.extract_part(BOOT, &parts.join(BOOT)) {
            // A base without a kernel has nothing for scripts to read.
            Ok(()) | Err(ImageError::NoPart { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves image and manifest out of the build folder, where a build that ends at any time leaves nothing to clear up.
    fn put_in_place(&self, state: &mut State, made: &Path, manifest: &Manifest) -> Result<(), BuildError> {
        let out = &self.settings.out;
        let path = Manifest::path_for(out);
        let text =
            manifest.to_json().map_err(|e| BuildError::system("cannot write the manifest", e.into()))?;
        let beside = made.with_extension("manifest");
        fs::write(&beside, &text)
            .map_err(|e| BuildError::system(format!("cannot write {}", beside.display()), e))?;
        state.begin()?;
        for (from, to) in [(made, out), (&beside, &path)] {
            fs::rename(from, to)
                .map_err(|e| BuildError::system(format!("cannot write {}", to.display()), e))?;
        }
        let manifest_sha256 = digest::hex(&Sha256::digest(&text));
        // What the bill follows from is in the key already.
        let overlays: Vec<_> =
            manifest.overlays.iter().filter(|overlay| overlay.name != inside::NAME).cloned().collect();
        let key = self.key(state, &overlays)?;
        state.finish(&key, &[(out, &manifest.result.sha256), (&path, &manifest_sha256)])?;
        Ok(())
    }

    fn base_name(&self) -> String {
        self.settings.base.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Whether any overlay has a script.
fn any_scripts(overlays: &[Overlay]) -> Result<bool, BuildError> {
    for overlay in overlays {
        if overlay.has_scripts()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The base as it is now: its SHA-256, from memory where it has not changed since it was read last.
fn base_digest(settings: &Settings, state: &mut State) -> Result<String, BuildError> {
    state
        .sha256(&settings.base)
        .map_err(|e| BuildError::system(format!("cannot read the base {}", settings.base.display()), e))
}

fn hashes(overlays: &[Overlay]) -> Result<Vec<AppliedOverlay>, BuildError> {
    let mut list = Vec::new();
    for overlay in overlays {
        list.push(AppliedOverlay {
            name: overlay.name.clone(),
            tree_sha256: tree_hash::of_overlay(overlay)?,
        });
    }
    Ok(list)
}
