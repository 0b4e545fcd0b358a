//! When a picture is due, and what is written below it. Pure: what is seen and the time in, wishes out.
//!
//! One at the start of a job and after each interval, if the camera gives a fresh one; and one at the end, newer than
//! the end if possible, of whatever age if not.

use super::config::{Config, Kind};
use super::notify::{Note, Summary};
use super::text;
use crate::calendar;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use crate::printer::{Event, EventKind, Sight};
use std::sync::Arc;
use std::time::Duration;

/// How often a camera is looked at that has no fresh picture: one that is asked costs the printer something.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a picture of the end is waited for.
const END: Duration = Duration::from_secs(3);
/// How often it is looked for meanwhile.
const SOON: Duration = Duration::from_millis(500);

/// A picture that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// One of the job under way, at most so old.
    Fresh(Duration),
    /// One of the end, at most so old: it must be newer than the end.
    End(Duration),
    /// One of the end: the newest that there is, whatever its age.
    Any,
}

/// Watches one printer for one chat.
#[derive(Debug)]
pub(super) struct Photos {
    interval: Option<Duration>,
    fresh: Duration,
    printer: String,
    job: Option<Running>,
    end: Option<End>,
}

/// The job under way.
#[derive(Debug)]
struct Running {
    /// The beginning of its keys.
    key: Arc<str>,
    name: String,
    summary: Summary,
    /// How many pictures of it grew too old before they were sent: each is replaced by one with a key of its own.
    lost: u32,
    /// When the next is due, on the monotonic clock.
    due: Duration,
}

/// The end of a job, or another moment of which a picture is wanted.
#[derive(Debug)]
struct End {
    key: String,
    headline: String,
    since: Duration,
    look: Duration,
}

impl Photos {
    /// Has seen nothing yet. A picture is fresh up to the age `fresh`.
    pub(super) fn new(config: &Config, fresh: Duration) -> Self {
        let printer = config.printer.clone();
        Self { interval: config.photo_interval, fresh, printer, job: None, end: None }
    }

    /// What is seen of the printer.
    pub(super) fn on_sight(&mut self, sight: &Sight) {
        let print = sight.snapshot.print.as_ref().filter(|print| print.state.is_active());
        let (Some(key), Some(print)) = (&sight.job, print) else {
            self.job = None;
            return;
        };
        let same = self.job.take().filter(|job| job.key == *key);
        let (lost, due) = same.map_or((0, sight.at.monotonic), |job| (job.lost, job.due));
        let name = text::name(print.name().unwrap_or_default());
        self.job =
            Some(Running { key: Arc::clone(key), name, summary: Summary::of(&sight.snapshot), lost, due });
    }

