//! The stand-in container is what the documents say a firmware file is.

use std::fs;
use std::io::Read as _;

use octofw::container::Kind;
use octofw::image::{Image, LOADER};
use octofw::standin::container::{ContainerError, ContainerOptions, Size, write_container};

use crate::samples::{GZIP, Sample};

#[test]
fn every_layer_is_there() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    assert_eq!((image.kind(), image.version()), (Kind::Upgrade, Some("1.3.0.168")));
    assert_eq!(
        image.names(),
        [
            "update.img",
            "at32f403a.bin",
            "at32f415.bin",
            "MCU_DESC",
            LOADER,
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
    let parts: Vec<&str> = image.rkaf().parts.iter().map(|part| part.name.text()).collect();
    let lines: Vec<&str> = image.package_file().iter().map(|line| line.name.as_str()).collect();
    assert_eq!(parts, lines);
    assert_eq!(parts.len(), 12);
    assert_eq!(image.slots("rootfs.img").len(), 2);
    for slot in image.slots("rootfs.img") {
        assert_eq!(slot.limit, Some(314_572_800), "{}", slot.name);
    }
    assert_eq!(image.slots("userdata.img")[0].limit, None);
    assert_eq!(image.span_of("MCU_DESC").unwrap().len, 26);
    assert_eq!(image.part_sha256(LOADER).unwrap(), image.part_sha256("MiniLoaderAll.bin").unwrap());
    assert!(image.file_len() < 2 * 1024 * 1024);
}

#[test]
fn parts_come_out_as_they_went_in() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let mut rootfs = Vec::new();
    image.read_part("rootfs.img").unwrap().read_to_end(&mut rootfs).unwrap();
    assert_eq!(rootfs, GZIP.bytes());
    let to = sample.path("misc.img");
    image.extract_part("misc.img", &to).unwrap();
    let misc = fs::read(to).unwrap();
    assert_eq!(misc.len(), 49152);
    assert!(misc[0x6400..0x6410].iter().all(|byte| *byte == 0));
    let error = image.extract_part("nothing.img", &sample.path("x")).unwrap_err();
    assert!(error.to_string().contains("has no part nothing.img; it has update.img, "), "{error}");
    assert!(!sample.path("x").exists());
}

#[test]
fn inner_layers_are_read_on_their_own() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let update = sample.path("update.img");
    image.extract_part("update.img", &update).unwrap();
    let inner = Image::open(&update).unwrap();
    assert_eq!((inner.kind(), inner.version()), (Kind::Rkfw, None));

    let span = inner.rkaf_span();
    let bytes = fs::read(&update).unwrap();
    let rom = sample.path("rom.img");
    fs::write(&rom, &bytes[span.offset as usize..span.end() as usize]).unwrap();
    let innermost = Image::open(&rom).unwrap();
    assert_eq!(innermost.kind(), Kind::Rkaf);
    assert_eq!(innermost.part_sha256("oem.img").unwrap(), image.part_sha256("oem.img").unwrap());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for container_version in [1, 2] {
        let options = ContainerOptions { container_version, ..ContainerOptions::default() };
        let (one, other) = (Sample::with(GZIP, &options), Sample::with(GZIP, &options));
        assert_eq!(fs::read(&one.base).unwrap(), fs::read(&other.base).unwrap());
        let image = Image::open(&one.base).unwrap();
        assert_eq!(image.upfile().unwrap().container_version, container_version);
    }
}

#[test]
fn padded_crosses_the_fifty_megabytes() {
    let options = ContainerOptions { size: Size::Padded, ..ContainerOptions::default() };
    let sample = Sample::with(GZIP, &options);
    let image = Image::read(&sample.base).unwrap();
    assert!(image.file_len() > 50 * 1024 * 1024);
    assert_eq!(image.span_of("boot.img").unwrap().len, 17_320_960);
}

#[test]
fn wrong_options_are_named_and_leave_nothing() {
    let sample = Sample::new();
    let rootfs = sample.path("base.squashfs");
    let out = sample.path("out.bin");
    let before = sample.listing();
    let with = |change: fn(&mut ContainerOptions)| {
        let mut options = ContainerOptions::default();
        change(&mut options);
        write_container(&rootfs, &options, &out).unwrap_err()
    };
    assert!(matches!(with(|o| o.container_version = 3), ContainerError::ContainerVersion(3)));
    assert!(matches!(with(|o| o.version = "x".repeat(25)), ContainerError::Version(_)));
    assert!(matches!(with(|o| o.version = "a b".into()), ContainerError::Version(_)));
    assert!(matches!(with(|o| o.version = String::new()), ContainerError::Version(_)));
    let options = ContainerOptions::default();
    let error = write_container(&sample.base, &options, &out).unwrap_err();
    assert!(matches!(error, ContainerError::Format { .. }), "{error}");
    let error = write_container(&sample.path("absent"), &options, &out).unwrap_err();
    assert!(matches!(error, ContainerError::Rootfs { .. }), "{error}");
    assert_eq!(sample.listing(), before);
}
