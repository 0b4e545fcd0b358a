//! The outbox: the list of waiting messages, and its journal on disk.
//!
//! Every change is one append; the file is rewritten when most of it is history. Whatever fails on the disk,
//! messages go on in memory, and the disk is tried again with the next change.

use super::list::{Held, List, Pushed};
use super::record::{self, Header, Record};
use super::store::{FileStore, Store};
use super::{Entry, Limits, OutboxError};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persistence {
    /// On disk.
    Disk,
    /// In memory alone, for the reason given: they are lost when the process ends.
    Memory(String),
}

/// What was found when the outbox was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Messages that still wait.
    pub waiting: usize,
    /// Bytes of an unfinished record that were cut off the end (the power went away while writing).
    pub torn: usize,
    /// Damaged bytes that were skipped between intact records.
    pub skipped: usize,
    /// Where a journal that this program cannot read was set aside.
    pub set_aside: Option<PathBuf>,
    /// Messages that a lower limit than before left no room for.
    pub dropped: usize,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.waiting)?;
        if self.torn > 0 {
            write!(f, ", an unfinished record of {} bytes cut off", self.torn)?;
        }
        if self.skipped > 0 {
            write!(f, ", {} damaged bytes skipped", self.skipped)?;
        }
        if let Some(path) = &self.set_aside {
            write!(f, ", an unreadable journal set aside as {}", path.display())?;
        }
        if self.dropped > 0 {
            write!(f, ", {} dropped for lack of room", self.dropped)?;
        }
        Ok(())
    }
}

/// A bounded queue of messages that outlives the process.
#[derive(Debug)]
pub struct Outbox<S = FileStore> {
    store: S,
    list: List,
    /// Whether the store was read and is claimed.
    attached: bool,
    /// Why the file does not hold everything that the list holds.
    unsaved: Option<String>,
    /// Length of the file, in bytes.
    length: usize,
    dropped: u64,
}

impl Outbox<FileStore> {
    /// Opens the journal at `path`, which is made with its directory if need be.
    ///
    /// Never fails: without a usable disk the messages are kept in memory, and [`Outbox::persistence`] says so.
    pub fn open(path: &Path, limits: Limits) -> (Self, Recovered) {
        Self::with_store(FileStore::new(path), limits)
    }
}

impl<S: Store> Outbox<S> {
    /// Opens the journal in `store`; see [`Outbox::open`].
    pub fn with_store(store: S, limits: Limits) -> (Self, Recovered) {
        let list = List::new(limits);
        let mut outbox = Self { store, list, attached: false, unsaved: None, length: 0, dropped: 0 };
        let recovered = outbox.attach();
        (outbox, recovered)
    }

    /// Where the messages are kept now.
    pub fn persistence(&self) -> Persistence {
        match &self.unsaved {
            None => Persistence::Disk,
            Some(reason) => Persistence::Memory(reason.clone()),
        }
    }

