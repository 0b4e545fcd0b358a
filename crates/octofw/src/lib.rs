//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod boot;
pub mod command;
pub mod container;
pub mod debian;
pub mod image;
pub mod lock;
pub mod squashfs;
pub mod standin;
