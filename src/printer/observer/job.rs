//! The rules of jobs: which job runs, when it began, and how it ended.
//!
//! Two witnesses tell of a job. Klipper's `print_stats` is quick but forgets, and names only the file; Moonraker's
//! history names the job and how it ended, a moment later, and only what happened while Moonraker ran. A job's
//! identity is its record in the history. Where there is none, it is the file and a time that only grows.

use super::Observer;
use crate::clock::Moment;
use crate::printer::memory::{ActiveJob, Rest, millis};
use crate::printer::{
    Event, EventKind, History, Job, JobRecord, JobStatus, KlippyState, PausedBy, Print, PrintState, RecordId,
    Snapshot,
};
use std::time::Duration;

/// How long a fact of the history is waited for. It comes some milliseconds after the print's state; a source
/// asks for the history itself when it does not.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Jobs that nobody saw run are told only if they ended within this time: whoever switches the service on after
/// a month does not want the month's news.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// The memory of the passed time changes at this step, since it is written to flash.
const STEP_MS: u64 = 300_000;

const UNSEEN_END: &str = "the print ended while the printer was out of sight; how is not known";

impl Observer {
    /// Judges the print while Klipper is ready.
    pub(super) fn job(&mut self, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let history = &snapshot.history;
        self.know_history(history);
        if snapshot.klippy.state != KlippyState::Ready {
            return;
        }
        let Some(print) = &snapshot.print else { return };
        match print.state {
            PrintState::Printing | PrintState::Paused => self.active(print, history, now, events),
            PrintState::Complete | PrintState::Cancelled | PrintState::Error => {
                self.ended(print, history, now, events);
            }
            PrintState::Standby => self.standby(print, history, now, events),
        }
        self.unseen_jobs(history, now, events);
        if let Some(link) = &mut self.link {
            link.looked = true;
            link.job_seen = self.memory.job.is_some() && (link.job_seen || print.state.is_active());
        }
    }

    /// Klipper is gone, and the job with it, whatever `print_stats` says from now on.
    pub(super) fn job_lost_klippy(
        &mut self,
        snapshot: &Snapshot,
        reason: Option<String>,
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        let history = &snapshot.history;
        self.know_history(history);
        if let Some(print) = &snapshot.print {
            self.attach(print, history);
        }
        let Some(job) = &self.memory.job else { return };
        // It may have ended a moment before.
        let ended = snapshot.print.as_ref().filter(|print| speaks_of(job, print)).and_then(outcome_of_print);
        let told =
            outcome_of_record(job, history, None).filter(|told| !matches!(told, EventKind::Failed { .. }));
        let lost = EventKind::Failed {
            reason: reason.or_else(|| Some("Klipper stopped during the print".to_owned())),
        };
        self.end(told.or(ended).unwrap_or(lost), snapshot.print.as_ref(), now, events);
    }

