//! A bounded queue on disk: what must reach a service although the network, the process or the power fails.
//! Never looks into the messages it keeps.
//!
//! [`Outbox`] is the queue with its journal, [`Queue`] the handle that a producer and a consumer share.
//! A message is known by its key, and a key is taken once: also after the message was delivered.
//!
//! # What is written
//!
//! Nothing while nothing changes. A change is one append: a push together with what it replaces or displaces, a
//! delivery, everything that one look at the clock expires. It is flushed (one `fdatasync`) if a message that matters
//! ([`Importance::Important`] and above) is among it; the rest the system writes when it likes, and a loss of power
//! may cost it, whole or in part, without harm to what was flushed.
//!
//! Once the file is longer than [`Limits::history`] and at least half of it is history, a new file with what is
//! still true takes its place instead: one write, two flushes (the file, its folder) and a renaming. Between two of
//! these lies at least a quarter of [`Limits::history`].
//!
//! So a message costs two appends in all, and two flushes if it matters; and an idle outbox nothing.

mod age;
mod journal;
mod list;
mod queue;
mod record;
mod store;

#[cfg(test)]
mod tests;

pub use journal::{Counts, Outbox, Persistence, Recovered};
pub use list::{Held, Pushed};
pub use queue::{Glance, Queue, Woken};
pub use store::{FileStore, Read, Store};

use std::path::PathBuf;
use std::time::Duration;

/// How much it matters that a message arrives, and how long it is worth sending. When the outbox is full the least
/// important goes first, and the oldest among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Importance {
    /// Worth nothing when it is late: progress. Kept for ten minutes, as all others are for a week.
    Passing = 0,
    /// Worth telling: paused, resumed; a status, which has a slot.
    Normal = 1,
    /// Not to be lost: a start, an error.
    Important = 2,
    /// The end of a job: goes last, and is on disk before [`Outbox::push`] returns.
    Terminal = 3,
}

impl Importance {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Passing, Self::Normal, Self::Important, Self::Terminal].get(usize::from(byte)).copied()
    }

    /// How long a message of this kind is kept.
    pub fn kept_for(self) -> Duration {
        match self {
            Self::Passing => Duration::from_secs(10 * 60),
            Self::Normal | Self::Important | Self::Terminal => Duration::from_secs(7 * 24 * 3600),
        }
    }

    /// Whether a record of such a message is flushed to the medium at once.
    fn is_flushed(self) -> bool {
        self >= Self::Important
    }
}

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity: the same for the same fact. At most 1024 bytes.
    pub key: String,
    /// How much it matters.
    pub importance: Importance,
    /// When the fact happened, as time since the Unix epoch (kept in milliseconds).
    pub at: Duration,
    /// Names what the message is the newest word on: it replaces a waiting one of the same slot.
    pub slot: Option<String>,
    /// The message, in the bridge's own form.
    pub body: Vec<u8>,
}

/// Bounds of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most messages that wait.
    pub entries: usize,
    /// Most bytes of waiting messages (bodies, keys and a little for each).
    pub bytes: usize,
    /// How many keys of settled messages are remembered.
    pub keys: usize,
    /// Size of the file, in bytes, from which on it is rewritten when half of it is history.
    pub history: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200, bytes: 256 * 1024, keys: 300, history: 64 * 1024 }
    }
}

/// Why messages are not kept on disk.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The directory cannot be made or used.
    #[error("cannot use the directory {}: {source}; check that it is writable and owned by the service's user", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has the journal.
    #[error("{} is in use by another process; stop the other instance", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The journal cannot be read.
    #[error("cannot read {}: {source}; check its owner and mode", path.display())]
    Read {
        /// The journal.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The journal cannot be written.
    #[error("cannot write {}: {source}; check free space and that the disk is writable", path.display())]
    Write {
        /// The journal.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
