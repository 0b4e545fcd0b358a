//! Tests that need no peer: no QEMU, podman, Moonraker or browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it saw"
)]

mod api;
mod camera;
mod cli;
mod dependencies;
mod init;
mod moonraker_connection;
mod outbox;
mod supervision;
#[path = "../support/mod.rs"]
mod support;
mod telegram;
mod transcripts;
