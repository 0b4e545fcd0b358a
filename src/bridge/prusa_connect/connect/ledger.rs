//! The life of commands: one at a time, each taken once, each ended once, and its end told again whenever it is asked
//! for again.

use super::catalogue::{NOT_IMPLEMENTED, UNKNOWN, Urgency};
use super::event::{Event, EventKind, Source};
use super::order::{Order, Outcome};
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

/// How many ends are remembered. Connect repeats the last command, if any.
const MOST_PAST: usize = 16;
/// How long a command has to stop that another one overtakes.
const STOPPING: Duration = Duration::from_secs(1);
/// Longest reason that is remembered, in bytes.
const MOST_REASON: usize = 200;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Well, or with an answer.
    Finished,
    /// It was refused.
    Rejected,
    /// It failed.
    Failed,
}

impl End {
    pub(super) fn kind(self) -> EventKind {
        match self {
            Self::Finished => EventKind::Finished,
            Self::Rejected => EventKind::Rejected,
            Self::Failed => EventKind::Failed,
        }
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    /// Its number.
    pub(crate) id: u32,
    /// How it ended.
    pub(crate) end: End,
    /// Why; empty where it ended well.
    pub(crate) reason: Box<str>,
    /// Connect may not have got that yet.
    pub(crate) untold: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// This is to be told. The flag: it is the end of a command.
    Tell(Event, bool),
    /// This is to be run.
    Run(Order),
    /// What runs is to be stopped, since another one is more urgent.
    Stop(u32),
}

/// Which command runs, and how those before it ended.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    running: Option<Running>,
    /// What overtakes the one that runs, and until when it waits for it.
    waiting: Option<(Order, Duration)>,
    /// The newest is the last.
    past: VecDeque<Past>,
    /// A restart is not allowed here.
    pub(super) refuses_resets: bool,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    id: u32,
    urgency: Urgency,
}

impl Ledger {
    /// With the ends of an earlier run of the program.
    pub(super) fn new(past: &[Past]) -> Self {
        let mut ledger = Self::default();
        past.iter().cloned().for_each(|past| ledger.remember(past));
        ledger
    }

    /// The number of the command that runs.
    pub(super) fn running(&self) -> Option<u32> {
        self.running.map(|running| running.id)
    }

    /// The ends that are remembered, the newest last.
    pub(super) fn past(&self) -> impl Iterator<Item = &Past> {
        self.past.iter()
    }

    /// A command arrived.
    pub(super) fn arrived(&mut self, order: Order, now: Duration) -> Vec<Step> {
        if let Some(steps) = self.repeated(order.id) {
            return steps;
        }
        let Some(running) = self.running else { return self.accept(order) };
        let urgency = order.urgency();
        // One that is going to be refused must not end another.
        let may = urgency != Urgency::Reset || !self.refuses_resets;
        if may && urgency.overtakes(running.urgency) && self.waiting.is_none() {
            self.waiting = Some((order, now.saturating_add(STOPPING)));
            return vec![Step::Stop(running.id)];
        }
        let reason = "Another command is running";
        let data = json!({ "actual_command_id": running.id }).to_string();
        // That is no end to be repeated: whoever sends it again later wants it done.
        let refusal = Event::new(EventKind::Rejected, Source::Connect).with(data);
        vec![Step::Tell(refusal.of_command(Some(order.id)).because(reason), true)]
    }

    /// A command arrived that cannot be taken.
    pub(super) fn unreadable(&mut self, id: Option<u32>, source: Source, reason: String) -> Vec<Step> {
        if let Some(id) = id {
            if let Some(steps) = self.repeated(id) {
                return steps;
            }
            let reason = reason.as_str().into();
            self.remember(Past { id, end: End::Rejected, reason, untold: false });
        }
        let refusal = Event::new(EventKind::Rejected, source).of_command(id);
        vec![Step::Tell(refusal.because(reason), true)]
    }

    /// The command of that number ended. Nothing, if it is not the one that runs: then its end is told already.
    pub(super) fn conclude(&mut self, id: u32, outcome: Outcome) -> Vec<Step> {
        if self.running() != Some(id) {
            return Vec::new();
        }
        self.running = None;
        let (end, event, reason) = match outcome {
            Outcome::Finished(source) => {
                (End::Finished, Event::new(EventKind::Finished, source), Box::default())
            }
            Outcome::Answered(event) => (End::Finished, *event, Box::default()),
            Outcome::Refused(reason) => {
                // These two are the SDK's own answers.
                let own = [UNKNOWN, NOT_IMPLEMENTED].contains(&&*reason);
                let source = if own { Source::Wui } else { Source::Connect };
                (End::Rejected, Event::new(EventKind::Rejected, source).because(reason.clone()), reason)
            }
            Outcome::Failed(reason) => {
                let reason = if reason.is_empty() { "Command error".into() } else { reason };
                let data = json!({ "error": &*reason }).to_string();
                (
                    End::Failed,
                    Event::new(EventKind::Failed, Source::Wui).with(data).because(reason.clone()),
                    reason,
                )
            }
        };
        self.remember(Past { id, end, reason, untold: true });
        let mut steps = vec![Step::Tell(event.of_command(Some(id)), true)];
        if let Some((order, _)) = self.waiting.take() {
            steps.extend(self.accept(order));
        }
        steps
    }

    /// When [`Self::tick`] has something to do, on the monotonic clock.
    pub(super) fn due(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|(_, until)| *until)
    }

    /// Goes on without a command that does not stop.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Step> {
        match (self.due(), self.running()) {
            (Some(until), Some(id)) if now >= until => {
                self.conclude(id, Outcome::Failed("Interrupted by a more urgent command".into()))
            }
            _ => Vec::new(),
        }
    }

    /// What a command is answered by that was here before.
    fn repeated(&self, id: u32) -> Option<Vec<Step>> {
        if self.running() == Some(id) {
            let again = Event::new(EventKind::Accepted, Source::Connect).of_command(Some(id));
            return Some(vec![Step::Tell(again, false)]);
        }
        if self.waiting.as_ref().is_some_and(|(order, _)| order.id == id) {
            return Some(Vec::new());
        }
        let past = self.past.iter().find(|past| past.id == id)?;
        Some(vec![Step::Tell(past.event(), true)])
    }

    /// Connect has the end of that command, or is never told of it. Returns whether that is news.
    pub(super) fn told(&mut self, id: u32) -> bool {
        let past = self.past.iter_mut().find(|past| past.id == id && past.untold);
        past.map(|past| past.untold = false).is_some()
    }

    fn accept(&mut self, order: Order) -> Vec<Step> {
        self.running = Some(Running { id: order.id, urgency: order.urgency() });
        let accepted = Event::new(EventKind::Accepted, Source::Connect).of_command(Some(order.id));
        vec![Step::Tell(accepted, false), Step::Run(order)]
    }

    fn remember(&mut self, mut past: Past) {
        if past.reason.len() > MOST_REASON {
            let mut reason = past.reason.into_string();
            reason.truncate((0..=MOST_REASON).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0));
            past.reason = reason.into();
        }
        self.past.retain(|known| known.id != past.id);
        self.past.push_back(past);
        while self.past.len() > MOST_PAST {
            let told = self.past.iter().position(|past| !past.untold);
            self.past.remove(told.unwrap_or(0));
        }
    }
}

impl Past {
    /// What tells it once more: its end without details.
    pub(super) fn event(&self) -> Event {
        let event = Event::new(self.end.kind(), Source::Connect).of_command(Some(self.id));
        if self.reason.is_empty() { event } else { event.because(self.reason.clone()) }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
