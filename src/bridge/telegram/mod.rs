//! Telegram: tells a chat, or a topic in it, how jobs go.
//!
//! Only sends; commands from the chat are another matter and need another thread. [`rules`] and [`delivery`]
//! decide and are pure, [`client`] talks, [`sender`] joins them with the outbox.

mod client;
mod config;
mod delivery;
mod examine;
mod moved;
mod pace;
mod report;
mod rules;
mod sender;
mod text;
mod wire;

#[cfg(test)]
mod sender_tests;

pub use config::{API_URL, Chat, Config, ConfigError, RawConfig, Token, redact};
pub use examine::examine;

use super::{Bridge, Lookup, Reporter, Setup, StartError};
use crate::clock::{Clock, SystemClock};
use crate::outbox::{Entry, Limits, Outbox, Persistence, Queue, Woken};
use crate::printer::Event;
use client::{Api, Client, Letter};
use delivery::Class;
use moved::MovedChat;
use report::{Report, Surroundings};
use rustls::ClientConfig;
use sender::{Next, Sender};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;
use ureq::Agent;
use wire::Stored;

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "telegram";

/// Stack of the sender's thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// How often the disk is tried again while messages are kept in memory.
const DISK_AGAIN: Duration = Duration::from_secs(10);
/// How long an interrupted request may take to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// The running bridge.
pub struct Telegram {
    queue: Queue,
    printer: String,
    report: Arc<Mutex<Report>>,
    clock: SystemClock,
    interrupt: Option<Agent>,
    /// Tells that the sender's thread has ended, by being disconnected.
    ended: Receiver<()>,
}

/// Starts the bridge with the settings that [`Setup::setting`] finds.
///
/// # Errors
///
/// If a setting is missing or wrong, or the thread cannot be started.
pub fn start(setup: &Setup<'_>) -> Result<Box<dyn Bridge>, StartError> {
    let config = read_config(setup.setting, setup.printer)?;
    Ok(Box::new(Telegram::start(&config, Arc::clone(&setup.tls), setup.data_dir, setup.id)?))
}

/// Sends one message now, past the outbox.
///
/// # Errors
///
/// If it was not delivered: why, and what to do about it.
pub fn test(setting: &Lookup<'_>, tls: Arc<ClientConfig>, text: &str) -> Result<(), String> {
    let config = read_config(setting, "").map_err(|error| error.to_string())?;
    send_now(&config, tls, &SystemClock::new(), text)
}

/// Checks the settings alone.
///
/// # Errors
///
/// If one is missing or wrong; the text names it.
pub fn check(setting: &Lookup<'_>) -> Result<(), StartError> {
    read_config(setting, "").map(|_| ())
}

fn read_config(setting: &Lookup<'_>, printer: &str) -> Result<Config, StartError> {
    let text = |name| setting(name).unwrap_or_default();
    let raw = RawConfig {
        token: &text("TELEGRAM_BOT_TOKEN"),
        chat: &text("TELEGRAM_CHAT_ID"),
        thread: &text("TELEGRAM_THREAD_ID"),
        api_url: &text("TELEGRAM_API_URL"),
        printer,
    };
    Config::parse(raw).map_err(|error| match error.missing {
        true => StartError::Unpaired(error.to_string()),
        false => StartError::Setting(error.to_string()),
    })
}

impl Telegram {
    /// Opens the outbox of the bridge `id` in `data_dir` and starts the sender's thread.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give. A disk that cannot be used is no error: the status names it.
    pub fn start(
        config: &Config,
        tls: Arc<ClientConfig>,
        data_dir: &Path,
        id: &str,
    ) -> Result<Self, StartError> {
        let journal = data_dir.join("outbox").join(format!("{id}.journal"));
        let (outbox, recovered) = Outbox::open(&journal, Limits::default());
        log::info!("{id}: outbox {}: {recovered}", journal.display());
        if let Persistence::Memory(reason) = outbox.persistence() {
            log::warn!("{id}: messages are kept in memory only: {reason}");
        }
        let queue = Queue::new(outbox);
        let clock = SystemClock::new();
        let client = Client::new(config, tls);
        let interrupt = client.interrupt();
        let moved = MovedChat::new(data_dir, id, &config.chat);
        let sender = Sender::new(config, moved, client, queue.clone(), Box::new(clock), Box::new(chance));
        let report = Arc::clone(&sender.report);
        let (alive, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name(id.to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            // Dropped when the thread ends, however it ends.
            let _alive: mpsc::Sender<()> = alive;
            deliver(sender);
        });
        spawned.map_err(StartError::Thread)?;
        let printer = config.printer.clone();
        Ok(Self { queue, printer, report, clock, interrupt: Some(interrupt), ended })
    }
}

impl Bridge for Telegram {
    fn on_event(&mut self, event: &Event) {
        let Some(note) = rules::note(event, &self.printer) else { return };
        match serde_json::to_vec(&Stored { text: note.text }) {
            Ok(body) => {
                let (key, importance, at) = (note.key, note.importance, note.at);
                self.queue.push(Entry { key, importance, at, slot: None, body });
            }
            Err(error) => log::error!("telegram: cannot write down a message: {error}"),
        }
    }

    fn reporter(&self) -> Reporter {
        let (queue, report, clock) = (self.queue.clone(), Arc::clone(&self.report), self.clock);
        Box::new(move || {
            let around = Surroundings { queue: queue.glance()?, now: clock.now().monotonic };
            // A sender that was halted while it held the report holds it for ever.
            let report = match report.try_lock() {
                Ok(report) => report,
                Err(TryLockError::Poisoned(report)) => report.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            Some(report::status(&report, &around))
        })
    }

    fn stop(&mut self, grace: Duration) {
        self.queue.close();
        if self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        if let Some(agent) = self.interrupt.take() {
            agent.shutdown();
        }
        // Name resolution cannot be interrupted; whatever waits is on disk.
        let _ = self.ended.recv_timeout(NOTICE);
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
    let outcome = client.send_message(Letter { chat, thread, text: &text, last: true, now });
    match delivery::classify(&outcome) {
        Class::Done => Ok(()),
        class => Err(sender::explain(class, &outcome)),
    }
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
        let longest = if in_memory { DISK_AGAIN } else { Duration::MAX };
        let woken = match wait {
            Some(wait) => queue.sleep(wait.min(longest)),
            None => queue.wait(in_memory.then_some(longest)),
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
