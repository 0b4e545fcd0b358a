//! What happens on a printer that somebody may want to be told.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One print job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// File as Moonraker names it: relative to the gcodes root, with folders.
    pub file: String,
    /// Identity in Moonraker's history (six hex digits), where known: tells two prints of one file apart.
    pub id: Option<String>,
    /// Time since the start, pauses included, where known.
    pub total_duration: Option<Duration>,
    /// Progress from 0 to 1 within the file, where known.
    pub progress: Option<f64>,
}

impl Job {
    /// The file's name without folders.
    pub fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

/// A change that happened, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The job it happened to; none for events of the machine.
    pub job: Option<Job>,
    /// When it was seen, as time since the Unix epoch; wrong while the printer's clock is not set.
    pub at: Duration,
    /// Equal for the same fact, also when it is observed again after a crash: `job id or start/kind/count`.
    /// The outbox takes a key once.
    pub key: String,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job runs that was not known to run before.
    JobStarted,
    /// The job is paused.
    Paused,
    /// The job goes on after a pause.
    Resumed,
    /// The job came to its end.
    Finished,
    /// The job was cancelled.
    Cancelled,
    /// The job ended by a fault.
    Failed {
        /// What the printer says of it.
        reason: Option<String>,
    },
    /// Klipper stopped working (shutdown, error, or gone).
    KlippyDown {
        /// What Klipper says of it.
        reason: Option<String>,
    },
    /// Klipper works again.
    KlippyReady,
    /// The connection to the printer was lost.
    SourceLost,
    /// The connection to the printer is back.
    SourceBack,
}
