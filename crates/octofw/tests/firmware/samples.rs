//! Small firmware files to work on.

use std::fs;
use std::path::{Path, PathBuf};

use octofw::standin::container::{ContainerOptions, write_container};
use tempfile::TempDir;

/// How a made-up root file system differs from the base's.
#[derive(Clone, Copy)]
pub(crate) struct Squashfs {
    pub(crate) len: usize,
    pub(crate) compressor: u16,
    pub(crate) block_log: u16,
    pub(crate) xattrs: bool,
    pub(crate) fill: u8,
}

pub(crate) const GZIP: Squashfs =
    Squashfs { len: 8192, compressor: 1, block_log: 17, xattrs: false, fill: 0xA5 };

impl Squashfs {
    /// A superblock as mksquashfs writes it, then filler.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = b"hsqs".to_vec();
        for field in [10u32, 1_700_000_000, 1 << self.block_log, 1] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.compressor, self.block_log, 0x00C0, 4, 4, 0] {
            bytes.extend(field.to_le_bytes());
        }
        let used = self.len as u64;
        let xattrs = if self.xattrs { used - 1 } else { u64::MAX };
        for field in [0, used, used - 8, xattrs, used - 64, used - 48, used - 32, used - 16] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.resize(self.len, self.fill);
        bytes
    }

    pub(crate) fn write(self, path: &Path) -> PathBuf {
        fs::write(path, self.bytes()).unwrap();
        path.to_owned()
    }
}

/// A folder with a stand-in firmware file in it.
pub(crate) struct Sample {
    pub(crate) folder: TempDir,
    pub(crate) base: PathBuf,
}

impl Sample {
    pub(crate) fn new() -> Self {
        Self::with(GZIP, &ContainerOptions::default())
    }

    pub(crate) fn with(squashfs: Squashfs, options: &ContainerOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rootfs = squashfs.write(&folder.path().join("base.squashfs"));
        let base = folder.path().join("base.bin");
        write_container(&rootfs, options, &base).unwrap();
        Self { folder, base }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Names of everything in the folder, sorted.
    pub(crate) fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
