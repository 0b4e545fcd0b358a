//! What the sights of the printer tell: the rules by which the apps are told of a print.
//!
//! Where they differ from the domain's own: a print that is found under way is no start; a start is the history's entry,
//! which may come before the print's state; every pause may want somebody, but a short one is none; progress is a mark
//! that is passed for the first time; Klipper that goes away for some seconds is no error.

use super::core::Core;
use super::ends;
use super::outside::Outside;
use super::print::{Followed, HOUR, Known, fresh_print};
use super::push::{Kind, Push, State};
use super::reckon;
use super::scan::{Mark, Marks};
use crate::clock::Moment;
use crate::outbox::Store;
use crate::printer::{History, JobStatus, KlippyState, Print, PrintState, RecordId, Sight, Snapshot};
use std::sync::Arc;
use std::time::Duration;

/// How often progress is looked at.
const SAMPLE: Duration = Duration::from_secs(5);
/// A pause that ends within this time is none.
const SHORT_PAUSE: Duration = Duration::from_secs(3);
/// What looks like the end of a pause so soon after the start is none.
const BEGINNING: Duration = Duration::from_secs(5);
/// Most messages of the user's own in one print.
const MOST_CUSTOMS: u32 = 25;
/// What is said instead of the next one.
const NO_MORE: &str = "This print sent too many messages; the rest is left out";
/// Files of an automation that prints by itself begin so; nobody wants to be told of them.
const AUTOMATED: &str = "continuousprint_";
/// What follows this in a macro's message only makes it another one.
const MACRO_END: &str = "~~~";
/// What parts its title and detail.
const MACRO_PART: &str = "|||";

/// What is known of the connection, to see changes on it.
#[derive(Debug)]
pub(super) struct Link {
    /// The printer was seen ready on it.
    pub(super) synced: bool,
    state: Option<PrintState>,
    running: Option<RecordId>,
    /// The history was known.
    recorded: bool,
    message: Option<Arc<str>>,
    progress: Option<f64>,
    position: Option<u64>,
    /// When progress was looked at last, on the monotonic clock.
    sampled: Duration,
}

impl Link {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            synced: false,
            state: None,
            running: None,
            recorded: false,
            message: None,
            progress: None,
            position: None,
            sampled: now,
        }
    }

    /// What comes next is seen anew.
    pub(super) fn lost(&mut self) {
        self.synced = false;
    }

    fn remember(&mut self, snapshot: &Snapshot, print: &Print) {
        self.state = Some(print.state);
        self.running = running(&snapshot.history).map(|record| record.0.clone());
        self.recorded = snapshot.history.available;
        self.message.clone_from(&snapshot.app_message);
    }

    fn remember_place(&mut self, print: &Print) {
        (self.progress, self.position) = (print.file_progress, print.file_position);
    }
}

/// The job that the history says is running, and its file.
fn running(history: &History) -> Option<(&RecordId, &str)> {
    let newest = history.jobs.first().filter(|job| job.status == JobStatus::InProgress)?;
    Some((&newest.id, &newest.file))
}

impl<O: Outside, S: Store> Core<O, S> {
    /// Takes a sight in.
    pub(super) fn follow(&mut self, sight: Sight, now: Moment) {
        let snapshot = Arc::clone(&sight.snapshot);
        self.sight = Some(sight);
        let seen = snapshot.print.as_ref().filter(|_| snapshot.klippy.state == KlippyState::Ready);
        let Some(print) = seen else {
            self.settle_events(now);
            self.link.lost();
            return;
        };
        if !self.link.synced {
            self.read_frontend();
            self.settle_events(now);
            self.sync(&snapshot, print, now);
            self.link.synced = true;
            self.link.remember(&snapshot, print);
            self.link.remember_place(print);
            return;
        }
        self.settle_events(now);
        let before = self.link.state;
        let edge = self.edges(&snapshot, print, before, now);
        self.link.remember(&snapshot, print);
        if !edge {
            self.advance(print, now);
        }
        // A cancellation shows its progress before it is told.
        self.settle_events(now);
    }