    /// What happened, and how that was told.
    pub(super) fn on_event(&mut self, event: &Event, told: Option<&Note>, now: Moment) {
        let ended = matches!(
            event.kind,
            EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. } | EventKind::Ended
        );
        if let (true, Some(note)) = (ended, told) {
            self.job = None;
            let headline = note.text.lines().next().unwrap_or_default().to_owned();
            let key = format!("{}/photo", event.key);
            // One that is told late has no picture that shows it.
            let late = now.unix.saturating_sub(event.at) > self.fresh;
            match late {
                true => self.end = None,
                false => self.show(key, headline, now),
            }
        }
    }

    /// Somebody wants a picture of this moment, under that headline. One that was wanted before and is not there yet is
    /// given up.
    pub(super) fn show(&mut self, key: String, headline: String, now: Moment) {
        let (since, look) = (now.monotonic, now.monotonic);
        self.end = Some(End { key, headline, since, look });
    }

    /// The picture that is due at `now`.
    pub(super) fn wish(&self, now: Moment) -> Option<Wish> {
        let now = now.monotonic;
        if let Some(end) = &self.end {
            let passed = now.saturating_sub(end.since);
            return match passed >= END {
                true => Some(Wish::Any),
                false => (now >= end.look).then_some(Wish::End(passed)),
            };
        }
        self.interval?;
        let job = self.job.as_ref()?;
        (now >= job.due).then_some(Wish::Fresh(self.fresh))
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none while nothing is under way.
    pub(super) fn next(&self) -> Option<Duration> {
        if let Some(end) = &self.end {
            return Some(end.look.min(end.since + END));
        }
        self.interval?;
        Some(self.job.as_ref()?.due)
    }

    /// There is no such picture now.
    pub(super) fn on_none(&mut self, wish: Wish, now: Moment) {
        match wish {
            Wish::Fresh(_) => {
                if let Some(job) = &mut self.job {
                    job.due = now.monotonic + AGAIN;
                }
            }
            Wish::End(_) => {
                if let Some(end) = &mut self.end {
                    end.look = now.monotonic + SOON;
                }
            }
            Wish::Any => self.end = None,
        }
    }

    /// There it is: what to say of it.
    pub(super) fn on_frame(&mut self, wish: Wish, frame: &Frame, now: Moment) -> Option<Note> {
        let taken = calendar::is_set(frame.taken.unix).then(|| calendar::utc(frame.taken.unix));
        let (key, caption) = match wish {
            Wish::Fresh(_) => {
                let (interval, job) = (self.interval?, self.job.as_mut()?);
                job.due = now.monotonic + interval;
                // A new run of the program knows nothing of the pictures before it. By the wall clock it gives a key
                // of theirs again only for as long as no other picture is due.
                let interval = now.unix.as_secs() / interval.as_secs().max(1);
                let key = format!("{}/photo/{interval}/{}", job.key, job.lost);
                (key, [Some(job.name.clone()), job.summary.line(), taken])
            }
            Wish::End(_) | Wish::Any => {
                let end = self.end.take()?;
                let age = now.monotonic.saturating_sub(frame.taken.monotonic);
                let age = (age > self.fresh).then(|| format!("the picture is {} old", text::span(age)));
                (end.key, [Some(end.headline), taken, age])
            }
        };
        let caption: Vec<String> = caption.into_iter().flatten().collect();
        let text = caption.join("\n");
        let named = matches!(wish, Wish::Fresh(_)) && !self.printer.is_empty();
        let text = if named { format!("[{}] {text}", text::name(&self.printer)) } else { text };
        Some(Note {
            key,
            kind: Kind::Photo,
            importance: Importance::Passing,
            at: now.unix,
            text: text::shorten(&text, text::MOST_CAPTION),
            slot: None,
            held: Duration::ZERO,
            takes_back: None,
        })
    }

    /// The last picture grew too old before it was sent: another is due.
    pub(super) fn on_lost(&mut self, now: Moment) {
        if let Some(job) = &mut self.job {
            job.due = now.monotonic;
            job.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{Print, PrintState, Snapshot};

    fn at(seconds: u64) -> Moment {
        let monotonic = Duration::from_secs(seconds);
        Moment { monotonic, unix: Duration::from_secs(1_795_227_600) + monotonic }
    }

    fn photos(interval: &str) -> Photos {
        let find = |name: &str| {
            let value = match name {
                "TELEGRAM_BOT_TOKEN" => "1:abc",
                "TELEGRAM_CHAT_ID" => "5",
                "PHOTO_INTERVAL_SECONDS" => interval,
                _ => return None,
            };
            Some(value.to_owned())
        };
        Photos::new(&Config::parse(&find).unwrap(), Duration::from_secs(60))
    }

    fn sight(job: &str, now: u64) -> Sight {
        let file = Some("parts/cube.gcode".to_owned());
        let print = Print { state: PrintState::Printing, file, progress: Some(0.1), ..Print::default() };
        let snapshot = Arc::new(Snapshot { print: Some(print), ..Snapshot::default() });
        Sight { snapshot, job: Some(Arc::from(job)), at: at(now) }
    }

    fn frame(taken: u64) -> Frame {
        Frame { jpeg: vec![0xff], taken: at(taken), width: 4, height: 3 }
    }

    fn end(photos: &mut Photos, now: u64) {
        let event =
            Event { kind: EventKind::Finished, job: None, at: at(now).unix, key: "j/finished".into() };
        let note = Note {
            key: event.key.clone(),
            kind: Kind::End,
            importance: Importance::Terminal,
            at: event.at,
            text: "Completed: cube.gcode - 1h 0m\nRUNNING -> FINISH".into(),
            slot: None,
            held: Duration::ZERO,
            takes_back: None,
        };
        photos.on_event(&event, Some(&note), at(now));
    }

    const FRESH: Wish = Wish::Fresh(Duration::from_secs(60));

    #[test]
    fn one_at_the_start_and_after_each_interval() {
        let mut photos = photos("3600");
        assert_eq!((photos.wish(at(1)), photos.next()), (None, None));
        photos.on_sight(&sight("j", 10));
        assert_eq!(photos.wish(at(10)), Some(FRESH));
        photos.on_none(FRESH, at(10));
        assert_eq!((photos.wish(at(14)), photos.wish(at(15))), (None, Some(FRESH)));
        let note = photos.on_frame(FRESH, &frame(14), at(15)).unwrap();
        assert_eq!(note.key, "j/photo/498674/0");
        assert_eq!(note.text, "cube.gcode\n10%\n2026-11-21 02:20 UTC");
        photos.on_sight(&sight("j", 3000));
        assert_eq!(photos.next(), Some(Duration::from_secs(3615)));
        assert_eq!((photos.wish(at(3614)), photos.wish(at(3615))), (None, Some(FRESH)));
        // Another job has its own.
        photos.on_sight(&sight("k", 3000));
        assert_eq!(photos.wish(at(3000)), Some(FRESH));
        assert_eq!(photos.on_frame(FRESH, &frame(2999), at(3000)).unwrap().key, "k/photo/498675/0");
        photos.on_lost(at(3100));
        assert_eq!(photos.wish(at(3100)), Some(FRESH));
        assert_eq!(photos.on_frame(FRESH, &frame(3100), at(3100)).unwrap().key, "k/photo/498675/1");
    }

    #[test]
    fn a_new_run_of_the_program_goes_on_with_the_pictures() {
        let mut keys = Vec::new();
        // Each run sees the job anew, and takes a picture at once.
        for start in [100, 200, 3 * 3600 + 100, 3 * 3600 + 200] {
            let mut photos = photos("3600");
            photos.on_sight(&sight("j", start));
            keys.push(photos.on_frame(FRESH, &frame(start), at(start)).unwrap().key);
        }
        assert_eq!((&keys[0], &keys[2]), (&keys[1], &keys[3]), "it was told already");
        assert_ne!(keys[0], keys[2], "it was not");
    }

    #[test]
    fn the_end_is_shown_by_a_newer_picture_or_by_the_last() {
        let mut photos = photos("0");
        photos.on_sight(&sight("j", 1));
        assert_eq!(photos.wish(at(1)), None);
        end(&mut photos, 100);
        assert_eq!(photos.wish(at(100)), Some(Wish::End(Duration::ZERO)));
        photos.on_none(Wish::End(Duration::ZERO), at(100));
        assert_eq!(photos.wish(at(101)), Some(Wish::End(Duration::from_secs(1))));
        let note = photos.on_frame(Wish::End(Duration::from_secs(1)), &frame(101), at(101)).unwrap();
        assert_eq!(
            (note.key.as_str(), note.text.as_str()),
            ("j/finished/photo", "Completed: cube.gcode - 1h 0m\n2026-11-21 02:21 UTC")
        );
        assert_eq!(photos.next(), None);
        end(&mut photos, 1000);
        assert_eq!(photos.wish(at(1003)), Some(Wish::Any));
        let note = photos.on_frame(Wish::Any, &frame(101), at(1003)).unwrap();
        assert!(note.text.ends_with("\nthe picture is 15m old"), "{}", note.text);
        end(&mut photos, 2000);
        photos.on_none(Wish::Any, at(2003));
        assert_eq!((photos.wish(at(2004)), photos.next()), (None, None));
    }

    #[test]
    fn an_end_that_is_told_late_has_no_picture() {
        let mut photos = photos("3600");
        let event = Event { kind: EventKind::Finished, job: None, at: at(0).unix, key: "j/finished".into() };
        photos.on_event(&event, None, at(0));
        assert_eq!(photos.wish(at(9)), None, "it was not told");
        end(&mut photos, 0);
        photos.end = None;
        let note = photos.on_frame(Wish::Any, &frame(1), at(2));
        assert_eq!(note, None);
    }
}
