//! Pictures that wait to be sent. In memory only: flash is not for what is worthless an hour later.

use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most bytes of pictures that wait; the newest may always.
const MOST: usize = 2 * 1024 * 1024;

/// The pictures that messages in the outbox speak of. Clones are the same darkroom.
#[derive(Clone, Default)]
pub(super) struct Darkroom(Arc<Mutex<Shelf>>);

struct Kept {
    number: u64,
    /// On the monotonic clock.
    since: Duration,
    frame: Arc<Frame>,
}

#[derive(Default)]
struct Shelf {
    frames: VecDeque<Kept>,
    /// One grew too old.
    lost: bool,
}

impl Darkroom {
    /// Keeps a picture, and gives the number by which a message speaks of it. Numbers of another run of the program
    /// mean nothing. Without room the oldest goes.
    pub(super) fn keep(&self, frame: Arc<Frame>, now: Moment) -> u64 {
        // By chance, since the outbox outlives the program and its pictures do not.
        let number = u64::from(crate::backoff::random()) << 32 | u64::from(crate::backoff::random());
        let mut shelf = self.shelf();
        shelf.frames.push_back(Kept { number, since: now.monotonic, frame });
        while shelf.frames.len() > 1
            && shelf.frames.iter().map(|kept| kept.frame.jpeg.len()).sum::<usize>() > MOST
        {
            shelf.frames.pop_front();
        }
        number
    }

    /// The picture of that number, while it is kept.
    pub(super) fn get(&self, number: u64) -> Option<Arc<Frame>> {
        self.shelf().frames.iter().find(|kept| kept.number == number).map(|kept| Arc::clone(&kept.frame))
    }

    /// Throws away the picture of that number, if any, and all that no message speaks of any more at `now`.
    pub(super) fn clear(&self, number: Option<u64>, now: Moment) {
        let mut shelf = self.shelf();
        shelf.frames.retain(|kept| Some(kept.number) != number);
        let before = shelf.frames.len();
        let age = |kept: &Kept| now.monotonic.saturating_sub(kept.since);
        shelf.frames.retain(|kept| age(kept) < Importance::Passing.kept_for());
        shelf.lost |= shelf.frames.len() < before;
    }

    /// Throws the picture of that number away.
    pub(super) fn forget(&self, number: u64) {
        self.shelf().frames.retain(|kept| kept.number != number);
    }

    /// Whether a picture grew too old since this was asked last.
    pub(super) fn take_lost(&self) -> bool {
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

    #[test]
    fn the_oldest_goes_when_there_is_no_room_and_the_newest_never() {
        let room = Darkroom::default();
        let numbers: Vec<u64> = (0..3).map(|_| room.keep(frame(MOST / 2), at(0))).collect();
        assert_eq!(numbers.iter().map(|n| room.get(*n).is_some()).collect::<Vec<_>>(), [false, true, true]);
        let huge = room.keep(frame(3 * MOST), at(0));
        assert!(room.get(huge).is_some() && room.get(numbers[2]).is_none());
        room.clear(None, at(599));
        assert!(room.get(huge).is_some());
        room.clear(Some(huge), at(1));
        assert!(room.get(huge).is_none());
        let old = room.keep(frame(1), at(0));
        assert!(!room.take_lost());
        room.clear(None, at(600));
        assert!(room.get(old).is_none());
        assert_eq!([room.take_lost(), room.take_lost()], [true, false]);
    }
}
