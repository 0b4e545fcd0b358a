//! Where a journal's bytes live: a file that is appended to, and replaced as a whole by renaming.

use super::OutboxError;
use crate::whole_file::{self, folder_of};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a store holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The bytes, up to the limit that was asked for.
    pub bytes: Vec<u8>,
    /// Whether there were more.
    pub cut: bool,
}

/// The bytes of a journal, on something that lasts.
pub trait Store: Send {
    /// Gets ready for writing and claims the journal for this process.
    ///
    /// # Errors
    ///
    /// [`OutboxError::InUse`] if another process has it; otherwise what keeps it from being written.
    fn prepare(&mut self) -> Result<(), OutboxError>;

    /// Gives the journal up, so that it can be claimed anew. Nothing is written through this store before it is.
    fn release(&mut self);

    /// Reads at most `most` bytes from the beginning; none if there is no journal yet.
    ///
    /// # Errors
    ///
    /// If it exists and cannot be read.
    fn read(&mut self, most: usize) -> Result<Option<Read>, OutboxError>;

    /// Adds `bytes` at the end, and waits until they are on the medium if `flush` is set.
    ///
    /// # Errors
    ///
    /// If that fails; a part of `bytes` may be there then.
    fn append(&mut self, bytes: &[u8], flush: bool) -> Result<(), OutboxError>;

    /// Puts `bytes` in the place of the whole journal: after a crash either all of them are there or the
    /// former ones.
    ///
    /// # Errors
    ///
    /// If that fails; the former bytes are there then.
    fn replace(&mut self, bytes: &[u8]) -> Result<(), OutboxError>;

    /// Moves the journal out of the way under a name with `label` in it, untouched, and returns the name.
    ///
    /// # Errors
    ///
    /// If that fails; the journal is where it was then.
    fn set_aside(&mut self, label: &str) -> Result<PathBuf, OutboxError>;
}

/// A journal file (mode 0600) in a directory of its own (mode 0700).
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    /// Held while this process owns the journal. The journal itself cannot carry the lock: it is replaced.
    lock: Option<File>,
    end: Option<File>,
}

impl FileStore {
    /// The store at `path`; touches nothing yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None, end: None }
    }

    fn directory(&self) -> &Path {
        folder_of(&self.path)
    }

    fn write_error(&self, source: io::Error) -> OutboxError {
        OutboxError::Write { path: self.path.clone(), source }
    }

    fn open_end(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).open(&self.path)
    }
}

impl Store for FileStore {
    fn prepare(&mut self) -> Result<(), OutboxError> {
        let directory = self.directory();
        let unusable = |source| OutboxError::Directory { path: directory.to_owned(), source };
        if !directory.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
            // A new directory must outlive a power cut as well as what is put into it.
            File::open(folder_of(directory)).and_then(|parent| parent.sync_all()).map_err(unusable)?;
        }
        let mode = directory.metadata().map_err(unusable)?.permissions().mode();
        if mode & 0o077 != 0 {
            // Somebody else's directory keeps its mode; the files are private all the same.
            let _ = std::fs::set_permissions(directory, Permissions::from_mode(0o700));
        }
        if self.lock.is_none() {
            let path = with_suffix(&self.path, "lock");
            let mut options = OpenOptions::new();
            let lock = options.write(true).create(true).mode(0o600).open(&path).map_err(unusable)?;
            lock.try_lock().map_err(|_| OutboxError::InUse { path })?;
            self.lock = Some(lock);
        }
        self.end = Some(self.open_end().map_err(|source| self.write_error(source))?);
        Ok(())
    }

    fn release(&mut self) {
        (self.lock, self.end) = (None, None);
    }

    fn read(&mut self, most: usize) -> Result<Option<Read>, OutboxError> {
        let unreadable = |source| OutboxError::Read { path: self.path.clone(), source };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let cut = bytes.len() > most;
        bytes.truncate(most);
        Ok(Some(Read { bytes, cut }))
    }

    fn append(&mut self, bytes: &[u8], flush: bool) -> Result<(), OutboxError> {
        let written = match self.end.as_mut() {
            Some(end) => end.write_all(bytes).and_then(|()| if flush { end.sync_data() } else { Ok(()) }),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        written.map_err(|source| self.write_error(source))
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), OutboxError> {
        let replaced = whole_file::replace(&self.path, bytes).and_then(|()| self.open_end());
        self.end = Some(replaced.map_err(|source| self.write_error(source))?);
        Ok(())
    }

    fn set_aside(&mut self, label: &str) -> Result<PathBuf, OutboxError> {
        let names = (1..100).map(|n| match n {
            1 => with_suffix(&self.path, label),
            n => with_suffix(&self.path, &format!("{label}.{n}")),
        });
        let free = names.into_iter().find(|name| name.symlink_metadata().is_err());
        let free = free.ok_or_else(|| self.write_error(io::ErrorKind::AlreadyExists.into()))?;
        std::fs::rename(&self.path, &free).map_err(|source| self.write_error(source))?;
        self.end = None;
        Ok(free)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("outbox/telegram.journal");
        let mut store = FileStore::new(&path);
        store.prepare().unwrap();
        store.append(b"one", true).unwrap();
        store.replace(b"two").unwrap();
        store.append(b"three", false).unwrap();
        assert_eq!(store.read(100).unwrap().unwrap(), Read { bytes: b"twothree".to_vec(), cut: false });
        assert_eq!(store.read(4).unwrap().unwrap(), Read { bytes: b"twot".to_vec(), cut: true });
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let mut first = FileStore::new(&path);
        first.prepare().unwrap();
        let mut second = FileStore::new(&path);
        assert!(matches!(second.prepare(), Err(OutboxError::InUse { .. })));
        drop(first);
        second.prepare().unwrap();
    }

    #[test]
    fn setting_aside_never_overwrites() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let mut store = FileStore::new(&path);
        let mut names = Vec::new();
        for content in ["a", "b"] {
            std::fs::write(&path, content).unwrap();
            names.push(store.set_aside("v9").unwrap());
        }
        assert_eq!(names, [place.path().join("journal.v9"), place.path().join("journal.v9.2")]);
        assert_eq!(std::fs::read(&names[0]).unwrap(), b"a");
        assert!(store.read(10).unwrap().is_none());
    }

    #[test]
    fn errors_name_the_path() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        let mut store = FileStore::new(&place.path().join("file/journal"));
        let error = store.prepare().unwrap_err().to_string();
        assert!(error.contains("file") && error.contains("check that it is writable"), "{error}");
    }
}
