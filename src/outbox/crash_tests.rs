//! The outbox against a model, on a disk that dies at every point of every write.

use super::journal::Outbox;
use super::store::{Read, Store};
use super::{Entry, Importance, Limits, OutboxError, Pushed};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A disk that takes a number of bytes and then loses power.
#[derive(Debug, Default)]
struct Disk {
    content: Vec<u8>,
    /// How much of `content` is on the medium for certain.
    flushed: usize,
    /// Bytes left until the crash; none: no crash.
    budget: Option<usize>,
}

impl Disk {
    /// Takes up to `wanted` bytes, and says how many.
    fn spend(&mut self, wanted: usize) -> usize {
        let granted = self.budget.map_or(wanted, |left| left.min(wanted));
        if let Some(left) = &mut self.budget {
            *left -= granted;
        }
        granted
    }

    fn is_dead(&self) -> bool {
        self.budget == Some(0)
    }
}

#[derive(Debug, Clone, Default)]
struct FakeStore(Arc<Mutex<Disk>>);

fn dead() -> OutboxError {
    OutboxError::Write { path: PathBuf::from("fake"), source: std::io::ErrorKind::Other.into() }
}

impl Store for FakeStore {
    fn prepare(&mut self) -> Result<(), OutboxError> {
        Ok(())
    }

    fn read(&mut self, most: usize) -> Result<Option<Read>, OutboxError> {
        let disk = self.0.lock().unwrap();
        let bytes = disk.content[..disk.content.len().min(most)].to_vec();
        Ok(Some(Read { cut: bytes.len() < disk.content.len(), bytes }))
    }

    fn append(&mut self, bytes: &[u8], flush: bool) -> Result<(), OutboxError> {
        let mut disk = self.0.lock().unwrap();
        if disk.is_dead() {
            return Err(dead());
        }
        let granted = disk.spend(bytes.len());
        disk.content.extend_from_slice(&bytes[..granted]);
        if disk.is_dead() {
            return Err(dead());
        }
        if flush {
            disk.flushed = disk.content.len();
        }
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), OutboxError> {
        let mut disk = self.0.lock().unwrap();
        // One more than the bytes: the crash may come between the last byte and the renaming.
        if disk.is_dead() || disk.spend(bytes.len() + 1) < bytes.len() + 1 {
            return Err(dead());
        }
        disk.content = bytes.to_vec();
        disk.flushed = bytes.len();
        Ok(())
    }

    fn set_aside(&mut self, label: &str) -> Result<PathBuf, OutboxError> {
        let mut disk = self.0.lock().unwrap();
        disk.content.clear();
        disk.flushed = 0;
        Ok(PathBuf::from(label))
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(u8, Importance, Option<u8>),
    Done,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let importance = prop_oneof![
        Just(Importance::Passing),
        Just(Importance::Normal),
        Just(Importance::Important),
        Just(Importance::Terminal)
    ];
    let push = (0u8..40, importance, proptest::option::of(0u8..2));
    let step = prop_oneof![
        3 => push.prop_map(|(key, importance, slot)| {
            // Slots are for progress; see `Entry::slot`.
            let slot = slot.filter(|_| importance == Importance::Passing);
            Step::Push(key, importance, slot)
        }),
        2 => Just(Step::Done),
    ];
    proptest::collection::vec(step, 1..60)
}

fn limits() -> Limits {
    Limits { entries: 6, bytes: 2000, keys: 1000, history: 500 }
}

fn entry(key: u8, importance: Importance, slot: Option<u8>) -> Entry {
    let slot = slot.map(|slot| format!("slot{slot}"));
    Entry { key: format!("k{key}"), importance, at: Duration::from_secs(9), slot, body: vec![key; 20] }
}

/// The plain statement of what an outbox does.
#[derive(Debug, Default, Clone)]
struct Model {
    waiting: Vec<Entry>,
    taken: Vec<String>,
}

impl Model {
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

    fn done(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.remove(0);
        }
    }
}

fn waiting(outbox: &Outbox<FakeStore>) -> Vec<Entry> {
    outbox.waiting().map(|held| held.entry.clone()).collect()
}

