//! The workshop: container sessions with a terminal and files, for people who build overlays.
//!
//! `octo` is the server that owns sessions, `octoctl` its control program. `docs/architecture.md` has the whole picture.

pub mod api;
pub mod auth;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod lifecycle;
pub mod page;
pub mod proxy;
pub mod runtime;
pub mod server;
pub mod session;
pub mod store;
