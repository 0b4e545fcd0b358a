//! The files of a printer that is not there, for tests: changes and commands go in, what Connect is told comes out.

use super::changes::Changes;
use super::commands;
use super::disk::{Found, find};
use super::info::{Folders, file_info};
use super::path::Place;
use super::shelf::{Item, Shelf};
use super::tree::{self, Tree};
use crate::bridge::prusa_connect::connect::event::Event;
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::rehearsal::Ended;
use crate::printer::{FileChange, FileItem};
use crate::source::control::{DiskUsage, FileEntry};
use serde_json::{Map, Value};
use std::time::Duration;

/// An event: name, source and details.
pub type Told = (String, String, Value);

/// What becomes of a file.
#[derive(Debug, Clone)]
pub enum Becomes {
    /// It is new.
    Created(Item),
    /// It is written again.
    Modified(Item),
    /// It is gone.
    Deleted,
    /// It is elsewhere, since that time.
    Moved(String, Option<Duration>),
}

/// A storage in memory.
pub struct Storage {
    place: Place,
    shelf: Shelf,
    changes: Changes,
    folders: Folders,
}

impl Storage {
    /// An empty storage of that name on a printer of that type, such as `6.1.0`; none if there can be no such name. The
    /// space is in bytes: what is free, and all.
    pub fn new(name: &str, printer_type: &str, root: Item, space: (u64, u64)) -> Option<Self> {
        let place = Place::new(name)?;
        let disk = Some(DiskUsage { total: space.1, used: 0, free: space.0 });
        let shelf = Shelf { root, disk, ..Shelf::default() };
        let (changes, folders) = (Changes::new(place.clone()), Folders::of_type(printer_type));
        Some(Self { place, shelf, changes, folders })
    }

    /// Puts a file or folder there, as if it had always been there.
    pub fn put(&mut self, path: &str, item: Item) {
        self.shelf.items.insert(path.to_owned(), item);
    }

    /// What tells that the storage is there.
    pub fn inserted(&mut self) -> Option<Told> {
        let tree = Tree::of(&self.place, &mut self.shelf).ok()?;
        told(&tree.inserted(&self.place))
    }

    /// The whole tree, as an `INFO` has it.
    pub fn tree(&mut self) -> Option<String> {
        Some(Tree::of(&self.place, &mut self.shelf).ok()?.files())
    }

    /// What tells that it is gone.
    pub fn ejected(&self) -> Option<Told> {
        told(&tree::ejected(&self.place))
    }

    /// Changes something, and gives what is told of it.
    pub fn change(&mut self, path: &str, becomes: Becomes, now: Duration) -> Vec<Told> {
        let known = |shelf: &mut Shelf, path: &str| {
            let (entry, is_folder) = match find(shelf, path).ok()? {
                Found::File(entry) => (entry, false),
                Found::Folder(entry) => (entry, true),
            };
            let FileEntry { size, modified, writable, .. } = entry;
            Some(FileItem { path: path.to_owned(), is_folder, size, modified, writable })
        };
        let change = match becomes {
            Becomes::Created(item) => {
                self.put(path, item);
                known(&mut self.shelf, path).map(FileChange::Created)
            }
            Becomes::Modified(item) => {
                self.put(path, item);
                known(&mut self.shelf, path).map(FileChange::Modified)
            }
            Becomes::Deleted => {
                self.shelf.items.remove(path);
                Some(FileChange::Deleted { path: path.to_owned() })
            }
            Becomes::Moved(to, modified) => {
                let item = self.shelf.items.remove(path).unwrap_or_default();
                self.put(&to, Item { modified, ..item });
                let from = path.to_owned();
                known(&mut self.shelf, &to).map(|to| FileChange::Moved { from, to })
            }
        };
        let change = change.into_iter();
        let events = change.filter_map(|change| self.changes.events(&change, &mut self.shelf, now));
        events.flatten().filter_map(|event| told(&event)).collect()
    }

    /// Carries out a command; none if it is not about files. `in_print` is Connect's path of the file in print.
    pub fn carry_out(
        &mut self,
        name: &str,
        kwargs: &Map<String, Value>,
        in_print: Option<&str>,
    ) -> Option<Ended> {
        let order = Order { id: 1, name: name.to_owned(), kwargs: kwargs.clone(), ..Order::default() };
        let in_print = in_print.and_then(|path| self.place.inside(path).ok());
        let (place, shelf) = (&self.place, &mut self.shelf);
        let outcome = match name {
            "CREATE_FOLDER" | "CREATE_DIRECTORY" => commands::create_folder(place, shelf, &order),
            "DELETE_FILE" => commands::delete_file(place, shelf, &order, in_print),
            "DELETE_FOLDER" | "DELETE_DIRECTORY" => commands::delete_folder(place, shelf, &order, in_print),
            "SEND_FILE_INFO" => file_info(place, shelf, &order, self.folders),
            _ => return None,
        };
        Ended::of(outcome)
    }
}

fn told(event: &Event) -> Option<Told> {
    let data = serde_json::from_str(&event.data).ok()?;
    Some((event.kind.word().to_owned(), event.source.word().to_owned(), data))
}
