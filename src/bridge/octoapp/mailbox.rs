//! What the bridge's thread is told.

use super::scan::Marks;
use crate::bridge::mailbox;
use crate::printer::{Event, PrintState, Sight};

/// One thing.
#[derive(Debug)]
pub(super) enum News {
    Event(Box<Event>),
    Sight(Sight),
    /// A file was scanned for the print of that identity.
    Scanned(String, Marks),
}

/// The way to the thread.
pub(super) type Mailbox = mailbox::Mailbox<News>;

impl mailbox::News for News {
    fn replaces(&self, before: &Self) -> bool {
        matches!((before, self), (Self::Sight(before), Self::Sight(now)) if are_alike(before, now))
    }

    fn is_least(&self) -> bool {
        matches!(self, Self::Sight(_))
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
    use std::sync::Arc;
    use std::time::Duration;

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
    }
}
