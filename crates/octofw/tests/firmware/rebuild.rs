//! A new firmware file out of a base.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use octofw::build::proof::prove;
use octofw::container::assemble::Written;
use octofw::image::{Image, Rebuild, RebuildError, Rebuilt};
use octofw::squashfs::Incompatible;
use octofw::standin::container::{ContainerOptions, Size};

use crate::samples::{GZIP, Sample, Squashfs};

fn rebuild(sample: &Sample, squashfs: Squashfs, suffix: Option<&str>) -> Result<Rebuilt, RebuildError> {
    let rootfs = squashfs.write(&sample.path("new.squashfs"));
    let base = Image::open(&sample.base).unwrap();
    Rebuild { base: &base, rootfs: &rootfs, version_suffix: suffix }.write(&sample.path("out.bin"))
}

#[test]
fn with_the_same_root_file_system_nothing_changes() {
    let kinds = [
        ContainerOptions::default(),
        ContainerOptions { container_version: 2, version: "9".into(), ..ContainerOptions::default() },
        ContainerOptions { size: Size::Padded, ..ContainerOptions::default() },
    ];
    for options in kinds {
        let sample = Sample::with(GZIP, &options);
        rebuild(&sample, GZIP, None).unwrap();
        assert!(fs::read(&sample.base).unwrap() == fs::read(sample.path("out.bin")).unwrap(), "{options:?}");
    }
}

/// What a build does before an image takes its place.
#[test]
fn the_last_look_finds_what_must_not_be_flashed() {
    let sample = Sample::new();
    let base = Image::open(&sample.base).unwrap();
    rebuild(&sample, Squashfs { len: 12_288, ..GZIP }, Some("x")).unwrap();
    let made = sample.path("made.bin");
    let written = in_place(&base, &sample.path("new.squashfs"), &made, Some("x"));
    assert!(fs::read(&made).unwrap() == fs::read(sample.path("out.bin")).unwrap(), "in place it is another");
    prove(&base, &made, &written).unwrap();

    let error = |path: &std::path::Path| prove(&base, path, &written).unwrap_err().to_string();
    for (part, at) in [("misc.img", 100), ("MCU_DESC", 25)] {
        let mut damaged = fs::read(&made).unwrap();
        damaged[Image::read(&made).unwrap().span_of(part).unwrap().offset as usize + at] ^= 1;
        fs::write(sample.path("damaged.bin"), damaged).unwrap();
        let damaged = error(&sample.path("damaged.bin"));
        let expected = format!("protected-part-differs: {part} is not the one of the base");
        assert!(damaged.contains(&expected), "{damaged}");
    }
    // The CRC, then the first digit of the MD5, either of which may be any.
    let end = Image::read(&made).unwrap().rkaf_span().end() as usize;
    for (at, byte) in [(end - 1, 0x5a), (end, b'x')] {
        let mut damaged = fs::read(&made).unwrap();
        damaged[at] = byte;
        fs::write(sample.path("damaged.bin"), damaged).unwrap();
        let damaged = error(&sample.path("damaged.bin"));
        let expected =
            if byte == b'x' { "is not a sound U1 firmware file" } else { "a header states another sum" };
        assert!(damaged.contains(expected), "{damaged}");
    }
}

/// As a build does it: the root lies in the file first, and all else is written around it.
fn in_place(base: &Image, rootfs: &Path, made: &Path, suffix: Option<&str>) -> Written {
    let root = fs::read(rootfs).unwrap();
    let mut file = vec![0; base.new_root_offset().unwrap() as usize];
    file.extend(&root);
    fs::write(made, file).unwrap();
    let job = Rebuild { base, rootfs: made, version_suffix: suffix };
    job.complete(root.len() as u64).unwrap().1
}

/// The same for the layers on their own: each is a file of ours too.
#[test]
fn bare_layers_are_rebuilt_byte_for_byte() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let (update, rom) = (sample.path("update.img"), sample.path("rom.img"));
    image.extract_part("update.img", &update).unwrap();
    let span = Image::open(&update).unwrap().rkaf_span();
    fs::write(&rom, &fs::read(&update).unwrap()[span.offset as usize..span.end() as usize]).unwrap();
    let rootfs = GZIP.write(&sample.path("new.squashfs"));
    for file in [&update, &rom] {
        let base = Image::open(file).unwrap();
        let out = sample.path("out.img");
        let rebuilt = Rebuild { base: &base, rootfs: &rootfs, version_suffix: None }.write(&out).unwrap();
        assert_eq!(rebuilt.version, None);
        assert!(fs::read(file).unwrap() == fs::read(&out).unwrap());
        let error =
            Rebuild { base: &base, rootfs: &rootfs, version_suffix: Some("x") }.write(&out).unwrap_err();
        assert!(matches!(error, RebuildError::NoVersion { .. }), "{error}");
    }
}

