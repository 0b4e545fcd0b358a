//! The real world: Moonraker over the printer's handle, the service over HTTP, files scanned on a thread.

use super::mailbox::{Mailbox, News};
use super::outside::{Outside, Reply, Unread};
use super::scan::{Marks, Scan};
use super::scanned::{Scanned, Stamp};
use crate::http;
use crate::source::control::Control;
use rustls::ClientConfig;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use ureq::{Agent, Error};

/// Longest set-up of a connection, name resolution aside, and longest request.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const MOST_ANSWER: u64 = 64 * 1024;
/// Largest file that is scanned, in bytes.
const MOST_FILE: u64 = 4 * 1024 * 1024 * 1024;
/// Size of the pieces in which a file is read, in bytes.
const PIECE: usize = 32 * 1024;
/// Stack of a scan's thread, in bytes.
const STACK: usize = 128 * 1024;
/// After so much work a scan rests, for as long as it worked and longer: the printer is at work itself, and what happens
/// on it may have to wait for so long on a machine of few cores.
const WORK: Duration = Duration::from_millis(2);
const REST: u32 = 3;
/// The agent as which OctoApp's own plugin connects to Moonraker.
const PLUGIN: &str = "OctoApp";
/// Longest wait for Moonraker's list of agents, and for what it knows of a file.
const ANSWER: Duration = Duration::from_secs(20);

/// The real world.
pub(super) struct World {
    control: Control,
    tls: Arc<ClientConfig>,
    agent: Arc<Mutex<Agent>>,
    mailbox: Mailbox,
    /// Number of the newest scan: older ones end.
    scans: Arc<AtomicU64>,
    scanned: Arc<Mutex<Scanned>>,
}

impl World {
    pub(super) fn new(control: Control, tls: Arc<ClientConfig>, mailbox: Mailbox) -> Self {
        let agent = Arc::new(Mutex::new(http::agent(Arc::clone(&tls), CONNECT, WHOLE)));
        Self { control, tls, agent, mailbox, scans: Arc::default(), scanned: Arc::default() }
    }

    /// What lets the request under way fail.
    pub(super) fn interrupt(&self) -> Interrupt {
        Interrupt(Arc::clone(&self.agent))
    }

    fn request(&mut self, url: &str, body: Option<&str>) -> Reply {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reply = exchange(&agent, url, body);
        // Pushes are minutes apart: a connection that is kept costs memory for nothing.
        let fresh = http::agent(Arc::clone(&self.tls), CONNECT, WHOLE);
        *self.agent.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        reply.unwrap_or_else(|error| {
            Reply::Failed(format!("cannot reach OctoApp's service: {}", http::reason(&error)))
        })
    }
}

/// One request.
///
/// # Errors
///
/// If no answer comes.
pub(super) fn exchange(agent: &Agent, url: &str, body: Option<&str>) -> Result<Reply, Error> {
    let mut response = match body {
        Some(body) => agent.post(url).header("Content-Type", "application/json").send(body)?,
        None => agent.get(url).call()?,
    };
    let status = response.status().as_u16();
    match response.body_mut().with_config().limit(MOST_ANSWER).read_to_vec() {
        Ok(body) => Ok(Reply::Answered { status, body }),
        Err(Error::BodyExceedsLimit(_)) => Ok(Reply::Answered { status, body: Vec::new() }),
        Err(error) => Err(error),
    }
}

/// Lets the request under way fail, and every further one.
pub(super) struct Interrupt(Arc<Mutex<Agent>>);

impl Interrupt {
    pub(super) fn now(self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().shutdown();
    }
}

impl Outside for World {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<String, Unread> {
        self.control.database_text(namespace, key).wait().map_err(|error| match error.is_not_found() {
            true => Unread::Missing,
            false => Unread::Failed(error.to_string()),
        })
    }

    fn write(&mut self, namespace: &str, key: &[&str], value: &Value) -> Result<(), String> {
        self.control.database_put(namespace, key, value).wait().map_err(|error| error.to_string())
    }

