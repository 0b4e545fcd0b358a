//! The state of the printer at one moment, whatever source told it.

use super::{Fault, Layer, Machine, Metadata, Prompt, Webcam};
use crate::clock::Moment;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The printer as it is at one moment, and which job that is.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// What is known of it.
    pub snapshot: Arc<Snapshot>,
    /// The beginning of the keys of the events of the job under way ([`super::Event::key`]); none while no job is, or
    /// its start was not told yet.
    pub job: Option<Arc<str>>,
    /// When it was seen.
    pub at: Moment,
}

/// All that is known of the printer at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The firmware host.
    pub klippy: Klippy,
    /// The print job and what became of it; none while Klipper cannot be asked. Says nothing while Klipper is
    /// not ready: after a fault a killed print reads "paused".
    pub print: Option<Print>,
    /// The machine itself.
    pub machine: Arc<Machine>,
    /// Text of the display (`M117`).
    pub message: Option<String>,
    /// Past and present jobs.
    pub history: Arc<History>,
    /// The dialog that is open.
    pub prompt: Option<Arc<Prompt>>,
    /// The vendor's faults that stand, the oldest first. Empty where the vendor tells none.
    pub faults: Arc<[Fault]>,
    /// The cameras. Kept in the order in which they are listed.
    pub webcams: Arc<[Webcam]>,
    /// What the user's macro `_OCTOAPP_STATUS` says in its variable `notify_message`, where there is one.
    pub app_message: Option<Arc<str>>,
    /// The source's own word for the printer's state, in capitals (`RUNNING`, `PREPARE`); only the realtime feed tells
    /// one, which says more than [`Print::state`].
    pub stage: Option<Arc<str>>,
    /// The status object that the source sent, as text and unchanged; only the realtime feed has one.
    pub original: Option<Arc<str>>,
}

impl Snapshot {
    /// The layer that is printed, where it is known.
    pub fn layer(&self) -> Option<Layer> {
        Layer::of(self.print.as_ref()?, &self.machine.motion)
    }
}

/// Klipper's host process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Klippy {
    /// Its state.
    pub state: KlippyState,
    /// Its own words about the state; several lines.
    pub message: Option<String>,
}

/// States of Klipper's host process, by the names of Moonraker's `klippy_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlippyState {
    /// No connection between Moonraker and Klipper.
    #[default]
    Disconnected,
    /// It starts.
    Startup,
    /// It works.
    Ready,
    /// Stopped by an emergency stop or a fault of a micro-controller.
    Shutdown,
    /// It could not start: wrong configuration, or no micro-controller.
    Error,
}

impl KlippyState {
    /// The state of that name, where there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "disconnected" => Self::Disconnected,
            "startup" => Self::Startup,
            "ready" => Self::Ready,
            "shutdown" => Self::Shutdown,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Startup => "startup",
            Self::Ready => "ready",
            Self::Shutdown => "shutdown",
            Self::Error => "error",
        }
    }
}

/// States of a print, by the names of Klipper's `print_stats.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintState {
    /// No job since the last reset.
    Standby,
    /// A job runs; heating counts.
    Printing,
    /// A job waits.
    Paused,
    /// The last job came to its end.
    Complete,
    /// The last job was cancelled.
    Cancelled,
    /// The last job ended by an error.
    Error,
}

impl PrintState {
    /// The state of that name, where there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "standby" => Self::Standby,
            "printing" => Self::Printing,
            "paused" => Self::Paused,
            "complete" => Self::Complete,
            "cancelled" => Self::Cancelled,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// Whether a job is under way.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Printing | Self::Paused)
    }
}

