//! What happens on a printer that somebody may want to be told.

use super::snapshot::job_name;
use super::{FaultCode, whole_percent};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One print job, as it stood when the event was seen: enough for a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// File as Moonraker names it: relative to the gcodes root, with folders. For people there is [`Self::name`].
    pub file: String,
    /// `file` is a name that the source gave the job, and no path.
    pub file_is_name: bool,
    /// Identity in Moonraker's history (six hex digits), where known: tells two prints of one file apart.
    pub id: Option<String>,
    /// Time since the start, pauses included, where known.
    pub total_duration: Option<Duration>,
    /// Progress from 0 to 1 ([`super::Print::best_progress`]), where known.
    pub progress: Option<f64>,
    /// Time since the first extrusion, without pauses, where known.
    pub print_duration: Option<Duration>,
    /// The source's own word for the printer's state ([`super::Snapshot::stage`]), where it tells one.
    pub stage: Option<String>,
    /// Who asked for what happened, in the words of the bridge over which he did;
    /// none where nobody did, or that is not certain. Told with a pause, its end, and a cancellation.
    pub by: Option<String>,
    /// The best guess at the time left ([`super::Estimates::best_guess`]); none once the job is over.
    pub left: Option<Duration>,
    /// The layer, where known, from 1; in a pause and at the end the last one that was surely begun.
    pub layer: Option<u32>,
    /// How many layers there are, where known.
    pub layers: Option<u32>,
    /// Filament that went through, in mm, where known.
    pub filament_used: Option<f64>,
}

impl Job {
    /// What to call the job: the file's name without folders, or the name that the source gave the job, whole.
    pub fn name(&self) -> &str {
        job_name(&self.file, self.file_is_name)
    }

    /// The progress in whole per cent, rounded down; none where it is unknown or absurd.
    pub fn percent(&self) -> Option<u8> {
        self.progress.and_then(whole_percent)
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
    /// Equal for the same fact, also when it is observed again after a crash: `JOB/kind/number` for events of the job
    /// and `mSTART/kind/number` for those of the machine, where JOB is the record in the history or a number of our
    /// own. The outbox takes a key once.
    pub key: String,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job runs that was not known to run before.
    JobStarted,
    /// A further whole per cent of the file is printed. The one at which a job is found comes with its start, and
    /// several at once are joined to the newest. After a restart of this program up to four may come again, each
    /// under its key.
    ///
    /// A fall is told, too, and is itself no news for people: whoever counts by steps begins anew from there. A fall
    /// by one is none, since some printers waver.
    Progress {
        /// Whole per cent, rounded down, from 0 to 100. At 100 the job may still run.
        percent: u8,
    },
    /// The first layer is done: the second is begun. Not told of a job that is found beyond it.
    FirstLayerDone,
    /// A further layer is begun; several at once are joined to the newest. Where the slicer tells no number it is
    /// reckoned from the height, and comes some seconds late.
    Layer {
        /// Its number, from 1.
        number: u32,
        /// How many there are, where known.
        of: Option<u32>,
    },
    /// The job is paused.
    Paused {
        /// Who or what paused it.
        by: PausedBy,
        /// Why, in the printer's words, where known.
        reason: Option<String>,
    },
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
    /// The job is over, and nothing tells how: there is no history to ask.
    Ended,
    /// Another job runs in its place, and nothing tells how this one ended: there is no history to ask.
    Replaced,
    /// Somebody should look at the printer. May come without a job.
    NeedsAttention(Attention),
    /// Klipper is ready after it was seen to start: the printer was just switched on. A return from an outage is
    /// [`Self::KlippyReady`].
    PrinterReady,
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

/// Who or what paused a job, as far as that is certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// Somebody at the printer or in a web front end, or the file itself: nothing tells them apart.
    Unknown,
    /// Filament ran out.
    Runout {
        /// Name of the sensor.
        sensor: String,
    },
    /// A fault that the vendor's firmware names.
    Fault {
        /// Its numbers.
        code: FaultCode,
    },
    /// Somebody over a bridge of this program.
    Bridge {
        /// Who, in the words of the bridge.
        name: String,
    },
}

/// Why somebody should look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// A sensor sees no filament any more, while a job prints. A pause that comes of it is told besides.
    Runout {
        /// Name of the sensor.
        sensor: String,
    },
    /// The printer shows a dialog.
    Prompt {
        /// Headline, and text behind it where there is one.
        text: String,
    },
    /// The vendor's firmware names a fault of level 2 or more.
    Fault {
        /// Its numbers.
        code: FaultCode,
        /// The vendor's level of it.
        level: u32,
        /// The vendor's words.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_whole_and_of_a_path_the_end() {
        for (file, file_is_name, name) in [
            ("a/b.gcode", false, "b.gcode"),
            ("b.gcode", false, "b.gcode"),
            ("plate/1\\two.3mf", true, "plate/1\\two.3mf"),
            ("", true, ""),
        ] {
            let job = Job { file: file.to_owned(), file_is_name, ..Job::default() };
            assert_eq!(job.name(), name);
            let again: Job = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
            assert_eq!(again.name(), name);
        }
    }
}
