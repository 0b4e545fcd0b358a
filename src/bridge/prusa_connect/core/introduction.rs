//! Who the printer is, and which files it has: told when Connect must know it, and again until it could be told.

use super::Core;
use crate::backoff::{Backoff, random};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::connect::order::Outcome;
use crate::bridge::prusa_connect::outside::{Description, Errand, Purpose};
use crate::clock::Moment;
use crate::printer::FileChange;
use std::time::Duration;

/// How long an introduction waits for the printer to be seen after a start: less than the line waits for it.
const FIRST_SIGHT: Duration = Duration::from_secs(4);
/// How often it is tried to list the files of a printer when they could not be listed.
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST_AGAIN: Duration = Duration::from_secs(10 * 60);

/// What is to be introduced.
pub(super) struct Introduction {
    /// The line waits for an introduction.
    awaited: bool,
    /// When the printer is to be described for one.
    due: Option<Duration>,
    again: Backoff,
    /// The storage was introduced.
    inserted: bool,
    /// When the files are to be listed again, of which Connect has an old list.
    list: Option<Duration>,
    list_again: Backoff,
}

impl Default for Introduction {
    fn default() -> Self {
        let again = || Backoff::patient(AGAIN, LONGEST_AGAIN);
        Self { awaited: false, due: None, again: again(), inserted: false, list: None, list_again: again() }
    }
}

impl Core {
    /// The line wants the printer introduced.
    pub(super) fn greet(&mut self, now: Moment) {
        // Just after a start Moonraker is not reached yet, which knows the files.
        let patience = if self.sight.is_some() { Duration::ZERO } else { FIRST_SIGHT };
        self.introduction.awaited = true;
        self.introduction.due = Some(now.monotonic.saturating_add(patience));
        self.introduce(now);
    }

    /// The printer is seen for the first time.
    pub(super) fn first_sight(&mut self, now: Moment) {
        if let Some(due) = &mut self.introduction.due {
            *due = now.monotonic;
        }
    }

    /// Has the printer described where an introduction is due, and its files listed where they could not be.
    pub(super) fn introduce(&mut self, now: Moment) {
        let Introduction { due, list, inserted, .. } = &mut self.introduction;
        if due.take_if(|due| now.monotonic >= *due).is_some() {
            self.outside.clerk.take(Errand::Describe(Purpose::Greeting { first: !*inserted }));
        }
        if list.take_if(|due| now.monotonic >= *due).is_some() {
            self.outside.clerk.take(Errand::Change(FileChange::Everything));
        }
    }

    /// All files were listed anew, or could not be.
    pub(super) fn listed(&mut self, events: Option<Vec<Event>>, now: Moment) {
        let introduction = &mut self.introduction;
        match events {
            Some(events) => {
                introduction.list = None;
                introduction.list_again.reset();
                events.iter().for_each(|event| self.line.tell(event, now));
            }
            None => {
                let delay = introduction.list_again.next_delay(random());
                introduction.list = Some(now.monotonic.saturating_add(delay));
            }
        }
    }

    pub(super) fn described(&mut self, purpose: Purpose, description: Description, now: Moment) {
        let Description { network, files, inserted, nozzles } = description;
        if let Some(nozzles) = nozzles {
            self.machine.set_nozzles(nozzles);
        }
        let info = self.machine.info(self.line.identity(), network, files.as_deref());
        match purpose {
            Purpose::Command(id) => {
                let event = Event::new(EventKind::Info, Source::Connect).with(info).of_command(Some(id));
                self.end(id, Outcome::Answered(Box::new(event)), now);
            }
            Purpose::Greeting { .. } => {
                let introduction = &mut self.introduction;
                introduction.inserted |= inserted.is_some();
                if !introduction.inserted {
                    let delay = introduction.again.next_delay(random());
                    introduction.due = Some(now.monotonic.saturating_add(delay));
                }
                if !std::mem::take(&mut introduction.awaited) && inserted.is_none() {
                    return;
                }
                let info = Event::new(EventKind::Info, Source::Firmware).with(info);
                let events: Vec<Event> = [info].into_iter().chain(inserted).collect();
                self.line.greet(&events, now);
            }
        }
    }
}
