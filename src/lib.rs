//! Octobridge: a printer's cloud and chat connections, as one small program inside its firmware.
//!
//! Data flows one way: a [`source`] sees the printer, [`printer`] turns what it sees into events, each
//! [`bridge`] turns events into messages of one service, and an [`outbox`] keeps those on disk until the
//! service has taken them. `docs/architecture.md` tells the whole.

pub mod api;
pub mod backoff;
pub mod bridge;
pub mod calendar;
pub mod camera;
pub mod cli;
pub mod clock;
pub mod defects;
pub mod doctor;
mod footprint;
pub mod http;
mod json_fields;
pub mod log_file;
pub mod outbox;
pub mod page;
pub mod printer;
mod qr;
pub mod settings;
mod setup;
pub mod source;
pub mod status;
pub mod status_object;
pub mod supervisor;
pub mod tls;
pub mod whole_file;
pub mod worker;
