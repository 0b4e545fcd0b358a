//! Headers whose sums are right and whose content breaks one rule each: every one ends in an error of its own.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use octofw::container::Fault::{
    Count, Empty, InTable, Kind, Limit, Magic, Misaligned, Mismatch, Missing, OutOfBounds, Overlap, Sum,
    Text, Trailing, Truncated, Version,
};
use octofw::container::Layer::{PackageFile, Parameter, Rkaf, Rkfw, Squashfs, Upfile};
use octofw::container::rkcrc::rkcrc;
use octofw::container::{Fault, FormatError, Layer, substitution};
use octofw::image::{Image, ImageError};

use crate::samples::Sample;

/// The name of a case, what it changes, and the error: its layer, its fault, and how its field is called.
type Case<T> = (&'static str, fn(&mut T), Layer, Fault, &'static str);

/// The decoded header and table of an upgrade file, and the bytes behind them.
struct Outer {
    table: Vec<u8>,
    rest: Vec<u8>,
}

impl Outer {
    fn entry(&mut self, number: usize) -> &mut [u8] {
        &mut self.table[64 + number * 32..96 + number * 32]
    }

    fn at(&mut self, number: usize, offset: u64) {
        self.entry(number)[4..12].copy_from_slice(&offset.to_be_bytes());
    }

