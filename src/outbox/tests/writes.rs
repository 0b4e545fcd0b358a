//! How often the outbox writes and flushes.

use super::super::{Entry, Importance, Limits, Outbox};
use super::disk::{FakeStore, Write};
use super::model::Model;
use crate::clock::Moment;
use std::time::Duration;

/// Appends, flushes of appends, and rewritings.
fn count(store: &FakeStore) -> (usize, usize, usize) {
    let disk = store.disk();
    let appends = disk.writes.iter().filter(|write| matches!(write, Write::Append { .. })).count();
    let flushes =
        disk.writes.iter().filter(|write| matches!(write, Write::Append { flush: true, .. })).count();
    (appends, flushes, disk.writes.len() - appends)
}

fn entry(n: usize, importance: Importance, slot: Option<&str>) -> Entry {
    let key = format!("job-{n}/{importance:?}");
    Entry {
        key,
        slot: slot.map(str::to_owned),
        body: vec![7; 100],
        ..Model::default().entry(1, importance, None)
    }
}

fn open() -> (FakeStore, Outbox<FakeStore>) {
    let store = FakeStore::default();
    let (outbox, _) = Outbox::with_store(store.clone(), Limits::default());
    store.disk().writes.clear();
    (store, outbox)
}

#[test]
fn each_change_is_one_write() {
    let (store, mut outbox) = open();
    let first = Model::default().moment();
    let after = |seconds| {
        let passed = Duration::from_secs(seconds);
        Moment { monotonic: first.monotonic + passed, unix: first.unix + passed }
    };
    outbox.push(entry(1, Importance::Passing, Some("progress")));
    assert_eq!(count(&store), (1, 0, 0));
    outbox.push(entry(2, Importance::Passing, Some("progress")));
    assert_eq!(count(&store), (2, 0, 0), "what it replaces goes with it");
    outbox.push(entry(2, Importance::Passing, Some("progress")));
    assert_eq!(count(&store), (2, 0, 0), "known");
    outbox.push(entry(3, Importance::Terminal, None));
    assert_eq!(count(&store), (3, 1, 0));
    let held = outbox.waiting().last().unwrap().id;
    assert!(outbox.done(held) && !outbox.done(held));
    assert_eq!(count(&store), (4, 2, 0));
    for n in 4..8 {
        outbox.push(entry(n, Importance::Important, None));
    }
    assert_eq!(count(&store), (8, 6, 0));
    assert_eq!(outbox.expire(after(601)), 1, "the progress");
    assert_eq!(count(&store), (9, 6, 0));
    assert_eq!(outbox.expire(after(8 * 86_400)), 4);
    assert_eq!(count(&store), (10, 7, 0), "all of them at once");
    let counts = outbox.counts();
    assert_eq!((counts.delivered, counts.replaced, counts.expired), (1, 1, 5));
}

#[test]
fn an_idle_outbox_writes_nothing() {
    let (store, mut outbox) = open();
    outbox.push(entry(1, Importance::Normal, None));
    outbox.push(entry(2, Importance::Terminal, None));
    store.disk().writes.clear();
    // A day of looking, with and without a clock.
    for minute in 0..24 * 60 {
        let passed = Duration::from_secs(minute * 60);
        let unix = if minute < 30 { passed } else { Model::default().moment().unix + passed };
        assert_eq!(outbox.expire(Moment { monotonic: passed, unix }), 0);
        assert!(outbox.peek().is_some() && outbox.retry_disk());
    }
    drop(outbox);
    let (outbox, _) = Outbox::with_store(store.clone(), Limits::default());
    assert_eq!(outbox.len(), 2);
    assert_eq!(count(&store), (0, 0, 0), "also when it is opened again");
}

#[test]
fn rewritings_are_rare() {
    let (store, mut outbox) = open();
    let jobs = 5000;
    for n in 0..jobs {
        outbox.push(entry(n, Importance::Terminal, None));
        let id = outbox.peek().map(|held| held.id);
        id.map(|id| outbox.done(id));
    }
    let (appends, flushes, rewritings) = count(&store);
    assert_eq!(appends + rewritings, 2 * jobs, "two writes for a message");
    assert_eq!(appends, flushes);
    let written: usize = store
        .disk()
        .writes
        .iter()
        .map(|write| match write {
            Write::Append { bytes, .. } => bytes.len(),
            Write::Replace(_) => 0,
        })
        .sum();
    let quarter = Limits::default().history / 4;
    assert!((1..=written / quarter).contains(&rewritings), "{rewritings} for {written} bytes");
}
