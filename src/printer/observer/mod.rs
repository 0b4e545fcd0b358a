//! Turns what a source sees into events. Pure: a memory and an observation in, events out.
//!
//! The state is derived in this order, since each is only true while the one before it is: the connection,
//! Klipper's state, the print's state. The rules of jobs are in [`job`].

mod job;
#[cfg(test)]
mod tests;

use super::memory::millis;
use super::{Event, EventKind, KlippyState, Memory, Observation, Snapshot};
use crate::clock::Moment;
use std::time::Duration;

/// How long Klipper may be missing at a new connection before that counts as an outage: after a restart of
/// Moonraker alone it is "disconnected" or in "startup" for some seconds while the print goes on.
const REJOIN: Duration = Duration::from_secs(30);

/// Watches one printer.
#[derive(Debug, Default)]
pub struct Observer {
    memory: Memory,
    changed: bool,
    /// The present connection; none before the first observation and after a loss.
    link: Option<Link>,
    /// Since when a fact of the history is waited for.
    waiting: Option<Duration>,
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

impl Observer {
    /// Goes on from a memory; an empty one for a printer never seen before.
    pub fn new(memory: Memory) -> Self {
        Self { memory, ..Self::default() }
    }

    /// What must be kept to go on after a restart.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether the memory changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The events that an observation tells of, in their order.
    pub fn observe(&mut self, observation: &Observation, now: Moment) -> Vec<Event> {
        let before = self.memory.clone();
        let mut events = Vec::new();
        if self.memory.born_ms == 0 {
            self.memory.born_ms = millis(now.unix).max(1);
        }
        match observation {
            Observation::Lost { .. } => self.lost(now, &mut events),
            Observation::Seen(snapshot) => {
                self.linked(now, &mut events);
                self.klippy(snapshot, now, &mut events);
                self.job(snapshot, now, &mut events);
            }
            Observation::Console(_) => {}
        }
        self.changed |= self.memory != before;
        events
    }

    fn lost(&mut self, now: Moment, events: &mut Vec<Event>) {
        // A source that was never there in this run is a state, not a loss: it starts after us at every boot.
        if self.link.take().is_none() || self.memory.source_lost {
            return;
        }
        self.waiting = None;
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
            return;
        }
        let certain = link.ready
            || matches!(state, KlippyState::Shutdown | KlippyState::Error)
            || now.monotonic.saturating_sub(link.since) >= REJOIN;
        if !self.memory.klippy_seen_ready || self.memory.klippy_down || !certain {
            return;
        }
        self.memory.klippy_down = true;
        self.memory.outages = self.memory.outages.wrapping_add(1);
        let reason = snapshot.klippy.message.as_deref().and_then(reason_of);
        let down = EventKind::KlippyDown { reason: reason.clone() };
        events.push(self.machine_event(down, "klippy_down", self.memory.outages, now));
        self.job_lost_klippy(snapshot, reason, now, events);
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
