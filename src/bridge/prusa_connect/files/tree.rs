//! The whole tree of files, in the words that the clients of the HTTP dialect have for it.

use super::disk::{Disk, Trouble};
use super::json::{Object, separate};
use super::path::{self, Place};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::source::control::{Directory, DiskUsage, FileEntry};
use std::time::Duration;

/// Most files and folders in a tree. What a server takes is not documented.
const MOST_ENTRIES: usize = 5000;
/// Most folders inside each other.
const MOST_DEPTH: usize = 16;

/// All files of the storage, as they were at one moment: the text of the storage's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree(String);

impl Tree {
    /// Lists the files.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub(crate) fn of(place: &Place, disk: &mut dyn Disk) -> Result<Self, Trouble> {
        storage(place, disk).map(Self)
    }

    /// What INFO holds as `files`: the text of the root with the storage in it.
    pub(crate) fn files(&self) -> String {
        format!(r#"{{"type":"DIR","name":"/","read_only":true,"children":[{}]}}"#, self.0)
    }

    /// Tells that the storage is there, with all its files.
    pub(crate) fn inserted(&self, place: &Place) -> Event {
        let mut data = String::with_capacity(self.0.len() + 64);
        let mut object = Object::begin(&mut data);
        object.text("root", &place.outside(""));
        object.field("files").push_str(&self.0);
        object.end();
        Event::new(EventKind::MediumInserted, Source::Wui).with(data)
    }
}

/// Tells that the storage is gone.
pub(crate) fn ejected(place: &Place) -> Event {
    let mut data = String::new();
    let mut object = Object::begin(&mut data);
    object.text("root", &place.outside(""));
    object.end();
    Event::new(EventKind::MediumEjected, Source::Wui).with(data)
}

/// Whole seconds since the Unix epoch, as Connect counts them.
pub(crate) fn timestamp(modified: Option<Duration>) -> Option<u64> {
    modified.map(|modified| modified.as_secs()).filter(|seconds| *seconds > 0)
}

/// The text of the storage's node.
fn storage(place: &Place, disk: &mut dyn Disk) -> Result<String, Trouble> {
    let root = disk.root();
    let listing = disk.folder("")?;
    let usage = listing.disk;
    let mut walk = Walk { disk, room: MOST_ENTRIES, left_out: false };
    let mut text = String::new();
    walk.folder(&mut text, "", &FileEntry { path: place.storage().to_owned(), ..root }, listing, usage, 0)?;
    if walk.left_out {
        log::warn!(
            "prusa_connect: Connect is shown {MOST_ENTRIES} of the printer's files and folders, {MOST_DEPTH} deep; \
             delete some that nobody needs"
        );
    }
    Ok(text)
}

struct Walk<'d> {
    disk: &'d mut dyn Disk,
    room: usize,
    left_out: bool,
}

impl Walk<'_> {
    /// Whether there is room for one more.
    fn take_room(&mut self) -> bool {
        self.left_out |= self.room == 0;
        let fits = self.room > 0;
        self.room = self.room.saturating_sub(1);
        fits
    }

    /// Writes a folder with all that is in it, and gives what that takes in bytes.
    fn folder(
        &mut self,
        to: &mut String,
        path: &str,
        entry: &FileEntry,
        listing: Directory,
        usage: Option<DiskUsage>,
        depth: usize,
    ) -> Result<u64, Trouble> {
        let mut object = Object::begin(to);
        object.text("type", "DIR");
        object.text("name", &entry.path);
        object.flag("read_only", !entry.writable);
        // Moonraker tells no time of the root itself.
        let newest = || listing.files.iter().chain(&listing.folders).filter_map(|entry| entry.modified).max();
        let modified = timestamp(entry.modified.or_else(|| newest().filter(|_| depth == 0)));
        if let Some(seconds) = modified {
            object.whole("m_timestamp", seconds);
        }
        let mut size = 0_u64;
        let list = object.field("children");
        list.push('[');
        let mut first = true;
        for file in listing.files.iter().filter(|file| !path::is_hidden(&file.path)) {
            if !self.take_room() {
                break;
            }
            separate(list, &mut first);
            write_file(list, file);
            size = size.saturating_add(file.size);
        }
        drop(listing.files);
        for folder in listing.folders.iter().filter(|folder| !path::is_hidden(&folder.path)) {
            if depth == MOST_DEPTH || !self.take_room() {
                self.left_out = true;
                break;
            }
            let below = path::join(path, &folder.path);
            let inner = match self.disk.folder(&below) {
                // It was deleted since.
                Err(Trouble::Missing) => Directory::default(),
                listing => listing?,
            };
            separate(list, &mut first);
            size = size.saturating_add(self.folder(list, &below, folder, inner, None, depth + 1)?);
        }
        list.push(']');
        object.whole("size", size);
        for (name, bytes) in [
            ("free_space", usage.map_or(0, |usage| usage.free)),
            ("total_space", usage.map_or(0, |usage| usage.total)),
        ] {
            if bytes > 0 {
                object.whole(name, bytes);
            }
        }
        object.end();
        Ok(size)
    }
}

fn write_file(to: &mut String, file: &FileEntry) {
    let mut object = Object::begin(to);
    object.text("type", "FILE");
    object.text("name", &file.path);
    object.flag("read_only", !file.writable);
    if let Some(seconds) = timestamp(file.modified) {
        object.whole("m_timestamp", seconds);
    }
    object.whole("size", file.size);
    object.end();
}
