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
mod faults;
mod full;
mod images;
mod keys;
mod lives;
mod operator;
mod routes;
mod server;
mod services;
mod with_docker;
