//! Pictures that wait to be sent. In memory only: flash is not for what is worthless an hour later.

use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::Importance;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes of pictures that wait; the newest may always.
const MOST: usize = 2 * 1024 * 1024;

/// The pictures that messages in the outbox speak of. Clones are the same darkroom.
#[derive(Clone, Default)]
pub(super) struct Darkroom(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    frames: VecDeque<(u64, Arc<Frame>)>,
}

impl Darkroom {
    /// Keeps a picture, and gives the number by which a message speaks of it. Numbers of another run of the program
    /// mean nothing. Without room the oldest goes.
    pub(super) fn keep(&self, frame: Arc<Frame>) -> u64 {
        // By chance, since the outbox outlives the program and its pictures do not.
        let number = u64::from(crate::backoff::random()) << 32 | u64::from(crate::backoff::random());
        let mut shelf = self.shelf();
        shelf.frames.push_back((number, frame));
        while shelf.frames.len() > 1
            && shelf.frames.iter().map(|(_, frame)| frame.jpeg.len()).sum::<usize>() > MOST
        {
            shelf.frames.pop_front();
        }
        number
    }

    /// The picture of that number, while it is kept.
    pub(super) fn get(&self, number: u64) -> Option<Arc<Frame>> {
        self.shelf().frames.iter().find(|(kept, _)| *kept == number).map(|(_, frame)| Arc::clone(frame))
    }

    /// Throws away the picture of that number, if any, and all that no message speaks of any more at `now`.
    pub(super) fn clear(&self, number: Option<u64>, now: Moment) {
        self.shelf().frames.retain(|(kept, frame)| {
            let age = now.monotonic.saturating_sub(frame.taken.monotonic);
            Some(*kept) != number && age < Importance::Passing.kept_for()
        });
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
    use std::time::Duration;

    fn frame(size: usize) -> Arc<Frame> {
        let taken = Moment { monotonic: Duration::ZERO, unix: Duration::ZERO };
        Arc::new(Frame { jpeg: vec![0; size], taken, width: 1, height: 1 })
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room_and_the_newest_never() {
        let room = Darkroom::default();
        let numbers: Vec<u64> = (0..3).map(|_| room.keep(frame(MOST / 2))).collect();
        assert_eq!(numbers.iter().map(|n| room.get(*n).is_some()).collect::<Vec<_>>(), [false, true, true]);
        let huge = room.keep(frame(3 * MOST));
        assert!(room.get(huge).is_some() && room.get(numbers[2]).is_none());
        let at = |seconds| Moment { monotonic: Duration::from_secs(seconds), unix: Duration::ZERO };
        room.clear(None, at(599));
        assert!(room.get(huge).is_some());
        room.clear(Some(huge), at(1));
        assert!(room.get(huge).is_none());
        let old = room.keep(frame(1));
        room.clear(None, at(600));
        assert!(room.get(old).is_none());
    }
}
