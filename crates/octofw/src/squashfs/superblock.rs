//! The superblock of a squashfs 4.0, little-endian (kernel: `fs/squashfs/squashfs_fs.h`).

use crate::container::fields::{FieldReader, shown};
use crate::container::{Fault, FormatError, Layer, Span};

/// Bytes of the superblock.
pub const SUPERBLOCK_LEN: usize = 96;
/// A table offset that means "there is none".
const NONE: u64 = u64::MAX;

/// How data is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// zlib, which squashfs-tools call gzip.
    Gzip = 1,
    /// LZMA of old squashfs.
    Lzma = 2,
    /// LZO.
    Lzo = 3,
    /// XZ.
    Xz = 4,
    /// LZ4.
    Lz4 = 5,
    /// Zstandard.
    Zstd = 6,
}

impl Compressor {
    /// The name that `mksquashfs -comp` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Lzma => "lzma",
            Self::Lzo => "lzo",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Gzip,
            2 => Self::Lzma,
            3 => Self::Lzo,
            4 => Self::Xz,
            5 => Self::Lz4,
            6 => Self::Zstd,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The flags as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// Inodes and directories are stored as they are.
    pub(super) const PLAIN_INODES: u16 = 0x0001;
    /// So are data blocks.
    pub(super) const PLAIN_DATA: u16 = 0x0002;
    /// So are fragments.
    pub(super) const PLAIN_FRAGMENTS: u16 = 0x0008;
    /// There are no fragments.
    pub(super) const NO_FRAGMENTS: u16 = 0x0010;
    /// The ends of files that are longer than a block are put into fragments, too.
    pub(super) const ALWAYS_FRAGMENTS: u16 = 0x0020;
    /// Equal files are stored once.
    pub(super) const NO_DUPLICATES: u16 = 0x0040;
    /// The compressor's options follow the superblock.
    pub(super) const COMPRESSOR_OPTIONS: u16 = 0x0400;
    /// The table of ids is stored as it is.
    pub(super) const PLAIN_IDS: u16 = 0x0800;

    const NAMES: [(u16, &'static str); 11] = [
        (0x0001, "uncompressed_inodes"),
        (0x0002, "uncompressed_data"),
        (0x0008, "uncompressed_fragments"),
        (0x0010, "no_fragments"),
        (0x0020, "always_fragments"),
        (0x0040, "duplicates_removed"),
        (0x0080, "exportable"),
        (0x0100, "uncompressed_xattrs"),
        (0x0200, "no_xattrs"),
        (0x0400, "compressor_options"),
        (0x0800, "uncompressed_ids"),
    ];

    /// Names of the flags that are set.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect()
    }

    /// Whether a flag of this bit is set.
    #[must_use]
    pub(super) fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    /// Whether the file system has a table for NFS export.
    #[must_use]
    pub fn exportable(self) -> bool {
        self.0 & 0x0080 != 0
    }
}

/// The superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// Number of inodes.
    pub inodes: u32,
    /// Time of creation in seconds since 1970.
    pub mkfs_time: u32,
    /// Data block size in bytes.
    pub block_size: u32,
    /// Number of fragments.
    pub fragments: u32,
    /// Compressor.
    pub compressor: Compressor,
    /// Flags.
    pub flags: Flags,
    /// Number of different user and group ids.
    pub ids: u16,
    /// Bytes of the file system without the padding behind it.
    pub bytes_used: u64,
    /// Whether there is a table of extended attributes.
    pub has_xattrs: bool,
    /// Whether there is a table for NFS export.
    pub has_export_table: bool,
    /// Where the root directory's inode is: its metadata block, and the offset in that in the lower 16 bits.
    pub root_inode: u64,
    /// Where the tables begin.
    pub tables: Tables,
}

/// Where the tables begin, in bytes from the start of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// The index of the table of ids.
    pub ids: u64,
    /// The head of the table of extended attributes.
    pub xattrs: Option<u64>,
    /// The first block of inodes; data ends here.
    pub inodes: u64,
    /// The first block of directories.
    pub directories: u64,
    /// The index of the table of fragments.
    pub fragments: Option<u64>,
    /// The index of the table for NFS export.
    pub export: Option<u64>,
}

