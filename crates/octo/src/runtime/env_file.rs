//! Variables for a container, in a file that only we can read: arguments are seen by everybody who may run `ps`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How the names of these files start.
const START: &str = "octo-env-";

/// The file; it is gone when this is dropped.
pub(super) struct EnvFile {
    path: PathBuf,
}

impl EnvFile {
    /// Writes `NAME=value` lines into a new file in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// When the system refuses, or a value has a line break, which such a file cannot hold.
    pub(super) fn write(folder: &Path, variables: &BTreeMap<String, String>) -> io::Result<Self> {
        let mut text = String::new();
        for (name, value) in variables {
            if name.contains(['\n', '\r', '\0', '=']) || value.contains(['\n', '\r', '\0']) {
                let told = format!("the variable {name:?} has a line break or a NUL in it");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
            text.push('\n');
        }
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{START}{}", Uuid::new_v4().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let written = Self { path };
        file.write_all(text.as_bytes())?;
        Ok(written)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for EnvFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes those that a killed server left behind.
pub(super) fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(START) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_we_can_read_it_and_it_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("A", "1 = one"), ("TOKEN", "#x y\t")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let file = EnvFile::write(folder.path(), &variables.into()).unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "A=1 = one\nTOKEN=#x y\t\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_variable() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("A", "1\nB=2"), ("A", "1\rB=2"), ("A", "\0"), ("A=B", "1"), ("A\nB", "1")] {
            let variables = [(name.to_owned(), value.to_owned())].into();
            assert!(EnvFile::write(folder.path(), &variables).is_err(), "{name:?} {value:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_server_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::mem::forget(EnvFile::write(folder.path(), &BTreeMap::new()).unwrap());
        std::fs::write(folder.path().join("other"), "").unwrap();
        sweep(folder.path());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["other"]);
        sweep(Path::new("/nowhere/at/all"));
    }
}
