//! How a squashfs was packed, as the `mksquashfs` options that pack another one the same way.
//!
//! The printer's kernel reads only some compressors, so the result always takes those of the base. Not here: the
//! superblock itself, see [`crate::squashfs`].

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::container::{FormatError, SourceFile, Span};
use crate::squashfs::{Compressor, SUPERBLOCK_LEN, Superblock};

/// Bytes from the start that hold the superblock and a compressor's options.
const HEAD_LEN: usize = 128;
/// Where the options of the compressor begin, where it has any: behind the superblock and a block's length of 2 bytes.
const OPTIONS_AT: usize = SUPERBLOCK_LEN + 2;

/// Superblock flags and the option of mksquashfs that sets each (`squashfs_fs.h` of squashfs-tools).
const FLAGS: [(u16, &str); 6] = [
    (0x001, "-noI"),
    (0x002, "-noD"),
    (0x008, "-noF"),
    (0x010, "-no-fragments"),
    (0x020, "-always-use-fragments"),
    (0x800, "-noId"),
];
/// Equal files are stored once.
const DUPLICATES_REMOVED: u16 = 0x040;
/// Options of the compressor follow the superblock.
const COMPRESSOR_OPTIONS: u16 = 0x400;

/// Why the head of a squashfs could not be used.
#[derive(Debug, Error)]
pub enum PackingError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The squashfs.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no squashfs.
    #[error("{} is not a sound root file system", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
}

/// The superblock of a squashfs and the options of its compressor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// The superblock.
    pub superblock: Superblock,
    /// Options of the compressor that differ from its defaults, as `mksquashfs` takes them.
    compressor_options: Vec<String>,
}

impl Packing {
    /// Reads it from a file.
    ///
    /// # Errors
    /// When the file cannot be read or does not begin with a sound superblock.
    pub fn of_file(path: &Path) -> Result<Self, PackingError> {
        let read = |source| PackingError::Read { path: path.to_owned(), source };
        let file = SourceFile::open(path).map_err(read)?;
        Self::of_span(path, file.span())
    }

    /// Reads it from the squashfs that lies at `at` in a file.
    ///
    /// # Errors
    /// As [`Self::of_file`].
    pub fn of_span(path: &Path, at: Span) -> Result<Self, PackingError> {
        let read = |source| PackingError::Read { path: path.to_owned(), source };
        let file = SourceFile::open(path).map_err(read)?;
        let most = usize::try_from(at.len).unwrap_or(usize::MAX).min(HEAD_LEN);
        let head = file.read_up_to(at.offset, most).map_err(read)?;
        let superblock = Superblock::parse(head.get(..SUPERBLOCK_LEN).unwrap_or(&head), at)
            .map_err(|source| PackingError::Format { path: path.to_owned(), source })?;
        let stored = match superblock.flags.0 & COMPRESSOR_OPTIONS {
            0 => &[],
            _ => head.get(OPTIONS_AT..).unwrap_or_default(),
        };
        Ok(Self { superblock, compressor_options: compressor_options(superblock.compressor, stored) })
    }

    /// The options that make `mksquashfs` pack the same way; the time of packing is the caller's.
    pub fn options(&self) -> Vec<String> {
        let Superblock { compressor, block_size, flags, .. } = &self.superblock;
        let mut options: Vec<String> =
            ["-comp", compressor.name(), "-b", &block_size.to_string()].map(str::to_owned).into();
        options.extend(self.compressor_options.iter().cloned());
        options
            .extend(FLAGS.iter().filter(|(flag, _)| flags.0 & flag != 0).map(|(_, name)| (*name).to_owned()));
        if flags.0 & DUPLICATES_REMOVED == 0 {
            options.push("-no-duplicates".into());
        }
        options.push(if flags.exportable() { "-exports" } else { "-no-exports" }.into());
        // The printer's kernel cannot read extended attributes, and those of the build machine must not leak.
        options.push("-no-xattrs".into());
        options
    }
}

