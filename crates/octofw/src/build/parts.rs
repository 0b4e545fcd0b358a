//! The base's parts where the community's scripts look for them: in the build folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::BuildError;
use super::untouched::Untouched;
use crate::image::{BOOT, Image, ImageError, ROOTFS};

/// The folder of the build folder `build` that they are laid out in.
pub(crate) fn folder(build: &Path) -> PathBuf {
    build.join("rk-unpacked")
}

/// Lays them out in the build folder `build`, whose folder for them is `parts`, and takes note of them.
///
/// # Errors
/// When the base cannot be read, or a file not be written.
pub(crate) fn lay_out<'a>(
    image: &'a Image,
    build: &Path,
    parts: &'a Path,
) -> Result<Untouched<'a>, BuildError> {
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|e| BuildError::system(format!("cannot write {}", path.display()), e))
    };
    fs::create_dir(parts).map_err(|e| BuildError::system(format!("cannot make {}", parts.display()), e))?;
    if let Some(upfile) = image.upfile() {
        write(build.join("UPFILE_VERSION"), upfile.version.text())?;
        write(build.join("UPFILE_BUILD_DATE"), upfile.date.text())?;
    }
    for part in [ROOTFS, BOOT] {
        // A base without a kernel has nothing for scripts to read.
        if matches!(image.span_of(part), Err(ImageError::NoPart { .. })) {
            continue;
        }
        let path = parts.join(part);
        // It need not outlive a loss of power.
        let mut file = File::create_new(&path)
            .map_err(|e| BuildError::system(format!("cannot write {}", path.display()), e))?;
        image.copy_part(part, &mut file, &path)?;
    }
    Ok(Untouched::note(image, parts))
}
