//! Every cut of a recorded stream of writes, with what was not flushed lost in every way there is.

use super::super::{Importance, Outbox};
use super::disk::{Disk, FakeStore, Fate, SECTOR, Write};
use super::model::{Model, Step, act, check, limits, waiting};
use std::sync::Arc;

/// A long run with everything in it: all kinds, slots, overflow, expiry, and several rewritings.
fn steps() -> Vec<Step> {
    use Importance::{Important, Normal, Passing, Terminal};
    let mut steps = Vec::new();
    for n in 0..36u8 {
        let importance = [Passing, Normal, Important, Terminal, Passing, Terminal][usize::from(n % 6)];
        let slot = (importance <= Normal && n % 4 < 2).then_some(n % 2);
        steps.push(Step::Push(n, importance, slot));
        match n % 9 {
            3 | 5 | 6 => steps.push(Step::Done),
            7 => steps.push(Step::Wait(4)),
            8 => steps.push(Step::Discard(Normal)),
            _ => {}
        }
    }
    steps.push(Step::Wait(9 * 24 * 60));
    steps
}

/// The ways in which sectors get lost: three that are alike for all, and some by chance.
fn fate(way: u64, cut: usize, sector: usize) -> Fate {
    let mut random = (way << 40) ^ ((cut as u64) << 16) ^ sector as u64;
    for _ in 0..3 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random ^= random >> 29;
    }
    match way {
        0 => Fate::Whole,
        1 => Fate::Lost,
        2 => Fate::Torn(SECTOR / 2),
        _ => [Fate::Whole, Fate::Lost, Fate::Torn((random >> 8) as usize % SECTOR)][random as usize % 3],
    }
}

#[test]
fn every_cut_reopens_to_a_correct_queue() {
    // The run that is recorded, and the models before and after each write.
    let store = FakeStore::default();
    let mut model = Model::default();
    let mut moments = vec![];
    let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
    moments.resize(store.disk().writes.len(), (Arc::new(model.clone()), Arc::new(model.clone())));
    for step in steps() {
        let before = Arc::new(model.clone());
        act(&mut outbox, &model, &step);
        model.act(&step);
        moments.resize(store.disk().writes.len(), (before, Arc::new(model.clone())));
    }
    assert_eq!(waiting(&outbox), model.waiting);
    let writes = std::mem::take(&mut store.disk().writes);
    let rewritings = writes.iter().filter(|write| matches!(write, Write::Replace(_))).count();
    assert!(rewritings >= 4 && writes.len() > 40, "{rewritings} of {}", writes.len());

    let (mut content, mut flushed, mut cuts) = (Vec::new(), 0, 0);
    for (write, (before, after)) in writes.iter().zip(&moments) {
        let length = match write {
            Write::Append { bytes, .. } => bytes.len(),
            // A half-written new file is not seen. Cut before it, and when it took the place of the other.
            Write::Replace(_) => 0,
        };
        for cut in 0..=length {
            let mut content = content.clone();
            if let Write::Append { bytes, .. } = write {
                content.extend_from_slice(&bytes[..cut]);
            }
            for way in 0..6 {
                let store = FakeStore::default();
                *store.disk() = Disk { content: content.clone(), flushed, ..Disk::default() };
                let loose = content.len() - flushed;
                store.disk().lose_power(loose, |sector| fate(way, cut + content.len(), sector));
                let (outbox, _) = Outbox::with_store(store.clone(), limits());
                let found = waiting(&outbox);
                check(before, after, &found).unwrap();
                drop(outbox);
                let (outbox, recovered) = Outbox::with_store(store, limits());
                assert_eq!(waiting(&outbox), found, "opened once more");
                assert_eq!(recovered.torn + recovered.skipped, 0);
                cuts += 1;
            }
        }
        match write {
            Write::Append { bytes, flush } => {
                content.extend_from_slice(bytes);
                flushed = if *flush { content.len() } else { flushed };
            }
            Write::Replace(bytes) => (content, flushed) = (bytes.clone(), bytes.len()),
        }
        // Done with, whatever becomes of the rest: nothing but `after` will do.
        let store = FakeStore::default();
        *store.disk() = Disk { content: content.clone(), flushed, ..Disk::default() };
        store.disk().lose_power(0, |_| Fate::Lost);
        check(after, after, &waiting(&Outbox::with_store(store, limits()).0)).unwrap();
    }
    assert!(cuts > 10_000, "{cuts}");
}
