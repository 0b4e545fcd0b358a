//! The bridge as it runs: what is started with it, what it is told, and how it ends.

use super::api::{Client, Interrupt};
use super::check::{self, Looking};
use super::commands::{self, Keeper, Listener, Parts};
use super::config::{Config, Kind};
use super::delivery::{self, MovedChat, Outgoing, Sender, chance};
use super::live::Live;
use super::notify::Notifier;
use super::pictures::{Desk, Studio};
use super::report::{self, Report, Surroundings};
use crate::bridge::{Bridge, Fence, Reporter, Setup, StartError, Wants};
use crate::clock::{Clock, Moment, SystemClock};
use crate::outbox::{Limits, Outbox, Persistence, Queue};
use crate::printer::{Event, Sight};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

/// How long an interrupted request may take to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// The running bridge.
pub struct Telegram {
    notifier: Notifier,
    /// Whether macros are told.
    macros: bool,
    live: Live,
    outgoing: Outgoing,
    studio: Option<Studio>,
    listener: Option<Listener>,
    keeper: Keeper,
    /// Whether people may command the printer.
    obeys: bool,
    /// Whether what the console says may be an answer to somebody.
    gcode: bool,
    queue: Queue,
    report: Arc<Mutex<Report>>,
    clock: SystemClock,
    interrupt: Interrupt,
    /// The look at token and chat, which ends with it.
    looking: Option<Looking>,
    /// Every thread of the bridge has one until it ends; the bridge itself until it is stopped.
    alive: Option<mpsc::Sender<()>>,
    /// Tells that all have ended, by being disconnected.
    ended: Receiver<()>,
}

impl Telegram {
    /// Opens the bridge's outbox and starts the sender's thread.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give. A disk that cannot be used is no error: the status names it.
    pub fn start(config: &Config, setup: &Setup<'_>) -> Result<Self, StartError> {
        let (id, data_dir, clock) = (setup.id, setup.data_dir, setup.clock);
        let journal = data_dir.join("outbox").join(format!("{id}.journal"));
        let (outbox, recovered) = Outbox::open(&journal, Limits::default());
        log::info!("{id}: outbox {}: {recovered}", journal.display());
        if let Persistence::Memory(reason) = outbox.persistence() {
            log::warn!("{id}: messages are kept in memory only: {reason}");
        }
        let queue = Queue::new(outbox);
        let client = Client::new(config, Arc::clone(&setup.tls));
        let interrupt = client.interrupt();
        let moved = MovedChat::new(data_dir, id, &config.chat);
        let sender = Sender::new(config, moved, client, queue.clone(), Box::new(clock), Box::new(chance));
        let report = Arc::clone(&sender.report);
        let outgoing = Outgoing::new(queue.clone(), sender.darkroom(), config.silent);
        let live = Live::default();
        let studio = Studio::open(config, setup, &outgoing, &live)?;
        let notifier = Notifier::new(config);
        if config.greeting {
            outgoing.post(notifier.greeting(setup.printer_id, clock.now()), Vec::new());
        }
        let (alive, ended) = mpsc::channel();
        let keeper = Keeper::new(config, setup, live.clone(), sender.paces.clone(), &alive);
        let parts = Parts {
            live: live.clone(),
            paces: sender.paces.clone(),
            report: Arc::clone(&report),
            // The chat is told of the checks in a line of their own.
            reporter: reporter(&queue, &report, None, clock),
            checks: studio.as_ref().and_then(Studio::checks),
            keeper: keeper.clone(),
            alive: &alive,
        };
        let listener = Listener::start(config, setup, parts)?;
        delivery::start(sender, id, alive.clone()).map_err(StartError::Thread)?;
        let looking = check::start(config, setup, &report);
        Ok(Self {
            notifier,
            macros: config.events.has(Kind::Macro),
            live,
            outgoing,
            studio,
            obeys: config.access.is_open(),
            gcode: config.access.is_open() && config.takes_scripts(),
            listener,
            keeper,
            queue,
            report,
            clock,
            interrupt,
            looking,
            alive: Some(alive),
            ended,
        })
    }
}

