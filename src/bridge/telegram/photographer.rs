//! The thread that waits for pictures. It lives only while a job is under way, and a little longer for its end.

use super::outgoing::Outgoing;
use super::photos::{Photos, Wish};
use crate::camera::{Camera, Frame};
use crate::clock::{Clock, Moment, SystemClock};
use crate::outbox::{FileStore, Store};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Stack of the thread, in bytes. The camera fetches on a thread of its own.
const STACK: usize = 128 * 1024;
/// How often a picture that was handed in is looked after.
const CARE: Duration = Duration::from_secs(60);

/// Takes pictures for one chat.
#[derive(Debug)]
pub(super) struct Photographer<S = FileStore> {
    pub(super) photos: Photos,
    pub(super) camera: Camera,
    pub(super) outgoing: Outgoing<S>,
}

impl<S: Store> Photographer<S> {
    /// The picture that is due. It may have to be waited for, without this photographer's being held up.
    pub(super) fn wish(&mut self, now: Moment) -> Option<Wish> {
        if self.outgoing.take_lost_picture() {
            self.photos.on_lost(now);
        }
        self.photos.wish(now)
    }

    /// What came of it.
    pub(super) fn on_outcome(&mut self, wish: Wish, frame: Option<Arc<Frame>>, now: Moment) {
        match frame {
            Some(frame) => {
                if let Some(note) = self.photos.on_frame(wish, &frame, now) {
                    self.outgoing.post_picture(note, &frame, now);
                }
            }
            None => self.photos.on_none(wish, now),
        }
    }
}

/// Looks for the picture; blocks while the camera is asked, or until `stops`.
pub(super) fn look(camera: &Camera, wish: Wish, stops: &dyn Fn() -> bool) -> Option<Arc<Frame>> {
    match wish {
        Wish::Fresh(age) | Wish::End(age) => camera.frame_unless(age, stops)?.ok(),
        Wish::Any => camera.latest(),
    }
}

/// The photographer and its thread.
pub(super) struct Studio {
    shared: Arc<Shared>,
    clock: SystemClock,
    name: String,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    photographer: Photographer,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Studio {
    /// Without a thread, until there is something to do.
    /// The thread has the name of its bridge.
    pub(super) fn new(photographer: Photographer, clock: SystemClock, bridge: &str) -> Self {
        let state = Mutex::new(State { photographer, closed: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        Self { shared, clock, name: bridge.to_owned(), thread: None }
    }

    /// Tells the photographer something; `alive` is dropped when its thread ends.
    pub(super) fn tell(&mut self, alive: impl Send + 'static, news: impl FnOnce(&mut Photos)) {
        let mut state = self.shared.lock();
        news(&mut state.photographer.photos);
        let busy = state.photographer.photos.next().is_some();
        drop(state);
        self.shared.changed.notify_all();
        if busy && self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            let (shared, clock) = (Arc::clone(&self.shared), self.clock);
            let thread = std::thread::Builder::new().name(self.name.clone()).stack_size(STACK);
            let spawned = thread.spawn(move || {
                work(&shared, &clock);
                drop(alive);
            });
            match spawned {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => log::warn!("telegram: no photos for lack of a thread: {error}"),
            }
        }
    }

    /// Ends the thread soon.
    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn work(shared: &Shared, clock: &dyn Clock) {
    let mut state = shared.lock();
    while !state.closed {
        let now = clock.now();
        if let Some(wish) = state.photographer.wish(now) {
            let camera = state.photographer.camera.clone();
            drop(state);
            let frame = look(&camera, wish, &|| shared.lock().closed);
            state = shared.lock();
            state.photographer.on_outcome(wish, frame, clock.now());
            continue;
        }
        let Some(next) = state.photographer.photos.next() else { return };
        let wait = next.saturating_sub(now.monotonic).clamp(Duration::from_millis(10), CARE);
        state = shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}
