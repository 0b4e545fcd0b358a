//! The outbox: a journal of any bytes, then operations, checked against a plain model.
//!
//! The first byte says how long the journal is, in units of 32 bytes, and by its lowest bit whether the checksums in it
//! are to be set right, since no fuzzer guesses them. Then each operation has two bytes.

use octobridge::clock::Moment;
use octobridge::outbox::{Entry, Importance, Limits, Outbox, OutboxError, Pushed, Read, Store};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const LIMITS: Limits = Limits { entries: 6, bytes: 4000, keys: 100, history: 600 };
/// The model says nothing about forgotten keys.
const MOST_OPERATIONS: usize = 60;
const BEGIN: Duration = Duration::from_secs(1_795_222_000);

#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn release(&mut self) {}

    fn prepare(&mut self) -> Result<(), OutboxError> {
        Ok(())
    }

    fn read(&mut self, most: usize) -> Result<Option<Read>, OutboxError> {
        let all = self.bytes();
        Ok(Some(Read { bytes: all.iter().take(most).copied().collect(), cut: all.len() > most }))
    }

    fn append(&mut self, bytes: &[u8], _flush: bool) -> Result<(), OutboxError> {
        self.bytes().extend_from_slice(bytes);
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), OutboxError> {
        *self.bytes() = bytes.to_vec();
        Ok(())
    }

    fn set_aside(&mut self, label: &str) -> Result<PathBuf, OutboxError> {
        self.bytes().clear();
        Ok(PathBuf::from(label))
    }
}

/// The plain statement of what an outbox does.
struct Model {
    waiting: Vec<Entry>,
    taken: BTreeSet<String>,
}

impl Model {
    fn push(&mut self, new: &Entry) -> bool {
        if self.taken.contains(&new.key) {
            return false;
        }
        let before = self.waiting.clone();
        self.waiting.retain(|entry| entry.slot.is_none() || entry.slot != new.slot);
        self.waiting.push(new.clone());
        while self.waiting.len() > LIMITS.entries {
            let least = self.waiting.iter().map(|entry| entry.importance).min();
            let Some(at) = self.waiting.iter().position(|entry| Some(entry.importance) == least) else {
                break;
            };
            if self.waiting.remove(at).key == new.key {
                self.waiting = before;
                return false;
            }
        }
        self.taken.insert(new.key.clone())
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let (journal, operations) = match bytes.split_first() {
        Some((length, rest)) => rest.split_at(rest.len().min(usize::from(*length / 2) * 32)),
        None => (bytes, bytes),
    };
    let mut journal = journal.to_vec();
    if bytes.first().is_some_and(|first| first & 1 == 1) {
        set_checksums(&mut journal);
    }
    let store = Memory::default();
    *store.bytes() = journal;
    let (mut outbox, _) = Outbox::with_store(store.clone(), LIMITS);
    let found = waiting(&outbox);
    assert!(found.len() <= LIMITS.entries, "{found:?}");
    reopen(&store, &mut outbox);
    assert_eq!(waiting(&outbox), found, "opened once more");

    // Keys of the operations are their own, so that the model knows all that are taken.
    while let Some(id) = outbox.peek().map(|held| held.id) {
        assert!(outbox.done(id));
    }
    let (mut model, mut now) = (Model { waiting: Vec::new(), taken: BTreeSet::new() }, Duration::ZERO);
    for operation in operations.chunks_exact(2).take(MOST_OPERATIONS) {
        let [what, with] = *operation else { continue };
        now += Duration::from_secs(1);
        match what % 8 {
            0..=3 => {
                use Importance::{Important, Normal, Passing, Terminal};
                let importance = [Passing, Normal, Important, Terminal][usize::from(what % 4)];
                let slot = (with & 0xC0 == 0xC0).then(|| format!("slot{}", with & 1));
                let body = vec![what; usize::from(with) / 2];
                let entry = Entry {
                    key: format!("\u{1}fuzz{}", with & 0x3F),
                    importance,
                    at: BEGIN + now,
                    slot,
                    body,
                };
                let pushed = outbox.push(entry.clone());
                assert_eq!(model.push(&entry), matches!(pushed, Pushed::Queued { .. }), "{entry:?}");
            }
            4 => {
                if let Some(id) = outbox.peek().map(|held| held.id) {
                    assert!(outbox.done(id));
                    model.waiting.remove(0);
                }
            }
            5 => {
                let id = outbox.waiting().nth(usize::from(with)).map(|held| held.id);
                if id.is_some_and(|id| outbox.discard(id, "a test")) {
                    model.waiting.remove(usize::from(with));
                }
            }
            6 => {
                now += Duration::from_secs(u64::from(with) * if with & 1 == 1 { 10 } else { 6000 });
                outbox.expire(Moment { monotonic: now, unix: BEGIN + now });
                model.waiting.retain(|entry| BEGIN + now - entry.at <= entry.importance.kept_for());
            }
            _ => reopen(&store, &mut outbox),
        }
        assert!(
            outbox.waiting().map(|held| &held.entry).eq(&model.waiting),
            "{operation:?}: {:?} and not {:?}",
            waiting(&outbox),
            model.waiting
        );
    }
    reopen(&store, &mut outbox);
    assert_eq!(waiting(&outbox), model.waiting, "at the end");
}

/// Puts the right checksum into the header and into every record whose length is possible.
fn set_checksums(journal: &mut [u8]) {
    let (head, rest) = journal.split_at_mut(journal.len().min(16));
    if let Some((covered, sum)) = head.split_at_mut_checked(12)
        && covered.starts_with(b"octo-obx")
        && sum.len() == 4
    {
        sum.copy_from_slice(&crc32(&[covered]).to_le_bytes());
    }
    let mut rest = rest;
    while let Some(at) = rest.windows(4).position(|window| window == [0xF5, 0x9E, 0xFF, 0xC1]) {
        let Some((frame, payloads)) = rest.split_at_mut(at).1.split_at_mut_checked(13) else { return };
        let length = frame[5..9].iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        if let Some(payload) = payloads.get(..length) {
            let sum = crc32(&[&frame[4..9], payload]);
            frame[9..].copy_from_slice(&sum.to_le_bytes());
        }
        rest = payloads;
    }
}

/// CRC-32 as in zip, bit by bit.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

fn reopen(store: &Memory, outbox: &mut Outbox<Memory>) {
    let (opened, recovered) = Outbox::with_store(store.clone(), LIMITS);
    assert_eq!(recovered.torn + recovered.skipped + recovered.dropped, 0, "{recovered:?}");
    assert_eq!(recovered.set_aside, None);
    *outbox = opened;
}

fn waiting(outbox: &Outbox<Memory>) -> Vec<Entry> {
    outbox.waiting().map(|held| held.entry.clone()).collect()
}
