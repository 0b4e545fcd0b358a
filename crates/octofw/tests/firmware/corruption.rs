//! Every way of breaking a firmware file has a named error, and none a panic.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use octofw::container::{Fault, FormatError, Layer, rkcrc};
use octofw::image::{Image, ImageError};
use proptest::prelude::*;

use crate::samples::Sample;

fn open(path: &Path, bytes: &[u8]) -> Result<Image, FormatError> {
    fs::write(path, bytes).unwrap();
    Image::open(path).map_err(|error| match error {
        ImageError::Format { source, .. } => source,
        other => panic!("{other}"),
    })
}

/// Where the regions of the stand-in begin.
struct Map {
    rkfw: usize,
    loader: usize,
    rom: usize,
    rom_end: usize,
    main_mcu: usize,
    head_mcu: usize,
    desc: usize,
    end: usize,
}

impl Map {
    fn of(sample: &Sample) -> Self {
        let image = Image::open(&sample.base).unwrap();
        let start = |name: &str| image.span_of(name).unwrap().offset as usize;
        Self {
            rkfw: start("update.img"),
            loader: start("loader"),
            rom: image.rkaf_span().offset as usize,
            rom_end: image.rkaf_span().end() as usize,
            main_mcu: start("at32f403a.bin"),
            head_mcu: start("at32f415.bin"),
            desc: start("MCU_DESC"),
            end: image.file_len() as usize,
        }
    }
}

#[test]
fn one_flipped_bit_in_each_region_is_named() {
    let sample = Sample::new();
    let map = Map::of(&sample);
    let image = Image::open(&sample.base).unwrap();
    let part = |file: &str| image.span_of(file).unwrap().offset as usize;
    let good = fs::read(&sample.base).unwrap();
    use Fault::{Count, Magic, Mismatch, Sum, Text};
    use Layer::{PackageFile, Parameter, Rkaf, Rkfw, Squashfs, Upfile};
    // The first broken rule counts, from the outside in for headers, from the inside out for sums.
    let table = [
        ("UPFILE magic", 0, Upfile, Magic),
        ("UPFILE header", 40, Upfile, Sum),
        ("UPFILE reserved", 60, Upfile, Sum),
        ("entry 0", 64 + 5, Upfile, Sum),
        ("entry 3", 160 + 31, Upfile, Sum),
        ("RKFW magic", map.rkfw, Rkfw, Magic),
        ("RKFW time", map.rkfw + 16, Rkfw, Sum),
        ("RKFW image offset", map.rkfw + 33, Rkfw, Mismatch),
        ("RKFW reserved", map.rkfw + 80, Rkfw, Sum),
        ("loader", map.loader + 1000, Rkfw, Sum),
        ("RKAF magic", map.rom, Rkaf, Magic),
        ("RKAF model", map.rom + 8, Rkaf, Sum),
        ("RKAF version", map.rom + 132, Rkaf, Sum),
        ("RKAF number of parts", map.rom + 136 + 1, Rkaf, Count),
        ("RKAF flash address", map.rom + 140 + 100, Rkaf, Sum),
        ("RKAF reserved", map.rom + 2000, Rkaf, Sum),
        ("package-file", part("package-file") + 3, PackageFile, Text),
        ("PARM magic", part("parameter.txt"), Parameter, Magic),
        ("parameter text", part("parameter.txt") + 20, Parameter, Sum),
        ("parameter zeros", part("parameter.txt") + 2047, Rkaf, Sum),
        ("MiniLoaderAll", part("MiniLoaderAll.bin") + 9, Rkaf, Sum),
        ("squashfs magic", part("rootfs.img"), Squashfs, Magic),
        ("squashfs content", part("rootfs.img") + 1000, Rkaf, Sum),
        ("userdata", part("userdata.img") + 7, Rkaf, Sum),
        ("RKAF CRC", map.rom_end - 1, Rkaf, Sum),
        ("MD5 trailer", map.rom_end + 31, Rkfw, Text),
        ("main MCU", map.main_mcu, Upfile, Sum),
        ("head MCU", map.head_mcu + 45451, Upfile, Sum),
        ("MCU_DESC", map.desc + 25, Upfile, Sum),
    ];
    let path = sample.path("broken.bin");
    for (name, at, layer, fault) in table {
        let mut bytes = good.clone();
        // The highest bit makes no hex digit and no printable text.
        bytes[at] ^= 0x80;
        let error = open(&path, &bytes).expect_err(name);
        assert_eq!((error.layer, error.fault), (layer, fault), "{name}: {error}");
        assert!(error.to_string().len() < 400, "{error}");
    }
    assert!(open(&path, &good).is_ok());
}