    /// A job is under way.
    fn active(&mut self, print: &Print, history: &History, now: Moment, events: &mut Vec<Event>) {
        let running = history.jobs.first().filter(|record| {
            record.status == JobStatus::InProgress && same_file(Some(&record.file), print.file.as_ref())
        });
        if let Some(job) = &self.memory.job
            && !is_same(job, print, running)
        {
            let told = outcome_of_record(job, history, None);
            let unknown = EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) };
            self.end(told.unwrap_or(unknown), None, now, events);
        }
        if self.memory.job.is_none() {
            self.unseen_jobs(history, now, events);
            self.memory.unrecorded = None;
            self.memory.job = Some(ActiveJob { file: print.file.clone(), ..ActiveJob::default() });
            self.waiting = Some(now.monotonic);
        }
        self.attach(print, history);
        let waited = self.patience_is_over(now);
        let Some(job) = &mut self.memory.job else { return };
        if job.file.is_none() {
            job.file.clone_from(&print.file);
        }
        let passed = print.total_duration.map_or(0, millis) / STEP_MS * STEP_MS;
        job.at_least_ms = job.at_least_ms.max(passed);
        if job.key.is_none() {
            let named = job.file.is_some() && (job.record.is_some() || !history.available || waited);
            if !named {
                return;
            }
            self.announce(Some(print), now, events);
        }
        self.waiting = None;
        self.pause_or_resume(print, now, events);
    }

    fn pause_or_resume(&mut self, print: &Print, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        let paused = print.state == PrintState::Paused;
        if paused == job.paused {
            return;
        }
        job.paused = paused;
        let (kind, name) = if paused {
            job.pauses = job.pauses.wrapping_add(1);
            (EventKind::Paused { by: PausedBy::Unknown, reason: None }, "paused")
        } else {
            (EventKind::Resumed, "resumed")
        };
        let key = format!("{}/{name}/{}", job.key.as_deref().unwrap_or_default(), job.pauses);
        let job = Some(describe(job, Some(print)));
        events.push(Event { kind, job, at: now.unix, key });
    }

    /// Klipper tells the end of a job.
    fn ended(&mut self, print: &Print, history: &History, now: Moment, events: &mut Vec<Event>) {
        self.attach(print, history);
        let Some(job) = &self.memory.job else {
            return self.resting(print, history, now, events);
        };
        let speaks = speaks_of(job, print);
        let told = outcome_of_record(job, history, Some(print).filter(|_| speaks));
        let seen = outcome_of_print(print).filter(|_| speaks);
        let unrecorded = job.record.is_none() && history.available;
        // Without a record the keys could not be the same again after a crash.
        if ((told.is_none() && seen.is_none()) || unrecorded) && !self.patience_is_over(now) {
            return;
        }
        let unknown = EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) };
        self.end(told.or(seen).unwrap_or(unknown), Some(print).filter(|_| speaks), now, events);
        self.memory.rest = Some(Rest::of(print));
    }

    /// Klipper knows of no job, or only of one that is over and was not seen under way.
    fn resting(&mut self, print: &Print, history: &History, now: Moment, events: &mut Vec<Event>) {
        let here = Rest::of(print);
        if self.memory.rest.as_ref() == Some(&here) {
            return;
        }
        if self.memory.rest.is_some()
            && let Some(outcome) = outcome_of_print(print)
        {
            // Too short to be seen, or it ran while we were away: the history tells of it, mostly.
            let recorded = self
                .newer(history)
                .iter()
                .any(|record| record.status.is_final() && same_file(Some(&record.file), print.file.as_ref()));
            if !recorded {
                if history.available && !self.patience_is_over(now) {
                    return;
                }
                self.memory.job = Some(ActiveJob { file: print.file.clone(), ..ActiveJob::default() });
                self.end_unseen(outcome, Some(print), now, events);
            }
        }
        self.waiting = None;
        self.memory.rest = Some(here);
    }

    /// Klipper has no job.
    fn standby(&mut self, print: &Print, history: &History, now: Moment, events: &mut Vec<Event>) {
        self.attach(print, history);
        let Some(job) = &self.memory.job else {
            return self.resting(print, history, now, events);
        };
        let outcome = match outcome_of_record(job, history, None) {
            Some(told) => told,
            None if !self.link.is_some_and(|link| link.job_seen) => {
                if !self.patience_is_over(now) {
                    return;
                }
                EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) }
            }
            // Taken out of Klipper's hands before our eyes (SDCARD_RESET_FILE); Moonraker says cancelled too.
            None if history.available && !self.patience_is_over(now) => return,
            None => EventKind::Cancelled,
        };
        self.end(outcome, None, now, events);
        self.memory.rest = Some(Rest::of(print));
    }

    /// Jobs that only the history saw.
    fn unseen_jobs(&mut self, history: &History, now: Moment, events: &mut Vec<Event>) {
        let newer: Vec<JobRecord> = self.newer(history).iter().rev().cloned().collect();
        if self.memory.job.is_some() {
            return;
        }
        let present = present(history, now);
        for record in newer {
            if matches!(record.status, JobStatus::InProgress | JobStatus::Other) {
                break;
            }
            if !record.status.is_final() && history.jobs.first() == Some(&record) {
                // Moonraker was restarted in it: it may still run.
                break;
            }
            self.memory.newest = Some(record.id.clone());
            if !record.status.is_final() {
                // How it ended the history does not know; `print_stats` may.
                continue;
            }
            if self.memory.unrecorded.take_if(|file| *file == record.file).is_some() {
                continue;
            }
            let before_our_eyes = self.link.is_some_and(|link| link.looked);
            let age = record.ended.map_or(Duration::ZERO, |ended| present.saturating_sub(ended));
            if !before_our_eyes && age > STALE {
                continue;
            }
            let job = ActiveJob {
                file: Some(record.file.clone()),
                record: Some(record.id.clone()),
                at_least_ms: record.total_duration.map_or(0, millis),
                ..ActiveJob::default()
            };
            let Some(outcome) = outcome_of_record(&job, history, None) else { continue };
            self.memory.job = Some(job);
            self.end_unseen(outcome, None, now, events);
        }
    }

    /// Ends a job that was not seen under way. Its start is told only if it happened just now.
    fn end_unseen(
        &mut self,
        outcome: EventKind,
        print: Option<&Print>,
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        if !self.link.is_some_and(|link| link.looked) {
            self.name_keys();
        }
        self.end(outcome, print, now, events);
    }

    /// The first sight of a history is no news.
    fn know_history(&mut self, history: &History) {
        if !history.available {
            return;
        }
        let lost = self.memory.newest.as_ref().is_some_and(|newest| history.find(newest).is_none());
        if !self.memory.history_seen || lost {
            self.memory.history_seen = true;
            let over = history.jobs.iter().find(|record| record.status.is_final());
            self.memory.newest = over.map(|record| record.id.clone());
        }
    }

    /// Records that are not dealt with yet, the newest first.
    fn newer<'h>(&self, history: &'h History) -> &'h [JobRecord] {
        if !history.available || !self.memory.history_seen {
            return &[];
        }
        let known = |newest: &RecordId| history.jobs.iter().position(|record| record.id == *newest);
        let count = self.memory.newest.as_ref().map_or(Some(history.jobs.len()), known).unwrap_or(0);
        history.jobs.get(..count).unwrap_or_default()
    }

    /// Finds the record of the job under way.
    fn attach(&mut self, print: &Print, history: &History) {
        if self.memory.job.as_ref().is_none_or(|job| job.record.is_some()) {
            return;
        }
        let record = self.newer(history).iter().find(|record| {
            same_file(Some(&record.file), print.file.as_ref())
                && match record.status {
                    JobStatus::InProgress | JobStatus::Other => true,
                    // Moonraker was restarted in the print, and does not count it as its own any more.
                    JobStatus::ServerExit | JobStatus::Interrupted => {
                        print.total_duration >= record.total_duration
                    }
                    _ => !print.state.is_active(),
                }
        });
        if let (Some(record), Some(job)) = (record, &mut self.memory.job) {
            job.record = Some(record.id.clone());
            if job.file.is_none() {
                job.file = Some(record.file.clone());
            }
            self.memory.newest = Some(record.id.clone());
        }
    }

    fn announce(&mut self, print: Option<&Print>, now: Moment, events: &mut Vec<Event>) {
        self.name_keys();
        let Some(job) = &self.memory.job else { return };
        let key = format!("{}/job_started", job.key.as_deref().unwrap_or_default());
        events.push(Event {
            kind: EventKind::JobStarted,
            job: Some(describe(job, print)),
            at: now.unix,
            key,
        });
    }

    /// Gives the job the beginning of its keys: the record's identity, else a number that the memory counts.
    fn name_keys(&mut self) {
        let Some(job) = &mut self.memory.job else { return };
        job.key = Some(match &job.record {
            Some(record) => format!("{}-{}", record.id, record.started_ms),
            None => {
                self.memory.unnumbered = self.memory.unnumbered.wrapping_add(1);
                format!("m{}-{}", self.memory.born_ms, self.memory.unnumbered)
            }
        });
    }

    fn end(&mut self, outcome: EventKind, print: Option<&Print>, now: Moment, events: &mut Vec<Event>) {
        if self.memory.job.as_ref().is_some_and(|job| job.key.is_none()) {
            self.announce(print, now, events);
        }
        let Some(job) = self.memory.job.take() else { return };
        let name = match &outcome {
            EventKind::Finished => "finished",
            EventKind::Cancelled => "cancelled",
            _ => "failed",
        };
        let key = format!("{}/{name}", job.key.as_deref().unwrap_or_default());
        let mut told = describe(&job, print);
        if outcome == EventKind::Finished {
            told.progress = Some(1.0);
        }
        events.push(Event { kind: outcome, job: Some(told), at: now.unix, key });
        self.memory.unrecorded = job.file.filter(|_| job.record.is_none());
        self.waiting = None;
    }

    fn patience_is_over(&mut self, now: Moment) -> bool {
        let since = *self.waiting.get_or_insert(now.monotonic);
        now.monotonic.saturating_sub(since) >= PATIENCE
    }
}

