//! Small firmware files to work on.

use std::fs;
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use octofw::container::rkcrc::rkcrc;
use octofw::container::rkfw;
use octofw::container::upfile::Upfile;
use octofw::image::Image;
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

/// The layers of a sample with something changed and all sums mended, so that only the change itself is wrong.
pub(crate) struct Altered {
    bytes: Vec<u8>,
    rkfw: usize,
    rom: usize,
    rom_end: usize,
}

impl Altered {
    pub(crate) fn of(sample: &Sample) -> Self {
        let image = Image::open(&sample.base).unwrap();
        Self {
            bytes: fs::read(&sample.base).unwrap(),
            rkfw: image.span_of("update.img").unwrap().offset as usize,
            rom: image.rkaf_span().offset as usize,
            rom_end: image.rkaf_span().end() as usize,
        }
    }

    /// Bytes from the start of the RKFW layer.
    pub(crate) fn rkfw(&mut self, at: usize) -> &mut [u8] {
        &mut self.bytes[self.rkfw + at..]
    }

    /// Bytes from the start of the rom image.
    pub(crate) fn rom(&mut self, at: usize) -> &mut [u8] {
        &mut self.bytes[self.rom + at..]
    }

    /// Mends the sums, from the inside out, and writes the file.
    pub(crate) fn write(mut self, path: &Path) -> PathBuf {
        let crc_at = self.rom_end - 4;
        let crc = rkcrc(&self.bytes[self.rom..crc_at]).to_le_bytes();
        self.bytes[crc_at..self.rom_end].copy_from_slice(&crc);
        let md5: [u8; 16] = Md5::digest(&self.bytes[self.rkfw..self.rom_end]).into();
        let digits = rkfw::encode_trailer(&md5);
        self.bytes[self.rom_end..self.rom_end + 32].copy_from_slice(digits.as_bytes());
        let mut upfile = Upfile::parse(&self.bytes, self.bytes.len() as u64).unwrap();
        for entry in &mut upfile.entries {
            entry.md5 =
                Md5::digest(&self.bytes[entry.span.offset as usize..entry.span.end() as usize]).into();
        }
        self.bytes[..192].copy_from_slice(&upfile.encode());
        fs::write(path, &self.bytes).unwrap();
        path.to_owned()
    }
}
