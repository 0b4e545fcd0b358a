//! The cameras as the bridge has them: their thread is told what it must know, and tells how they are.

use super::course::Condition;
use super::round::Round;
use super::trigger::Trigger;
use crate::bridge::prusa_connect::config::CameraToken;
use crate::bridge::prusa_connect::connect::identity::Identity;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::camera::Camera;
use crate::clock::SystemClock;
use crate::printer::{Snapshot, Webcam};
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Stack of the thread, in bytes.
const STACK: usize = 256 * 1024;

/// What the cameras need.
pub(crate) struct Means {
    /// The printer's camera that is in use, by which the others are found.
    pub(crate) camera: Camera,
    /// The clock of the whole worker.
    pub(crate) clock: SystemClock,
    /// The program's one TLS set-up.
    pub(crate) tls: Arc<ClientConfig>,
    /// The server.
    pub(crate) server: String,
    /// When pictures are sent.
    pub(crate) trigger: Trigger,
    /// Tokens that somebody entered.
    pub(crate) entered: Vec<CameraToken>,
    /// Folder of what is kept.
    pub(crate) data_dir: PathBuf,
    /// The bridge's name in files.
    pub(crate) id: String,
    /// The printer's token at the start: what is kept of cameras under another one is worth nothing.
    pub(crate) printer: Option<Token>,
}

/// The cameras at work.
pub(crate) struct Cameras {
    shared: Arc<Shared>,
    thread: Thread,
    ended: Receiver<()>,
}

#[derive(Default)]
pub(super) struct Shared {
    news: Mutex<News>,
    changed: Condvar,
}

/// What the thread is told, and what it tells.
#[derive(Default)]
pub(super) struct News {
    pub(super) webcams: Option<Arc<[Webcam]>>,
    pub(super) layer: Option<u32>,
    pub(super) printer: Option<Arc<(Identity, Token)>>,
    pub(super) demanded: bool,
    pub(super) stops: bool,
    /// Something of that is new.
    pub(super) fresh: bool,
    pub(super) conditions: Vec<(String, Condition)>,
}

impl Shared {
    pub(super) fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        let waits = |news: &mut News| !news.fresh && !news.stops;
        let waited = self.changed.wait_timeout_while(self.news(), longest, waits);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        let mut news = self.news();
        change(&mut news);
        news.fresh = true;
        self.changed.notify_one();
    }
}

impl Cameras {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn start(means: Means) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (alive, ended) = channel();
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(means.id.clone()).stack_size(STACK);
        let handle = thread.spawn(move || Round::new(means, own, alive).run())?;
        Ok(Self { shared, thread: handle.thread().clone(), ended })
    }

    /// Takes notice of the printer: its list of cameras, and the layer that is printed.
    pub(crate) fn see(&self, snapshot: &Snapshot) {
        let layer = snapshot.layer().map(|layer| layer.number);
        let news = self.shared.news();
        let same = news.webcams.as_ref().is_some_and(|known| Arc::ptr_eq(known, &snapshot.webcams));
        if same && news.layer == layer {
            return;
        }
        drop(news);
        self.shared.tell(|news| (news.webcams, news.layer) = (Some(Arc::clone(&snapshot.webcams)), layer));
    }

    /// What tells them of the printer's registration.
    pub(crate) fn registrar(&self) -> Registrar {
        Registrar(Arc::clone(&self.shared))
    }

    /// Somebody wants a picture of each camera now.
    pub(crate) fn demand(&self) {
        self.shared.tell(|news| news.demanded = true);
    }

    /// How each is, by its name.
    pub(crate) fn conditions(&self) -> Vec<(String, Condition)> {
        self.shared.news().conditions.clone()
    }

    /// Ends the thread, and waits for that up to `grace`. A request under way may go on behind it, and counts for nothing.
    pub(crate) fn stop(&self, grace: Duration) {
        self.shared.tell(|news| news.stops = true);
        self.thread.unpark();
        // It never sends: it hangs up when it ends.
        let _: Result<(), RecvTimeoutError> = self.ended.recv_timeout(grace);
    }
}

/// Tells cameras of the printer's registration.
pub(crate) struct Registrar(Arc<Shared>);

impl Registrar {
    /// The printer is registered as this, with this token, and Connect knows it; or it is not. Without a printer no
    /// camera is registered.
    pub(crate) fn set_printer(&self, printer: Option<(Identity, Token)>) {
        self.0.tell(|news| news.printer = printer.map(Arc::new));
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