/// The time of day for the age of a record. A clock that stands before the end of every job was not set yet: it is
/// as late as the last of them at least.
fn present(history: &History, now: Moment) -> Duration {
    let ends = || history.jobs.iter().filter_map(|record| record.ended);
    match ends().max() {
        Some(last) if ends().all(|end| end > now.unix) => last,
        _ => now.unix,
    }
}

/// Two names are the same file unless both are known and differ.
fn same_file(one: Option<&String>, other: Option<&String>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// Whether `print_stats` speaks of this job, judged by the file and the passed time.
fn speaks_of(job: &ActiveJob, print: &Print) -> bool {
    let grown = print.total_duration.is_none_or(|total| millis(total) >= job.at_least_ms);
    same_file(job.file.as_ref(), print.file.as_ref()) && grown
}

fn is_same(job: &ActiveJob, print: &Print, running: Option<&JobRecord>) -> bool {
    match (&job.record, running) {
        (Some(known), Some(running)) => *known == running.id,
        _ => speaks_of(job, print),
    }
}

fn outcome_of_print(print: &Print) -> Option<EventKind> {
    match print.state {
        PrintState::Complete => Some(EventKind::Finished),
        PrintState::Cancelled => Some(EventKind::Cancelled),
        PrintState::Error => Some(EventKind::Failed { reason: print.message.clone() }),
        PrintState::Standby | PrintState::Printing | PrintState::Paused => None,
    }
}

/// How the job ended by its record, with the reason of `print_stats` where that speaks of the same job.
fn outcome_of_record(job: &ActiveJob, history: &History, print: Option<&Print>) -> Option<EventKind> {
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

fn describe(job: &ActiveJob, print: Option<&Print>) -> Job {
    Job {
        file: job.file.clone().unwrap_or_default(),
        id: job.record.as_ref().map(|record| record.id.clone()),
        total_duration: print.and_then(|print| print.total_duration),
        progress: print.and_then(|print| print.progress),
    }
}
