//! The real source and observer on a thread of the test, with an outbox's rule that a key is taken once. It can be
//! ended as by a crash and started again from what it stored.

use super::wait;
use octobridge::clock::SystemClock;
use octobridge::printer::{Event, EventKind, Memory, Observation, Observer, Timed};
use octobridge::source::SourceStatus;
use octobridge::source::control::{self, Control, Requests};
use octobridge::source::moonraker::{self, Endpoint};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What outlives a crash, and what was told.
#[derive(Debug, Default)]
struct Ledger {
    memory: Vec<u8>,
    taken: HashSet<String>,
    told: Vec<Event>,
    /// Observations that were worked through.
    seen: u64,
}

/// A watcher of one printer.
pub(crate) struct Watcher {
    socket: PathBuf,
    ledger: Arc<Mutex<Ledger>>,
    /// The way to ask the printer, as bridges have it.
    control: Option<Control>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Watcher {
    /// Watches the printer behind this socket, and waits until it was seen.
    pub(crate) fn of(socket: &Path) -> Self {
        let mut watcher =
            Self { socket: socket.to_owned(), ledger: Arc::default(), control: None, running: None };
        watcher.start();
        watcher
    }

    /// Starts from what is stored, and waits until the printer was seen.
    pub(crate) fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let (stop, stopped) = watch::channel(false);
        let (endpoint, ledger) = (Endpoint::Unix(self.socket.clone()), Arc::clone(&self.ledger));
        let before = ledger.lock().unwrap().seen;
        let (control, requests) = control::channel();
        self.control = Some(control);
        let watch = move || watch_printer(endpoint, &ledger, requests, stopped);
        self.running = Some((stop, std::thread::spawn(watch)));
        wait::until("the printer in sight", Duration::from_secs(20), || {
            (self.ledger.lock().unwrap().seen > before).then_some(())
        });
    }

    /// Ends at once, with nothing stored but what was stored already.
    pub(crate) fn crash(&mut self) {
        let (stop, thread) = self.running.take().expect("it runs");
        let _ = stop.send(true);
        thread.join().unwrap();
    }

    /// Waits until the last event told is of this name.
    pub(crate) fn wait_for(&self, name: &str) {
        wait::until(&format!("{name} after {:?}", self.names()), PATIENCE, || {
            (self.names().last().map(String::as_str) == Some(name)).then_some(())
        });
    }

    /// Waits until an event of this name is among those told since [`Self::assert_told`], whatever has followed.
    pub(crate) fn wait_until_told(&self, name: &str) {
        wait::until(&format!("{name} among {:?}", self.names()), PATIENCE, || {
            self.names().iter().any(|told| told == name).then_some(())
        });
    }

    /// Asserts that these events, by the names that the vectors compare, and no others were told since this was asked
    /// last. Waits for them, and then a moment for what should not come.
    pub(crate) fn assert_told(&self, expected: &[&str], phase: &str) {
        let told = self.take(expected.len());
        let names: Vec<String> = told.iter().filter_map(name).collect();
        assert_eq!(names, expected, "{phase}");
    }

    /// The events told since this was asked last, of which this many are awaited.
    fn take(&self, count: usize) -> Vec<Event> {
        // What is missing is for whoever compares them.
        let _ = wait::within(PATIENCE, || (self.names().len() >= count).then_some(()));
        std::thread::sleep(Duration::from_millis(2500));
        std::mem::take(&mut self.ledger.lock().unwrap().told)
    }

    /// The way to ask the printer in the name of `who`.
    pub(crate) fn control(&self, who: &str) -> Control {
        self.control.as_ref().expect("it runs").by(who)
    }

    /// As [`Self::assert_told`], with who asked for each where that is told.
    pub(crate) fn assert_told_with_who(&self, expected: &[(&str, Option<&str>)]) {
        let told = self.take(expected.len());
        let who = |event: &Event| event.job.as_ref().and_then(|job| job.by.clone());
        let told: Vec<_> = told.iter().filter_map(|event| Some((name(event)?, who(event)))).collect();
        let told: Vec<_> = told.iter().map(|(name, who)| (name.as_str(), who.as_deref())).collect();
        assert_eq!(told, expected);
    }

    fn names(&self) -> Vec<String> {
        self.ledger.lock().unwrap().told.iter().filter_map(name).collect()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.crash();
        }
    }
}

fn watch_printer(
    endpoint: Endpoint,
    ledger: &Mutex<Ledger>,
    requests: Requests,
    stopped: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = moonraker::Config { endpoints: vec![endpoint], api_key: None, version: "0" };
    let (observations, mut inbox) = mpsc::channel::<Timed<Observation>>(16);
    let (status, _shown) = watch::channel(SourceStatus::default());
    let stored = ledger.lock().unwrap().memory.clone();
    let memory = if stored.is_empty() { Memory::default() } else { Memory::from_json(&stored).unwrap() };
    let mut observer = Observer::new(memory);
    let domain = async {
        while let Some(timed) = inbox.recv().await {
            let mut ledger = ledger.lock().unwrap();
            for event in observer.observe(&timed.what, timed.at) {
                if ledger.taken.insert(event.key.clone()) {
                    ledger.told.push(event);
                }
            }
            ledger.memory = observer.memory().to_json().unwrap();
            ledger.seen += 1;
        }
    };
    runtime.block_on(async {
        let source = moonraker::run(config, SystemClock::new(), observations, status, requests, stopped);
        tokio::join!(source, domain)
    });
}

/// The name of an event, and what it says of a job; none for those that no vector compares.
fn name(event: &Event) -> Option<String> {
    Some(match &event.kind {
        EventKind::JobStarted => "job_started".to_owned(),
        EventKind::Paused { .. } => "paused".to_owned(),
        EventKind::Resumed => "resumed".to_owned(),
        EventKind::Finished => "finished".to_owned(),
        EventKind::Cancelled => "cancelled".to_owned(),
        EventKind::Failed { .. } => "failed".to_owned(),
        EventKind::KlippyDown { .. } => "klippy_down".to_owned(),
        EventKind::KlippyReady => "klippy_ready".to_owned(),
        EventKind::SourceLost => "source_lost".to_owned(),
        EventKind::SourceBack => "source_back".to_owned(),
        _ => return None,
    })
}
