//! Pictures that wait to be sent. In memory only: flash is not for what is worthless an hour later.

use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most bytes of pictures that wait.
const MOST: usize = 2 * 1024 * 1024;
/// How long a picture that has more is kept all the same, alone: it may be sent at once, but not wait.
const LARGE: Duration = Duration::from_secs(60);

/// The pictures that messages in the outbox speak of. Clones are the same darkroom.
#[derive(Clone, Default)]
pub(in crate::bridge::telegram) struct Darkroom(Arc<Mutex<Shelf>>);

struct Kept {
    number: u64,
    /// On the monotonic clock.
    since: Duration,
    importance: Importance,
    frame: Arc<Frame>,
}

impl Kept {
    /// When it is worth nothing any more, on the monotonic clock.
    fn until(&self) -> Duration {
        let kept_for = self.importance.kept_for();
        let large = self.frame.jpeg.len() > MOST;
        self.since.saturating_add(if large { LARGE.min(kept_for) } else { kept_for })
    }
}

#[derive(Default)]
struct Shelf {
    frames: VecDeque<Kept>,
    /// One grew too old.
    lost: bool,
}

impl Shelf {
    fn bytes(&self) -> usize {
        self.frames.iter().map(|kept| kept.frame.jpeg.len()).sum()
    }
}

impl Darkroom {
    /// Keeps a picture, and gives the number by which a message speaks of it. Numbers of another run of the program
    /// mean nothing. Without room the oldest of the least important go.
    pub(in crate::bridge::telegram) fn keep(
        &self,
        frame: Arc<Frame>,
        importance: Importance,
        now: Moment,
    ) -> u64 {
        // By chance, since the outbox outlives the program and its pictures do not.
        let number = u64::from(crate::backoff::random()) << 32 | u64::from(crate::backoff::random());
        let mut shelf = self.shelf();
        shelf.frames.push_back(Kept { number, since: now.monotonic, importance, frame });
        while shelf.bytes() > MOST {
            let others = shelf.frames.iter().filter(|kept| kept.number != number);
            let Some(victim) = others.min_by_key(|kept| kept.importance).map(|kept| kept.number) else {
                break;
            };
            shelf.frames.retain(|kept| kept.number != victim);
        }
        number
    }

    /// The picture of that number, while it is kept.
    pub(in crate::bridge::telegram) fn get(&self, number: u64) -> Option<Arc<Frame>> {
        self.shelf().frames.iter().find(|kept| kept.number == number).map(|kept| Arc::clone(&kept.frame))
    }

    /// Throws away the picture of that number, if any, and all that no message speaks of any more at `now`.
    pub(in crate::bridge::telegram) fn clear(&self, number: Option<u64>, now: Moment) {
        let mut shelf = self.shelf();
        shelf.frames.retain(|kept| Some(kept.number) != number);
        let (old, young) =
            std::mem::take(&mut shelf.frames).into_iter().partition(|kept| kept.until() <= now.monotonic);
        shelf.frames = young;
        let old: VecDeque<Kept> = old;
        // In the place of one of the end there is no other.
        shelf.lost |= old.iter().any(|kept| kept.importance == Importance::Passing);
    }

    /// When the next picture is to be thrown away, on the monotonic clock.
    pub(in crate::bridge::telegram) fn next(&self) -> Option<Duration> {
        self.shelf().frames.iter().map(Kept::until).min()
    }

    /// Throws the picture of that number away.
    pub(in crate::bridge::telegram) fn forget(&self, number: u64) {
        self.shelf().frames.retain(|kept| kept.number != number);
    }

    /// Whether a picture grew too old since this was asked last.
    pub(in crate::bridge::telegram) fn take_lost(&self) -> bool {
        std::mem::take(&mut self.shelf().lost)
    }

    /// A panic cannot leave the shelf half changed.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Darkroom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Darkroom({} pictures)", self.shelf().frames.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(seconds), unix: Duration::ZERO }
    }

    fn frame(size: usize) -> Arc<Frame> {
        Arc::new(Frame { jpeg: vec![0; size], taken: at(0), width: 1, height: 1 })
    }

    use Importance::{Important, Normal, Passing};

    fn there(room: &Darkroom, numbers: &[u64]) -> Vec<bool> {
        numbers.iter().map(|number| room.get(*number).is_some()).collect()
    }

    #[test]
    fn the_oldest_of_the_least_important_goes_when_there_is_no_room() {
        let room = Darkroom::default();
        let numbers: Vec<u64> = [Important, Passing, Normal]
            .map(|importance| room.keep(frame(MOST / 2), importance, at(0)))
            .into();
        assert_eq!(there(&room, &numbers), [true, false, true]);
        let newest = room.keep(frame(MOST / 2), Passing, at(0));
        assert_eq!((there(&room, &numbers), there(&room, &[newest])), (vec![true, false, false], vec![true]));
    }

    #[test]
    fn a_picture_of_the_course_of_a_job_grows_old_and_one_of_the_end_waits() {
        let room = Darkroom::default();
        let (course, end) = (room.keep(frame(1), Passing, at(0)), room.keep(frame(1), Normal, at(0)));
        assert_eq!(room.next(), Some(Duration::from_secs(600)));
        room.clear(None, at(599));
        assert_eq!((there(&room, &[course, end]), room.take_lost()), (vec![true, true], false));
        room.clear(None, at(600));
        assert_eq!(there(&room, &[course, end]), [false, true]);
        assert_eq!([room.take_lost(), room.take_lost()], [true, false]);
        room.clear(Some(end), at(601));
        assert_eq!((there(&room, &[end]), room.next(), room.take_lost()), (vec![false], None, false));
    }

    #[test]
    fn one_that_is_larger_than_all_may_have_does_not_wait() {
        let room = Darkroom::default();
        let small = room.keep(frame(1), Important, at(0));
        let huge = room.keep(frame(MOST + 1), Normal, at(0));
        assert_eq!((there(&room, &[small, huge]), room.next()), (vec![false, true], Some(LARGE)));
        room.clear(None, at(60));
        assert_eq!((there(&room, &[huge]), room.take_lost()), (vec![false], false));
    }
}
