//! Tests that need no container runtime and no other peer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it saw"
)]

mod admin;
mod audit;
mod cli;
mod codexbar;
mod config;
mod ctl;
mod documents;
mod full;
mod layers;
mod log_in;
mod loops;
mod origins;
mod parsers;
mod proxy;
mod register;
mod slow_clients;
mod start_up;
mod store;
mod support;
mod throttle;
mod tokens;
