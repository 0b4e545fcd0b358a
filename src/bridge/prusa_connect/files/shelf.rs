//! Files in memory, for rehearsals and tests.

use super::disk::{Disk, Trouble};
use super::path;
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{Directory, DiskUsage, FileEntry};
use std::collections::BTreeMap;
use std::time::Duration;

/// A file or folder.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// What a file holds; a folder is what has none.
    pub content: Option<Vec<u8>>,
    /// Size, in bytes.
    pub size: u64,
    /// Last change, since the Unix epoch.
    pub modified: Option<Duration>,
    /// Whether it is not to be changed.
    pub read_only: bool,
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    /// By path.
    pub(crate) items: BTreeMap<String, Item>,
    pub(crate) root: Item,
    pub(crate) disk: Option<DiskUsage>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) picture: Option<Vec<u8>>,
    /// Bytes that were read.
    pub(crate) read: u64,
}

impl Shelf {
    /// Puts a file there.
    #[cfg(test)]
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
        let part = content.get(from..to).unwrap_or_default();
        self.read += part.len() as u64;
        part.chunks(1000).for_each(take);
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
