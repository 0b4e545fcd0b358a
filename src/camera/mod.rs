//! The printer's camera: its newest picture, fetched when somebody asks, once for all who ask.
//!
//! `choose` takes a camera out of the printer's list, `fetch` and `body` get one whole JPEG from it, `jpeg` checks,
//! `orientation` turns it by its header only. [`Camera`] is the handle for the rest of the program; a thread runs only
//! while a fetch does.

mod address;
mod body;
mod choose;
mod error;
mod fetch;
mod frame;
mod jpeg;
mod limits;
mod orientation;
#[cfg(test)]
mod sample;
mod shared;

pub use choose::NoCamera;
pub use error::{CameraError, Fault};
pub use frame::Frame;
pub use jpeg::JpegError;
pub use limits::Limits;

use crate::clock::{Clock, Moment};
use crate::printer::Webcam;
use choose::Choice;
use fetch::Fetcher;
use rustls::ClientConfig;
use shared::{Asked, Shared};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, Thread};
use std::time::Duration;

/// Name of the thread of a fetch: by it a panic is known to be the camera's.
pub const THREAD: &str = shared::THREAD;

/// How long a picture of another camera than the one in use stays in memory.
const FORGET_OTHERS: Duration = Duration::from_secs(5);

/// Asks the vendor's own camera service to take pictures for a while (`camera.start_monitor` with the domain `lan`).
/// Blocks, for a bounded time; the error is a few words without secrets.
pub type Wake = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What a camera needs to work.
pub struct Setup {
    /// Name or identity of the camera to use; none: the first of the printer's list that can be used.
    pub wanted: Option<String>,
    /// Address of the printer's web server, to which entries of its list may be relative: `http://host`.
    pub web: String,
    /// Address of Moonraker's HTTP server: `http://host:port`.
    pub moonraker: String,
    /// Asks the vendor's service; none where that is not possible, as with a printer that pushes its pictures.
    pub wake: Option<Wake>,
    /// The program's one TLS set-up.
    pub tls: Arc<ClientConfig>,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
    /// Bounds.
    pub limits: Limits,
}

/// A handle to the camera. All clones are the same camera.
#[derive(Clone)]
pub struct Camera(Arc<Shared>);

/// How the camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraStatus {
    /// Name of the camera that is asked; none when there is none to ask.
    pub name: Option<Arc<str>>,
    /// Its address, without secrets.
    pub address: Option<String>,
    /// How long ago the last picture came, also if it was dropped since.
    pub frame_age: Option<Duration>,
    /// Why there was no picture the last time, or why there is no camera, with the remedy.
    pub error: Option<String>,
}

impl Camera {
    /// A camera that is not asked before somebody asks here. Starts nothing.
    pub fn new(setup: Setup) -> Self {
        let Setup { wanted, web, moonraker, wake, tls, clock, limits } = setup;
        let choice = Choice { wanted: named(wanted), web, moonraker, stock: wake.is_some() };
        let fetcher = Fetcher::new(tls, wake, limits);
        Self(Arc::new(Shared::new(choice, fetcher, clock, limits)))
    }

    /// Another camera of the same printer, by its name or identity in the printer's list: it follows that list, and the
    /// printer, with this one. Its picture is dropped soon, so that not every camera's is in memory.
    #[must_use]
    pub fn other(&self, wanted: &str, clock: Box<dyn Clock>) -> Self {
        let limits = self.0.limits();
        let limits = Limits { forget: limits.forget.min(FORGET_OTHERS), ..limits };
        Self(self.0.other(Arc::from(wanted), clock, limits))
    }

    /// The newest picture that is at hand, of whatever age. Fetches none, but counts as asking. A fetched picture goes
    /// when the next fetch begins, so that there are never two in memory; whoever wants to keep it keeps its handle.
    pub fn latest(&self) -> Option<Arc<Frame>> {
        self.0.latest()
    }

    /// A picture that came at most `max_age` ago; a second at least, since the camera is not asked more often. It is
    /// asked for when this is called; whoever asks meanwhile gets the same.
    ///
    /// # Errors
    ///
    /// If there is no camera, or it gives no picture; that is remembered for a second, too.
    pub fn frame(
        &self,
        max_age: Duration,
    ) -> impl Future<Output = Result<Arc<Frame>, CameraError>> + Send + use<> + 'static {
        let asked = self.0.ask(max_age);
        async move {
            match asked {
                Asked::Known(outcome) => outcome,
                // Whoever fetches tells all before it ends.
                Asked::Waiting(told) => told.await.unwrap_or(Err(CameraError::Hangs)),
            }
        }
    }

    /// The same for a thread that may wait.
    ///
    /// # Errors
    ///
    /// As [`Self::frame`].
    pub fn frame_blocking(&self, max_age: Duration) -> Result<Arc<Frame>, CameraError> {
        // Nothing stops it.
        self.frame_unless(max_age, &|| false).unwrap_or(Err(CameraError::Hangs))
    }

    /// As [`Self::frame_blocking`], until `stops` says so: none then. That is asked at the beginning and each time this
    /// thread is unparked.
    pub fn frame_unless(
        &self,
        max_age: Duration,
        stops: &dyn Fn() -> bool,
    ) -> Option<Result<Arc<Frame>, CameraError>> {
        let mut frame = pin!(self.frame(max_age));
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut context = Context::from_waker(&waker);
        loop {
            match frame.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return Some(outcome),
                Poll::Pending if stops() => return None,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Takes notice of the printer's list of cameras; the same list again costs nothing. The picture of a camera that
    /// is not used any more is dropped.
    pub fn set_webcams(&self, webcams: &Arc<[Webcam]>) {
        self.0.set_webcams(webcams);
    }

    /// Uses the camera of this name or identity from now on; none or empty: the first that can be used.
    pub fn want(&self, wanted: Option<String>) {
        self.0.want(named(wanted));
    }

    /// The printer is at these addresses from now on (see [`Setup`]); `stock` says whether the vendor's service can be
    /// asked. If that is another printer, its list of cameras is waited for, and no picture of the one before is shown.
    pub fn follow(&self, web: String, moonraker: String, stock: bool) {
        self.0.follow(web, moonraker, stock);
    }

    /// Fetches no picture for this long, or none any more, since fetching failed by an error of this program `times` in
    /// a row. What is pushed is not held back.
    pub fn hold_back(&self, pause: Option<Duration>, times: u32) {
        self.0.hold_back(pause, times);
    }

    /// Takes a picture that the printer pushed. It is the newest one until another comes or is fetched.
    ///
    /// # Errors
    ///
    /// If it is no whole JPEG; the last picture stays.
    pub fn offer(&self, jpeg: Vec<u8>, at: Moment) -> Result<(), JpegError> {
        self.0.offer(jpeg, at)
    }

    /// How it is. Does not count as asking.
    pub fn status(&self) -> CameraStatus {
        self.0.status()
    }

    /// Drops a fetched picture for which nobody asked in a while, and tells those who wait if a fetch hangs. To be
    /// called every few seconds.
    pub fn on_tick(&self, now: Moment) {
        self.0.on_tick(now);
    }
}

fn named(wanted: Option<String>) -> Option<Arc<str>> {
    wanted.filter(|wanted| !wanted.is_empty()).map(Arc::from)
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Camera({:?})", self.status())
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
