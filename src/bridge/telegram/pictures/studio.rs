//! The thread that waits for pictures, and for what a model says of them. It lives only while a job is under way, and a
//! little longer for its end; a check has a thread of its own, since it may take minutes.

use super::super::commands::Checks;
use super::super::config::{Config, Kind};
use super::super::delivery::Outgoing;
use super::super::live::Live;
use super::desk::Desk;
use super::diary::Diary;
use super::inspector::Inspector;
use super::photos::Photos;
use super::wish::{Want, look};
use crate::bridge::{Lookup, Setup, StartError};
use crate::camera::Frame;
use crate::clock::{Clock, SystemClock};
use crate::defects::{self, Checker, Failure, Nap, Outcome};
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

/// The settings of the defect checks; none where there are to be none.
///
/// # Errors
///
/// If one is wrong; the text names it.
pub(in crate::bridge::telegram) fn read_checks(
    setting: &Lookup<'_>,
) -> Result<Option<defects::Config>, StartError> {
    defects::Config::read(setting).map_err(|error| StartError::Setting(error.to_string()))
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
    /// The studio for the photos and checks of these settings; none where neither is wanted.
    ///
    /// # Errors
    ///
    /// If a setting of the checks is wrong; the text names it.
    pub(in crate::bridge::telegram) fn open(
        config: &Config,
        setup: &Setup<'_>,
        outgoing: &Outgoing,
        live: &Live,
    ) -> Result<Option<Self>, StartError> {
        let checks = read_checks(setup.setting)?;
        // A finding that nobody is told of costs money for nothing.
        let checks = checks.filter(|_| config.events.has(Kind::Alert));
        if checks.is_none() && !config.events.has(Kind::Photo) {
            return Ok(None);
        }
        let now = setup.clock.now();
        let diary = Diary::open(setup.data_dir, setup.id, now);
        let photos = config.events.has(Kind::Photo).then(|| Photos::new(config, setup.fresh));
        let inspector =
            checks.as_ref().map(|checks| Inspector::new(config, checks, setup.fresh, live.clone()));
        let checker =
            checks.map(|checks| Checker::new(checks, Arc::clone(&setup.tls), Box::new(Nap::default())));
        let mut desk = Desk {
            camera: setup.camera.clone(),
            outgoing: outgoing.clone(),
            diary,
            live: live.clone(),
            buttons: config.access.is_open(),
            photos,
            inspector,
        };
        desk.recall(now);
        Ok(Some(Self::new(desk, checker, setup.clock, setup.id)))
    }

    /// Without a thread, until there is something to do. Threads have the name of the bridge.
    fn new(desk: Desk, checker: Option<Checker>, clock: SystemClock, bridge: &str) -> Self {
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
