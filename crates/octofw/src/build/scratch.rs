//! The folder in which an image is built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BuildError;
use super::state::beside;

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
        // What an interrupted build left is in nobody's use: the output is locked.
        clear().and_then(|()| fs::create_dir(&path)).map_err(|e| {
            BuildError::system(
                format!("cannot make an empty build folder {}; delete what is there", path.display()),
                e,
            )
        })?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
