//! Turns what a source sees into events. Pure: a memory and an observation in, events out.
//!
//! The state is derived in this order, since each is only true while the one before it is: the connection,
//! Klipper's state, the print's state. The rules of jobs are in [`job`].

mod attention;
mod describe;
mod job;
mod layers;
mod pause;
mod progress;
#[cfg(test)]
mod tests;
mod witnesses;

pub use pause::Command;

use super::memory::millis;
use super::{Event, EventKind, History, KlippyState, Layer, Machine, Memory, Observation, Print, Snapshot};
use crate::clock::Moment;
use layers::Held;
use pause::Causes;
use std::time::Duration;

/// How long Klipper may be missing at a new connection before that counts as an outage: after a restart of
/// Moonraker alone it is "disconnected" or in "startup" for some seconds while the print goes on.
const REJOIN: Duration = Duration::from_secs(30);

/// Watches one printer.
///
/// What its memory does not hold is only what need not outlive the process: a restart in the middle of anything may
/// make a pause's cause [unknown](super::PausedBy::Unknown), let a reckoned layer come up to ten seconds later, and
/// join per cents or layers to the newest one. Events that were told come again under their keys at most.
#[derive(Debug, Default)]
pub struct Observer {
    memory: Memory,
    /// The memory as it was when it was reported to have changed.
    kept: Memory,
    changed: bool,
    /// The present connection; none before the first observation and after a loss.
    link: Option<Link>,
    /// Since when a fact of the history is waited for.
    waiting: Option<Duration>,
    /// A reckoned layer that must prove itself.
    held: Option<Held>,
    /// What may have caused a pause that comes.
    causes: Causes,
    /// Klipper was seen ready by this process.
    seen_ready: bool,
}

/// What is known of the present connection, and need not outlive it.
#[derive(Debug, Clone, Copy)]
struct Link {
    since: Duration,
    /// Klipper was ready on it.
    ready: bool,
    /// The job in memory was seen under way on it.
    job_seen: bool,
    /// A print state was seen on it, so that what comes now happens before our eyes.
    looked: bool,
}

/// What is seen of the print.
#[derive(Debug, Clone, Copy)]
struct Seen<'s> {
    print: &'s Print,
    history: &'s History,
    machine: &'s Machine,
}

impl<'s> Seen<'s> {
    fn of(snapshot: &'s Snapshot) -> Option<Self> {
        let print = snapshot.print.as_ref()?;
        Some(Self { print, history: &snapshot.history, machine: &snapshot.machine })
    }

    fn layer(self) -> Option<Layer> {
        Layer::of(self.print, &self.machine.motion)
    }
}

impl Observer {
    /// Goes on from a memory; an empty one for a printer never seen before.
    pub fn new(memory: Memory) -> Self {
        Self { kept: memory.clone(), memory, ..Self::default() }
    }

    /// What must be kept to go on after a restart.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The beginning of the keys of the events of the job under way; none while no job is, or its start was not told yet.
    pub fn job(&self) -> Option<&str> {
        self.memory.job.as_ref()?.key.as_deref()
    }

    /// Whether the memory changed, so that it is worth keeping, since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The events that an observation tells of, in their order.
    pub fn observe(&mut self, observation: &Observation, now: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        if self.memory.born_ms == 0 {
            self.memory.born_ms = millis(now.unix).max(1);
        }
        match observation {
            Observation::Lost { .. } => self.lost(now, &mut events),
            Observation::Seen(snapshot) => {
                self.linked(now, &mut events);
                self.klippy(snapshot, now, &mut events);
                self.watch_job(snapshot, now, &mut events);
                self.attention(snapshot, now, &mut events);
                if let Some(stage) = &snapshot.stage {
                    let jobs = events.iter_mut().filter_map(|event| event.job.as_mut());
                    jobs.for_each(|job| job.stage = Some(stage.as_ref().to_owned()));
                }
            }
            Observation::Commanded { what, by } => self.commanded(*what, by, now),
            Observation::Console(line) => self.causes.line(line, now),
            Observation::Files(_) => {}
        }
        // Comparing costs no memory, and nothing that changes can be forgotten.
        if self.memory != self.kept {
            self.kept.clone_from(&self.memory);
            self.changed = true;
        }
        events
    }

    fn lost(&mut self, now: Moment, events: &mut Vec<Event>) {
        // A source that was never there in this run is a state, not a loss: it starts after us at every boot.
        if self.link.take().is_none() || self.memory.source_lost {
            return;
        }
        self.waiting = None;
        self.held = None;
        self.memory.source_lost = true;
        self.memory.losses = self.memory.losses.wrapping_add(1);
        events.push(self.machine_event(EventKind::SourceLost, "source_lost", self.memory.losses, now));
    }

    fn linked(&mut self, now: Moment, events: &mut Vec<Event>) {
        if self.link.is_none() {
            self.link = Some(Link { since: now.monotonic, ready: false, job_seen: false, looked: false });
        }
        if self.memory.source_lost {
            self.memory.source_lost = false;
            events.push(self.machine_event(EventKind::SourceBack, "source_back", self.memory.losses, now));
        }
    }

    fn klippy(&mut self, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let Some(link) = &mut self.link else { return };
        let state = snapshot.klippy.state;
        if state == KlippyState::Ready {
            link.ready = true;
            self.memory.klippy_seen_ready = true;
            if self.memory.klippy_down {
                self.memory.klippy_down = false;
                let outage = self.memory.outages;
                events.push(self.machine_event(EventKind::KlippyReady, "klippy_ready", outage, now));
            }
            return self.switched_on(snapshot, now, events);
        }
        let certain = link.ready
            || matches!(state, KlippyState::Shutdown | KlippyState::Error)
            || now.monotonic.saturating_sub(link.since) >= REJOIN;
        if !self.memory.klippy_seen_ready || self.memory.klippy_down || !certain {
            self.memory.starting = !self.seen_ready && !self.memory.klippy_down;
            return;
        }
        self.memory.starting = false;
        self.memory.klippy_down = true;
        self.memory.outages = self.memory.outages.wrapping_add(1);
        let reason = snapshot.klippy.message.as_deref().and_then(reason_of);
        let down = EventKind::KlippyDown { reason: reason.clone() };
        events.push(self.machine_event(down, "klippy_down", self.memory.outages, now));
        self.job_lost_klippy(snapshot, reason, now, events);
    }

    /// Klipper is ready. After it was seen to start, and nothing was told of that, the printer was just switched on;
    /// unless a job goes on, by which only Moonraker was restarted.
    fn switched_on(&mut self, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let Some(print) = &snapshot.print else { return };
        self.seen_ready = true;
        let goes_on = self.memory.job.is_some() && print.state.is_active();
        if std::mem::take(&mut self.memory.starting) && !goes_on {
            self.memory.switched_on = self.memory.switched_on.wrapping_add(1);
            let count = self.memory.switched_on;
            events.push(self.machine_event(EventKind::PrinterReady, "printer_ready", count, now));
        }
    }

    fn machine_event(&self, kind: EventKind, name: &str, count: u32, now: Moment) -> Event {
        Event { kind, job: None, at: now.unix, key: format!("m{}/{name}/{count}", self.memory.born_ms) }
    }
}

/// The part of Klipper's state message that says why: without the advice that follows, which speaks of commands.
fn reason_of(message: &str) -> Option<String> {
    let why = message
        .find("Once the underlying issue")
        .map_or(message, |end| message.get(..end).unwrap_or(message));
    let lines: Vec<&str> = why.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { None } else { Some(lines.join("\n")) }
}
