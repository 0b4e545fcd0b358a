//! The REST server, and what it is shown of the rest of the worker.

use super::desk::Office;
use super::service::Told;
use crate::api::page::{Admits, Desk};
use crate::api::{self, Ages, BridgeRow, FetchPicture, Picture, Status, View};
use crate::camera::{Camera, CameraError, Frame};
use crate::clock::{Clock, Moment, SystemClock};
use crate::page::{Act, Sight};
use crate::printer::Snapshot;
use crate::source::LinkState;
use crate::status_object;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

/// A picture that is not older is fresh enough for who asks for the newest.
const FRESH: Duration = Duration::from_secs(1);
/// An address that is in use is tried again at this step.
const BIND_AGAIN: Duration = Duration::from_secs(10);
/// A printer of which nothing was heard for so long is not ready to be shown.
const STALE: Duration = Duration::from_secs(120);

/// The running server, which follows the settings.
pub(super) struct Rest {
    view: Rc<Shown>,
    address: Option<SocketAddr>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Rest {
    /// A server that does not listen yet.
    pub(super) fn new(
        told: Rc<RefCell<Told>>,
        camera: Camera,
        clock: SystemClock,
        started: Instant,
        restarts: u32,
        office: Option<Rc<Office>>,
    ) -> Self {
        let printer_id = told.borrow().settings.general.printer_id.clone();
        let office = office.map(|office| Front { office, camera: camera.clone() });
        let view = Shown { told, camera, printer_id, clock, started, restarts, office };
        Self { view: Rc::new(view), address: None, running: None }
    }

    /// Listens where the settings say from now on. One that does already is not disturbed.
    pub(super) fn follow(&mut self) {
        let (address, printer_id) = {
            let told = self.view.told.borrow();
            (told.settings.general.api, told.settings.general.printer_id.clone())
        };
        if self.address == address && self.view.printer_id == printer_id {
            return;
        }
        self.end();
        self.view.told.borrow_mut().rest = None;
        let before = Rc::clone(&self.view);
        let Shown { told, camera, clock, started, restarts, office, .. } = &*before;
        self.view = Rc::new(Shown {
            told: Rc::clone(told),
            camera: camera.clone(),
            printer_id,
            clock: *clock,
            started: *started,
            restarts: *restarts,
            office: office.clone(),
        });
        self.address = address;
        if let Some(address) = address {
            let (stop, stopped) = watch::channel(false);
            let view: Rc<dyn View> = Rc::clone(&self.view) as Rc<dyn View>;
            self.running = Some((stop, spawn_local(listen(address, view, Rc::clone(told), stopped))));
        }
    }

    /// Ends; answers under way have a moment to come to their end.
    pub(super) fn end(&mut self) {
        if let Some((stop, _)) = self.running.take() {
            let _ = stop.send(true);
        }
    }
}

/// Listens as soon as the address is free, and serves.
async fn listen(
    address: SocketAddr,
    view: Rc<dyn View>,
    told: Rc<RefCell<Told>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut complained = false;
    let listener = loop {
        match api::bind(address) {
            Ok(listener) => break listener,
            Err(error) => {
                let why = format!("the REST server cannot listen on {address}: {error}");
                if !complained {
                    log::warn!("{why}; tried again and again");
                }
                complained = true;
                told.borrow_mut().rest = Some(why);
            }
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = sleep(BIND_AGAIN) => {}
        }
    };
    told.borrow_mut().rest = None;
    log::info!("REST server: http://{address}/api/");
    api::serve(listener, view, stopped).await;
}

/// What the server sees.
struct Shown {
    told: Rc<RefCell<Told>>,
    camera: Camera,
    printer_id: String,
    clock: SystemClock,
    started: Instant,
    restarts: u32,
    office: Option<Front>,
}

/// The set-up page's desk, with the camera.
#[derive(Clone)]
struct Front {
    office: Rc<Office>,
    camera: Camera,
}

impl Desk for Front {
    fn admits(&self) -> Admits {
        self.office.admits()
    }

    fn sight(&self) -> Sight {
        self.office.sight(self.camera.status().name.is_some())
    }

    fn now(&self) -> Duration {
        self.office.now()
    }

    fn act(&self, act: Act) -> Result<(), String> {
        self.office.act(act)
    }

    fn picture(&self) -> FetchPicture {
        newest(&self.camera)
    }
}

/// Fetches the newest picture.
fn newest(camera: &Camera) -> FetchPicture {
    let (camera, fetch) = (camera.clone(), camera.frame(FRESH));
    Box::pin(async move {
        // A picture that the printer pushed is shown whatever its age, which stands in the answer's head.
        let frame = match (fetch.await, camera.latest()) {
            (Ok(frame), _) | (Err(CameraError::Old { .. }), Some(frame)) => frame,
            (Err(error), _) => return Err(error.to_string()),
        };
        let taken = frame.taken.unix;
        Ok(Picture::of(Bytes(frame), taken))
    })
}

/// A frame that stays as it is in memory while it is sent.
struct Bytes(Arc<Frame>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl View for Shown {
    fn printer_id(&self) -> &str {
        &self.printer_id
    }

    fn status(&self) -> Option<Status> {
        let told = self.told.borrow();
        let shared = told.shared.borrow();
        let (snapshot, at) = shared.newest.as_ref()?;
        Some(Status { received: at.unix, text: status_object::to_text(snapshot) })
    }

    fn picture(&self) -> FetchPicture {
        newest(&self.camera)
    }

    fn service(&self) -> api::Service {
        let told = self.told.borrow();
        let source = told.source.borrow();
        api::Service {
            connected: source.link == LinkState::Connected,
            source: super::report::source_line(&source),
            restarts: u64::from(self.restarts),
            up_seconds: self.started.elapsed().as_secs(),
        }
    }

    fn bridges(&self) -> Vec<BridgeRow> {
        let told = self.told.borrow();
        let lines = told.shared.borrow().bridges.lines();
        let row = |line: crate::status::BridgeLine| BridgeRow {
            name: line.name,
            state: line.state,
            text: line.text,
            queued: line.queued as u64,
            dropped: line.dropped,
        };
        lines.into_iter().map(row).collect()
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let told = self.told.borrow();
        let shared = told.shared.borrow();
        shared.present().cloned()
    }

    fn ages(&self) -> Ages {
        let told = self.told.borrow();
        let shared = told.shared.borrow();
        let now = self.clock.now();
        let status = shared.newest.as_ref().map(|(_, at)| age(*at, now));
        Ages { status, picture: self.camera.status().frame_age }
    }

    fn desk(&self) -> Option<&dyn Desk> {
        self.office.as_ref().map(|front| front as &dyn Desk)
    }

    fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let told = self.told.borrow();
        if told.source.borrow().link != LinkState::Connected {
            reasons.push(super::report::source_line(&told.source.borrow()));
        }
        let shared = told.shared.borrow();
        match &shared.newest {
            None => reasons.push("no status of the printer came yet".to_owned()),
            Some((_, at)) if age(*at, self.clock.now()) > STALE => {
                reasons.push("the newest status of the printer is old".to_owned());
            }
            Some(_) => {}
        }
        reasons
    }
}

/// How long ago something was. By the monotonic clock: the other one jumps when the printer gets its time.
fn age(at: Moment, now: Moment) -> Duration {
    now.monotonic.saturating_sub(at.monotonic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_makes_nothing_old() {
        let second = Duration::from_secs(1);
        let at = Moment { monotonic: second * 10, unix: second * 40 };
        let now = Moment { monotonic: second * 13, unix: second * 1_795_227_600 };
        assert_eq!(age(at, now), second * 3);
    }
}
