//! Firmware files as a whole: made, read, taken apart, rebuilt, and broken on purpose.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod command_line;
mod corruption;
mod forged;
mod loader;
mod part_lists;
mod rebuild;
mod samples;
mod standin;
mod verify;
