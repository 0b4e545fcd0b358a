//! When a picture is due, and what is written below it. Pure: what is seen and the time in, wishes out.
//!
//! One at the start of a job and after each interval, if the camera gives a fresh one; and one at the end, newer than
//! the end if possible. If not, the newest that is at hand must do, its age with it.

use super::super::config::{Config, Kind};
use super::super::notify::{Note, Summary};
use super::super::text;
use super::diary::Due;
use crate::calendar;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use crate::printer::{Event, EventKind, Sight};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How often a camera is looked at that has no fresh picture: one that is asked costs the printer something.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a picture of the end is waited for.
const END: Duration = Duration::from_secs(3);
/// How often it is looked for meanwhile.
const SOON: Duration = Duration::from_millis(500);

/// Most moments of which pictures are wanted at once.
const MOST_ENDS: usize = 4;
/// Largest picture of a job's course that is kept for its end, in bytes: it stays in memory all the time.
const MOST_SPARE: usize = 512 * 1024;

/// A picture that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Wish {
    /// One of the job under way, at most so old.
    Fresh(Duration),
    /// One of the end, at most so old: it must be newer than the end.
    End(Duration),
    /// One of the end: the newest that there is, whatever its age.
    Any,
}

/// Watches one printer for one chat.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Photos {
    interval: Option<Duration>,
    fresh: Duration,
    printer: String,
    job: Option<Running>,
    /// A job of the run before, and when its next is due, on the monotonic clock.
    before: Option<(String, Duration)>,
    /// The moments of which pictures are wanted, one after the other.
    ends: VecDeque<End>,
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

