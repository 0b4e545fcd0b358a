//! `octofw lint`: each rule on the smallest thing that breaks it and on the smallest that does not, hostile overlays,
//! and what is printed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod allowing;
mod base;
mod bed;
mod command;
mod elf;
mod hostile;
mod image;
mod ours;
mod patching;
mod properties;
mod table;
mod table_init;
mod table_scripts;
