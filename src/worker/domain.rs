//! The middle of the worker: what is seen goes in, events go to the bridges, and what the observer remembers is kept.

use super::bridges::Bridges;
use super::memory_file::MemoryFile;
use crate::camera::Camera;
use crate::clock::Moment;
use crate::printer::{EventKind, Memory, MemoryError, Observation, Observer, Sight, Snapshot, Timed};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How often it is tried again to store a memory that could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

/// What the parts of the worker share; all of them run on one thread.
pub(super) struct Shared {
    pub(super) bridges: Bridges,
    /// The newest state of the printer, also one from before the connection was lost.
    pub(super) newest: Option<(Arc<Snapshot>, Moment)>,
    /// The printer is seen now.
    pub(super) connected: bool,
}

impl Shared {
    /// The state of the printer, while it is seen.
    pub(super) fn present(&self) -> Option<&Arc<Snapshot>> {
        self.newest.as_ref().filter(|_| self.connected).map(|(snapshot, _)| snapshot)
    }
}

/// The observer and its memory.
pub(super) struct Domain {
    observer: Observer,
    file: MemoryFile,
    shared: Rc<RefCell<Shared>>,
    camera: Camera,
    /// The memory changed since it was stored.
    unsaved: bool,
    failed_at: Option<Duration>,
}

impl Domain {
    /// Goes on from what `file` holds.
    pub(super) fn new(mut file: MemoryFile, shared: Rc<RefCell<Shared>>, camera: Camera) -> Self {
        let observer = Observer::new(recall(&mut file));
        Self { observer, file, shared, camera, unsaved: false, failed_at: None }
    }

    /// Works through what is seen, for ever. `taken` tells that a bridge has taken an event.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Timed<Observation>>, taken: Arc<Notify>) {
        loop {
            tokio::select! {
                seen = inbox.recv() => match seen {
                    Some(Timed { at, what }) => self.see(what, at),
                    None => return,
                },
                () = taken.notified() => self.save(None),
            }
        }
    }

    fn see(&mut self, what: Observation, at: Moment) {
        let events = self.observer.observe(&what, at);
        let mut shared = self.shared.borrow_mut();
        for event in events {
            let level = match event.kind {
                EventKind::Progress { .. } | EventKind::Layer { .. } => log::Level::Debug,
                _ => log::Level::Info,
            };
            log::log!(level, "{event}");
            shared.bridges.on_event(event);
        }
        match what {
            Observation::Seen(snapshot) => {
                let job = self.observer.job().map(Arc::from);
                shared.bridges.on_sight(&Sight { snapshot: Arc::clone(&snapshot), job, at });
                self.camera.set_webcams(&snapshot.webcams);
                (shared.newest, shared.connected) = (Some((snapshot, at)), true);
            }
            Observation::Lost { .. } => {
                shared.connected = false;
                shared.bridges.out_of_sight();
            }
            Observation::Commanded { .. } => {}
            Observation::Console(line) => shared.bridges.on_console(&line, at),
            Observation::Files(change) => shared.bridges.on_files(&change),
        }
        drop(shared);
        self.unsaved |= self.observer.take_changed();
        self.save(Some(at));
    }

    /// Stores the memory once every bridge has its events on disk. In this order a crash between the two repeats an
    /// event, which the outbox knows by its key, and never loses one.
    fn save(&mut self, now: Option<Moment>) {
        let waits = match (self.failed_at, now) {
            (Some(failed), Some(now)) => now.monotonic.saturating_sub(failed) < WRITE_AGAIN,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !self.unsaved || waits || !self.shared.borrow().bridges.have_taken_all() {
            return;
        }
        let written =
            self.observer.memory().to_json().map_err(Into::into).and_then(|json| self.file.write(json));
        match written {
            Ok(()) => {
                self.unsaved = false;
                if self.failed_at.take().is_some() {
                    log::info!("the printer's state is kept again");
                }
            }
            Err(error) => {
                let at = now.map_or(Duration::ZERO, |now| now.monotonic);
                if self.failed_at.replace(at).is_none() {
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
