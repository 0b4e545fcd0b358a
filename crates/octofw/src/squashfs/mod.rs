//! A squashfs 4.0: what its superblock says, its whole tree, and a new one that keeps the data of the old.
//!
//! [`Filesystem`] reads, [`Tree`] is what was read, [`splice`] writes a changed tree behind the blocks of its base.
//! Not here: what overlays want changed, and the tools of other people ([`crate::rootfs`]).

mod codec;
mod compatible;
mod content;
mod dead;
mod filesystem;
mod metadata;
mod same;
mod shares;
pub mod splice;
mod superblock;
mod tables;
pub mod tree;

pub use codec::Codec;
pub use compatible::{Incompatible, compatible};
pub use content::{CopyError, LastFragment};
pub use dead::dead_bytes_at;
pub use filesystem::{Filesystem, ReadError};
pub use same::Comparison;
pub use shares::Shares;
pub use superblock::{Compressor, Flags, SUPERBLOCK_LEN, Superblock, Tables};
pub use tree::Tree;

/// Bytes of a metadata block before it is compressed.
const METADATA_BLOCK: usize = 8192;
/// The bit of a metadata block's length that says that it is stored as it is.
const METADATA_PLAIN: u16 = 0x8000;
/// The bit of a data block's length that says so.
const DATA_PLAIN: u32 = 1 << 24;
/// What stands for "no fragment" and "no extended attributes".
const NONE: u32 = u32::MAX;
