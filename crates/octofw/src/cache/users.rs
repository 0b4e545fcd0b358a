//! Who uses the cache: many together, or one alone who removes things.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::CacheError;
use super::entries::{Entry, Kind, NAMES};

/// The file whose lock tells.
pub(super) const FILE: &str = "in-use";

/// One of those who use the cache: nothing in it is removed meanwhile, but for what is damaged.
#[derive(Debug)]
pub struct Using {
    file: File,
}

impl Using {
    /// Begins to use the cache, which is made where there is none. Waits while somebody has it alone.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = open(folder)?;
        file.lock_shared()?;
        Ok(Self { file })
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        // A child between fork and exec may hold a copy of the file for a moment longer.
        let _ = self.file.unlock();
    }
}

/// The one who has the cache alone, and may remove what is in it.
#[derive(Debug)]
pub struct Alone {
    folder: PathBuf,
    file: File,
}

impl Alone {
    /// Takes the cache, if nobody uses it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn try_begin(folder: &Path) -> Result<Option<Self>, CacheError> {
        let failed = CacheError::system("lock the cache", folder);
        let file = match open(folder) {
            Ok(file) => file,
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { folder: folder.to_owned(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Removes entries of the cache. Goes on where one cannot be removed, and tells the first such error at the end.
    ///
    /// # Errors
    /// When an entry cannot be removed.
    pub fn remove<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), CacheError> {
        let mut ended = Ok(());
        for entry in entries {
            let place = self.folder.join(&entry.path);
            if let Err(error) = self.remove_one(entry, &place) {
                ended = ended.and(Err(CacheError::system("remove", &place)(error)));
            }
        }
        ended
    }

    fn remove_one(&self, entry: &Entry, place: &Path) -> io::Result<()> {
        if !fs::symlink_metadata(place)?.is_dir() {
            fs::remove_file(place)?;
        } else if entry.kind == Kind::Unfinished {
            fs::remove_dir_all(place)?;
        } else {
            // What is half removed must not be taken for whole.
            let unfinished = self.folder.join("unfinished");
            fs::create_dir_all(&unfinished)?;
            let going = tempfile::tempdir_in(&unfinished)?;
            fs::rename(place, going.path().join("gone"))?;
            going.close()?;
        }
        if entry.kind == Kind::File
            && let Some(name) = place.file_name()
        {
            // A name without its file does no harm.
            let _ = fs::remove_file(self.folder.join(NAMES).join(name));
        }
        if entry.kind == Kind::Repository {
            let _ = fs::remove_file(place.with_extension("lock"));
        }
        Ok(())
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The file of the lock. Whoever may read it may lock it, so that users of a machine can share a cache.
fn open(folder: &Path) -> io::Result<File> {
    let path = folder.join(FILE);
    match File::open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            File::options().write(true).create(true).truncate(false).open(&path)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::entries;
    use super::*;

    #[test]
    fn nobody_is_alone_while_somebody_uses_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("new/cache");
        let first = Using::begin(&cache).unwrap();
        let second = Using::begin(&cache).unwrap();
        drop(first);
        assert!(Alone::try_begin(&cache).unwrap().is_none());
        drop(second);
        let alone = Alone::try_begin(&cache).unwrap().unwrap();
        assert!(Alone::try_begin(&cache).unwrap().is_none());
        drop(alone);
        assert!(Alone::try_begin(&cache).unwrap().is_some());
    }

    #[test]
    fn what_is_removed_is_gone_with_what_belongs_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let hex = "ab".repeat(32);
        let repository = "git/x-0123456789abcdef";
        for path in ["sha256", "names", &format!("{repository}.git/objects"), "unfinished/left/deep"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in [&format!("sha256/{hex}"), &format!("names/{hex}"), &format!("{repository}.lock")] {
            fs::write(at(path), "x").unwrap();
        }
        let list = entries(folder.path()).unwrap();
        assert_eq!(list.len(), 3, "{list:?}");
        let alone = Alone::try_begin(folder.path()).unwrap().unwrap();
        alone.remove(&list).unwrap();
        assert_eq!(entries(folder.path()).unwrap(), []);
        for folder in ["sha256", "names", "git", "unfinished"] {
            assert_eq!(fs::read_dir(at(folder)).unwrap().count(), 0, "{folder}");
        }
        assert!(alone.remove(&list).is_err(), "what is not there cannot be removed");
    }
}
