//! The service's loop: observations in, events to the bridges, the memory to disk, and signals.

use super::bridges::Bridges;
use super::endpoints;
use super::folders::Folders;
use super::memory_file::MemoryFile;
use crate::clock::SystemClock;
use crate::log_file::Destination;
use crate::printer::{Memory, MemoryError, Observation, Observer, PrintState, Snapshot, Timed};
use crate::settings::{Problem, Settings};
use crate::source::moonraker::{self, ApiKey};
use crate::source::{LinkState, SourceStatus, control};
use crate::status::{self, ProblemLine, Report, SCHEMA};
use crate::supervisor::supervising_pid;
use std::cell::RefCell;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

/// Bridges have this long to send what waits, when the service stops.
const GRACE: Duration = Duration::from_secs(3);
/// The same when the supervising process died: a request that is cut off would be sent a second time.
const GRACE_BEFORE_TAKEOVER: Duration = Duration::from_secs(1);

/// How often it is tried again to store a memory that could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

/// Why the service ended.
pub(super) enum Ended {
    /// It was asked to.
    Asked,
    /// The supervising process is gone.
    SupervisorDied,
}

/// The service, ready to run.
pub(super) struct Service {
    settings: Settings,
    folders: Folders,
    log: Destination,
    restarts: u32,
    started: Instant,
}

/// What the loop and the status share; both run on one thread.
struct Shared {
    bridges: Bridges,
    snapshot: Option<Arc<Snapshot>>,
}

impl Service {
    pub(super) fn new(settings: Settings, folders: Folders, log: Destination, restarts: u32) -> Self {
        Self { settings, folders, log, restarts, started: Instant::now() }
    }

    /// Runs until a signal or the supervising process's end.
    pub(super) async fn run(self) -> Ended {
        let mut problems = self.settings.problems.clone();
        let endpoints = endpoints(&self.settings).unwrap_or_else(|error| {
            problems.push(Problem::new(error, "until then the printer is not watched"));
            Vec::new()
        });
        let bridges = Bridges::start(&self.settings, &self.folders.state);
        let mut memory_file = MemoryFile::new(&self.folders.state);
        let observer = Observer::new(recall(&mut memory_file));
        let shared = Rc::new(RefCell::new(Shared { bridges, snapshot: None }));

        let (observations, inbox) = mpsc::channel(16);
        let (source_status, seen) = watch::channel(SourceStatus::default());
        let (stop, stopped) = watch::channel(false);
        let (_control, mut requests) = control::channel();
        let config = moonraker::Config {
            endpoints,
            api_key: self.settings.text("MOONRAKER_API_KEY").map(ApiKey::new),
            version: env!("CARGO_PKG_VERSION"),
        };
        let local = LocalSet::new();
        if !config.endpoints.is_empty() {
            local.spawn_local(moonraker::run(
                config,
                SystemClock::new(),
                observations,
                source_status,
                requests,
                stopped,
            ));
        } else {
            source_status.send_modify(|status| status.last_error = problems.last().map(ToString::to_string));
            local.spawn_local(async move { requests.refuse(&source_status).await });
        }
        local.spawn_local(watch_printer(inbox, observer, memory_file, Rc::clone(&shared)));
        let socket = self.settings.paths.status_socket();
        match status::bind(&socket) {
            Ok(listener) => {
                let shared = Rc::clone(&shared);
                let report = move || self.report(&shared.borrow(), &seen.borrow(), &problems);
                local.spawn_local(status::serve(listener, report));
            }
            Err(error) => log::error!("no status: cannot listen on {}: {error}", socket.display()),
        }
        let ended = local.run_until(wait_for_end()).await;
        let _ = stop.send(true);
        let grace = match ended {
            Ended::Asked => GRACE,
            Ended::SupervisorDied => {
                log::warn!("the supervising process died; this one takes its place");
                GRACE_BEFORE_TAKEOVER
            }
        };
        shared.borrow_mut().bridges.stop(grace);
        ended
    }