impl Superblock {
    /// Reads the superblock from the first bytes of a file system; `at` is where that lies in the file.
    ///
    /// # Errors
    /// For another magic or version, an unknown compressor, a block size outside 4 KiB to 1 MiB or one that is not
    /// the power of two that its logarithm says, no inodes or ids, a length beyond the file, and tables outside the file system.
    pub fn parse(bytes: &[u8], at: Span) -> Result<Self, FormatError> {
        let mut fields = FieldReader::new(Layer::Squashfs, at.offset, bytes);
        let magic: [u8; 4] = fields.bytes("magic")?;
        if magic != *b"hsqs" {
            let expected = "\"hsqs\" (squashfs 4.0, little-endian)";
            return Err(fields.error(Fault::Magic, "magic", at.offset, shown(&magic), expected));
        }
        let inodes = fields.u32_le("inode count")?;
        let mkfs_time = fields.u32_le("creation time")?;
        let block_size = fields.u32_le("block size")?;
        let fragments = fields.u32_le("fragments")?;
        let compressor = fields.u16_le("compressor")?;
        let block_log = fields.u16_le("block size logarithm")?;
        let flags = Flags(fields.u16_le("flags")?);
        let ids = fields.u16_le("id count")?;
        let version = (fields.u16_le("major version")?, fields.u16_le("minor version")?);
        let root_inode = fields.u64_le("root inode")?;
        let bytes_used = fields.u64_le("bytes used")?;

        let error = |fault, field: &'static str, offset: u64, found: String, expected: String| {
            Err(fields.error(fault, field, at.offset.saturating_add(offset), found, expected))
        };
        if version != (4, 0) {
            let found = format!("{}.{}", version.0, version.1);
            return error(Fault::Version, "version", 28, found, "4.0".to_owned());
        }
        let Some(compressor) = Compressor::of(compressor) else {
            let expected = "1 (gzip) to 6 (zstd)".to_owned();
            return error(Fault::Kind, "compressor", 20, compressor.to_string(), expected);
        };
        if !(12..=20).contains(&block_log) || Some(block_size) != 1u32.checked_shl(u32::from(block_log)) {
            let found = format!("{block_size} with logarithm {block_log}");
            let expected = "a power of two from 4096 to 1048576 and its logarithm".to_owned();
            return error(Fault::Limit, "block size", 12, found, expected);
        }
        if inodes == 0 || ids == 0 {
            let (field, offset) = if inodes == 0 { ("inode count", 4) } else { ("id count", 26) };
            return error(Fault::Empty, field, offset, "0".to_owned(), "at least 1".to_owned());
        }
        if bytes_used > at.len {
            let (found, expected) =
                (format!("{bytes_used}"), format!("at most the {} bytes there are", at.len));
            return error(Fault::Truncated, "bytes used", 40, found, expected);
        }

