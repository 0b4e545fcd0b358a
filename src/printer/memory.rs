//! What the observer remembers across restarts of the process: small, versioned, as JSON.

use super::{Print, PrintState, RecordId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The observer's memory. Whoever keeps it on disk writes it after the events that came with it are safe in the
/// outbox: should the process die between the two, the same events come again under the same keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    version: u32,
    /// First observation, in milliseconds since the Unix epoch: sets keys apart from those of a lost memory.
    pub(super) born_ms: u64,
    /// Klipper was ready at some time, so that not being ready is news.
    pub(super) klippy_seen_ready: bool,
    /// An outage of Klipper was told and lasts.
    pub(super) klippy_down: bool,
    /// Outages told.
    pub(super) outages: u32,
    /// The loss of the connection was told, its return was not.
    pub(super) source_lost: bool,
    /// Losses told.
    pub(super) losses: u32,
    /// Jobs told that had no record in the history when they were.
    pub(super) unnumbered: u32,
    /// The job under way.
    pub(super) job: Option<ActiveJob>,
    /// A history was seen: records newer than `newest` are news.
    pub(super) history_seen: bool,
    /// The newest record that is dealt with.
    pub(super) newest: Option<RecordId>,
    /// File of a job that was told to its end before its record was known.
    pub(super) unrecorded: Option<String>,
    /// What Klipper told of the last job while none was under way.
    pub(super) rest: Option<Rest>,
}

/// A job under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ActiveJob {
    pub(super) file: Option<String>,
    pub(super) record: Option<RecordId>,
    /// Beginning of its events' keys; none until its start was told.
    pub(super) key: Option<String>,
    pub(super) paused: bool,
    pub(super) pauses: u32,
    /// A time since its start that has surely passed. Coarse, so that the memory seldom changes.
    pub(super) at_least_ms: u64,
}

/// What `print_stats` says while no job is under way; another value is another job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) state: PrintState,
    pub(super) file: Option<String>,
    pub(super) total_ms: Option<u64>,
}

impl Rest {
    pub(super) fn of(print: &Print) -> Self {
        Self { state: print.state, file: print.file.clone(), total_ms: print.total_duration.map(millis) }
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why a stored memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A newer program wrote it. Go on with an empty memory, and leave the stored one as it is: the printer may
    /// go back to the newer program.
    #[error(
        "the printer's state has version {found}, this program knows up to {known}: update the firmware to use it"
    )]
    Newer {
        /// Version found.
        found: u32,
        /// Newest version that this program reads.
        known: u32,
    },
    /// It is not a memory. Go on with an empty one.
    #[error("the printer's state cannot be read and is begun anew: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            born_ms: 0,
            klippy_seen_ready: false,
            klippy_down: false,
            outages: 0,
            source_lost: false,
            losses: 0,
            unnumbered: 0,
            job: None,
            history_seen: false,
            newest: None,
            unrecorded: None,
            rest: None,
        }
    }
}

impl Memory {
    /// The version that is written, and the newest that is read. Part of a file's name it keeps the states of
    /// two programs apart.
    pub const VERSION: u32 = 1;

    /// Reads what [`Self::to_json`] wrote. Fields that this version does not know are ignored.
    ///
    /// # Errors
    ///
    /// When a newer program wrote it, or when it is not a memory.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MemoryError> {
        #[derive(Deserialize)]
        struct Stamp {
            version: u32,
        }
        let stamp: Stamp = serde_json::from_slice(bytes)?;
        if stamp.version > Self::VERSION {
            return Err(MemoryError::Newer { found: stamp.version, known: Self::VERSION });
        }
        Ok(Self { version: Self::VERSION, ..serde_json::from_slice(bytes)? })
    }

    /// As JSON, a few hundred bytes.
    ///
    /// # Errors
    ///
    /// None that can come from this data; the signature is the serializer's.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was_written() {
        let memory = Memory {
            born_ms: 5,
            klippy_down: true,
            job: Some(ActiveJob {
                file: Some("a \u{1F600}/b.gcode".into()),
                record: Some(RecordId { id: "00001F".into(), started_ms: 7 }),
                key: Some("00001F-7".into()),
                paused: true,
                pauses: 2,
                at_least_ms: 300_000,
            }),
            rest: Some(Rest { state: PrintState::Complete, file: None, total_ms: Some(9) }),
            ..Memory::default()
        };
        assert_eq!(Memory::from_json(&memory.to_json().unwrap()).unwrap(), memory);
    }

    #[test]
    fn a_newer_one_is_refused_by_its_version_alone() {
        let error = Memory::from_json(br#"{"version":2,"job":"quite different"}"#).unwrap_err();
        assert!(matches!(error, MemoryError::Newer { found: 2, known: 1 }), "{error}");
    }

    #[test]
    fn missing_and_unknown_fields_are_fine_and_garbage_is_an_error() {
        let memory = Memory::from_json(br#"{"version":1,"klippy_down":true,"colour":"red"}"#).unwrap();
        assert_eq!(memory, Memory { klippy_down: true, ..Memory::default() });
        for garbage in [&b""[..], b"{}", b"[]", b"null", b"{\"version\":1,\"job\":3}", b"\xff\xfe"] {
            assert!(matches!(Memory::from_json(garbage), Err(MemoryError::Malformed(_))), "{garbage:?}");
        }
    }
}
