//! The boot loader in front of the rom image: what it consists of, its own sum, and its way out of the file and back.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use octofw::container::rkcrc::rkcrc;
use octofw::image::{Image, LOADER};
use octofw::verify::{Severity, VerifyOptions, verify};
use serde_json::Value;

use crate::samples::{Altered, Sample};

const PART: &str = "MiniLoaderAll.bin";
/// Bytes of the header, of an entry, and of all of them.
const HEADER: usize = 102;
const ENTRY: usize = 57;
const DATA: usize = HEADER + 3 * ENTRY;

/// A boot loader of so many bytes as `boot_merger` of Rockchip's U-Boot writes it: one piece for each of its lists.
fn made(version: u8, length: usize) -> Vec<u8> {
    let mut bytes = b"LDR ".to_vec();
    bytes.extend((HEADER as u16).to_le_bytes());
    bytes.extend([version, 0x01, 0, 0, 0, 0, 0, 1]);
    bytes.extend(2024_u16.to_le_bytes());
    bytes.extend([5, 6, 7, 8, 9]);
    bytes.extend(b"2653");
    for number in 0..3 {
        bytes.push(1);
        bytes.extend(((HEADER + number * ENTRY) as u32).to_le_bytes());
        bytes.push(ENTRY as u8);
    }
    bytes.extend([0, 1]);
    bytes.resize(HEADER, 0);
    let rest = length - DATA - 4 - 2048 - 4096;
    let mut place = DATA;
    for (kind, name, size) in [(1_u32, "rk3562_ddr", 2048), (2, "usbplug", 4096), (4, "FlashBoot", rest)] {
        bytes.push(ENTRY as u8);
        bytes.extend(kind.to_le_bytes());
        let mut letters: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        letters.resize(40, 0);
        bytes.extend(letters);
        for number in [place, size, 0] {
            bytes.extend((number as u32).to_le_bytes());
        }
        place += size;
    }
    bytes.extend((bytes.len()..length - 4).map(|at| (at * 7 / 3) as u8));
    let crc = rkcrc(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// Where the loader lies in the RKFW layer, and as a part in the rom image; and how long it is.
fn places(sample: &Sample) -> (usize, usize, usize) {
    let image = Image::open(&sample.base).unwrap();
    let (front, part) = (image.span_of(LOADER).unwrap(), image.span_of(PART).unwrap());
    assert_eq!(front.len, part.len);
    let update = image.span_of("update.img").unwrap().offset;
    ((front.offset - update) as usize, (part.offset - image.rkaf_span().offset) as usize, front.len as usize)
}

/// The sample with these boot loaders in front of the rom image and in it.
fn with(sample: &Sample, name: &str, front: &[u8], part: &[u8]) -> String {
    let (in_front, inside, length) = places(sample);
    assert_eq!((front.len(), part.len()), (length, length));
    let mut altered = Altered::of(sample);
    altered.rkfw(in_front)[..length].copy_from_slice(front);
    altered.rom(inside)[..length].copy_from_slice(part);
    altered.write(&sample.path(name));
    name.to_owned()
}

fn octofw(words: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_octofw")).args(words).current_dir(folder).output().unwrap()
}

fn fine(words: &[&str], sample: &Sample) -> String {
    let output = octofw(words, sample.folder.path());
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn inspected(file: &str, sample: &Sample, code: i32) -> Value {
    let output = octofw(&["inspect", file, "--json"], sample.folder.path());
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_it_consists_of_is_shown_where_it_is_another_one_than_the_part() {
    let sample = Sample::new();
    let length = places(&sample).2;
    let file = with(&sample, "two.bin", &made(0x15, length), &made(0x16, length));
    let report = inspected(&file, &sample, 0);
    let loader = &report["rkfw"]["loader"];
    assert_eq!(loader["same_as"], Value::Null);
    let content = &loader["content"];
    assert_eq!(
        (&content["form"], &content["version"], &content["chip"]),
        (&"loader".into(), &"1.15".into(), &"RK3562".into())
    );
    assert_eq!(content["crc_ok"], true);
    let entry = |number: usize| {
        let entry = &content["entries"][number];
        let number = |key: &str| entry[key].as_u64().unwrap() as usize;
        (entry["list"].as_str().unwrap(), entry["name"].as_str().unwrap(), number("offset"), number("size"))
    };
    assert_eq!(entry(0), ("471", "rk3562_ddr", DATA, 2048));
    assert_eq!(entry(1), ("472", "usbplug", DATA + 2048, 4096));
    assert_eq!(entry(2), ("loader", "FlashBoot", DATA + 6144, length - DATA - 6144 - 4));
    let parts = report["rkaf"]["parts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["file"] == PART).unwrap();
    assert_eq!(part["content"]["version"], "1.16");
    let text = fine(&["inspect", &file], &sample);
    assert!(text.contains("the loader is ANOTHER ONE than each part of the rom image"), "{text}");
    assert!(text.contains("  loader            boot loader LDR, version 1.15, for RK3562"), "{text}");
    assert!(text.contains("  MiniLoaderAll.bin boot loader LDR, version 1.16"), "{text}");
    let findings = verify(&sample.path(&file), &VerifyOptions::default()).unwrap();
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{findings:?}");
}

#[test]
fn one_that_is_the_part_is_shown_once() {
    let sample = Sample::new();
    let length = places(&sample).2;
    let file = with(&sample, "same.bin", &made(0x15, length), &made(0x15, length));
    assert_eq!(inspected(&file, &sample, 0)["rkfw"]["loader"]["same_as"], PART);
    let text = fine(&["inspect", &file], &sample);
    assert!(text.contains("the loader is MiniLoaderAll.bin of the rom image, byte for byte"), "{text}");
    assert_eq!(text.matches("boot loader LDR").count(), 1, "{text}");
    // Without sums nobody compares them.
    let quick = fine(&["inspect", &file, "--no-sums"], &sample);
    assert_eq!(quick.matches("boot loader LDR").count(), 2, "{quick}");
}

#[test]
fn a_wrong_sum_of_its_own_is_told_with_its_place() {
    let sample = Sample::new();
    let length = places(&sample).2;
    let good = made(0x15, length);
    let mut bad = good.clone();
    bad[DATA + 5000] ^= 0x10;
    let file = with(&sample, "bad.bin", &bad, &good);
    let report = inspected(&file, &sample, 1);
    assert_eq!(report["rkfw"]["loader"]["content"]["crc_ok"], false);
    let front = Image::read(&sample.path(&file)).unwrap().span_of(LOADER).unwrap();
    let wrong = report["wrong_sums"].as_array().unwrap();
    let expected = format!("boot loader, CRC at byte {:#x}: ", front.end() - 4);
    assert!(wrong.len() == 1 && wrong[0].as_str().unwrap().starts_with(&expected), "{wrong:?}");
    let findings = verify(&sample.path(&file), &VerifyOptions::default()).unwrap();
    let found: Vec<_> = findings.iter().filter(|finding| finding.code == "loader-sum").collect();
    assert!(found.len() == 1 && found[0].severity == Severity::Warning, "{findings:?}");
    assert!(found[0].message.starts_with("loader: boot loader, CRC"), "{}", found[0].message);
}

#[test]
fn one_that_breaks_its_rules_is_shown_as_unreadable_and_nothing_else_suffers() {
    let sample = Sample::new();
    let length = places(&sample).2;
    let good = made(0x15, length);
    let mut bad = good.clone();
    bad[HEADER] = 56;
    let file = with(&sample, "odd.bin", &bad, &good);
    let report = inspected(&file, &sample, 0);
    let told = report["rkfw"]["loader"]["unreadable"].as_str().unwrap();
    assert!(told.starts_with("boot loader, length of an entry of 471"), "{told}");
    assert!(
        fine(&["inspect", &file], &sample)
            .contains("  loader            cannot be read: boot loader, length")
    );
}

#[test]
fn it_is_taken_out_edited_and_put_back() {
    let sample = Sample::new();
    let length = places(&sample).2;
    let file = with(&sample, "two.bin", &made(0x15, length), &made(0x16, length));
    fine(&["unpack", &file, "--out", "apart", "--no-root"], &sample);
    assert!(fs::read(sample.path("apart/loader")).unwrap() == made(0x15, length));
    assert!(fs::read(sample.path("apart/parts/MiniLoaderAll.bin")).unwrap() == made(0x16, length));
    assert_eq!(inspected("apart/loader", &sample, 0)["kind"], "loader");
    fine(&["pack", "apart", "--out", "again.bin"], &sample);
    assert!(fs::read(sample.path("again.bin")).unwrap() == fs::read(sample.path(&file)).unwrap());

    // A longer one moves the rom image, and all sums are those of the new bytes.
    fs::write(sample.path("apart/loader"), made(0x17, length + 1000)).unwrap();
    fine(&["pack", "apart", "--out", "longer.bin"], &sample);
    let report = inspected("longer.bin", &sample, 0);
    assert_eq!(report["rkfw"]["loader_size"], length + 1000);
    assert_eq!(report["rkfw"]["loader"]["content"]["version"], "1.17");
    let codes = |findings: &[octofw::verify::Finding]| -> Vec<String> {
        findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.code.clone())
            .collect()
    };
    let base = Image::open(&sample.path(&file)).unwrap();
    assert!(codes(&verify(&sample.path("longer.bin"), &VerifyOptions::default()).unwrap()).is_empty());
    let against = VerifyOptions { base: Some(&base), ..VerifyOptions::default() };
    assert_eq!(codes(&verify(&sample.path("longer.bin"), &against).unwrap()), ["protected-part-differs"]);
}
