//! A whole upgrade file around a root file system, with the real layers, partition table and part order, and seeded
//! noise in place of the vendor's parts. The same root file system gives the same file, byte for byte.

use std::io::{self, Cursor, Read as _};
use std::path::{Path, PathBuf};

use super::device_tree::empty_fit;
use super::noise::Noise;
use crate::container::assemble::{AssembleError, Assembly, Content, Outer, Update};
use crate::container::package_file::{self, Line};
use crate::container::parameter::{self, OVERHEAD, Parameter};
use crate::container::rkaf::{ArrangeError, NO_PARTITION, REST, Rkaf};
use crate::container::rkfw::{BuildTime, Rkfw};
use crate::container::upfile::is_version_byte;
use crate::container::{FixedText, FormatError, SourceFile, Span};
use crate::squashfs::{SUPERBLOCK_LEN, Superblock};

/// How large the parts around the root file system are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// About one megabyte: for tests and quick builds.
    #[default]
    Mini,
    /// Real part sizes, and more than the 50 MB that the printer's newer updater demands.
    Padded,
}

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerOptions {
    /// Size of the parts.
    pub size: Size,
    /// 1 or 2; the layout is the same.
    pub container_version: u16,
    /// Firmware version, at most 24 letters, digits and `+ . _ -`.
    pub version: String,
}

impl Default for ContainerOptions {
    fn default() -> Self {
        Self { size: Size::Mini, container_version: 1, version: "1.3.0.168".to_owned() }
    }
}

/// Build date of every stand-in.
const DATE: &str = "20260101000000";

