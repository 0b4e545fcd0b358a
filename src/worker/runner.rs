//! One bridge on a thread of its own: what it does there, or fails to do, holds up nobody else.
//!
//! Whoever has something for the bridge puts it into its inbox and goes on. One that hangs is shown as hanging; its
//! events wait. One that hangs when it is to end is fenced off and left behind: what it has not done is its successor's,
//! and whatever it does later counts for nothing. What becomes of one that panics is told in [`super::panics`].

use super::inbox::{Inbox, Item, Numbered};
use super::panics::Hold;
use crate::bridge::{Bridge, BridgeState, BridgeStatus, Fence, Health, Reporter, StartError, Wants};
use crate::clock::{Clock, Moment, SystemClock};
use crate::printer::{Event, FileChange, Sight};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Notify;

/// Stack of a bridge's thread, in bytes. Its rules need little; what talks to the network has threads of its own.
const STACK: usize = 256 * 1024;
/// A bridge that works at one thing for so long hangs.
const HANGS: Duration = Duration::from_secs(30);
/// What a bridge may take beyond its grace to end.
const NOTICE: Duration = Duration::from_millis(500);

/// Starts the bridge.
pub(super) type Factory = Box<dyn FnOnce() -> Result<Box<dyn Bridge>, StartError> + Send>;

/// The handle of a bridge's thread.
pub(super) struct Runner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    name: String,
    clock: SystemClock,
    /// Told whenever an event was taken.
    taken: Arc<Notify>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    inbox: Inbox,
    /// Number of the newest event that the bridge has taken.
    taken: u64,
    /// Since when the bridge works at one thing.
    busy_since: Option<Duration>,
    /// The event that it works at.
    current: Option<Numbered>,
    /// It was left behind, and may not take or settle anything.
    fenced: bool,
    /// With how much grace the bridge is to end.
    stop: Option<Duration>,
    /// The one whose place it takes has not ended yet, and may still have events.
    succeeds: bool,
    /// What it wants besides events; nothing before it runs.
    wants: Wants,
    life: Life,
    /// The state that was shown last, and since when.
    shown: Option<(BridgeState, Duration)>,
    /// What the bridge told of itself last.
    told: Option<BridgeStatus>,
}

/// Where the bridge is in its life.
#[derive(Default)]
enum Life {
    /// It is being started.
    #[default]
    Starting,
    Running(Reporter, Fence),
    /// It failed before, and is started later.
    Held(Hold),
    /// It cannot start until somebody acts.
    Refused(BridgeState, String),
}

/// What a bridge tells, and what its runner adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) status: BridgeStatus,
    /// For how long it is in this state.
    pub(super) state_for: Duration,
}

impl Life {
    /// Whether it works again only after somebody acted.
    fn is_over(&self) -> bool {
        matches!(self, Self::Refused(..) | Self::Held(Hold::Off(_)))
    }

    /// Whether it is going to run by itself.
    fn is_to_come(&self) -> bool {
        matches!(self, Self::Starting | Self::Held(Hold::For(..)))
    }
}

