//! Layers of the job, which only rise.
//!
//! The slicer's numbers are told at once. Reckoned ones follow the nozzle's height, which a travel or a change of
//! the tool lifts for a moment: such a number must hold first.

use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::memory::{ActiveJob, Risen};
use crate::printer::{Event, EventKind};
use std::time::Duration;

/// How long a reckoned layer must hold.
const HOLD: Duration = Duration::from_secs(10);

/// A reckoned layer that must prove itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// The lowest number seen since then.
    number: u32,
    since: Duration,
}

impl Held {
    /// Takes the newest number, which is above those told. Gives the one that held long enough.
    fn take(held: &mut Option<Self>, number: u32, now: Moment) -> Option<u32> {
        let lowest = held.get_or_insert(Self { number, since: now.monotonic });
        lowest.number = lowest.number.min(number);
        let proven = now.monotonic.saturating_sub(lowest.since) >= HOLD;
        if proven { held.take().map(|held| held.number) } else { None }
    }
}

impl ActiveJob {
    /// A job that comes under way before our eyes has all its layers before it. Of one that is found, those before
    /// the first sight are no news.
    pub(super) fn layers_begin(&mut self, seen: Seen<'_>, before_our_eyes: bool) {
        let untouched = seen.print.print_duration.is_some_and(|printed| printed.is_zero());
        if before_our_eyes || untouched {
            self.layer = Some(Risen(0));
        }
    }
}

impl Observer {
    pub(super) fn layers(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        let Some(layer) = seen.layer() else {
            self.held = None;
            return;
        };
        let Some(Risen(highest)) = job.layer else {
            job.layer = Some(Risen(layer.number));
            return;
        };
        if layer.number <= highest {
            self.held = None;
            return;
        }
        let number = if layer.reckoned {
            let Some(number) = Held::take(&mut self.held, layer.number, now) else { return };
            number
        } else {
            layer.number
        };
        job.layer = Some(Risen(number));
        if highest < 2 && number >= 2 {
            events.extend(self.job_event(EventKind::FirstLayerDone, "first_layer_done", Some(seen), now));
        }
        let kind = EventKind::Layer { number, of: layer.of };
        events.extend(self.job_event(kind, &format!("layer/{number}"), Some(seen), now));
    }
}