fn act(outbox: &mut Outbox<FakeStore>, step: &Step) {
    match step {
        Step::Push(key, importance, slot) => {
            outbox.push(entry(*key, *importance, *slot));
        }
        Step::Done => {
            if let Some(id) = outbox.peek().map(|held| held.id) {
                outbox.done(id);
            }
        }
    }
}

fn act_model(model: &mut Model, step: &Step) {
    match step {
        Step::Push(key, importance, slot) => model.push(entry(*key, *importance, *slot)),
        Step::Done => model.done(),
    }
}

proptest! {
    #[test]
    fn behaves_like_the_model_across_restarts(runs in proptest::collection::vec(steps(), 1..4)) {
        let store = FakeStore::default();
        let mut model = Model::default();
        for steps in runs {
            let (mut outbox, recovered) = Outbox::with_store(store.clone(), limits());
            prop_assert_eq!(recovered.torn + recovered.skipped + recovered.dropped, 0);
            prop_assert_eq!(&waiting(&outbox), &model.waiting);
            for step in &steps {
                act(&mut outbox, step);
                act_model(&mut model, step);
                prop_assert_eq!(&waiting(&outbox), &model.waiting);
            }
        }
    }

    #[test]
    fn a_crash_at_any_byte_loses_nothing_that_was_promised(
        steps in steps(),
        crash in any::<prop::sample::Index>(),
        kept in any::<prop::sample::Index>(),
    ) {
        // A first run tells how many bytes there are to crash at.
        let total = {
            let store = FakeStore::default();
            store.0.lock().unwrap().budget = Some(usize::MAX);
            let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
            steps.iter().for_each(|step| act(&mut outbox, step));
            usize::MAX - store.0.lock().unwrap().budget.unwrap()
        };
        let store = FakeStore::default();
        store.0.lock().unwrap().budget = Some(1 + crash.index(total));
        let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
        let mut model = Model::default();
        let mut last = None;
        for step in &steps {
            act(&mut outbox, step);
            if store.0.lock().unwrap().is_dead() {
                last = Some(step);
                break;
            }
            act_model(&mut model, step);
        }
        drop(outbox);
        {
            // The power went away: what was not flushed may be there, or a part of it, or nothing.
            let mut disk = store.0.lock().unwrap();
            let loose = disk.content.len() - disk.flushed;
            let length = disk.flushed + kept.index(loose + 1);
            disk.content.truncate(length);
            disk.budget = None;
        }
        let (mut outbox, _) = Outbox::with_store(store, limits());
        let found = waiting(&outbox);
        // Either the step that met the crash counts or it does not.
        let mut after = model.clone();
        last.iter().for_each(|step| act_model(&mut after, step));
        for entry in model.waiting.iter().filter(|entry| entry.importance >= Importance::Important) {
            prop_assert!(
                found.contains(entry) || !after.waiting.contains(entry),
                "lost {} of {:?}, found {:?}", entry.key, model.waiting, found
            );
        }
        // Nothing comes up that was never pushed, nothing twice, and what matters is not sent again.
        for (n, entry) in found.iter().enumerate() {
            prop_assert!(after.taken.contains(&entry.key) || model.taken.contains(&entry.key));
            prop_assert!(!found[..n].iter().any(|other| other.key == entry.key));
            if entry.importance >= Importance::Important {
                let waits = model.waiting.contains(entry) || after.waiting.contains(entry);
                prop_assert!(waits, "{} came back", entry.key);
            }
        }
        // And it goes on.
        let fresh = Entry { key: "fresh".to_owned(), ..entry(1, Importance::Terminal, None) };
        prop_assert!(matches!(outbox.push(fresh), Pushed::Queued { .. }), "it does not go on");
    }

    #[test]
    fn any_file_is_opened(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let store = FakeStore::default();
        store.0.lock().unwrap().content = bytes;
        let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
        outbox.push(entry(1, Importance::Terminal, None));
        drop(outbox);
        let (outbox, recovered) = Outbox::with_store(store, limits());
        prop_assert_eq!(waiting(&outbox), vec![entry(1, Importance::Terminal, None)]);
        prop_assert_eq!(recovered.torn + recovered.skipped, 0);
    }
}
