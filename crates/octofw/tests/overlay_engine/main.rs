//! The overlay engine with real squashfs-tools and fakeroot on small trees.

mod bed;
mod copying;
mod fidelity;
mod ordering;
mod patching;
mod scripting;