/// Why a stand-in could not be made. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The root file system cannot be read.
    #[error("cannot read the root file system {path}")]
    Rootfs {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The root file system is none.
    #[error("{path} is not a sound root file system")]
    Format {
        /// The file.
        path: PathBuf,
        /// What, where, and the remedy.
        source: FormatError,
    },
    /// It is larger than a slot.
    #[error("{path} has {size} bytes, {} more than the {SLOT} that a slot holds", size.saturating_sub(SLOT))]
    SlotOverflow {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        size: u64,
    },
    /// The version text does not fit its field.
    #[error("the version {0:?} must have 1 to 24 letters, digits or + . _ -")]
    Version(String),
    /// The container version is unknown.
    #[error("container version {0} is not known: give 1 or 2")]
    ContainerVersion(u16),
    /// The parts do not fit into one image.
    #[error("the parts do not fit into one firmware file")]
    Arrange(#[from] ArrangeError),
    /// Writing failed.
    #[error("the firmware file could not be written")]
    Assemble(#[from] AssembleError),
}

/// Bytes of a system slot.
const SLOT: u64 = 614_400 * 512;

/// Partition, file, first sector, sectors: the table of the real printer, in the order of its part table.
const PARTS: [(&str, &str, u32, u32); 12] = [
    ("package-file", "package-file", NO_PARTITION, 0),
    ("parameter", "parameter.txt", 0, 16384),
    ("bootloader", "MiniLoaderAll.bin", NO_PARTITION, 0),
    ("uboot_a", "uboot.img", 16384, 8192),
    ("uboot_b", "uboot.img", 24576, 8192),
    ("misc", "misc.img", 32768, 8192),
    ("boot_a", "boot.img", 40960, 65536),
    ("boot_b", "boot.img", 106_496, 65536),
    ("system_a", "rootfs.img", 172_032, 614_400),
    ("system_b", "rootfs.img", 786_432, 614_400),
    ("oem", "oem.img", 1_400_832, 2_097_152),
    ("userdata", "userdata.img", 3_497_984, REST),
];

impl Size {
    /// Bytes of a part that consists of noise; `padded` has those of a real release, but a larger oem.
    fn of(self, file: &str) -> u64 {
        let (mini, padded) = match file {
            "MiniLoaderAll.bin" => (65_601, 469_440),
            "uboot.img" => (262_144, 4_194_304),
            "misc.img" => (49_152, 49_152),
            "boot.img" => (393_216, 17_320_960),
            "oem.img" => (65_536, 33_554_432),
            "userdata.img" => (65_536, 8_388_608),
            "at32f403a.bin" => (47_004, 47_004),
            "at32f415.bin" => (45_452, 45_452),
            _ => (0, 0),
        };
        match self {
            Self::Mini => mini,
            Self::Padded => padded,
        }
    }
}

/// Writes a whole upgrade file around the root file system `rootfs` to `out`, which appears whole or not at all.
///
/// # Errors
/// If `rootfs` is no squashfs or larger than a slot, an option is outside its limits, or reading or writing fails.
pub fn write_container(rootfs: &Path, options: &ContainerOptions, out: &Path) -> Result<(), ContainerError> {
    let unreadable = |source| ContainerError::Rootfs { path: rootfs.to_owned(), source };
    let source = SourceFile::open(rootfs).map_err(unreadable)?;
    let first = source.read_up_to(0, SUPERBLOCK_LEN).map_err(unreadable)?;
    Superblock::parse(&first, source.span())
        .map_err(|source| ContainerError::Format { path: rootfs.to_owned(), source })?;
    let Ok(rootfs_len) = u32::try_from(source.len()) else {
        return Err(ContainerError::SlotOverflow { path: rootfs.to_owned(), size: source.len() });
    };
    if source.len() > SLOT {
        return Err(ContainerError::SlotOverflow { path: rootfs.to_owned(), size: source.len() });
    }
    if !matches!(options.container_version, 1 | 2) {
        return Err(ContainerError::ContainerVersion(options.container_version));
    }
    let version = FixedText::new(&options.version)
        .filter(|field| field.is_of(is_version_byte))
        .ok_or_else(|| ContainerError::Version(options.version.clone()))?;

    let parameter = parameter_text();
    let wrapped = parameter::wrap(parameter.as_bytes()).unwrap_or_default();
    let lines = PARTS.map(|(name, file, ..)| Line { name: name.to_owned(), file: file.to_owned() });
    let list = package_file::encode(&lines);
    let mut rkaf = Rkaf::new();
    rkaf.model = FixedText::new("RK3562").unwrap_or(rkaf.model);
    rkaf.id = FixedText::new("007").unwrap_or(rkaf.id);
    rkaf.manufacturer = FixedText::new("Octobridge stand-in").unwrap_or(rkaf.manufacturer);
    rkaf.version = Parameter::parse(parameter.as_bytes(), 0)
        .ok()
        .and_then(|parameter| parameter.firmware_version())
        .unwrap_or_default();
    for (name, file, address, sectors) in PARTS {
        let size = match file {
            "package-file" => list.len() as u32,
            "parameter.txt" => (parameter.len() + OVERHEAD) as u32,
            "rootfs.img" => rootfs_len,
            _ => options.size.of(file) as u32,
        };
        rkaf.add(name, file, address, sectors, size)?;
    }
    rkaf.arrange(&[])?;
    let files = rkaf.files().into_iter().map(|part| match part.file.text() {
        "package-file" => Content::of_bytes("package-file", list.as_bytes()),
        "parameter.txt" => Content::of_bytes("parameter.txt", &wrapped),
        "rootfs.img" => Content::new("rootfs.img", source.len(), source.reader(source.span())),
        file => noise(file, options.size),
    });
    let files = files.collect();
    let update =
        Update { header: rkfw_header(rkaf.version), loader: noise("MiniLoaderAll.bin", options.size) };
    let outer = Outer {
        container_version: options.container_version,
        version,
        date: FixedText::new(DATE).unwrap_or(FixedText::from_stored([b'0'; 14])),
        reserved: [0; 16],
        others: [
            noise("at32f403a.bin", options.size),
            noise("at32f415.bin", options.size),
            Content::of_bytes("MCU_DESC", b"403a:stand-in\n415:standin\n"),
        ],
    };
    Assembly { outer: Some(outer), update: Some(update), rkaf, files, sha256_of: None }.write(out)?;
    Ok(())
}

/// A part of noise. `misc.img` has zeros where a debug record would be, `boot.img` begins as a FIT.
fn noise(file: &str, size: Size) -> Content<'static> {
    let len = size.of(file);
    let noise = Noise::of(file);
    match file {
        "misc.img" => {
            let (before, zeros) = (0x6400, 0x200);
            let rest = Noise::of("misc.img, behind the debug record");
            let reader = noise.take(before).chain(io::repeat(0).take(zeros)).chain(rest);
            Content::new(file, len, reader.take(len))
        }
        "boot.img" => {
            let mut head = empty_fit("stand-in without a kernel");
            // Where a FIT's external data begins on this product.
            head.resize(0x800, 0);
            Content::new(file, len, Cursor::new(head).chain(noise).take(len))
        }
        _ => Content::new(file, len, noise.take(len)),
    }
}

fn rkfw_header(version: u32) -> Rkfw {
    Rkfw {
        version,
        code: 0x0200_0000,
        time: BuildTime { year: 2026, rest: [1, 1, 0, 0, 0] },
        chip: u32::from_be_bytes(*b"3562"),
        loader: Span::new(0, 0),
        image: Span::new(0, 0),
        unknown: [0, 1],
        fs_type: 0,
        backup_end: 0,
        reserved: [0; 45],
    }
}

/// Without blanks after the colons of what the RKAF header repeats: the community's packer would take them over.
fn parameter_text() -> String {
    let partitions: Vec<String> = PARTS
        .iter()
        .filter(|(_, _, address, _)| *address != NO_PARTITION && *address != 0)
        .map(|(name, _, address, sectors)| match *sectors {
            REST => format!("-@{address:#010x}({name}:grow)"),
            sectors => format!("{sectors:#010x}@{address:#010x}({name})"),
        })
        .collect();
    format!(
        "FIRMWARE_VER: 1.0.0\nMACHINE_MODEL:RK3562\nMACHINE_ID:007\nMANUFACTURER:Octobridge stand-in\n\
         MAGIC: 0x5041524B\nATAG: 0x00200800\nMACHINE: 0xffffffff\nCHECK_MASK: 0x80\nPWR_HLD: 0,0,A,0,1\nTYPE: GPT\n\
         GROW_ALIGN: 0\nCMDLINE: mtdparts=:{}\n",
        partitions.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_txt_holds_the_partition_table() {
        let parameter = Parameter::parse(parameter_text().as_bytes(), 0).unwrap();
        assert_eq!(parameter.partitions.len(), 9);
        assert_eq!(parameter.partition("system_b").unwrap().start, 786_432);
        assert_eq!(parameter.partition("system_a").unwrap().bytes(), Some(SLOT));
        assert_eq!(parameter.partition("userdata").unwrap().sectors, None);
        assert_eq!(parameter.firmware_version(), Some(0x0100_0000));
        assert!(parameter::wrap(parameter_text().as_bytes()).is_some());
    }

    #[test]
    fn misc_has_no_debug_record_and_boot_is_a_fit() {
        for size in [Size::Mini, Size::Padded] {
            let mut misc = Vec::new();
            let mut content = noise("misc.img", size);
            content.reader.as_mut().unwrap().read_to_end(&mut misc).unwrap();
            assert_eq!((misc.len(), content.len), (49152, 49152));
            assert!(misc[0x6400..0x6600].iter().all(|byte| *byte == 0));
            assert!(misc[..0x6400].iter().any(|byte| *byte != 0));
            let mut head = [0; 4];
            noise("boot.img", size).reader.unwrap().read_exact(&mut head).unwrap();
            assert_eq!(head, [0xd0, 0x0d, 0xfe, 0xed]);
        }
    }

    #[test]
    fn the_mcu_description_has_its_real_length_and_padded_crosses_the_limit() {
        assert_eq!(b"403a:stand-in\n415:standin\n".len(), 26);
        let sum: u64 = ["uboot.img", "boot.img", "oem.img", "userdata.img"]
            .iter()
            .map(|file| Size::Padded.of(file))
            .sum();
        assert!(sum > 50 * 1024 * 1024);
    }
}
