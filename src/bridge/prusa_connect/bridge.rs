//! The running bridge: its thread, and what other threads bring it.

use super::cameras::{Cameras, Means};
use super::carrier::Carrier;
use super::clerk::PrinterClerk;
use super::config::Config;
use super::connect::http::Request;
use super::connect::identity::Identity;
use super::connect::kept::Kept;
use super::connect::line::Line;
use super::connect::token::Token;
use super::core::{Core, Settings, Step};
use super::files::info::Folders;
use super::files::path::Place;
use super::identity::{as_now, identity, outdated};
use super::inbox::{Item, Mailbox, News};
use super::keeper::{FileKeeper, SharedToken};
use super::orders::desk::PrinterDesk;
use super::outside::{Answer, Outside};
use super::serial::Roots;
use super::store::Registration;
use super::transfer::fetch::{NetFetcher, RETRY, Tools};
use super::transfer::origin::Origin;
use super::{STORAGE, machine};
use crate::backoff::random;
use crate::bridge::{Bridge, BridgeStatus, Reporter, Setup, StartError, Wants};
use crate::clock::{Clock, SystemClock};
use crate::printer::{Event, FileChange, Sight};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// Stack of the bridge's thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// Most events that are still sent at the end.
const MOST_LAST_WORDS: usize = 20;
/// How long a request that was broken off may take to notice.
const NOTICE: Duration = Duration::from_millis(500);

type SharedReport = Arc<Mutex<BridgeStatus>>;

/// The running bridge.
pub(super) struct PrusaConnect {
    mailbox: Mailbox,
    clock: SystemClock,
    report: SharedReport,
    cameras: Option<Cameras>,
    /// Tells that the thread has ended, by being disconnected.
    ended: Receiver<()>,
}

impl PrusaConnect {
    /// Opens what is kept and starts the threads.
    ///
    /// # Errors
    ///
    /// If the printer is not registered, a setting is wrong, its identity cannot be read, or the system has no thread to
    /// give.
    pub(super) fn start(setup: &Setup<'_>) -> Result<Self, StartError> {
        let (id, data_dir, clock) = (setup.id, setup.data_dir, setup.clock);
        let config = Config::parse(setup.setting)?;
        let Some(token) = config.token.clone() else {
            return Err(StartError::Unpaired(NOT_REGISTERED.to_owned()));
        };
        let roots = Roots::of_this_machine(setup.printer_data);
        let identity = identity(&config, data_dir, id, &roots)
            .map_err(|error| StartError::Setting(error.to_string()))?;
        let registered = Registration::read(data_dir, id).map(|kept| kept.registered).unwrap_or_default();
        if let Some(why) = outdated(registered.as_ref(), &as_now(&config, &identity)) {
            return Err(StartError::Unpaired(why));
        }
        let mailbox = Mailbox::default();
        let shared = SharedToken::default();
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        let (keeper, kept) = FileKeeper::open(data_dir, id, Arc::clone(&shared));
        let line = Kept { token: Some(token.clone()), code: None, ..kept.line.clone() };
        let mut line = Line::new(identity.clone(), line, random(), clock.now());
        if !config.allow.reset {
            line.refuse_resets();
        }
        let place = Place::new(STORAGE).ok_or_else(|| StartError::Setting("no storage".to_owned()))?;
        let cameras = cameras(setup, &config, &token)?;
        let mut outside = outside(setup, &config, &identity, &shared, place.clone(), keeper, &mailbox)?;
        if let Some(cameras) = &cameras {
            let registrar = cameras.registrar();
            outside.introduced = Box::new(move |token| {
                registrar.set_printer(token.map(|token| (identity.clone(), token.clone())));
            });
        }
        let settings = Settings {
            machine: machine::Options {
                idle_is_ready: config.treat_idle_as_ready,
                slots: config.slots,
                storage: STORAGE.into(),
            },
            orders: config.orders(place.clone()),
            place,
            server: config.server.clone(),
        };
        let core = Core::new(line, settings, kept, outside, clock.now());
        let report = Arc::new(Mutex::new(core.report()));
        let carrier = Carrier::new(&config.server, Arc::clone(&setup.tls));
        let (alive, ended) = mpsc::channel::<()>();
        let (own, told) = (mailbox.clone(), Arc::clone(&report));
        let thread = std::thread::Builder::new().name(id.to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            live(core, &own, &carrier, clock, &told);
            drop(alive);
        });
        spawned.map_err(StartError::Thread)?;
        Ok(Self { mailbox, clock, report, cameras, ended })
    }

    fn put(&self, news: News) {
        self.mailbox.put(Item { news, at: self.clock.now() });
    }
}

/// Said where there is no token.
pub(super) const NOT_REGISTERED: &str = "not registered; run `octobridge pair prusa-connect`";

