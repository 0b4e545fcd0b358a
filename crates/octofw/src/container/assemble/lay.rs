//! Writing contents one behind the other.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::{AssembleError, Content};
use crate::container::sums::Reached;

/// Bytes that are copied at once.
const PIECE: usize = 256 * 1024;

/// The output and the position in it.
pub(super) struct Sink<'a> {
    path: &'a Path,
    file: BufWriter<&'a mut File>,
    position: u64,
    /// Who sums up what is written.
    reached: Option<&'a Reached>,
}

impl<'a> Sink<'a> {
    /// Begins at the start of a file.
    pub(super) fn new(file: &'a mut File, path: &'a Path) -> Self {
        Self { path, file: BufWriter::new(file), position: 0, reached: None }
    }

    /// Tells how far it is, from time to time.
    pub(super) fn telling(self, reached: &'a Reached) -> Self {
        Self { reached: Some(reached), ..self }
    }

    /// Tells that everything up to here can be read.
    fn tell(&mut self) -> Result<(), AssembleError> {
        if let Some(reached) = self.reached {
            self.file.flush().map_err(|source| self.failed(source))?;
            reached.set(self.position);
        }
        Ok(())
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn failed(&self, source: io::Error) -> AssembleError {
        AssembleError::Write { path: self.path.to_owned(), source }
    }

    fn go_to(&mut self, position: u64) -> Result<(), AssembleError> {
        self.file.seek(SeekFrom::Start(position)).map_err(|source| self.failed(source))?;
        self.position = position;
        Ok(())
    }

    pub(super) fn put_at(&mut self, position: u64, bytes: &[u8]) -> Result<(), AssembleError> {
        self.go_to(position)?;
        self.put(bytes)
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), AssembleError> {
        self.position = self.position.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes).map_err(|source| self.failed(source))
    }

    /// Copies a content, or passes over one that is there, and fills up with zeros to an absolute position.
    pub(super) fn pour(&mut self, content: Content<'_>, fill_to: Option<u64>) -> Result<(), AssembleError> {
        match content.reader {
            None => self.go_to(self.position.saturating_add(content.len))?,
            Some(_) => self.copy(content)?,
        }
        let zeros = [0; 2048];
        while let Some(left) = fill_to.and_then(|to| to.checked_sub(self.position)).filter(|left| *left > 0) {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
            self.put(zeros.get(..most).unwrap_or(&[0]))?;
        }
        self.tell()
    }

    fn copy(&mut self, content: Content<'_>) -> Result<(), AssembleError> {
        let Content { name, len, reader } = content;
        let Some(mut reader) = reader else { return Ok(()) };
        let mut buffer = vec![0; PIECE];
        let mut done: u64 = 0;
        loop {
            let read = match reader.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(AssembleError::Read { name, path: self.path.to_owned(), source });
                }
                Ok(read) => read,
            };
            done = done.saturating_add(read as u64);
            // Not written when too long: a source that grows must not fill the disk.
            if (read == 0 && done != len) || done > len {
                return Err(AssembleError::Length { name, found: done, expected: len });
            }
            match buffer.get(..read) {
                None | Some([]) => return Ok(()),
                Some(piece) => self.put(piece)?,
            }
            self.tell()?;
        }
    }

    pub(super) fn finish(mut self) -> Result<(), AssembleError> {
        self.file.flush().map_err(|source| self.failed(source))
    }
}
