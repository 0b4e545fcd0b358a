//! What a source tells the domain.

use super::{Command, FileChange, Snapshot};
use crate::clock::Moment;
use std::sync::Arc;

/// One thing that a source saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The connection to the printer was lost. Told only after something was seen over it.
    Lost {
        /// In words.
        reason: String,
    },
    /// The whole state of the printer, complete and consistent in itself. Also told unchanged now and then.
    Seen(Arc<Snapshot>),
    /// The printer is told to do something now, in somebody's name. What comes of it is seen later.
    Commanded {
        /// What.
        what: Command,
        /// By whom, in the words of the bridge over which it came.
        by: Arc<str>,
    },
    /// A line of the printer's console, without its line end. Replies to temperature questions are left out.
    Console(Arc<str>),
    /// The files that can be printed are others.
    Files(Arc<FileChange>),
}

/// Something, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed<T> {
    /// When.
    pub at: Moment,
    /// What.
    pub what: T,
}
