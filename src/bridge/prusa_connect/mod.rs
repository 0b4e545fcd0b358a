//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`rehearsal`] | the same on somebody else's clock, for tests |

pub(crate) mod connect;
pub mod rehearsal;
