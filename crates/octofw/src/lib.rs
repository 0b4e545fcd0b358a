//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod container;
pub mod image;
pub mod squashfs;
pub mod standin;
