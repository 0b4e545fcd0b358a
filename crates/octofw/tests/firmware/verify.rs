//! Findings of `verify`: each code on the file that earns it, and no other.

use std::fs;
use std::path::{Path, PathBuf};

use octofw::container::SourceFile;
use octofw::image::{Image, Rebuild};
use octofw::parts::{self, Content};
use octofw::standin::container::{ContainerOptions, Size};
use octofw::verify::{Severity, VerifyOptions, verify};

use crate::samples::{Altered, GZIP, Sample, Squashfs};

/// Codes of the findings, without the warning that every small sample earns.
fn codes(path: &Path, base: Option<&Path>, allow_boot: bool) -> Vec<String> {
    let base = base.map(|path| Image::open(path).unwrap());
    let findings = verify(path, &VerifyOptions { base: base.as_ref(), allow_boot, signed: None }).unwrap();
    findings.into_iter().map(|finding| finding.code).filter(|code| code != "below-50-mb").collect()
}

#[test]
fn a_rebuilt_file_is_sound_against_its_base() {
    let sample = Sample::new();
    assert_eq!(codes(&sample.base, None, false), [""; 0]);
    let rootfs = Squashfs { len: 30_000, ..GZIP }.write(&sample.path("new.squashfs"));
    let out = sample.path("out.bin");
    let base = Image::open(&sample.base).unwrap();
    Rebuild { base: &base, rootfs: &rootfs, version_suffix: Some("abc") }.write(&out).unwrap();
    assert_eq!(codes(&out, Some(&sample.base), false), [""; 0]);
}

#[test]
fn a_file_below_the_updaters_limit_earns_a_warning_only() {
    let mini = Sample::new();
    let findings = verify(&mini.base, &VerifyOptions::default()).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code.as_str(), findings[0].severity), ("below-50-mb", Severity::Warning));
    let padded = Sample::with(GZIP, &ContainerOptions { size: Size::Padded, ..ContainerOptions::default() });
    assert_eq!(verify(&padded.base, &VerifyOptions::default()).unwrap(), []);
}

#[test]
fn sums_are_findings() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let at = |name: &str| image.span_of(name).unwrap().offset as usize;
    let table: [(usize, &[&str]); 4] = [
        (at("oem.img"), &["rkaf-sum", "rkfw-sum", "upfile-sum"]),
        (at("loader"), &["rkfw-sum", "upfile-sum"]),
        (at("MCU_DESC"), &["upfile-sum"]),
        // In a header: nothing behind it can be trusted, so it is the only finding.
        (40, &["upfile-sum"]),
    ];
    for (at, expected) in table {
        let path = sample.path("broken.bin");
        let mut bytes = fs::read(&sample.base).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(codes(&path, None, false), expected, "{at:#x}");
    }
}

/// An image of a kernel as U-Boot takes it, with its sums; in its place in the file all other sums are right.
#[test]
fn an_image_that_u_boot_would_not_start_is_an_error() {
    let kernel = include_bytes!("../../../../fuzz/corpus/fw_containers/fit");
    let sample = Sample::new();
    fs::write(sample.path("kernel"), kernel).unwrap();
    let source = SourceFile::open(&sample.path("kernel")).unwrap();
    let Ok(Some((look, _))) = parts::of_file(&source, true) else { panic!("the seed of the fuzzer is none") };
    let Content::Fit(fit) = look.content else { panic!("no image tree") };
    let summed = fit.images.iter().find(|image| image.hash.is_some() && image.size > 0).unwrap();
    let boot = Image::open(&sample.base).unwrap().span_of("boot.img").unwrap().offset as usize;
    for (flip, expected) in [(0, &[][..]), (1, &["fit-sum"])] {
        let mut altered = Altered::of(&sample);
        let rom = Image::open(&sample.base).unwrap().rkaf_span().offset as usize;
        let place = altered.rom(boot - rom);
        place[..kernel.len()].copy_from_slice(kernel);
        place[summed.offset as usize] ^= flip;
        let path = altered.write(&sample.path("boot.bin"));
        let findings = verify(&path, &VerifyOptions::default()).unwrap();
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        assert_eq!(errors.map(|finding| finding.code.as_str()).collect::<Vec<_>>(), expected);
    }
}

