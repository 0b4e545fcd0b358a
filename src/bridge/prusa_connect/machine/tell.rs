//! What is told when it happens: states, objects of the job, tools, the mesh of the bed.

use super::rules::Verdict;
use super::telemetry::JobValues;
use super::{Machine, News, info};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::connect::state::State;
use crate::printer::{KlippyState, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What Connect was told of the file that prints, or could ask for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Details {
    file: Option<String>,
    size: Option<u64>,
    modified: Option<Duration>,
}

impl Machine {
    /// Takes notice of the job that is under way.
    pub(super) fn follow_job(
        &mut self,
        key: Option<&Arc<str>>,
        snapshot: Option<&Snapshot>,
        now: Duration,
        news: &mut Vec<News>,
    ) {
        let print = snapshot.and_then(|snapshot| snapshot.print.as_ref());
        let file = print.and_then(|print| print.file.as_deref());
        let command = self.causes.starter(file, now);
        let before = self.jobs.id();
        if self.jobs.run(key, command) {
            self.unsaved = true;
            self.values = JobValues::default();
            self.details = None;
            if before.is_some() && matches!(self.state, State::Printing | State::Paused | State::Attention) {
                // Another job runs in its place: the one before has ended unseen.
                self.state = State::Stopped;
                let event = self.state_event(Source::Firmware, None);
                news.push(News { event, state: State::Stopped, job: before });
            }
        }
        let Some(print) = print else { return };
        self.values.see(print);
        let metadata = print.metadata.as_deref();
        let details = Details {
            file: print.file.clone(),
            size: metadata.and_then(|known| known.size),
            modified: metadata.and_then(|known| known.modified),
        };
        let known = self.details.replace(details.clone());
        // What is known from the beginning is asked for, by the job's number.
        if known.is_some_and(|known| known != details)
            && let Some(event) = self.job().and_then(|job| self.job_info(job, None))
        {
            news.push(self.now(event));
        }
    }

    /// Tells that the state is another one.
    pub(super) fn change(
        &mut self,
        verdict: Verdict,
        active: bool,
        snapshot: Option<&Snapshot>,
        now: Duration,
        news: &mut Vec<News>,
    ) {
        let file = snapshot.and_then(|s| s.print.as_ref()).and_then(|print| print.file.as_deref());
        let to = verdict.state;
        let ends = matches!(to, State::Finished | State::Stopped);
        // What was too short to be seen, or not seen in order, has been all the same.
        if let Some(between) = between(self.state, to, active) {
            let prints = between == State::Printing;
            let cause = if active && prints { self.causes.of(between, file, now) } else { None };
            let (source, command) = cause.unwrap_or((Source::Firmware, None));
            self.state = between;
            let event = self.state_event(source, None).of_command(command);
            news.push(News { event, state: between, job: self.jobs.id().filter(|_| prints) });
        }
        let cause = match to {
            State::Error => None,
            _ => self.causes.of(to, file, now),
        };
        let (source, command) = cause.unwrap_or((verdict.source, None));
        let from = std::mem::replace(&mut self.state, to);
        self.reason.clone_from(&verdict.reason);
        let event = self.state_event(source, verdict.reason).of_command(command);
        let job = self.jobs.id().filter(|_| active || ends);
        let critical = (to == State::Error && from != to).then(|| event.reason.clone());
        news.push(News { event, state: to, job });
        // What is critical is told as such, besides.
        if let Some(reason) = critical {
            let event = Event { reason, ..Event::new(EventKind::Failed, Source::Wui) };
            news.push(News { event, state: to, job: None });
        }
    }

    pub(super) fn state_event(&self, source: Source, reason: Option<Box<str>>) -> Event {
        let mut event =
            Event::new(EventKind::StateChanged, source).with(Value::from(self.dialogs.data()).to_string());
        event.dialog = self.dialog();
        event.reason = reason;
        event
    }

    /// What else changed that is told unasked.
    pub(super) fn parts(&mut self, snapshot: &Snapshot, news: &mut Vec<News>) {
        let objects = &snapshot.machine.objects;
        let same = objects.all == self.objects.all && objects.excluded == self.objects.excluded;
        if !same && (!objects.all.is_empty() || !self.objects.all.is_empty()) {
            self.objects = objects.clone();
            let event = self.objects_event();
            news.push(self.now(event));
        }
        self.tell_mesh(snapshot, news);
        // Before Klipper works nothing is known of the toolheads.
        if snapshot.machine.toolheads.is_empty() {
            return;
        }
        let tools = info::tools(&snapshot.machine, &self.tools);
        if tools != self.told_tools {
            let first = self.told_tools.is_empty();
            self.told_tools = tools.clone();
            if !first {
                let event =
                    Event::new(EventKind::Info, Source::Firmware).with(Value::from(tools).to_string());
                news.push(self.now(event));
            }
        }
    }

    /// A bed that was measured anew. What it was at first is in the whole `INFO`.
    fn tell_mesh(&mut self, snapshot: &Snapshot, news: &mut Vec<News>) {
        if snapshot.klippy.state != KlippyState::Ready {
            return;
        }
        let mesh = &snapshot.machine.mesh;
        let known = self.told_mesh.replace(Arc::clone(mesh));
        if known.is_some_and(|known| known != *mesh) && !mesh.is_empty() {
            // As the SDK's own application says it.
            let data = json!({ "mbl": info::mesh(mesh) });
            let event = Event::new(EventKind::MeshBedData, Source::Marlin).with(data.to_string());
            news.push(self.now(event));
        }
    }
}

/// The state in which a printer must have been between two others. `active` says that a job is under way.
fn between(from: State, to: State, active: bool) -> Option<State> {
    let prints = match to {
        State::Paused => matches!(from, State::Idle | State::Ready | State::Finished | State::Stopped),
        State::Finished => !matches!(from, State::Printing | State::Finished | State::Busy | State::Error),
        State::Stopped => matches!(from, State::Idle | State::Ready | State::Finished),
        State::Attention => matches!(from, State::Finished | State::Stopped) && active,
        _ => false,
    };
    let idle = to == State::Attention && matches!(from, State::Finished | State::Stopped) && !active;
    let mended =
        from == State::Error && !matches!(to, State::Error | State::Busy | State::Idle | State::Stopped);
    match (prints, idle, mended) {
        (true, ..) => Some(State::Printing),
        (_, true, _) => Some(State::Idle),
        (.., true) => Some(State::Busy),
        _ => None,
    }
}