        let mut found = [NONE; 6];
        let tables = [
            ("id table", false),
            ("xattr table", true),
            ("inode table", false),
            ("directory table", false),
            ("fragment table", true),
            ("export table", true),
        ];
        for ((field, optional), place) in tables.into_iter().zip(&mut found) {
            let offset = fields.offset();
            let table = fields.u64_le(field)?;
            *place = table;
            let inside = (SUPERBLOCK_LEN as u64..bytes_used).contains(&table);
            let absent = optional && table == NONE;
            if !inside && !absent {
                let expected = format!("a place from {SUPERBLOCK_LEN} to below {bytes_used}");
                let found = format!("{table:#x}");
                return Err(fields.error(Fault::OutOfBounds, field, offset, found, expected));
            }
        }
        let [ids_table, xattrs, inode_table, directories, fragment_table, export] = found;
        let optional = |table: u64| (table != NONE).then_some(table);
        let tables = Tables {
            ids: ids_table,
            xattrs: optional(xattrs),
            inodes: inode_table,
            directories,
            fragments: optional(fragment_table),
            export: optional(export),
        };
        Ok(Self {
            inodes,
            mkfs_time,
            block_size,
            fragments,
            compressor,
            flags,
            ids,
            bytes_used,
            has_xattrs: tables.xattrs.is_some(),
            has_export_table: tables.export.is_some(),
            root_inode,
            tables,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// A superblock as mksquashfs 4.5 writes it, for a file system of 4000 bytes.
    pub(in crate::squashfs) fn stored() -> Vec<u8> {
        let mut bytes = b"hsqs".to_vec();
        for field in [10u32, 1_700_000_000, 131_072, 1] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [1u16, 17, 0x00C0, 4, 4, 0] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [0u64, 4000, 3900, u64::MAX, 3000, 3200, 3400, 3600] {
            bytes.extend(field.to_le_bytes());
        }
        bytes
    }

    const AT: Span = Span { offset: 100, len: 4096 };

    #[test]
    fn reads_the_fields() {
        let superblock = Superblock::parse(&stored(), AT).unwrap();
        assert_eq!(
            superblock,
            Superblock {
                inodes: 10,
                mkfs_time: 1_700_000_000,
                block_size: 131_072,
                fragments: 1,
                compressor: Compressor::Gzip,
                flags: Flags(0x00C0),
                ids: 4,
                bytes_used: 4000,
                has_xattrs: false,
                has_export_table: true,
                root_inode: 0,
                tables: Tables {
                    ids: 3900,
                    xattrs: None,
                    inodes: 3000,
                    directories: 3200,
                    fragments: Some(3400),
                    export: Some(3600),
                },
            }
        );
        assert_eq!(superblock.flags.names(), ["duplicates_removed", "exportable"]);
        assert!(superblock.flags.exportable());
    }

    type Change = fn(&mut Vec<u8>);

    #[test]
    fn each_breach_has_its_name() {
        let table: [(&str, Change, Fault, u64); 14] = [
            ("big-endian", |b| b[..4].copy_from_slice(b"sqsh"), Fault::Magic, 0),
            ("no inodes", |b| b[4] = 0, Fault::Empty, 4),
            ("block size no power of two", |b| b[12] = 1, Fault::Limit, 12),
            ("block logarithm 63", |b| b[22] = 63, Fault::Limit, 12),
            ("block logarithm 65535", |b| b[22..24].fill(255), Fault::Limit, 12),
            ("compressor 0", |b| b[20] = 0, Fault::Kind, 20),
            ("compressor 7", |b| b[20] = 7, Fault::Kind, 20),
            ("no ids", |b| b[26] = 0, Fault::Empty, 26),
            ("version 3.0", |b| b[28] = 3, Fault::Version, 28),
            ("version 4.1", |b| b[30] = 1, Fault::Version, 28),
            ("larger than the file", |b| b[41] = 0xff, Fault::Truncated, 40),
            ("id table in the superblock", |b| b[48..50].copy_from_slice(&[95, 0]), Fault::OutOfBounds, 48),
            ("no inode table", |b| b[64..72].fill(255), Fault::OutOfBounds, 64),
            ("export table beyond the end", |b| b[90] = 1, Fault::OutOfBounds, 88),
        ];
        for (name, change, fault, offset) in table {
            let mut bytes = stored();
            change(&mut bytes);
            let error = Superblock::parse(&bytes, AT).expect_err(name);
            assert_eq!((error.fault, error.offset), (fault, 100 + offset), "{name}: {error}");
        }
        for len in 0..SUPERBLOCK_LEN {
            let error = Superblock::parse(&stored()[..len], AT).unwrap_err();
            assert_eq!(error.fault, Fault::Truncated, "{len}");
        }
    }

    /// The real tool's images, whatever compressors it was built with.
    #[test]
    fn agrees_with_mksquashfs() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("file"), "content").unwrap();
        for (compressor, block) in [("gzip", 131_072u32), ("xz", 1_048_576), ("zstd", 4096)] {
            let image = folder.path().join(compressor);
            let output = Command::new("mksquashfs")
                .args([&tree, &image])
                .args(["-comp", compressor, "-b", &block.to_string(), "-no-xattrs", "-quiet", "-no-progress"])
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let bytes = std::fs::read(&image).unwrap();
            let superblock = Superblock::parse(&bytes, Span::new(0, bytes.len() as u64)).unwrap();
            assert_eq!(superblock.compressor.name(), compressor);
            assert_eq!((superblock.block_size, superblock.inodes), (block, 2));
            assert!(superblock.flags.names().contains(&"no_xattrs") && superblock.flags.exportable());
            assert!(!superblock.has_xattrs && superblock.has_export_table);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, offset: u64, len: u64) {
            let _ = Superblock::parse(&bytes, Span::new(offset, len));
        }

        #[test]
        fn mutated_bytes_never_panic(at in 0..SUPERBLOCK_LEN, byte: u8, len: u64) {
            let mut bytes = stored();
            bytes[at] = byte;
            let _ = Superblock::parse(&bytes, Span::new(0, len));
        }
    }
}
