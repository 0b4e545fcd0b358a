//! Pairing: gets a code from Connect, and the token when its owner has entered that. For a terminal: it waits for the
//! network, and tells how it goes.
//!
//! The line decides what is asked and when; what is kept meanwhile lets another run go on with the same code.

use super::carrier::Carrier;
use super::config::Config;
use super::connect::identity::Identity;
use super::connect::kept::Kept;
use super::connect::line::{Arrival, Line, Next};
use super::connect::registration::{Code, link};
use super::connect::token::Token;
use super::identity::{as_now, identity, outdated};
use super::serial::{self, ChoiceError, Roots};
use super::store::{Pending, Registered, Registration, StoreError, forget_work};
use crate::backoff::random;
use crate::bridge::{Lookup, StartError};
use crate::clock::{Clock, Moment, SystemClock};
use rustls::ClientConfig;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the server is tried for a code.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is told how much time is left.
const TICK: Duration = Duration::from_secs(1);
/// A code that is good for less is not worth showing.
const WORTHWHILE: Duration = Duration::from_secs(60);

/// Why nothing was paired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// Whoever waits has had enough.
    #[error("it was cancelled")]
    Cancelled,
    /// A setting is wrong.
    #[error("{0}")]
    Setting(#[from] StartError),
    /// There is no serial number.
    #[error("{0}")]
    Identity(#[from] ChoiceError),
    /// What is needed later cannot be kept.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The server gives no code.
    #[error("there is no code: {0}; see that the printer reaches the server, and start again")]
    NoCode(String),
    /// The server refuses the printer.
    #[error(
        "Prusa Connect refuses: {0}; check url, serial and printer_type in the settings, and start again"
    )]
    Refused(String),
    /// The code is over, or the server does not know it any more.
    #[error("the code is not good any more ({0}); start again for another")]
    Over(String),
    /// The code was not entered in time.
    #[error("the code was not entered within {} s", .0.as_secs())]
    Late(Duration),
}

/// What happens while the code is waited for. Whoever is told says whether to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// So much time is left.
    Left(Duration),
    /// Something for the owner to know.
    Remark(String),
}

/// A printer that is to be paired.
pub(crate) struct Pairing {
    /// What the settings say.
    pub(crate) config: Config,
    /// Who the printer is.
    pub(crate) identity: Identity,
    data_dir: PathBuf,
    id: String,
    tls: Arc<ClientConfig>,
    clock: SystemClock,
}

/// A code that waits for its owner.
pub(crate) struct Waiting {
    line: Line,
    carrier: Carrier,
    /// The code.
    pub(crate) code: Code,
    /// It is one of an earlier run.
    pub(crate) again: bool,
    trouble: Option<String>,
}

impl Pairing {
    /// The printer of these settings, which has its data there. It gets its serial number, if it has none.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the serial number cannot be kept.
    pub(crate) fn open(
        setting: &Lookup<'_>,
        data_dir: &Path,
        id: &str,
        roots: &Roots,
        tls: Arc<ClientConfig>,
    ) -> Result<Self, PairError> {
        let config = Config::parse(setting)?;
        let identity = identity(&config, data_dir, id, roots)?;
        let (data_dir, id) = (data_dir.to_owned(), id.to_owned());
        Ok(Self { config, identity, data_dir, id, tls, clock: SystemClock::new() })
    }

