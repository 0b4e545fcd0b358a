//! When a picture is due, and what is written below it. Pure: what is seen and the time in, wishes out.
//!
//! One at the start of a job and after each interval, if the camera gives a fresh one; and one at the end, newer than
//! the end if possible. If not, the newest that is at hand must do, its age with it.

use super::super::config::{Config, Kind};
use super::super::notify::{Note, Summary};
use super::super::text;
use super::diary::Due;
use super::occasions::{Occasion, Occasions};
use super::wish::Wish;
use crate::calendar;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use crate::printer::{Event, EventKind, Sight};
use std::sync::Arc;
use std::time::Duration;

/// How often a camera is looked at that has no fresh picture: one that is asked costs the printer something.
const AGAIN: Duration = Duration::from_secs(5);
/// Largest picture of a job's course that is kept for its end, in bytes: it stays in memory all the time.
const MOST_SPARE: usize = 512 * 1024;

/// Watches one printer for one chat.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Photos {
    interval: Option<Duration>,
    fresh: Duration,
    printer: String,
    job: Option<Running>,
    /// A job of the run before, and when its next is due, on the monotonic clock.
    before: Option<(String, Duration)>,
    occasions: Occasions,
}

/// The job under way.
#[derive(Debug)]
struct Running {
    /// The beginning of its keys.
    key: Arc<str>,
    name: String,
    summary: Summary,
    /// When the next is due, on the monotonic clock.
    due: Duration,
    /// Whether it is seen under way: one that is out of sight may come back.
    seen: bool,
    /// Its last picture, for an end of which the camera gives none.
    spare: Option<Arc<Frame>>,
}

impl Photos {
    /// Has seen nothing yet. A picture is fresh up to the age `fresh`.
    pub(in crate::bridge::telegram) fn new(config: &Config, fresh: Duration) -> Self {
        let printer = config.printer.clone();
        Self {
            interval: config.photo_interval,
            fresh,
            printer,
            job: None,
            before: None,
            occasions: Occasions::default(),
        }
    }

    /// What was due when the program ran before.
    pub(in crate::bridge::telegram) fn recall(&mut self, due: &Due, now: Moment) {
        let left = due.left.min(self.interval.unwrap_or_default());
        self.before = Some((due.job.clone(), now.monotonic.saturating_add(left)));
    }

    /// What is due, for the next run; none before the first job.
    pub(in crate::bridge::telegram) fn due(&self, now: Moment) -> Option<Due> {
        let job = self.job.as_ref()?;
        Some(Due { job: job.key.to_string(), left: job.due.saturating_sub(now.monotonic) })
    }

    /// What is seen of the printer.
    pub(in crate::bridge::telegram) fn on_sight(&mut self, sight: &Sight) {
        let print = sight.snapshot.print.as_ref().filter(|print| print.state.is_active());
        let (Some(key), Some(print)) = (&sight.job, print) else {
            self.lose_sight();
            return;
        };
        let same = self.job.as_ref().filter(|job| job.key == *key).map(|job| job.due);
        let spare = self.job.take_if(|job| job.key == *key).and_then(|job| job.spare);
        let before = self.before.as_ref().filter(|(job, _)| **job == **key).map(|(_, due)| *due);
        let due = same.or(before).unwrap_or(sight.at.monotonic);
        let name = text::name(print.name().unwrap_or_default());
        let summary = Summary::of(&sight.snapshot);
        self.job = Some(Running { key: Arc::clone(key), name, summary, due, seen: true, spare });
    }

    fn lose_sight(&mut self) {
        if let Some(job) = &mut self.job {
            job.seen = false;
        }
    }

    /// The job, while it is seen under way.
    fn running(&self) -> Option<&Running> {
        self.job.as_ref().filter(|job| job.seen)
    }

