//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`files`] | the printer's files as Connect sees them, and what it may do with them |
//! | [`transfer`] | downloads to the printer: their course, and what carries the bytes |

pub(crate) mod connect;
pub(crate) mod files;
pub(crate) mod transfer;