    /// What the serial number is made of, for people; none where a setting says it.
    pub(crate) fn origin(&self) -> Option<&'static str> {
        let chosen = serial::kept(&self.data_dir, &self.id).ok()??;
        (self.config.serial.is_none()).then(|| chosen.origin.about())
    }

    /// Why the token that there is is worth nothing for this printer; none where it is good.
    ///
    /// # Errors
    ///
    /// If what is kept cannot be read.
    pub(crate) fn outdated(&self) -> Result<Option<String>, PairError> {
        let kept = self.registration()?;
        Ok(outdated(kept.registered.as_ref(), &self.now()))
    }

    fn now(&self) -> Registered {
        as_now(&self.config, &self.identity)
    }

    /// What is kept. That something was damaged is no hindrance: it is put aside.
    fn registration(&self) -> Result<Registration, StoreError> {
        match Registration::read(&self.data_dir, &self.id) {
            Err(StoreError::PutAside { .. }) => Ok(Registration::default()),
            kept => kept,
        }
    }

    /// Gets a code, or goes on with one that still is good.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    pub(crate) fn begin(&self, tell: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<Waiting, PairError> {
        let now = self.clock.now();
        let kept = self.registration()?;
        let good = |pending: &Pending| {
            pending.of == self.now() && pending.code.until > now.unix.saturating_add(WORTHWHILE)
        };
        let carrier = Carrier::new(&self.config.server, Arc::clone(&self.tls));
        if let Some(Pending { code, .. }) = kept.pending.filter(good) {
            let line = self.line(Some(code.clone()), now);
            return Ok(Waiting { line, carrier, code, again: true, trouble: None });
        }
        let mut line = self.line(None, now);
        line.register(now);
        self.fresh(line, carrier, tell)
    }

    fn line(&self, code: Option<Code>, now: Moment) -> Line {
        Line::new(self.identity.clone(), Kept { code, ..Kept::default() }, random(), now)
    }

    /// Waits for a code of a registration that has begun.
    fn fresh(
        &self,
        mut line: Line,
        carrier: Carrier,
        tell: &mut dyn FnMut(News) -> ControlFlow<()>,
    ) -> Result<Waiting, PairError> {
        let deadline = self.clock.now().monotonic.saturating_add(PATIENCE);
        let mut trouble = None;
        loop {
            let left = deadline.saturating_sub(self.clock.now().monotonic);
            if tell(News::Left(left)).is_break() {
                return Err(PairError::Cancelled);
            }
            match step(&mut line, &carrier, self.clock, &mut trouble, tell) {
                Some(Arrival::Code(code)) => {
                    let of = self.now();
                    let kept = self.registration()?;
                    let pending = Some(Pending { code: code.clone(), of });
                    Registration { pending, ..kept }.write(&self.data_dir, &self.id)?;
                    return Ok(Waiting { line, carrier, code, again: false, trouble });
                }
                Some(Arrival::Ended(why)) => return Err(PairError::Refused(why)),
                _ if self.clock.now().monotonic >= deadline => {
                    return Err(PairError::NoCode(trouble.unwrap_or_else(|| "no answer".to_owned())));
                }
                _ => {}
            }
        }
    }

    /// The page that its owner is to open; `name` is what the printer is to be called.
    pub(crate) fn link(&self, code: &Code, name: &str) -> String {
        link(&self.config.server, &self.identity, &code.text, name)
    }

    /// For how long a code is good.
    pub(crate) fn life(&self, code: &Code) -> Duration {
        code.until.saturating_sub(self.clock.now().unix)
    }

    /// Waits for the token, up to `patience`. A code that the server does not know any more is [`PairError::Over`], and is
    /// forgotten.
    ///
    /// # Errors
    ///
    /// If it does not come. A code that still is good stays, for another run.
    pub(crate) fn wait(
        &self,
        waiting: &mut Waiting,
        patience: Duration,
        tell: &mut dyn FnMut(News) -> ControlFlow<()>,
    ) -> Result<Token, PairError> {
        let deadline = self.clock.now().monotonic.saturating_add(patience);
        let Waiting { line, carrier, trouble, .. } = waiting;
        loop {
            let left = deadline.saturating_sub(self.clock.now().monotonic);
            if tell(News::Left(left)).is_break() {
                return Err(PairError::Cancelled);
            }
            match step(line, carrier, self.clock, trouble, tell) {
                Some(Arrival::Registered) => {
                    if let Some(token) = line.token() {
                        return Ok(token.clone());
                    }
                }
                Some(Arrival::Ended(why)) => {
                    let kept = self.registration()?;
                    Registration { pending: None, ..kept }.write(&self.data_dir, &self.id)?;
                    return Err(PairError::Over(why));
                }
                _ if left.is_zero() => return Err(PairError::Late(patience)),
                _ => {}
            }
        }
    }

    /// Notes as what the printer is registered now. Its token was stored before.
    ///
    /// # Errors
    ///
    /// If that cannot be kept.
    pub(crate) fn registered(&self) -> Result<(), PairError> {
        forget_work(&self.data_dir, &self.id);
        let registration = Registration { pending: None, registered: Some(self.now()) };
        Ok(registration.write(&self.data_dir, &self.id)?)
    }
}

/// Forgets code, commands and cameras of a bridge; who the printer is stays.
///
/// # Errors
///
/// If something stands there that must not be overwritten.
pub(crate) fn forget(data_dir: &Path, id: &str) -> Result<(), StoreError> {
    forget_work(data_dir, id);
    match Registration::read(data_dir, id) {
        Ok(kept) if kept == Registration::default() => Ok(()),
        _ => Registration::default().write(data_dir, id),
    }
}

/// Does what the line wants next. What arrived, if something did.
fn step(
    line: &mut Line,
    carrier: &Carrier,
    clock: SystemClock,
    trouble: &mut Option<String>,
    tell: &mut dyn FnMut(News) -> ControlFlow<()>,
) -> Option<Arrival> {
    match line.next(clock.now()) {
        Next::Do(arrival) => return Some(arrival),
        Next::Wait(until) => {
            std::thread::sleep(until.saturating_sub(clock.now().monotonic).min(TICK));
        }
        Next::Send(request) => {
            let reply = carrier.send(&request);
            line.answered(reply.as_ref().map_err(String::as_str), clock.now());
            let now = line.report().last_error.filter(|_| line.token().is_none());
            match (&now, &trouble) {
                (Some(now), before) if before.as_ref() != Some(now) => {
                    let _ = tell(News::Remark(format!("Prusa Connect: {now}; trying again")));
                }
                (None, Some(_)) => drop(tell(News::Remark("it goes on".to_owned()))),
                _ => {}
            }
            *trouble = now;
        }
    }
    None
}