#[test]
fn cut_at_every_boundary_it_is_named() {
    let sample = Sample::new();
    let map = Map::of(&sample);
    let good = fs::read(&sample.base).unwrap();
    let path = sample.path("broken.bin");
    for len in [0, 3, 63, 64, 65, 191] {
        let error = open(&path, &good[..len]).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Upfile, Fault::Truncated), "{len}: {error}");
    }
    for len in [192, map.loader, map.rom, map.rom + 2048, map.rom_end, map.main_mcu, map.desc, map.end - 1] {
        let error = open(&path, &good[..len]).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Upfile, Fault::Truncated), "{len}: {error}");
    }
    // The inner layers on their own.
    let update = &good[map.rkfw..map.main_mcu];
    for len in [4, 101, 102, map.rom - map.rkfw, update.len() - 32, update.len() - 1] {
        let error = open(&path, &update[..len]).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Rkfw, Fault::Truncated), "{len}: {error}");
    }
    let rom = &good[map.rom..map.rom_end];
    for len in [4, 139, 2047, 2048, 4096, rom.len() - 4, rom.len() - 1] {
        let error = open(&path, &rom[..len]).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Rkaf, Fault::Truncated), "{len}: {error}");
    }
    for (layer, bytes) in [(Layer::Rkfw, update), (Layer::Rkaf, rom)] {
        let longer = [bytes, b"x"].concat();
        let error = open(&path, &longer).unwrap_err();
        assert_eq!((error.layer, error.fault), (layer, Fault::Trailing), "{error}");
    }
}

#[test]
fn a_crc_off_by_one_and_an_upper_case_md5_are_named() {
    let sample = Sample::new();
    let map = Map::of(&sample);
    let good = fs::read(&sample.base).unwrap();
    let path = sample.path("broken.img");

    let mut rom = good[map.rom..map.rom_end].to_vec();
    let end = rom.len() - 4;
    let crc = rkcrc::rkcrc(&rom[..end]);
    assert_eq!(rom[end..], crc.to_le_bytes());
    rom[end..].copy_from_slice(&crc.wrapping_add(1).to_le_bytes());
    let error = open(&path, &rom).unwrap_err();
    assert_eq!((error.layer, error.fault, error.field.as_ref()), (Layer::Rkaf, Fault::Sum, "CRC"));
    assert_eq!(error.offset, end as u64);

    let mut update = good[map.rkfw..map.main_mcu].to_vec();
    let at = update.len() - 32;
    update[at..].make_ascii_uppercase();
    let error = open(&path, &update).unwrap_err();
    assert_eq!((error.layer, error.fault, error.field.as_ref()), (Layer::Rkfw, Fault::Text, "MD5 trailer"));
    assert!(error.to_string().contains("expected 32 lower-case hex digits"), "{error}");
}

#[test]
fn an_image_without_what_it_needs_is_named() {
    let sample = Sample::new();
    let map = Map::of(&sample);
    let good = fs::read(&sample.base).unwrap();
    let path = sample.path("broken.img");
    for file in ["package-file", "parameter.txt", "rootfs.img"] {
        let mut rom = good[map.rom..map.rom_end].to_vec();
        for part in 0..12 {
            let at = 140 + part * 112 + 32;
            if rom[at..at + 60].starts_with(file.as_bytes()) {
                rom[at] = b'x';
            }
        }
        let error = open(&path, &rom).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Rkaf, Fault::Missing), "{error}");
        assert_eq!(error.found, format!("no {file}"));
    }
}

#[test]
fn other_files_are_refused_by_name() {
    let sample = Sample::new();
    let path = sample.path("other");
    for bytes in [&b"\x7fELF and more than enough bytes to be a header of an upgrade file"[..], &[0; 4096]] {
        let error = open(&path, bytes).unwrap_err();
        assert_eq!((error.layer, error.fault), (Layer::Upfile, Fault::Magic), "{error}");
    }
    for path in [sample.folder.path(), Path::new("/dev/null"), &sample.path("absent")] {
        let error = Image::open(path).unwrap_err();
        assert!(!error.is_wrong_input() && error.to_string().starts_with("cannot open "), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_files_never_panic(
        magic in prop::sample::select(vec![&b"\x88\x1a\x47\xdf"[..], b"RKFW\x66\x00", b"RKAF", b""]),
        bytes in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [magic, &bytes].concat()).unwrap();
        prop_assert!(Image::open(&path).is_err());
    }

    /// Headers are hit more often than payloads; whatever passes as headers is summed without a panic too.
    #[test]
    fn mutated_rom_images_never_panic(
        changes in prop::collection::vec((0usize..8192, any::<u8>()), 1..8),
        cut in prop::option::of(0usize..20_000),
    ) {
        static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let sample = Sample::new();
            let map = Map::of(&sample);
            fs::read(&sample.base).unwrap()[map.rom..map.rom_end].to_vec()
        });
        let mut rom = GOOD.clone();
        for (at, byte) in changes {
            rom[at] = byte;
        }
        rom.truncate(cut.unwrap_or(rom.len()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mutated.img");
        fs::write(&path, &rom).unwrap();
        let opened = Image::open(&path);
        prop_assert_eq!(opened.is_ok(), rom == *GOOD);
        if let Ok(image) = Image::read(&path) {
            let _ = image.check_sums();
            for name in image.names() {
                let _ = image.part_sha256(name);
                let _ = image.slots(name);
            }
        }
    }
}
