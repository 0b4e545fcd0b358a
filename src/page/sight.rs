//! All that the page shows. No secret is in it: of a token, only what is shown of it.

use crate::doctor::Section;
use crate::log_file::Line;
use crate::status::{BridgeLine, ProblemLine};
use std::time::Duration;

/// The printer, its bridges and what goes on, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// What the page has to show with each form, so that no other page can send one.
    pub key: String,
    /// The printer's name.
    pub printer: String,
    /// Whether it is connected.
    pub connected: bool,
    /// The connection to it, in one line.
    pub source: String,
    /// The job; none where there is none.
    pub job: Option<Job>,
    /// Whether there is a camera to ask.
    pub camera: bool,
    /// What is wrong with settings and folders.
    pub problems: Vec<ProblemLine>,
    /// The bridges, in the order in which they are shown.
    pub cards: Vec<Card>,
    /// The last lines of the log, the newest first.
    pub log: Vec<Line>,
    /// The last examination.
    pub examination: Examination,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its file's name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How far it is, in percent.
    pub percent: Option<u8>,
}

/// An examination as by `octobridge doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Examination {
    /// Nobody asked for one.
    #[default]
    None,
    /// It goes on.
    Running {
        /// What is known so far.
        sections: Vec<Section>,
        /// What is looked at.
        at: &'static str,
    },
    /// It is over.
    Done {
        /// What was found.
        sections: Vec<Section>,
        /// When, as time since the Unix epoch.
        at: Duration,
    },
}

/// A bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// How it is; its name is the section of extended.cfg.
    pub line: BridgeLine,
    /// Whether it is switched on.
    pub on: bool,
    /// Its service, and what that needs.
    pub service: Service,
    /// What goes on about pairing.
    pub course: Course,
    /// What came of the last test, and whether it went well.
    pub test: Option<Result<String, String>>,
}

/// What a bridge leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// OctoApp's phones.
    OctoApp(OctoApp),
    /// Prusa Connect.
    PrusaConnect(PrusaConnect),
    /// A Telegram chat.
    Telegram(Telegram),
}

/// What is shown of OctoApp.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OctoApp {
    /// The phones that are registered, a line each; or why that is not known.
    pub phones: Option<Result<Vec<String>, String>>,
}

/// What is shown of Prusa Connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrusaConnect {
    /// The printer's serial number; none before it has one.
    pub serial: Option<String>,
    /// The server's address.
    pub server: String,
    /// How far registration is.
    pub registration: Registration,
}

/// How far a registration is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Registration {
    /// Connect does not know the printer.
    #[default]
    No,
    /// Connect has given a token.
    Yes {
        /// What may be shown of it.
        hint: String,
    },
    /// Connect does not take the token.
    Refused {
        /// What may be shown of it.
        hint: String,
    },
}

/// What is shown of a Telegram chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telegram {
    /// Whether there is a token of a bot.
    pub has_token: bool,
    /// The chat that is told, as its settings have it.
    pub chat: Option<String>,
}

/// What goes on about pairing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Course {
    /// Nothing.
    #[default]
    Idle,
    /// Somebody is asked something, which takes a moment; with what is to be known about it.
    Busy(Option<String>),
    /// The owner is to do something.
    Waiting(Invitation),
    /// The owner is to choose.
    Asking {
        /// What.
        question: String,
        /// Whether whoever sent the code may also be allowed to control the printer.
        control: bool,
        /// The answers.
        choices: Vec<Choice>,
    },
    /// It went well.
    Done(String),
    /// It did not; the sentence names the remedy.
    Failed(String),
}

/// What the owner is to do, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invitation {
    /// The link to open or to scan; none where there is only something to be done.
    pub link: Option<String>,
    /// A code to be entered.
    pub code: Option<String>,
    /// Other ways, a label and a text each.
    pub extras: Vec<Extra>,
    /// When it is over, by the service's monotonic clock.
    pub until: Duration,
    /// What happened meanwhile, the newest last.
    pub remarks: Vec<String>,
}

/// Another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// When to go it.
    pub label: &'static str,
    /// A link, an address, or what is to be written.
    pub text: String,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What stands for it in a form.
    pub value: String,
    /// What it is.
    pub label: String,
}
