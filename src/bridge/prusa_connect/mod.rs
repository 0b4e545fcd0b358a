//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`serial`] | who the printer is: a serial number chosen once |
//! | [`store`] | what is kept between runs |

pub(crate) mod connect;
mod serial;
mod store;
