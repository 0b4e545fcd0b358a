//! One look at the printer and its camera, by the settings and the parts of the service, for commands that work
//! whether that runs or not.

use super::picture;
use super::source::SourceSettings;
use crate::camera::{Camera, CameraError, Frame, JpegError};
use crate::clock::{Clock, SystemClock};
use crate::printer::{Observation, Snapshot, Timed};
use crate::settings::{Settings, SourceName};
use crate::source::control::{self, Control};
use crate::source::{self, LinkState, Pictures, SourceStatus};
use crate::tls;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// Moonraker shows the printer within this time, or does not.
const SIGHT: Duration = Duration::from_secs(8);
/// A feed sends what it has every few seconds.
const FEED: Duration = Duration::from_secs(20);
/// How long the list of cameras is waited for.
const LIST: Duration = Duration::from_secs(5);
/// How often it is looked whether the camera hangs.
const TICK: Duration = Duration::from_secs(1);

/// What a Moonraker says that is not the vendor's, when the vendor's camera is asked for.
const UNKNOWN: &str = "does not know this call";

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The printer and its camera.
    Everything,
    /// The camera's picture; the printer only where it is needed for that.
    Picture,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The connection.
    pub(crate) status: SourceStatus,
    /// The printer; none where it cannot be reached.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// The camera's picture.
    pub(crate) picture: Result<Shot, NoShot>,
}

/// A picture, and where it is from. Shown in a few words.
#[derive(Debug)]
pub(crate) struct Shot {
    pub(crate) frame: Arc<Frame>,
    /// The camera or the feed, for people, without secrets.
    pub(crate) of: String,
    /// How old it is.
    pub(crate) age: Duration,
}

impl std::fmt::Display for Shot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Frame { jpeg, width, height, .. } = &*self.frame;
        let (size, age) = (jpeg.len().div_ceil(1000), self.age.as_secs_f32());
        write!(f, "{size} kB, {width}x{height}, {age:.1} s old, of {}", self.of)
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoShot {
    /// The printer cannot be reached, by which cameras are found.
    NoPrinter,
    /// The printer has no camera, or none that is on; the text says what to do.
    NoCamera(String),
    /// The camera gave none; the text says what to do.
    Failed(String),
}

