//! The printer as the domain sees it: snapshots of its state, and the events between them.
//!
//! Pure: no socket, no file, no bridge; time comes in as an argument.

mod event;
mod memory;
mod observation;
mod observer;
mod snapshot;

pub use event::{Event, EventKind, Job};
pub use memory::{Memory, MemoryError};
pub use observation::{Observation, Timed};
pub use observer::Observer;
pub use snapshot::{
    History, JobRecord, JobStatus, Klippy, KlippyState, Print, PrintState, RecordId, Snapshot,
};
