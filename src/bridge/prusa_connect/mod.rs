//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |

pub(crate) mod connect;
