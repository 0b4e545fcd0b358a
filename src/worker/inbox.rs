//! What waits for one bridge: bounded, and never waited for by who fills it.

use crate::clock::Moment;
use crate::printer::{Event, EventKind, FileChange, Sight};
use std::collections::VecDeque;
use std::sync::Arc;

/// Most events that wait. A bridge takes one in some milliseconds: only one that hangs lets so many gather.
const MOST_EVENTS: usize = 256;
/// Most lines of the console that wait.
const MOST_LINES: usize = 100;
/// Most changes of files that wait.
const MOST_CHANGES: usize = 100;

/// An event with its number.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    /// Counts from 1 over the life of the worker.
    pub(super) number: u64,
    /// The event.
    pub(super) event: Arc<Event>,
}

/// One thing for a bridge.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// An event.
    Event(Numbered),
    /// The printer's newest state.
    Sight(Sight),
    /// A line of the console.
    Line(Arc<str>, Moment),
    /// A change among the printer's files.
    Files(Arc<FileChange>),
}

/// Everything that waits for one bridge.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    events: VecDeque<Numbered>,
    lines: VecDeque<(Arc<str>, Moment)>,
    files: VecDeque<Arc<FileChange>>,
    sight: Option<Sight>,
    /// Events that were left out for lack of room.
    pub(super) lost: u64,
}

impl Inbox {
    /// Takes an event in. Without room the least important goes: progress and layers first, ends last.
    pub(super) fn push_event(&mut self, number: u64, event: Arc<Event>) {
        self.events.push_back(Numbered { number, event });
        if self.events.len() > MOST_EVENTS {
            let least =
                self.events.iter().enumerate().min_by_key(|(index, waiting)| (worth(&waiting.event), *index));
            if let Some(index) = least.map(|(index, _)| index) {
                self.events.remove(index);
                self.lost += 1;
            }
        }
    }

    /// Takes an event in again that was taken out first.
    pub(super) fn put_back(&mut self, event: Numbered) {
        self.events.push_front(event);
    }

    /// Takes the newest state in, instead of an older one.
    pub(super) fn push_sight(&mut self, sight: Sight) {
        self.sight = Some(sight);
    }

    /// Takes the state out again, which nobody wants.
    pub(super) fn drop_sight(&mut self) {
        self.sight = None;
    }

    /// Takes a line in; without room the oldest goes.
    pub(super) fn push_line(&mut self, line: Arc<str>, at: Moment) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((line, at));
    }

    /// Takes a change of files in; without room one word stands for all of them.
    pub(super) fn push_files(&mut self, change: Arc<FileChange>) {
        if self.files.len() == MOST_CHANGES {
            self.files.clear();
            self.files.push_back(Arc::new(FileChange::Everything));
        }
        self.files.push_back(change);
    }

    /// The next thing: events first.
    pub(super) fn pop(&mut self) -> Option<Item> {
        if let Some(event) = self.events.pop_front() {
            return Some(Item::Event(event));
        }
        if let Some((line, at)) = self.lines.pop_front() {
            return Some(Item::Line(line, at));
        }
        if let Some(change) = self.files.pop_front() {
            return Some(Item::Files(change));
        }
        self.sight.take().map(Item::Sight)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lines.is_empty() && self.files.is_empty() && self.sight.is_none()
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> usize {
        self.events.len()
    }

    /// Puts what waited for a bridge that this one replaces in front.
    pub(super) fn inherit(&mut self, mut older: Self) {
        older.events.append(&mut self.events);
        self.events = older.events;
        self.lost += older.lost;
    }
}

/// How much it matters that an event is told.
fn worth(event: &Event) -> u8 {
    match event.kind {
        EventKind::Progress { .. } | EventKind::Layer { .. } => 0,
        EventKind::FirstLayerDone
        | EventKind::PrinterReady
        | EventKind::SourceLost
        | EventKind::SourceBack
        | EventKind::KlippyDown { .. }
        | EventKind::KlippyReady => 1,
        EventKind::JobStarted | EventKind::Replaced | EventKind::Paused { .. } | EventKind::Resumed => 2,
        EventKind::NeedsAttention(_) => 3,
        EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. } | EventKind::Ended => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn event(kind: EventKind) -> Arc<Event> {
        Arc::new(Event { kind, job: None, at: Duration::ZERO, key: String::new() })
    }

    #[test]
    fn without_room_progress_goes_and_ends_stay() {
        let mut inbox = Inbox::default();
        inbox.push_event(1, event(EventKind::Finished));
        for number in 2..=300 {
            inbox.push_event(number, event(EventKind::Progress { percent: 5 }));
        }
        inbox.push_event(301, event(EventKind::Cancelled));
        assert_eq!((inbox.waiting(), inbox.lost), (MOST_EVENTS, 301 - MOST_EVENTS as u64));
        let mut numbers = Vec::new();
        while let Some(Item::Event(event)) = inbox.pop() {
            numbers.push(event.number);
        }
        assert_eq!((numbers.first(), numbers.last()), (Some(&1), Some(&301)));
        assert!(numbers.is_sorted());
    }

    #[test]
    fn without_room_changes_of_files_become_one() {
        let mut inbox = Inbox::default();
        let gone = |number: usize| Arc::new(FileChange::Deleted { path: number.to_string() });
        (0..MOST_CHANGES + 3).for_each(|number| inbox.push_files(gone(number)));
        let mut told = Vec::new();
        while let Some(Item::Files(change)) = inbox.pop() {
            told.push(change);
        }
        let last = (MOST_CHANGES..MOST_CHANGES + 3).map(gone);
        let expected: Vec<_> = std::iter::once(Arc::new(FileChange::Everything)).chain(last).collect();
        assert_eq!(told, expected);
        assert!(inbox.is_empty());
    }

    #[test]
    fn events_come_first_and_only_the_newest_state() {
        let mut inbox = Inbox::default();
        let at = |seconds| Moment { monotonic: Duration::from_secs(seconds), unix: Duration::ZERO };
        let sight = |seconds| Sight { snapshot: Arc::default(), job: None, at: at(seconds) };
        inbox.push_sight(sight(1));
        inbox.push_sight(sight(2));
        inbox.push_line("a".into(), at(2));
        inbox.push_event(1, event(EventKind::Resumed));
        assert!(matches!(inbox.pop(), Some(Item::Event(Numbered { number: 1, .. }))));
        assert!(matches!(inbox.pop(), Some(Item::Line(line, _)) if &*line == "a"));
        assert!(matches!(inbox.pop(), Some(Item::Sight(sight)) if sight.at == at(2)));
        assert!(inbox.pop().is_none());
    }
}