impl Runner {
    /// Starts a bridge on its own thread. With a `predecessor` that one ends first, within its grace, and what waited
    /// for it waits for this one. One that failed before is held back.
    pub(super) fn start(
        name: &str,
        factory: Factory,
        taken: Arc<Notify>,
        predecessor: Option<(Self, Duration)>,
        hold: Option<Hold>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            clock: SystemClock::new(),
            taken,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        if let Some(hold) = hold {
            shared.lock().life = Life::Held(hold);
        }
        let own = Arc::clone(&shared);
        own.lock().succeeds = predecessor.is_some();
        let thread =
            std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
                if let Some((mut before, grace)) = predecessor {
                    before.stop(grace);
                    let left = std::mem::take(&mut before.shared.lock().inbox);
                    let mut state = own.lock();
                    state.inbox.inherit(left);
                    state.succeeds = false;
                }
                if own.hold_back(hold) {
                    own.live(factory);
                }
            })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has an event for the bridge.
    pub(super) fn push_event(&self, number: u64, event: &Arc<Event>) {
        let mut state = self.shared.lock();
        // One that waits for a person would else tell old news once it is paired.
        if !state.life.is_over() {
            state.inbox.push_event(number, Arc::clone(event));
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Has a newer state of the printer for the bridge, if it wants such. One that does not run yet finds it when it does.
    pub(super) fn push_sight(&self, sight: &Sight) {
        let mut state = self.shared.lock();
        if state.wants.snapshots || state.life.is_to_come() {
            state.inbox.push_sight(sight.clone());
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Has a line of the console for the bridge, if it wants such.
    pub(super) fn push_line(&self, line: &Arc<str>, at: Moment) {
        let mut state = self.shared.lock();
        if state.wants.console {
            state.inbox.push_line(Arc::clone(line), at);
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Has a change among the printer's files for the bridge, if it wants such.
    pub(super) fn push_files(&self, change: &Arc<FileChange>) {
        let mut state = self.shared.lock();
        if state.wants.files {
            state.inbox.push_files(Arc::clone(change));
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Whether the bridge has taken every event up to this one, or never will.
    pub(super) fn has_taken(&self, number: u64) -> bool {
        let state = self.shared.lock();
        let idle = state.inbox.waiting() == 0 && state.busy_since.is_none() && !state.succeeds;
        state.life.is_over() || state.taken >= number || idle
    }

    /// How the bridge goes. Answers at once, whatever the bridge does.
    pub(super) fn show(&self) -> Shown {
        self.shared.show()
    }

    /// Ends the bridge: asks it to send what can be sent within `grace`, and leaves it behind if it does not listen.
    pub(super) fn stop(&mut self, grace: Duration) {
        self.shared.lock().stop = Some(grace);
        self.shared.changed.notify_all();
        let Some(thread) = self.thread.take() else { return };
        let deadline = std::time::Instant::now() + grace + NOTICE + Duration::from_millis(100);
        let mut state = self.shared.lock();
        while !thread.is_finished() {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                log::warn!("{} does not end and is left behind", self.shared.name);
                drop(state);
                return self.shared.fence_off();
            }
            let waited = self.shared.changed.wait_timeout(state, left.min(Duration::from_millis(50)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let _ = thread.join();
    }
}

impl Drop for Runner {
    /// One that nobody holds any more ends, too: where no thread was to be had for its successor.
    fn drop(&mut self) {
        self.shared.lock().stop.get_or_insert(Duration::ZERO);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes from a bridge that does not end what it has not done, and its outbox.
    fn fence_off(&self) {
        let mut state = self.lock();
        state.fenced = true;
        if let Some(current) = state.current.take() {
            // Perhaps it was on disk already: the outbox takes a key once.
            state.inbox.put_back(current);
        }
        let life = std::mem::take(&mut state.life);
        drop(state);
        if let Life::Running(_, fence) = life {
            fence();
        }
    }

    /// Waits as long as a bridge that failed is held back. Returns whether it is to be started then.
    fn hold_back(&self, hold: Option<Hold>) -> bool {
        let Some(hold) = hold else { return true };
        let mut state = self.lock();
        if state.life.is_over() {
            // What it took over would be old news.
            state.inbox = Inbox::default();
        }
        self.taken.notify_one();
        let Hold::For(time, _) = hold else { return false };
        let waited = self.changed.wait_timeout_while(state, time, |state| state.stop.is_none());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.life = Life::Starting;
        state.stop.is_none()
    }

    /// Starts the bridge and works for it until it is to stop.
    fn live(&self, factory: Factory) {
        // One that is exchanged before it began leaves its events to the next.
        if self.lock().stop.is_some() {
            return;
        }
        match factory() {
            Ok(bridge) => {
                log::info!("{}: started", self.name);
                // Asked before the lock is taken: a bridge that panics would keep it for ever.
                let (wants, reporter, fence) = (bridge.wants(), bridge.reporter(), bridge.fence());
                let mut state = self.lock();
                if state.fenced {
                    // It was given up while it started.
                    drop(state);
                    fence();
                } else {
                    (state.wants, state.life) = (wants, Life::Running(reporter, fence));
                    if !wants.snapshots {
                        state.inbox.drop_sight();
                    }
                    drop(state);
                }
                self.work(bridge);
            }
            Err(error) => {
                let state = match error {
                    StartError::Unpaired(_) => BridgeState::NeedsPairing,
                    StartError::Setting(_) | StartError::Thread(_) => BridgeState::Failed,
                };
                log::error!("{}: {error}", self.name);
                let mut own = self.lock();
                own.life = Life::Refused(state, error.to_string());
                // It would be old news by the time that somebody has acted.
                own.inbox = Inbox::default();
                drop(own);
                self.taken.notify_one();
            }
        }
    }

    /// Hands the bridge one thing after the other.
    fn work(&self, mut bridge: Box<dyn Bridge>) {
        loop {
            let mut state = self.lock();
            if state.fenced {
                drop(state);
                return bridge.stop(Duration::ZERO);
            }
            let Some(item) = state.inbox.pop() else {
                if let Some(grace) = state.stop {
                    drop(state);
                    return bridge.stop(grace);
                }
                let idle = |state: &mut State| state.inbox.is_empty() && state.stop.is_none();
                drop(self.changed.wait_while(state, idle));
                continue;
            };
            state.busy_since = Some(self.clock.now().monotonic);
            if let Item::Event(numbered) = &item {
                state.current = Some(numbered.clone());
            }
            drop(state);
            let number = match item {
                Item::Event(numbered) => {
                    bridge.on_event(&numbered.event);
                    Some(numbered.number)
                }
                Item::Sight(sight) => {
                    bridge.on_sight(&sight);
                    None
                }
                Item::Line(line, at) => {
                    bridge.on_console(&line, at);
                    None
                }
                Item::Files(change) => {
                    bridge.on_files(&change);
                    None
                }
            };
            let mut state = self.lock();
            state.busy_since = None;
            if let Some(number) = number.filter(|_| !state.fenced) {
                (state.taken, state.current) = (number, None);
                drop(state);
                self.taken.notify_one();
            }
        }
    }

    fn show(&self) -> Shown {
        let now = self.clock.now().monotonic;
        let mut state = self.lock();
        let State { life, told, .. } = &mut *state;
        let mut status = match life {
            Life::Running(reporter, _) => {
                if let Some(now_told) = reporter() {
                    *told = Some(now_told);
                }
                told.clone().unwrap_or_else(|| plain(BridgeState::Starting, Health::Ok, ""))
            }
            Life::Starting => plain(BridgeState::Starting, Health::Ok, ""),
            Life::Held(Hold::For(time, count)) => plain(
                BridgeState::Failed,
                Health::Warn,
                &format!(
                    "failed {count} times in a row by an error of this program; started again after {} s; report the log",
                    time.as_secs()
                ),
            ),
            Life::Held(Hold::Off(count)) => plain(
                BridgeState::Failed,
                Health::Fail,
                &format!(
                    "failed {count} times in a row by an error of this program and is left off until the service is \
                     restarted; report the log"
                ),
            ),
            Life::Refused(refused, why) => plain(*refused, Health::Fail, why),
        };
        let hangs = state.busy_since.map(|since| now.saturating_sub(since)).filter(|time| *time >= HANGS);
        if let Some(time) = hangs {
            (status.state, status.health) = (BridgeState::Failed, Health::Fail);
            status.text = format!(
                "hangs for {} s, {} events wait; if it stays so, restart the service and report the log",
                time.as_secs(),
                state.inbox.waiting()
            );
        }
        if state.inbox.lost > 0 {
            status.dropped += state.inbox.lost;
        }
        let since = match state.shown {
            Some((shown, since)) if shown == status.state => since,
            _ => now,
        };
        state.shown = Some((status.state, since));
        Shown { status, state_for: now.saturating_sub(since) }
    }
}

fn plain(state: BridgeState, health: Health, text: &str) -> BridgeStatus {
    BridgeStatus {
        state,
        health,
        text: text.to_owned(),
        queued: 0,
        dropped: 0,
        last_ok: None,
        last_error: None,
    }
}

#[cfg(test)]
mod tests;
