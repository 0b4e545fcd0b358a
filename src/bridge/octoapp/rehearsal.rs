//! The whole bridge on somebody else's clock and without threads, for tests and benchmarks: what is seen goes in,
//! requests come out. Everything between is what runs on a printer.

use super::cipher;
use super::core::{Addresses, Core, keep};
use super::outside::{Outside, Reply, Unread};
use super::print::PrintFile;
use super::push::{Kind, Push, State};
use super::remote::CONFIG_URL;
use super::scan::{Marks, Scan};
use super::scanned::{Scanned, Stamp};
use crate::clock::Moment;
use crate::outbox::{FileStore, Limits, Outbox, Queue};
use crate::printer::{Event, Sight};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// The other side: Moonraker's database and files, and the service.
pub trait Peer {
    /// A value of the database, as the text of its JSON; none where there is none, an error where it cannot be read.
    ///
    /// # Errors
    ///
    /// If the database cannot be read; the text says why.
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<Option<String>, String>;

    /// Sets a value there.
    fn write(&mut self, namespace: &str, key: &[&str], value: &Value);

    /// Deletes a value there.
    fn delete(&mut self, namespace: &str, key: &[&str]);

    /// Takes a request; gives status and body, none where no answer comes.
    fn request(&mut self, method: &str, url: &str, body: Option<&str>) -> Option<(u16, Vec<u8>)>;

    /// A file of the gcodes root, if it can be had by now.
    fn file(&mut self, path: &str) -> Option<Vec<u8>>;

    /// When that file was changed, in milliseconds since the Unix epoch; none where nobody knows.
    fn modified_ms(&mut self, _path: &str) -> Option<u64> {
        None
    }

    /// Whether OctoApp's own plugin is connected to Moonraker; none where Moonraker does not answer.
    fn plugin_runs(&mut self) -> Option<bool> {
        Some(false)
    }
}

struct World<P> {
    peer: P,
    /// What chance is made of.
    chance: u8,
    /// The scans that are under way: print and file.
    scans: Vec<(String, String)>,
    scanned: Scanned,
}

impl<P: Peer> World<P> {
    fn marks(&mut self, path: &str) -> Option<Marks> {
        let stamp = self.peer.modified_ms(path).map(|modified_ms| Stamp { size: 0, modified_ms });
        if let Some(marks) = stamp.and_then(|stamp| self.scanned.find(path, stamp)) {
            return Some(marks);
        }
        let mut scan = Scan::default();
        scan.push(&self.peer.file(path)?);
        let marks = scan.finish();
        if let Some(stamp) = stamp {
            self.scanned.keep(path, stamp, &marks);
        }
        Some(marks)
    }

    fn request(&mut self, method: &str, url: &str, body: Option<&str>) -> Reply {
        match self.peer.request(method, url, body) {
            Some((status, body)) => Reply::Answered { status, body },
            None => Reply::Failed("no answer".to_owned()),
        }
    }
}

impl<P: Peer> Outside for World<P> {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<String, Unread> {
        self.peer.read(namespace, key).map_err(Unread::Failed)?.ok_or(Unread::Missing)
    }

    fn write(&mut self, namespace: &str, key: &[&str], value: &Value) -> Result<(), String> {
        self.peer.write(namespace, key, value);
        Ok(())
    }

    fn delete(&mut self, namespace: &str, key: &[&str]) -> Result<(), String> {
        self.peer.delete(namespace, key);
        Ok(())
    }

    fn post(&mut self, url: &str, body: &str) -> Reply {
        self.request("POST", url, Some(body))
    }

    fn get(&mut self, url: &str) -> Reply {
        self.request("GET", url, None)
    }

    fn scan(&mut self, print: &str, path: &str) -> Option<Marks> {
        let marks = self.marks(path);
        if marks.is_none() {
            self.scans.push((print.to_owned(), path.to_owned()));
        }
        marks
    }

    fn plugin_runs(&mut self) -> Option<bool> {
        self.peer.plugin_runs()
    }

    fn chance(&mut self, bytes: &mut [u8]) -> bool {
        for byte in bytes {
            self.chance = self.chance.wrapping_mul(109).wrapping_add(89);
            *byte = self.chance;
        }
        true
    }
}

/// A bridge without threads.
pub struct Rehearsal<P> {
    core: Core<World<P>, FileStore>,
}

impl<P: Peer> Rehearsal<P> {
    /// A bridge that begins at `now`, with its files in `data_dir`.
    pub fn new(data_dir: &Path, peer: P, printer_id: &str, now: Moment) -> Self {
        let (outbox, _) = Outbox::open(&data_dir.join("outbox/octoapp.journal"), Limits::default());
        let addresses = Addresses { config: CONFIG_URL.to_owned(), send: None };
        let file = PrintFile::new(data_dir, data_dir, "octoapp");
        let queue = Queue::new(outbox);
        let world = World { peer, chance: 1, scans: Vec::new(), scanned: Scanned::default() };
        Self { core: Core::new(world, queue, file, printer_id.to_owned(), addresses, now) }
    }

    /// Something happened.
    pub fn on_event(&mut self, event: &Event, now: Moment) {
        if keep(&self.core.ends, event) {
            self.core.on_event(event.clone(), now);
        }
    }

    /// The printer is seen.
    pub fn on_sight(&mut self, sight: &Sight, now: Moment) {
        self.core.on_sight(sight.clone(), now);
    }

    /// Lets scans come to their end whose file can be had by now.
    pub fn scan(&mut self) {
        for (print, path) in std::mem::take(&mut self.core.outside.scans) {
            if let Some(marks) = self.core.outside.marks(&path) {
                self.core.on_scanned(&print, marks);
            }
        }
    }

    /// Does what is due; tells when to come again, on the monotonic clock.
    pub fn work(&mut self, now: Moment) -> Duration {
        self.core.work(now)
    }

    /// Has a push sent for a printer of that name; none for one that the protocol does not know. `print` has the fields
    /// `print_id`, `file_path`, `time_left`, `progress`, `duration`, and `message` and `detail` where there are any.
    pub fn send(&mut self, event: &str, print: &Value, printer: &str, now: Moment) -> Option<()> {
        let kind = Kind::from_name(event)?;
        let text = |field: &str| print.get(field).and_then(Value::as_str).map(str::to_owned);
        let state = State {
            id: text("print_id").unwrap_or_default(),
            path: text("file_path").unwrap_or_default(),
            is_name: false,
            left: text("time_left").and_then(|left| left.parse().ok()).unwrap_or(-1),
            percent: text("progress").and_then(|percent| percent.parse().ok()).unwrap_or(0),
            duration: text("duration").and_then(|duration| duration.parse().ok()).unwrap_or(0.0),
        };
        let error = (kind == Kind::Error).then(|| text("error")).flatten();
        let text_of = error.or_else(|| text("message")).unwrap_or_default();
        self.core.frontend.name = printer.to_owned();
        self.core.send(Push { kind, state, text: text_of, detail: text("detail") }, None, now);
        Some(())
    }
}

/// Scans a file of G-code on a thread of its own, as fast as it is done beside a print, and waits for it; gives how many
/// layers and messages it found to tell.
///
/// # Errors
///
/// If there is no thread to be had, or the file cannot be read.
pub fn scan(path: &Path) -> std::io::Result<usize> {
    super::world::scan_now(path.to_owned())
}

/// The text for Android, encrypted with the key of that text and that vector in front.
pub fn encrypt(text: &str, key: &str, vector: [u8; 16]) -> String {
    cipher::encrypt(text, &cipher::Key(key.to_owned()), vector)
}
