//! The handle through which a producer and a consumer on different threads share one outbox.

use super::{Counts, Entry, FileStore, Held, Outbox, Persistence, Pushed, Store};
use crate::clock::Moment;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Why [`Queue::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A message was pushed since the last wait.
    Pushed,
    /// The time is up.
    TimedOut,
    /// [`Queue::close`] was called; every further wait returns this at once.
    Closed,
}

/// How a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Messages that wait.
    pub waiting: usize,
    /// What became of the others since it was opened.
    pub counts: Counts,
    /// Where the messages are kept.
    pub persistence: Persistence,
}

/// A shared outbox. Clones are handles to the same one.
#[derive(Debug)]
pub struct Queue<S = FileStore> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    state: Mutex<State<S>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<S> {
    outbox: Outbox<S>,
    pushed: bool,
    closed: bool,
    /// The outbox is somebody else's now.
    fenced: bool,
    /// What may have arrived already, by its handles.
    begun: Vec<u64>,
}

impl<S> Clone for Queue<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Store> Queue<S> {
    /// Shares `outbox`.
    pub fn new(outbox: Outbox<S>) -> Self {
        let state = State { outbox, pushed: false, closed: false, fenced: false, begun: Vec::new() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }) }
    }

    /// Takes a message in, and wakes the consumer; see [`Outbox::push`].
    pub fn push(&self, entry: Entry) -> Pushed {
        let mut state = self.lock();
        if state.fenced {
            return Pushed::Refused;
        }
        let pushed = state.outbox.push(entry);
        state.pushed = true;
        drop(state);
        self.shared.changed.notify_all();
        pushed
    }

    /// Whether a message of that key would be a duplicate; see [`Outbox::knows`].
    pub fn knows(&self, key: &str) -> bool {
        self.lock().outbox.knows(key)
    }

    /// A copy of the oldest waiting message.
    pub fn peek(&self) -> Option<Held> {
        self.lock().outbox.peek().cloned()
    }

    /// Copies of the oldest waiting messages, for as long as `wanted` says so, at most so many.
    pub fn peek_row(&self, most: usize, wanted: impl Fn(&Held) -> bool) -> Vec<Held> {
        self.lock().outbox.waiting().take(most).take_while(|held| wanted(held)).cloned().collect()
    }

    /// Settles a delivered message; see [`Outbox::done`].
    pub fn done(&self, id: u64) -> bool {
        self.lock().outbox.done(id)
    }

    /// Gives a message up; see [`Outbox::discard`].
    pub fn discard(&self, id: u64, reason: &str) -> bool {
        self.lock().outbox.discard(id, reason)
    }

    /// Gives up every waiting message that `unwanted` names; see [`Outbox::discard_where`].
    pub fn discard_where(&self, reason: &str, unwanted: impl Fn(&Held) -> bool) -> usize {
        self.lock().outbox.discard_where(reason, unwanted)
    }

    /// The messages of these handles are about to be sent together: [`Queue::take_back`] comes too late for them. False
    /// if one of them does not wait any more.
    pub fn begin(&self, ids: Vec<u64>) -> bool {
        let mut state = self.lock();
        let waits = |id: &u64| state.outbox.waiting().any(|held| held.id == *id);
        if !ids.iter().all(waits) {
            return false;
        }
        state.begun = ids;
        true
    }

    /// Takes the waiting message of `key` back, unless it may have arrived already. Says whether it did.
    pub fn take_back(&self, key: &str, reason: &str) -> bool {
        let State { outbox, begun, .. } = &mut *self.lock();
        outbox.discard_where(reason, |held| held.entry.key == key && !begun.contains(&held.id)) > 0
    }

    /// Gives up what is too old; see [`Outbox::expire`].
    pub fn expire(&self, now: Moment) -> usize {
        self.lock().outbox.expire(now)
    }

    /// The newest waiting message's handle.
    pub fn newest(&self) -> Option<u64> {
        self.lock().outbox.waiting().last().map(|held| held.id)
    }

    /// How the queue is, without waiting: none while another thread is busy with it, which a slow disk can draw out.
    pub fn glance(&self) -> Option<Glance> {
        let state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let outbox = &state.outbox;
        Some(Glance { waiting: outbox.len(), counts: outbox.counts(), persistence: outbox.persistence() })
    }

    /// Number of waiting messages.
    pub fn len(&self) -> usize {
        self.lock().outbox.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of the messages since the outbox was opened.
    pub fn counts(&self) -> Counts {
        self.lock().outbox.counts()
    }

    /// How many messages were dropped for lack of room.
    pub fn dropped(&self) -> u64 {
        self.counts().no_room
    }

    /// Where the messages are kept now.
    pub fn persistence(&self) -> Persistence {
        self.lock().outbox.persistence()
    }

    /// Tries again to bring to disk what is kept in memory; see [`Outbox::retry_disk`].
    pub fn retry_disk(&self) -> bool {
        let mut state = self.lock();
        !state.fenced && state.outbox.retry_disk()
    }

    /// Blocks until something was pushed (also before the call, since the last wait), `timeout` has passed,
    /// or the queue is closed.
    pub fn wait(&self, timeout: Option<Duration>) -> Woken {
        let idle = |state: &mut State<S>| !state.pushed && !state.closed;
        let state = self.lock();
        let mut state = match timeout {
            None => self.shared.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.shared.changed.wait_timeout_while(state, timeout, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let pushed = std::mem::take(&mut state.pushed);
        match (state.closed, pushed) {
            (true, _) => Woken::Closed,
            (false, true) => Woken::Pushed,
            (false, false) => Woken::TimedOut,
        }
    }

    /// Blocks until `timeout` has passed or the queue is closed, whatever is pushed meanwhile.
    pub fn sleep(&self, timeout: Duration) -> Woken {
        let state = self.lock();
        let waited = self.shared.changed.wait_timeout_while(state, timeout, |state| !state.closed);
        match waited.unwrap_or_else(PoisonError::into_inner).0.closed {
            true => Woken::Closed,
            false => Woken::TimedOut,
        }
    }

    /// Wakes the consumer for good. Messages can still be pushed, and wait for the next start.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// Closes the queue and lets go of the outbox, so that it can be opened anew: nothing waits here any more, nothing
    /// is taken in, and nothing that is settled is brought to disk. For when threads that hang have handles. Gives up
    /// after `patience` if one of them is busy with the outbox itself; returns whether it let go.
    pub fn fence(&self, patience: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        let mut left = patience;
        loop {
            let mut state = match self.shared.state.try_lock() {
                Ok(state) => state,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if left.is_zero() => return false,
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(STEP);
                    left = left.saturating_sub(STEP);
                    continue;
                }
            };
            (state.closed, state.fenced) = (true, true);
            state.outbox.release();
            drop(state);
            self.shared.changed.notify_all();
            return true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Importance, Limits};
    use super::*;

    fn queue() -> (tempfile::TempDir, Queue) {
        let place = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::open(&place.path().join("journal"), Limits::default());
        (place, Queue::new(outbox))
    }

    fn entry(key: &str) -> Entry {
        let at = Duration::from_secs(1);
        Entry { key: key.to_owned(), importance: Importance::Normal, at, slot: None, body: Vec::new() }
    }

    #[test]
    fn a_push_before_the_wait_is_not_missed() {
        let (_place, queue) = queue();
        queue.push(entry("a"));
        assert_eq!(queue.wait(None), Woken::Pushed);
        assert_eq!(queue.wait(Some(Duration::ZERO)), Woken::TimedOut);
        queue.close();
        assert_eq!(queue.wait(None), Woken::Closed);
        assert_eq!(queue.sleep(Duration::from_secs(3600)), Woken::Closed);
        assert_eq!(queue.push(entry("b")), Pushed::Queued { replaced: 0, dropped: 0 });
        assert_eq!(queue.len(), 2);
        queue.done(queue.peek().unwrap().id);
        assert_eq!(["a", "b", "c"].map(|key| queue.knows(key)), [true, true, false]);
    }

    #[test]
    fn one_that_is_fenced_off_lets_go_and_changes_nothing_any_more() {
        let (place, old) = queue();
        let open = || Outbox::open(&place.path().join("journal"), Limits::default()).0;
        old.push(entry("a"));
        let handle = old.clone();
        assert!(matches!(open().persistence(), Persistence::Memory(_)), "it is the old one's");
        let taken = handle.peek().unwrap();
        assert!(old.fence(Duration::ZERO));

        let new = Queue::new(open());
        assert_eq!((new.persistence(), new.len()), (Persistence::Disk, 1));
        // Whatever the thread that hung does when it goes on.
        assert!(!handle.done(taken.id));
        assert_eq!(handle.push(entry("b")), Pushed::Refused);
        assert!(!handle.retry_disk());
        assert_eq!((handle.peek(), handle.wait(None)), (None, Woken::Closed));
        new.push(entry("c"));
        drop(new);
        let keys: Vec<String> = open().waiting().map(|held| held.entry.key.clone()).collect();
        assert_eq!(keys, ["a", "c"]);
    }

    #[test]
    fn what_was_begun_is_not_taken_back() {
        let (_place, queue) = queue();
        for key in ["a", "b", "c"] {
            queue.push(entry(key));
        }
        let ids: Vec<u64> = queue.peek_row(2, |_| true).iter().map(|held| held.id).collect();
        assert!(queue.begin(ids.clone()));
        let taken = ["a", "b", "c", "d"].map(|key| queue.take_back(key, "it is not worth it"));
        assert_eq!(taken, [false, false, true, false]);
        // Whoever sends looks again.
        assert!(queue.done(ids[0]) && !queue.begin(ids));
    }

    #[test]
    fn one_that_is_busy_with_the_disk_cannot_be_fenced_off() {
        let (_place, queue) = queue();
        let busy = queue.lock();
        assert!(!queue.fence(Duration::from_millis(20)));
        drop(busy);
        assert!(queue.fence(Duration::ZERO));
    }

    #[test]
    fn a_consumer_thread_is_woken() {
        let (_place, queue) = queue();
        let consumer = queue.clone();
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            while consumer.wait(None) != Woken::Closed || !consumer.is_empty() {
                while let Some(held) = consumer.peek() {
                    consumer.done(held.id);
                    taken.push(held.entry.key);
                }
            }
            taken
        });
        for key in ["a", "b", "c"] {
            queue.push(entry(key));
        }
        queue.close();
        assert_eq!(thread.join().unwrap(), ["a", "b", "c"]);
    }
}
