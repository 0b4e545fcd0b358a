//! What waits for the thread of a bridge: bounded, in order, and of news of which the newest says all only that.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most things that wait. The thread may be held up by the network for some seconds.
const MOST: usize = 128;

/// What can be put into a [`Mailbox`].
pub(crate) trait News {
    /// Whether nothing is lost when this takes the place of `before`, which waits right in front of it.
    fn replaces(&self, before: &Self) -> bool;

    /// Whether it is the first to go when too much waits.
    fn is_least(&self) -> bool;

    /// Whether it never goes. There must be a bound to what does not, by its nature.
    fn must_stay(&self) -> bool {
        false
    }
}

/// The way to the thread. Clones are the same one.
#[derive(Debug)]
pub(crate) struct Mailbox<N>(Arc<Shared<N>>);

#[derive(Debug)]
struct Shared<N> {
    state: Mutex<State<N>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<N> {
    waiting: VecDeque<N>,
    closed: bool,
}

impl<N> Clone for Mailbox<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N> Default for Mailbox<N> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }
}

impl<N: News> Mailbox<N> {
    /// Puts something in, and wakes the thread.
    pub(crate) fn put(&self, news: N) {
        let mut state = self.lock();
        if let Some(before) = state.waiting.back_mut().filter(|before| news.replaces(before)) {
            *before = news;
            return;
        }
        if state.waiting.len() >= MOST {
            let least = state.waiting.iter().position(News::is_least);
            let least = least.or_else(|| state.waiting.iter().position(|news| !news.must_stay()));
            if let Some(least) = least {
                state.waiting.remove(least);
            }
        }
        state.waiting.push_back(news);
        drop(state);
        self.0.changed.notify_all();
    }

    /// What waits, waited for at most so long; none if the mailbox is closed.
    pub(crate) fn take(&self, longest: Duration) -> Option<VecDeque<N>> {
        let idle = |state: &mut State<N>| state.waiting.is_empty() && !state.closed;
        let waited = self.0.changed.wait_timeout_while(self.lock(), longest, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.closed && state.waiting.is_empty() { None } else { Some(std::mem::take(&mut state.waiting)) }
    }

    /// Nothing is put in any more that matters.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is replaced by the next of the same tens; those below 10 are the least.
    impl News for u32 {
        fn replaces(&self, before: &Self) -> bool {
            self / 10 == before / 10
        }

        fn is_least(&self) -> bool {
            *self < 10
        }
    }

    #[test]
    fn news_replace_what_they_say_too_and_the_least_goes_first() {
        let mailbox = Mailbox::default();
        for number in [11, 12, 25, 13, 14, 31] {
            mailbox.put(number);
        }
        assert_eq!(mailbox.take(Duration::ZERO).unwrap(), [12, 25, 14, 31]);
        assert!(mailbox.take(Duration::ZERO).unwrap().is_empty());
        for number in (1..).map(|number| number * 10).take(50) {
            mailbox.put(number);
            mailbox.put(number / 100 % 10);
        }
        let all = mailbox.take(Duration::ZERO).unwrap();
        assert_eq!(all.iter().filter(|number| **number >= 10).count(), 50);
        for number in (1..).map(|number| number * 10).take(MOST + 3) {
            mailbox.put(number);
        }
        let all = mailbox.take(Duration::ZERO).unwrap();
        assert_eq!((all.len(), all[0]), (MOST, 40), "the oldest goes where none is least");
        mailbox.put(1);
        mailbox.close();
        assert_eq!(mailbox.take(Duration::ZERO).unwrap(), [1]);
        assert!(mailbox.take(Duration::from_secs(9)).is_none());
    }
}
