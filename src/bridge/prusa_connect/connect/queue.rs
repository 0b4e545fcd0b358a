//! Events that wait for Connect: in order, bounded in number and size, tried again for a while.

use super::event::EventKind;
use super::state::State;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many events wait at most.
const MOST: usize = 200;
/// How much they are at most together, in bytes. One alone may be more.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// How often one is tried,
const MOST_TRIES: u8 = 5;
/// unless it has not waited so long: after that the printer introduces itself anew, which tells of all its files.
const SHORTEST: Duration = Duration::from_secs(10);
/// How old one gets that is tried more often, and any other.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// An event that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    pub(super) kind: EventKind,
    /// The command that it is about.
    pub(super) command: Option<u32>,
    /// It ends that command.
    pub(super) terminal: bool,
    /// It is part of an introduction.
    pub(super) greets: bool,
    /// The state that it tells.
    pub(super) state: State,
    pub(super) body: Arc<str>,
    /// When it happened, as time since the Unix epoch.
    pub(super) created: Duration,
    /// Since when it waits, on the monotonic clock.
    pub(super) since: Duration,
    pub(super) tries: u8,
}

impl Waiting {
    /// Whether it is tried for as long as it is not too old: without it Connect would have a wrong picture for long.
    fn lasts(&self) -> bool {
        use EventKind::{Accepted, Info, StateChanged};
        // A command that is not accepted has no end.
        self.terminal || self.ends_transfer() || matches!(self.kind, Accepted | Info | StateChanged)
    }

    /// Whether it ends a transfer.
    pub(super) fn ends_transfer(&self) -> bool {
        use EventKind::{TransferAborted, TransferFinished, TransferStopped};
        matches!(self.kind, TransferFinished | TransferStopped | TransferAborted)
    }

    /// Whether it says who the printer is, unasked.
    fn is_greeting(&self) -> bool {
        self.kind == EventKind::Info && self.greets
    }

    /// Whether it says what is another with the printer than its introduction said.
    fn is_amendment(&self) -> bool {
        self.kind == EventKind::Info && self.command.is_none() && !self.greets
    }
}

/// The events that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    list: VecDeque<Waiting>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were given up.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Since when the first one waits, on the monotonic clock.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.list.front().map(|first| first.since)
    }

    /// Whether a change of the state waits.
    pub(super) fn has_change(&self) -> bool {
        self.list.iter().any(|waiting| waiting.kind == EventKind::StateChanged)
    }

    /// Whether the end of a transfer waits.
    pub(super) fn ends_transfer(&self) -> bool {
        self.list.iter().any(Waiting::ends_transfer)
    }

    /// Whether an introduction waits.
    pub(super) fn has_greeting(&self) -> bool {
        self.list.iter().any(Waiting::is_greeting)
    }

    /// Adds one at the end. What says the same as one that waits is left out.
    pub(super) fn push(&mut self, waiting: Waiting) {
        if waiting.command.is_some() && self.list.iter().any(|known| known.body == waiting.body) {
            return;
        }
        if waiting.is_amendment() {
            // It says all that one before it said.
            self.discard(Waiting::is_amendment);
        }
        self.bytes = self.bytes.saturating_add(waiting.body.len());
        self.list.push_back(waiting);
        self.shrink();
    }

    /// Makes room for an introduction with events of these kinds: what an earlier one left of them goes.
    pub(super) fn make_room(&mut self, kinds: &[EventKind]) {
        self.discard(|waiting| waiting.is_amendment() || (waiting.greets && kinds.contains(&waiting.kind)));
    }

    /// Adds these at the front, the first of them first.
    pub(super) fn push_first(&mut self, these: Vec<Waiting>) {
        for waiting in these.into_iter().rev() {
            self.bytes = self.bytes.saturating_add(waiting.body.len());
            self.list.push_front(waiting);
        }
        self.shrink();
    }

    /// Takes the first one, to be tried.
    pub(super) fn take(&mut self) -> Option<Waiting> {
        let first = self.list.pop_front()?;
        self.bytes = self.bytes.saturating_sub(first.body.len());
        Some(first)
    }

    /// Puts back what was taken and not delivered. It is given up, and false comes back, if it was tried often enough.
    pub(super) fn put_back(&mut self, mut waiting: Waiting, now: Duration) -> bool {
        waiting.tries = waiting.tries.saturating_add(1);
        let often = waiting.tries >= MOST_TRIES && now.saturating_sub(waiting.since) >= SHORTEST;
        if (often && !waiting.lasts()) || is_old(&waiting, now) {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.bytes = self.bytes.saturating_add(waiting.body.len());
        self.list.push_front(waiting);
        self.shrink();
        true
    }

    /// Counts one that was given up.
    pub(super) fn give_up(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Gives up what is too old. The commands whose ends were among it.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<u32> {
        let old = self.list.iter().filter(|waiting| waiting.terminal && is_old(waiting, now));
        let ended = old.filter_map(|waiting| waiting.command).collect();
        let gone = self.discard(|waiting| is_old(waiting, now));
        self.dropped = self.dropped.saturating_add(gone as u64);
        ended
    }

    /// Forgets all of them, without counting.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.bytes = 0;
    }

    /// Takes some away; gives how many those were.
    fn discard(&mut self, these: impl Fn(&Waiting) -> bool) -> usize {
        let before = self.list.len();
        self.list.retain(|waiting| !these(waiting));
        let gone = before.saturating_sub(self.list.len());
        if gone > 0 {
            self.bytes = self.list.iter().map(|waiting| waiting.body.len()).sum();
        }
        gone
    }

    fn remove(&mut self, index: usize) {
        if let Some(gone) = self.list.remove(index) {
            self.bytes = self.bytes.saturating_sub(gone.body.len());
        }
    }

    /// Gives up the oldest that can be spared: what neither lasts nor a command waits for, then what no command waits for
    /// and is no introduction, then what begins a command, then any but an introduction.
    fn shrink(&mut self) {
        while self.list.len() > MOST || (self.bytes > MOST_BYTES && self.list.len() > 1) {
            let spare = self
                .list
                .iter()
                .position(|waiting| waiting.command.is_none() && !waiting.lasts())
                .or_else(|| {
                    let spare =
                        |waiting: &Waiting| waiting.command.is_none() && waiting.kind != EventKind::Info;
                    self.list.iter().position(spare)
                })
                .or_else(|| {
                    let begins = |waiting: &Waiting| waiting.kind == EventKind::Accepted || !waiting.lasts();
                    self.list.iter().position(begins)
                })
                .or_else(|| self.list.iter().position(|waiting| waiting.kind != EventKind::Info))
                .unwrap_or(0);
            self.remove(spare);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

fn is_old(waiting: &Waiting, now: Duration) -> bool {
    now.saturating_sub(waiting.since) > LONGEST
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
