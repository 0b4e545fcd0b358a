//! What was fetched, kept by its content: a file under its SHA-256, a repository under the digest of its address.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ToolError, system};
use crate::command::quoted;
use crate::digest::{hex, of_file};

/// The folder of what was fetched.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where a file of this digest (lower-case hex) lies, if it does.
    #[must_use]
    pub fn file(&self, sha256: &str) -> PathBuf {
        self.folder.join("sha256").join(sha256)
    }

    /// Where the bare clone of a repository lies, if it does.
    #[must_use]
    pub fn repository(&self, url: &str) -> PathBuf {
        let mut digest = hex(&Sha256::digest(url.trim_end_matches('/')));
        digest.truncate(16);
        let name: String = url
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".git")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
            .collect();
        self.folder.join("git").join(format!("{name}-{digest}.git"))
    }

    /// The command that puts a file there by hand.
    #[must_use]
    pub fn by_hand(&self, sha256: &str) -> String {
        let place = self.file(sha256);
        let folder = place.parent().unwrap_or(&self.folder);
        format!("mkdir -p {} && cp FILE {}", quoted(folder.as_os_str()), quoted(place.as_os_str()))
    }

    /// Copies the file of this digest to `target`, whole or not at all; whether it is there with the content that its
    /// name says. One that has another content is deleted.
    ///
    /// # Errors
    /// When it cannot be read or `target` not be written.
    pub fn take(&self, sha256: &str, target: &Path) -> Result<bool, ToolError> {
        let place = self.file(sha256);
        match of_file(&place) {
            Ok((found, _)) if found == sha256 => {}
            Ok(_) => {
                fs::remove_file(&place).map_err(system(format!("cannot delete {}", place.display())))?;
                return Ok(false);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(system(format!("cannot read {}", place.display()))(e)),
        }
        copy(&place, target).map_err(system(format!("cannot write {}", target.display())))?;
        Ok(true)
    }

    /// A place in the store for something that is being fetched.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn unfinished(&self) -> Result<PathBuf, ToolError> {
        let folder = self.folder.join("unfinished");
        fs::create_dir_all(&folder).map_err(system(format!("cannot make {}", folder.display())))?;
        Ok(folder.join(std::process::id().to_string()))
    }

    /// Moves a fetched file to its place.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn keep(&self, fetched: &Path, sha256: &str) -> Result<(), ToolError> {
        let place = self.file(sha256);
        let made =
            place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(fetched, &place));
        made.map_err(system(format!("cannot write {}", place.display())))
    }
}

/// Copies a file to a place that appears whole.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut unfinished = tempfile::Builder::new().prefix(".octofw-").tempfile_in(folder)?;
    io::copy(&mut File::open(from)?, unfinished.as_file_mut())?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    unfinished.as_file().set_permissions(mode)?;
    unfinished.persist(to).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_and_believed_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        let sha256 = hex(&Sha256::digest("abc"));
        let target = folder.path().join("deep/target");
        assert!(!store.take(&sha256, &target).unwrap());
        let fetched = store.unfinished().unwrap();
        fs::write(&fetched, "abc").unwrap();
        store.keep(&fetched, &sha256).unwrap();
        assert!(store.take(&sha256, &target).unwrap());
        assert_eq!(fs::read_to_string(&target).unwrap(), "abc");
        fs::write(store.file(&sha256), "changed").unwrap();
        assert!(!store.take(&sha256, &target).unwrap());
        assert!(!store.file(&sha256).exists(), "what is damaged is thrown away");
    }

    #[test]
    fn repositories_of_one_name_have_places_of_their_own() {
        let store = Store::at("/s");
        let (a, b) = (store.repository("https://a/x.git"), store.repository("https://b/x.git"));
        assert_ne!(a, b);
        assert!(a.display().to_string().starts_with("/s/git/x-"), "{}", a.display());
        assert_eq!(store.repository("https://a/x.git/"), a);
        let odd = store.repository("https://a/..%2f x;y");
        assert!(odd.file_name().unwrap().to_str().unwrap().starts_with(".._2f_x_y-"), "{}", odd.display());
    }
}
