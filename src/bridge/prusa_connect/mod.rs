//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`machine`] | what the printer is for Connect: state, job, telemetry, description |
//! | [`orders`] | what is done about each command |
//! | [`files`] | the printer's files, as Connect shows them |
//! | [`transfer`] | files that Connect sends to the printer |
//! | [`cameras`] | each camera: registered, and its pictures when they are due |
//! | [`core`](self::core) | all of it but the cameras, without threads |
//! | [`outside`], [`clerk`], [`keeper`] | what it needs of the world, who looks after files, who keeps what must last |
//! | [`bridge`](self::bridge), [`inbox`] | the running bridge: its threads, and what waits for them |
//! | [`config`], [`settings_file`] | the settings, and those that Connect gives as a file |
//! | [`identity`], [`serial`] | who the printer is: a serial number chosen once |
//! | [`pairing`] | from a code to a token, for a terminal |
//! | [`store`] | what is kept between runs |
//! | [`carrier`] | what carries requests over the network |
//! | [`examine`] | a look at the service for `doctor` and `test` |
//! | [`rehearsal`] | the line on somebody else's clock, for tests |
//!
//! Threads: one sends, one request at a time, and judges; one goes round the cameras. Others live as long as they have
//! something to do: for a command, for files, for a transfer.

mod bridge;
mod cameras;
mod carrier;
mod clerk;
pub(crate) mod config;
pub(crate) mod connect;
mod core;
mod examine;
pub(crate) mod files;
mod identity;
mod inbox;
mod keeper;
pub(crate) mod machine;
pub(crate) mod orders;
mod outside;
pub(crate) mod pairing;
pub mod rehearsal;
pub(crate) mod serial;
pub(crate) mod settings_file;
mod store;
pub(crate) mod transfer;

pub use self::core::rehearsal::{Asks, WholeRehearsal};
pub use cameras::rehearsal::{CameraRehearsal, CameraRound, CameraSheet};
pub use examine::{examine, test};
pub use files::rehearsal::{Becomes, Storage, Told};
pub use files::shelf::Item;
pub use transfer::rehearsal::{Downloads, decrypted};

use self::bridge::PrusaConnect;
use self::config::Config;
use super::{Bridge, Lookup, Setup, StartError};

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "prusa_connect";

/// What the printer's storage is called in Connect.
const STORAGE: &str = "local";

/// Starts the bridge with the settings that [`Setup::setting`] finds.
///
/// # Errors
///
/// If the printer is not registered, a setting is wrong, or a thread cannot be started.
pub fn start(setup: &Setup<'_>) -> Result<Box<dyn Bridge>, StartError> {
    Ok(Box::new(PrusaConnect::start(setup)?))
}

/// Checks the settings alone.
///
/// # Errors
///
/// If one is wrong, or the printer is not registered; the text names it.
pub fn check(setting: &Lookup<'_>) -> Result<(), StartError> {
    match Config::parse(setting)?.token {
        Some(_) => Ok(()),
        None => Err(StartError::Unpaired(self::bridge::NOT_REGISTERED.to_owned())),
    }
}