    /// A job may be under way that nobody saw begin.
    fn sync(&mut self, snapshot: &Snapshot, print: &Print, now: Moment) {
        if let Some((_, key)) = self.gone.take() {
            self.klipper_is_back(&key);
        }
        let Some(path) = print.file.as_deref().filter(|path| !path.is_empty() && !is_automated(path)) else {
            return;
        };
        if !print.state.is_active() {
            // It may be printed next.
            if !print.file_is_name {
                self.outside.scan("", path);
            }
            return;
        }
        let record = running(&snapshot.history).filter(|(_, file)| *file == path);
        let record = record.map(|(id, _)| id.id.clone());
        match &mut self.print {
            Some(known) if known.known.path == path && known.is(path, record.as_deref()) => {
                if known.since.is_some() {
                    let active = print.state == PrintState::Printing;
                    known.hour = known.hour.or_else(|| active.then_some(now.monotonic + HOUR));
                    // One that ended while nobody looked.
                    known.pause = known.pause.filter(|_| !active);
                    return;
                }
                let known = std::mem::take(&mut known.known);
                self.print = Some(Followed::found(known, now));
            }
            _ => {
                let began = now.unix.saturating_sub(print.total_duration.unwrap_or_default());
                let inherited = self.file.inherited(path, began);
                let nameless = inherited.is_none();
                let (id, started) = inherited.unwrap_or_else(|| (fresh_print(&mut self.outside), now.unix));
                let mut known = Known::new(id, path, print.file_is_name, record.clone(), started);
                known.nameless = nameless;
                self.print = Some(Followed::found(known, now));
            }
        }
        if let Some(followed) = &mut self.print {
            followed.known.record = followed.known.record.take().or(record);
            if print.state == PrintState::Paused {
                followed.hour = None;
            }
            self.file.keep(&followed.known);
        }
        self.customs = 0;
        self.begin_scan();
    }

    /// A job begins.
    pub(super) fn start(&mut self, path: &str, is_name: bool, record: Option<String>, now: Moment) {
        if path.is_empty() || is_automated(path) {
            self.drop_print();
            return;
        }
        if let Some((_, key)) = self.gone.take() {
            self.klipper_is_back(&key);
        }
        let known = Known::new(fresh_print(&mut self.outside), path, is_name, record, now.unix);
        self.file.keep(&known);
        self.read_frontend();
        self.print = Some(Followed::begins(known, now));
        (self.error_told, self.customs) = (None, 0);
        let state = State { percent: 0, ..self.state(now) };
        self.send(Push::new(Kind::Started, state), None, now);
        self.begin_scan();
    }

    fn begin_scan(&mut self) {
        let Some(print) = &mut self.print else { return };
        if !print.known.is_name {
            print.marks = self.outside.scan(&print.known.id, &print.known.path);
        }
    }

    /// A scan that was done in the background came to its end.
    pub(super) fn on_scanned(&mut self, id: &str, marks: Marks) {
        if let Some(print) = self.print.as_mut().filter(|print| print.known.id == id) {
            print.marks = Some(marks);
        }
    }

    /// What changed at once. Says whether the print's state did.
    fn edges(&mut self, snapshot: &Snapshot, print: &Print, before: Option<PrintState>, now: Moment) -> bool {
        if let Some((id, file)) = running(&snapshot.history)
            && self.link.running.as_ref() != Some(id)
        {
            let (id, file) = (id.id.clone(), file.to_owned());
            self.record_begins(&file, id, now);
        }
        if let Some(message) = snapshot.app_message.as_deref()
            && self.link.message.as_deref() != Some(message)
        {
            self.macro_says(message, now);
        }
        if before == Some(print.state) {
            return false;
        }
        if print.state == PrintState::Paused {
            self.name_print();
        }
        match (print.state, &mut self.print) {
            (PrintState::Paused, Some(followed)) => {
                followed.hour = None;
                followed.pause.get_or_insert(now.monotonic + SHORT_PAUSE);
                true
            }
            (PrintState::Printing, Some(followed)) if before == Some(PrintState::Paused) => {
                followed.pause = None;
                followed.hour = Some(now.monotonic + HOUR);
                let young = !followed.found
                    && followed.since.is_some_and(|since| now.monotonic.saturating_sub(since) < BEGINNING);
                if young {
                    return false;
                }
                self.error_told = None;
                self.tell(Kind::Resume, now);
                true
            }
            _ => false,
        }
    }

    /// From now on the apps are told the file also of a print that was found under way.
    pub(super) fn name_print(&mut self) {
        if let Some(print) = &mut self.print
            && std::mem::take(&mut print.known.nameless)
        {
            self.file.keep(&print.known);
        }
    }

    /// The history has a new record of a job that runs. Where there was no history before, it may have begun long ago.
    fn record_begins(&mut self, file: &str, id: String, now: Moment) {
        match &mut self.print {
            // The one that is followed gets its record late.
            Some(print) if print.known.record.is_none() && print.known.path == file => {
                print.known.record = Some(id);
                self.file.keep(&print.known);
            }
            Some(print) if print.is(file, Some(&id)) => {}
            _ if !self.link.recorded => {}
            _ => self.start(file, false, Some(id), now),
        }
    }

