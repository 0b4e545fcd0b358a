//! One small file: a JSON object with the version of its form, replaced as a whole.

use crate::whole_file::{self, ReadError};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// Version of the form of all files of the bridge.
const VERSION: u64 = 1;
/// None of them is larger, in bytes.
const LIMIT: u64 = 64 * 1024;
/// What is added to the name of a file that makes no sense.
const ASIDE: &str = ".damaged";

/// Why a file's content cannot be had, or was not written. No text holds any of the content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file cannot be read. It stays as it is.
    #[error("{0}; make it readable for the service's user, or restore it from a backup")]
    Read(#[from] ReadError),
    /// The file makes no sense. It stays as it is.
    #[error(
        "{} is damaged (line {line} is no JSON); restore it from a backup, or delete it: what it held is lost then",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that makes no sense; 0 where the whole does not.
        line: usize,
    },
    /// The file makes no sense, and was put aside.
    #[error("{} was damaged (line {line} is no JSON) and is kept as {}; its content is begun anew", path.display(), aside.display())]
    PutAside {
        /// The file.
        path: PathBuf,
        /// Where it is now.
        aside: PathBuf,
        /// The first line that makes no sense; 0 where the whole does not.
        line: usize,
    },
    /// A newer version wrote the file. It stays as it is.
    #[error("{} is of a newer version of this program; install that again, or delete the file", .0.display())]
    Newer(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {}: {source}; see that the folder can be written and the medium is not full", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// One file.
#[derive(Debug)]
pub(crate) struct Drawer {
    path: PathBuf,
    /// What is there must not be overwritten in this run.
    locked: bool,
}

impl Drawer {
    /// The file of that name of the bridge `id`. Nothing is read yet.
    pub(crate) fn new(data_dir: &Path, id: &str, name: &str) -> Self {
        Self { path: data_dir.join(format!("{id}_{name}.json")), locked: false }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its content, of whatever version; none where there is no file. Changes nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no JSON object.
    pub(crate) fn read_as_it_is(&self) -> Result<Option<Map<String, Value>>, StoreError> {
        let text = match whole_file::read_text(&self.path, LIMIT) {
            Ok(text) => text,
            Err(error) if error.is_missing() => return Ok(None),
            // After the power went, a file system may leave zeros or nothing.
            Err(ReadError::NotText { .. }) => return Err(self.damaged(0)),
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_str(&text) {
            Ok(Value::Object(content)) => Ok(Some(content)),
            Ok(_) => Err(self.damaged(0)),
            Err(error) => Err(self.damaged(error.line())),
        }
    }

    /// Its content; empty where there is no file. What makes no sense is put aside, for somebody to look at. What cannot
    /// be read, or is of a newer version, is not overwritten by this drawer either.
    ///
    /// # Errors
    ///
    /// If there is a file whose content is not what is given; the program can go on without, and tell why.
    pub(crate) fn open(&mut self) -> Result<Map<String, Value>, StoreError> {
        let content = match self.read_as_it_is() {
            Ok(content) => content.unwrap_or_default(),
            Err(StoreError::Damaged { path, line }) => {
                let mut aside = path.clone().into_os_string();
                aside.push(ASIDE);
                let aside = PathBuf::from(aside);
                return match std::fs::rename(&path, &aside) {
                    Ok(()) => Err(StoreError::PutAside { path, aside, line }),
                    Err(_) => {
                        self.locked = true;
                        Err(StoreError::Damaged { path, line })
                    }
                };
            }
            Err(error) => {
                self.locked = true;
                return Err(error);
            }
        };
        let version = content.get("version").and_then(Value::as_u64).unwrap_or(VERSION);
        if version > VERSION {
            self.locked = true;
            return Err(StoreError::Newer(self.path.clone()));
        }
        Ok(content)
    }

    /// Replaces the content. What must not be overwritten stays, which was told when it was opened.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the former content is there then.
    pub(crate) fn write(&self, content: Map<String, Value>) -> Result<(), StoreError> {
        if self.locked {
            return Ok(());
        }
        let mut all = Map::new();
        all.insert("version".to_owned(), VERSION.into());
        all.extend(content);
        let text = format!("{}\n", Value::Object(all));
        // Root pairs over SSH; the service, which runs as somebody else, must be able to read it.
        let written = whole_file::replace_for_owner(&self.path, text.as_bytes());
        written.map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }

    fn damaged(&self, line: usize) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt;

    fn content(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn content_is_kept_privately() {
        let dir = tempfile::tempdir().unwrap();
        let mut drawer = Drawer::new(dir.path(), "prusa_connect", "commands");
        assert!(drawer.open().unwrap().is_empty());
        drawer.write(content(json!({"a": 1}))).unwrap();
        let path = dir.path().join("prusa_connect_commands.json");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1,\"version\":1}\n");
        assert_eq!(drawer.open().unwrap().get("a"), Some(&json!(1)));
    }

    #[test]
    fn what_makes_no_sense_is_put_aside() {
        for damaged in ["", "{\"a\":", "[1]", "\0\0\0\0", "{\n\"a\" 1}"] {
            let dir = tempfile::tempdir().unwrap();
            let mut drawer = Drawer::new(dir.path(), "x", "y");
            std::fs::write(drawer.path(), damaged).unwrap();
            let error = drawer.open().unwrap_err();
            assert!(matches!(error, StoreError::PutAside { .. }), "{damaged:?}: {error}");
            assert_eq!(std::fs::read_to_string(dir.path().join("x_y.json.damaged")).unwrap(), damaged);
            drawer.write(Map::new()).unwrap();
            assert!(drawer.open().unwrap().contains_key("version"));
        }
    }

    #[test]
    fn what_others_wrote_or_nobody_can_read_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut drawer = Drawer::new(dir.path(), "x", "y");
        let newer = r#"{"version": 2, "a": 1}"#;
        std::fs::write(drawer.path(), newer).unwrap();
        assert!(matches!(drawer.open(), Err(StoreError::Newer(_))));
        drawer.write(Map::new()).unwrap();
        assert_eq!(std::fs::read_to_string(drawer.path()).unwrap(), newer);
        assert_eq!(drawer.read_as_it_is().unwrap().unwrap().get("a"), Some(&json!(1)));

        let mut folder = Drawer::new(dir.path(), "x", "z");
        std::fs::create_dir(folder.path()).unwrap();
        assert!(matches!(folder.open(), Err(StoreError::Read(_))));
        folder.write(Map::new()).unwrap();
        assert!(folder.path().is_dir());
    }

    proptest! {
        #[test]
        fn any_file_is_read_and_none_is_shown(text in "\\PC{0,60}") {
            let dir = tempfile::tempdir().unwrap();
            let mut drawer = Drawer::new(dir.path(), "x", "y");
            std::fs::write(drawer.path(), format!("{text}hunter2")).unwrap();
            let error = drawer.open().unwrap_err().to_string();
            prop_assert!(!error.contains("hunter2"), "{}", error);
        }
    }
}
