//! Pairing: a phone is paired when its app has written a record into Moonraker's database, and the service takes a push
//! for it.
//!
//! [`course`] decides and is pure; this reads the database and sends the push. Meanwhile the printer is announced there
//! as the bridge does it, since apps register with a printer that has somebody to tell them.

mod course;

use super::app::{App, Device};
use super::core::Addresses;
use super::registry::Registry;
use super::world::World;
use super::{config, outside::Outside, secrets, trial, upkeep};
use crate::bridge::{Lookup, StartError};
use crate::calendar;
use crate::clock::{Clock, Moment, SystemClock};
use crate::source::control::Control;
use course::{Course, Seen, Step};
use rustls::ClientConfig;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The first push, whoever pairs.
pub(crate) const HELLO: &str =
    "This printer is paired with this phone: messages about its prints arrive here.";

/// Why nothing was paired, or forgotten.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// Whoever waits has had enough.
    #[error("it was cancelled")]
    Cancelled,
    /// A setting is wrong.
    #[error("{0}")]
    Setting(#[from] StartError),
    /// OctoApp's own plugin looks after this printer.
    #[error("{}", upkeep::PLUGIN_RUNS)]
    Plugin,
    /// Moonraker's database does not do what it is asked.
    #[error("Moonraker's database cannot be used: {0}")]
    Database(String),
    /// No phone registered in time.
    #[error("no phone registered within {} s; start again when the phone is at hand", .0.as_secs())]
    Late(Duration),
    /// The service took no push.
    #[error("{0}")]
    NotSent(String),
}

/// What happens while a phone is waited for. Whoever is told says whether to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// So much time is left.
    Left(Duration),
    /// Something for the owner to know.
    Remark(String),
}

/// Phones that registered just now.
pub(crate) struct Arrived(Vec<App>);

impl std::fmt::Display for Arrived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut labels: Vec<String> = self.0.iter().map(|app| app.label.clone()).collect();
        labels.dedup();
        f.write_str(&trial::named(&labels))
    }
}

/// A printer that is to be paired with a phone.
pub(crate) struct Pairing {
    world: World,
    registry: Registry,
    addresses: Addresses,
    clock: SystemClock,
    /// What was told to be registered: whoever is not in there is new, also before waiting begins.
    told: Option<Vec<App>>,
}

impl Pairing {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// If one is wrong.
    pub(crate) fn new(
        setting: &Lookup<'_>,
        tls: Arc<ClientConfig>,
        control: Control,
    ) -> Result<Self, PairError> {
        let addresses = config::read(setting)?;
        let world = World::new(control, tls, Default::default());
        let registry = Registry::new(String::new());
        Ok(Self { world, registry, addresses, clock: SystemClock::new(), told: None })
    }

    /// Makes sure that nobody else looks after the printer, and finds its identity, which is kept in `data_dir`, or was by
    /// the plugin in the printer's own directory, `printer_data`.
    ///
    /// # Errors
    ///
    /// If OctoApp's own plugin does.
    pub(crate) fn prepare(&mut self, data_dir: &Path, printer_data: &Path) -> Result<(), PairError> {
        if self.plugin_runs() {
            return Err(PairError::Plugin);
        }
        self.registry = Registry::new(secrets::printer_id(data_dir, printer_data, &mut self.world));
        Ok(())
    }

    /// Whether OctoApp's own plugin looks after the printer.
    pub(crate) fn plugin_runs(&mut self) -> bool {
        self.world.plugin_runs() == Some(true)
    }

    /// What is registered, in a line each for people.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(crate) fn registered(&mut self) -> Result<Vec<String>, PairError> {
        let now = self.clock.now();
        let apps = self.apps()?;
        let told = apps.iter().map(|app| described(app, now)).collect();
        self.told = Some(apps);
        Ok(told)
    }

    fn apps(&mut self) -> Result<Vec<App>, PairError> {
        self.registry.apps(&mut self.world).map_err(PairError::Database)
    }

    /// Waits for a phone to register, up to `patience`, and tells what happens meanwhile. New is who was not
    /// [`registered`](Self::registered) when that was told last, or else when waiting begins.
    ///
    /// # Errors
    ///
    /// If none does, or the database cannot be used at the beginning.
    pub(crate) fn wait(
        &mut self,
        patience: Duration,
        tell: &mut dyn FnMut(News) -> ControlFlow<()>,
    ) -> Result<Arrived, PairError> {
        let begun = self.clock.now();
        let known = self.told.take().map_or_else(|| self.apps(), Ok)?;
        let mut course = Course::new(&known, begun, patience);
        let announced = self.registry.announce(&mut self.world, begun.unix);
        announced.map_err(|error| PairError::Database(error.why))?;
        course.announced(true, begun.monotonic);
        loop {
            let now = self.clock.now();
            if tell(News::Left(course.left(now.monotonic))).is_break() {
                return Err(PairError::Cancelled);
            }
            match course.step(now.monotonic) {
                Step::Announce => {
                    let done = self.registry.announce(&mut self.world, now.unix).is_ok();
                    course.announced(done, now.monotonic);
                }
                Step::Look => {
                    let apps = self.registry.apps(&mut self.world);
                    for seen in course.looked(apps, self.clock.now()) {
                        match seen {
                            Seen::Phones(apps) => return Ok(Arrived(apps)),
                            seen => drop(tell(News::Remark(remark(&seen)))),
                        }
                    }
                }
                Step::Wait(time) => std::thread::sleep(time),
                Step::Late => return Err(PairError::Late(patience)),
            }
        }
    }

    /// Sends a message to the phones that registered.
    ///
    /// # Errors
    ///
    /// If the service does not take it.
    pub(crate) fn greet(&mut self, arrived: &Arrived, text: &str) -> Result<(), PairError> {
        let (now, apps): (_, Vec<&App>) = (self.clock.now().unix, arrived.0.iter().collect());
        let sent = trial::send(&mut self.world, &mut self.registry, &self.addresses, &apps, text, now);
        sent.map(drop).map_err(PairError::NotSent)
    }

    /// Deletes every record that can be read.
    ///
    /// # Errors
    ///
    /// If one is still there afterwards.
    pub(crate) fn forget(&mut self) -> Result<(), PairError> {
        let apps = self.apps()?;
        Registry::delete(&mut self.world, apps.iter().map(|app| &app.name));
        match self.apps()?.len() {
            0 => Ok(()),
            left => Err(PairError::Database(format!(
                "{left} registrations are still there; close the app on the phones, and try again"
            ))),
        }
    }
}

fn described(app: &App, now: Moment) -> String {
    let kind = if app.device() == Device::Activity { "a Live Activity of " } else { "" };
    let seen = match Duration::try_from_secs_f64(app.last_seen) {
        Ok(seen) if calendar::is_set(seen) => format!(", last seen {}", calendar::utc(seen)),
        _ => String::new(),
    };
    let over = if app.is_expired(now.unix) { ", its registration is over" } else { "" };
    format!("{kind}{}{seen}{over}", app.label)
}

fn remark(seen: &Seen) -> String {
    match seen {
        Seen::Over(app) => format!(
            "{} registered for a time that is over already; check that the clocks of phone and printer are right",
            app.label
        ),
        Seen::Trouble(why) => format!("{why}; trying again"),
        Seen::Back | Seen::Phones(_) => "it goes on".to_owned(),
    }
}