/// The end of a job, or another moment of which a picture is wanted.
#[derive(Debug)]
struct End {
    key: String,
    headline: String,
    since: Duration,
    look: Duration,
    /// Whether it is the end of a job.
    last: bool,
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
            ends: VecDeque::new(),
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
        if self.ends.len() >= MOST_ENDS {
            let other = self.ends.iter().position(|end| !end.last).unwrap_or_default();
            self.ends.remove(other);
        }
        let spare = self.job.as_ref().and_then(|job| job.spare.clone());
        let (since, look) = (now.monotonic, now.monotonic);
        self.ends.push_back(End { key, headline, since, look, last, spare });
    }

    /// A picture that was taken of the job under way, for whatever reason.
    pub(in crate::bridge::telegram) fn on_other(&mut self, frame: &Arc<Frame>) {
        if let Some(job) = self.job.as_mut().filter(|job| job.seen && frame.jpeg.len() <= MOST_SPARE) {
            job.spare = Some(Arc::clone(frame));
        }
    }

    /// The picture of before that must do where the camera gives none.
    pub(in crate::bridge::telegram) fn spare(&self, wish: Wish) -> Option<Arc<Frame>> {
        let end = self.ends.front().filter(|_| wish == Wish::Any)?;
        end.spare.clone()
    }

    /// The picture that is due at `now`.
    pub(in crate::bridge::telegram) fn wish(&self, now: Moment) -> Option<Wish> {
        let now = now.monotonic;
        if let Some(end) = self.ends.front() {
            let passed = now.saturating_sub(end.since);
            return match passed >= END {
                true => Some(Wish::Any),
                false => (now >= end.look).then_some(Wish::End(passed)),
            };
        }
        self.interval?;
        let job = self.running()?;
        (now >= job.due).then_some(Wish::Fresh(self.fresh))
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none while nothing is under way.
    pub(in crate::bridge::telegram) fn next(&self) -> Option<Duration> {
        if let Some(end) = self.ends.front() {
            return Some(end.look.min(end.since + END));
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
            Wish::End(_) => {
                if let Some(end) = self.ends.front_mut() {
                    end.look = now.monotonic + SOON;
                }
            }
            Wish::Any => {
                self.ends.pop_front();
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
                let end = self.ends.pop_front()?;
                let age = now.monotonic.saturating_sub(frame.taken.monotonic);
                let age = (age > self.fresh).then(|| format!("the picture is {} old", text::span(age)));
                (end.key, [Some(end.headline), taken, age])
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
        assert_eq!(note.key, "j/photo/1795227615000");
        assert_eq!(note.text, "cube.gcode\n10%\n2026-11-21 02:20 UTC");
        photos.on_sight(&sight("j", 3000));
        assert_eq!(photos.next(), Some(Duration::from_secs(3615)));
        assert_eq!((photos.wish(at(3614)), photos.wish(at(3615))), (None, Some(FRESH)));
        // Another job has its own.
        photos.on_sight(&sight("k", 3000));
        assert_eq!(photos.wish(at(3000)), Some(FRESH));
        assert_eq!(photos.on_frame(FRESH, &frame(2999), at(3000)).unwrap().key, "k/photo/1795230600000");
        photos.on_lost(at(3100));
        assert_eq!(photos.wish(at(3100)), Some(FRESH));
    }

    #[test]
    fn the_interval_goes_on_out_of_sight_and_after_a_restart() {
        let mut photos = photos("3600");
        photos.on_sight(&sight("j", 0));
        let first = photos.on_frame(FRESH, &frame(0), at(0)).unwrap().key;
        photos.on_sight(&Sight { job: None, ..sight("j", 10) });
        assert_eq!((photos.wish(at(9000)), photos.next()), (None, None), "it is out of sight");
        photos.on_sight(&sight("j", 20));
        assert_eq!((photos.wish(at(3599)), photos.wish(at(3600))), (None, Some(FRESH)));
        let due = photos.due(at(600)).unwrap();
        assert_eq!(due, Due { job: "j".to_owned(), left: Duration::from_secs(3000) });
        for (job, left, expected) in [
            ("j", due.left, 3050),
            // A clock that was not set: an interval at most.
            ("j", Duration::MAX, 3650),
            ("other", due.left, 60),
        ] {
            let mut next = self::photos("3600");
            next.recall(&Due { job: job.to_owned(), left }, at(50));
            next.on_sight(&sight("j", 60));
            assert_eq!(next.next(), Some(Duration::from_secs(expected)), "{job}");
            let key = next.on_frame(FRESH, &frame(3600), at(3600)).unwrap().key;
            assert_ne!(key, first, "it would be taken for the one before");
        }
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
        assert_eq!((photos.next(), note.importance), (None, Importance::Normal), "it outlasts an outage");
        end(&mut photos, 1000);
        assert_eq!(photos.wish(at(1003)), Some(Wish::Any));
        let note = photos.on_frame(Wish::Any, &frame(101), at(1003)).unwrap();
        assert!(note.text.ends_with("\nthe picture is 15m old"), "{}", note.text);
        end(&mut photos, 2000);
        photos.on_none(Wish::Any, at(2003));
        assert_eq!((photos.wish(at(2004)), photos.next()), (None, None));
    }

    #[test]
    fn each_moment_has_its_picture() {
        let mut photos = photos("0");
        photos.on_sight(&sight("j", 1));
        let macros = |photos: &mut Photos, number: u64| {
            photos.show(format!("macro/{number}"), format!("Look {number}"), at(100));
        };
        // The macro at the end of a print asks for one, and then the print is over.
        macros(&mut photos, 1);
        end(&mut photos, 100);
        let mut keys = Vec::new();
        while let Some(wish) = photos.wish(at(101)) {
            keys.push(photos.on_frame(wish, &frame(101), at(101)).unwrap().key);
        }
        assert_eq!(keys, ["macro/1", "j/finished/photo"]);
        assert_eq!(photos.next(), None);
        // They are bounded, and the end is not what goes.
        end(&mut photos, 100);
        (1..=9).for_each(|number| macros(&mut photos, number));
        let keys: Vec<&str> = photos.ends.iter().map(|end| end.key.as_str()).collect();
        assert_eq!(keys, ["j/finished/photo", "macro/7", "macro/8", "macro/9"]);
    }

    #[test]
    fn the_last_picture_of_the_job_must_do_where_the_camera_gives_none() {
        let mut photos = photos("3600");
        photos.on_sight(&sight("j", 0));
        let small = Arc::new(frame(0));
        let large = Arc::new(Frame { jpeg: vec![0; MOST_SPARE + 1], ..frame(5) });
        photos.on_other(&small);
        photos.on_other(&large);
        photos.on_sight(&sight("j", 10));
        end(&mut photos, 1000);
        assert_eq!(photos.spare(Wish::End(Duration::ZERO)), None, "a newer one may come");
        assert_eq!(photos.spare(Wish::Any), Some(Arc::clone(&small)));
        let note = photos.on_frame(Wish::Any, &small, at(1003)).unwrap();
        assert!(note.text.ends_with("\nthe picture is 16m old"), "{}", note.text);
        // It is of that job alone, and not kept any longer.
        end(&mut photos, 1010);
        assert_eq!((photos.spare(Wish::Any), Arc::strong_count(&small)), (None, 1));
        photos.on_sight(&sight("j", 1020));
        photos.on_other(&small);
        photos.on_sight(&sight("k", 1030));
        assert_eq!(Arc::strong_count(&small), 1);
    }

    #[test]
    fn an_end_that_is_told_late_has_no_picture() {
        let mut photos = photos("3600");
        let event = Event { kind: EventKind::Finished, job: None, at: at(0).unix, key: "j/finished".into() };
        photos.on_event(&event, None, at(0));
        assert_eq!(photos.wish(at(9)), None, "it was not told");
        end(&mut photos, 0);
        photos.ends.clear();
        let note = photos.on_frame(Wish::Any, &frame(1), at(2));
        assert_eq!(note, None);
    }
}
