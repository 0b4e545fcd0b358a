//! The commands that the scripts of the community's overlays find on their `PATH`, as our own.
//!
//! Each is a two-line script in the build folder that calls this program again: `octofw script-tool NAME`. They work
//! without root, keep what they fetch by its content, obey `--offline`, and tell the session what they lacked and what
//! they could not carry over, by lines in a file.
//! Not here: which scripts run and when (`overlay::scripts`), and the variables they see (`build::environment`).

pub mod boot_fit;
pub mod cache_file;
pub mod cache_git;
pub mod cache_pip;
pub mod chroot;
pub mod dos2unix;
pub mod filtered;
pub mod ownership;
pub mod place;
pub mod said;
pub mod store;
pub mod survey;

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::build::progress::Progress;
use crate::command::{Command, CommandError, quoted};
use said::{Lack, Said};
use store::Store;

/// The hidden command of `octofw` behind all of them.
pub const COMMAND: &str = "script-tool";
/// Variable: the folder of what was fetched, by its content.
pub const CACHE: &str = "OCTOFW_CACHE";
/// Variable: the file in which tools say what a session must know.
pub const SAID: &str = "OCTOFW_SAID";
/// Variable: set where nothing may be fetched.
pub const OFFLINE: &str = "OCTOFW_OFFLINE";

/// The commands by the names that scripts call them.
pub const NAMES: [&str; 6] =
    [boot_fit::NAME, cache_file::NAME, cache_git::NAME, cache_pip::NAME, chroot::NAME, dos2unix::NAME];

/// Why one of the commands could not do its work.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It was called in another way than scripts call it.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// There is no such command.
    #[error("there is no command {0:?}; there are: {known}", known = NAMES.join(", "))]
    Unknown(String),
    /// It was called by hand.
    #[error("it runs only in scripts of an overlay: {0} is not set; octofw build sets it")]
    Outside(&'static str),
    /// It is not there and cannot be fetched.
    #[error("{reason}, and {what} is not in the cache; provide it with: {remedy}")]
    Missing {
        /// Why it was not fetched.
        reason: &'static str,
        /// What is missing, with its address.
        what: String,
        /// A command that puts it in place.
        remedy: String,
    },
    /// What came is not what the script names.
    #[error(
        "{path} has SHA-256 {found}, but the script names {expected}; what {from} serves has changed, or the script is wrong"
    )]
    Mismatch {
        /// The file's name.
        path: String,
        /// Its digest.
        found: String,
        /// The digest that it should have.
        expected: String,
        /// Where it came from.
        from: String,
    },
    /// A path that must not be written.
    #[error("{}: {problem}", path.display())]
    Place {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Something of the root is missing.
    #[error("there is no {what} in the root; this base does not have it")]
    Vendor {
        /// The path in the root, or the command.
        what: String,
    },
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The system refused.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> ToolError {
    let what = what.into();
    move |source| ToolError::System { what, source }
}

/// What a script's environment tells the command.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The unpacked root.
    pub root: PathBuf,
    /// Scratch folder of the build.
    pub build: PathBuf,
    /// What was fetched, by its content.
    pub store: Store,
    /// What programs in the root keep between builds: its `root/` is seen as `/root`, itself as `/cache`.
    pub chroot_cache: PathBuf,
    /// Whether nothing may be fetched.
    pub offline: bool,
    /// Whether a machine builds, and not a person: caches of former builds do not count.
    pub ci: bool,
    /// The tree in which scripts run.
    tree: Option<PathBuf>,
    said: Option<PathBuf>,
}

impl Surroundings {
    /// Reads the environment by `get`.
    ///
    /// # Errors
    /// When the command was not called by a script of a build.
    pub fn of(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, ToolError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let need = |name: &'static str| get(name).map(PathBuf::from).ok_or(ToolError::Outside(name));
        let root = need("ROOTFS_DIR")?;
        let cache = need(CACHE)?;
        let build = get("BUILD_DIR").map(PathBuf::from);
        Ok(Self {
            build: build.or_else(|| root.parent().map(Path::to_path_buf)).unwrap_or_default(),
            chroot_cache: get("CHROOT_CACHE").map_or_else(|| cache.join("chroot"), PathBuf::from),
            store: Store::at(cache),
            offline: get(OFFLINE).is_some(),
            ci: get("CI").is_some(),
            tree: get("ROOT_DIR").map(PathBuf::from),
            said: get(SAID).map(PathBuf::from),
            root,
        })
    }

