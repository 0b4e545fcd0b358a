//! The root file system that is to boot.

use std::path::{Path, PathBuf};

use super::Error;
use crate::container::Kind;
use crate::image::{Image, ROOTFS};

/// Gives the squashfs that `image` is or holds: itself, or the root file system taken out into the file `to`.
///
/// # Errors
/// When the file cannot be read or written, or is neither a squashfs nor an image whose layers are sound.
pub fn take_out(image: &Path, to: &Path) -> Result<PathBuf, Error> {
    let mut magic = [0; 4];
    let read =
        std::fs::File::open(image).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        other => other.map_err(Error::io("read", image))?,
    }
    if Kind::of(magic) == Some(Kind::Squashfs) {
        return Ok(image.to_owned());
    }
    Image::open(image)?.extract_part(ROOTFS, to)?;
    Ok(to.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_squashfs_boots_as_it_is_and_another_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (image, to) = (folder.path().join("image"), folder.path().join("root"));
        std::fs::write(&image, b"hsqs and more").unwrap();
        assert_eq!(take_out(&image, &to).unwrap(), image);
        for other in [&b""[..], b"hsq", b"no image at all"] {
            std::fs::write(&image, other).unwrap();
            let error = take_out(&image, &to).unwrap_err().to_string();
            assert!(error.contains(&image.display().to_string()), "{error}");
            assert!(!to.exists());
        }
    }
}
