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
//! | [`config`], [`settings_file`] | the settings, and those that Connect gives as a file |
//! | [`carrier`] | what carries requests over the network |
//! | [`serial`] | who the printer is: a serial number chosen once |
//! | [`store`] | what is kept between runs |
//! | [`rehearsal`] | the line on somebody else's clock, for tests |

mod cameras;
mod carrier;
mod config;
pub(crate) mod connect;
pub(crate) mod files;
pub(crate) mod machine;
pub(crate) mod orders;
pub mod rehearsal;
mod serial;
mod settings_file;
mod store;
pub(crate) mod transfer;
