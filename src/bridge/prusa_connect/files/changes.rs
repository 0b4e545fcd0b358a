//! Changes among the files, in Connect's words.

use super::disk::Disk;
use super::json::{Object, separate};
use super::kind_of;
use super::path::{self, Place};
use super::tree::{self, Tree, timestamp};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::printer::{FileChange, FileItem};
use crate::source::control::FileEntry;
use std::time::Duration;

/// How long the free space that was seen last is told.
const FREE_AGE: Duration = Duration::from_secs(10);
/// Most files of a new folder that are told of one by one.
const MOST_FILES: usize = 200;
/// Most folders in a new one that are looked into.
const MOST_FOLDERS: usize = 100;
/// Most folders inside each other that are looked into.
const MOST_DEPTH: usize = 16;

/// Tells Connect of changes.
#[derive(Debug)]
pub(crate) struct Changes {
    place: Place,
    /// Free space in bytes, and when it was seen.
    free: Option<(u64, Duration)>,
}

impl Changes {
    /// Changes of the files at that place.
    pub(crate) fn new(place: Place) -> Self {
        Self { place, free: None }
    }

    /// What Connect is to be told of a change, in order. Blocks where the printer must be asked: for the free space, and
    /// for what is in a new folder. None where all files are to be told anew, and cannot be listed now.
    pub(crate) fn events(
        &mut self,
        change: &FileChange,
        disk: &mut dyn Disk,
        now: Duration,
    ) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        match change {
            FileChange::Created(item) => self.created(item, disk, now, &mut events),
            FileChange::Modified(item) => self.modified(item, disk, now, &mut events),
            FileChange::Deleted { path } => self.deleted(path, disk, now, &mut events),
            FileChange::Moved { from, to } => {
                self.deleted(from, disk, now, &mut events);
                self.created(to, disk, now, &mut events);
            }
            FileChange::Everything => match Tree::of(&self.place, disk) {
                Ok(tree) => events.extend([tree::ejected(&self.place), tree.inserted(&self.place)]),
                Err(error) => {
                    log::warn!("prusa_connect: Connect is not told of the printer's files: {error}");
                    return None;
                }
            },
        }
        Some(events)
    }

    fn deleted(&mut self, path: &str, disk: &mut dyn Disk, now: Duration, events: &mut Vec<Event>) {
        if !path::is_hidden(path) {
            let free = self.free(disk, now);
            events.push(self.event(Some(path), None, None, free));
        }
    }

    fn modified(&mut self, item: &FileItem, disk: &mut dyn Disk, now: Duration, events: &mut Vec<Event>) {
        if !path::is_hidden(&item.path) {
            let free = self.free(disk, now);
            events.push(self.event(Some(&item.path), Some(&item.path), Some(&file(&entry_of(item))), free));
        }
    }

    fn created(&mut self, item: &FileItem, disk: &mut dyn Disk, now: Duration, events: &mut Vec<Event>) {
        if path::is_hidden(&item.path) {
            return;
        }
        let free = self.free(disk, now);
        let entry = entry_of(item);
        let told = if item.is_folder {
            let mut inner = Inner { changes: self, disk, free, events, folders: MOST_FOLDERS };
            inner.folder(&item.path, &entry, 0).0
        } else {
            file(&entry)
        };
        events.push(self.event(None, Some(&item.path), Some(&told), free));
    }

    fn event(&self, old: Option<&str>, new: Option<&str>, file: Option<&str>, free: Option<u64>) -> Event {
        let mut data = String::new();
        let mut object = Object::begin(&mut data);
        for (name, path) in [("old_path", old), ("new_path", new)] {
            if let Some(path) = path {
                object.text(name, &self.place.outside(path));
            }
        }
        if let Some(file) = file {
            object.field("file").push_str(file);
        }
        if let Some(free) = free {
            object.whole("free_space", free);
        }
        object.end();
        Event::new(EventKind::FileChanged, Source::Wui).with(data)
    }

    fn free(&mut self, disk: &mut dyn Disk, now: Duration) -> Option<u64> {
        let fresh = |(_, seen): &(u64, Duration)| now.saturating_sub(*seen) < FREE_AGE;
        if !self.free.as_ref().is_some_and(fresh) {
            let usage = disk.folder("").ok().and_then(|listing| listing.disk);
            self.free = usage.map(|usage| (usage.free, now));
        }
        self.free.map(|(free, _)| free).filter(|free| *free > 0)
    }
}

/// What is in a new folder.
struct Inner<'c> {
    changes: &'c Changes,
    disk: &'c mut dyn Disk,
    free: Option<u64>,
    events: &'c mut Vec<Event>,
    /// How many more folders are looked into.
    folders: usize,
}

impl Inner<'_> {
    /// The text of a folder with what is directly in it, and its size; its files are told of.
    fn folder(&mut self, path: &str, entry: &FileEntry, depth: usize) -> (String, u64) {
        let listing = self.disk.folder(path).unwrap_or_default();
        let (mut children, mut size, mut first) = (String::from("["), 0_u64, true);
        for inside in listing.files.iter().filter(|inside| !path::is_hidden(&inside.path)) {
            let text = file(inside);
            if self.events.len() < MOST_FILES {
                let below = path::join(path, &inside.path);
                let event = self.changes.event(None, Some(&below), Some(&text), self.free);
                self.events.push(event);
            }
            separate(&mut children, &mut first);
            children.push_str(&text);
            size = size.saturating_add(inside.size);
        }
        for inside in listing.folders.iter().filter(|inside| !path::is_hidden(&inside.path)) {
            if depth == MOST_DEPTH || self.folders == 0 {
                break;
            }
            self.folders -= 1;
            let (_, inner) = self.folder(&path::join(path, &inside.path), inside, depth + 1);
            separate(&mut children, &mut first);
            write(&mut children, &FileEntry { size: inner, ..inside.clone() }, "FOLDER", None);
            size = size.saturating_add(inner);
        }
        children.push(']');
        let mut text = String::new();
        write(&mut text, &FileEntry { size, ..entry.clone() }, "FOLDER", Some(&children));
        (text, size)
    }
}

fn entry_of(item: &FileItem) -> FileEntry {
    let FileItem { size, modified, writable, .. } = *item;
    FileEntry { path: path::name(&item.path).to_owned(), size, modified, writable }
}

fn file(entry: &FileEntry) -> String {
    let mut text = String::new();
    write(&mut text, entry, kind_of(&entry.path), None);
    text
}

fn write(to: &mut String, entry: &FileEntry, kind: &str, children: Option<&str>) {
    let mut object = Object::begin(to);
    object.text("type", kind);
    object.text("name", &entry.path);
    object.flag("read_only", !entry.writable);
    if let Some(seconds) = timestamp(entry.modified) {
        object.whole("m_timestamp", seconds);
    }
    object.whole("size", entry.size);
    if let Some(children) = children {
        object.field("children").push_str(children);
    }
    object.end();
}
