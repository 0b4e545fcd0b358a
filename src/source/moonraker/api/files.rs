//! Moonraker's folders and what is in them. Paths are relative to their root, without a slash in front.

use super::any;
use crate::printer::Metadata;
use crate::source::control::{Control, Directory, DiskUsage, FileEntry, Pending, Root, TransferError};
use crate::source::moonraker::any::Any;
use crate::source::moonraker::http::encoded;
use crate::source::moonraker::metadata;
use crate::source::moonraker::objects::{MAX_FILE, seconds};
use serde_json::{Value, json};

/// Most entries of a list.
const MOST_ENTRIES: usize = 10_000;

impl Control {
    /// The folders that Moonraker gives access to.
    pub fn roots(&self) -> Pending<Vec<Root>> {
        self.query("server.files.roots", &Value::Null, read_roots)
    }

    /// All files of a root, whatever folder they are in; at most 10,000. Blocks. Comes over HTTP, since on a printer with
    /// thousands of files the list is longer than a message of the source's connection may be.
    ///
    /// # Errors
    ///
    /// If there is no connection, Moonraker refuses, or its answer breaks off.
    pub fn files(&self, root: &str) -> Result<Vec<FileEntry>, TransferError> {
        let target = format!("/server/files/list?root={}", encoded(root));
        let mut files = Vec::new();
        self.objects(&target, "server.files.list", &mut |object| {
            files.extend(entry(object, "path").filter(|_| files.len() < MOST_ENTRIES));
        })?;
        Ok(files)
    }

    /// What is in a folder of a root, or in the root itself if `path` is empty; at most 10,000 of each. Blocks, as
    /// [`Self::files`].
    ///
    /// # Errors
    ///
    /// As [`Self::files`].
    pub fn directory(&self, root: &str, path: &str) -> Result<Directory, TransferError> {
        let target = format!("/server/files/directory?path={}&extended=false", encoded(&below(root, path)));
        let mut directory = Directory::default();
        self.objects(&target, "server.files.get_directory", &mut |object| {
            let Directory { folders, files, disk } = &mut directory;
            folders.extend(entry(object, "dirname").filter(|_| folders.len() < MOST_ENTRIES));
            files.extend(entry(object, "filename").filter(|_| files.len() < MOST_ENTRIES));
            let size = |name| object.get(name).whole();
            if let (Some(total), Some(used), Some(free)) = (size("total"), size("used"), size("free")) {
                *disk = Some(DiskUsage { total, used, free });
            }
        })?;
        Ok(directory)
    }

    /// What Moonraker's scan found in a file of the `gcodes` root. Not found as long as it is not scanned.
    pub fn metadata(&self, path: &str) -> Pending<Metadata> {
        let folder = path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        self.query("server.files.metadata", &json!({ "filename": path }), move |text| {
            let answer = any(text);
            matches!(answer, Any::Object(_)).then(|| metadata::known(&answer, folder.as_deref()))
        })
    }

    /// Deletes a file. Forbidden for the one that prints.
    pub fn delete_file(&self, root: &str, path: &str) -> Pending<()> {
        self.file_order("server.files.delete_file", &json!({ "path": below(root, path) }))
    }

    /// Makes a folder in one that exists. One that is there already is refused with
    /// [`Exists`](crate::source::control::RefusalKind::Exists).
    pub fn create_directory(&self, root: &str, path: &str) -> Pending<()> {
        self.file_order("server.files.post_directory", &json!({ "path": below(root, path) }))
    }

    /// Deletes a folder, also with files in it if `with_files`.
    pub fn delete_directory(&self, root: &str, path: &str, with_files: bool) -> Pending<()> {
        let params = json!({ "path": below(root, path), "force": with_files });
        self.file_order("server.files.delete_directory", &params)
    }

    /// Moves or renames a file or a folder. One of the new name is replaced.
    pub fn move_file(&self, root: &str, from: &str, to: &str) -> Pending<()> {
        let params = json!({ "source": below(root, from), "dest": below(root, to) });
        self.file_order("server.files.move", &params)
    }

    fn file_order(&self, method: &'static str, params: &Value) -> Pending<()> {
        self.order(method, params, Some(super::ANSWER))
    }
}

fn below(root: &str, path: &str) -> String {
    if path.is_empty() { root.to_owned() } else { format!("{root}/{path}") }
}

pub(super) fn read_roots(text: &str) -> Option<Vec<Root>> {
    let root = |entry: &Any<'_>| {
        let path = entry.get("path").text().filter(|path| path.starts_with('/'))?;
        Some(Root {
            name: entry.get("name").text()?.to_owned(),
            path: path.into(),
            writable: may_be_written(entry.get("permissions").text()),
        })
    };
    Some(any(text).items()?.iter().filter_map(root).collect())
}

/// A file or folder, if its path is in the field `name`.
fn entry(object: &Any<'_>, name: &str) -> Option<FileEntry> {
    let path = object.get(name).text().filter(|path| !path.is_empty() && path.len() <= MAX_FILE)?;
    Some(FileEntry {
        path: path.to_owned(),
        size: object.get("size").whole().unwrap_or(0),
        modified: object.get("modified").number().and_then(seconds),
        writable: may_be_written(object.get("permissions").text()),
    })
}

/// Older versions told no permissions, and let everything be written.
fn may_be_written(permissions: Option<&str>) -> bool {
    permissions.is_none_or(|permissions| permissions.contains('w'))
}
