//! A firmware file on disk that is read in ranges and never as a whole: stock files have 300 MB.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Most bytes that are read at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// A range of a file, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

impl Span {
    /// The range of `len` bytes from `offset`.
    #[must_use]
    pub fn new(offset: u64, len: u64) -> Self {
        Self { offset, len }
    }

    /// The first byte after the range.
    #[must_use]
    pub fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    /// A range inside this one, counted from its start; `None` if it does not fit.
    #[must_use]
    pub fn part(self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then(|| Self { offset: self.offset.saturating_add(offset), len })
    }

    /// Whether two ranges have a byte in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.len > 0 && other.len > 0 && self.offset < other.end() && other.offset < self.end()
    }
}

/// An open regular file, read by position, so that several readers do not disturb each other.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl SourceFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// If it cannot be opened, or is a directory, a pipe or a device.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked first: to open a pipe would wait for its other end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Self::of(path, File::open(path)?)
    }

    /// A file that is open, for reading at least.
    ///
    /// # Errors
    /// If its length cannot be had.
    pub fn of(path: &Path, file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, len })
    }

    /// Path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes at the time of opening.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole file as a range.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(0, self.len)
    }

    /// The open file's metadata, for telling whether two paths mean the same file.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    /// Up to `most` bytes from `offset`; fewer if the file ends before.
    ///
    /// # Errors
    /// If reading fails.
    pub fn read_up_to(&self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(most.min(CHUNK));
        let len = self.len.saturating_sub(offset).min(most as u64);
        self.reader(Span::new(offset, len)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A reader over a range. It fails if the file has meanwhile become shorter.
    #[must_use]
    pub fn reader(&self, span: Span) -> SpanReader<'_> {
        SpanReader { source: self, next: span.offset, left: span.len }
    }

    /// Gives all bytes of a range to `take`, in pieces.
    ///
    /// # Errors
    /// If reading fails or the file has become shorter.
    pub fn for_each_piece(&self, span: Span, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut reader = self.reader(span);
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = reader.read(&mut buffer)?;
            match buffer.get(..read) {
                None | Some([]) => return Ok(()),
                Some(piece) => take(piece),
            }
        }
    }
}

/// Reads one range of a [`SourceFile`].
#[derive(Debug)]
pub struct SpanReader<'a> {
    source: &'a SourceFile,
    next: u64,
    left: u64,
}

impl Read for SpanReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most) else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.source.file.read_at(buffer, self.next)?;
        if read == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} became shorter while it was read", self.source.path.display()),
            ));
        }
        self.next = self.next.saturating_add(read as u64);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_stays_inside_its_parent() {
        let outer = Span::new(100, 50);
        assert_eq!(outer.part(10, 40), Some(Span::new(110, 40)));
        assert_eq!(outer.part(50, 0), Some(Span::new(150, 0)));
        assert_eq!(outer.part(10, 41), None);
        assert_eq!(outer.part(u64::MAX, 2), None);
    }

    #[test]
    fn overlap_needs_a_common_byte() {
        let first = Span::new(10, 10);
        for (other, expected) in [
            (Span::new(0, 10), false),
            (Span::new(0, 11), true),
            (Span::new(19, 1), true),
            (Span::new(20, 1), false),
            (Span::new(15, 0), false),
        ] {
            assert_eq!(first.overlaps(other), expected, "{other:?}");
            assert_eq!(other.overlaps(first), expected, "{other:?}");
        }
    }

    #[test]
    fn a_directory_is_refused_before_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(SourceFile::open(folder.path()).unwrap_err().to_string(), "it is not a regular file");
    }

    #[test]
    fn a_file_that_shrinks_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let source = SourceFile::open(&path).unwrap();
        fs::write(&path, b"01234").unwrap();
        let error = source.for_each_piece(source.span(), |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(source.read_up_to(0, 5).unwrap(), b"01234");
    }
}
