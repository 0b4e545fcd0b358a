//! Small files that are read and replaced as a whole.
//!
//! What is read may have been replaced by anything: a folder, a pipe, a gigabyte. What is replaced is whole after a
//! crash, either as it was or as it should be.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// Why a small file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder, pipe, socket or device stands in its place.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Larger than such a file can be.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{} is not UTF-8 text (byte {offset})", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Offset of the first bad byte.
        offset: usize,
    },
}

impl ReadError {
    /// Whether the file simply is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// Opens without blocking, so that a pipe in the file's place cannot hold up the start.
///
/// # Errors
///
/// [`ReadError`] names the file and what is wrong with it.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a regular UTF-8 file of at most `limit` bytes.
///
/// # Errors
///
/// As [`read`], and for bytes that are no text.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, limit)?)
        .map_err(|e| ReadError::NotText { path: path.to_owned(), offset: e.utf8_error().valid_up_to() })
}

/// Puts a file (mode 0600) with `bytes` in the place of what is at `path`: after a crash either all of them are
/// there or the former ones.
///
/// # Errors
///
/// If writing, flushing or renaming fails; the former file is untouched then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, bytes, |_| Ok(()))
}

/// As [`replace`]; `finish` is called with the path of the new file before that takes its place.
///
/// # Errors
///
/// As [`replace`], and if `finish` fails.
pub fn replace_with(
    path: &Path,
    bytes: &[u8],
    finish: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        finish(&fresh)?;
        std::fs::rename(&fresh, path)
    };
    if let Err(error) = write() {
        // A half-written file must not eat the space that is missing, nor keep a secret.
        let _ = std::fs::remove_file(&fresh);
        return Err(error);
    }
    File::open(folder_of(path))?.sync_all()
}

/// As [`replace`], in a folder that is made (mode 0700) where it is missing. What root writes is given to whom the folder
/// belongs, and a folder that root makes to whom the one above it does: over SSH people are root, and the service is not.
///
/// # Errors
///
/// As [`replace`], and if the folder cannot be made or either be given away.
pub fn replace_for_owner(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        DirBuilder::new().mode(0o700).create(folder)?;
        give_to_owner_of(folder_of(folder), folder)?;
    }
    replace_with(path, bytes, |fresh| give_to_owner_of(folder, fresh))
}

fn give_to_owner_of(model: &Path, path: &Path) -> io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        let owner = std::fs::metadata(model)?;
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// The folder that `path` lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_stands_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("good"), "hä").unwrap();
        std::fs::write(at("binary"), b"ab\xff").unwrap();
        std::fs::write(at("large"), "x".repeat(11)).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        assert_eq!(read_text(&at("good"), 10).unwrap(), "hä");
        assert!(read_text(&at("none"), 10).unwrap_err().is_missing());
        assert!(matches!(read_text(&at("binary"), 10), Err(ReadError::NotText { offset: 2, .. })));
        assert!(matches!(read_text(&at("large"), 10), Err(ReadError::TooLarge { limit: 10, .. })));
        assert!(matches!(read_text(&at("pipe"), 10), Err(ReadError::NotAFile(_))));
        assert!(matches!(read_text(dir.path(), 10), Err(ReadError::NotAFile(_))));
    }

    #[test]
    fn replaces_privately_and_leaves_nothing_behind() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for content in ["one", "two"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let refused = replace_with(&path, b"three", |_| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
