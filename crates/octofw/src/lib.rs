//! The firmware builder: container layers, root file systems, overlays, and the images made of them.

pub mod boot;
pub mod command;
pub mod debian;
pub mod lock;
