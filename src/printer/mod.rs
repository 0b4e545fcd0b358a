//! The printer as the domain sees it: snapshots of its state, and the events between them.
//!
//! Pure: no socket, no file, no bridge; time comes in as an argument.

mod event;

pub use event::{Event, EventKind, Job};