    fn macro_says(&mut self, message: &str, now: Moment) {
        let said = message.split(MACRO_END).next().unwrap_or_default();
        let (title, detail) = match said.split_once(MACRO_PART) {
            Some((title, detail)) => (title, Some(detail).filter(|detail| !detail.is_empty())),
            None => (said, None),
        };
        if !title.is_empty() {
            self.say(title, detail.map(str::to_owned), now);
        }
    }

    /// Tells a message of the user's own.
    fn say(&mut self, title: &str, detail: Option<String>, now: Moment) {
        self.customs = self.customs.saturating_add(1);
        let (text, detail) = match self.customs {
            0..=MOST_CUSTOMS => (title.to_owned(), detail),
            count if count == MOST_CUSTOMS + 1 => (NO_MORE.to_owned(), None),
            _ => return,
        };
        let state = State::default();
        self.send(Push { kind: Kind::Custom, state, text, detail }, None, now);
    }

    /// The print goes on in its file.
    fn advance(&mut self, seen: &Print, now: Moment) {
        let moved = (seen.file_progress, seen.file_position) != (self.link.progress, self.link.position);
        self.link.remember_place(seen);
        let Some(print) = &mut self.print else { return };
        if !moved || seen.file.as_deref() != Some(print.known.path.as_str()) {
            return;
        }
        if let Some(position) = seen.file_position.filter(|_| seen.state.is_active()) {
            let from = *print.position.get_or_insert(position);
            let mut passed: Vec<Mark> = Vec::new();
            // What is passed while the file is still scanned is told then.
            if let Some(marks) = &print.marks {
                passed.extend(marks.between(from, position).cloned());
                print.position = Some(position);
            }
            for mark in passed {
                match mark {
                    Mark::FirstLayerDone => self.tell(Kind::FirstLayer, now),
                    Mark::ThirdLayerDone => self.tell(Kind::ThirdLayer, now),
                    Mark::Message(text) => self.say(&text, None, now),
                }
            }
        }
        if now.monotonic.saturating_sub(self.link.sampled) < SAMPLE {
            return;
        }
        self.link.sampled = now.monotonic;
        let Some(print) = &mut self.print else { return };
        let Some(progress) = reckon::progress(seen, &self.frontend, print.whole_file) else { return };
        if let Some(percent) = print.progress(reckon::percent(progress)).filter(|_| seen.state.is_active()) {
            let state = State { percent, ..self.state(now) };
            self.send(Push::new(Kind::Progress, state), None, now);
        }
    }

    /// The print is over, and nothing more is to be told of it.
    pub(super) fn drop_print(&mut self) {
        if let Some(print) = self.print.take() {
            self.file.forget(&print.known.id);
        }
    }

    /// When something is due because of the print.
    pub(super) fn next_of_print(&self) -> Option<Duration> {
        let print = self.print.as_ref();
        let waiting = self.pending.first().filter(|_| self.sight.is_some());
        let own = [
            self.gone.as_ref().map(|(due, _)| *due),
            print.and_then(|print| print.hour),
            print.and_then(|print| print.pause),
            waiting.map(|(_, since)| *since + ends::PATIENCE),
        ];
        own.into_iter().flatten().min()
    }

    /// Does what is due because of the print.
    pub(super) fn pass_of_print(&mut self, now: Moment) {
        let at = now.monotonic;
        let is_due = |due: &mut Option<Duration>| due.take_if(|due| *due <= at).is_some();
        if self.pending.first().is_some_and(|(_, since)| *since + ends::PATIENCE <= at)
            && self.sight.is_some()
        {
            self.settle_events(now);
        }
        if let Some((_, key)) = self.gone.take_if(|(due, _)| *due <= at) {
            self.klipper_is_gone(key, now);
        }
        let Some(print) = &mut self.print else { return };
        let (hour, pause) = (is_due(&mut print.hour), is_due(&mut print.pause));
        if pause {
            self.tell(Kind::Interaction, now);
        }
        if hour && self.link.synced && self.link.state == Some(PrintState::Printing) {
            if let Some(print) = &mut self.print {
                print.hour = Some(at + HOUR);
            }
            self.tell(Kind::TimerProgress, now);
        }
    }
}

fn is_automated(path: &str) -> bool {
    path.get(..AUTOMATED.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(AUTOMATED))
}
