//! What the observer remembers across restarts of the process: small, versioned, as JSON.

use super::{FaultCode, Print, PrintState, RecordId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The observer's memory. Whoever keeps it on disk writes it after the events that came with it are safe in the
/// outbox: should the process die between the two, the same events come again under the same keys.
///
/// Bounded: but for names of files it is less than four kilobytes. The numbers that rise through a job are exact in
/// it, but only a step of them makes it a different memory, so that flash is not written for each per cent.
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
    /// Klipper was seen to start, without an outage that was told, and not yet to be ready.
    pub(super) starting: bool,
    /// How often Klipper was told to be ready after the printer was switched on.
    pub(super) switched_on: u32,
    /// The printer was seen in whole: faults and dialogs that come now are news.
    pub(super) acquainted: bool,
    /// Faults that stand and are dealt with.
    pub(super) faults: Vec<FaultCode>,
    /// Faults told.
    pub(super) faults_told: u32,
    /// Sum of the words of the dialog that is open and dealt with.
    pub(super) prompt: Option<u64>,
    /// Dialogs told.
    pub(super) prompts_told: u32,
    /// Sensors that saw filament when they were looked at last.
    pub(super) loaded: Vec<String>,
}

/// A job under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ActiveJob {
    pub(super) file: Option<String>,
    /// See [`Print::file_is_name`].
    pub(super) file_is_name: bool,
    pub(super) record: Option<RecordId>,
    /// Beginning of its events' keys; none until its start was told.
    pub(super) key: Option<String>,
    pub(super) paused: bool,
    pub(super) pauses: u32,
    /// A time since its start that has surely passed. Coarse, so that the memory seldom changes.
    pub(super) at_least_ms: u64,
    /// The whole per cent that was told last, or found at the start; none as long as it was not known.
    pub(super) percent: Option<Risen<5>>,
    /// It is the slicer's own, and not the position in the file.
    pub(super) by_slicer: bool,
    /// How often it fell.
    pub(super) falls: u32,
    /// Highest layer that was told, or found; none before that.
    pub(super) layer: Option<Risen<25>>,
    /// How often filament ran out.
    pub(super) runouts: u32,
    /// The sensor at which it did, until it sees filament again.
    pub(super) ran_out: Option<String>,
}

impl ActiveJob {
    /// The job that `print` shows.
    pub(super) fn of(print: &Print) -> Self {
        Self { file: print.file.clone(), file_is_name: print.file_is_name, ..Self::default() }
    }
}

/// A number that rises through a job. Two of them are equal while they are in one step of `STEP`, or the same one of
/// the first five: a memory is written when it differs, and need not be for each per cent and layer.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Risen<const STEP: u32>(pub(super) u32);

impl<const STEP: u32> Risen<STEP> {
    fn step(self) -> u32 {
        if self.0 < 5 { self.0 } else { (self.0 / STEP).saturating_add(5) }
    }
}

impl<const STEP: u32> PartialEq for Risen<STEP> {
    fn eq(&self, other: &Self) -> bool {
        self.step() == other.step()
    }
}

impl<const STEP: u32> Eq for Risen<STEP> {}

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
            starting: false,
            switched_on: 0,
            acquainted: false,
            faults: Vec::new(),
            faults_told: 0,
            prompt: None,
            prompts_told: 0,
            loaded: Vec::new(),
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
                file_is_name: true,
                record: Some(RecordId { id: "00001F".into(), started_ms: 7 }),
                key: Some("00001F-7".into()),
                paused: true,
                pauses: 2,
                at_least_ms: 300_000,
                percent: Some(Risen(44)),
                by_slicer: true,
                falls: 1,
                layer: Some(Risen(7)),
                runouts: 1,
                ran_out: Some("e0".into()),
            }),
            rest: Some(Rest { state: PrintState::Complete, file: None, total_ms: Some(9) }),
            faults: vec![FaultCode { id: 523, index: 1, code: 12 }],
            prompt: Some(u64::MAX),
            loaded: vec!["e1".into()],
            ..Memory::default()
        };
        let json = memory.to_json().unwrap();
        let again = Memory::from_json(&json).unwrap();
        assert_eq!(again, memory);
        // To the last digit, where equality does not look so closely.
        assert_eq!(again.to_json().unwrap(), json);
    }

    #[test]
    fn numbers_that_rise_differ_by_steps() {
        let steps = |last: u32| (0..last).filter(|n| Risen::<5>(*n) != Risen(n + 1)).count();
        assert_eq!(steps(4), 4);
        assert_eq!(steps(99), 5 + 18);
        assert_ne!(Risen::<25>(4), Risen(5));
        assert_eq!(Risen::<25>(5), Risen(24));
        assert_ne!(Risen::<25>(24), Risen(25));
    }

    #[test]
    fn what_the_first_release_wrote_still_reads() {
        let old = br#"{"version":1,"born_ms":9,"klippy_seen_ready":true,"klippy_down":false,"outages":0,
            "source_lost":false,"losses":0,"unnumbered":0,"job":{"file":"a.gcode","record":null,"key":"m9-1",
            "paused":false,"pauses":0,"at_least_ms":0},"history_seen":true,"newest":null,"unrecorded":null,"rest":null}"#;
        let memory = Memory::from_json(old).unwrap();
        assert_eq!(memory.job.unwrap().percent, None);
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