    /// The file, with the sums of header and entries as they must be.
    fn seal(mut self) -> Vec<u8> {
        let structures: [(Range<usize>, usize); 5] =
            [(0..64, 6), (64..96, 66), (96..128, 98), (128..160, 130), (160..192, 162)];
        for (structure, sum_at) in structures {
            self.table[sum_at..sum_at + 2].fill(0);
            let sum = self.table[structure].iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
            self.table[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        substitution::encode(&mut self.table);
        [self.table, self.rest].concat()
    }
}

fn error(sample: &Sample, name: &str, bytes: &[u8]) -> FormatError {
    let path = sample.path("forged");
    fs::write(&path, bytes).unwrap();
    match Image::open(&path) {
        Err(ImageError::Format { source, .. }) => source,
        other => panic!("{name}: {other:?}"),
    }
}

fn hold<T>(cases: &[Case<T>], mut forge: impl FnMut(&str, fn(&mut T)) -> FormatError) {
    let mut seen = BTreeSet::new();
    for (name, change, layer, fault, field) in cases {
        let error = forge(name, *change);
        assert_eq!((error.layer, error.fault), (*layer, *fault), "{name}: {error}");
        assert!(error.field.starts_with(field), "{name}: {error}");
        assert!(seen.insert((error.code(), error.field.clone())), "{name}: not its own: {error}");
    }
}

#[test]
fn a_forged_table_of_payloads_has_its_own_errors() {
    let cases: [Case<Outer>; 15] = [
        ("container version", |o| o.table[5] = 3, Upfile, Version, "container version"),
        ("no version text", |o| o.table[8..32].fill(0), Upfile, Text, "version"),
        ("letter in the date", |o| o.table[33] = b'x', Upfile, Text, "build date"),
        ("three entries", |o| o.table[47] = 3, Upfile, Count, "number of entries"),
        ("types swapped", |o| o.entry(1)[1] = 2, Upfile, Kind, "type of entry 1"),
        ("type beyond the known", |o| o.entry(3)[1] = 4, Upfile, Kind, "type of entry 3"),
        ("no bytes", |o| o.entry(2)[12..16].fill(0), Upfile, Empty, "size of entry 2"),
        ("offset into the header", |o| o.at(0, 0), Upfile, InTable, "offset of entry 0"),
        ("offset into the table", |o| o.at(3, 0xBF), Upfile, InTable, "offset of entry 3"),
        ("beyond the file", |o| o.at(1, 1 << 40), Upfile, Truncated, "range of entry 1"),
        ("beyond 64 bits", |o| o.at(2, u64::MAX), Upfile, OutOfBounds, "range of entry 2"),
        (
            "the largest offset that ends",
            |o| o.at(2, u64::MAX - 45_452),
            Upfile,
            Truncated,
            "range of entry 2",
        ),
        (
            "overlap",
            |o| {
                let before = o.entry(1)[4..12].to_vec();
                o.entry(2)[4..12].copy_from_slice(&before);
            },
            Upfile,
            Overlap,
            "range of entry 2",
        ),
        ("another payload", |o| o.entry(3)[20] ^= 1, Upfile, Sum, "MD5 of MCU_DESC"),
        ("update.img of another kind", |o| o.rest[..4].copy_from_slice(b"ABCD"), Rkfw, Magic, "magic"),
    ];
    let sample = Sample::new();
    let good = fs::read(&sample.base).unwrap();
    hold(&cases, |name, change| {
        let mut table = good[..192].to_vec();
        substitution::decode(&mut table);
        let mut outer = Outer { table, rest: good[192..].to_vec() };
        change(&mut outer);
        error(&sample, name, &outer.seal())
    });
}

/// A bare `update.img`; whoever changes it need not mend its MD5, since headers are read first.
#[test]
fn a_forged_update_image_has_its_own_errors() {
    fn word(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let cases: [Case<Vec<u8>>; 9] = [
        ("header length", |b| b[4] = 0x67, Rkfw, Limit, "header length"),
        ("loader elsewhere", |b| word(b, 25, 0x68), Rkfw, Mismatch, "loader offset"),
        ("no loader", |b| word(b, 29, 0), Rkfw, Empty, "loader length"),
        ("a loader without end", |b| word(b, 29, u32::MAX), Rkfw, Mismatch, "image offset"),
        ("no image", |b| word(b, 37, 0), Rkfw, Empty, "image length"),
        ("an image without end", |b| word(b, 37, u32::MAX), Rkfw, Truncated, "image length"),
        ("more behind it", |b| b.push(b'0'), Rkfw, Trailing, "image length"),
        ("MD5 in capitals", |b| upper_case_md5(b), Rkfw, Text, "MD5 trailer"),
        ("another MD5", |b| other_md5(b), Rkfw, Sum, "MD5 trailer"),
    ];
    let sample = Sample::new();
    let update = layer(&sample, "update.img");
    hold(&cases, |name, change| {
        let mut bytes = update.clone();
        change(&mut bytes);
        error(&sample, name, &bytes)
    });
}

fn upper_case_md5(bytes: &mut [u8]) {
    let at = bytes.len() - 32;
    // Whether the sum has a letter depends on the sample.
    bytes[at] = b'A';
    bytes[at..].make_ascii_uppercase();
}

fn other_md5(bytes: &mut [u8]) {
    let at = bytes.len() - 32;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
}

/// A rom image with its CRC mended.
struct Rom {
    bytes: Vec<u8>,
    list: usize,
    parameter: usize,
    root: usize,
    /// Added to the CRC.
    off: u32,
}

impl Rom {
    /// A field of the part of this number.
    fn part(&mut self, number: usize, field: usize, value: u32) {
        let at = 140 + number * 112 + field;
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn name(&mut self, number: usize, field: usize, name: &str) {
        let at = 140 + number * 112 + field;
        self.bytes[at..at + name.len() + 1].copy_from_slice(format!("{name}\0").as_bytes());
    }

    fn parameter(&mut self, text: &str) {
        let at = self.parameter;
        self.bytes[at..at + 2048].fill(0);
        let len = text.len() as u32;
        let stored =
            [b"PARM", &len.to_le_bytes()[..], text.as_bytes(), &rkcrc(text.as_bytes()).to_le_bytes()];
        let stored = stored.concat();
        self.bytes[at..at + stored.len()].copy_from_slice(&stored);
    }

    fn root(&mut self, at: usize, bytes: &[u8]) {
        let at = self.root + at;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn seal(mut self) -> Vec<u8> {
        let end = self.bytes.len() - 4;
        let crc = rkcrc(&self.bytes[..end]).wrapping_add(self.off);
        self.bytes[end..].copy_from_slice(&crc.to_le_bytes());
        self.bytes
    }
}

#[test]
fn a_forged_rom_image_has_its_own_errors() {
    // Parts of the stand-in: 0 package-file, 3 uboot_a, 4 uboot_b, 5 misc, 8 system_a, 10 oem.
    let cases: [Case<Rom>; 33] = [
        ("CRC off by one", |r| r.off = 1, Rkaf, Sum, "CRC"),
        ("no parts", |r| r.bytes[136..140].fill(0), Rkaf, Count, "number of parts"),
        ("shorter than its header", |r| r.bytes[4..8].fill(0), Rkaf, Empty, "length"),
        ("longer than it is", |r| r.bytes[7] = 0xff, Rkaf, Truncated, "length"),
        ("shorter than it is", |r| r.bytes[4..8].copy_from_slice(&[0, 16, 0, 0]), Rkaf, Trailing, "length"),
        ("a name that leads out", |r| r.name(5, 0, "../misc"), Rkaf, Text, "name of part 5"),
        ("a file that leads out", |r| r.name(5, 32, "../misc"), Rkaf, Text, "file name of part 5"),
        ("a hidden file", |r| r.name(10, 32, ".oem"), Rkaf, Text, "file name of part 10"),
        ("a name twice", |r| r.name(4, 0, "uboot_a"), Rkaf, Mismatch, "name of part 4"),
        ("into the header", |r| r.part(5, 96, 0), Rkaf, InTable, "position of part 5"),
        ("between blocks", |r| r.part(5, 96, 4097), Rkaf, Misaligned, "position of part 5"),
        ("blocks", |r| r.part(5, 104, 25), Rkaf, Mismatch, "blocks of part 5"),
        ("beyond the image", |r| r.part(5, 96, 0xFFFF_F800), Rkaf, OutOfBounds, "range of part 5"),
        ("overlap", |r| r.part(5, 96, 4096), Rkaf, Overlap, "data of part 5"),
        ("slots of other data", |r| other_data(r), Rkaf, Mismatch, "data of part 4"),
        ("no root", |r| both(r, "other.img"), Rkaf, Missing, "part table"),
        (
            "one word in a line",
            |r| r.bytes[r.list..][..8].copy_from_slice(b"lonely\n#"),
            PackageFile,
            Text,
            "line 1",
        ),
        ("a list that is no text", |r| r.bytes[r.list] = 0xff, PackageFile, Text, "content"),
        ("no wrapper", |r| r.bytes[r.parameter] = b'X', Parameter, Magic, "magic"),
        ("a text too long", |r| r.bytes[r.parameter + 5] = 0xff, Parameter, Limit, "text length"),
        ("another text", |r| r.bytes[r.parameter + 9] ^= 1, Parameter, Sum, "CRC"),
        ("no partitions", |r| r.parameter("CMDLINE: quiet\n"), Parameter, Missing, "partition table"),
        (
            "shared sectors",
            |r| r.parameter("CMDLINE: mtdparts=:2@2(a),1@3(b)"),
            Parameter,
            Overlap,
            "partition",
        ),
        ("no number", |r| r.parameter("CMDLINE: mtdparts=:x@2(a)"), Parameter, Text, "partition"),
        (
            "a partition twice",
            |r| r.parameter("CMDLINE: mtdparts=:1@2(a),1@3(a)"),
            Parameter,
            Mismatch,
            "partition",
        ),
        ("no squashfs", |r| r.root(0, b"sqsh"), Squashfs, Magic, "magic"),
        ("squashfs 3", |r| r.root(28, &[3]), Squashfs, Version, "version"),
        ("compressor", |r| r.root(20, &[7]), Squashfs, Kind, "compressor"),
        ("block size", |r| r.root(22, &[16]), Squashfs, Limit, "block size"),
        ("no inodes", |r| r.root(4, &[0; 4]), Squashfs, Empty, "inode count"),
        ("no ids", |r| r.root(26, &[0; 2]), Squashfs, Empty, "id count"),
        ("bytes used", |r| r.root(40, &[0xff; 8]), Squashfs, Truncated, "bytes used"),
        ("table of inodes", |r| r.root(64, &[0xfe; 8]), Squashfs, OutOfBounds, "inode table"),
    ];
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    let start = image.rkaf_span().offset;
    let place = |file: &str| (image.span_of(file).unwrap().offset - start) as usize;
    let whole = fs::read(&sample.base).unwrap();
    let rom = whole[start as usize..image.rkaf_span().end() as usize].to_vec();
    hold(&cases, |name, change| {
        let mut rom = Rom {
            bytes: rom.clone(),
            list: place("package-file"),
            parameter: place("parameter.txt"),
            root: place("rootfs.img"),
            off: 0,
        };
        change(&mut rom);
        error(&sample, name, &rom.seal())
    });
}

/// A second slot that has less data than the first.
fn other_data(rom: &mut Rom) {
    rom.part(4, 104, 1);
    rom.part(4, 108, 2048);
}

/// Another file in both slots of the root.
fn both(rom: &mut Rom, file: &str) {
    rom.name(8, 32, file);
    rom.name(9, 32, file);
}

fn layer(sample: &Sample, name: &str) -> Vec<u8> {
    let at = Image::open(&sample.base).unwrap().span_of(name).unwrap();
    fs::read(&sample.base).unwrap()[at.offset as usize..at.end() as usize].to_vec()
}
