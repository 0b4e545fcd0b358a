//! A file that appears whole or not at all: written beside its place and renamed into it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// An output file that is not yet in its place. Dropped before [`AtomicOutput::commit`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct AtomicOutput {
    path: PathBuf,
    file: NamedTempFile,
}

impl AtomicOutput {
    /// Begins the file that shall be at `path`. Its mode follows the umask, as with any new file.
    ///
    /// # Errors
    /// If nothing can be created in the folder of `path`, or something other than a file is there.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        check_place(path)?;
        let file = tempfile::Builder::new()
            .prefix(".octofw-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder_of(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The file to write to.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Where it is meanwhile.
    pub(crate) fn place(&self) -> &Path {
        self.file.path()
    }

    /// Puts the file into its place, replacing one that is there.
    ///
    /// # Errors
    /// If the data cannot be brought to disk or the file cannot be renamed.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Looks whether a file may be put at `path`, which takes away what is there.
///
/// # Errors
/// If that is no regular file, such as a device, or one of the system's links to open files, such as `/dev/stdout`: root
/// could replace them.
pub(crate) fn check_place(path: &Path) -> io::Result<()> {
    let is_of_system = fs::read_link(path).is_ok_and(|target| target.starts_with("/proc"));
    if is_of_system || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is no regular file; choose another output"));
    }
    Ok(())
}

/// Writes a text file, readable to all whatever the umask; missing folders above it are made.
pub(crate) fn write_text(path: &Path, text: &str) -> io::Result<()> {
    write_bytes(path, text.as_bytes())
}

/// As [`write_text`], for what is no text.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    let mut output = AtomicOutput::create(path)?;
    output.file().write_all(bytes)?;
    output.file().set_permissions(Permissions::from_mode(0o644))?;
    output.commit()
}

/// Writes a file that only its owner may read, whatever the umask, and replaces none.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The folder in which a path lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_readable_to_all_and_makes_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/text");
        write_text(&path, "one").unwrap();
        write_text(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_but_a_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        nix::unistd::mkfifo(&place("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir(place("folder")).unwrap();
        fs::write(place("file"), "").unwrap();
        for (name, target) in [("stdout", "/proc/self/fd/1"), ("device", "/dev/null"), ("link", "file")] {
            std::os::unix::fs::symlink(target, place(name)).unwrap();
        }
        let before = fs::read_dir(folder.path()).unwrap().count();
        for name in ["pipe", "folder", "stdout", "device"] {
            let error = write_text(&place(name), "text").unwrap_err().to_string();
            assert_eq!(error, "it is no regular file; choose another output", "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
        for name in ["file", "link", "new"] {
            write_text(&place(name), "text").unwrap();
            assert_eq!(fs::read_to_string(place(name)).unwrap(), "text", "{name}");
        }
    }

    #[test]
    fn nothing_is_left_without_commit_and_everything_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        let mut output = AtomicOutput::create(&path).unwrap();
        output.file().write_all(b"half").unwrap();
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut output = AtomicOutput::create(&path).unwrap();
        output.file().write_all(b"whole").unwrap();
        assert!(!path.exists());
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
