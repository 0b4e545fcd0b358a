//! Whether a file on the disk holds what one of a squashfs does.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use crate::squashfs::Filesystem;
use crate::squashfs::tree::Stored;

/// Whether a file on the disk has another content than one of a squashfs.
pub(super) fn is_other(filesystem: &Filesystem, stored: &Stored, place: &Path) -> io::Result<bool> {
    let file = File::open(place)?;
    if file.metadata()?.len() != stored.size {
        return Ok(true);
    }
    let mut compare = Compare { file, same: true, buffer: Vec::new() };
    filesystem.copy(stored, &mut compare).map_err(io::Error::other)?;
    Ok(!compare.same)
}

/// Compares what is written to it with a file, from its start.
struct Compare {
    file: File,
    same: bool,
    buffer: Vec<u8>,
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.same {
            self.buffer.resize(bytes.len(), 0);
            match self.file.read_exact(&mut self.buffer) {
                Ok(()) => self.same = self.buffer == bytes,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => self.same = false,
                Err(e) => return Err(e),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
