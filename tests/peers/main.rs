//! Tests against real peers: Moonraker, QEMU, podman.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod boot;
mod container;
mod cross;
mod image;
mod moonraker_calls;
mod outbox;
mod phases;
mod reproducible;
mod schemathesis;
mod stand_ins;
