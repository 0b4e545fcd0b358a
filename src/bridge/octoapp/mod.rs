//! OctoApp: pushes to its phone apps, as its companion plugin for Moonraker (3.x) sends them, without Python.
//!
//! The apps write a record for each phone into Moonraker's database, and read there that somebody looks after the
//! printer. So nothing is paired, and no account is needed: who is in the database is told.
//!
//! | module | what |
//! |---|---|
//! | [`app`] | the records of the apps, read leniently |
//! | [`registry`] | the database: presence, the key of the cipher, expired and dead records |
//! | [`follow`], [`ends`] | from sights and events to pushes: start, pause, progress; ends |
//! | [`upkeep`] | expired records, renewed Live Activities, the plugin looked for |
//! | [`print`](self::print) | the print that is followed, also over a restart |
//! | [`scan`], [`scanned`] | layers and messages in the G-code, by position |
//! | [`reckon`], [`frontend`] | progress, time left and name as the web front end shows them |
//! | [`push`], [`audience`], [`letter`] | what is told, to whom, when, and how often it is tried |
//! | [`android`], [`cipher`], [`apple`] | the two forms of what phones get |
//! | [`spacing`], [`remote`] | how often progress is told |
//! | [`core`](self::core) | all of it, without threads |
//! | [`outside`], [`world`] | what it needs of the world, and the real one |
//! | [`pairing`], [`trial`] | the first push to a phone that registers, and one on trial |
//! | [`mailbox`] | what waits for the bridge's thread |
//! | [`secrets`], [`print_info`], [`ini`] | the plugin's files |
//! | [`config`] | the settings |
//!
//! Two threads: one does everything that waits for Moonraker or the network, one scans a file where there is one to be
//! scanned. Ends of prints are in the outbox before anything is done about them, and leave it when the service has
//! taken them. All else is worth nothing when it is late.

mod android;
mod app;
mod apple;
mod audience;
mod cipher;
mod config;
mod core;
mod ends;
mod examine;
mod follow;
mod frontend;
mod ini;
mod letter;
mod mailbox;
mod outside;
pub(crate) mod pairing;
mod print;
mod print_info;
mod push;
mod reckon;
mod registry;
pub mod rehearsal;
mod remote;
mod report;
mod scan;
mod scanned;
mod secrets;
mod spacing;
mod trial;
mod upkeep;
mod world;

#[cfg(test)]
mod any_database;

pub use examine::examine;
pub use secrets::moonraker_key;

use self::core::{Core, keep};
use super::{Bridge, Examination, Lookup, Reporter, Setup, StartError, Wants};
use crate::clock::{Clock, SystemClock};
use crate::outbox::{FileStore, Limits, Outbox, Persistence, Queue};
use crate::printer::{Event, Sight};
use mailbox::{Mailbox, News};
use print::PrintFile;
use report::Report;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;
use world::{Interrupt, World};

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "octoapp";

/// Stack of the bridge's thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// How often the disk is tried again while ends of prints are kept in memory.
const DISK_AGAIN: Duration = Duration::from_secs(10);
/// How long an interrupted request may take to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// The running bridge.
pub struct OctoApp {
    mailbox: Mailbox,
    ends: Queue,
    report: Arc<Mutex<Report>>,
    interrupt: Option<Interrupt>,
    /// Tells that the thread has ended, by being disconnected.
    ended: Receiver<()>,
}

/// Starts the bridge with the settings that [`Setup::setting`] finds.
///
/// # Errors
///
/// If a setting is wrong, or the thread cannot be started.
pub fn start(setup: &Setup<'_>) -> Result<Box<dyn Bridge>, StartError> {
    Ok(Box::new(OctoApp::start(setup)?))
}

/// Checks the settings alone.
///
/// # Errors
///
/// If one is wrong; the text names it.
pub fn check(setting: &Lookup<'_>) -> Result<(), StartError> {
    config::read(setting).map(|_| ())
}

