//! Files in memory, for tests.

use super::disk::{Disk, Trouble};
use super::path;
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{Directory, DiskUsage, FileEntry};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A file or folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) size: u64,
    pub(crate) modified: Option<Duration>,
    pub(crate) read_only: bool,
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    /// By path; a file is what has content.
    pub(crate) items: BTreeMap<String, Item>,
    pub(crate) root: Item,
    pub(crate) disk: Option<DiskUsage>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) picture: Option<Vec<u8>>,
    /// Bytes that were read.
    pub(crate) read: u64,
}

impl Shelf {
    /// The files of a vector's step `attach_storage`.
    pub(crate) fn of_vector(step: &Value) -> Self {
        let tree = &step["tree"];
        let modified = |value: &Value| value.as_u64().map(Duration::from_secs);
        let mut shelf = Self {
            root: Item { modified: modified(&tree["root_mtime"]), ..Item::default() },
            disk: Some(DiskUsage {
                total: tree["total_space"].as_u64().unwrap(),
                used: 0,
                free: tree["free_space"].as_u64().unwrap(),
            }),
            ..Self::default()
        };
        for entry in tree["entries"].as_array().unwrap() {
            let path = entry["path"].as_str().unwrap();
            let told = step["file_contents"][path].as_str().map(|text| text.as_bytes().to_vec());
            let is_folder = entry["dir"].as_bool().unwrap_or(false);
            let item = Item {
                content: (!is_folder).then(|| told.unwrap_or_default()),
                size: entry["size"].as_u64().unwrap_or(0),
                modified: modified(&entry["mtime"]),
                read_only: false,
            };
            shelf.items.insert(path.to_owned(), item);
        }
        shelf
    }

    /// Puts a file there.
    pub(crate) fn put(&mut self, path: &str, content: &[u8]) {
        let item = Item { content: Some(content.to_vec()), size: content.len() as u64, ..Item::default() };
        self.items.insert(path.to_owned(), item);
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.items.get(path).is_some_and(|item| item.content.is_none())
    }
}

fn entry(name: &str, item: &Item) -> FileEntry {
    FileEntry { path: name.to_owned(), size: item.size, modified: item.modified, writable: !item.read_only }
}

impl Disk for Shelf {
    fn folder(&mut self, path: &str) -> Result<Directory, Trouble> {
        if !self.is_folder(path) {
            return Err(Trouble::Missing);
        }
        let mut listing = Directory { disk: self.disk, ..Directory::default() };
        for (known, item) in self.items.iter().filter(|(known, _)| path::folder(known) == path) {
            let list = if item.content.is_some() { &mut listing.files } else { &mut listing.folders };
            list.push(entry(path::name(known), item));
        }
        Ok(listing)
    }

    fn root(&mut self) -> FileEntry {
        entry("", &self.root)
    }

    fn read(&mut self, path: &str, from: u64, most: u64, take: &mut dyn FnMut(&[u8])) -> Result<(), Trouble> {
        let content = self.items.get(path).and_then(|item| item.content.as_ref()).ok_or(Trouble::Missing)?;
        let from = (from as usize).min(content.len());
        let to = from.saturating_add(most as usize).min(content.len());
        self.read += (to - from) as u64;
        content[from..to].chunks(1000).for_each(take);
        Ok(())
    }

    fn metadata(&mut self, _: &str) -> Option<Metadata> {
        self.metadata.clone()
    }

    fn picture(&mut self, _: &Thumbnail, _: u64) -> Option<Vec<u8>> {
        self.picture.clone()
    }

    fn create_folder(&mut self, path: &str) -> Result<(), Trouble> {
        if self.items.contains_key(path) {
            return Err(Trouble::Exists);
        }
        if !self.is_folder(path::folder(path)) {
            return Err(Trouble::Missing);
        }
        self.items.insert(path.to_owned(), Item::default());
        Ok(())
    }

    fn delete_file(&mut self, path: &str) -> Result<(), Trouble> {
        self.items.remove(path).map(drop).ok_or(Trouble::Missing)
    }

    fn delete_folder(&mut self, path: &str, whole: bool) -> Result<(), Trouble> {
        let below = format!("{path}/");
        if !whole && self.items.keys().any(|known| known.starts_with(&below)) {
            return Err(Trouble::Other("Directory not empty".to_owned()));
        }
        self.items.retain(|known, _| known != path && !known.starts_with(&below));
        Ok(())
    }
}
