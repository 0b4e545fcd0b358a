//! What the bridge's thread is told.

use super::outside::Answer;
use crate::bridge::mailbox;
use crate::printer::{Event, FileChange, Sight};

/// One thing.
#[derive(Debug)]
pub(super) enum News {
    Event(Box<Event>),
    Sight(Sight),
    Files(FileChange),
    Answer(Answer),
}

/// The way to the thread.
pub(super) type Mailbox = mailbox::Mailbox<News>;

impl mailbox::News for News {
    fn replaces(&self, before: &Self) -> bool {
        let (Self::Sight(before), Self::Sight(now)) = (before, self) else { return false };
        let told = |sight: &Sight| {
            let print = sight.snapshot.print.as_ref();
            (sight.snapshot.klippy.state, print.map(|print| print.state), sight.job.clone())
        };
        told(before) == told(now)
    }

    fn is_least(&self) -> bool {
        matches!(self, Self::Sight(_))
    }
}
