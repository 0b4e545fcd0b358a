//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod cli;
pub mod container;
pub mod image;
pub mod inspect;
pub mod program;
pub mod squashfs;
pub mod standin;
pub mod verify;
