//! The outbox against the model: over many restarts, and on a disk that dies at any byte.

use super::super::{Entry, Importance, Outbox, Pushed};
use super::disk::{FakeStore, Fate, SECTOR};
use super::model::{Model, act, check, limits, steps, waiting};
use proptest::prelude::*;

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![Just(Fate::Whole), Just(Fate::Lost), (0..SECTOR).prop_map(Fate::Torn)];
    proptest::collection::vec(fate, 1..20)
}

proptest! {
    #[test]
    fn behaves_like_the_model_across_restarts(runs in proptest::collection::vec(steps(), 1..4)) {
        let store = FakeStore::default();
        let mut model = Model::default();
        for steps in runs {
            model.restart();
            let (mut outbox, recovered) = Outbox::with_store(store.clone(), limits());
            prop_assert_eq!(recovered.torn + recovered.skipped + recovered.dropped, 0);
            prop_assert_eq!(&waiting(&outbox), &model.waiting);
            for step in &steps {
                act(&mut outbox, &model, step);
                model.act(step);
                prop_assert_eq!(&waiting(&outbox), &model.waiting);
            }
        }
    }

    #[test]
    fn a_crash_at_any_byte_loses_nothing_that_was_promised(
        // For each run: what is done, at which byte the disk dies, and what is left of what was not flushed.
        runs in proptest::collection::vec(
            (steps(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), fates()),
            1..4,
        ),
    ) {
        let store = FakeStore::default();
        let mut model = Model::default();
        for (run, (steps, crash, kept, fates)) in runs.into_iter().enumerate() {
            model.run = run;
            model.restart();
            let store = store.clone();
            store.disk().budget = Some(1 + crash.index(3000));
            let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
            let mut after = model.clone();
            for step in &steps {
                act(&mut outbox, &model, step);
                after.act(step);
                if store.disk().is_dead() {
                    break;
                }
                model = after.clone();
            }
            drop(outbox);
            {
                let mut disk = store.disk();
                let loose = disk.content.len() - disk.flushed;
                disk.lose_power(kept.index(loose + 1), |sector| fates[sector % fates.len()]);
            }
            let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
            let found = waiting(&outbox);
            if let Err(what) = check(&model, &after, &found) {
                prop_assert!(false, "{}", what);
            }
            // And it goes on.
            let fresh = Entry { key: format!("fresh{run}"), ..after.entry(1, Importance::Terminal, None) };
            prop_assert!(matches!(outbox.push(fresh), Pushed::Queued { .. }), "it does not go on");
            model = after;
            model.taken.push(format!("fresh{run}"));
            model.waiting = waiting(&outbox);
        }
    }

    #[test]
    fn any_file_is_opened(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let store = FakeStore::default();
        store.disk().content = bytes;
        let (mut outbox, _) = Outbox::with_store(store.clone(), limits());
        let entry = Model::default().entry(1, Importance::Terminal, None);
        outbox.push(entry.clone());
        drop(outbox);
        let (outbox, recovered) = Outbox::with_store(store, limits());
        prop_assert_eq!(waiting(&outbox), vec![entry]);
        prop_assert_eq!(recovered.torn + recovered.skipped, 0);
    }
}
