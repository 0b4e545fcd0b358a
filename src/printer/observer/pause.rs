//! Pauses: that a job waits, and by whom or what as far as that is certain.
//!
//! Klipper does not say why it paused. What came just before tells: a command of our own, filament that ran out, a
//! fault of the vendor's, a notice that a macro gave. However short a pause is, it is told; whether that is worth a
//! message is the bridges' matter.

use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::{Event, EventKind, Fault, FaultCode, PausedBy, PrintState};
use std::sync::Arc;
use std::time::Duration;

/// What comes within this time of our own command comes of it. It is carried out only after the moves that are planned,
/// and after a heat that is waited for.
const OBEYED: Duration = Duration::from_secs(60);
/// A pause within this time of a runout or a fault comes of it.
const CAUSED: Duration = Duration::from_secs(10);
/// A pause within this time of a notice on the console comes of it.
const SAID: Duration = Duration::from_secs(2);
/// Most bytes that are kept of a text.
const MOST_TEXT: usize = 300;

/// What a bridge asks of the printer's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Pause it.
    Pause,
    /// Go on with it.
    Resume,
    /// Cancel it.
    Cancel,
}

/// What happened a moment ago, and when on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Causes {
    asked: Option<(Command, String, Duration)>,
    runout: Option<(String, Duration)>,
    fault: Option<(FaultCode, Arc<str>, Duration)>,
    line: Option<(String, Duration)>,
}

impl Causes {
    /// A line of the console. Only a notice for people says something of a pause. Errors and other comments stand
    /// before it by chance: an error is the answer to anybody's command, and one in the file ends the job.
    pub(super) fn line(&mut self, line: &str, now: Moment) {
        let text = line.strip_prefix("// action:notification ").map(str::trim);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.line = Some((clip(text, MOST_TEXT).to_owned(), now.monotonic));
        }
    }

    pub(super) fn ran_out(&mut self, sensor: &str, now: Moment) {
        self.runout = Some((sensor.to_owned(), now.monotonic));
    }

    pub(super) fn fault(&mut self, fault: &Fault, now: Moment) {
        self.fault = Some((fault.code, Arc::clone(&fault.message), now.monotonic));
    }

    /// Who paused the job that pauses now, and why. What is used up does not explain the next pause.
    fn of_pause(&mut self, now: Moment) -> Option<(PausedBy, Option<String>)> {
        let fresh = |at: Duration, within: Duration| now.monotonic.saturating_sub(at) <= within;
        let asked = self.asked(Command::Pause, now);
        let runout = self.runout.take().filter(|(_, at)| fresh(*at, CAUSED));
        let fault = self.fault.take().filter(|(.., at)| fresh(*at, CAUSED));
        if let Some(name) = asked {
            return Some((PausedBy::Bridge { name }, None));
        }
        if let Some((sensor, _)) = runout {
            return Some((PausedBy::Runout { sensor }, None));
        }
        fault.map(|(code, message, _)| {
            (PausedBy::Fault { code }, Some(message.to_string()).filter(|text| !text.is_empty()))
        })
    }

    /// Who gave this command a moment ago. What is used up does not explain the next.
    pub(super) fn asked(&mut self, what: Command, now: Moment) -> Option<String> {
        let (.., by, at) = self.asked.take_if(|(asked, ..)| *asked == what)?;
        (now.monotonic.saturating_sub(at) <= OBEYED).then_some(by)
    }

    /// The job is over, and no command is for the next.
    pub(super) fn forget_commands(&mut self) {
        self.asked = None;
    }

    fn said(&mut self, now: Moment) -> Option<String> {
        let (text, at) = self.line.take()?;
        (now.monotonic.saturating_sub(at) <= SAID).then_some(text)
    }
}

impl Observer {
    /// The printer is given a command in the name of `by`: what comes of it is his doing. It takes the place of one
    /// before.
    pub(super) fn commanded(&mut self, what: Command, by: &str, now: Moment) {
        // Without a job it comes to nothing.
        if self.memory.job.is_some() {
            self.causes.asked = Some((what, clip(by, MOST_TEXT).to_owned(), now.monotonic));
        }
    }

    /// The job that waited goes on.
    pub(super) fn resume(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        if !job.paused || seen.print.state == PrintState::Paused {
            return;
        }
        job.paused = false;
        let name = format!("resumed/{}", job.pauses);
        let by = self.causes.asked(Command::Resume, now);
        events.extend(self.job_event(EventKind::Resumed, &name, Some(seen), now).map(|event| event.by(by)));
    }

    /// The job waits. `found` says that nobody saw it begin to wait.
    pub(super) fn pause(&mut self, seen: Seen<'_>, found: bool, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        if job.paused || seen.print.state != PrintState::Paused {
            return;
        }
        job.paused = true;
        job.pauses = job.pauses.wrapping_add(1);
        let name = format!("paused/{}", job.pauses);
        let standing = job.ran_out.clone().or_else(|| empty_everywhere(seen).filter(|_| found));
        let runout = || standing.map(|sensor| (PausedBy::Runout { sensor }, None));
        let (by, reason) = self.causes.of_pause(now).or_else(runout).unwrap_or_else(|| {
            let said = self.causes.said(now);
            (PausedBy::Unknown, said)
        });
        let who = match &by {
            PausedBy::Bridge { name } => Some(name.clone()),
            _ => None,
        };
        let paused = self.job_event(EventKind::Paused { by, reason }, &name, Some(seen), now);
        events.extend(paused.map(|event| event.by(who)));
    }
}

impl Event {
    fn by(mut self, by: Option<String>) -> Self {
        if let Some(job) = &mut self.job {
            job.by = by;
        }
        self
    }
}

/// The first sensor, where there is one and none sees filament. While one does, another that is empty may belong
/// to a toolhead that the job does not use.
fn empty_everywhere(seen: Seen<'_>) -> Option<String> {
    let mut minding = seen.machine.filament_sensors.iter().filter(|s| s.value.enabled != Some(false));
    let first = minding.clone().next()?;
    minding.all(|sensor| sensor.value.detected == Some(false)).then(|| first.name.to_string())
}

/// The beginning of `text`, at most so many bytes.
pub(super) fn clip(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}