    /// What happened, and how that was told.
    pub(in crate::bridge::telegram) fn on_event(&mut self, event: &Event, told: Option<&Note>, now: Moment) {
        let ended = matches!(
            event.kind,
            EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. } | EventKind::Ended
        );
        if ended {
            self.lose_sight();
        }
        if let (true, Some(note)) = (ended, told) {
            let headline = note.text.lines().next().unwrap_or_default().to_owned();
            let key = format!("{}/photo", event.key);
            // One that is told late has no picture that shows it.
            let late = now.unix.saturating_sub(event.at) > self.fresh;
            if !late {
                self.push(key, headline, true, now);
            }
        }
        if ended && let Some(job) = &mut self.job {
            job.spare = None;
        }
    }

    /// Somebody wants a picture of this moment, under that headline. It comes after those that were wanted before; of too
    /// many the oldest is given up, but no job's end.
    pub(in crate::bridge::telegram) fn show(&mut self, key: String, headline: String, now: Moment) {
        self.push(key, headline, false, now);
    }

    fn push(&mut self, key: String, headline: String, last: bool, now: Moment) {
        let spare = self.job.as_ref().and_then(|job| job.spare.clone());
        self.occasions.push(Occasion::new(key, headline, last, spare, now.monotonic));
    }

    /// A picture that was taken of the job under way, for whatever reason.
    pub(in crate::bridge::telegram) fn on_other(&mut self, frame: &Arc<Frame>) {
        if let Some(job) = self.job.as_mut().filter(|job| job.seen && frame.jpeg.len() <= MOST_SPARE) {
            job.spare = Some(Arc::clone(frame));
        }
    }

    /// The picture of before that must do where the camera gives none.
    pub(in crate::bridge::telegram) fn spare(&self, wish: Wish) -> Option<Arc<Frame>> {
        if wish == Wish::Any { self.occasions.spare() } else { None }
    }

    /// The picture that is due at `now`.
    pub(in crate::bridge::telegram) fn wish(&self, now: Moment) -> Option<Wish> {
        let now = now.monotonic;
        if !self.occasions.is_empty() {
            return self.occasions.wish(now);
        }
        self.interval?;
        let job = self.running()?;
        (now >= job.due).then_some(Wish::Fresh(self.fresh))
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none while nothing is under way.
    pub(in crate::bridge::telegram) fn next(&self) -> Option<Duration> {
        if !self.occasions.is_empty() {
            return self.occasions.next();
        }
        self.interval?;
        Some(self.running()?.due)
    }

    /// There is no such picture now.
    pub(in crate::bridge::telegram) fn on_none(&mut self, wish: Wish, now: Moment) {
        match wish {
            Wish::Fresh(_) => {
                if let Some(job) = &mut self.job {
                    job.due = now.monotonic + AGAIN;
                }
            }
            Wish::End(_) => self.occasions.look_again(now.monotonic),
            Wish::Any => {
                self.occasions.take();
            }
        }
    }

    /// There it is: what to say of it.
    pub(in crate::bridge::telegram) fn on_frame(
        &mut self,
        wish: Wish,
        frame: &Frame,
        now: Moment,
    ) -> Option<Note> {
        let taken = calendar::is_set(frame.taken.unix).then(|| calendar::utc(frame.taken.unix));
        let (key, caption) = match wish {
            Wish::Fresh(_) => {
                let (interval, job) = (self.interval?, self.job.as_mut()?);
                job.due = now.monotonic + interval;
                // Numbers would begin anew with the program, and those of the run before are taken.
                let key = format!("{}/photo/{}", job.key, now.unix.as_millis());
                (key, [Some(job.name.clone()), job.summary.line(), taken])
            }
            Wish::End(_) | Wish::Any => {
                let occasion = self.occasions.take()?;
                let age = now.monotonic.saturating_sub(frame.taken.monotonic);
                let age = (age > self.fresh).then(|| format!("the picture is {} old", text::span(age)));
                (occasion.key, [Some(occasion.headline), taken, age])
            }
        };
        let caption: Vec<String> = caption.into_iter().flatten().collect();
        let text = caption.join("\n");
        // One of the course of a job is soon replaced by the next, one of the end is worth waiting for.
        let importance =
            if matches!(wish, Wish::Fresh(_)) { Importance::Passing } else { Importance::Normal };
        let named = matches!(wish, Wish::Fresh(_)) && !self.printer.is_empty();
        let text = if named { format!("[{}] {text}", text::name(&self.printer)) } else { text };
        Some(Note {
            key,
            kind: Kind::Photo,
            importance,
            at: now.unix,
            text: text::shorten(&text, text::MOST_CAPTION),
            slot: None,
            held: Duration::ZERO,
            takes_back: None,
        })
    }

    /// The last picture grew too old before it was sent: another is due.
    pub(in crate::bridge::telegram) fn on_lost(&mut self, now: Moment) {
        if let Some(job) = &mut self.job {
            job.due = now.monotonic;
        }
    }
}

#[cfg(test)]
mod tests;
