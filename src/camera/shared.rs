//! What all handles share: the last picture, the fetch under way, and those who wait for it.

use super::choose::{Choice, Chosen, NoCamera};
use super::fetch::Fetcher;
use super::jpeg::{self, JpegError};
use super::limits::Limits;
use super::{CameraError, CameraStatus, Frame};
use crate::clock::{Clock, Moment};
use crate::printer::Webcam;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// Stack of the thread of a fetch, in bytes.
const STACK: usize = 256 * 1024;
/// Name of that thread.
pub(super) const THREAD: &str = "camera";
/// How much longer than its limit a fetch may take before those who wait are told; what has no limit is the look-up
/// of a name, and the call to the vendor's service.
const PATIENCE: Duration = Duration::from_secs(1);

/// A picture, or why there is none.
pub(super) type Outcome = Result<Arc<Frame>, CameraError>;

/// What comes of asking for a picture.
pub(super) enum Asked {
    /// It is known at once.
    Known(Outcome),
    /// A fetch is under way.
    Waiting(oneshot::Receiver<Outcome>),
}

/// What all handles share.
pub(super) struct Shared {
    state: Mutex<State>,
    fetcher: Arc<Fetcher>,
    limits: Limits,
}

struct State {
    clock: Box<dyn Clock>,
    choice: Choice,
    /// The printer's list, as it came last.
    webcams: Option<Arc<[Webcam]>>,
    chosen: Result<Chosen, NoCamera>,
    frame: Option<Arc<Frame>>,
    /// Whether the last frame was pushed, not fetched.
    pushed: bool,
    /// When the last frame came, also when it is dropped. As all that follow: on the monotonic clock.
    last: Option<Duration>,
    /// When somebody asked last.
    asked: Duration,
    /// The last failure since the last frame.
    failure: Option<(Duration, CameraError)>,
    /// The fetch under way: when it began.
    running: Option<Duration>,
    /// No fetch begins before this time; none: never any more. And how often one failed by an error of this program.
    held_back: Option<(Option<Duration>, u32)>,
    waiting: Vec<oneshot::Sender<Outcome>>,
    /// The other cameras of the printer that somebody asks for: they follow it with this one.
    others: Vec<Weak<Shared>>,
}

impl State {
    fn age(&self, now: Duration) -> Option<Duration> {
        self.last.map(|last| now.saturating_sub(last))
    }

    /// Chooses a camera out of the printer's list.
    fn choose(&mut self) {
        let Some(webcams) = &self.webcams else { return };
        let chosen = self.choice.of(webcams);
        if self.chosen == chosen {
            return;
        }
        self.chosen = chosen;
        self.failure = None;
        if !self.pushed {
            // It shows what another camera sees.
            (self.frame, self.last) = (None, None);
        }
    }

    /// Why no fetch begins now, if none does.
    fn held_back_at(&self, now: Duration) -> Option<CameraError> {
        let (until, times) = self.held_back?;
        let left = until.map(|until| until.saturating_sub(now));
        (left != Some(Duration::ZERO)).then_some(CameraError::HeldBack { times, left })
    }

    fn keep(&mut self, frame: &Arc<Frame>, pushed: bool) {
        self.frame = Some(Arc::clone(frame));
        self.pushed = pushed;
        self.last = Some(frame.taken.monotonic);
        self.failure = None;
    }
}

impl Shared {
    pub(super) fn new(choice: Choice, fetcher: Fetcher, clock: Box<dyn Clock>, limits: Limits) -> Self {
        let state = State {
            clock,
            choice,
            webcams: None,
            chosen: Err(NoCamera::NotYet),
            frame: None,
            pushed: false,
            last: None,
            asked: Duration::ZERO,
            failure: None,
            running: None,
            held_back: None,
            waiting: Vec::new(),
            others: Vec::new(),
        };
        Self { state: Mutex::new(state), fetcher: Arc::new(fetcher), limits }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Another camera of the same printer. It has the same means to fetch a picture, so that the vendor's service is
    /// asked once for all.
    pub(super) fn other(&self, wanted: Arc<str>, clock: Box<dyn Clock>, limits: Limits) -> Arc<Self> {
        let mut state = self.state();
        let mut other = State {
            clock,
            choice: Choice { wanted: Some(wanted), ..state.choice.clone() },
            webcams: state.webcams.clone(),
            chosen: Err(NoCamera::NotYet),
            frame: None,
            pushed: false,
            last: None,
            asked: Duration::ZERO,
            failure: None,
            running: None,
            held_back: state.held_back,
            waiting: Vec::new(),
            others: Vec::new(),
        };
        other.choose();
        let fetcher = Arc::clone(&self.fetcher);
        let other = Arc::new(Self { state: Mutex::new(other), fetcher, limits });
        state.others.retain(|other| other.strong_count() > 0);
        state.others.push(Arc::downgrade(&other));
        other
    }

    /// Does the same to the other cameras.
    fn to_others(&self, act: impl Fn(&Self)) {
        let others = self.state().others.clone();
        others.iter().filter_map(Weak::upgrade).for_each(|other| act(&other));
    }

    /// A panic cannot leave the state half changed: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn latest(&self) -> Option<Arc<Frame>> {
        let mut state = self.state();
        state.asked = state.clock.now().monotonic;
        state.frame.clone()
    }