    fn report(&self, shared: &Shared, source: &SourceStatus, problems: &[Problem]) -> Report {
        Report {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: supervising_pid(&self.settings.paths.pid_file).unwrap_or_else(std::process::id),
            worker_pid: std::process::id(),
            up_seconds: self.started.elapsed().as_secs(),
            restarts: self.restarts,
            source: source_line(source),
            connected: source.link == LinkState::Connected,
            job: shared.snapshot.as_deref().map(job_line).unwrap_or_default(),
            log: match &self.log {
                Destination::File(path) => path.display().to_string(),
                Destination::Stderr => "standard error".to_owned(),
            },
            bridges: shared.bridges.lines(),
            problems: problems.iter().chain(self.folders.problem()).map(ProblemLine::from).collect(),
        }
    }
}

/// Turns what is seen into events, and hands them on: first to the bridges, which put them on disk, then the
/// memory of having seen them. In this order a crash between the two repeats an event, which the outbox knows by
/// its key, and never loses one.
async fn watch_printer(
    mut inbox: mpsc::Receiver<Timed<Observation>>,
    mut observer: Observer,
    mut memory_file: MemoryFile,
    shared: Rc<RefCell<Shared>>,
) {
    let mut failed_at = None;
    while let Some(Timed { at, what }) = inbox.recv().await {
        let events = observer.observe(&what, at);
        let mut shared = shared.borrow_mut();
        for event in &events {
            let job = event.job.as_ref().map(|job| format!(" of {}", job.file)).unwrap_or_default();
            log::info!("{:?}{job}", event.kind);
            shared.bridges.on_event(event);
        }
        match what {
            Observation::Seen(snapshot) => shared.snapshot = Some(snapshot),
            Observation::Lost { .. } => shared.snapshot = None,
            Observation::Console(_) => {}
        }
        drop(shared);
        let again = failed_at.is_some_and(|failed| at.monotonic.saturating_sub(failed) >= WRITE_AGAIN);
        if !observer.take_changed() && !again {
            continue;
        }
        let written =
            observer.memory().to_json().map_err(Into::into).and_then(|json| memory_file.write(json));
        match written {
            Ok(()) if failed_at.take().is_some() => log::info!("the printer's state is kept again"),
            Ok(()) => {}
            Err(error) => {
                if failed_at.replace(at.monotonic).is_none() {
                    log::warn!(
                        "cannot keep the printer's state: {error}; an event may be told twice after a restart"
                    );
                }
            }
        }
    }
}

fn recall(file: &mut MemoryFile) -> Memory {
    let stored = file.read();
    if stored.is_empty() {
        return Memory::default();
    }
    Memory::from_json(&stored).unwrap_or_else(|error| {
        log::warn!("{error}");
        if matches!(error, MemoryError::Newer { .. }) {
            file.leave_alone();
        }
        Memory::default()
    })
}

async fn wait_for_end() -> Ended {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        log::error!("cannot wait for signals");
        return Ended::Asked;
    };
    tokio::select! {
        _ = terminate.recv() => Ended::Asked,
        _ = interrupt.recv() => Ended::Asked,
        () = supervisor_dies() => Ended::SupervisorDied,
    }
}

/// Ends when the pipe from the supervising process closes. Never ends for a worker that somebody started by hand.
async fn supervisor_dies() {
    let pipe = std::io::stdin().as_fd().try_clone_to_owned().and_then(pipe::Receiver::from_owned_fd);
    let Ok(pipe) = pipe else { return std::future::pending().await };
    // Nothing is ever written into it: that it can be read means that it is closed.
    if pipe.readable().await.is_err() {
        std::future::pending().await
    }
}

fn source_line(source: &SourceStatus) -> String {
    let endpoint = source.endpoint.as_deref().unwrap_or("Moonraker");
    match source.link {
        LinkState::Connecting => format!("connecting to {endpoint}"),
        LinkState::Connected => {
            let klippy =
                source.klippy.as_ref().map(|k| format!(", Klipper {}", k.state.name())).unwrap_or_default();
            format!("printer connected over {endpoint}{klippy}")
        }
        LinkState::Retrying => {
            let why = source.last_error.as_deref().unwrap_or("no answer");
            format!("no connection to the printer ({why})")
        }
    }
}

fn job_line(snapshot: &Snapshot) -> String {
    let Some(print) = &snapshot.print else { return String::new() };
    let word = match print.state {
        PrintState::Printing => "printing",
        PrintState::Paused => "paused",
        _ => return String::new(),
    };
    let file = print.file.as_deref().unwrap_or("a job");
    let percent = print.progress.map(|p| format!(" {:.0}%", p * 100.0)).unwrap_or_default();
    format!("{word} {file}{percent}")
}
