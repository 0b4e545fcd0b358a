//! Telegram: tells a chat, or a topic in it, how jobs go.
//!
//! [`notify`] and [`delivery`] decide and are pure, [`client`] talks, [`sender`] joins them with the outbox. Commands from
//! the chat are in [`commands`], on threads of their own.

mod check;
mod client;
mod commands;
mod config;
mod darkroom;
mod delivery;
mod diary;
mod examine;
mod form;
mod inspector;
mod live;
mod markup;
mod moved;
mod notify;
mod outgoing;
mod pace;
pub mod pairing;
mod photos;
pub mod rehearsal;
mod report;
mod sender;
mod studio;
mod text;
mod wire;

#[cfg(test)]
mod sender_tests;

pub use config::{API_URL, Chat, Config, ConfigError, Token, redact};
pub use examine::examine;

use super::{Bridge, Examination, Fence, Lookup, Reporter, Setup, StartError, Wants};
use crate::clock::{Clock, Moment, SystemClock};
use crate::defects::{self, Checker, Nap};
use crate::outbox::{Limits, Outbox, Persistence, Queue, Woken};
use crate::printer::{Event, Sight};
use check::Check;
use client::{Api, Client, Interrupt};
use commands::{Keeper, Listener, Parts};
use config::Kind;
use delivery::Class;
use diary::Diary;
use inspector::Inspector;
use live::Live;
use moved::MovedChat;
use notify::Notifier;
use outgoing::Outgoing;
use photos::Photos;
use report::{Report, Surroundings};
use rustls::ClientConfig;
use sender::{Next, Sender};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;
use studio::{Desk, Studio};
use wire::Call;

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "telegram";

/// Stack of the sender's thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// How much later than it might a picture is thrown away, so that none is waited for in small steps.
const SLACK: Duration = Duration::from_secs(1);
/// How often the disk is tried again while messages are kept in memory.
const DISK_AGAIN: Duration = Duration::from_secs(10);
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
    check: Option<(Interrupt, mpsc::Sender<()>)>,
    /// Every thread of the bridge has one until it ends; the bridge itself until it is stopped.
    alive: Option<mpsc::Sender<()>>,
    /// Tells that all have ended, by being disconnected.
    ended: Receiver<()>,
}

/// Starts the bridge with the settings that [`Setup::setting`] finds.
///
/// # Errors
///
/// If a setting is missing or wrong, or the thread cannot be started.
pub fn start(setup: &Setup<'_>) -> Result<Box<dyn Bridge>, StartError> {
    Ok(Box::new(Telegram::start(&read_config(setup.setting)?, setup)?))
}

/// Sends one message now, past the outbox, to where the chat of the settings is now.
///
/// # Errors
///
/// If it was not delivered: why, and what to do about it.
pub fn test(examination: &Examination<'_>, text: &str) -> Result<(), String> {
    let mut config = read_config(examination.setting).map_err(|error| error.to_string())?;
    if let Some(moved) = MovedChat::new(examination.data_dir, examination.id, &config.chat).load() {
        config.chat = Chat::Id(moved);
    }
    send_now(&config, Arc::clone(&examination.tls), &SystemClock::new(), text)
}

/// Checks the settings alone.
///
/// # Errors
///
/// If one is missing or wrong; the text names it.
pub fn check(setting: &Lookup<'_>) -> Result<(), StartError> {
    read_config(setting)?;
    read_checks(setting).map(|_| ())
}

fn read_config(setting: &Lookup<'_>) -> Result<Config, StartError> {
    Config::parse(setting).map_err(|error| match error.missing {
        true => StartError::Unpaired(error.to_string()),
        false => StartError::Setting(error.to_string()),
    })
}

fn read_checks(setting: &Lookup<'_>) -> Result<Option<defects::Config>, StartError> {
    defects::Config::read(setting).map_err(|error| StartError::Setting(error.to_string()))
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
        let studio = studio(config, setup, &outgoing, &live)?;
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
        let thread = std::thread::Builder::new().name(id.to_owned()).stack_size(STACK);
        let sending = alive.clone();
        let spawned = thread.spawn(move || {
            deliver(sender);
            drop(sending);
        });
        spawned.map_err(StartError::Thread)?;
        let check = start_check(config, setup, &report);
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
            check,
            alive: Some(alive),
            ended,
        })
    }
}

