//! What somebody should look at: filament that ran out, dialogs, the vendor's faults.
//!
//! Each is told once while it stands. What stands is remembered, so that a restart tells nothing twice. A runout that
//! pauses the job is two events, in this order: that filament is missing, and that the job waits because of it.

use super::pause::clip;
use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::{Attention, Event, EventKind, Fault, KlippyState, Prompt, Snapshot};
use std::time::Duration;

/// Faults below this level are only listed.
const GRAVE: u32 = 2;
/// How long a new connection may take to show all that stands: until then, what is missing is not gone.
const SETTLE: Duration = Duration::from_secs(10);
/// Most faults that are remembered.
const MOST_FAULTS: usize = 32;
/// Most sensors that are remembered, and most bytes of their names.
const MOST_SENSORS: usize = 16;
const MOST_NAME: usize = 64;

impl Observer {
    /// Tells what needs attention and was not told. May be called again for the same sight.
    pub(super) fn attention(&mut self, snapshot: &Snapshot, now: Moment, events: &mut Vec<Event>) {
        let seen = Seen::of(snapshot).filter(|_| snapshot.klippy.state == KlippyState::Ready);
        let works = seen.filter(|seen| seen.print.state.is_active());
        if works.is_some() && self.memory.job.as_ref().is_some_and(|job| job.key.is_none()) {
            // The job's start comes first.
            return;
        }
        // A status object is whole by itself.
        let settled = snapshot.original.is_some()
            || self.link.is_some_and(|link| now.monotonic.saturating_sub(link.since) >= SETTLE);
        // The first sight of a printer that does nothing is no news.
        let news = self.memory.acquainted || settled || works.is_some();
        self.faults(&snapshot.faults, works, (settled, news), now, events);
        self.dialog(snapshot.prompt.as_deref(), works, (settled, news), now, events);
        self.memory.acquainted |= settled;
        if let Some(seen) = seen {
            self.filament(seen, now, events);
        }
    }

    fn faults(
        &mut self,
        all: &[Fault],
        works: Option<Seen<'_>>,
        (settled, news): (bool, bool),
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        let grave = || all.iter().filter(|fault| fault.level >= GRAVE);
        if settled {
            self.memory.faults.retain(|known| grave().any(|fault| fault.code == *known));
        }
        for fault in grave() {
            if self.memory.faults.contains(&fault.code) || self.memory.faults.len() >= MOST_FAULTS {
                continue;
            }
            self.memory.faults.push(fault.code);
            if !news {
                continue;
            }
            self.causes.fault(fault, now);
            self.memory.faults_told = self.memory.faults_told.wrapping_add(1);
            let name = format!("fault/{}", fault.code);
            let count = self.memory.faults_told;
            let (code, level, message) = (fault.code, fault.level, fault.message.to_string());
            let kind = EventKind::NeedsAttention(Attention::Fault { code, level, message });
            events.push(self.attention_event(kind, &name, count, works, now));
        }
    }

    fn dialog(
        &mut self,
        prompt: Option<&Prompt>,
        works: Option<Seen<'_>>,
        (settled, news): (bool, bool),
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        let sum = prompt.map(sum);
        if sum == self.memory.prompt || (sum.is_none() && !settled) {
            return;
        }
        self.memory.prompt = sum;
        let (Some(prompt), Some(sum), true) = (prompt, sum, news) else { return };
        self.memory.prompts_told = self.memory.prompts_told.wrapping_add(1);
        let (name, count) = (format!("prompt/{sum:x}"), self.memory.prompts_told);
        let separator = if prompt.text.is_empty() { "" } else { "\n" };
        let text = format!("{}{separator}{}", prompt.title, prompt.text);
        let kind = EventKind::NeedsAttention(Attention::Prompt { text });
        events.push(self.attention_event(kind, &name, count, works, now));
    }

    /// Filament runs out where there was some, while a job prints. In a pause somebody is at it already; a sensor
    /// that was empty all the time belongs to a toolhead that is not used, or to filament that goes past it.
    fn filament(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let sensors = &seen.machine.filament_sensors;
        for sensor in sensors {
            let Some(detected) = sensor.value.detected else { continue };
            let name = clip(&sensor.name, MOST_NAME);
            let known = self.memory.loaded.iter().position(|loaded| loaded == name);
            match (detected, known) {
                (true, None) => {
                    if self.memory.loaded.len() >= MOST_SENSORS {
                        let is_there =
                            |loaded: &String| sensors.iter().any(|s| clip(&s.name, MOST_NAME) == loaded);
                        self.memory.loaded.retain(is_there);
                    }
                    if self.memory.loaded.len() < MOST_SENSORS {
                        self.memory.loaded.push(name.to_owned());
                    }
                    if let Some(job) = &mut self.memory.job {
                        job.ran_out.take_if(|sensor| sensor == name);
                    }
                }
                (false, Some(known)) => {
                    self.memory.loaded.remove(known);
                    if sensor.value.enabled != Some(false) {
                        self.ran_out(name, seen, now, events);
                    }
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }

    fn ran_out(&mut self, sensor: &str, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        if job.key.is_none() || job.paused || !seen.print.state.is_active() {
            return;
        }
        job.runouts = job.runouts.wrapping_add(1);
        job.ran_out = Some(sensor.to_owned());
        let name = format!("runout/{sensor}/{}", job.runouts);
        self.causes.ran_out(sensor, now);
        let kind = EventKind::NeedsAttention(Attention::Runout { sensor: sensor.to_owned() });
        events.extend(self.job_event(kind, &name, Some(seen), now));
    }

    /// An event of the machine, with the job that it comes upon.
    fn attention_event(
        &self,
        kind: EventKind,
        name: &str,
        count: u32,
        works: Option<Seen<'_>>,
        now: Moment,
    ) -> Event {
        let job = works.and_then(|seen| self.memory.job.as_ref().map(|job| job.describe(Some(seen))));
        Event { job, ..self.machine_event(kind, name, count, now) }
    }
}

/// A sum of a dialog's words (FNV-1a): the same in every build of the program.
fn sum(prompt: &Prompt) -> u64 {
    let bytes = prompt.title.bytes().chain([0]).chain(prompt.text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