    fn delete(&mut self, namespace: &str, key: &[&str]) -> Result<(), String> {
        match self.control.database_delete(namespace, key).wait() {
            Err(error) if !error.is_not_found() => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn post(&mut self, url: &str, body: &str) -> Reply {
        self.request(url, Some(body))
    }

    fn get(&mut self, url: &str) -> Reply {
        self.request(url, None)
    }

    fn scan(&mut self, print: &str, path: &str) -> Option<Marks> {
        let number = self.scans.fetch_add(1, Ordering::Relaxed) + 1;
        let work = Work {
            control: self.control.clone(),
            mailbox: self.mailbox.clone(),
            newest: Arc::clone(&self.scans),
            scanned: Arc::clone(&self.scanned),
            number,
        };
        let (print, path) = (print.to_owned(), path.to_owned());
        if let Err(error) = spawn(move || work.run(print, &path)) {
            log::warn!("octoapp: layers and messages of the file are not told: no thread: {error}");
        }
        None
    }

    fn chance(&mut self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }

    fn plugin_runs(&mut self) -> Option<bool> {
        match self.control.call("server.extensions.list", &Value::Null, Some(ANSWER)).wait() {
            Ok(answer) => Some(names_plugin(&answer)),
            // An old Moonraker, or another source: nothing tells.
            Err(error) if error.refusal().is_some() => Some(false),
            Err(_) => None,
        }
    }
}

fn names_plugin(answer: &Value) -> bool {
    let agents = answer.get("agents").and_then(Value::as_array);
    agents.into_iter().flatten().any(|agent| agent.get("name").and_then(Value::as_str) == Some(PLUGIN))
}

/// Starts a scan's thread.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name("octoapp-scan".to_owned()).stack_size(STACK).spawn(work)
}

/// Scans a file of this machine as it is done beside a print, and waits for that; gives how much was found.
///
/// # Errors
///
/// If there is no thread, or the file cannot be read.
pub(super) fn scan_now(path: PathBuf) -> std::io::Result<usize> {
    let scan = move || {
        let mut paced = Paced::default();
        read(&path, &mut paced, &|| true)?;
        Ok(paced.scan.finish().between(0, u64::MAX).count())
    };
    spawn(scan)?.join().unwrap_or_else(|_| Err(std::io::Error::other("the scan panicked")))
}

/// A scan on its thread.
struct Work {
    control: Control,
    mailbox: Mailbox,
    newest: Arc<AtomicU64>,
    scanned: Arc<Mutex<Scanned>>,
    number: u64,
}

impl Work {
    fn is_wanted(&self) -> bool {
        self.newest.load(Ordering::Relaxed) == self.number && !self.mailbox.is_closed()
    }

    fn run(&self, print: String, path: &str) {
        match self.marks(path) {
            Ok(Some(marks)) => self.mailbox.put(News::Scanned(print, marks)),
            Ok(None) => {}
            Err(why) => log::warn!("octoapp: layers and messages of {path} are not told: {why}"),
        }
    }

    /// What is in the file; none if it is not wanted any more.
    fn marks(&self, path: &str) -> Result<Option<Marks>, String> {
        let local = self.control.local_path("gcodes", path).map_err(|error| error.to_string())?;
        let stamp = match &local {
            Some(local) => Stamp::of_file(local),
            None => self.stamp(path),
        };
        let scanned = || self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(marks) = stamp.and_then(|stamp| scanned().find(path, stamp)) {
            return Ok(Some(marks));
        }
        let mut paced = Paced::default();
        let whole = match local {
            Some(local) => {
                read(&local, &mut paced, &|| self.is_wanted()).map_err(|error| error.to_string())?
            }
            None => self.fetch(path, &mut paced)?,
        };
        if !whole {
            return Ok(None);
        }
        let marks = paced.scan.finish();
        if let Some(stamp) = stamp {
            scanned().keep(path, stamp, &marks);
        }
        Ok(Some(marks))
    }

    /// By what Moonraker knows a file to be the same.
    fn stamp(&self, path: &str) -> Option<Stamp> {
        let asked = self.control.call("server.files.metadata", &json!({ "filename": path }), Some(ANSWER));
        let known = asked.wait().ok()?;
        let modified = known.get("modified")?.as_f64().filter(|seconds| *seconds > 0.0)?;
        Some(Stamp { size: known.get("size")?.as_u64()?, modified_ms: (modified * 1000.0) as u64 })
    }

    /// Fetches a file from Moonraker; false if it is not wanted any more.
    fn fetch(&self, path: &str, paced: &mut Paced) -> Result<bool, String> {
        let wanted = &mut |_, _| match self.is_wanted() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        match self.control.download("gcodes", path, MOST_FILE, paced, wanted) {
            Ok(_) => Ok(true),
            Err(_) if !self.is_wanted() => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Reads a file of this machine; false if it is not wanted any more.
fn read(path: &Path, paced: &mut Paced, is_wanted: &dyn Fn() -> bool) -> std::io::Result<bool> {
    let mut file = File::open(path)?.take(MOST_FILE);
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(true),
            _ if !is_wanted() => return Ok(false),
            count => paced.push(piece.get(..count).unwrap_or_default()),
        }
    }
}

/// Scans no faster than the printer can spare.
struct Paced {
    scan: Scan,
    since: Instant,
}

impl Default for Paced {
    fn default() -> Self {
        Self { scan: Scan::default(), since: Instant::now() }
    }
}

impl Paced {
    fn push(&mut self, piece: &[u8]) {
        self.scan.push(piece);
        let worked = self.since.elapsed();
        if worked >= WORK {
            // A machine that was busy with other things needs no longer rest for that.
            std::thread::sleep((worked * REST).min(WORK * REST * 2));
            self.since = Instant::now();
        }
    }
}

impl Write for Paced {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.push(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_plugin_is_known_by_the_name_of_its_agent() {
        for (answer, runs) in [
            (json!({"agents": [{"name": "moonagent"}, {"name": "OctoApp", "version": "2.1.10"}]}), true),
            (json!({"agents": [{"name": "octoapp2"}]}), false),
            (json!({"agents": []}), false),
            (json!({"agents": {"name": "OctoApp"}}), false),
            (json!(null), false),
        ] {
            assert_eq!(names_plugin(&answer), runs, "{answer}");
        }
    }
}
