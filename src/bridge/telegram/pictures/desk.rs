//! Where the wishes for pictures meet: of several the one that is due, and what comes of each. It never waits.

use super::super::commands;
use super::super::delivery::Outgoing;
use super::super::live::Live;
use super::super::notify::Note;
use super::diary::Diary;
use super::inspector::{Errand, Inspector};
use super::photos::Photos;
use super::wish::{Want, Wish};
use crate::camera::{Camera, Frame};
use crate::clock::Moment;
use crate::defects::Outcome;
use crate::outbox::{FileStore, Store};
use crate::printer::Sight;
use std::sync::Arc;
use std::time::Duration;

/// Who wants pictures for one chat.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Desk<S = FileStore> {
    pub(in crate::bridge::telegram) camera: Camera,
    pub(in crate::bridge::telegram) outgoing: Outgoing<S>,
    /// What the next run must know.
    pub(in crate::bridge::telegram) diary: Diary,
    /// Knows what is not told.
    pub(in crate::bridge::telegram) live: Live,
    /// Whether people may use the buttons of an alert.
    pub(in crate::bridge::telegram) buttons: bool,
    /// Takes photos for the chat; none where none are wanted.
    pub(in crate::bridge::telegram) photos: Option<Photos>,
    /// Has them checked; none where that is not wanted.
    pub(in crate::bridge::telegram) inspector: Option<Inspector>,
}

impl<S: Store> Desk<S> {
    /// Goes on where the run before ended, by the diary.
    pub(in crate::bridge::telegram) fn recall(&mut self, now: Moment) {
        let page = self.diary.page();
        if let (Some(photos), Some(due)) = (&mut self.photos, &page.photo) {
            photos.recall(due, now);
        }
        if let Some(inspector) = &mut self.inspector {
            inspector.recall(page, now);
        }
    }

    /// The picture that is due.
    pub(in crate::bridge::telegram) fn want(&mut self, now: Moment) -> Option<Want> {
        if let Some(photos) = &mut self.photos {
            if self.outgoing.take_lost_picture() {
                photos.on_lost(now);
            }
            if let Some(wish) = photos.wish(now) {
                return Some(Want::Photo(wish));
            }
        }
        let inspector = self.inspector.as_mut()?;
        let wish = inspector.wish(now);
        if inspector.is_delayed(self.diary.page(), now) {
            self.diary.change(now, |page| inspector.keep(page, false, now));
        }
        wish.map(Want::Check)
    }

    /// Begins a check of this picture. It is written down before anything is asked: who dies of a check again and again
    /// must not pay for each.
    pub(in crate::bridge::telegram) fn begin(&mut self, frame: Arc<Frame>, now: Moment) -> Option<Errand> {
        if let Some(photos) = &mut self.photos {
            photos.on_other(&frame);
        }
        let inspector = self.inspector.as_mut()?;
        let errand = inspector.begin(frame, now)?;
        self.diary.change(now, |page| inspector.keep(page, true, now));
        Some(errand)
    }

    /// Checks this job no more.
    pub(super) fn silence(&mut self, job: &str, now: Moment) {
        let Some(inspector) = &mut self.inspector else { return };
        inspector.mute(job);
        self.diary.change(now, |page| inspector.keep(page, false, now));
    }

    /// What is seen of the printer.
    pub(in crate::bridge::telegram) fn on_sight(&mut self, sight: &Sight) {
        if let Some(photos) = &mut self.photos {
            photos.on_sight(sight);
        }
        if let Some(inspector) = &mut self.inspector {
            inspector.on_sight(sight);
        }
    }

    /// A photo that was wanted, if there is one.
    pub(in crate::bridge::telegram) fn on_photo(
        &mut self,
        wish: Wish,
        frame: Option<&Arc<Frame>>,
        now: Moment,
    ) {
        let Some(photos) = &mut self.photos else { return };
        let frame = frame.cloned().or_else(|| photos.spare(wish));
        match &frame {
            Some(frame) => {
                if matches!(wish, Wish::Fresh(_)) {
                    photos.on_other(frame);
                }
                // A picture of the end goes where the end is told.
                let told = |note: &Note| {
                    !matches!(wish, Wish::Fresh(_))
                        || self.live.lock().mute.lets(&note.key, note.kind, now.monotonic)
                };
                let note = photos.on_frame(wish, frame, now);
                if matches!(wish, Wish::Fresh(_)) {
                    let due = photos.due(now);
                    self.diary.change(now, |page| page.photo = due);
                }
                if let Some(note) = note.filter(told) {
                    self.outgoing.post_picture(note, frame, now);
                }
            }
            None => photos.on_none(wish, now),
        }
    }

    /// What came of a check.
    pub(in crate::bridge::telegram) fn on_checked(&mut self, errand: Errand, outcome: &Outcome, now: Moment) {
        let Some(inspector) = &mut self.inspector else { return };
        let frame = Arc::clone(&errand.frame);
        // A job that is over cannot be paused.
        let buttons = match self.buttons && inspector.is_under_way(errand.job()) {
            true => commands::below_an_alert(errand.job()),
            false => Vec::new(),
        };
        let found = inspector.done(errand, outcome, now);
        if outcome.requests > 1 {
            // One was written down before.
            self.diary.change(now, |page| inspector.keep(page, false, now));
        }
        if let Some((alert, evidence)) = found
            && self.live.lock().mute.lets(&alert.key, alert.kind, now.monotonic)
            && self.outgoing.post(alert, buttons)
        {
            self.outgoing.post_picture(evidence, &frame, now);
        }
    }

    /// When there is more to do, on the monotonic clock; none while no job is under way.
    pub(in crate::bridge::telegram) fn next(&self) -> Option<Duration> {
        let photos = self.photos.as_ref().and_then(Photos::next);
        let checks = self.inspector.as_ref().and_then(Inspector::next);
        [photos, checks].into_iter().flatten().min()
    }
}
