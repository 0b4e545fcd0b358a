//! The overlay engine with real squashfs-tools and fakeroot on small trees.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod bed;
mod caching;
mod community;
mod copying;
mod fidelity;
mod foretelling;
mod hostile;
mod images;
mod ordering;
mod patching;
mod planning;
#[path = "../../../../tests/support/programs.rs"]
mod programs;
mod rehearsing;
mod script_tools;
mod scripting;
mod splicing;
