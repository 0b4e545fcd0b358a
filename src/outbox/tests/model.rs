//! What an outbox does, said plainly, and what must be true of one after a loss of power.

use super::super::{Entry, Importance, Limits, Outbox};
use super::disk::FakeStore;
use crate::clock::Moment;
use proptest::prelude::*;
use std::time::Duration;

/// When the tests begin, on a clock that is set.
const BEGIN: Duration = Duration::from_secs(1_795_222_000);

#[derive(Debug, Clone)]
pub(super) enum Step {
    Push(u8, Importance, Option<u8>),
    Done,
    /// Gives up everything of an importance.
    Discard(Importance),
    /// Lets minutes pass, then expires what is too old.
    Wait(u32),
}

pub(super) fn importance() -> impl Strategy<Value = Importance> {
    prop_oneof![
        Just(Importance::Passing),
        Just(Importance::Normal),
        Just(Importance::Important),
        Just(Importance::Terminal)
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let push = (0u8..40, importance(), proptest::option::of(0u8..2));
    let step = prop_oneof![
        12 => push.prop_map(|(key, importance, slot)| {
            // Slots are for progress and status; see `Entry::slot`.
            let slot = slot.filter(|_| importance <= Importance::Normal);
            Step::Push(key, importance, slot)
        }),
        8 => Just(Step::Done),
        1 => importance().prop_map(Step::Discard),
        2 => (0u32..9).prop_map(Step::Wait),
        1 => (0u32..9 * 24 * 60).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..60)
}

pub(super) fn limits() -> Limits {
    Limits { entries: 6, bytes: 2000, keys: 1000, history: 500 }
}

/// The plain statement.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    pub(super) waiting: Vec<Entry>,
    pub(super) taken: Vec<String>,
    passed: Duration,
    /// When the process began.
    started: Duration,
    /// Goes into the keys, so that each run has its own.
    pub(super) run: usize,
}

impl Model {
    pub(super) fn moment(&self) -> Moment {
        Moment { monotonic: self.passed - self.started, unix: BEGIN + self.passed }
    }

    /// A new process goes on: its monotonic clock begins anew.
    pub(super) fn restart(&mut self) {
        self.started = self.passed;
    }

    pub(super) fn entry(&self, key: u8, importance: Importance, slot: Option<u8>) -> Entry {
        let (key, slot) = (format!("r{}k{key}", self.run), slot.map(|slot| format!("slot{slot}")));
        Entry { body: key.repeat(5).into_bytes(), key, importance, at: BEGIN + self.passed, slot }
    }

    pub(super) fn act(&mut self, step: &Step) {
        match step {
            Step::Push(key, importance, slot) => self.push(self.entry(*key, *importance, *slot)),
            Step::Done => {
                if !self.waiting.is_empty() {
                    self.waiting.remove(0);
                }
            }
            Step::Discard(importance) => self.waiting.retain(|entry| entry.importance != *importance),
            Step::Wait(minutes) => {
                self.passed += Duration::from_secs(u64::from(*minutes) * 60);
                let now = BEGIN + self.passed;
                self.waiting.retain(|entry| now - entry.at <= entry.importance.kept_for());
            }
        }
    }

    fn push(&mut self, new: Entry) {
        if self.taken.contains(&new.key) {
            return;
        }
        let before = self.clone();
        self.waiting.retain(|entry| entry.slot.is_none() || entry.slot != new.slot);
        self.waiting.push(new.clone());
        self.taken.push(new.key.clone());
        while self.waiting.len() > limits().entries {
            let least = self.waiting.iter().map(|entry| entry.importance).min().unwrap();
            let at = self.waiting.iter().position(|entry| entry.importance == least).unwrap();
            if self.waiting.remove(at).key == new.key {
                *self = before;
                return;
            }
        }
    }
}

pub(super) fn waiting(outbox: &Outbox<FakeStore>) -> Vec<Entry> {
    outbox.waiting().map(|held| held.entry.clone()).collect()
}

/// Does the same to an outbox, at the time of the model before the step.
pub(super) fn act(outbox: &mut Outbox<FakeStore>, model: &Model, step: &Step) {
    match step {
        Step::Push(key, importance, slot) => {
            outbox.push(model.entry(*key, *importance, *slot));
        }
        Step::Done => {
            if let Some(id) = outbox.peek().map(|held| held.id) {
                outbox.done(id);
            }
        }
        Step::Discard(importance) => {
            outbox.discard_where("a test", |held| held.entry.importance == *importance);
        }
        Step::Wait(_) => {
            let mut later = model.clone();
            later.act(step);
            outbox.expire(later.moment());
        }
    }
}

/// Whether `found` may wait after the power went away in the step from `before` to `after`: either that step counts
/// or it does not, what matters is as it was, and the rest may be lost.
pub(super) fn check(before: &Model, after: &Model, found: &[Entry]) -> Result<(), String> {
    let matters = |entry: &&Entry| entry.importance >= Importance::Important;
    for entry in before.waiting.iter().filter(matters) {
        if !found.contains(entry) && after.waiting.contains(entry) {
            return Err(format!("lost {} of {before:?}, found {found:?}", entry.key));
        }
    }
    for (n, entry) in found.iter().enumerate() {
        if !after.taken.contains(&entry.key) && !before.taken.contains(&entry.key) {
            return Err(format!("{entry:?} was never pushed"));
        }
        if found[..n].iter().any(|other| other.key == entry.key) {
            return Err(format!("{} is there twice", entry.key));
        }
        if matters(&entry) && !before.waiting.contains(entry) && !after.waiting.contains(entry) {
            return Err(format!("{} came back", entry.key));
        }
    }
    let order = |entries: &[Entry]| -> Vec<String> {
        let kept = entries.iter().filter(matters).filter(|entry| before.waiting.contains(entry));
        kept.filter(|entry| found.contains(entry)).map(|entry| entry.key.clone()).collect()
    };
    if order(found) != order(&before.waiting) {
        return Err(format!("{before:?} was found in another order: {found:?}"));
    }
    Ok(())
}