    /// The tree's own command of this name, where it has one.
    fn own(&self, name: &str) -> Option<PathBuf> {
        let own = self.tree.as_ref()?.join("scripts/helpers").join(name);
        own.is_file().then_some(own)
    }

    /// Tells the session something. A session that does not listen is no reason to fail.
    pub fn say(&self, said: &Said) {
        if let Some(path) = &self.said {
            let _ = said::append(path, said);
        }
    }

    /// The error for something that is neither there nor to be fetched; the session is told.
    fn missing(&self, what: String, remedy: String) -> ToolError {
        self.say(&Said::Lacked(Lack::Network { what: what.clone() }));
        let reason = if self.offline { "offline" } else { "it could not be fetched" };
        ToolError::Missing { reason, what, remedy }
    }

    /// The error for something that this base does not have; the session is told.
    fn vendor(&self, what: impl Into<String>) -> ToolError {
        let what = what.into();
        self.say(&Said::Lacked(Lack::Vendor { what: what.clone() }));
        ToolError::Vendor { what }
    }
}

/// Writes the commands into `folder`; each calls `octofw`, the file of this program.
///
/// # Errors
/// When the folder cannot be written.
pub fn lay_out(folder: &Path, octofw: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for name in NAMES {
        let path = folder.join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\nexec {} {COMMAND} {name} \"$@\"\n", quoted(octofw.as_os_str())),
        )?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Carries out one of the commands; gives its exit code.
///
/// # Errors
/// See [`ToolError`].
pub fn run(name: &str, arguments: &[OsString], surroundings: &Surroundings) -> Result<u8, ToolError> {
    let ended = run_ours(name, arguments, surroundings);
    match (&ended, surroundings.own(name)) {
        // A tree may call a command of this name with other arguments, and brings its own then.
        (Err(ToolError::Usage(_)), Some(own)) if name != chroot::NAME => {
            Ok(Command::new(own).args(arguments).run_inherited()?)
        }
        _ => ended,
    }
}

fn run_ours(name: &str, arguments: &[OsString], surroundings: &Surroundings) -> Result<u8, ToolError> {
    let progress = Progress::new(true);
    match name {
        boot_fit::NAME => boot_fit::run(arguments, surroundings),
        cache_file::NAME => cache_file::run(arguments, surroundings, &progress).map(|()| 0),
        cache_git::NAME => cache_git::run(arguments, surroundings, &progress).map(|()| 0),
        cache_pip::NAME => cache_pip::run(arguments, surroundings).map(|()| 0),
        chroot::NAME => chroot::run(arguments, surroundings),
        dos2unix::NAME => dos2unix::run(arguments, surroundings).map(|()| 0),
        _ => Err(ToolError::Unknown(name.to_owned())),
    }
}

/// An argument that must be text.
fn text<'a>(argument: &'a OsStr, usage: &'static str) -> Result<&'a str, ToolError> {
    argument.to_str().ok_or(ToolError::Usage(usage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_no_build_says_so() {
        let error = Surroundings::of(|_| None).unwrap_err().to_string();
        assert!(error.contains("ROOTFS_DIR is not set; octofw build sets it"), "{error}");
    }

    #[test]
    fn every_command_is_laid_out_and_calls_this_program() {
        let folder = tempfile::tempdir().unwrap();
        lay_out(&folder.path().join("tools"), Path::new("/opt/it's/octofw")).unwrap();
        for name in NAMES {
            let path = folder.path().join("tools").join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
            let text = fs::read_to_string(path).unwrap();
            assert_eq!(text, format!("#!/bin/sh\nexec '/opt/it'\\''s/octofw' script-tool {name} \"$@\"\n"));
        }
    }
}
