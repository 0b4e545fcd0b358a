//! RKAF, the rom image: a 2048-byte header with up to 16 parts, the parts' data at multiples of 2048, and an RKCRC
//! over all of it. Source: `tools/rk2918_tools/rkafp.h` and `afptool.c` of the community builder.
//!
//! On this product the field that other tools call "padded size" counts blocks of 2048 bytes. Parts that name the
//! same file (the A and B slots) share its data.

mod arrange;
mod parse;

pub use arrange::ArrangeError;

use super::{FixedText, Span};

/// First bytes.
pub const MAGIC: &[u8; 4] = b"RKAF";
/// Bytes of the header, and of the blocks at which parts begin.
pub const HEADER_LEN: usize = 2048;
/// Bytes of the CRC at the end.
pub const TRAILER_LEN: usize = 4;
/// Places in the part table.
pub const MAX_PARTS: usize = 16;
/// Flash address of a part that has no partition.
pub const NO_PARTITION: u32 = u32::MAX;
/// Flash size of a partition that takes the rest.
pub const REST: u32 = u32::MAX;
/// File name of a part that stands for the image itself and carries no data.
pub const SELF: &str = "SELF";
const BLOCK: u64 = 2048;
const PART_LEN: usize = 112;

/// One record of the part table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name, in most cases that of a partition.
    pub name: FixedText<32>,
    /// File.
    pub file: FixedText<60>,
    /// Size of the partition in sectors of 512 bytes; 0 without one, [`REST`] for the rest.
    pub flash_size: u32,
    /// Where the data begins, in bytes from the start of the rom image.
    pub position: u32,
    /// First sector of the partition, or [`NO_PARTITION`].
    pub flash_address: u32,
    /// Blocks of 2048 bytes that the data takes.
    pub blocks: u32,
    /// Bytes of the data.
    pub size: u32,
}

impl Part {
    /// Bytes with the zeros up to the end of the last block.
    #[must_use]
    pub fn padded_size(&self) -> u64 {
        u64::from(self.blocks).saturating_mul(BLOCK)
    }

    /// Whether the part carries no data of its own ([`SELF`]).
    #[must_use]
    pub fn is_self(&self) -> bool {
        self.file.text() == SELF
    }
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rkaf {
    /// Bytes of the rom image without its CRC.
    pub length: u32,
    /// Machine model.
    pub model: FixedText<34>,
    /// Machine id.
    pub id: FixedText<30>,
    /// Manufacturer.
    pub manufacturer: FixedText<56>,
    /// Meaning unknown; 0.
    pub unknown: u32,
    /// `a<<24 | b<<16 | c` of `FIRMWARE_VER: a.b.c`.
    pub version: u32,
    /// The parts, in the order of the table.
    pub parts: Vec<Part>,
    /// Unused places of the part table as stored; zero so far.
    unused: Vec<u8>,
    /// Bytes without a known meaning; zero so far.
    reserved: [u8; 116],
}

impl Rkaf {
    /// The first part with a file name.
    #[must_use]
    pub fn part_of_file(&self, file: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.file.text() == file)
    }

    /// The data of a part, given where the rom image begins in the file.
    #[must_use]
    pub fn data(&self, part: &Part, start: u64) -> Span {
        Span::new(start.saturating_add(u64::from(part.position)), u64::from(part.size))
    }

    /// One part per file, without [`SELF`], in the order in which the data lies in the image.
    #[must_use]
    pub fn files(&self) -> Vec<&Part> {
        let mut files: Vec<&Part> = Vec::new();
        for part in &self.parts {
            if !part.is_self() && !files.iter().any(|earlier| earlier.file.text() == part.file.text()) {
                files.push(part);
            }
        }
        // Stable: empty files keep the order of the table.
        files.sort_by_key(|part| part.position);
        files
    }

    /// The header as stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(MAGIC);
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.model.stored());
        bytes.extend(self.id.stored());
        bytes.extend(self.manufacturer.stored());
        bytes.extend(self.unknown.to_le_bytes());
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.parts.len() as u32).to_le_bytes());
        for part in &self.parts {
            bytes.extend(part.name.stored());
            bytes.extend(part.file.stored());
            for field in [part.flash_size, part.position, part.flash_address, part.blocks, part.size] {
                bytes.extend(field.to_le_bytes());
            }
        }
        bytes.extend(&self.unused);
        bytes.extend(self.reserved);
        bytes
    }
}

/// A version number as people write it.
#[must_use]
pub fn version_text(version: u32) -> String {
    let [major, minor, ..] = version.to_be_bytes();
    format!("{major}.{minor}.{}", version & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part as the table of release 1.3.0-paxx12-17 lists it.
    struct Row(&'static str, &'static str, u32, u32, u32, u32, u32);

    const NONE: u32 = NO_PARTITION;
    /// Name, file, first sector, sectors, position, size, blocks: from its published build log.
    const RELEASE: [Row; 12] = [
        Row("package-file", "package-file", NONE, 0, 2048, 251, 1),
        Row("parameter", "parameter.txt", 0, 16384, 4096, 541, 1),
        Row("bootloader", "MiniLoaderAll.bin", NONE, 0, 6144, 469_440, 230),
        Row("uboot_a", "uboot.img", 16384, 8192, 477_184, 4_194_304, 2048),
        Row("uboot_b", "uboot.img", 24576, 8192, 477_184, 4_194_304, 2048),
        Row("misc", "misc.img", 32768, 8192, 4_671_488, 49152, 24),
        Row("boot_a", "boot.img", 40960, 65536, 4_720_640, 17_320_960, 8458),
        Row("boot_b", "boot.img", 106_496, 65536, 4_720_640, 17_320_960, 8458),
        Row("system_a", "rootfs.img", 172_032, 614_400, 22_042_624, 253_890_560, 123_970),
        Row("system_b", "rootfs.img", 786_432, 614_400, 22_042_624, 253_890_560, 123_970),
        Row("oem", "oem.img", 1_400_832, 2_097_152, 275_933_184, 8_388_608, 4096),
        Row("userdata", "userdata.img", 3_497_984, REST, 284_321_792, 8_388_608, 4096),
    ];

    #[test]
    fn arranges_a_published_release_as_its_log_says() {
        let mut rkaf = Rkaf::new();
        for Row(name, file, address, sectors, _, size, _) in RELEASE {
            rkaf.add(name, file, address, sectors, size).unwrap();
        }
        rkaf.arrange(&[]).unwrap();
        assert_eq!(rkaf.length, 292_710_400);
        for (part, Row(name, _, _, _, position, _, blocks)) in rkaf.parts.iter().zip(&RELEASE) {
            assert_eq!((part.name.text(), part.position, part.blocks), (*name, *position, *blocks));
        }
        let bytes = rkaf.encode();
        assert_eq!(bytes.len(), HEADER_LEN);
        let read = Rkaf::parse(&bytes, Span::new(0, 292_710_404)).unwrap();
        assert_eq!(read, rkaf);
        let files: Vec<&str> = read.files().iter().map(|part| part.file.text()).collect();
        assert_eq!(
            files,
            [
                "package-file",
                "parameter.txt",
                "MiniLoaderAll.bin",
                "uboot.img",
                "misc.img",
                "boot.img",
                "rootfs.img",
                "oem.img",
                "userdata.img"
            ]
        );
    }

    #[test]
    fn the_version_is_shown_as_it_was_written() {
        assert_eq!(version_text(0x0103_0011), "1.3.17");
    }
}
