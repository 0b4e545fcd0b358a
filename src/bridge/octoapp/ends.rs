//! What the observer's events tell: how a print ended, and that one began of which the history says nothing.

use super::core::Core;
use super::outside::Outside;
use super::push::{Kind, Push, State};
use super::reckon;
use crate::clock::Moment;
use crate::outbox::Store;
use crate::printer::{Event, EventKind, Job, KlippyState};
use std::time::Duration;

/// How long Klipper may be away.
const GRACE: Duration = Duration::from_secs(5);
/// How long an event waits for the sight that shows it, and a cancellation for its record.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// The same error is not told again within this time.
const SAME_ERROR: Duration = Duration::from_secs(1800);
/// What apps know an end by that Klipper took the print into.
const KLIPPER_GONE: &str = "Klipper Disconnected";

impl<O: Outside, S: Store> Core<O, S> {
    /// Deals with the events that can be dealt with.
    pub(super) fn settle_events(&mut self, now: Moment) {
        let mut index = 0;
        while let Some((event, since)) = self.pending.get(index) {
            let waits = event.kind == EventKind::Cancelled
                && now.monotonic.saturating_sub(*since) < PATIENCE
                && self.recorded_end(event.job.as_ref()).is_none();
            if waits {
                index += 1;
                continue;
            }
            let (event, _) = self.pending.remove(index);
            self.settle_event(event, now);
        }
    }

    /// How long the history says that the job took.
    fn recorded_end(&self, job: Option<&Job>) -> Option<Duration> {
        let history = &self.sight.as_ref()?.snapshot.history;
        let id = self.print.as_ref().and_then(|print| print.known.record.as_ref()).or(job?.id.as_ref())?;
        let record = history.jobs.iter().find(|record| record.id.id == *id)?;
        record.total_duration.filter(|_| record.status.is_final())
    }

    fn settle_event(&mut self, event: Event, now: Moment) {
        let Some(job) = event.job else { return };
        if event.kind == EventKind::JobStarted {
            // One that is found at a new connection is adopted with the sight.
            if self.link.synced && !job.file.is_empty() {
                self.job_started(&job, now);
            }
            return;
        }
        let mine = self.print.as_ref().is_some_and(|print| print.is(&job.file, job.id.as_deref()));
        let push = match event.kind {
            EventKind::Ended | EventKind::Replaced => {
                if mine {
                    self.drop_print();
                }
                return;
            }
            _ if !mine => return self.late_end(&event.key, event.kind, &job, now),
            EventKind::Finished => Push::new(Kind::Done, self.state(now)),
            EventKind::Cancelled => {
                // Its record names the file.
                self.name_print();
                let took = self.recorded_end(Some(&job)).or(job.total_duration);
                let state = self.state(now);
                let duration = took.map_or(state.duration, |took| took.as_secs_f64());
                Push::new(Kind::Cancelled, State { duration, ..state })
            }
            EventKind::Failed { reason } => {
                let ready = self
                    .sight
                    .as_ref()
                    .is_some_and(|sight| sight.snapshot.klippy.state == KlippyState::Ready);
                if !ready {
                    self.gone = Some((now.monotonic + GRACE, event.key));
                    if let Some(print) = &mut self.print {
                        (print.hour, print.pause) = (None, None);
                    }
                    return;
                }
                self.name_print();
                let text = reason.unwrap_or_default();
                Push { text, ..Push::new(Kind::Error, self.state(now)) }
            }
            _ => return,
        };
        // It is kept on disk until its end is told.
        self.print = None;
        self.send(push, Some(event.key), now);
    }

    /// A print that is not under way any more has ended: one that a process before this one could not tell.
    fn late_end(&mut self, key: &str, kind: EventKind, job: &Job, now: Moment) {
        let Some(known) = self.file.former(&job.file, job.id.as_deref()) else {
            // Nobody was told of its start.
            return self.done_with(key);
        };
        let state = State {
            id: known.id.clone(),
            path: known.path.clone(),
            is_name: known.is_name,
            left: -1,
            percent: job.progress.map_or(0, reckon::percent),
            duration: job.total_duration.unwrap_or_default().as_secs_f64(),
        };
        let (kind, text) = match kind {
            EventKind::Finished => (Kind::Done, String::new()),
            EventKind::Cancelled => (Kind::Cancelled, String::new()),
            EventKind::Failed { reason } => (Kind::Error, reason.unwrap_or_default()),
            _ => return self.done_with(key),
        };
        self.send(Push { text, ..Push::new(kind, state) }, Some(key.to_owned()), now);
    }

    fn job_started(&mut self, job: &Job, now: Moment) {
        match &mut self.print {
            Some(print) if print.is(&job.file, job.id.as_deref()) => {
                if print.known.record.is_none() && job.id.is_some() {
                    print.known.record.clone_from(&job.id);
                    self.file.keep(&print.known);
                }
            }
            _ => self.start(&job.file, job.file_is_name, job.id.clone(), now),
        }
    }

    /// Klipper did not come back in time. `key` is that of the print's end in the outbox.
    pub(super) fn klipper_is_gone(&mut self, key: String, now: Moment) {
        let ready =
            self.sight.as_ref().is_some_and(|sight| sight.snapshot.klippy.state == KlippyState::Ready);
        let told = self
            .error_told
            .as_ref()
            .is_some_and(|(text, at)| text == KLIPPER_GONE && now.monotonic.saturating_sub(*at) < SAME_ERROR);
        if ready || told || self.print.is_none() {
            return self.klipper_is_back(&key);
        }
        self.error_told = Some((KLIPPER_GONE.to_owned(), now.monotonic));
        let push = Push { text: KLIPPER_GONE.to_owned(), ..Push::new(Kind::Error, self.state(now)) };
        // It is kept on disk until its end is told.
        self.print = None;
        self.send(push, Some(key), now);
    }

    /// Klipper was away for a moment only, or it was told: the print that it took with it is gone without a word.
    pub(super) fn klipper_is_back(&mut self, key: &str) {
        self.drop_print();
        self.done_with(key);
    }
}
