//! What the bridge needs of the world: somebody at the printer, somebody for the files, somebody who fetches, and a place
//! for what must last. Tests pass their own.

use super::connect::event::Event;
use super::connect::order::{Order, Outcome};
use super::connect::token::Token;
use super::orders::desk::Desk;
use super::orders::{FileOrder, Said};
use super::store::Commands;
use super::transfer::{self, Fetcher};
use crate::printer::FileChange;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The world. None of it blocks.
pub(super) struct Outside {
    /// Carries out tasks on the printer.
    pub(super) desk: Box<dyn Desk + Send>,
    /// Looks after the files.
    pub(super) clerk: Box<dyn Clerk + Send>,
    /// Fetches files.
    pub(super) fetcher: Box<dyn Fetcher + Send>,
    /// Keeps what must last.
    pub(super) keeper: Box<dyn Keeper + Send>,
    /// Told the printer's token once Connect knows the printer under it, and of none while it does not.
    pub(super) introduced: Introduced,
    /// Whether something prints: then downloads spare the processor.
    pub(super) printing: Arc<AtomicBool>,
}

/// Told of the printer's token, or that there is none which Connect knows.
pub(super) type Introduced = Box<dyn FnMut(Option<&Token>) + Send>;

/// Does what waits for the printer's files or its description, one after the other: commands first, changes last.
pub(super) trait Clerk {
    /// Takes an errand; what comes of it is told as [`FileNews`].
    fn take(&mut self, errand: Errand);

    /// That command is over, whatever becomes of it: if it is not begun, it is not begun any more.
    fn forget(&mut self, command: u32);
}

/// What the clerk is to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// Describe the printer's network and files for that.
    Describe(Purpose),
    /// Carry out a command about files.
    Order {
        /// The command.
        order: Order,
        /// What it asks for.
        what: FileOrder,
        /// The file in print, as its path in the root.
        in_print: Option<String>,
    },
    /// Say what Connect is to be told of a change.
    Change(FileChange),
    /// Look up the nozzles.
    Nozzles,
}

/// What the printer is described for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An introduction; with the storage as a medium of its own, if so.
    Greeting {
        /// The printer has just started.
        first: bool,
    },
    /// The answer to that command.
    Command(u32),
}

/// What came of an errand.
#[derive(Debug)]
pub(super) enum FileNews {
    /// The printer is described.
    Described(Purpose, Description),
    /// A command about files has ended.
    Done(u32, Outcome),
    /// Connect is to be told of these.
    Changed(Vec<Event>),
    /// All files were looked at anew, and Connect is to be told of these; none where they cannot be listed now.
    Listed(Option<Vec<Event>>),
    /// The toolheads, from 0, and the diameters of their nozzles in mm, as far as Klipper has them.
    Nozzles(Vec<(u8, f64)>),
}

/// What only Moonraker knows of the printer.
#[derive(Debug, Default)]
pub(super) struct Description {
    /// Where it is in its network.
    pub(super) network: Value,
    /// The tree of its files, as text of JSON; none where they cannot be listed.
    pub(super) files: Option<String>,
    /// The storage as a medium, for a greeting that is the first.
    pub(super) inserted: Option<Event>,
    /// The toolheads, from 0, and the diameters of their nozzles in mm; none where Klipper does not answer.
    pub(super) nozzles: Option<Vec<(u8, f64)>>,
}

/// Keeps what must last over a restart.
pub(super) trait Keeper {
    /// Keeps this in place of what was kept. Why it cannot is told by [`Self::trouble`].
    fn keep(&mut self, commands: &Commands);

    /// Keeps a token in place of the one that there is.
    ///
    /// # Errors
    ///
    /// If it cannot; in words for people.
    fn keep_token(&mut self, token: &Token) -> Result<(), String>;

    /// Why something is not kept.
    fn trouble(&self) -> Option<String>;
}

/// What comes back from the world.
#[derive(Debug)]
pub(super) enum Answer {
    /// From the printer, about the task of that command.
    Said(u32, Said),
    /// From the clerk.
    Files(FileNews),
    /// From a download.
    Transfer(transfer::News),
}