    /// Number of waiting messages.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.list.len() == 0
    }

    /// How many messages were dropped for lack of room since the outbox was opened.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The oldest waiting message.
    pub fn peek(&self) -> Option<&Held> {
        self.list.head()
    }

    /// The waiting messages, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Held> {
        self.list.held()
    }

    /// Takes a message in. One that matters ([`super::Importance`]) is on the medium when this returns, if
    /// there is a disk at all.
    pub fn push(&mut self, entry: Entry) -> Pushed {
        let flush = entry.importance.is_flushed();
        let mut bytes = Vec::new();
        if record::fits(&entry) {
            record::write_entry(&entry, &mut bytes);
        }
        let key = entry.key.clone();
        let (pushed, gone) = self.list.push(entry);
        match pushed {
            Pushed::Queued { dropped, .. } => {
                // The new message goes first: a crash in between leaves too many, not too few.
                for held in &gone {
                    record::write_settled(&held.entry.key, &mut bytes);
                }
                self.save(&bytes, flush);
                self.dropped += dropped as u64;
                for held in gone.iter().rev().take(dropped) {
                    log::warn!("the outbox is full: dropped the message {}", held.entry.key);
                }
            }
            Pushed::Refused => {
                self.dropped += 1;
                log::warn!("the outbox has no room for the message {key}");
            }
            Pushed::Duplicate => {}
        }
        pushed
    }

    /// Settles a delivered message. Returns whether it still waited.
    pub fn done(&mut self, id: u64) -> bool {
        let Some(held) = self.list.settle(id) else { return false };
        let mut bytes = Vec::new();
        record::write_settled(&held.entry.key, &mut bytes);
        self.save(&bytes, held.entry.importance.is_flushed());
        true
    }

    /// Gives a message up, for the reason that the log shall name. Returns whether it still waited.
    pub fn discard(&mut self, id: u64, reason: &str) -> bool {
        let key = self.list.held().find(|held| held.id == id).map(|held| held.entry.key.clone());
        if let Some(key) = &key {
            log::warn!("gave up the message {key}: {reason}");
        }
        self.done(id)
    }

    /// Tries again to bring to disk what is kept in memory. Returns whether everything is on disk.
    pub fn retry_disk(&mut self) -> bool {
        if !self.attached {
            let recovered = self.attach();
            if self.attached {
                log::info!("the outbox is on disk again: {recovered}");
            }
        } else if self.unsaved.is_some() {
            self.rewrite();
        }
        self.unsaved.is_none()
    }

    /// Claims and reads the store, and puts what memory holds behind it.
    fn attach(&mut self) -> Recovered {
        let mut recovered = Recovered::default();
        let prepared = self.store.prepare();
        if let Err(error @ OutboxError::InUse { .. }) = &prepared {
            // Its messages are the other process's to send.
            self.unsaved = Some(error.to_string());
            return recovered;
        }
        let (disk, mut stale) = match self.load(&mut recovered) {
            Ok(loaded) => loaded,
            Err(error) => {
                // Where both fail the first is the cause.
                self.unsaved = Some(prepared.err().unwrap_or(error).to_string());
                return recovered;
            }
        };
        let memory = std::mem::replace(&mut self.list, disk);
        stale |= memory.len() > 0 || memory.settled().next().is_some();
        self.list.absorb(memory);
        recovered.waiting = self.list.len();
        self.attached = prepared.is_ok();
        self.unsaved = prepared.err().map(|error| error.to_string());
        if self.attached && stale {
            self.rewrite();
        }
        recovered
    }

    /// Reads the store, and tells whether the file has to be rewritten. What cannot be read is set aside.
    fn load(&mut self, recovered: &mut Recovered) -> Result<(List, bool), OutboxError> {
        let limits = self.list.limits();
        // The file is rewritten long before it is this large, so what is larger is not all ours.
        let most = 4 * (limits.history + limits.bytes + limits.keys * 128);
        let read = self.store.read(most)?.unwrap_or_default();
        // Unbounded while the history is replayed: what was settled later must not push others out.
        let mut list = List::new(Limits { entries: usize::MAX, bytes: usize::MAX, ..limits });
        let header = record::header(&read.bytes);
        if let Header::Newer(version) = header {
            recovered.set_aside = Some(self.store.set_aside(&format!("v{version}"))?);
            list.limit(limits);
            return Ok((list, true));
        }
        let found = record::scan(&read.bytes, header == Header::Known);
        if read.cut || (header == Header::Unknown && found.records.is_empty()) {
            recovered.set_aside = Some(self.store.set_aside("damaged")?);
        } else {
            (recovered.torn, recovered.skipped) = (found.torn, found.skipped);
        }
        let stale = header != Header::Known || read.cut || found.torn + found.skipped > 0;
        for record in found.records {
            match record {
                Record::Settled(key) => list.settle_key(&key),
                Record::Entry(entry) => {
                    list.push(entry);
                }
            }
        }
        recovered.dropped = list.limit(limits);
        self.length = read.bytes.len();
        Ok((list, stale || recovered.dropped > 0))
    }

    /// Brings a change to disk.
    fn save(&mut self, bytes: &[u8], flush: bool) {
        if !self.attached {
            return;
        }
        let live = self.list.bytes() + self.list.settled().map(|key| key.len() + 16).sum::<usize>();
        let grown = self.length + bytes.len();
        if self.unsaved.is_some() || (grown > self.list.limits().history && grown > 2 * live) {
            return self.rewrite();
        }
        match self.store.append(bytes, flush) {
            Ok(()) => self.length = grown,
            Err(error) => {
                log::warn!("{error}");
                // Part of it may be in the file; a reader passes over that.
                self.rewrite();
            }
        }
    }

    /// Writes the whole list anew.
    fn rewrite(&mut self) {
        let mut image = Vec::new();
        record::write_header(&mut image);
        for key in self.list.settled() {
            record::write_settled(key, &mut image);
        }
        for held in self.list.held() {
            record::write_entry(&held.entry, &mut image);
        }
        match self.store.replace(&image) {
            Ok(()) => {
                self.length = image.len();
                self.unsaved = None;
            }
            Err(error) => self.unsaved = Some(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Importance::{Normal, Terminal};
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn entry(key: &str) -> Entry {
        let body = format!("body of {key}").into_bytes();
        Entry { key: key.to_owned(), importance: Terminal, at: Duration::from_secs(5), slot: None, body }
    }

    fn keys(outbox: &Outbox) -> Vec<String> {
        outbox.waiting().map(|held| held.entry.key.clone()).collect()
    }

    fn open(path: &Path) -> (Outbox, Recovered) {
        Outbox::open(path, Limits::default())
    }

    #[test]
    fn messages_and_keys_outlive_the_process() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("outbox/telegram.journal");
        let (mut outbox, recovered) = open(&path);
        assert_eq!((recovered, outbox.persistence()), (Recovered::default(), Persistence::Disk));
        for key in ["a", "b", "c"] {
            outbox.push(entry(key));
        }
        let first = outbox.peek().unwrap().id;
        assert!(outbox.done(first));
        assert!(!outbox.done(first));
        drop(outbox);
        let (mut outbox, recovered) = open(&path);
        assert_eq!(recovered, Recovered { waiting: 2, ..Recovered::default() });
        assert_eq!(keys(&outbox), ["b", "c"]);
        assert_eq!(outbox.peek().unwrap().entry, entry("b"));
        assert_eq!(outbox.push(entry("a")), Pushed::Duplicate);
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut outbox, _) = open(&path);
        outbox.push(entry("a"));
        let whole = std::fs::read(&path).unwrap().len();
        outbox.push(entry("b"));
        drop(outbox);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (outbox, recovered) = open(&path);
        let torn = bytes.len() - 1 - whole;
        assert_eq!(recovered, Recovered { waiting: 1, torn, ..Recovered::default() });
        assert_eq!(keys(&outbox), ["a"]);
        drop(outbox);
        assert_eq!(std::fs::read(&path).unwrap().len(), whole);
        assert_eq!(open(&path).1, Recovered { waiting: 1, ..Recovered::default() });
    }

    #[test]
    fn what_follows_damage_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut outbox, _) = open(&path);
        for key in ["a", "b", "c"] {
            outbox.push(entry(key));
        }
        drop(outbox);
        let mut bytes = std::fs::read(&path).unwrap();
        let b = bytes.windows(9).position(|window| window == b"body of b").unwrap();
        bytes[b] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (outbox, recovered) = open(&path);
        assert_eq!(keys(&outbox), ["a", "c"]);
        assert!(recovered.skipped > 0 && recovered.torn == 0, "{recovered:?}");
    }

    #[test]
    fn a_newer_journal_is_set_aside_untouched() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        // The header is the promise to every later version: magic, version, CRC-32 of both.
        let newer = b"octo-obx\x02\0\0\0\xe7\x28\x47\xad and what only it understands".to_vec();
        assert_eq!(record::header(&newer), Header::Newer(2));
        std::fs::write(&path, &newer).unwrap();
        let (mut outbox, recovered) = open(&path);
        let aside = place.path().join("journal.v2");
        assert_eq!(recovered.set_aside.as_deref(), Some(aside.as_path()));
        assert_eq!(outbox.push(entry("a")), Pushed::Queued { replaced: 0, dropped: 0 });
        drop(outbox);
        assert_eq!(std::fs::read(&aside).unwrap(), newer);
        assert_eq!(keys(&open(&path).0), ["a"]);
    }

    #[test]
    fn a_foreign_file_is_set_aside() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        std::fs::write(&path, "no journal at all").unwrap();
        let (outbox, recovered) = open(&path);
        assert_eq!(recovered.set_aside, Some(place.path().join("journal.damaged")));
        assert_eq!(outbox.persistence(), Persistence::Disk);
    }

    #[test]
    fn history_is_compacted() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut outbox, _) =
            Outbox::open(&path, Limits { entries: 10, bytes: 20_000, keys: 20, history: 3000 });
        outbox.push(entry("stays"));
        for n in 0..2000 {
            let id = outbox.waiting().last().unwrap().id;
            outbox.push(Entry { importance: Normal, body: vec![7; 100], ..entry(&format!("m{n}")) });
            if n > 0 {
                outbox.done(id);
            }
            assert!(path.metadata().unwrap().len() <= 3000 + 200);
        }
        drop(outbox);
        assert_eq!(keys(&open(&path).0), ["stays", "m1999"]);
    }

    #[test]
    fn without_a_disk_it_works_in_memory_and_moves_to_disk_later() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("mounted/outbox/journal");
        std::fs::create_dir(place.path().join("elsewhere")).unwrap();
        let (mut earlier, _) = open(&place.path().join("elsewhere/outbox/journal"));
        earlier.push(entry("from before the boot"));
        drop(earlier);
        // A file where the directory should be: nothing can be made there.
        std::fs::write(place.path().join("mounted"), "").unwrap();
        let (mut outbox, _) = open(&path);
        assert_eq!(outbox.push(entry("a")), Pushed::Queued { replaced: 0, dropped: 0 });
        outbox.push(entry("b"));
        let held = outbox.peek().unwrap().clone();
        let Persistence::Memory(reason) = outbox.persistence() else { panic!("on disk") };
        assert!(reason.contains("mounted"), "{reason}");
        assert!(!outbox.retry_disk());
        std::fs::remove_file(place.path().join("mounted")).unwrap();
        std::fs::rename(place.path().join("elsewhere"), place.path().join("mounted")).unwrap();
        assert!(outbox.retry_disk());
        assert_eq!(keys(&outbox), ["from before the boot", "a", "b"]);
        assert!(outbox.done(held.id), "a handle from before stays valid");
        drop(outbox);
        assert_eq!(keys(&open(&path).0), ["from before the boot", "b"]);
    }

    #[test]
    fn a_journal_in_use_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut first, _) = open(&path);
        first.push(entry("a"));
        let (mut second, _) = open(&path);
        assert!(second.is_empty());
        second.push(entry("b"));
        assert!(!second.retry_disk());
        first.push(entry("c"));
        drop(first);
        assert!(second.retry_disk());
        assert_eq!(keys(&second), ["a", "c", "b"]);
    }

    #[test]
    fn the_file_is_private() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("outbox/journal");
        let _open = open(&path);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
