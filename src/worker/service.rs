//! The service: its parts wired together, and what is asked of it from outside.

use super::bridges::{Bridges, MEND, Surroundings};
use super::desk::{Board, Office};
use super::domain::{Domain, Shared};
use super::folders::Folders;
use super::hint;
use super::memory_file::MemoryFile;
use super::panics::{self, HeldBack, Hold};
use super::picture;
use super::report::{Facts, report};
use super::rest::Rest;
use super::signals::{Asked, Signals};
use super::source::Source;
use crate::camera::{self, Camera};
use crate::clock::{Clock, SystemClock};
use crate::footprint::give_back_code;
use crate::log_file::{Destination, Recent};
use crate::settings::{Environment, Problem, Settings};
use crate::source::{SourceStatus, control};
use crate::status::{self, Report};
use crate::tls;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;

/// Bridges have this long to send what waits, when the service stops.
const GRACE: Duration = Duration::from_secs(2);
/// The same when the supervising process died: a request that is cut off would be sent a second time.
const GRACE_BEFORE_TAKEOVER: Duration = Duration::from_secs(1);

/// How often it is looked whether a picture is still wanted.
const FORGET_STEP: Duration = Duration::from_secs(10);

/// How often it is looked whether nothing is printed, so that memory is given back.
const SMALLER: Duration = Duration::from_secs(5 * 60);
/// A bridge is held back for a minute at most, and is in order after another.
const IN_ORDER: Duration = Duration::from_secs(125);

/// Why the service ended.
pub(super) enum Ended {
    /// It was asked to.
    Asked,
    /// By its new settings there is nothing to run.
    NothingToRun,
    /// The supervising process is gone.
    SupervisorDied,
    /// The thread of this name failed by an error of this program.
    Failed(String),
}

/// What the settings are read by.
pub(super) struct Ground {
    /// Bootstrap JSON: a path, or base64.
    pub(super) bootstrap: Option<String>,
    pub(super) environment: Environment,
}

impl Ground {
    /// Reads the settings anew.
    pub(super) fn read(&self) -> Settings {
        Settings::load(self.bootstrap.as_deref(), &self.environment)
    }
}

/// The service, ready to run.
pub(super) struct Service {
    settings: Settings,
    ground: Arc<Ground>,
    folders: Rc<Folders>,
    log: Destination,
    recent: Recent,
    restarts: u32,
    started: Instant,
}

/// What the status is made of.
pub(super) struct Told {
    pub(super) shared: Rc<RefCell<Shared>>,
    pub(super) source: watch::Receiver<SourceStatus>,
    pub(super) settings: Settings,
    /// What is wrong, besides what the settings themselves say.
    problems: Vec<Problem>,
    /// Why the REST server does not listen.
    pub(super) rest: Option<String>,
}

impl Service {
    pub(super) fn new(
        settings: Settings,
        ground: Arc<Ground>,
        folders: Folders,
        (log, recent): (Destination, Recent),
        restarts: u32,
    ) -> Self {
        let (folders, started) = (Rc::new(folders), Instant::now());
        Self { settings, ground, folders, log, recent, restarts, started }
    }

    /// Runs until a signal or the supervising process's end.
    pub(super) async fn run(self) -> Ended {
        let local = LocalSet::new();
        local.run_until(self.serve()).await
    }

