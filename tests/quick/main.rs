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
mod bot_api;
mod camera;
mod chat_picture;
mod cli;
mod connect_cameras;
mod connect_faults;
mod connect_pairing;
mod corpora;
mod defects;
mod dependencies;
mod doctor;
mod extended_cfg;
mod feed;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/folder.rs"]
mod folder;
mod idle_moonraker;
mod init;
mod moonraker_connection;
mod octoapp;
mod octoapp_deviations;
mod octoapp_phones;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/octoapp/mod.rs"]
mod octoapp_player;
mod octoapp_strictness;
mod outbox;
mod page_by_hand;
mod page_failures;
mod pairing;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/player.rs"]
mod player;
mod prusa_connect;
mod push_service;
mod reload;
#[allow(dead_code, reason = "the benchmarks use the rest")]
#[path = "../../benches/scripted.rs"]
mod scripted;
mod second_attempt;
mod secrets;
mod sights;
mod snapshot;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/stand_in.rs"]
mod stand_in;
mod stop;
mod supervision;
#[path = "../support/mod.rs"]
mod support;
mod telegram;
#[allow(dead_code, reason = "the vectors use the rest")]
#[path = "../replay/transcript.rs"]
mod transcript;
mod walk;
