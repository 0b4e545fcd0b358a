//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod attest;
pub mod boot;
pub mod build;
mod calendar;
pub mod cli;
pub mod command;
pub mod container;
pub mod debian;
pub mod diff;
pub mod digest;
pub mod elf;
pub mod image;
pub mod inspect;
pub mod licences;
pub mod lock;
pub mod manifest;
mod output;
pub mod overlay;
pub mod program;
pub mod rehearsal;
pub mod rootfs;
pub mod sbom;
pub mod script_tools;
pub mod sign;
pub mod squashfs;
pub mod standin;
pub mod verify;