/// Those who work on threads of their own.
fn outside(
    setup: &Setup<'_>,
    config: &Config,
    identity: &Identity,
    token: &SharedToken,
    place: Place,
    keeper: FileKeeper,
    mailbox: &Mailbox,
) -> Result<Outside, StartError> {
    let answer = |mailbox: &Mailbox| {
        let (mailbox, clock) = (mailbox.clone(), setup.clock);
        move |answer| mailbox.put(Item { news: News::Answer(answer), at: clock.now() })
    };
    let (said, filed, fetched) = (answer(mailbox), answer(mailbox), answer(mailbox));
    let printing = Arc::default();
    let headers = {
        let (identity, token, clock) = (identity.clone(), Arc::clone(token), setup.clock);
        move || {
            let token = token.lock().unwrap_or_else(PoisonError::into_inner);
            Request::new("GET", "", &identity, token.as_ref(), clock.now().unix).headers
        }
    };
    let server = Origin::of(&config.server)
        .ok_or_else(|| StartError::Setting("PRUSA_CONNECT_URL is no address".to_owned()))?;
    let tools = Tools {
        tls: Arc::clone(&setup.tls),
        server,
        headers: Box::new(headers),
        local_targets: false,
        printing: Arc::clone(&printing),
        sink: Box::new(setup.control.by(machine::NAME)),
        news: Box::new(move |news| fetched(Answer::Transfer(news))),
        retry: RETRY,
    };
    let macros = config.macros.clone();
    let desk = PrinterDesk::new(
        &setup.control,
        macros,
        Arc::new(move |command, came| said(Answer::Said(command, came))),
    );
    let clerk = PrinterClerk::new(
        setup.control.by(machine::NAME),
        place,
        Folders::of_type(&identity.printer_type),
        setup.clock,
        Arc::new(move |news| filed(Answer::Files(news))),
    );
    Ok(Outside {
        desk: Box::new(desk),
        clerk: Box::new(clerk),
        fetcher: Box::new(NetFetcher::new(tools)),
        keeper: Box::new(keeper),
        introduced: Box::new(|_| ()),
        printing,
    })
}

fn cameras(setup: &Setup<'_>, config: &Config, token: &Token) -> Result<Option<Cameras>, StartError> {
    let Some(trigger) = config.cameras else { return Ok(None) };
    let means = Means {
        camera: setup.camera.clone(),
        clock: setup.clock,
        tls: Arc::clone(&setup.tls),
        server: config.server.clone(),
        trigger,
        entered: config.camera_tokens.clone(),
        data_dir: setup.data_dir.to_owned(),
        id: setup.id.to_owned(),
        printer: Some(token.clone()),
    };
    Ok(Some(Cameras::start(means).map_err(StartError::Thread)?))
}

impl Bridge for PrusaConnect {
    fn on_event(&mut self, event: &Event) {
        self.put(News::Event(Box::new(event.clone())));
    }

    fn on_sight(&mut self, sight: &Sight) {
        if let Some(cameras) = &self.cameras {
            cameras.see(&sight.snapshot);
        }
        self.put(News::Sight(sight.clone()));
    }

    fn on_files(&mut self, change: &FileChange) {
        self.put(News::Files(change.clone()));
    }

    fn wants(&self) -> Wants {
        Wants { snapshots: true, console: false, files: true }
    }

    fn reporter(&self) -> Reporter {
        let report = Arc::clone(&self.report);
        Box::new(move || match report.try_lock() {
            Ok(report) => Some(report.clone()),
            // A thread that was halted while it held the report holds it for ever.
            Err(TryLockError::Poisoned(report)) => Some(report.into_inner().clone()),
            Err(TryLockError::WouldBlock) => None,
        })
    }

    fn stop(&mut self, grace: Duration) {
        self.mailbox.close();
        if let Some(cameras) = &self.cameras {
            cameras.stop(Duration::ZERO);
        }
        if self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
            // What it still says is of no consequence, and a request under way ends by itself.
            let _ = self.ended.recv_timeout(NOTICE);
        }
    }
}

/// Does what is due and takes what comes, until the mailbox is closed.
fn live(mut core: Core, mailbox: &Mailbox, carrier: &Carrier, clock: SystemClock, report: &SharedReport) {
    let send = |core: &mut Core, request: &Request| {
        let reply = carrier.send(request);
        core.answered(reply.as_ref().map_err(String::as_str), clock.now());
    };
    loop {
        let wait = match core.step(clock.now()) {
            Step::Send(request) => {
                send(&mut core, &request);
                Duration::ZERO
            }
            Step::Wait(until) => until.saturating_sub(clock.now().monotonic),
        };
        *report.lock().unwrap_or_else(PoisonError::into_inner) = core.report();
        // Somebody else may be at work in its place already, if the last request took long: nothing is begun any more.
        if mailbox.is_closed() {
            break;
        }
        let Some(items) = mailbox.take(wait) else { break };
        for Item { news, at: now } in items {
            match news {
                News::Event(event) => core.on_event(&event, now),
                News::Sight(sight) => core.on_sight(sight, now),
                News::Files(change) => core.on_files(change),
                News::Answer(answer) => core.on_answer(answer, now),
            }
        }
    }
    for _ in 0..MOST_LAST_WORDS {
        let Some(request) = core.last_words(clock.now()) else { return };
        send(&mut core, &request);
    }
}