/// Bytes that the format gives no meaning and zeros that are none stay as they are in the base.
#[test]
fn what_has_no_meaning_is_carried_over() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let update = sample.path("update.img");
    image.extract_part("update.img", &update).unwrap();
    let span = Image::open(&update).unwrap().rkaf_span();
    let mut rom = fs::read(&update).unwrap()[span.offset as usize..span.end() as usize].to_vec();
    let loader = image.rkaf().part_of_file("MiniLoaderAll.bin").unwrap();
    rom[(loader.position + loader.size) as usize] = 0x77;
    rom[2000] = 0x55;
    let end = rom.len() - 4;
    let crc = octofw::container::rkcrc::rkcrc(&rom[..end]).to_le_bytes();
    rom[end..].copy_from_slice(&crc);
    let path = sample.path("rom.img");
    fs::write(&path, &rom).unwrap();
    let base = Image::open(&path).unwrap();
    let rootfs = GZIP.write(&sample.path("new.squashfs"));
    let out = sample.path("out.img");
    Rebuild { base: &base, rootfs: &rootfs, version_suffix: None }.write(&out).unwrap();
    assert!(fs::read(&out).unwrap() == rom);
}

#[test]
fn only_the_root_file_system_and_the_version_change() {
    for len in [4096, 8191, 300_001] {
        let sample = Sample::new();
        let new = Squashfs { len, fill: 0x5A, ..GZIP };
        let rebuilt = rebuild(&sample, new, Some("octo1")).unwrap();
        assert_eq!(
            rebuilt,
            Rebuilt {
                version: Some("1.3.0.168octo1".into()),
                rootfs_len: len as u64,
                slot_limit: Some(314_572_800)
            }
        );
        let (base, out) = (Image::open(&sample.base).unwrap(), Image::open(&sample.path("out.bin")).unwrap());
        assert_eq!(out.version(), Some("1.3.0.168octo1"));
        assert_eq!(out.upfile().unwrap().date, base.upfile().unwrap().date);
        for name in base.names() {
            let same = base.part_sha256(name).unwrap() == out.part_sha256(name).unwrap();
            assert_eq!(same, !matches!(name, "update.img" | "rootfs.img"), "{name}");
        }
        let slots: Vec<u32> = out
            .rkaf()
            .parts
            .iter()
            .filter(|part| part.file.text() == "rootfs.img")
            .map(|part| part.position)
            .collect();
        assert_eq!(slots.len(), 2);
        assert_eq!(slots[0], slots[1]);
        for (one, other) in base.rkaf().parts.iter().zip(&out.rkaf().parts) {
            assert_eq!((&one.name, one.flash_address), (&other.name, other.flash_address));
        }
    }
}

#[test]
fn what_the_base_lacks_is_refused_and_nothing_is_left() {
    let table = [
        (Squashfs { compressor: 6, ..GZIP }, "squashfs-compressor"),
        (Squashfs { block_log: 20, ..GZIP }, "squashfs-block-size"),
        (Squashfs { xattrs: true, ..GZIP }, "squashfs-xattrs"),
    ];
    for (squashfs, code) in table {
        let sample = Sample::new();
        let error = rebuild(&sample, squashfs, None).unwrap_err();
        let RebuildError::Incompatible { source, .. } = &error else { panic!("{error}") };
        assert_eq!(Incompatible::code(source), code);
        assert_eq!(sample.listing(), ["base.bin", "base.squashfs", "new.squashfs"]);
    }
}

