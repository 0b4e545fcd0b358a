//! The REST server on a free port of loopback, before a printer that the test makes up.

use octobridge::api::page::{Admits, Desk};
use octobridge::api::{self, Ages, BridgeRow, FetchPicture, Picture, Service, Status, View};
use octobridge::bridge::BridgeState;
use octobridge::page::{Act, Sight};
use octobridge::printer::Snapshot;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once, mpsc};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// 2026-11-21 02:20:05.007 UTC.
pub(crate) const THEN: Duration = Duration::from_millis(1_795_227_605_007);

/// What the server is to show.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) id: String,
    pub(crate) status: Option<Status>,
    /// Without one the camera takes for ever.
    pub(crate) picture: Option<Result<Vec<u8>, String>>,
    pub(crate) bridges: Vec<BridgeRow>,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) ages: Ages,
    pub(crate) not_ready: Vec<String>,
    /// Who sees the set-up page, and what was pressed there.
    pub(crate) page: Option<(Admits, Arc<Mutex<Vec<Act>>>)>,
    /// What the page shows besides.
    pub(crate) sight: Sight,
}

impl Facts {
    /// A service that has just started.
    pub(crate) fn before_data() -> Self {
        Self {
            id: "A1M-1".to_owned(),
            status: None,
            picture: Some(Err("No image received yet.".to_owned())),
            bridges: vec![bridge("octoapp", BridgeState::Off), bridge("telegram", BridgeState::Starting)],
            snapshot: None,
            ages: Ages::default(),
            not_ready: vec!["No status received yet.".to_owned(), "No image received yet.".to_owned()],
            page: None,
            sight: Sight::default(),
        }
    }

    /// The same some time later.
    pub(crate) fn with_data() -> Self {
        let text = r#"{"gcode_state": "RUNNING","mc_percent":41.50,"x":{"z":1e3,"a":null}}"#;
        Self {
            status: Some(Status { received: THEN, text: text.into() }),
            picture: Some(Ok(b"\xff\xd8\xff\xe0 a picture \xff\xd9".to_vec())),
            bridges: vec![
                bridge("octoapp", BridgeState::NeedsPairing),
                bridge("telegram", BridgeState::Connected),
            ],
            snapshot: Some(Arc::default()),
            ages: Ages { status: Some(Duration::from_millis(250)), picture: Some(Duration::from_secs(3)) },
            not_ready: Vec::new(),
            ..Self::before_data()
        }
    }
}

fn bridge(name: &str, state: BridgeState) -> BridgeRow {
    BridgeRow { name: name.to_owned(), state, text: String::new(), queued: 2, dropped: 1 }
}

/// Facts as the server sees them; may be changed while it runs.
pub(crate) struct Fake {
    id: String,
    facts: Arc<Mutex<Facts>>,
}

impl Fake {
    pub(crate) fn new(facts: Facts) -> Self {
        Self { id: facts.id.clone(), facts: Arc::new(Mutex::new(facts)) }
    }

    fn facts(&self) -> Facts {
        self.facts.lock().unwrap().clone()
    }
}

impl View for Fake {
    fn printer_id(&self) -> &str {
        &self.id
    }

    fn status(&self) -> Option<Status> {
        self.facts().status
    }

    fn picture(&self) -> FetchPicture {
        let picture = self.facts().picture;
        Box::pin(async move {
            match picture {
                Some(picture) => picture.map(|jpeg| Picture::of(jpeg, THEN)),
                None => std::future::pending().await,
            }
        })
    }

    fn service(&self) -> Service {
        let source = "printer connected over moonraker.sock".to_owned();
        Service { connected: self.facts().snapshot.is_some(), source, restarts: 3, up_seconds: 77 }
    }

    fn bridges(&self) -> Vec<BridgeRow> {
        self.facts().bridges
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.facts().snapshot
    }

    fn ages(&self) -> Ages {
        self.facts().ages
    }

    fn not_ready(&self) -> Vec<String> {
        self.facts().not_ready
    }

    fn desk(&self) -> Option<&dyn Desk> {
        self.facts().page.is_some().then_some(self as &dyn Desk)
    }
}

/// The key of the page's forms.
pub(crate) const KEY: &str = "0123456789abcdef";

impl Desk for Fake {
    fn admits(&self) -> Admits {
        self.facts().page.unwrap().0
    }

    fn sight(&self) -> Sight {
        let Facts { page, sight, .. } = self.facts();
        if !sight.printer.is_empty() {
            return sight;
        }
        let printer = format!("pressed {} times", page.unwrap().1.lock().unwrap().len());
        Sight { key: KEY.to_owned(), printer, ..sight }
    }

    fn now(&self) -> Duration {
        Duration::from_secs(77)
    }

    fn act(&self, act: Act) -> Result<(), String> {
        if act.bridge == "busy" {
            return Err("Something goes on already.".to_owned());
        }
        self.facts().page.unwrap().1.lock().unwrap().push(act);
        Ok(())
    }

    fn picture(&self) -> FetchPicture {
        View::picture(self)
    }
}

/// A server on a thread of its own. Dropping it stops the server, and panics when anything in it had panicked.
pub(crate) struct Rest {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Rest {
    pub(crate) fn start(facts: Facts) -> Self {
        watch_for_panics();
        let (tell, hear) = mpsc::channel();
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let serve = async {
                let listener = api::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                api::serve(listener, Rc::new(Fake::new(facts)), stopped).await;
            };
            LocalSet::new().block_on(&runtime, serve);
        });
        Self { address: hear.recv().unwrap(), stop, thread: Some(thread) }
    }

    /// Whether anything in the server has panicked. The runtime catches what panics in a connection; the program,
    /// which is built without unwinding, would end by it.
    pub(crate) fn has_panicked(&self) -> bool {
        let id = self.thread.as_ref().map(|thread| thread.thread().id());
        let panicked = PANICKED.lock().unwrap();
        id.zip(panicked.as_ref()).is_some_and(|(id, panicked)| panicked.contains(&id))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let panicked = self.has_panicked();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))) && !panicked, "the server panicked");
        }
    }
}

/// Threads in which something panicked.
static PANICKED: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);

fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let id = std::thread::current().id();
            PANICKED.lock().unwrap().get_or_insert_default().insert(id);
            before(info);
        }));
    });
}
