//! Prusa Connect: registration, telemetry, commands, files, transfers and cameras, as Prusa's own printers have them.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | the protocol: messages, their order, commands and their life, registration |
//! | [`machine`] | what the printer is for Connect: state, job, telemetry, description |
//! | [`orders`] | what is done about each command |

pub(crate) mod connect;
pub(crate) mod machine;
pub(crate) mod orders;