#[test]
fn a_root_file_system_beyond_the_slot_is_refused_with_the_numbers() {
    let sample = Sample::new();
    let rootfs = GZIP.write(&sample.path("new.squashfs"));
    // A hole in the file takes no disk space; the limit is 314572800.
    File::options().write(true).open(&rootfs).unwrap().set_len(314_572_801).unwrap();
    let base = Image::open(&sample.base).unwrap();
    let error = Rebuild { base: &base, rootfs: &rootfs, version_suffix: None }
        .write(&sample.path("out.bin"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the root file system has 314572801 bytes, 1 more than the 314572800 that the slot system_a holds: \
         leave overlays or files out"
    );
    assert_eq!(sample.listing(), ["base.bin", "base.squashfs", "new.squashfs"]);
}

#[test]
fn the_version_has_24_bytes_and_legal_characters() {
    let sample = Sample::new();
    let longest = "x".repeat(24 - "1.3.0.168".len());
    let rebuilt = rebuild(&sample, GZIP, Some(&longest)).unwrap();
    assert_eq!(rebuilt.version.unwrap().len(), 24);
    assert_eq!(Image::open(&sample.path("out.bin")).unwrap().version().unwrap().len(), 24);
    fs::remove_file(sample.path("out.bin")).unwrap();
    let error = rebuild(&sample, GZIP, Some(&format!("{longest}x"))).unwrap_err();
    assert!(matches!(error, RebuildError::VersionTooLong { .. }), "{error}");
    assert!(error.to_string().contains("has 25 bytes, 24 are allowed"), "{error}");
    for suffix in ["a b", "ä", "\0", "x\n"] {
        let error = rebuild(&sample, GZIP, Some(suffix)).unwrap_err();
        assert!(matches!(error, RebuildError::VersionCharacters { .. }), "{error}");
    }
    assert!(!sample.path("out.bin").exists());
}

#[test]
fn inputs_are_never_overwritten() {
    let sample = Sample::new();
    let rootfs = GZIP.write(&sample.path("new.squashfs"));
    let base = Image::open(&sample.base).unwrap();
    let link = sample.path("link.bin");
    fs::hard_link(&sample.base, &link).unwrap();
    for out in [&sample.base, &rootfs, &link] {
        let error = Rebuild { base: &base, rootfs: &rootfs, version_suffix: None }.write(out).unwrap_err();
        assert!(matches!(error, RebuildError::SameFile { .. }), "{error}");
    }
    Image::open(&sample.base).unwrap();
}

#[test]
fn a_failed_write_leaves_no_file_and_keeps_the_old_one() {
    let sample = Sample::new();
    let rootfs = GZIP.write(&sample.path("new.squashfs"));
    let base = Image::open(&sample.base).unwrap();
    let job = Rebuild { base: &base, rootfs: &rootfs, version_suffix: None };
    let error = job.write(&sample.path("absent/out.bin")).unwrap_err();
    assert!(matches!(error, RebuildError::Assemble(_)), "{error}");

    // The base shrinks behind our back, so that copying fails half-way.
    fs::write(sample.path("out.bin"), "old").unwrap();
    File::options().write(true).open(&sample.base).unwrap().set_len(600_000).unwrap();
    let error = job.write(&sample.path("out.bin")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("cannot read "), "{cause}");
    assert_eq!(fs::read(sample.path("out.bin")).unwrap(), b"old");
    assert_eq!(sample.listing(), ["base.bin", "base.squashfs", "new.squashfs", "out.bin"]);
}

#[test]
fn the_output_is_a_plain_file_readable_as_the_umask_says() {
    let sample = Sample::new();
    rebuild(&sample, GZIP, None).unwrap();
    let made = fs::metadata(sample.path("out.bin")).unwrap();
    let plain = fs::metadata(sample.path("new.squashfs")).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, plain.permissions().mode() & 0o777);
    assert_eq!(made.nlink(), 1);
}

#[test]
fn something_else_as_root_file_system_is_wrong_input() {
    let sample = Sample::new();
    let rootfs = sample.path("new.squashfs");
    let base = Image::open(&sample.base).unwrap();
    let job = Rebuild { base: &base, rootfs: &rootfs, version_suffix: None };
    for content in [&b""[..], b"hsqs", b"not a file system at all", &GZIP.bytes()[..4096]] {
        fs::write(&rootfs, content).unwrap();
        let error = job.write(&sample.path("out.bin")).unwrap_err();
        assert!(error.is_wrong_input(), "{error}");
    }
    let mut file = File::options().write(true).open(&rootfs).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"sqsh").unwrap();
    assert!(job.write(&sample.path("out.bin")).unwrap_err().is_wrong_input());
    assert_eq!(sample.listing(), ["base.bin", "base.squashfs", "new.squashfs"]);
}
