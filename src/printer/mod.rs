//! The printer as the domain sees it: snapshots of its state, and the events between them.
//!
//! Pure: no socket, no file, no bridge; time comes in as an argument.

mod estimates;
mod event;
mod file_change;
mod layer;
mod machine;
mod memory;
mod metadata;
mod notice;
mod observation;
mod observer;
mod progress;
mod snapshot;
mod told;
mod webcam;

pub use estimates::{EstimateBy, Estimates};
pub use event::{Attention, Event, EventKind, Job, PausedBy};
pub use file_change::{FileChange, FileItem};
pub use layer::Layer;
pub use machine::{Activity, Fan, Filament, FilamentSensor, Heat, Machine, Motion, Named, Objects, Toolhead};
pub use memory::{Memory, MemoryError};
pub use metadata::{Metadata, Thumbnail};
pub use notice::{Fault, FaultCode, Prompt, PromptButton};
pub use observation::{Observation, Timed};
pub use observer::{Command, Observer};
pub use progress::{ProgressBy, whole_percent};
pub use snapshot::{
    History, JobRecord, JobStatus, Klippy, KlippyState, Print, PrintState, RecordId, Sight, Snapshot,
};
pub use webcam::Webcam;
