//! The rules of jobs: which job runs, when it began, and how it ended.
//!
//! Two witnesses tell of a job. Klipper's `print_stats` is quick but forgets, and names only the file; Moonraker's
//! history names the job and how it ended, a moment later, and only what happened while Moonraker ran. A job's
//! identity is its record in the history. Where there is none, it is the file and a time that only grows.
//!
//! Of an error in the file nothing tells but the print's state; of a shutdown `print_stats` says "paused" and stays
//! so, which is why it is asked only while Klipper is ready.

use super::witnesses::{is_same, outcome_of_print, outcome_of_record, present, same_file, speaks_of};
use super::{Command, Observer, Seen};
use crate::clock::Moment;
use crate::printer::memory::{ActiveJob, Rest, millis};
use crate::printer::{
    Event, EventKind, History, JobRecord, JobStatus, KlippyState, PrintState, RecordId, Snapshot,
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
    pub(super) fn watch_job(&mut self, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let history = &snapshot.history;
        self.know_history(history);
        if snapshot.klippy.state != KlippyState::Ready {
            return;
        }
        let Some(seen) = Seen::of(snapshot) else { return };
        match seen.print.state {
            PrintState::Printing | PrintState::Paused => self.active(seen, snapshot, now, events),
            PrintState::Complete | PrintState::Cancelled | PrintState::Error => {
                self.ended(seen, now, events);
            }
            PrintState::Standby => self.standby(seen, now, events),
        }
        self.unseen_jobs(history, now, events);
        if let Some(link) = &mut self.link {
            link.looked = true;
            link.job_seen = self.memory.job.is_some() && (link.job_seen || seen.print.state.is_active());
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
        let seen = Seen::of(snapshot);
        self.attach_ended(history);
        if let Some(seen) = seen {
            self.attach(seen);
        }
        let Some(job) = &self.memory.job else { return };
        // It may have ended a moment before.
        let speaking = seen.filter(|seen| speaks_of(job, seen.print));
        let ended = speaking.and_then(|seen| outcome_of_print(seen.print));
        let told =
            outcome_of_record(job, history, None).filter(|told| !matches!(told, EventKind::Failed { .. }));
        let lost = EventKind::Failed {
            reason: reason.or_else(|| Some("Klipper stopped during the print".to_owned())),
        };
        self.end(told.or(ended).unwrap_or(lost), seen, now, events);
    }

    /// A job is under way.
    fn active(&mut self, seen: Seen<'_>, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let Seen { print, history, .. } = seen;
        let running = history.jobs.first().filter(|record| {
            record.status == JobStatus::InProgress && same_file(Some(&record.file), print.file.as_ref())
        });
        let away = !self.link.is_some_and(|link| link.job_seen);
        if let Some(job) = &self.memory.job
            && (!is_same(job, print, running) || (away && self.ended_record(history).is_some()))
        {
            self.attach_ended(history);
            let told = self.memory.job.as_ref().and_then(|job| outcome_of_record(job, history, None));
            let unknown = match history.available {
                true => EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) },
                false => EventKind::Replaced,
            };
            self.end(told.unwrap_or(unknown), None, now, events);
        }
        if self.memory.job.is_none() {
            self.unseen_jobs(history, now, events);
            self.memory.unrecorded = None;
            let mut job = ActiveJob::of(print);
            job.layers_begin(seen, self.link.is_some_and(|link| link.looked));
            self.memory.job = Some(job);
            self.waiting = Some(now.monotonic);
        }
        self.attach(seen);
        let waited = self.patience_is_over(now);
        let Some(job) = &mut self.memory.job else { return };
        if job.file.is_none() {
            job.file.clone_from(&print.file);
        }
        let passed = print.total_duration.map_or(0, millis) / STEP_MS * STEP_MS;
        job.at_least_ms = job.at_least_ms.max(passed);
        let found = job.key.is_none();
        if found {
            let named = job.file.is_some() && (job.record.is_some() || !history.available || waited);
            if !named {
                return;
            }
            self.announce(Some(seen), now, events);
        }
        self.waiting = None;
        self.attention(snapshot, now, events);
        // What is done was done before the pause, and after its end.
        self.resume(seen, now, events);
        self.progress(seen, now, events);
        self.layers(seen, now, events);
        self.pause(seen, found, now, events);
    }

    /// Klipper tells the end of a job.
    fn ended(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Seen { print, history, .. } = seen;
        self.attach_ended(history);
        self.attach(seen);
        let Some(job) = &self.memory.job else {
            return self.resting(seen, now, events);
        };
        let speaks = speaks_of(job, print);
        let told = outcome_of_record(job, history, Some(print).filter(|_| speaks));
        let shown = outcome_of_print(print).filter(|_| speaks);
        let unrecorded = job.record.is_none() && history.available;
        // Without a record the keys could not be the same again after a crash.
        if ((told.is_none() && shown.is_none()) || unrecorded) && !self.patience_is_over(now) {
            return;
        }
        let unknown = EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) };
        self.end(told.or(shown).unwrap_or(unknown), Some(seen).filter(|_| speaks), now, events);
        self.memory.rest = Some(Rest::of(print));
    }

    /// Klipper knows of no job, or only of one that is over and was not seen under way.
    fn resting(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Seen { print, history, .. } = seen;
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
                self.memory.job = Some(ActiveJob::of(print));
                self.end_unseen(outcome, Some(seen), now, events);
            }
        }
        self.waiting = None;
        self.memory.rest = Some(here);
    }

    /// Klipper has no job.
    fn standby(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Seen { print, history, .. } = seen;
        self.attach_ended(history);
        self.attach(seen);
        let Some(job) = &self.memory.job else {
            return self.resting(seen, now, events);
        };
        let outcome = match outcome_of_record(job, history, None) {
            Some(told) => told,
            // Such a source never tells more than this.
            None if print.file_is_name => EventKind::Ended,
            None if !self.link.is_some_and(|link| link.job_seen) => {
                if !self.patience_is_over(now) {
                    return;
                }
                EventKind::Failed { reason: Some(UNSEEN_END.to_owned()) }
            }
            // Taken out of Klipper's hands before our eyes (SDCARD_RESET_FILE).
            None if !history.available => EventKind::Ended,
            None if !self.patience_is_over(now) => return,
            // Moonraker says so too.
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
        seen: Option<Seen<'_>>,
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        if !self.link.is_some_and(|link| link.looked) {
            self.name_keys();
        }
        self.end(outcome, seen, now, events);
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
    fn attach(&mut self, seen: Seen<'_>) {
        let print = seen.print;
        let Some(job) = self.memory.job.as_ref().filter(|job| job.record.is_none()) else { return };
        let record = self.newer(seen.history).iter().find(|record| {
            same_file(Some(&record.file), print.file.as_ref())
                && same_file(Some(&record.file), job.file.as_ref())
                && match record.status {
                    JobStatus::InProgress | JobStatus::Other => true,
                    // Moonraker was restarted in the print, and does not count it as its own any more.
                    JobStatus::ServerExit | JobStatus::Interrupted => {
                        print.total_duration >= record.total_duration
                    }
                    _ => false,
                }
        });
        self.attach_record(record.cloned());
    }

    /// Finds the record of a job that is over.
    fn attach_ended(&mut self, history: &History) {
        self.attach_record(self.ended_record(history).cloned());
    }

    /// The first record since we looked last that may be the end of the job in memory, which has none yet.
    fn ended_record<'h>(&self, history: &'h History) -> Option<&'h JobRecord> {
        let job = self.memory.job.as_ref().filter(|job| job.record.is_none())?;
        let mut newer = self.newer(history).iter().rev();
        newer.find(|record| record.status.is_final() && same_file(Some(&record.file), job.file.as_ref()))
    }

    fn attach_record(&mut self, record: Option<JobRecord>) {
        if let (Some(record), Some(job)) = (record, &mut self.memory.job) {
            self.memory.newest = Some(record.id.clone());
            job.record = Some(record.id);
            job.file.get_or_insert(record.file);
        }
    }

    fn announce(&mut self, seen: Option<Seen<'_>>, now: Moment, events: &mut Vec<Event>) {
        self.name_keys();
        self.progress_begins(seen);
        events.extend(self.job_event(EventKind::JobStarted, "job_started", seen, now));
    }

    /// An event of the job under way.
    pub(super) fn job_event(
        &self,
        kind: EventKind,
        name: &str,
        seen: Option<Seen<'_>>,
        now: Moment,
    ) -> Option<Event> {
        let job = self.memory.job.as_ref()?;
        let key = format!("{}/{name}", job.key.as_deref().unwrap_or_default());
        Some(Event { kind, job: Some(job.describe(seen)), at: now.unix, key })
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

    fn end(&mut self, outcome: EventKind, seen: Option<Seen<'_>>, now: Moment, events: &mut Vec<Event>) {
        match &self.memory.job {
            // Its start was not told either: where a name is all there is of a job, one without is none.
            Some(job) if job.key.is_none() && job.file.is_none() && job.file_is_name => {
                return self.forget_job();
            }
            Some(job) if job.key.is_none() => self.announce(seen, now, events),
            _ => {}
        }
        let name = match &outcome {
            EventKind::Finished => "finished",
            EventKind::Cancelled => "cancelled",
            EventKind::Ended => "ended",
            EventKind::Replaced => "replaced",
            _ => "failed",
        };
        let finished = outcome == EventKind::Finished;
        let by = self.causes.asked(Command::Cancel, now).filter(|_| outcome == EventKind::Cancelled);
        let mut event = self.job_event(outcome, name, seen, now);
        if let Some(job) = event.as_mut().and_then(|event| event.job.as_mut()) {
            job.left = None;
            job.by = by;
            if finished {
                job.progress = Some(1.0);
            }
        }
        events.extend(event);
        self.forget_job();
    }

    /// No job is under way any more.
    fn forget_job(&mut self) {
        let Some(job) = self.memory.job.take() else { return };
        self.memory.unrecorded = job.file.filter(|_| job.record.is_none());
        self.waiting = None;
        self.held = None;
        self.causes.forget_commands();
    }

    fn patience_is_over(&mut self, now: Moment) -> bool {
        let since = *self.waiting.get_or_insert(now.monotonic);
        now.monotonic.saturating_sub(since) >= PATIENCE
    }
}
