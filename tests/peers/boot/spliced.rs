//! The kernel as the judge of what the splicer writes, with each compressor, every kind of inode and a directory with an
//! index: it mounts it, and shows what was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::inodes::{
    BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, Facts, Inodes, LINK, SOCKET, from_here,
    must_print_the_same,
};
use crate::splice_model::{Change, Inode, Model, Place, Thing, bytes, empty, spliced};
use crate::support::printer::{Printer, untouched};

const OPTIONS: [&str; 4] =
    ["-comp gzip -b 4096", "-comp xz -b 8192", "-comp zstd -b 4096", "-comp lz4 -b 4096"];
/// Every file's content by each of its names.
const READ: &str = "find . -type f -exec sha256sum {} +";

fn make(folder: u8, name: String, thing: Thing) -> Change {
    let inode = Inode { mode: 0o4755, uid: 1000, gid: 33, modified: 1_600_000_000, thing };
    Change::Make { folder, name, inode }
}

fn changes(seed: u32) -> Vec<Change> {
    let mut changes = Vec::new();
    for number in 0..12u32 {
        changes.push(make(number as u8, format!("folder{seed}-{number}"), Thing::Folder));
    }
    for number in 0..600u32 {
        let thing = match number % 25 {
            0 => Thing::Link(format!("target/{number}").into_bytes()),
            1 => Thing::Character(0x501),
            2 => Thing::Block(0xb300),
            3 => Thing::Fifo,
            4 => Thing::Socket,
            5 => Thing::File(bytes(number as usize * 60, 0, number)),
            kind => Thing::File(bytes(number as usize % 9000, 1 + (kind % 2) as u8, seed ^ number)),
        };
        // Most go into one directory, so that it has an index.
        let folder = if number % 10 == 0 { (number / 10) as u8 } else { 0 };
        changes.push(make(folder, format!("entry-of-{seed}-with-a-long-name-{number:04}"), thing));
    }
    for number in 0..40u8 {
        let name = format!("link{seed}-{number}");
        changes.push(Change::Link { of: number.wrapping_mul(7), folder: number, name });
    }
    changes
}

/// What the kernel must show of a model.
fn meant(model: &Model) -> Inodes {
    let mut names: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (path, number) in &model.names {
        names.entry(*number).or_default().insert(from_here(path));
    }
    let mut meant = Inodes::default();
    for (number, names) in names {
        let Inode { mode, uid, gid, modified, thing } = &model.inodes[number];
        let (kind, device, size) = match thing {
            Thing::Folder => (DIRECTORY, 0, 0),
            Thing::File(content) => (FILE, 0, content.len()),
            Thing::Link(target) => (LINK, 0, target.len()),
            Thing::Character(number) => (CHARACTER_DEVICE, *number, 0),
            Thing::Block(number) => (BLOCK_DEVICE, *number, 0),
            Thing::Fifo => (FIFO, 0, 0),
            Thing::Socket => (SOCKET, 0, 0),
        };
        if let Thing::Link(target) = thing {
            let target = std::str::from_utf8(target).unwrap();
            meant.targets.extend(names.iter().map(|name| format!("{name} {target}")));
        }
        meant.all.insert(Facts {
            mode: kind | u32::from(*mode),
            uid: *uid,
            gid: *gid,
            modified: *modified,
            device: (device >> 8, device & 0xff),
            size: size as u64,
            names,
        });
    }
    meant
}

/// Writes the files of a model into a folder.
fn lay_out(model: &Model, folder: &Path) {
    for (path, number) in &model.names {
        if let Thing::File(content) = &model.inodes[*number].thing {
            let place = folder.join(OsStr::from_bytes(path));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, content).unwrap();
        }
    }
}

#[test]
fn the_kernel_mounts_what_was_spliced() {
    let place = Place::new();
    let made = OPTIONS.map(|options| {
        let name = options.replace(' ', "");
        let mut model = Model::new();
        let start = place.write(&format!("empty{name}"), &empty(options));
        let (base, made) = (place.file(&format!("base{name}")), place.file(&format!("made{name}")));
        spliced(&mut model, &changes(1), &start, &base);
        spliced(&mut model, &changes(2), &base, &made);
        (model, made)
    });
    let mut printer = Printer::new(&untouched());
    printer.disks(made.iter().map(|(_, image)| image.clone()).collect());
    let mut booted = printer.boot();
    for ((model, _), (disk, options)) in
        made.iter().zip(["vdc", "vdd", "vde", "vdf"].into_iter().zip(OPTIONS))
    {
        println!("{options} as /dev/{disk}");
        let folder = format!("/tmp/{disk}");
        booted.done(&format!("mkdir {folder} && mount -t squashfs -o ro /dev/{disk} {folder}"));
        let meant = meant(model);
        assert!(meant.all.len() > 1000, "{} inodes", meant.all.len());
        Inodes::shown(&mut booted, &folder).must_be(&meant);
        let files = place.file(disk);
        lay_out(model, &files);
        assert!(must_print_the_same(&mut booted, READ, &folder, &files) > 900);
    }
    booted.power_off();
}