/// Looks at token and chat on a thread that ends when all is well. Without one to be had the first message tells.
fn start_check(
    config: &Config,
    setup: &Setup<'_>,
    report: &Arc<Mutex<Report>>,
) -> Option<(Interrupt, mpsc::Sender<()>)> {
    let client = Client::new(config, Arc::clone(&setup.tls));
    let interrupt = client.interrupt();
    let (bridge, end) = mpsc::channel();
    let check = Check {
        api: client,
        chat: config.chat.clone(),
        report: Arc::clone(report),
        clock: Box::new(setup.clock),
        spread: chance,
        failures: 0,
        told: None,
        end,
    };
    let thread = std::thread::Builder::new().name(setup.id.to_owned()).stack_size(STACK);
    match thread.spawn(move || check.run()) {
        Ok(_) => Some((interrupt, bridge)),
        Err(error) => {
            log::warn!("{}: the token is not looked at: {error}", setup.id);
            None
        }
    }
}

/// The desk for photos and checks; none where neither is wanted.
fn studio(
    config: &Config,
    setup: &Setup<'_>,
    outgoing: &Outgoing,
    live: &Live,
) -> Result<Option<Studio>, StartError> {
    let checks = read_checks(setup.setting)?;
    // A finding that nobody is told of costs money for nothing.
    let checks = checks.filter(|_| config.events.has(Kind::Alert));
    if checks.is_none() && !config.events.has(Kind::Photo) {
        return Ok(None);
    }
    let now = setup.clock.now();
    let diary = Diary::open(setup.data_dir, setup.id, now);
    let photos = config.events.has(Kind::Photo).then(|| Photos::new(config, setup.fresh));
    let inspector = checks.as_ref().map(|checks| Inspector::new(config, checks, setup.fresh, live.clone()));
    let checker = checks.map(|checks| Checker::new(checks, Arc::clone(&setup.tls), Box::new(Nap::default())));
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
    Ok(Some(Studio::new(desk, checker, setup.clock, setup.id)))
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
        Wants { snapshots: true, console: self.macros || self.gcode, ..Wants::default() }
    }

    fn reporter(&self) -> Reporter {
        reporter(&self.queue, &self.report, Some(&self.live), self.clock)
    }

    fn stop(&mut self, grace: Duration) {
        self.queue.close();
        if let Some((interrupt, bridge)) = self.check.take() {
            drop(bridge);
            interrupt.now();
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

/// Sends one text now, past the outbox, for `octobridge test telegram`.
///
/// # Errors
///
/// If it was not delivered: why, and what to do about it.
pub fn send_now(
    config: &Config,
    tls: Arc<ClientConfig>,
    clock: &dyn Clock,
    text: &str,
) -> Result<(), String> {
    let mut client = Client::new(config, tls);
    let text = text::paragraph(text, text::MOST_MESSAGE);
    let (chat, thread, now) = (&config.chat, config.thread, clock.now().unix);
    let call = Call::message(chat, thread, &text);
    let outcome = client.call(&call, now);
    match delivery::classify(&outcome) {
        Class::Done => Ok(()),
        Class::Migrated(id) => {
            Err(format!("the group {chat} became a supergroup; set TELEGRAM_CHAT_ID to {id}"))
        }
        class => Err(sender::explain(class, &outcome)),
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

/// Delivers until the queue is closed and nothing more can be sent without waiting.
fn deliver<A: Api, S: crate::outbox::Store>(mut sender: Sender<A, S>) {
    loop {
        let next = sender.step();
        let queue = &sender.queue;
        let wait = match next {
            Next::Again => continue,
            Next::At(moment) => Some(moment.saturating_sub(sender.clock.now().monotonic)),
            Next::Idle => None,
        };
        let in_memory = queue.persistence() != Persistence::Disk;
        let disk = in_memory.then_some(DISK_AGAIN);
        // What is held back for hours holds no picture in memory for so long.
        let old = sender.darkroom().next();
        let old = old.map(|old| old.saturating_sub(sender.clock.now().monotonic) + SLACK);
        let longest = [disk, sender.rests_in(), old].into_iter().flatten().min();
        let woken = match wait {
            Some(wait) => queue.sleep(longest.map_or(wait, |longest| wait.min(longest))),
            None => queue.wait(longest),
        };
        if woken == Woken::Closed {
            return;
        }
        if in_memory {
            queue.retry_disk();
        }
    }
}

/// A number from 0 to 1 by chance; 0 where the system has none to give.
fn chance() -> f64 {
    getrandom::u32().map_or(0.0, |random| f64::from(random) / f64::from(u32::MAX))
}
