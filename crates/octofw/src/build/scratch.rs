//! The folder in which an image is built.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::BuildError;
use super::state::{StateError, beside};

/// The plan of the session in the build folder.
pub(super) const PLAN: &str = "plan.json";

/// The build folder, hidden beside the output; it goes when the build ends. What a killed one left, the next
/// clears away.
pub(super) struct Scratch {
    /// Where it is, from the root of the file system.
    pub(super) path: PathBuf,
}

impl Scratch {
    /// Makes it, empty, for the output `out`.
    pub(super) fn make(out: &Path) -> Result<Self, BuildError> {
        let path = std::path::absolute(beside(out, "octofw-build"))
            .map_err(|e| BuildError::system("cannot find the build folder", e))?;
        let clear = || match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        if session_runs(&path.join(PLAN)) {
            return Err(StateError::Busy { out: out.to_owned() }.into());
        }
        clear().and_then(|()| fs::create_dir(&path)).map_err(|e| {
            BuildError::system(
                format!("cannot make an empty build folder {}; delete what is there", path.display()),
                e,
            )
        })?;
        Ok(Self { path })
    }

    /// A new folder in it for the unpacked root.
    ///
    /// On ext4 without a journal, inodes that were freed lately are passed over one by one for minutes. A tree in the
    /// neighbourhood of the one before, which the last build has just deleted, would take half a minute to make; so this
    /// folder gets a name of its own, and is told to be far from the others, as folders at the top of a disk are.
    pub(super) fn root(&self) -> Result<PathBuf, BuildError> {
        if let Ok(folder) = File::open(&self.path)
            && let Ok(flags) = ioctl_getflags(&folder)
        {
            // Other file systems have no such flag.
            let _ = ioctl_setflags(&folder, flags | IFlags::TOPDIR);
        }
        let failed = |e| BuildError::system(format!("cannot make a folder in {}", self.path.display()), e);
        let folder = tempfile::Builder::new().prefix("tree-").tempdir_in(&self.path).map_err(failed)?;
        // The name, which differs each time, must not reach the output: scripts get another.
        let place = self.path.join("tree");
        std::os::unix::fs::symlink(folder.keep(), &place).map_err(failed)?;
        Ok(place.join("root"))
    }
}

/// Whether the session of a build that was killed still works in the folder: for as long as it does, it holds its plan.
fn session_runs(plan: &Path) -> bool {
    File::open(plan).is_ok_and(|plan| matches!(plan.try_lock(), Err(TryLockError::WouldBlock)))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
