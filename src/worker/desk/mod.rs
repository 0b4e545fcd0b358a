//! What is behind the set-up page: what it shows of the worker, and what is done when something is pressed.
//!
//! Nothing here waits: whatever takes time has a thread of its own, which writes what comes of it on the [`Board`].

mod board;
mod doctor;
mod facts;
mod octoapp;
mod prusa_connect;
mod switch;
mod telegram;
mod test;

pub(super) use board::Board;

use super::service::{Ground, Told};
use crate::api::page::{Admits, Who};
use crate::bridge::BridgeState;
use crate::bridge::prusa_connect::connect::line::REFUSED;
use crate::clock::{Clock, SystemClock};
use crate::log_file::Recent;
use crate::page::Service as Kind;
use crate::page::{
    Act, Card, Course, Deed, Job, OctoApp, PrusaConnect, Registration, SAID, Sight, Telegram, fill,
};
use crate::printer::PrintState;
use crate::settings::{BridgeName, Instance, PageFor, Secret, Settings};
use crate::setup::Note;
use crate::source::SourceStatus;
use crate::source::control::Control;
use crate::status::{BridgeLine, Report};
use board::Ticket;
use facts::Facts;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a thread of the desk gets to work with.
#[derive(Clone)]
struct Work {
    settings: Settings,
    ground: Arc<Ground>,
    control: Control,
    clock: SystemClock,
    board: Arc<Board>,
}

impl Work {
    /// Has the service read its settings again. A file of them that is gone would end it.
    fn reload(&self) {
        if !self.settings.on_a_printer || self.settings.paths.cfg_files().iter().any(|path| path.exists()) {
            self.board.ask_to_reload();
        }
    }

    /// Whether the service would end without this bridge, by the settings as they are written now: another one may have
    /// been switched off since they were read.
    fn needs(&self, name: &str) -> bool {
        let fresh = self.ground.read();
        let settings = if fresh.unreadable.is_empty() { &fresh } else { &self.settings };
        let mut others = settings.instances.iter().filter(|other| other.name() != name);
        !settings.serves_alone && !others.any(|other| other.enabled.value)
    }
}

/// The desk, for as long as the worker lives.
pub(super) struct Office {
    told: Rc<RefCell<Told>>,
    /// Makes the report that `octobridge status` shows.
    report: Box<dyn Fn() -> Report>,
    recent: Recent,
    ground: Arc<Ground>,
    control: Control,
    clock: SystemClock,
    board: Arc<Board>,
    /// What each form has to bear.
    key: Secret,
}

