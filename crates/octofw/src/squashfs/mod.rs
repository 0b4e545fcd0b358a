//! What the builder must know about a root file system without reading its tree.

mod compatible;
mod superblock;

pub use compatible::{Incompatible, compatible};
pub use superblock::{Compressor, Flags, SUPERBLOCK_LEN, Superblock};
