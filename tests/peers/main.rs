//! Tests against real peers: Moonraker, QEMU, podman.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod boot;
mod chat_commands;
mod connect_sdk;
mod container;
mod cross;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/folder.rs"]
mod folder;
mod image;
mod moonraker_calls;
mod octoapp;
mod octoapp_pairing;
mod outbox;
mod page;
mod phases;
mod prusa_connect;
mod reproducible;
mod schemathesis;
mod siege;
#[allow(dead_code, reason = "the tests of the splicer use the rest")]
#[path = "../../crates/octofw/tests/splice/model.rs"]
mod splice_model;
mod stand_ins;
mod telegram_prints;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/telegram/mod.rs"]
mod telegram_vectors;
mod trust;
mod vectors_over_sockets;
