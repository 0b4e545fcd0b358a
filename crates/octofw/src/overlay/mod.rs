//! One overlay: what its folder holds, whether it is fit to be applied, and how each part is applied.
//!
//! The layout is the community's: `pre-scripts/*.sh`, `patches/**/*.patch`, `scripts/*.sh`, `root/`, all optional, and
//! an `owners` table of ours. Not here: the order of overlays among each other and the session they are applied in.

pub(crate) mod last_line;
pub mod layout;
pub mod owners;
pub mod patches;
pub mod root;
pub mod scripts;
pub mod tree_hash;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::command::CommandError;

/// In which order `scripts/` and `root/` of one overlay are applied.
///
/// The community's builder changed it in mid-2026; an overlay may depend on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Scripts, then `root/`: trees up to spring 2026.
    Classic,
    /// `root/`, then scripts: trees since mid-2026.
    #[default]
    Current,
}

/// What is wrong with an overlay, or went wrong when it was applied.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// The folder is not there.
    #[error("there is no overlay folder {}", path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// What is there is something else.
    #[error("{} is no folder, so no overlay", path.display())]
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The same folder is there twice.
    #[error("the overlay folder {} is given twice; name each overlay once", path.display())]
    Twice {
        /// The folder as it was given.
        path: PathBuf,
    },
    /// Something in it cannot be used as it is.
    #[error("overlay {overlay}: {path}: {problem}")]
    Unfit {
        /// The overlay's name.
        overlay: String,
        /// The path inside the overlay.
        path: String,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// A script or a patch failed.
    #[error("overlay {overlay}: {path}")]
    Failed {
        /// The overlay's name.
        overlay: String,
        /// The path inside the overlay.
        path: String,
        /// The command that failed.
        source: CommandError,
    },
    /// The system refused.
    #[error("overlay {overlay}: {path}")]
    System {
        /// The overlay's name.
        overlay: String,
        /// The path concerned.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OverlayError {
    /// Whether the call itself was wrong: it names no overlay, or one twice.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::NoFolder { .. } | Self::NotAFolder { .. } | Self::Twice { .. })
    }
}

/// An overlay folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The name that messages and the manifest use: that of its folder.
    pub name: String,
    /// The folder, as it was given.
    pub folder: PathBuf,
}

impl Overlay {
    /// The overlay in `folder`; nothing but the folder's existence is checked yet.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(folder: &Path) -> Result<Self, OverlayError> {
        let path = || folder.to_owned();
        let real = folder.canonicalize().map_err(|_| OverlayError::NoFolder { path: path() })?;
        if !real.is_dir() {
            return Err(OverlayError::NotAFolder { path: path() });
        }
        let name =
            real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "root".into());
        Ok(Self { name, folder: folder.to_owned() })
    }

    /// Looks at everything that can be judged before a build starts: scripts, links, names and the `owners` table.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn check(&self) -> Result<(), OverlayError> {
        for name in [scripts::PRE_SCRIPTS, scripts::SCRIPTS, patches::PATCHES] {
            match std::fs::symlink_metadata(self.folder.join(name)) {
                Ok(found) if !found.is_dir() => {
                    let problem =
                        "it is no folder; put a real one there, not a link, so that a change in it is seen";
                    return Err(self.unfit(name, problem));
                }
                _ => {}
            }
        }
        scripts::check(self, scripts::PRE_SCRIPTS)?;
        scripts::check(self, scripts::SCRIPTS)?;
        patches::find(self)?;
        root::check(self)?;
        owners::read(self).map(|_| ())
    }

    /// Whether it has scripts of any kind. They may do to the root what nobody named beforehand.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn has_scripts(&self) -> Result<bool, OverlayError> {
        Ok(self.has_pre_scripts()? || !scripts::find(self, scripts::SCRIPTS)?.is_empty())
    }

    /// Whether it has scripts that run first. What they make may become part of the overlay.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn has_pre_scripts(&self) -> Result<bool, OverlayError> {
        Ok(!scripts::find(self, scripts::PRE_SCRIPTS)?.is_empty())
    }

    /// A path as messages name it, which have the overlay's name in front.
    fn inside(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    pub(crate) fn unfit(&self, path: impl AsRef<Path>, problem: impl Into<String>) -> OverlayError {
        let path = self.inside(path.as_ref());
        OverlayError::Unfit { overlay: self.name.clone(), path, problem: problem.into() }
    }

    pub(crate) fn failed(&self, path: impl AsRef<Path>, source: CommandError) -> OverlayError {
        let path = self.inside(path.as_ref());
        OverlayError::Failed { overlay: self.name.clone(), path, source }
    }

    pub(crate) fn system(&self, path: impl AsRef<Path>, source: io::Error) -> OverlayError {
        let path = self.inside(path.as_ref());
        OverlayError::System { overlay: self.name.clone(), path, source }
    }
}

