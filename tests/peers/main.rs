//! Tests against real peers: Moonraker, QEMU, podman.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod cross;
mod reproducible;