const TABLE: usize = 140;
const PART: usize = 112;

/// Parts of the stand-in by their place in the table.
fn field(part: usize, offset: usize) -> usize {
    TABLE + part * PART + offset
}

fn put(bytes: &mut [u8], value: u32) {
    bytes[..4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn each_rule_has_its_code() {
    type Change = fn(&mut Altered);
    let table: [(&str, Change, &[&str]); 7] = [
        ("flash address", |a| put(a.rom(field(10, 100)), 9), &["partition-differs"]),
        ("flash size", |a| put(a.rom(field(10, 92)), 4096), &["partition-differs"]),
        (
            "partition too small for oem",
            |a| put(a.rom(field(10, 92)), 1),
            &["partition-differs", "slot-overflow"],
        ),
        (
            "part that mtdparts lacks",
            |a| a.rom(field(10, 0))[0] = b'x',
            &["package-file-differs", "partition-differs"],
        ),
        ("RKFW version", |a| put(a.rkfw(6), 7), &["rkfw-version"]),
        (
            "debug record",
            |a| {
                let misc = u32::from_le_bytes(a.rom(field(5, 96))[..4].try_into().unwrap()) as usize;
                a.rom(misc + 0x6400)[..4].copy_from_slice(&[0x12, 0x7E, 0x84, 0xCB]);
            },
            &["misc-debug-record"],
        ),
        ("nothing", |_| (), &[]),
    ];
    for (name, change, expected) in table {
        let sample = Sample::new();
        let mut altered = Altered::of(&sample);
        change(&mut altered);
        let path = altered.write(&sample.path("altered.bin"));
        Image::open(&path).unwrap();
        assert_eq!(codes(&path, None, false), expected, "{name}");
    }

    let sample = Sample::new();
    let path = sample.path("longer.bin");
    fs::write(&path, [&fs::read(&sample.base).unwrap()[..], b"more"].concat()).unwrap();
    assert_eq!(codes(&path, None, false), ["upfile-trailing"]);
}

#[test]
fn a_compressor_that_the_kernel_lacks_is_found_without_a_base() {
    for (version, compressor, expected) in
        [("1.3.0", 6, true), ("0.9.0", 5, true), ("2.0.0", 6, false), ("1.3.0", 4, false)]
    {
        let options = ContainerOptions { version: version.into(), ..ContainerOptions::default() };
        let sample = Sample::with(Squashfs { compressor, ..GZIP }, &options);
        let found = codes(&sample.base, None, false);
        assert_eq!(found == ["squashfs-unreadable"], expected, "{version} {compressor}: {found:?}");
    }
}

/// A second stand-in that differs from the sample in one thing.
fn other(sample: &Sample, squashfs: Squashfs, change: fn(&mut ContainerOptions)) -> PathBuf {
    let mut options = ContainerOptions::default();
    change(&mut options);
    let made = Sample::with(squashfs, &options);
    let path = sample.path("other.bin");
    fs::copy(&made.base, &path).unwrap();
    path
}

#[test]
fn every_protected_part_is_held_against_the_base() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let at = |name: &str| (image.span_of(name).unwrap().offset - image.rkaf_span().offset) as usize;
    let table = [
        ("uboot.img", false, true),
        ("misc.img", false, true),
        ("MiniLoaderAll.bin", false, true),
        ("oem.img", false, true),
        ("userdata.img", true, true),
        ("boot.img", false, true),
        ("boot.img", true, false),
        ("rootfs.img", false, false),
    ];
    for (name, allow_boot, found) in table {
        let mut altered = Altered::of(&sample);
        altered.rom(at(name) + 2000)[0] ^= 1;
        let path = altered.write(&sample.path("altered.bin"));
        let expected: &[&str] = if found { &["protected-part-differs"] } else { &[] };
        assert_eq!(codes(&path, Some(&sample.base), allow_boot), expected, "{name}");
    }

    // The list of parts and the parameters, by a change that leaves them readable.
    for (name, from, to) in [("package-file", "# NAME", "# NOME"), ("parameter.txt", "id", "ID")] {
        let mut altered = Altered::of(&sample);
        let part = altered.rom(at(name));
        if name == "package-file" {
            assert!(part.starts_with(from.as_bytes()));
            part[..to.len()].copy_from_slice(to.as_bytes());
        } else {
            let text = image.parameter().text.replace("MACHINE_ID", "MACHINE_IX");
            part[..2048].copy_from_slice(&octofw::container::parameter::wrap(text.as_bytes()).unwrap());
        }
        let path = altered.write(&sample.path("altered.bin"));
        assert_eq!(codes(&path, Some(&sample.base), false), ["protected-part-differs"], "{name}");
    }

    // The loader of RKFW and the payloads of UPFILE.
    for (offset, name) in [(0x66, "loader"), (0, "at32f403a.bin"), (0, "at32f415.bin"), (0, "MCU_DESC")] {
        let mut altered = Altered::of(&sample);
        let start = image.span_of("update.img").unwrap().offset;
        let place = if offset > 0 { offset } else { (image.span_of(name).unwrap().offset - start) as usize };
        altered.rkfw(place)[0] ^= 1;
        let path = altered.write(&sample.path("altered.bin"));
        assert_eq!(codes(&path, Some(&sample.base), true), ["protected-part-differs"], "{name}");
    }
}

#[test]
fn what_the_base_lacks_and_what_changed_around_it_is_found() {
    let sample = Sample::new();
    type Case = (Squashfs, fn(&mut ContainerOptions), &'static [&'static str]);
    let table: [Case; 6] = [
        (GZIP, |_| (), &[]),
        (Squashfs { compressor: 4, ..GZIP }, |_| (), &["squashfs-compressor"]),
        (Squashfs { block_log: 20, ..GZIP }, |_| (), &["squashfs-block-size"]),
        (Squashfs { xattrs: true, ..GZIP }, |_| (), &["squashfs-xattrs"]),
        (GZIP, |o| o.container_version = 2, &["container-version-differs"]),
        (GZIP, |o| o.version = "1.4".into(), &["version-prefix"]),
    ];
    for (squashfs, change, expected) in table {
        let path = other(&sample, squashfs, change);
        assert_eq!(codes(&path, Some(&sample.base), false), expected);
    }
    let padded = other(&sample, GZIP, |o| o.size = Size::Padded);
    let found = codes(&padded, Some(&sample.base), false);
    assert!(found.len() > 4 && found.iter().all(|code| code == "protected-part-differs"), "{found:?}");
}

#[test]
fn headers_parts_and_kinds_that_changed_are_found() {
    let sample = Sample::new();
    type Change = fn(&mut Altered);
    let table: [(Change, &[&str]); 4] = [
        (|a| a.rkfw(16)[0] ^= 1, &["rkfw-header-differs"]),
        (|a| a.rom(8)[0] ^= 1, &["rkaf-header-differs"]),
        (
            |a| a.rom(field(11, 0))[0] = b'x',
            &["package-file-differs", "partition-differs", "part-table-differs"],
        ),
        (
            |a| a.rom(field(11, 32))[0] = b'x',
            &["package-file-differs", "part-added", "part-missing", "part-table-differs"],
        ),
    ];
    for (change, expected) in table {
        let mut altered = Altered::of(&sample);
        change(&mut altered);
        let path = altered.write(&sample.path("altered.bin"));
        assert_eq!(codes(&path, Some(&sample.base), false), expected);
    }
    let update = sample.path("update.img");
    Image::open(&sample.base).unwrap().extract_part("update.img", &update).unwrap();
    assert_eq!(codes(&update, Some(&sample.base), false), ["kind-differs"]);
}
