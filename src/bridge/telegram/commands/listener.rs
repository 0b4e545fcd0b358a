//! The threads behind the commands: one that polls, and one for each errand under way.

use super::super::api::{Api, Client, Interrupt};
use super::super::config::{Chat, Config};
use super::super::delivery::{MovedChat, Next, Paces};
use super::super::live::Live;
use super::super::report::Report;
use super::clerk::{Checks, Clerk, SharedTokens};
use super::desk::Desk;
use super::errand::{Errand, Task};
use super::keeper::Keeper;
use super::order::Order;
use super::poller::{MenuFile, Poller};
use super::voice::{Nap, Voice};
use crate::bridge::{Reporter, Setup, StartError};
use crate::clock::{Clock, SystemClock};
use rustls::ClientConfig;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Stack of each thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// Most errands at once; an emergency stop may always go.
const MOST_ERRANDS: usize = 4;
/// How long the thread that polls tries to say something, and how long an errand does.
const QUICKLY: Duration = Duration::from_secs(5);
const PATIENTLY: Duration = Duration::from_secs(60);

/// What the commands need of the rest of the bridge.
pub(in crate::bridge::telegram) struct Parts<'a> {
    /// What the bridge's threads know together.
    pub(in crate::bridge::telegram) live: Live,
    /// The paces of all who send.
    pub(in crate::bridge::telegram) paces: Paces,
    /// How the deliveries go, and the hearing with them.
    pub(in crate::bridge::telegram) report: Arc<Mutex<Report>>,
    /// The same in words.
    pub(in crate::bridge::telegram) reporter: Reporter,
    /// The way to the defect checks, where they are on.
    pub(in crate::bridge::telegram) checks: Option<Checks>,
    /// Keeps the answers to `/status` up to date.
    pub(in crate::bridge::telegram) keeper: Keeper,
    /// Every thread drops a clone of it when it ends.
    pub(in crate::bridge::telegram) alive: &'a Sender<()>,
}

/// Listens to the chats, until it is closed.
pub(in crate::bridge::telegram) struct Listener(Arc<Door>);

/// Knows whether the service is being stopped.
struct Door {
    state: Mutex<State>,
    changed: Condvar,
    /// By which a question that is held by the server is interrupted.
    question: Interrupt,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// A question is held by the server.
    held: bool,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a question, which may be held by the server. False: no more questions.
    fn ask(&self, held: bool) -> bool {
        let mut state = self.lock();
        state.held = held;
        !state.closed
    }

    /// Waits so long; false as soon as the service is being stopped.
    fn sleep(&self, time: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

impl Listener {
    /// Starts to listen, if anybody may use commands at all; if nobody may any more, the bot's menu is taken back.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub(in crate::bridge::telegram) fn start(
        config: &Config,
        setup: &Setup<'_>,
        parts: Parts<'_>,
    ) -> Result<Option<Self>, StartError> {
        let menu = MenuFile::new(setup.data_dir, setup.id);
        if !config.access.is_open() && !menu.is_set() {
            return Ok(None);
        }
        let client = Client::new(config, Arc::clone(&setup.tls));
        let door =
            Arc::new(Door { state: Mutex::default(), changed: Condvar::new(), question: client.interrupt() });
        let tokens = SharedTokens::default();
        let log = setup.log.map(std::path::Path::to_owned);
        let clerk = Clerk::new(config, parts.live.clone(), tokens.clone(), parts.checks, log.is_some());
        let desk = Desk {
            control: setup.control.clone(),
            camera: setup.camera.clone(),
            live: parts.live,
            fresh: setup.fresh,
            macros: config.macros.clone(),
            tokens,
            reporter: Some(parts.reporter),
            log,
            printer: config.printer.clone(),
            keeper: parts.keeper,
        };
        let closing = Arc::clone(&door);
        let nap: Nap = Arc::new(move |time| closing.sleep(time));
        let crew = Crew {
            desk: Arc::new(desk),
            config: config.clone(),
            tls: Arc::clone(&setup.tls),
            clock: setup.clock,
            nap: Arc::clone(&nap),
            paces: parts.paces.clone(),
            busy: Arc::default(),
            name: setup.id.to_owned(),
            alive: parts.alive.clone(),
        };
        let voice = Voice {
            api: client,
            clock: Box::new(setup.clock),
            nap,
            format: config.format,
            paces: parts.paces,
            patience: QUICKLY,
        };
        let (moved, configured) =
            (MovedChat::new(setup.data_dir, setup.id, &config.chat), config.chat.clone());
        let mut poller = {
            let moved = MovedChat::new(setup.data_dir, setup.id, &config.chat);
            let follow = move |from: i64, to: i64| {
                if configured == Chat::Id(from) {
                    moved.save(to);
                }
            };
            let run = Box::new(move |errand| crew.run(errand));
            Poller::new(voice, clerk, run, Box::new(follow), parts.report, menu)
        };
        if let (Chat::Id(from), Some(to)) = (&config.chat, moved.load()) {
            poller.moved(*from, to);
        }
        let (ours, alive, clock) = (Arc::clone(&door), parts.alive.clone(), setup.clock);
        let thread = std::thread::Builder::new().name(setup.id.to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            listen(poller, &ours, &clock);
            drop(alive);
        });
        spawned.map_err(StartError::Thread)?;
        Ok(Some(Self(door)))
    }

    /// Ends the threads soon.
    pub(in crate::bridge::telegram) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let held = state.held;
        drop(state);
        self.0.changed.notify_all();
        if held {
            self.0.question.now();
        }
    }
}

fn listen<A: Api>(mut poller: Poller<A>, door: &Door, clock: &dyn Clock) {
    while door.ask(poller.is_waiting_for_people()) {
        let next = poller.step();
        door.ask(false);
        match next {
            Next::Again => {}
            Next::At(moment) => {
                door.sleep(moment.saturating_sub(clock.now().monotonic));
            }
            Next::Idle => return,
        }
    }
}

/// Has errands seen to.
struct Crew {
    desk: Arc<Desk>,
    config: Config,
    tls: Arc<ClientConfig>,
    clock: SystemClock,
    nap: Nap,
    paces: Paces,
    /// Errands under way.
    busy: Arc<AtomicUsize>,
    name: String,
    alive: Sender<()>,
}

impl Crew {
    /// Begins an errand; false if too many are under way.
    fn run(&self, errand: Errand) -> bool {
        let urgent = errand.task == Task::Obey(Order::Stop);
        if self.busy.load(Ordering::Relaxed) >= MOST_ERRANDS && !urgent {
            return false;
        }
        self.busy.fetch_add(1, Ordering::Relaxed);
        let (desk, busy, alive) = (Arc::clone(&self.desk), Arc::clone(&self.busy), self.alive.clone());
        let mut voice = Voice {
            // The thread that polls needs its connection for itself.
            api: Client::new(&self.config, Arc::clone(&self.tls)),
            clock: Box::new(self.clock),
            nap: Arc::clone(&self.nap),
            format: self.config.format,
            paces: self.paces.clone(),
            patience: PATIENTLY,
        };
        let thread = std::thread::Builder::new().name(self.name.clone()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            desk.see_to(&errand, &mut voice);
            busy.fetch_sub(1, Ordering::Relaxed);
            drop(alive);
        });
        if let Err(error) = &spawned {
            self.busy.fetch_sub(1, Ordering::Relaxed);
            log::warn!("{}: no thread for a command: {error}", self.name);
        }
        spawned.is_ok()
    }
}
