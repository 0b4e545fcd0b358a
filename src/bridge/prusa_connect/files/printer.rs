//! The files of the printer itself, over Moonraker, or beside it where they are on this machine.

use super::disk::{Disk, Trouble};
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{Control, Directory, FileEntry};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The root of the files that can be printed.
pub(crate) const ROOT: &str = "gcodes";
/// Size of the pieces in which a file is read, in bytes.
const PIECE: usize = 16 * 1024;

/// The printer's files.
#[derive(Debug, Clone)]
pub(crate) struct PrinterDisk {
    control: Control,
}

impl PrinterDisk {
    /// The files of this printer.
    pub(crate) fn new(control: Control) -> Self {
        Self { control }
    }
}

impl Disk for PrinterDisk {
    fn folder(&mut self, path: &str) -> Result<Directory, Trouble> {
        Ok(self.control.directory(ROOT, path)?)
    }

    fn root(&mut self) -> FileEntry {
        let roots = self.control.roots().wait().unwrap_or_default();
        let writable = roots.iter().find(|root| root.name == ROOT).is_none_or(|root| root.writable);
        FileEntry { path: String::new(), size: 0, modified: None, writable }
    }

    fn read(&mut self, path: &str, from: u64, most: u64, take: &mut dyn FnMut(&[u8])) -> Result<(), Trouble> {
        match self.control.local_path(ROOT, path)? {
            Some(local) if leaves_root(&local, path) => {
                let words =
                    "it is a symbolic link that leads out of the printer's files: copy the file itself there";
                Err(Trouble::Other(words.to_owned()))
            }
            Some(local) => read_local(&local, from, most, take)
                .map_err(|error| Trouble::Other(format!("the file cannot be read: {error}"))),
            None => Ok(self.control.download_part(ROOT, path, from, most, take)?),
        }
    }

    fn metadata(&mut self, path: &str) -> Option<Metadata> {
        let found = self.control.metadata(path).wait();
        found.inspect_err(|error| log::debug!("prusa_connect: {error}")).ok()
    }

    fn picture(&mut self, picture: &Thumbnail, most: u64) -> Option<Vec<u8>> {
        self.control.thumbnail(picture, most).ok()
    }

    fn create_folder(&mut self, path: &str) -> Result<(), Trouble> {
        Ok(self.control.create_directory(ROOT, path).wait()?)
    }

    fn delete_file(&mut self, path: &str) -> Result<(), Trouble> {
        Ok(self.control.delete_file(ROOT, path).wait()?)
    }

    fn delete_folder(&mut self, path: &str, whole: bool) -> Result<(), Trouble> {
        Ok(self.control.delete_directory(ROOT, path, whole).wait()?)
    }
}

/// Whether a file that is at `path` below its root is elsewhere in truth.
fn leaves_root(local: &Path, path: &str) -> bool {
    let root = local.ancestors().nth(path.split('/').count());
    let (Some(Ok(root)), Ok(file)) = (root.map(Path::canonicalize), local.canonicalize()) else {
        return true;
    };
    !file.starts_with(root)
}

fn read_local(path: &Path, from: u64, most: u64, take: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut part = file.take(most);
    let mut piece = [0; PIECE];
    loop {
        match part.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => take(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_and_no_link_is_followed_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path().join("gcodes"), folder.path().join("secret"));
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/b.gcode"), "0123456789").unwrap();
        std::fs::write(&file, "secret").unwrap();
        std::os::unix::fs::symlink(&file, root.join("a/out.gcode")).unwrap();
        std::os::unix::fs::symlink("a/b.gcode", root.join("in.gcode")).unwrap();
        std::os::unix::fs::symlink(folder.path(), root.join("up")).unwrap();
        for (path, leaves) in [
            ("a/b.gcode", false),
            ("in.gcode", false),
            ("a/out.gcode", true),
            ("up/secret", true),
            ("none", true),
        ] {
            assert_eq!(leaves_root(&root.join(path), path), leaves, "{path}");
        }
        let mut part = Vec::new();
        read_local(&root.join("in.gcode"), 3, 4, &mut |piece| part.extend_from_slice(piece)).unwrap();
        assert_eq!(part, b"3456");
    }
}
