//! Tests of the workshop against a real podman.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it saw"
)]

mod bed;
#[path = "../../../../tests/support/browser.rs"]
#[allow(dead_code, reason = "the printer's page is looked at with it too")]
mod browser;
mod faults;
mod full;
mod images;
mod keys;
mod leftovers;
mod lives;
mod operator;
mod person;
#[path = "../../../../tests/support/ports.rs"]
mod ports;
mod pull;
mod registry;
mod routes;
mod server;
mod services;
#[path = "../../../../tests/support/wait.rs"]
mod wait;
mod with_docker;