    async fn serve(self) -> Ended {
        let mut signals = match Signals::take() {
            Ok(signals) => signals,
            Err(error) => {
                log::error!("cannot wait for signals: {error}");
                return Ended::Asked;
            }
        };
        // One for all: a source that is exchanged must not begin to count anew.
        let clock = SystemClock::new();
        let mut failures = panics::halt_threads();
        let taken = Arc::new(Notify::new());
        let (control, requests) = control::channel();
        let camera = match tls::client_config(None) {
            Ok(tls) => picture::camera(&self.settings, &control, tls, clock),
            Err(error) => {
                log::error!("{error}");
                return Ended::Asked;
            }
        };
        let board = Arc::new(Board::default());
        let surroundings = Surroundings {
            printer_data: self.settings.paths.printer_data.clone(),
            state: self.folders.state.clone(),
            printer_id: self.settings.general.printer_id.clone(),
            control: control.clone(),
            camera: camera.clone(),
            fresh: self.settings.general.fresh(),
            clock,
            log: self.log.file().map(std::path::Path::to_owned),
        };
        let held_back = HeldBack::read(&self.settings.paths.run);
        match held_back.hold(camera::THREAD) {
            Some(Hold::For(pause, times)) => camera.hold_back(Some(pause), times),
            Some(Hold::Off(times)) => camera.hold_back(None, times),
            None => {}
        }
        let bridges = Bridges::start(&self.settings, surroundings, held_back, Arc::clone(&taken));
        let shared = Rc::new(RefCell::new(Shared { bridges, newest: None, connected: false }));
        let domain = Domain::new(MemoryFile::new(&self.folders.state), Rc::clone(&shared), camera.clone());
        let (observations, inbox) = mpsc::channel(16);
        tokio::task::spawn_local(domain.run(inbox, taken));
        let (mut source, seen) = Source::new(observations, requests, camera.clone(), clock);
        let problems = source.follow(&self.settings).await.into_iter().collect();
        let told = Told { shared, source: seen, settings: self.settings.clone(), problems, rest: None };
        let told = Rc::new(RefCell::new(told));
        self.show_status(&told);
        tokio::task::spawn_local(hint::run(Rc::clone(&told), control.clone(), self.folders.state.clone()));
        let office = Office::new(
            Rc::clone(&told),
            self.report_of(&told),
            self.recent.clone(),
            Arc::clone(&self.ground),
            control,
            clock,
            Arc::clone(&board),
        );
        let office = office.map(Rc::new);
        let mut rest =
            Rest::new(Rc::clone(&told), camera.clone(), clock, self.started, self.restarts, office);
        rest.follow();
        tokio::task::spawn_local(forget_pictures(camera.clone(), clock));
        tokio::task::spawn_local(forget_failures(Rc::clone(&told)));
        tokio::task::spawn_local(stay_small(Rc::clone(&told)));
        let ended = loop {
            let asked = tokio::select! {
                asked = signals.next() => asked,
                () = board.reload_asked() => Asked::Reload,
                Some(thread) = failures.recv() => break Ended::Failed(thread),
            };
            match asked {
                Asked::Stop => break Ended::Asked,
                Asked::SupervisorDied => break Ended::SupervisorDied,
                Asked::Reload => {
                    log::info!("reads the settings again");
                    let mut settings = self.ground.read();
                    if !settings.unreadable.is_empty() {
                        // A slip of the pen must not switch everything off.
                        let mut told = told.borrow_mut();
                        told.settings.problems = kept_for_now(settings);
                        told.settings.problems.iter().for_each(|problem| log::warn!("{problem}"));
                        board.reloaded();
                        continue;
                    }
                    settings.keep(&told.borrow().settings);
                    settings.problems.iter().for_each(|problem| log::warn!("{problem}"));
                    if !settings.anything_to_run() {
                        break Ended::NothingToRun;
                    }
                    log::set_max_level(settings.log_level.value);
                    log::debug!("the log tells all from {} on", settings.log_level.value);
                    camera.want(settings.general.camera.clone());
                    told.borrow().shared.borrow_mut().bridges.reload(&at_rest(&settings, &board));
                    let problem = source.follow(&settings).await;
                    if problem.is_none() {
                        picture::follow(&camera, &settings);
                    }
                    {
                        let mut told = told.borrow_mut();
                        (told.settings, told.problems) = (settings, problem.into_iter().collect());
                    }
                    rest.follow();
                    board.reloaded();
                }
            }
        };
        let asked = clock.now().monotonic;
        rest.end();
        source.end().await;
        let grace = match ended {
            Ended::Asked | Ended::NothingToRun => {
                // Somebody starts it again, and means all of it.
                told.borrow().shared.borrow_mut().bridges.forget_failures();
                GRACE
            }
            Ended::Failed(ref thread) => {
                told.borrow().shared.borrow_mut().bridges.note_failure(thread);
                GRACE
            }
            Ended::SupervisorDied => {
                log::warn!("the supervising process died; this one takes its place");
                GRACE_BEFORE_TAKEOVER
            }
        };
        // All of it together, since who asked waits for no longer.
        let grace = grace.saturating_sub(clock.now().monotonic.saturating_sub(asked));
        told.borrow().shared.borrow_mut().bridges.stop(grace);
        // What the bridges have just taken is remembered as told.
        tokio::task::yield_now().await;
        ended
    }

