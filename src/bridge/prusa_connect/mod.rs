//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`config`], [`settings_file`] | the settings, and those that Connect gives as a file |
//! | [`cameras`] | each camera: registered, and its pictures when they are due |
//! | [`carrier`] | what carries requests over the network |
//! | [`identity`], [`serial`] | who the printer is: a serial number chosen once |
//! | [`pairing`] | from a code to a token, for a terminal |
//! | [`store`] | what is kept between runs |
//! | [`rehearsal`] | the line on somebody else's clock, for tests |

mod cameras;
mod carrier;
pub(crate) mod config;
pub(crate) mod connect;
mod identity;
pub(crate) mod pairing;
pub mod rehearsal;
pub(crate) mod serial;
pub(crate) mod settings_file;
mod store;

pub use cameras::rehearsal::{CameraRehearsal, CameraRound, CameraSheet};

/// Its name, as in `extended.cfg`.
pub(crate) const NAME: &str = "prusa_connect";