/// Gives every overlay a name of its own: two folders of the same name get their parent's name in front.
///
/// # Errors
/// When two are the same folder.
pub fn name_apart(overlays: &mut [Overlay]) -> Result<(), OverlayError> {
    let names: Vec<String> = overlays.iter().map(|overlay| overlay.name.clone()).collect();
    let twice = |names: &[String], name: &String| names.iter().filter(|other| *other == name).count() > 1;
    for overlay in overlays.iter_mut().filter(|overlay| twice(&names, &overlay.name)) {
        let real = overlay.folder.canonicalize().map_err(|e| overlay.system(&overlay.folder, e))?;
        let parent = real.parent().and_then(Path::file_name).unwrap_or_default();
        overlay.name = format!("{}/{}", parent.to_string_lossy(), overlay.name);
    }
    let names: Vec<String> = overlays.iter().map(|overlay| overlay.name.clone()).collect();
    match overlays.iter().find(|overlay| twice(&names, &overlay.name)) {
        Some(overlay) => Err(OverlayError::Twice { path: overlay.folder.clone() }),
        None => Ok(()),
    }
}

/// Whether a file or folder of an overlay is none of the build's business: version control, place holders, back-ups.
pub(crate) fn is_skipped(name: &str) -> bool {
    const NAMES: [&str; 7] = [".git", ".svn", ".hg", ".bzr", "CVS", ".empty", ".gitkeep"];
    NAMES.contains(&name) || name.ends_with('~')
}

/// The entries of a folder in byte order of their names, without those that are skipped; none where there is no folder.
pub(crate) fn entries(overlay: &Overlay, folder: &Path) -> Result<Vec<(String, PathBuf)>, OverlayError> {
    let list = match std::fs::read_dir(folder) {
        Ok(list) => list,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(overlay.system(folder, e)),
    };
    let mut found = Vec::new();
    for entry in list {
        let entry = entry.map_err(|e| overlay.system(folder, e))?;
        let name = entry.file_name();
        let readable = name.to_str().filter(|name| !name.chars().any(char::is_control));
        let Some(name) = readable else {
            return Err(overlay.unfit(entry.path(), "the name is no plain UTF-8 text; rename it"));
        };
        if !is_skipped(name) {
            found.push((name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_of_scripts_is_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let overlay = Overlay::open(folder.path()).unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        overlay.check().unwrap();
        for name in ["pre-scripts", "scripts", "patches"] {
            let place = folder.path().join(name);
            std::os::unix::fs::symlink("elsewhere", &place).unwrap();
            let error = overlay.check().unwrap_err().to_string();
            assert!(error.contains(&format!(": {name}: it is no folder; ")), "{error}");
            fs::remove_file(place).unwrap();
        }
    }

    #[test]
    fn overlays_of_the_same_name_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut overlays = Vec::new();
        for path in ["common/01-a", "firmware-p/01-a", "firmware-p/02-b"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
            overlays.push(Overlay::open(&folder.path().join(path)).unwrap());
        }
        name_apart(&mut overlays).unwrap();
        let names: Vec<_> = overlays.iter().map(|overlay| overlay.name.as_str()).collect();
        assert_eq!(names, ["common/01-a", "firmware-p/01-a", "02-b"]);

        let again = Overlay::open(&folder.path().join("firmware-p/./02-b")).unwrap();
        let mut twice = vec![again.clone(), again];
        assert!(name_apart(&mut twice).unwrap_err().to_string().contains("given twice"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Overlay::open(Path::new("/nonexistent/overlay")).unwrap_err().to_string();
        assert_eq!(error, "there is no overlay folder /nonexistent/overlay");
    }

    #[test]
    fn messages_name_paths_inside_the_overlay() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("01-a");
        fs::create_dir_all(place.join("root/etc")).unwrap();
        fs::write(place.join("root/etc/bad\tname"), "").unwrap();
        let error = Overlay::open(&place).unwrap().check().unwrap_err().to_string();
        assert_eq!(error, "overlay 01-a: root/etc/bad\tname: the name is no plain UTF-8 text; rename it");
    }

    #[test]
    fn leftovers_are_skipped() {
        for (name, skipped) in [
            (".git", true),
            ("x~", true),
            (".gitkeep", true),
            (".gitignore", false),
            ("CVS", true),
            ("a", false),
        ] {
            assert_eq!(is_skipped(name), skipped, "{name}");
        }
    }
}
