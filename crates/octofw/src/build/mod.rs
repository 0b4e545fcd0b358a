//! `octofw build`: a base, overlays, and out comes an image with its manifest.
//!
//! Needs no privileges and gives equal bytes for equal inputs and tools, whoever builds, where, and with which umask,
//! locale or time zone. What the result holds is decided in [`crate::rootfs::session`]; here are the order of the
//! stages, the files around them, and the shortcut when nothing changed.

pub mod environment;
mod error;
pub mod fakeroot;
mod finish;
pub mod progress;
pub mod proof;
mod scratch;
mod stages;
pub mod state;
pub mod tools;
mod work;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::image::RebuildError;
use crate::manifest::Manifest;
use crate::overlay::{Order, Overlay, name_apart};
pub use error::BuildError;
use progress::Progress;
use state::State;
use work::{Work, base_digest, hashes};

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
    /// Builds also when nothing changed.
    pub force: bool,
    /// Reports stages on standard error.
    pub progress: bool,
    /// Time of packing in seconds since 1970; that of the base where none is given.
    pub epoch: Option<u32>,
    /// Packs the root anew as a whole, instead of keeping the base's data where it is.
    pub repack: bool,
    /// Processors that mksquashfs uses, where not all.
    pub processors: Option<u32>,
    /// Versions of tools that the caller knows, by name.
    pub tools: BTreeMap<String, String>,
    /// The repository's root, in which scripts run: the current directory.
    pub directory: PathBuf,
    /// The file of this program, which is started again inside fakeroot.
    pub octofw: PathBuf,
}

/// What a build came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The manifest of the image.
    pub manifest: Manifest,
    /// Whether an image was written; otherwise the one that is there is up to date.
    pub built: bool,
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
    for overlay in &overlays {
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
    if !pre_scripts && !settings.force {
        let key = work.key(&mut state, &hashes(&overlays)?)?;
        if let Some(manifest) = work.current(&mut state, &key) {
            state.save()?;
            progress.say(&format!("nothing changed: {} is up to date", settings.out.display()));
            return Ok(Finished { manifest, built: false });
        }
    }
    let manifest = work.build(&mut state, &overlays)?;
    progress.done("in all", start);
    Ok(Finished { manifest, built: true })
}