impl NoShot {
    fn of(error: &CameraError, listed: bool) -> Self {
        use crate::camera::{Fault, NoCamera};
        match error {
            CameraError::NoCamera(NoCamera::Empty | NoCamera::Off) => Self::NoCamera(error.to_string()),
            // The vendor's camera is asked wherever none is listed, and most printers have none of this vendor.
            CameraError::Fetch { fault: Fault::NotStarted(why), .. } if !listed && why.contains(UNKNOWN) => {
                Self::NoCamera(CameraError::from(NoCamera::Empty).to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Looks at the printer and its camera: up to 20 s.
///
/// # Errors
///
/// If the settings name no usable source, or the system refuses what is needed to look.
pub(crate) fn look(settings: &Settings, wanted: Wanted) -> Result<Seen, String> {
    let config = SourceSettings::of(settings).and_then(|source| source.config())?;
    let tls = tls::client_config(None).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot look at the printer: {error}"))?;
    let clock = SystemClock::new();
    let (control, requests) = control::channel();
    let camera = picture::camera(settings, &control, tls, clock);
    let (observations, inbox) = mpsc::channel(16);
    let (status, told) = watch::channel(SourceStatus::default());
    let (pushed, pushes) = watch::channel(None);
    // As long as it lives the source runs.
    let (_stop, stopped) = watch::channel(false);
    let source =
        source::run(config, clock, observations, taker(camera.clone(), pushed), status, requests, stopped);
    let mut view = View { camera, clock, inbox, told, pushes };
    let feed = settings.general.source == SourceName::Feed;
    runtime.block_on(async {
        tokio::select! {
            seen = async { if feed { view.feed(wanted).await } else { view.moonraker(&control).await } } => Ok(seen),
            // It ends only if it is told to.
            _ = source => Err("the connection to the printer ended by an error of this program".to_owned()),
        }
    })
}

/// What became of the last picture that a feed pushed.
type Push = Option<Result<(), JpegError>>;

fn taker(camera: Camera, pushed: watch::Sender<Push>) -> Pictures {
    Box::new(move |jpeg, at| {
        let _ = pushed.send(Some(camera.offer(jpeg, at)));
    })
}

struct View {
    camera: Camera,
    clock: SystemClock,
    inbox: mpsc::Receiver<Timed<Observation>>,
    told: watch::Receiver<SourceStatus>,
    pushes: watch::Receiver<Push>,
}

impl View {
    async fn moonraker(&mut self, control: &Control) -> Seen {
        let snapshot = timeout(SIGHT, self.first()).await.unwrap_or_default();
        let picture = match &snapshot {
            None => Err(NoShot::NoPrinter),
            Some(snapshot) => {
                // The first sight does not wait for the list of cameras.
                let webcams = timeout(LIST, self.beside(control.webcams())).await;
                let webcams =
                    webcams.ok().and_then(Result::ok).unwrap_or_else(|| Arc::clone(&snapshot.webcams));
                self.camera.set_webcams(&webcams);
                let frame = self.camera.frame(Duration::ZERO);
                let frame = self.beside(frame).await;
                frame.map(|frame| self.shot(frame)).map_err(|error| NoShot::of(&error, !webcams.is_empty()))
            }
        };
        self.seen(snapshot, picture)
    }

    async fn feed(&mut self, wanted: Wanted) -> Seen {
        let (mut snapshot, mut lost) = (None, false);
        let end = sleep(FEED);
        let mut end = std::pin::pin!(end);
        while self.camera.latest().is_none() || (snapshot.is_none() && wanted == Wanted::Everything) {
            tokio::select! {
                Some(timed) = self.inbox.recv() => if let Observation::Seen(seen) = timed.what {
                    snapshot = Some(seen);
                },
                Ok(()) = self.pushes.changed() => {}
                failed = self.told.wait_for(|status| status.link == LinkState::Retrying) => {
                    drop(failed);
                    lost = true;
                    break;
                }
                () = &mut end => break,
            }
        }
        let push = *self.pushes.borrow();
        let picture = match (self.camera.latest(), push) {
            (Some(frame), _) => Ok(self.shot(frame)),
            (None, Some(Err(error))) => Err(NoShot::Failed(format!(
                "no picture: the feed sends {error}; check the camera at the printer"
            ))),
            (None, _) if lost && snapshot.is_none() => Err(NoShot::NoPrinter),
            (None, _) => Err(NoShot::NoCamera(format!(
                "no picture: the feed sent none within {} s; check that the printer's camera is on",
                FEED.as_secs()
            ))),
        };
        self.seen(snapshot, picture)
    }

    fn seen(&self, snapshot: Option<Arc<Snapshot>>, picture: Result<Shot, NoShot>) -> Seen {
        Seen { status: self.told.borrow().clone(), snapshot, picture }
    }

    fn shot(&self, frame: Arc<Frame>) -> Shot {
        let age = self.clock.now().monotonic.saturating_sub(frame.taken.monotonic);
        let status = self.camera.status();
        let of = match (status.name, status.address) {
            (Some(name), Some(address)) => format!("camera \"{name}\" at {address}"),
            _ => format!("the feed {}", self.told.borrow().endpoint.as_deref().unwrap_or_default()),
        };
        Shot { frame, of, age }
    }

    /// The first sight of the printer; none when it cannot be reached.
    async fn first(&mut self) -> Option<Arc<Snapshot>> {
        loop {
            tokio::select! {
                seen = self.inbox.recv() => if let Observation::Seen(snapshot) = seen?.what {
                    return Some(snapshot);
                },
                failed = self.told.wait_for(|status| status.link == LinkState::Retrying) => {
                    drop(failed);
                    return None;
                }
            }
        }
    }

    /// Waits for something, and lets the source go on meanwhile: it would wait for what it tells to be taken.
    async fn beside<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = std::pin::pin!(awaited);
        loop {
            tokio::select! {
                done = &mut awaited => return done,
                Some(_) = self.inbox.recv() => {}
                () = sleep(TICK) => self.camera.on_tick(self.clock.now()),
            }
        }
    }
}