impl Office {
    /// A desk; none where the system gives no random numbers, without which forms could be anybody's.
    pub(super) fn new(
        told: Rc<RefCell<Told>>,
        report: Box<dyn Fn() -> Report>,
        recent: Recent,
        ground: Arc<Ground>,
        control: Control,
        clock: SystemClock,
        board: Arc<Board>,
    ) -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let key = Secret::new(format!("{:032x}", u128::from_ne_bytes(bytes)));
        Some(Self { told, report, recent, ground, control, clock, board, key })
    }

    /// Who may see the page, by the settings.
    pub(super) fn admits(&self) -> Admits {
        let told = self.told.borrow();
        let general = &told.settings.general;
        let who = match general.page {
            PageFor::Nobody => Who::Nobody,
            PageFor::Proxy => Who::Proxy,
            PageFor::Anyone => Who::Anyone,
        };
        Admits { who, hosts: general.page_hosts.clone() }
    }

    fn work(&self) -> Work {
        Work {
            settings: self.told.borrow().settings.clone(),
            ground: Arc::clone(&self.ground),
            control: self.control.clone(),
            clock: self.clock,
            board: Arc::clone(&self.board),
        }
    }

    /// All that the page shows; `camera` is whether there is one.
    pub(super) fn sight(&self, camera: bool) -> Sight {
        let report = (self.report)();
        let now = self.clock.now().monotonic;
        if self.board.wants_facts(now) {
            facts::look(self.work());
        }
        let facts = self.board.facts();
        let told = self.told.borrow();
        let instances = &told.settings.instances;
        let card = |mut line: BridgeLine| {
            let instance = instances.iter().find(|instance| instance.name() == line.name)?;
            let (course, test) = self.board.of(&line.name);
            let service = service(instance, &line, &facts);
            let has_phone =
                facts.phones.as_ref().is_some_and(|found| found.as_ref().is_ok_and(|all| !all.is_empty()));
            if matches!(service, Kind::OctoApp(_)) && line.state == BridgeState::NeedsPairing && has_phone {
                // The bridge has not looked since it came.
                (line.state, line.text) = (BridgeState::Starting, String::new());
            }
            Some(Card { on: instance.enabled.value, service, course, test, line })
        };
        let job = told.shared.borrow().present().and_then(|snapshot| {
            let print = snapshot.print.as_ref()?;
            let paused = match print.state {
                PrintState::Printing => false,
                PrintState::Paused => true,
                _ => return None,
            };
            let percent = print.progress.map(|progress| (progress * 100.0).clamp(0.0, 100.0) as u8);
            Some(Job { name: print.file.as_deref().unwrap_or_default().to_owned(), paused, percent })
        });
        Sight {
            key: self.key.expose().to_owned(),
            printer: told.settings.general.printer_id.clone(),
            connected: report.connected,
            // Over which address is for whoever looks for a fault.
            source: if report.connected { connected(&told.source.borrow()) } else { report.source },
            job,
            camera,
            problems: report.problems,
            cards: report.bridges.into_iter().filter_map(card).collect(),
            log: self.recent.lines(),
            examination: self.board.examination(),
        }
    }

    /// Now, by the clock of the page's deadlines.
    pub(super) fn now(&self) -> Duration {
        self.clock.now().monotonic
    }

    /// Begins what was asked for.
    pub(super) fn act(&self, act: Act) -> Result<(), String> {
        let work = self.work();
        if act.deed == Deed::Examine {
            return doctor::begin(work);
        }
        let instance = work.settings.instances.iter().find(|instance| instance.name() == act.bridge);
        let Some(instance) = instance.cloned() else {
            return Err(SAID.no_bridge.to_owned());
        };
        let name = instance.name();
        match act.deed {
            Deed::Cancel => self.board.cancel(&name),
            Deed::Choose { value, control } => self.board.choose(&name, &value, control),
            Deed::Switch(on) => return switch::begin(work, &instance, on),
            Deed::Test => return test::begin(work, &instance),
            deed => {
                let ticket = self.board.begin(&name).ok_or(SAID.goes_on)?;
                return self.walk(work, ticket, &instance, deed);
            }
        }
        Ok(())
    }

    /// Begins what takes a person along.
    fn walk(&self, work: Work, ticket: Ticket, instance: &Instance, deed: Deed) -> Result<(), String> {
        let instance = instance.clone();
        spawn(move || {
            let ended = match (instance.bridge, deed) {
                (BridgeName::OctoApp, Deed::Forget) => octoapp::forget(&work),
                (BridgeName::OctoApp, _) => octoapp::pair(&work, &ticket),
                (BridgeName::PrusaConnect, Deed::Forget) => prusa_connect::forget(&work),
                (BridgeName::PrusaConnect, Deed::Import(text)) => prusa_connect::import(&work, &text),
                (BridgeName::PrusaConnect, _) => prusa_connect::pair(&work, &ticket),
                (BridgeName::Telegram, Deed::Forget) => telegram::forget(&work, &instance),
                (BridgeName::Telegram, Deed::Pair(token)) => telegram::pair(&work, &ticket, &instance, token),
                (BridgeName::Telegram, _) => Err("Telegram has no such thing.".to_owned()),
            };
            ticket.end(match ended {
                Ok(text) => Course::Done(text),
                Err(why) => Course::Failed(why),
            });
            work.board.forget_facts();
            work.reload();
        })
    }
}

/// A connection that stands, in one line.
fn connected(source: &SourceStatus) -> String {
    let klippy = source.klippy.as_ref().map(|klippy| fill(SAID.klipper, &[klippy.state.name()]));
    [SAID.connected, klippy.as_deref().unwrap_or_default()].concat()
}

/// What is shown of a bridge's service.
fn service(instance: &Instance, line: &BridgeLine, facts: &Facts) -> Kind {
    match instance.bridge {
        BridgeName::OctoApp => Kind::OctoApp(OctoApp { phones: facts.phones.clone() }),
        BridgeName::PrusaConnect => {
            let refused = line.state == BridgeState::NeedsPairing || line.text.starts_with(REFUSED);
            let registration = match &facts.token {
                None => Registration::No,
                Some(hint) if refused => Registration::Refused { hint: hint.clone() },
                Some(hint) => Registration::Yes { hint: hint.clone() },
            };
            let server = instance.text("PRUSA_CONNECT_URL").unwrap_or_default().to_owned();
            Kind::PrusaConnect(PrusaConnect { serial: facts.serial.clone(), server, registration })
        }
        BridgeName::Telegram => {
            let topic = instance.text("TELEGRAM_THREAD_ID").filter(|thread| *thread != "0");
            let chat = instance.text("TELEGRAM_CHAT_ID").map(|chat| match topic {
                Some(topic) => [chat, &fill(SAID.telegram_in_topic, &[topic])].concat(),
                None => chat.to_owned(),
            });
            Kind::Telegram(Telegram { has_token: instance.text("TELEGRAM_BOT_TOKEN").is_some(), chat })
        }
    }
}

/// What is said at the end, with what is to be known besides, or still to be done by hand.
fn said(text: &str, notes: impl IntoIterator<Item = Note>) -> String {
    notes.into_iter().fold(text.to_owned(), |said, note| match note {
        Note::Beware(more) | Note::ByHand(more) => said + &fill(SAID.note, &[&more]),
        Note::Done(_) => said,
    })
}

/// Does something on a thread of its own.
fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = std::thread::Builder::new().name("page".to_owned()).spawn(work);
    thread.map(drop).map_err(|error| fill(SAID.no_thread, &[&error.to_string()]))
}