/// Reads the options that a compressor left behind the superblock (`*_wrapper.h` of squashfs-tools). Those that change
/// only the size of the result and have no simple form, such as xz's filters, stay at their defaults.
fn compressor_options(compressor: Compressor, stored: &[u8]) -> Vec<String> {
    let mut options = Vec::new();
    let mut add = |name: &str, value: u32| options.extend([format!("-X{name}"), value.to_string()]);
    let number =
        |offset| stored.get(offset..).and_then(|bytes| bytes.first_chunk().copied()).map(u32::from_le_bytes);
    let window = stored.get(4..).and_then(|bytes| bytes.first_chunk().copied()).map(u16::from_le_bytes);
    match (compressor, number(0)) {
        (Compressor::Gzip, Some(level @ 1..=9)) => {
            add("compression-level", level);
            if let Some(window @ 8..=15) = window {
                add("window-size", window.into());
            }
        }
        (Compressor::Zstd, Some(level @ 1..=22)) => add("compression-level", level),
        (Compressor::Xz, Some(dictionary @ 8192..)) => add("dict-size", dictionary),
        _ => {}
    }
    options
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// What mksquashfs made with options, is made again with the options found in it: the bytes are the same.
    #[test]
    fn the_real_tools_images_are_packed_the_same_way_again() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let text: Vec<u8> = (0..300_000u32).flat_map(|n| (n / 7 % 251).to_string().into_bytes()).collect();
        fs::write(tree.join("a"), &text).unwrap();
        fs::write(tree.join("b"), &text).unwrap();
        let pack = |name: &str, options: &[String]| {
            let image = folder.path().join(name);
            let common = ["-noappend", "-quiet", "-no-progress", "-mkfs-time", "1700000100"];
            let made =
                Command::new("mksquashfs").args([&tree, &image]).args(options).args(common).output().unwrap();
            assert!(made.status.success(), "{options:?}: {}", String::from_utf8_lossy(&made.stderr));
            image
        };
        for (given, found) in [
            ("-no-xattrs", "-comp gzip -b 131072 -exports -no-xattrs"),
            (
                "-Xcompression-level 1 -no-xattrs",
                "-comp gzip -b 131072 -Xcompression-level 1 -Xwindow-size 15 -exports -no-xattrs",
            ),
            (
                "-comp xz -b 1M -Xdict-size 524288 -no-exports -no-xattrs",
                "-comp xz -b 1048576 -Xdict-size 524288 -no-exports -no-xattrs",
            ),
            (
                "-comp zstd -Xcompression-level 6 -no-xattrs",
                "-comp zstd -b 131072 -Xcompression-level 6 -exports -no-xattrs",
            ),
            (
                "-comp lzo -noI -noD -noF -no-fragments -no-duplicates -no-xattrs",
                "-comp lzo -b 131072 -noI -noD -noF -no-fragments -no-duplicates -exports -no-xattrs",
            ),
            (
                "-b 4096 -always-use-fragments -no-xattrs",
                "-comp gzip -b 4096 -always-use-fragments -exports -no-xattrs",
            ),
        ] {
            let words: Vec<String> = given.split(' ').map(str::to_owned).collect();
            let image = pack("first", &words);
            let options = Packing::of_file(&image).unwrap().options();
            assert_eq!(options.join(" "), found, "{given}");
            assert!(fs::read(pack("second", &options)).unwrap() == fs::read(&image).unwrap(), "{given}");
        }
    }

    #[test]
    fn what_is_no_squashfs_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "nothing").unwrap();
        let error = crate::command::whole(&Packing::of_file(file.path()).unwrap_err());
        assert!(error.contains("is not a sound root file system: squashfs, magic"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_options_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..32)) {
            for compressor in [Compressor::Gzip, Compressor::Xz, Compressor::Zstd, Compressor::Lzo] {
                compressor_options(compressor, &bytes);
            }
        }
    }
}
