//! What was fetched, kept by its content: a file under its SHA-256, a repository under the digest of its address.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempPath;

use super::{ToolError, system};
use crate::cache::{Using, mark};
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

    /// Keeps what is in the store from being cleared away. A store that cannot be written is not cleared either.
    #[must_use]
    pub fn begin(&self) -> Option<Using> {
        Using::begin(&self.folder).ok()
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
        mark(&place);
        Ok(true)
    }

    /// A file in the store for something that is being fetched. It goes with the value, unless it was kept.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn unfinished(&self) -> Result<TempPath, ToolError> {
        let folder = self.folder.join("unfinished");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        fs::create_dir_all(&folder)
            .and_then(|()| tempfile::Builder::new().permissions(mode).tempfile_in(&folder))
            .map(tempfile::NamedTempFile::into_temp_path)
            .map_err(system(format!("cannot write in {}", folder.display())))
    }

    /// Moves a repository to its place, unless there is one already. What is left of an interrupted command is cleared
    /// up later, so that nobody takes half a repository for a whole one.
    ///
    /// # Errors
    /// When it cannot be made or moved.
    pub fn keep_repository(
        &self,
        url: &str,
        fetch: impl FnOnce(&Path) -> Result<(), ToolError>,
    ) -> Result<(), ToolError> {
        let unfinished = self.folder.join("unfinished");
        let failed = || system(format!("cannot write in {}", self.folder.display()));
        let made = fs::create_dir_all(&unfinished).and_then(|()| tempfile::tempdir_in(&unfinished));
        let folder = made.map_err(failed())?;
        let fetched = folder.path().join("fetched.git");
        fetch(&fetched)?;
        let place = self.repository(url);
        place.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed())?;
        match fs::rename(&fetched, &place) {
            Err(error) if !place.is_dir() => Err(failed()(error)),
            _ => Ok(()),
        }
    }

    /// Waits until nobody else brings the repository of this address up to date, and keeps them from it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn alone(&self, url: &str) -> Result<Held, ToolError> {
        let path = self.repository(url).with_extension("lock");
        let open = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(Held { file })
        };
        open().map_err(system(format!("cannot lock {}", path.display())))
    }

    /// Moves a fetched file to its place, and notes its name for people.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn keep(&self, fetched: &Path, sha256: &str, name: &str) -> Result<(), ToolError> {
        let place = self.file(sha256);
        let made =
            place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(fetched, &place));
        made.map_err(system(format!("cannot write {}", place.display())))?;
        let names = self.folder.join("names");
        // The file is kept, whether its name is or not.
        let _ = fs::create_dir_all(&names).and_then(|()| fs::write(names.join(sha256), name));
        Ok(())
    }
}

/// A repository that nobody else brings up to date meanwhile.
#[derive(Debug)]
pub struct Held {
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child between fork and exec may hold a copy of the file for a moment longer.
        let _ = self.file.unlock();
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
        store.keep(&fetched, &sha256, "abc.txt").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::open(store.file(&sha256)).unwrap().set_modified(long_ago).unwrap();
        assert!(store.take(&sha256, &target).unwrap());
        let [entry] = crate::cache::entries(&folder.path().join("store")).unwrap().try_into().unwrap();
        assert_eq!(entry.name.as_deref(), Some("abc.txt"));
        assert!(entry.used > long_ago, "its use is noted");
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
