//! What the bridge's thread is told.

use super::outside::Answer;
use crate::bridge::mailbox;
use crate::clock::Moment;
use crate::printer::{Event, FileChange, Sight};

/// One thing.
#[derive(Debug)]
pub(super) enum News {
    Event(Box<Event>),
    Sight(Sight),
    Files(FileChange),
    Answer(Answer),
}

/// One thing, and when it came: the thread may be held up by the network meanwhile.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) news: News,
    pub(super) at: Moment,
}

/// The way to the thread.
pub(super) type Mailbox = mailbox::Mailbox<Item>;

impl mailbox::News for Item {
    fn replaces(&self, before: &Self) -> bool {
        let (News::Sight(before), News::Sight(now)) = (&before.news, &self.news) else { return false };
        let told = |sight: &Sight| {
            let print = sight.snapshot.print.as_ref();
            (sight.snapshot.klippy.state, print.map(|print| print.state), sight.job.clone())
        };
        told(before) == told(now)
    }

    fn is_least(&self) -> bool {
        matches!(self.news, News::Sight(_))
    }

    fn must_stay(&self) -> bool {
        // A command whose answer is lost would run for ever.
        matches!(self.news, News::Answer(_))
    }
}
