//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`config`], [`settings_file`] | the settings, and those that Connect gives as a file |
//! | [`cameras`] | each camera: registered, and its pictures when they are due |
//! | [`carrier`] | what carries requests over the network |
//! | [`serial`] | who the printer is: a serial number chosen once |
//! | [`store`] | what is kept between runs |
//! | [`rehearsal`] | the line on somebody else's clock, for tests |

mod cameras;
mod carrier;
mod config;
pub(crate) mod connect;
pub mod rehearsal;
mod serial;
mod settings_file;
mod store;