    /// Makes the report, whenever somebody wants it.
    fn report_of(&self, told: &Rc<RefCell<Told>>) -> Box<dyn Fn() -> Report> {
        let (told, folders) = (Rc::clone(told), Rc::clone(&self.folders));
        let (log, restarts, started) = (self.log.clone(), self.restarts, self.started);
        Box::new(move || make_report(&told.borrow(), &folders, &log, restarts, started))
    }

    fn show_status(&self, told: &Rc<RefCell<Told>>) {
        let socket = self.settings.paths.status_socket();
        match status::bind(&socket) {
            Ok(listener) => {
                tokio::task::spawn_local(status::serve(listener, self.report_of(told)));
            }
            Err(error) => log::error!("no status: cannot listen on {}: {error}", socket.display()),
        }
    }
}

/// The settings, with the bridges off that rest while they are paired.
fn at_rest(settings: &Settings, board: &Board) -> Settings {
    let mut settings = settings.clone();
    for instance in &mut settings.instances {
        if board.rests(&instance.name()) {
            instance.enabled.value = false;
        }
    }
    settings
}

/// Lets go of a picture that nobody wants.
async fn forget_pictures(camera: Camera, clock: SystemClock) {
    loop {
        tokio::time::sleep(FORGET_STEP).await;
        camera.on_tick(clock.now());
    }
}

/// Between jobs, gives back what only the start or the last job needed.
async fn stay_small(told: Rc<RefCell<Told>>) {
    loop {
        tokio::time::sleep(SMALLER).await;
        let told = told.borrow();
        let shared = told.shared.borrow();
        let print = shared.newest.as_ref().and_then(|(snapshot, _)| snapshot.print.as_ref());
        if !print.is_some_and(|print| print.state.is_active()) {
            give_back_code();
        }
    }
}

/// A bridge that failed is in order again when it runs for a while.
async fn forget_failures(told: Rc<RefCell<Told>>) {
    tokio::time::sleep(IN_ORDER).await;
    told.borrow().shared.borrow_mut().bridges.forget_failures();
}

/// The problems of settings that do not count yet, since a file of them cannot be read.
fn kept_for_now(settings: Settings) -> Vec<Problem> {
    let Settings { problems, unreadable, .. } = settings;
    let kept = |problem: Problem| match unreadable.contains(&problem) {
        true => Problem::new(problem.what, MEND),
        false => problem,
    };
    problems.into_iter().map(kept).collect()
}

fn make_report(told: &Told, folders: &Folders, log: &Destination, restarts: u32, started: Instant) -> Report {
    let mut problems: Vec<Problem> =
        told.settings.problems.iter().chain(&told.problems).chain(folders.problem()).cloned().collect();
    let rest = told.rest.as_ref();
    problems.extend(
        rest.map(|why| Problem::new(why.clone(), "set PORT to a free port, or to 0 for no REST server")),
    );
    report(&Facts {
        shared: &told.shared.borrow(),
        source: &told.source.borrow(),
        paths: &told.settings.paths,
        log,
        problems: &problems,
        up: started.elapsed(),
        restarts,
    })
}