/// Sends one message now to every phone that is registered; tells to which.
///
/// # Errors
///
/// If Moonraker cannot be reached, no phone is registered, OctoApp's own plugin runs, or the service takes no push: what
/// to do about it.
pub fn test(examination: &Examination<'_>, text: &str) -> Result<String, String> {
    let addresses = config::read(examination.setting).map_err(|error| error.to_string())?;
    let mut world = World::new((examination.control)()?, Arc::clone(&examination.tls), Mailbox::default());
    trial::test(&mut world, &addresses, text, SystemClock::new().now().unix)
}

impl OctoApp {
    /// Opens the bridge's outbox and starts its thread.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the system has no thread to give. A disk that cannot be used is no error: the status
    /// names it.
    pub fn start(setup: &Setup<'_>) -> Result<Self, StartError> {
        let addresses = config::read(setup.setting)?;
        let (id, data_dir, clock) = (setup.id, setup.data_dir, setup.clock);
        let journal = data_dir.join("outbox").join(format!("{id}.journal"));
        let (outbox, recovered) = Outbox::open(&journal, Limits::default());
        log::info!("{id}: outbox {}: {recovered}", journal.display());
        let ends = Queue::new(outbox);
        let mailbox = Mailbox::default();
        let mut world = World::new(setup.control.clone(), Arc::clone(&setup.tls), mailbox.clone());
        let interrupt = world.interrupt();
        let printer_id = secrets::printer_id(data_dir, setup.printer_data, &mut world);
        let file = PrintFile::new(data_dir, setup.printer_data, id);
        let core = Core::new(world, ends.clone(), file, printer_id, addresses, clock.now());
        let report = Arc::clone(&core.report);
        let (alive, ended) = mpsc::channel();
        let own = mailbox.clone();
        let thread = std::thread::Builder::new().name(id.to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            live(core, &own, clock);
            drop::<mpsc::Sender<()>>(alive);
        });
        spawned.map_err(StartError::Thread)?;
        Ok(Self { mailbox, ends, report, interrupt: Some(interrupt), ended })
    }
}

impl Bridge for OctoApp {
    fn on_event(&mut self, event: &Event) {
        if keep(&self.ends, event) {
            self.mailbox.put(News::Event(Box::new(event.clone())));
        }
    }

    fn on_sight(&mut self, sight: &Sight) {
        self.mailbox.put(News::Sight(sight.clone()));
    }

    fn wants(&self) -> Wants {
        Wants { snapshots: true, ..Wants::default() }
    }

    fn reporter(&self) -> Reporter {
        let (report, ends) = (Arc::clone(&self.report), self.ends.clone());
        Box::new(move || {
            let persistence = ends.glance()?.persistence;
            // A thread that was halted while it held the report holds it for ever.
            let report = match report.try_lock() {
                Ok(report) => report,
                Err(TryLockError::Poisoned(report)) => report.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            Some(report.status(match &persistence {
                Persistence::Memory(reason) => Some(reason),
                Persistence::Disk => None,
            }))
        })
    }

    fn stop(&mut self, grace: Duration) {
        self.mailbox.close();
        if self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        if let Some(interrupt) = self.interrupt.take() {
            interrupt.now();
        }
        // Moonraker's answers cannot be interrupted; whatever must not be lost is on disk.
        let _ = self.ended.recv_timeout(NOTICE);
    }
}

/// Does what is due and takes what comes, until the mailbox is closed.
fn live(mut core: Core<World, FileStore>, mailbox: &Mailbox, clock: SystemClock) {
    loop {
        let next = core.work(clock.now());
        let in_memory = core.ends.persistence() != Persistence::Disk;
        let wait = next.saturating_sub(clock.now().monotonic);
        let wait = if in_memory { wait.min(DISK_AGAIN) } else { wait };
        let Some(news) = mailbox.take(wait) else { return };
        for news in news {
            match news {
                News::Event(event) => core.on_event(*event, clock.now()),
                News::Sight(sight) => core.on_sight(sight, clock.now()),
                News::Scanned(print, marks) => core.on_scanned(&print, marks),
            }
        }
        if in_memory {
            core.ends.retry_disk();
        }
    }
}