impl Bridge for Telegram {
    fn on_event(&mut self, event: &Event) {
        let now = self.clock.now();
        let mute = self.live.lock().mute.clone();
        let note = self.notifier.on_event(event, &mute, now);
        if let Some(note) = &note {
            let file = event.job.as_ref().map(|job| job.file.as_str()).filter(|file| !file.is_empty());
            let buttons = match file {
                Some(file) if self.obeys && note.kind == Kind::End => commands::below_an_end(file),
                _ => Vec::new(),
            };
            self.outgoing.post(note.clone(), buttons);
        }
        self.tell_studio(|desk| {
            if let Some(photos) = &mut desk.photos {
                photos.on_event(event, note.as_ref(), now);
            }
        });
    }

    fn on_sight(&mut self, sight: &Sight) {
        let mute = {
            let mut live = self.live.lock();
            live.sight = Some(sight.clone());
            live.mute.clone()
        };
        for note in self.notifier.on_sight(sight, &mute, &|key| self.outgoing.knows(key)) {
            self.outgoing.post(note, Vec::new());
        }
        self.keeper.on_sight(sight);
        self.tell_studio(|desk| desk.on_sight(sight));
    }

    fn on_console(&mut self, line: &str, at: Moment) {
        if self.gcode {
            self.live.lock().heard(line, at.monotonic);
        }
        let mute = self.live.lock().mute.clone();
        let Some((note, said)) = self.notifier.on_console(line, &mute, at) else { return };
        let (key, headline) = (format!("{}/photo", note.key), note.text.clone());
        if !said.text.is_empty() {
            self.outgoing.post(note, Vec::new());
        }
        if said.photo {
            self.tell_studio(|desk| {
                if let Some(photos) = &mut desk.photos {
                    photos.show(key, headline, at);
                }
            });
        }
    }

    fn wants(&self) -> Wants {
        Wants { snapshots: true, console: self.macros || self.gcode }
    }

    fn reporter(&self) -> Reporter {
        reporter(&self.queue, &self.report, Some(&self.live), self.clock)
    }

    fn stop(&mut self, grace: Duration) {
        self.queue.close();
        if let Some(looking) = self.looking.take() {
            looking.end();
        }
        if let Some(studio) = &self.studio {
            studio.close();
        }
        self.keeper.close();
        if let Some(listener) = &self.listener {
            listener.close();
        }
        self.alive = None;
        if self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        self.interrupt.now();
        if self.ended.recv_timeout(NOTICE) == Err(RecvTimeoutError::Timeout) {
            // Name resolution cannot be interrupted; whatever waits is on disk, for the next to send.
            self.queue.fence(Duration::ZERO);
        }
    }

    fn fence(&self) -> Fence {
        let (queue, interrupt) = (self.queue.clone(), self.interrupt.clone());
        Box::new(move || {
            // A request under way would be made a second time; none goes out from here on.
            interrupt.now();
            queue.fence(NOTICE);
        })
    }
}

impl Telegram {
    fn tell_studio(&mut self, news: impl FnOnce(&mut Desk)) {
        if let (Some(studio), Some(alive)) = (&mut self.studio, &self.alive) {
            studio.tell(alive, news);
        }
    }
}

/// Tells how the bridge goes, and its checks where `live` is given.
fn reporter(queue: &Queue, report: &Arc<Mutex<Report>>, live: Option<&Live>, clock: SystemClock) -> Reporter {
    let (queue, report, live) = (queue.clone(), Arc::clone(report), live.cloned());
    Box::new(move || {
        let now = clock.now().monotonic;
        let checks = live.as_ref().map(|live| live.check_troubles(now)).unwrap_or_default();
        let around = Surroundings { queue: queue.glance()?, checks, now };
        // A sender that was halted while it held the report holds it for ever.
        let report = match report.try_lock() {
            Ok(report) => report,
            Err(TryLockError::Poisoned(report)) => report.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(report::status(&report, &around))
    })
}
