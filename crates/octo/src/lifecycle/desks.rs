//! One operation at a time on each thing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::lock;

/// The right to work on a thing, until it is dropped.
pub(super) struct Hold {
    _turn: OwnedMutexGuard<()>,
    /// Cancelled when somebody wants the thing more, or the server ends. Work that may take long looks at it.
    pub(super) interrupt: CancellationToken,
}

#[derive(Default)]
struct Desk {
    turn: Arc<tokio::sync::Mutex<()>>,
    interrupt: Mutex<CancellationToken>,
}

/// Who works on what.
pub(super) struct Desks<K> {
    desks: Mutex<HashMap<K, Arc<Desk>>>,
    ending: CancellationToken,
}

impl<K: Hash + Eq + Clone> Desks<K> {
    pub(super) fn new(ending: CancellationToken) -> Self {
        Self { desks: Mutex::default(), ending }
    }

    fn desk(&self, key: &K) -> Arc<Desk> {
        let mut desks = lock(&self.desks);
        // Those that nobody uses go when there are many.
        if desks.len() > 1000 {
            desks.retain(|_, desk| Arc::strong_count(desk) > 1 || desk.turn.try_lock().is_err());
        }
        Arc::clone(desks.entry(key.clone()).or_default())
    }

    fn held(&self, desk: &Desk, turn: OwnedMutexGuard<()>) -> Hold {
        let interrupt = self.ending.child_token();
        *lock(&desk.interrupt) = interrupt.clone();
        Hold { _turn: turn, interrupt }
    }

    /// The right, where nobody has it.
    pub(super) fn try_hold(&self, key: &K) -> Option<Hold> {
        let desk = self.desk(key);
        let turn = Arc::clone(&desk.turn).try_lock_owned().ok()?;
        Some(self.held(&desk, turn))
    }

    /// The right, after those who had it.
    pub(super) async fn hold(&self, key: &K) -> Hold {
        let desk = self.desk(key);
        let turn = Arc::clone(&desk.turn).lock_owned().await;
        self.held(&desk, turn)
    }

    /// The right, as soon as whoever has it lets go; they are asked to.
    pub(super) async fn take_over(&self, key: &K) -> Hold {
        lock(&self.desk(key).interrupt).cancel();
        self.hold(key).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn one_works_and_others_wait_or_go() {
        let desks = Arc::new(Desks::new(CancellationToken::new()));
        let first = desks.hold(&1).await;
        assert!(desks.try_hold(&1).is_none());
        assert!(desks.try_hold(&2).is_some());
        let waiting = tokio::spawn({
            let desks = Arc::clone(&desks);
            async move { desks.take_over(&1).await.interrupt.is_cancelled() }
        });
        // Long enough for the other to ask; it must not have got it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(first.interrupt.is_cancelled() && !waiting.is_finished());
        drop(first);
        assert!(!waiting.await.unwrap(), "the next one is not interrupted");
        assert!(desks.try_hold(&1).is_some());
    }

    #[tokio::test]
    async fn the_end_interrupts_all_and_unused_desks_go() {
        let ending = CancellationToken::new();
        let desks = Desks::new(ending.clone());
        let held = desks.hold(&0).await;
        for key in 1..3000 {
            let _ = desks.try_hold(&key);
        }
        assert!(lock(&desks.desks).len() <= 1001);
        assert!(desks.try_hold(&0).is_none(), "one that is held stays");
        ending.cancel();
        assert!(held.interrupt.is_cancelled());
    }
}