/// The print job as Klipper tells it. The values of the last job stay until a reset or the next start.
#[derive(Debug, Clone, PartialEq)]
pub struct Print {
    /// Its state.
    pub state: PrintState,
    /// The file, relative to the gcodes root, without a slash in front; none while there is none.
    pub file: Option<String>,
    /// `file` is what the source calls the job, of any characters, and no path. Such a source (the realtime feed)
    /// tells of a job by its name alone: another name is another job, and nothing tells how the one before ended.
    pub file_is_name: bool,
    /// Why the state is [`PrintState::Error`].
    pub message: Option<String>,
    /// Time since the start, pauses included.
    pub total_duration: Option<Duration>,
    /// Time since the first extrusion, without pauses.
    pub print_duration: Option<Duration>,
    /// Progress from 0 to 1: the position within the part of the file that prints, where its bounds are known,
    /// else within the whole file. The latter does not begin at 0 when the file has pictures at its head.
    pub progress: Option<f64>,
    /// Progress from 0 to 1 as the display shows it: `M73` of the slicer, which falls back to the position in
    /// the whole file when there is none.
    pub display_progress: Option<f64>,
    /// Progress from 0 to 1 by the slicer alone; none as long as it told none in this job.
    pub slicer_progress: Option<f64>,
    /// Position in the whole file, from 0 to 1.
    pub file_progress: Option<f64>,
    /// Position in the whole file, in bytes.
    pub file_position: Option<u64>,
    /// Filament that went through, in mm.
    pub filament_used: Option<f64>,
    /// Number of the present layer, where the slicer tells it.
    pub layer: Option<u32>,
    /// Number of layers, where the slicer tells it.
    pub layers: Option<u32>,
    /// What is known of the file.
    pub metadata: Option<Arc<Metadata>>,
    /// Time left, by a source that says so itself (the realtime feed); others leave it to
    /// [`super::Estimates`].
    pub told_left: Option<Duration>,
}

impl Print {
    /// What to call the job: the file's name without folders, or the name that the source gave the job, whole.
    pub fn name(&self) -> Option<&str> {
        Some(job_name(self.file.as_deref()?, self.file_is_name))
    }
}

/// What to call the job of a file.
pub(super) fn job_name(file: &str, file_is_name: bool) -> &str {
    if file_is_name { file } else { file.rsplit('/').next().unwrap_or(file) }
}

impl Default for Print {
    /// No job.
    fn default() -> Self {
        Self {
            state: PrintState::Standby,
            file: None,
            file_is_name: false,
            message: None,
            total_duration: None,
            print_duration: None,
            progress: None,
            display_progress: None,
            slicer_progress: None,
            file_progress: None,
            file_position: None,
            filament_used: None,
            layer: None,
            layers: None,
            metadata: None,
            told_left: None,
        }
    }
}

/// The newest jobs of Moonraker's history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Whether there is a history to ask at all.
    pub available: bool,
    /// The newest first.
    pub jobs: Vec<JobRecord>,
}

impl History {
    /// The record of that identity.
    pub fn find(&self, id: &RecordId) -> Option<&JobRecord> {
        self.jobs.iter().find(|job| job.id == *id)
    }
}

/// Identity of a job in Moonraker's history. The number alone does not do: it begins anew with a new database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordId {
    /// `job_id`: six hex digits.
    pub id: String,
    /// `start_time`, in milliseconds since the Unix epoch.
    pub started_ms: u64,
}

/// One job of Moonraker's history.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its identity.
    pub id: RecordId,
    /// The file, relative to the gcodes root, without a slash in front.
    pub file: String,
    /// What became of it.
    pub status: JobStatus,
    /// End, since the Unix epoch; none while it runs.
    pub ended: Option<Duration>,
    /// Time since the start, pauses included, as of the last change of the record.
    pub total_duration: Option<Duration>,
    /// First byte of the file that prints.
    pub gcode_start_byte: Option<u64>,
    /// Byte behind the last one that prints.
    pub gcode_end_byte: Option<u64>,
    /// The slicer's estimate.
    pub estimated_time: Option<Duration>,
}

/// What the history says of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It runs.
    InProgress,
    /// It came to its end.
    Completed,
    /// It was cancelled.
    Cancelled,
    /// It ended by an error.
    Error,
    /// Klipper shut down.
    KlippyShutdown,
    /// Klipper's process vanished.
    KlippyDisconnect,
    /// Moonraker was stopped; the print may go on without it.
    ServerExit,
    /// Moonraker died, or the power was cut; the print may go on if it was only Moonraker.
    Interrupted,
    /// A word that is not known here.
    Other,
}

impl JobStatus {
    /// The status of that name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "in_progress" => Self::InProgress,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            "error" => Self::Error,
            "klippy_shutdown" => Self::KlippyShutdown,
            "klippy_disconnect" => Self::KlippyDisconnect,
            "server_exit" => Self::ServerExit,
            "interrupted" => Self::Interrupted,
            _ => Self::Other,
        }
    }

    /// Whether it tells the end of the job itself, and not only that of Moonraker's watching.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Cancelled | Self::Error | Self::KlippyShutdown | Self::KlippyDisconnect
        )
    }
}
