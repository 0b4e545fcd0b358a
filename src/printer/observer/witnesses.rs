//! What the two witnesses of a job say: Klipper's `print_stats`, and the history.

use crate::clock::Moment;
use crate::printer::memory::{ActiveJob, millis};
use crate::printer::{EventKind, History, JobRecord, JobStatus, Print, PrintState};
use std::time::Duration;

/// The time of day for the age of a record. A clock that stands before the end of every job was not set yet: it is
/// as late as the last of them at least.
pub(super) fn present(history: &History, now: Moment) -> Duration {
    let ends = || history.jobs.iter().filter_map(|record| record.ended);
    match ends().max() {
        Some(last) if ends().all(|end| end > now.unix) => last,
        _ => now.unix,
    }
}

/// Two names are the same file unless both are known and differ.
pub(super) fn same_file(one: Option<&String>, other: Option<&String>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// Whether `print_stats` speaks of this job, judged by the file and the passed time.
pub(super) fn speaks_of(job: &ActiveJob, print: &Print) -> bool {
    let grown = print.total_duration.is_none_or(|total| millis(total) >= job.at_least_ms);
    same_file(job.file.as_ref(), print.file.as_ref()) && grown
}

pub(super) fn is_same(job: &ActiveJob, print: &Print, running: Option<&JobRecord>) -> bool {
    match (&job.record, running) {
        (Some(known), Some(running)) => *known == running.id,
        _ => speaks_of(job, print),
    }
}

pub(super) fn outcome_of_print(print: &Print) -> Option<EventKind> {
    match print.state {
        PrintState::Complete => Some(EventKind::Finished),
        PrintState::Cancelled => Some(EventKind::Cancelled),
        PrintState::Error => Some(EventKind::Failed { reason: print.message.clone() }),
        PrintState::Standby | PrintState::Printing | PrintState::Paused => None,
    }
}

/// How the job ended by its record, with the reason of `print_stats` where that speaks of the same job.
pub(super) fn outcome_of_record(
    job: &ActiveJob,
    history: &History,
    print: Option<&Print>,
) -> Option<EventKind> {
    let record = history.find(job.record.as_ref()?)?;
    let failed = |text: &str| Some(EventKind::Failed { reason: Some(text.to_owned()) });
    match record.status {
        JobStatus::Completed => Some(EventKind::Finished),
        JobStatus::Cancelled => Some(EventKind::Cancelled),
        JobStatus::Error => match print.and_then(|print| print.message.clone()) {
            Some(message) => failed(&message),
            None => failed("the print ended with an error"),
        },
        JobStatus::KlippyShutdown => failed("Klipper shut down during the print"),
        JobStatus::KlippyDisconnect => failed("Klipper stopped during the print"),
        JobStatus::InProgress | JobStatus::ServerExit | JobStatus::Interrupted | JobStatus::Other => None,
    }
}
