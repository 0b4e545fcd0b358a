//! Any list of parts that fits the table is written and read back, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use octofw::container::assemble::{AssembleError, Assembly, Content, Outer};
use octofw::container::parameter;
use octofw::container::rkaf::{NO_PARTITION, Rkaf};
use octofw::container::{FixedText, Kind};
use octofw::image::{Image, Rebuild};
use proptest::prelude::*;

use crate::samples::{GZIP, Squashfs};

const PARAMETER: &str = "CMDLINE: mtdparts=:0x1000@0x2000(system_a),0x1000@0x3000(system_b)\n";

/// Part names with their files.
type Parts = Vec<(String, String)>;

/// The contents that every image has, and the part names that have them.
fn image(extra: &[(usize, usize)]) -> (Parts, BTreeMap<String, Vec<u8>>) {
    let mut parts: Parts = [
        ("package-file", "package-file"),
        ("parameter", "parameter.txt"),
        ("system_a", "rootfs.img"),
        ("system_b", "rootfs.img"),
    ]
    .map(|(name, file)| (name.to_owned(), file.to_owned()))
    .to_vec();
    let mut contents = BTreeMap::new();
    contents.insert("package-file".to_owned(), b"package-file package-file\n".to_vec());
    contents.insert("parameter.txt".to_owned(), parameter::wrap(PARAMETER.as_bytes()).unwrap());
    contents.insert("rootfs.img".to_owned(), GZIP.bytes());
    for (index, (file, size)) in extra.iter().enumerate() {
        let file = format!("f{file}.img");
        parts.push((format!("part{index}"), file.clone()));
        contents.entry(file).or_insert_with(|| vec![index as u8 ^ 0xC3; *size]);
    }
    (parts, contents)
}

fn assembly<'a>(parts: &[(String, String)], contents: &'a BTreeMap<String, Vec<u8>>) -> Assembly<'a> {
    let mut rkaf = Rkaf::new();
    for (index, (name, file)) in parts.iter().enumerate() {
        let size = if file == "parameter.txt" { PARAMETER.len() + 12 } else { contents[file].len() };
        let (address, sectors) =
            if name.starts_with("system") { (0x2000, 0x1000) } else { (NO_PARTITION, index as u32) };
        rkaf.add(name, file, address, sectors, size as u32).unwrap();
    }
    rkaf.arrange(&[]).unwrap();
    let files = contents.iter().map(|(file, bytes)| Content::of_bytes(file, bytes)).collect();
    Assembly { outer: None, update: None, rkaf, files, sha256_of: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_is_written_is_read(
        extra in prop::collection::vec(
            (0usize..8, prop::sample::select(vec![0usize, 1, 2047, 2048, 2049, 9000])), 0..=12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rom.img");
        let (parts, contents) = image(&extra);
        assembly(&parts, &contents).write(&path).unwrap();

        let image = Image::open(&path).unwrap();
        prop_assert_eq!(image.rkaf().parts.len(), parts.len());
        for (part, (name, file)) in image.rkaf().parts.iter().zip(&parts) {
            prop_assert_eq!((part.name.text(), part.file.text()), (name.as_str(), file.as_str()));
            let mut read = Vec::new();
            image.read_part(file).unwrap().read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &contents[file][..read.len()]);
            prop_assert_eq!(read.len(), part.size as usize);
        }
        // Each file is stored once.
        let stored: usize = contents.values().map(|bytes| bytes.len().next_multiple_of(2048)).sum();
        prop_assert_eq!(image.file_len() as usize, 2048 + stored + 4);

        // Rebuilt with the same root file system it is the same; with another one, all else is.
        let rootfs = GZIP.write(&folder.path().join("rootfs"));
        let out = folder.path().join("out.img");
        Rebuild { base: &image, rootfs: &rootfs, version_suffix: None }.write(&out).unwrap();
        prop_assert!(fs::read(&path).unwrap() == fs::read(&out).unwrap());
        Squashfs { len: 20_001, ..GZIP }.write(&rootfs);
        Rebuild { base: &image, rootfs: &rootfs, version_suffix: None }.write(&out).unwrap();
        let rebuilt = Image::open(&out).unwrap();
        for file in contents.keys().filter(|file| *file != "rootfs.img") {
            prop_assert_eq!(rebuilt.part_sha256(file).unwrap(), image.part_sha256(file).unwrap());
        }
    }
}

/// The printer's updater takes a rom image without the RKFW layer too.
#[test]
fn an_upgrade_file_may_hold_the_rom_image_directly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.bin");
    let (parts, contents) = image(&[(1, 5000)]);
    let mut assembly = assembly(&parts, &contents);
    assembly.outer = Some(Outer {
        container_version: 2,
        version: FixedText::new("1.0").unwrap(),
        date: FixedText::new("20260101000000").unwrap(),
        reserved: [0; 16],
        others: [("a", b"1"), ("b", b"2"), ("c", b"3")].map(|(name, bytes)| Content::of_bytes(name, bytes)),
    });
    assembly.write(&path).unwrap();
    let image = Image::open(&path).unwrap();
    assert_eq!((image.kind(), image.rkfw()), (Kind::Upgrade, None));
    assert_eq!(image.rkaf_span().offset, 192);
    let rootfs = GZIP.write(&folder.path().join("rootfs"));
    let out = folder.path().join("out.bin");
    Rebuild { base: &image, rootfs: &rootfs, version_suffix: None }.write(&out).unwrap();
    assert!(fs::read(&path).unwrap() == fs::read(&out).unwrap());
}

#[test]
fn contents_that_do_not_fit_their_parts_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rom.img");
    let (parts, contents) = image(&[(1, 5000)]);
    let write = |change: &dyn Fn(&mut Assembly<'_>)| {
        let mut assembly = assembly(&parts, &contents);
        change(&mut assembly);
        let error = assembly.write(&path).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{error}");
        error
    };
    let error = write(&|assembly| assembly.files.retain(|content| content.name != "f1.img"));
    assert!(matches!(&error, AssembleError::NoContent(name) if name == "f1.img"), "{error}");
    for len in [4999, 5001, 6143] {
        let error = write(&|assembly| {
            for content in assembly.files.iter_mut().filter(|content| content.name == "f1.img") {
                content.len = len;
            }
        });
        assert!(matches!(error, AssembleError::Length { expected: 5000, .. }), "{error}");
    }
    // A reader with fewer or, worse, endless bytes.
    for bytes in [4000, u64::MAX] {
        let error = write(&|assembly| {
            for content in assembly.files.iter_mut().filter(|content| content.name == "f1.img") {
                content.reader = Some(Box::new(std::io::repeat(1).take(bytes)));
            }
        });
        assert!(matches!(error, AssembleError::Length { expected: 5000, .. }), "{error}");
    }
}
