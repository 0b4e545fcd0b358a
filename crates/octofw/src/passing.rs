//! Folders for what is only tried out, where temporary files are kept. Whoever is interrupted leaves such a folder, with
//! a whole root in it: the next one of its kind removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::Uid;
use tempfile::TempDir;

/// The file in the folder that is locked as long as somebody needs the folder.
const HELD: &str = "held";

/// A folder that goes away with this, or with the next of its kind.
#[derive(Debug)]
pub(crate) struct Passing {
    folder: TempDir,
    /// Locked.
    _held: File,
}

impl Passing {
    /// Makes one in the folder for temporary files, whose name begins with `kind`, and removes what others left.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(kind: &str) -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir(), kind)
    }

    fn make_in(place: &Path, kind: &str) -> io::Result<Self> {
        clear(place, kind);
        let folder = tempfile::Builder::new().prefix(kind).tempdir_in(place)?;
        let begun = folder.path().join("begun");
        let held = File::create_new(&begun)?;
        held.lock()?;
        // Only now others may see it.
        fs::rename(begun, folder.path().join(HELD))?;
        Ok(Self { folder, _held: held })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of this kind that nobody needs any more. One that cannot be removed stays.
fn clear(place: &Path, kind: &str) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = || {
            fs::symlink_metadata(entry.path())
                .is_ok_and(|it| it.is_dir() && it.uid() == Uid::effective().as_raw())
        };
        if entry.file_name().as_encoded_bytes().starts_with(kind.as_bytes())
            && is_ours()
            && File::open(entry.path().join(HELD)).is_ok_and(|held| held.try_lock().is_ok())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interrupted_one_left_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["octofw-x-left/root", "octofw-x-other", "octofw-y-left"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for held in ["octofw-x-left/held", "octofw-y-left/held", "octofw-x-file"] {
            fs::write(at(held), "").unwrap();
        }
        std::os::unix::fs::symlink("octofw-y-left", at("octofw-x-link")).unwrap();
        let first = Passing::make_in(place.path(), "octofw-x-").unwrap();
        let second = Passing::make_in(place.path(), "octofw-x-").unwrap();
        assert!(!at("octofw-x-left").exists());
        for kept in ["octofw-x-other", "octofw-y-left/held", "octofw-x-file", "octofw-x-link/held"] {
            assert!(at(kept).exists(), "{kept}");
        }
        assert!(first.path().is_dir() && second.path().is_dir());
        let gone = first.path().to_owned();
        drop(first);
        assert!(!gone.exists());
    }
}
