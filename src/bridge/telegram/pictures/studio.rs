//! The thread that waits for pictures, and for what a model says of them. It lives only while a job is under way, and a
//! little longer for its end; a check has a thread of its own, since it may take minutes.

use super::super::commands::{self, Checks};
use super::super::delivery::Outgoing;
use super::super::live::Live;
use super::super::notify::Note;
use super::diary::Diary;
use super::inspector::{Errand, Inspector};
use super::photos::{Photos, Wish};
use crate::camera::{Camera, Frame};
use crate::clock::{Clock, Moment, SystemClock};
use crate::defects::{Checker, Failure, Outcome};
use crate::outbox::{FileStore, Store};
use crate::printer::Sight;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Stack of the thread, in bytes. The camera fetches on a thread of its own.
const STACK: usize = 128 * 1024;
/// Stack of a check's thread, in bytes: a TLS handshake needs the most.
const CHECK_STACK: usize = 256 * 1024;
/// How often pictures that were handed in are looked after.
const CARE: Duration = Duration::from_secs(60);

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

/// What a picture is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Want {
    /// For the chat.
    Photo(Wish),
    /// For a check, at most so old.
    Check(Duration),
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
    fn silence(&mut self, job: &str, now: Moment) {
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

/// Looks for the picture; blocks while the camera is asked, or until `stops`.
pub(in crate::bridge::telegram) fn look(
    camera: &Camera,
    want: Want,
    stops: &dyn Fn() -> bool,
) -> Option<Arc<Frame>> {
    match want {
        Want::Photo(Wish::Fresh(age) | Wish::End(age)) | Want::Check(age) => {
            camera.frame_unless(age, stops)?.ok()
        }
        Want::Photo(Wish::Any) => camera.latest(),
    }
}

/// The desk and its thread.
pub(in crate::bridge::telegram) struct Studio {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Of the bridge; its threads have it as well.
    name: String,
    clock: SystemClock,
    checker: Option<Arc<Checker>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    desk: Desk,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Studio {
    /// Without a thread, until there is something to do. Threads have the name of the bridge.
    pub(in crate::bridge::telegram) fn new(
        desk: Desk,
        checker: Option<Checker>,
        clock: SystemClock,
        bridge: &str,
    ) -> Self {
        let shared = Shared {
            name: bridge.to_owned(),
            clock,
            checker: checker.map(Arc::new),
            state: Mutex::new(State { desk, closed: false }),
            changed: Condvar::new(),
        };
        Self { shared: Arc::new(shared), thread: None }
    }

    /// Tells the desk something; every thread drops a clone of `alive` when it ends.
    pub(in crate::bridge::telegram) fn tell(&mut self, alive: &Sender<()>, news: impl FnOnce(&mut Desk)) {
        let mut state = self.shared.lock();
        news(&mut state.desk);
        let busy = state.desk.next().is_some();
        drop(state);
        self.shared.changed.notify_all();
        if busy && self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            let (shared, alive) = (Arc::clone(&self.shared), alive.clone());
            let thread = std::thread::Builder::new().name(self.shared.name.clone()).stack_size(STACK);
            match thread.spawn(move || work(&shared, &alive)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => log::warn!("{}: no photos for lack of a thread: {error}", self.shared.name),
            }
        }
    }

    /// The way to the checks for those who may ask for them; none where there are no checks.
    pub(in crate::bridge::telegram) fn checks(&self) -> Option<Checks> {
        self.shared.checker.as_ref()?;
        let (now, quiet) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let ask = move || {
            let told = match &mut now.lock().desk.inspector {
                Some(inspector) => inspector.ask(now.clock.now()),
                None => Ok(()),
            };
            now.changed.notify_all();
            told
        };
        let silence = move |job: &str| {
            quiet.lock().desk.silence(job, quiet.clock.now());
        };
        Some(Checks { now: Box::new(ask), quiet: Box::new(silence) })
    }

    /// Ends the threads soon.
    pub(in crate::bridge::telegram) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(checker) = &self.shared.checker {
            checker.stop();
        }
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn work(shared: &Arc<Shared>, alive: &Sender<()>) {
    let mut state = shared.lock();
    while !state.closed {
        let now = shared.clock.now();
        if let Some(want) = state.desk.want(now) {
            let camera = state.desk.camera.clone();
            drop(state);
            let frame = look(&camera, want, &|| shared.lock().closed);
            state = shared.lock();
            let now = shared.clock.now();
            match (want, frame) {
                (Want::Photo(wish), frame) => state.desk.on_photo(wish, frame.as_ref(), now),
                (Want::Check(_), Some(frame)) => check(shared, &mut state, frame, alive.clone()),
                (Want::Check(_), None) => {}
            }
            continue;
        }
        let Some(next) = state.desk.next() else { return };
        let wait = next.saturating_sub(now.monotonic).clamp(Duration::from_millis(10), CARE);
        state = shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Has a picture checked, on a thread of its own.
fn check(shared: &Arc<Shared>, state: &mut State, frame: Arc<Frame>, alive: Sender<()>) {
    let Some(checker) = shared.checker.clone() else { return };
    let now = shared.clock.now();
    let Some(errand) = state.desk.begin(frame, now) else {
        return;
    };
    // The errand must come back, also where no thread is to be had.
    let errand = Arc::new(Mutex::new(Some(errand)));
    let (carried, ours) = (Arc::clone(&errand), Arc::clone(shared));
    let thread = std::thread::Builder::new().name(shared.name.clone()).stack_size(CHECK_STACK);
    let spawned = thread.spawn(move || {
        let Some(errand) = take(&carried) else { return };
        let outcome = checker.check(&errand.subject(), &errand.frame.jpeg, errand.most_requests());
        ours.lock().desk.on_checked(errand, &outcome, ours.clock.now());
        drop(alive);
    });
    if let Err(error) = spawned
        && let Some(errand) = take(&errand)
    {
        let outcome = Outcome { requests: 0, result: Err(Failure::not_started(&error)) };
        state.desk.on_checked(errand, &outcome, now);
    }
}

fn take<T>(shared: &Mutex<Option<T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).take()
}
