//! Whether the printer's kernel, of which only the base image tells, can mount a new root file system. The kernel of
//! 1.x has gzip, lzo and xz, but neither zstd nor lz4 nor extended attributes (stock kernel configuration), so what
//! the base uses is the only safe choice.

use super::{Compressor, Superblock};

/// Why a new root file system may not boot where the base does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Another compressor.
    #[error(
        "the new root file system is compressed with {new}, the base with {base}: the printer may be unable to mount \
         it; pack it with `mksquashfs -comp {base}`"
    )]
    Compressor {
        /// What the base uses.
        base: Compressor,
        /// What the new one uses.
        new: Compressor,
    },
    /// Another block size.
    #[error(
        "the new root file system has blocks of {new} bytes, the base of {base}; pack it with `mksquashfs -b {base}`"
    )]
    BlockSize {
        /// Bytes in the base.
        base: u32,
        /// Bytes in the new one.
        new: u32,
    },
    /// Extended attributes that the base does without.
    #[error(
        "the new root file system holds extended attributes, the base none, and the printer's kernel may not read \
         them; pack it with `mksquashfs -no-xattrs`"
    )]
    Xattrs,
}

impl Incompatible {
    /// Stable code for a finding.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Compressor { .. } => "squashfs-compressor",
            Self::BlockSize { .. } => "squashfs-block-size",
            Self::Xattrs => "squashfs-xattrs",
        }
    }
}

/// Checks that a new root file system needs nothing that the base's does not.
///
/// # Errors
/// The first difference that may keep the printer from booting.
pub fn compatible(base: &Superblock, new: &Superblock) -> Result<(), Incompatible> {
    if new.compressor != base.compressor {
        return Err(Incompatible::Compressor { base: base.compressor, new: new.compressor });
    }
    if new.block_size != base.block_size {
        return Err(Incompatible::BlockSize { base: base.block_size, new: new.block_size });
    }
    if new.has_xattrs && !base.has_xattrs {
        return Err(Incompatible::Xattrs);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::superblock::tests::stored;
    use super::*;
    use crate::container::Span;

    fn superblock(change: impl FnOnce(&mut Superblock)) -> Superblock {
        let mut superblock = Superblock::parse(&stored(), Span::new(0, 4096)).unwrap();
        change(&mut superblock);
        superblock
    }

    #[test]
    fn what_the_base_lacks_is_refused() {
        let base = superblock(|_| ());
        let with_xattrs = superblock(|s| s.has_xattrs = true);
        let larger = superblock(|s| (s.inodes, s.bytes_used, s.ids, s.mkfs_time) = (99, 9999, 9, 9));
        assert_eq!(compatible(&base, &base), Ok(()));
        assert_eq!(compatible(&base, &larger), Ok(()));
        assert_eq!(compatible(&with_xattrs, &base), Ok(()));
        assert_eq!(compatible(&with_xattrs, &with_xattrs), Ok(()));
        assert_eq!(compatible(&base, &with_xattrs), Err(Incompatible::Xattrs));
        assert_eq!(
            compatible(&base, &superblock(|s| s.compressor = Compressor::Zstd)),
            Err(Incompatible::Compressor { base: Compressor::Gzip, new: Compressor::Zstd })
        );
        assert_eq!(
            compatible(&base, &superblock(|s| s.block_size = 1 << 20)),
            Err(Incompatible::BlockSize { base: 131_072, new: 1 << 20 })
        );
    }
}
