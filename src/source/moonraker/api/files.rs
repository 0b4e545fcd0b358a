//! Moonraker's folders and what is in them. Paths are relative to their root, without a slash in front.

use super::any;
use crate::printer::Metadata;
use crate::source::control::{Control, Directory, DiskUsage, FileEntry, Pending, Root};
use crate::source::moonraker::any::Any;
use crate::source::moonraker::lenient::{Field, List, Object};
use crate::source::moonraker::metadata;
use crate::source::moonraker::objects::{MAX_FILE, seconds};
use crate::source::moonraker::wire::Text;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most entries of a list; all of them fit into the longest message hardly ever.
const MOST_ENTRIES: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    filename: Text<'a>,
    #[serde(borrow)]
    dirname: Text<'a>,
    size: Field<u64>,
    modified: Field<f64>,
    #[serde(borrow)]
    permissions: Text<'a>,
}

type Entries<'a> = Field<List<Object<Entry<'a>>, MOST_ENTRIES>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Folder<'a> {
    #[serde(borrow)]
    dirs: Entries<'a>,
    #[serde(borrow)]
    files: Entries<'a>,
    disk_usage: Field<Object<Disk>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disk {
    total: Field<u64>,
    used: Field<u64>,
    free: Field<u64>,
}

impl Control {
    /// The folders that Moonraker gives access to.
    pub fn roots(&self) -> Pending<Vec<Root>> {
        self.query("server.files.roots", &Value::Null, read_roots)
    }

    /// All files of a root, whatever folder they are in.
    ///
    /// On a printer with several thousand files the answer is longer than is taken, and costs the connection: what
    /// shows files to people better asks folder by folder, with [`Self::directory`].
    pub fn files(&self, root: &str) -> Pending<Vec<FileEntry>> {
        self.query("server.files.list", &json!({ "root": root }), |text| {
            let list: Entries<'_> = serde_json::from_str(text).ok()?;
            Some(entries(list.value()?))
        })
    }

    /// What is in a folder of a root, or in the root itself if `path` is empty.
    pub fn directory(&self, root: &str, path: &str) -> Pending<Directory> {
        let params = json!({ "path": below(root, path), "extended": false });
        self.query("server.files.get_directory", &params, read_directory)
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

pub(super) fn read_directory(text: &str) -> Option<Directory> {
    let Object(folder) = serde_json::from_str::<Field<Object<Folder<'_>>>>(text).ok()?.value()?;
    let list = |list: Entries<'_>| list.value().map(entries).unwrap_or_default();
    Some(Directory {
        folders: list(folder.dirs),
        files: list(folder.files),
        disk: folder.disk_usage.value().and_then(|Object(disk)| {
            Some(DiskUsage { total: disk.total.value()?, used: disk.used.value()?, free: disk.free.value()? })
        }),
    })
}

fn entries(List(list): List<Object<Entry<'_>>, MOST_ENTRIES>) -> Vec<FileEntry> {
    list.into_iter().filter_map(|Object(found)| entry(found)).collect()
}

fn entry(entry: Entry<'_>) -> Option<FileEntry> {
    let path = [entry.path, entry.filename, entry.dirname].into_iter().find_map(Field::value)?;
    (!path.is_empty() && path.len() <= MAX_FILE).then(|| FileEntry {
        size: entry.size.value().unwrap_or(0),
        modified: entry.modified.value().and_then(seconds),
        writable: may_be_written(entry.permissions.value().as_deref()),
        path: path.into_owned(),
    })
}

/// Older versions told no permissions, and let everything be written.
fn may_be_written(permissions: Option<&str>) -> bool {
    permissions.is_none_or(|permissions| permissions.contains('w'))
}
