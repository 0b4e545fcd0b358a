//! The outbox: the list of waiting messages, and its journal on disk.
//!
//! Every change is one append; the file is rewritten when most of it is history. Whatever fails on the disk,
//! messages go on in memory, and the disk is tried again with the next change.

use super::age::Watch;
use super::list::{Held, List, Pushed};
use super::record::{self, Header, Record};
use super::store::{FileStore, Store};
use super::{Entry, Importance, Limits, OutboxError};
use crate::clock::Moment;
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

/// What became of messages since the outbox was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delivered.
    pub delivered: u64,
    /// Replaced by a newer one of the same slot.
    pub replaced: u64,
    /// Too old to be worth sending.
    pub expired: u64,
    /// Dropped or refused for lack of room.
    pub no_room: u64,
    /// Given up for a reason of the bridge.
    pub given_up: u64,
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
    watch: Watch,
    counts: Counts,
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
        let (watch, counts) = (Watch::default(), Counts::default());
        let mut outbox = Self { store, list, attached: false, unsaved: None, length: 0, watch, counts };
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

    /// What became of the messages since the outbox was opened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The oldest waiting message.
    pub fn peek(&self) -> Option<&Held> {
        self.list.head()
    }

    /// The waiting messages, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Held> {
        self.list.held()
    }

    /// Whether a message of that key waits, or was settled not long ago: a further one would be a duplicate.
    pub fn knows(&self, key: &str) -> bool {
        self.list.is_taken(key)
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
            Pushed::Queued { replaced, dropped } => {
                // The new message goes first: a crash in between leaves too many, not too few.
                for held in &gone {
                    record::write_settled(&held.entry.key, &mut bytes);
                }
                self.save(&bytes, flush);
                self.counts.replaced += replaced as u64;
                self.counts.no_room += dropped as u64;
                for held in gone.iter().rev().take(dropped) {
                    log::warn!("the outbox is full: dropped the message {}", held.entry.key);
                }
            }
            Pushed::Refused => {
                self.counts.no_room += 1;
                log::warn!("the outbox has no room for the message {key}");
            }
            Pushed::Duplicate => {}
        }
        pushed
    }

    /// Settles a delivered message. Returns whether it still waited.
    pub fn done(&mut self, id: u64) -> bool {
        let gone = self.list.settle(id);
        self.counts.delivered += u64::from(gone.is_some());
        self.save_settled(gone.as_slice());
        gone.is_some()
    }

    /// Gives a message up, for the reason that the log shall name. Returns whether it still waited.
    pub fn discard(&mut self, id: u64, reason: &str) -> bool {
        self.discard_where(reason, |held| held.id == id) > 0
    }

    /// Gives up every waiting message that `unwanted` names, and returns how many those were.
    pub fn discard_where(&mut self, reason: &str, unwanted: impl Fn(&Held) -> bool) -> usize {
        let gone = self.list.take_where(unwanted);
        for held in &gone {
            log::warn!("gave up the message {}: {reason}", held.entry.key);
        }
        self.counts.given_up += gone.len() as u64;
        self.save_settled(&gone);
        gone.len()
    }

    /// Gives up what has waited longer than its importance allows ([`Importance::kept_for`]), and returns how many
    /// those were. To be called before messages are sent.
    ///
    /// While the wall clock is not set ([`crate::calendar::is_set`]), ages count from the first call on that finds the
    /// message; setting it forward makes nothing older.
    pub fn expire(&mut self, now: Moment) -> usize {
        let look = self.watch.look(now);
        let gone = self.list.expire(look, now.monotonic);
        for held in &gone {
            let level = match held.entry.importance {
                Importance::Passing => log::Level::Debug,
                _ => log::Level::Warn,
            };
            log::log!(level, "the message {} is too old to be sent", held.entry.key);
        }
        self.counts.expired += gone.len() as u64;
        self.save_settled(&gone);
        gone.len()
    }

    /// Brings to disk that `gone` need not be sent any more.
    fn save_settled(&mut self, gone: &[Held]) {
        if gone.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for held in gone {
            record::write_settled(&held.entry.key, &mut bytes);
        }
        self.save(&bytes, gone.iter().any(|held| held.entry.importance.is_flushed()));
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

    /// Gives the store up, and forgets what waits: it is for somebody else to send.
    pub(super) fn release(&mut self) {
        self.store.release();
        self.attached = false;
        self.list = List::new(self.list.limits());
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
