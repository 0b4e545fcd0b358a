//! The observer's memory on disk: replaced as a whole, or not at all.

use crate::printer::Memory;
use crate::whole_file;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in the state folder. The version in it keeps the memories of two programs apart: the printer may
/// fall back to its other slot, and come back.
fn name() -> String {
    format!("observer-v{}.json", Memory::VERSION)
}

/// A memory is some kilobytes.
const LIMIT: u64 = 256 * 1024;

/// The file.
#[derive(Debug)]
pub(super) struct MemoryFile {
    path: Option<PathBuf>,
    last: Vec<u8>,
}

impl MemoryFile {
    /// The file in the folder `state`.
    pub(super) fn new(state: &Path) -> Self {
        Self { path: Some(state.join(name())), last: Vec::new() }
    }

    /// What was stored last; empty where there is nothing, or it cannot be read.
    pub(super) fn read(&mut self) -> Vec<u8> {
        let Some(path) = &self.path else { return Vec::new() };
        self.last = whole_file::read(path, LIMIT).unwrap_or_else(|error| {
            if !error.is_missing() {
                log::warn!("the printer's state is begun anew: {error}");
            }
            Vec::new()
        });
        self.last.clone()
    }

    /// Leaves what stands there as it is, and stores nothing in this run.
    pub(super) fn leave_alone(&mut self) {
        self.path = None;
    }

    /// Stores `bytes`, when they differ from what is stored.
    ///
    /// # Errors
    ///
    /// What the system says; the old memory is whole then.
    pub(super) fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if bytes == self.last {
            return Ok(());
        }
        whole_file::replace(path, &bytes)?;
        self.last = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_after_a_restart_and_is_written_only_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = MemoryFile::new(dir.path());
        assert_eq!(file.read(), b"");
        file.write(b"{}".to_vec()).unwrap();
        let written = std::fs::metadata(dir.path().join(name())).unwrap().modified().unwrap();
        file.write(b"{}".to_vec()).unwrap();
        assert_eq!(std::fs::metadata(dir.path().join(name())).unwrap().modified().unwrap(), written);
        let mut again = MemoryFile::new(dir.path());
        assert_eq!(again.read(), b"{}");
        again.leave_alone();
        again.write(b"other".to_vec()).unwrap();
        assert_eq!(MemoryFile::new(dir.path()).read(), b"{}");
    }
}
