//! Reading a small text file that a user may have replaced by anything: a folder, a pipe, a gigabyte.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why a small text file could not be read.
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

/// Reads a regular UTF-8 file of at most `limit` bytes.
///
/// Opens without blocking, so that a pipe in the file's place cannot hold up the start.
///
/// # Errors
///
/// [`ReadError`] names the file and what is wrong with it.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
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
    String::from_utf8(bytes)
        .map_err(|e| ReadError::NotText { path: path.to_owned(), offset: e.utf8_error().valid_up_to() })
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
}
