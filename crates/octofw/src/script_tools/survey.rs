//! What is really on the disk, behind fakeroot's back: which inode each path is, when that was made, and its mode.
//!
//! fakeroot answers for a file that it has on its list with what the list says. Programs in the root run without it, so
//! that their changes of a mode, and files that took the inode of a deleted one, are seen only from outside. This
//! program calls itself without fakeroot for that.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{COMMAND, ToolError, system};
use crate::command::Command;

/// How this program calls itself.
pub const NAME: &str = "survey";

/// One path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Device and inode.
    pub inode: (u64, u64),
    /// When the inode was made, in nanoseconds since 1970; 0 where the file system does not say.
    pub born: u128,
    /// Kind and permissions, as on the disk.
    pub mode: u32,
}

/// Every path of a tree, relative to its root.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The paths in byte order.
    pub found: BTreeMap<PathBuf, Found>,
}

impl Survey {
    /// Looks at the tree at `root` from outside fakeroot.
    ///
    /// # Errors
    /// When it cannot be walked.
    pub fn take(root: &Path) -> Result<Self, ToolError> {
        let octofw = std::env::current_exe().map_err(system("cannot find this program's own file"))?;
        let text = Command::new(octofw)
            .args([COMMAND, NAME])
            .arg(root)
            .without("LD_PRELOAD")
            .without("FAKEROOTKEY")
            .output()?;
        Ok(Self::parse(&text))
    }

    /// Reads what [`write`] wrote; what is no such record is passed over.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let records = text.split(|byte| *byte == 0).filter_map(record);
        Self { found: records.collect() }
    }
}

fn record(record: &[u8]) -> Option<(PathBuf, Found)> {
    let mut words = record.splitn(5, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u128>().ok();
    let (device, inode, born, mode) = (number()?, number()?, number()?, number()?);
    let path = PathBuf::from(OsString::from_vec(words.next()?.to_vec()));
    let inode = (device.try_into().ok()?, inode.try_into().ok()?);
    Some((path, Found { inode, born, mode: mode.try_into().ok()? }))
}

/// Walks the tree at `root` and writes a record per path: device, inode, birth and mode as numbers, the path, a NUL.
///
/// # Errors
/// When something cannot be read or written.
pub fn write(root: &Path, out: &mut impl Write) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata()?;
            let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let born = born.map_or(0, |time| time.as_nanos());
            write!(out, "{} {} {born} {} ", metadata.dev(), metadata.ino(), metadata.mode())?;
            out.write_all(path.as_os_str().as_bytes())?;
            out.write_all(b"\0")?;
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a b/c")).unwrap();
        fs::write(folder.path().join("a b/c/new\nline"), "").unwrap();
        symlink("/", folder.path().join("link")).unwrap();
        let mut text = Vec::new();
        write(folder.path(), &mut text).unwrap();
        let survey = Survey::parse(&text);
        let paths: Vec<_> = survey.found.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(paths, ["a b", "a b/c", "a b/c/new\nline", "link"]);
        let real = fs::symlink_metadata(folder.path().join("link")).unwrap();
        let found = survey.found[Path::new("link")];
        assert_eq!((found.inode, found.mode), ((real.dev(), real.ino()), real.mode()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(0_u8..60, 0..80)) {
            let _ = Survey::parse(&text);
        }
    }
}
