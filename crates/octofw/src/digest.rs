//! SHA-256 of files, and digests as text.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::container::SourceFile;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;
/// From this size on a second thread reads.
const LARGE: u64 = 16 << 20;

/// SHA-256 of a file in lower-case hex, and its size in bytes. The file is never in memory as a whole.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() >= LARGE {
        let source = SourceFile::of(path, file)?;
        source.read_ahead(source.span(), |_| Ok(()), |_| (), |piece| digest.update(piece.bytes()))?;
        return Ok((hex(&digest.finalize()), source.len()));
    }
    let mut piece = vec![0; PIECE];
    let mut size: u64 = 0;
    loop {
        match file.read(&mut piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
            Ok(0) => return Ok((hex(&digest.finalize()), size)),
            Ok(length) => {
                digest.update(piece.get(..length).unwrap_or_default());
                size = size.saturating_add(length as u64);
            }
        }
    }
}

/// Both digests that a bill of materials has of a file, of what is written to it.
#[derive(Debug, Default)]
pub(crate) struct Twice {
    sha1: Sha1,
    sha256: Sha256,
}

impl Twice {
    /// SHA-1 and SHA-256 in lower-case hex.
    pub(crate) fn finish(self) -> (String, String) {
        (hex(&self.sha1.finalize()), hex(&self.sha256.finalize()))
    }
}

impl io::Write for Twice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_digest_is_sha_256() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file(file.path()).unwrap(), (expected.to_owned(), 3));
    }
}
