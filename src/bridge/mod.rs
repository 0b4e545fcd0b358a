//! The bridges: one folder per service. A bridge knows events and its own wire format; never Moonraker's JSON,
//! never another bridge.
//!
//! A new bridge is a folder here and a line in [`BRIDGES`].

mod mailbox;
pub mod octoapp;
pub mod prusa_connect;
pub mod telegram;

use crate::camera::Camera;
use crate::clock::{Moment, SystemClock};
use crate::doctor::Finding;
use crate::printer::{Event, FileChange, Sight};
use crate::source::control::Control;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Every bridge there is.
pub const BRIDGES: &[Kind] = &[
    Kind {
        name: octoapp::NAME,
        check: octoapp::check,
        start: octoapp::start,
        test: octoapp::test,
        examine: octoapp::examine,
    },
    Kind {
        name: prusa_connect::NAME,
        check: prusa_connect::check,
        start: prusa_connect::start,
        test: prusa_connect::test,
        examine: prusa_connect::examine,
    },
    Kind {
        name: telegram::NAME,
        check: telegram::check,
        start: telegram::start,
        // It has one receiver, whom the settings tell.
        test: |examination, text| telegram::test(examination, text).map(|()| String::new()),
        examine: telegram::examine,
    },
];

/// One service that a printer can be joined to.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name, as in `extended.cfg`.
    pub name: &'static str,
    /// Checks its settings, looked up as in [`Setup::setting`], without starting it.
    pub check: fn(&Lookup<'_>) -> Result<(), StartError>,
    /// Starts it.
    pub start: fn(&Setup<'_>) -> Result<Box<dyn Bridge>, StartError>,
    /// Sends one message now, past the queue. Gives what is to be said of the receivers, if anything, as in " for A and
    /// B"; the error says why it was not taken, and what to do.
    pub test: fn(&Examination<'_>, &str) -> Result<String, String>,
    /// Looks at its service for `octobridge doctor`, within some 15 s, and changes nothing there. What [`Kind::check`]
    /// refuses is told already, so that nothing is found then. No finding names the bridge; none holds a secret.
    pub examine: fn(&Examination<'_>) -> Vec<Finding>,
}

/// What a bridge gets to examine or to test its service with.
pub struct Examination<'a> {
    /// Directory for secrets and state, which may be missing.
    pub data_dir: &'a Path,
    /// The printer's own directory.
    pub printer_data: &'a Path,
    /// Its name in files, as in [`Setup::id`].
    pub id: &'a str,
    /// The program's TLS set-up.
    pub tls: Arc<ClientConfig>,
    /// Looks a setting up, as in [`Setup::setting`].
    pub setting: &'a Lookup<'a>,
    /// Reaches the printer.
    pub control: &'a Reach<'a>,
}

/// Connects to the printer, within some 8 s; the error says why not, and what to do.
pub type Reach<'a> = dyn Fn() -> Result<Control, String> + 'a;

/// Finds the text of a setting by the name of its environment variable.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a bridge gets to start with.
pub struct Setup<'a> {
    /// Directory for secrets and state.
    pub data_dir: &'a Path,
    /// The printer's own directory, `printer_data`, which may be missing.
    pub printer_data: &'a Path,
    /// Its name in files: that of the kind, with a label behind it for a further bridge of the same kind.
    pub id: &'a str,
    /// The program's one TLS set-up.
    pub tls: Arc<ClientConfig>,
    /// The printer's name in its own network.
    pub printer_id: &'a str,
    /// The printer's camera.
    pub camera: Camera,
    /// Up to which age a picture shows the present.
    pub fresh: Duration,
    /// The clock of the whole worker.
    pub clock: SystemClock,
    /// What the printer is asked and commanded by.
    pub control: Control,
    /// The file that the log goes to, if it goes to one.
    pub log: Option<&'a Path>,
    /// Looks a setting up by the name of its environment variable; none where it is unset.
    pub setting: &'a Lookup<'a>,
}

/// Why a bridge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing without which it cannot be paired; the text names it.
    #[error("{0}")]
    Unpaired(String),
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Setting(String),
    /// There is no thread for it.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// A running bridge. It works on threads of its own: no call but [`Bridge::stop`] waits for the network.
pub trait Bridge: Send {
    /// Takes notice of an event. When this returns, a message that must not be lost is on disk.
    fn on_event(&mut self, event: &Event);

    /// Takes notice of the printer's newest state; states in between may be left out. Only where it is wanted.
    fn on_sight(&mut self, _sight: &Sight) {}

    /// Takes notice of a line of the printer's console. Only where it is wanted.
    fn on_console(&mut self, _line: &str, _at: Moment) {}

    /// Takes notice of a change among the files that can be printed. Only where it is wanted; after the source was lost
    /// ([`crate::printer::EventKind::SourceLost`]) anything may have changed.
    fn on_files(&mut self, _change: &FileChange) {}

    /// What it wants to be told of besides events. Each thing wakes its thread, several times a second.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// What tells how it goes, also while this bridge is busy, and from any thread.
    fn reporter(&self) -> Reporter;

    /// What takes its outbox from it, should it hang when it is to end.
    fn fence(&self) -> Fence {
        Box::new(|| {})
    }

    /// Sends what can be sent within `grace`, then ends. Blocks for `grace` and half a second at most.
    fn stop(&mut self, grace: Duration);
}

/// What a bridge wants to be told of besides events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// The printer's state ([`Bridge::on_sight`]).
    pub snapshots: bool,
    /// The lines of its console ([`Bridge::on_console`]).
    pub console: bool,
    /// The changes of files ([`Bridge::on_files`]).
    pub files: bool,
}

/// Tells how a bridge goes; none when that cannot be told at this moment without waiting.
pub type Reporter = Box<dyn Fn() -> Option<BridgeStatus> + Send + Sync>;

/// Takes its outbox from a bridge, whatever that one is doing, so that another can open it: it sends nothing more, and what
/// it does later counts for nothing. Blocks for a second at most.
pub type Fence = Box<dyn Fn() + Send + Sync>;

/// The states of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeState {
    /// Not switched on.
    #[default]
    Off,
    /// It runs, and has not reached its service yet.
    Starting,
    /// It works.
    Connected,
    /// Its service cannot be reached; it is tried again and again.
    Retrying,
    /// It waits for a person to pair it.
    NeedsPairing,
    /// It does not work until somebody acts.
    Failed,
}

impl BridgeState {
    /// The word that people see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Retrying => "retrying",
            Self::NeedsPairing => "needs pairing",
            Self::Failed => "failed",
        }
    }
}

/// How a bridge is, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All is well.
    Ok,
    /// Something is away that comes back by itself: the network, the clock.
    Waiting,
    /// It works, but somebody should look.
    Warn,
    /// It does not work until somebody does something.
    Fail,
}

/// What a bridge tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeStatus {
    /// Its state.
    pub state: BridgeState,
    /// How it is.
    pub health: Health,
    /// One line for people: trouble with its remedy, last success, messages that wait.
    pub text: String,
    /// Messages that wait.
    pub queued: usize,
    /// Messages given up since it started.
    pub dropped: u64,
    /// When the last message was delivered, in seconds since the Unix epoch.
    pub last_ok: Option<u64>,
    /// What keeps messages from being delivered now.
    pub last_error: Option<String>,
}
