//! What waits for the bridge's thread: bounded, in order, and of sights that differ in nothing that is told only the
//! newest.

use super::scan::Marks;
use crate::printer::{Event, PrintState, Sight};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most things that wait. The thread may be held up by the network for some seconds.
const MOST: usize = 128;

/// One thing.
#[derive(Debug)]
pub(super) enum News {
    Event(Box<Event>),
    Sight(Sight),
    /// A file was scanned for the print of that identity.
    Scanned(String, Marks),
}

/// The way to the thread. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Mailbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<News>,
    closed: bool,
}

impl Mailbox {
    /// Puts something in, and wakes the thread.
    pub(super) fn put(&self, news: News) {
        let mut state = self.lock();
        if let (Some(News::Sight(before)), News::Sight(now)) = (state.waiting.back_mut(), &news)
            && are_alike(before, now)
        {
            *before = now.clone();
            return;
        }
        if state.waiting.len() >= MOST {
            let least = state.waiting.iter().position(|news| matches!(news, News::Sight(_)));
            state.waiting.remove(least.unwrap_or(0));
        }
        state.waiting.push_back(news);
        drop(state);
        self.0.changed.notify_all();
    }

    /// What waits, waited for at most so long; none if the mailbox is closed.
    pub(super) fn take(&self, longest: Duration) -> Option<VecDeque<News>> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let waited = self.0.changed.wait_timeout_while(self.lock(), longest, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.closed && state.waiting.is_empty() { None } else { Some(std::mem::take(&mut state.waiting)) }
    }

    /// Nothing is put in any more that matters.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing is lost with the older one.
fn are_alike(before: &Sight, now: &Sight) -> bool {
    let told = |sight: &Sight| {
        let snapshot = &sight.snapshot;
        let print = snapshot.print.as_ref();
        let state: Option<PrintState> = print.map(|print| print.state);
        (snapshot.klippy.state, state, sight.job.clone(), snapshot.app_message.clone())
    };
    let file = |sight: &Sight| sight.snapshot.print.as_ref().and_then(|print| print.file.clone());
    let record = |sight: &Sight| sight.snapshot.history.jobs.first().map(|job| (job.id.clone(), job.status));
    told(before) == told(now) && file(before) == file(now) && record(before) == record(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::printer::{Print, Snapshot};

    fn sight(state: PrintState, message: &str, seconds: u64) -> News {
        let print = Print { state, ..Print::default() };
        let snapshot =
            Snapshot { print: Some(print), app_message: Some(message.into()), ..Snapshot::default() };
        let at = Moment { monotonic: Duration::from_secs(seconds), unix: Duration::ZERO };
        News::Sight(Sight { snapshot: Arc::new(snapshot), job: None, at })
    }

    #[test]
    fn a_sight_takes_the_place_of_one_that_tells_the_same() {
        let mailbox = Mailbox::default();
        use PrintState::{Paused, Printing};
        for (state, message) in
            [(Printing, "a"), (Printing, "a"), (Paused, "a"), (Printing, "a"), (Printing, "b")]
        {
            mailbox.put(sight(state, message, 1));
        }
        assert_eq!(mailbox.take(Duration::ZERO).unwrap().len(), 4);
        for number in 0..1000 {
            mailbox.put(sight(if number % 2 == 0 { Paused } else { Printing }, "a", number));
        }
        assert_eq!(mailbox.take(Duration::ZERO).unwrap().len(), MOST);
        mailbox.put(sight(Paused, "x", 1));
        mailbox.close();
        assert_eq!(mailbox.take(Duration::ZERO).unwrap().len(), 1);
        assert!(mailbox.take(Duration::from_secs(9)).is_none());
    }
}