    pub(super) fn ask(self: &Arc<Self>, max_age: Duration) -> Asked {
        let mut state = self.state();
        let now = state.clock.now().monotonic;
        state.asked = now;
        let age = state.age(now);
        if let (Some(frame), Some(age)) = (&state.frame, age) {
            let fetching = state.running.is_some();
            if age <= max_age || (age < self.limits.apart && !fetching) {
                return Asked::Known(Ok(Arc::clone(frame)));
            }
        }
        if let Some(begun) = state.running {
            if self.hangs(begun, now) {
                return Asked::Known(Err(CameraError::Hangs));
            }
            return Asked::Waiting(wait(&mut state));
        }
        if let Some((at, error)) = &state.failure
            && now.saturating_sub(*at) < self.limits.apart
        {
            return Asked::Known(Err(error.clone()));
        }
        let chosen = match (&state.chosen, age) {
            (Ok(chosen), _) => chosen.clone(),
            (Err(_), Some(age)) if state.pushed => return Asked::Known(Err(CameraError::Old { age })),
            (Err(none), _) => return Asked::Known(Err(none.clone().into())),
        };
        if let Some(error) = state.held_back_at(now) {
            return Asked::Known(Err(error));
        }
        let shared = Arc::clone(self);
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).stack_size(STACK);
        // It waits for the state, which is ours until it is marked as running.
        if let Err(error) = thread.spawn(move || shared.fetch(&chosen)) {
            return Asked::Known(Err(CameraError::Thread(error.to_string().into())));
        }
        state.running = Some(now);
        if !state.pushed {
            // Too old for whoever asks, and two pictures at a time are too much for a printer's memory.
            state.frame = None;
        }
        Asked::Waiting(wait(&mut state))
    }

    /// The work of a fetch's thread.
    fn fetch(&self, chosen: &Chosen) {
        let fetched = self.fetcher.fetch(chosen);
        let mut state = self.state();
        let now = state.clock.now();
        let outcome = match fetched {
            _ if state.chosen.as_ref() != Ok(chosen) => Err(CameraError::Changed),
            Ok((jpeg, (width, height))) => {
                let frame = Arc::new(Frame { jpeg, taken: now, width, height });
                state.keep(&frame, false);
                Ok(frame)
            }
            Err(fault) => {
                let address = chosen.source.address().to_string().into();
                let error = CameraError::Fetch { camera: Arc::clone(&chosen.name), address, fault };
                state.failure = Some((now.monotonic, error.clone()));
                Err(error)
            }
        };
        state.running = None;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        tell(waiting, &outcome);
    }

    pub(super) fn set_webcams(&self, webcams: &Arc<[Webcam]>) {
        self.to_others(|other| other.set_webcams(webcams));
        let mut state = self.state();
        if state.webcams.as_ref().is_some_and(|known| Arc::ptr_eq(known, webcams)) {
            return;
        }
        state.webcams = Some(Arc::clone(webcams));
        state.choose();
    }

    pub(super) fn want(&self, wanted: Option<Arc<str>>) {
        let mut state = self.state();
        if state.choice.wanted != wanted {
            state.choice.wanted = wanted;
            state.choose();
        }
    }

    pub(super) fn follow(&self, web: String, moonraker: String, stock: bool) {
        self.to_others(|other| other.follow(web.clone(), moonraker.clone(), stock));
        let mut state = self.state();
        let wanted = state.choice.wanted.clone();
        let choice = Choice { wanted, web, moonraker, stock };
        if state.choice == choice {
            return;
        }
        // The list and what is at hand are another printer's.
        state.choice = choice;
        (state.webcams, state.chosen) = (None, Err(NoCamera::NotYet));
        (state.frame, state.last, state.pushed, state.failure) = (None, None, false, None);
        self.fetcher.forget_wake();
    }

    pub(super) fn hold_back(&self, pause: Option<Duration>, times: u32) {
        self.to_others(|other| other.hold_back(pause, times));
        let mut state = self.state();
        let now = state.clock.now().monotonic;
        state.held_back = Some((pause.map(|pause| now.saturating_add(pause)), times));
    }

    pub(super) fn offer(&self, jpeg: Vec<u8>, at: Moment) -> Result<(), JpegError> {
        let (width, height) = jpeg::check(&jpeg, self.limits.most)?;
        let frame = Arc::new(Frame { jpeg, taken: at, width, height });
        self.state().keep(&frame, true);
        Ok(())
    }

    pub(super) fn status(&self) -> CameraStatus {
        let state = self.state();
        let now = state.clock.now().monotonic;
        let chosen = state.chosen.as_ref().ok();
        let none = state.chosen.as_ref().err().filter(|_| !state.pushed);
        let held_back = state.held_back_at(now).map(|error| error.to_string());
        let failure = state.failure.as_ref().map(|(_, error)| error.to_string()).or(held_back);
        CameraStatus {
            name: chosen.map(|chosen| Arc::clone(&chosen.name)),
            address: chosen.map(|chosen| chosen.source.address().to_string()),
            frame_age: state.age(now),
            error: failure.or_else(|| none.map(ToString::to_string)),
        }
    }

    pub(super) fn on_tick(&self, now: Moment) {
        self.to_others(|other| other.on_tick(now));
        let now = now.monotonic;
        let mut state = self.state();
        if !state.pushed && now.saturating_sub(state.asked) >= self.limits.forget {
            state.frame = None;
        }
        if state.running.is_some_and(|begun| self.hangs(begun, now)) {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            tell(waiting, &Err(CameraError::Hangs));
        }
    }

    fn hangs(&self, begun: Duration, now: Duration) -> bool {
        now.saturating_sub(begun) > self.limits.whole + PATIENCE
    }
}

/// Puts one more into the row of those who wait. Those who went away leave it.
fn wait(state: &mut State) -> oneshot::Receiver<Outcome> {
    let (tell, told) = oneshot::channel();
    state.waiting.retain(|other| !other.is_closed());
    state.waiting.push(tell);
    told
}

fn tell(waiting: Vec<oneshot::Sender<Outcome>>, outcome: &Outcome) {
    for one in waiting {
        // Who does not wait any more needs no answer.
        let _ = one.send(outcome.clone());
    }
}
