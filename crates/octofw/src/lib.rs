//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod boot;
pub mod build;
pub mod cli;
pub mod command;
pub mod container;
pub mod debian;
pub mod diff;
pub mod digest;
pub mod elf;
pub mod image;
pub mod inspect;
pub mod lock;
pub mod manifest;
mod output;
pub mod overlay;
pub mod program;
pub mod rootfs;
pub mod sbom;
pub mod squashfs;
pub mod standin;
pub mod unpack;
pub mod verify;
