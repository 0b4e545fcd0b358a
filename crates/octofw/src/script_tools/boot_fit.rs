//! `boot_fit.sh COMMAND IMAGE…`: the kernel's image, taken apart and put together by the tree's own script.
//!
//! Here is only the look whether there is anything to take apart: a base that is not the vendor's has no kernel, no logo,
//! and nothing that a script could draw on.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{Surroundings, ToolError, system};
use crate::command::Command;
use crate::container::SourceFile;
use crate::parts::{Content, PartError, of_part};

/// How scripts call it.
pub const NAME: &str = "boot_fit.sh";
const USAGE: &str = "boot_fit.sh extract|list|self-test IMAGE [FOLDER], or boot_fit.sh repack FOLDER IMAGE";
/// What the vendor's image consists of.
const PARTS: [&str; 3] = ["fdt", "kernel", "resource"];

pub(super) fn run(arguments: &[OsString], surroundings: &Surroundings) -> Result<u8, ToolError> {
    let [command, first, ..] = arguments else { return Err(ToolError::Usage(USAGE)) };
    if command != "repack" {
        let image = Path::new(first);
        let found = parts(image).map_err(system(format!("cannot read {}", image.display())))?;
        if !PARTS.iter().all(|part| found.iter().any(|found| found == part)) {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            return Err(surroundings.vendor(format!("{name} with a kernel and a logo")));
        }
    }
    let Some(own) = surroundings.own(NAME) else {
        let problem = "the tree has no such script of its own, which knows how to do it".to_owned();
        return Err(ToolError::Place { path: Path::new("scripts/helpers").join(NAME), problem });
    };
    Ok(Command::new(own).args(arguments).run_inherited()?)
}

/// The parts that a flattened image tree names. Nothing where the file is none, or a broken one.
fn parts(image: &Path) -> io::Result<Vec<String>> {
    let source = SourceFile::open(image)?;
    match of_part(&source, source.span(), NAME, false) {
        Ok(Some(look)) => Ok(match look.content {
            Content::Fit(fit) => fit.images.into_iter().map(|image| image.name).collect(),
            _ => Vec::new(),
        }),
        Ok(None) | Err(PartError::Format(_)) => Ok(Vec::new()),
        Err(PartError::Io(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::parts::tests::kernel_image;

    #[test]
    fn the_parts_of_an_image_are_those_of_its_tree() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let of = |bytes: &[u8]| {
            fs::write(file.path(), bytes).unwrap();
            parts(file.path()).unwrap()
        };
        let image = kernel_image();
        assert_eq!(of(&image), PARTS);
        for other in [&b""[..], b"ANDROID!", &image[..100], &image[..image.len() - 1]] {
            assert!(of(other).is_empty(), "{} bytes", other.len());
        }
        assert!(parts(Path::new("/nonexistent")).is_err());
    }
}
