//! The kernel as the judge: it mounts what was spliced and shows every inode. Needs root and a kernel with squashfs and
//! loop devices; elsewhere it says that it did not run, and the boot of a built image is what remains.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::model::{Change, Inode, Model, Place, Thing, bytes, empty, spliced};

/// A mounted image, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn of(image: &Path, at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mount =
            Command::new("mount").args(["-t", "squashfs", "-o", "loop,ro"]).arg(image).arg(&at).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => {
                println!("not mounted: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("not mounted: {error}");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

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
        changes.push(Change::Link {
            of: number.wrapping_mul(7),
            folder: number,
            name: format!("link{seed}-{number}"),
        });
    }
    changes
}

fn must_equal(model: &Model, root: &Path) {
    let mut inodes: BTreeMap<usize, u64> = BTreeMap::new();
    for (path, number) in &model.names {
        let place = root.join(std::ffi::OsStr::from_bytes(path));
        let found = fs::symlink_metadata(&place).unwrap();
        let inode = &model.inodes[*number];
        let shown = place.display();
        assert_eq!(found.mode() as u16 & 0o7777, inode.mode, "{shown}");
        assert_eq!((found.uid(), found.gid()), (inode.uid, inode.gid), "{shown}");
        assert_eq!(found.mtime(), i64::from(inode.modified), "{shown}");
        assert_eq!(*inodes.entry(*number).or_insert(found.ino()), found.ino(), "{shown}");
        if inode.thing != Thing::Folder {
            let names = model.names.values().filter(|other| *other == number).count();
            assert_eq!(found.nlink(), names as u64, "{shown}");
        }
        match &inode.thing {
            Thing::Folder => assert!(found.is_dir()),
            Thing::File(content) => assert!(fs::read(&place).unwrap() == *content, "{shown}"),
            Thing::Link(target) => assert_eq!(fs::read_link(&place).unwrap().as_os_str().as_bytes(), target),
            Thing::Character(number) | Thing::Block(number) => {
                let device = found.rdev();
                assert_eq!(nix::sys::stat::major(device), u64::from(number >> 8 & 0xfff), "{shown}");
                assert_eq!(nix::sys::stat::minor(device), u64::from(number & 0xff), "{shown}");
            }
            Thing::Fifo => assert_eq!(found.mode() & 0o170_000, 0o010_000),
            Thing::Socket => assert_eq!(found.mode() & 0o170_000, 0o140_000),
        }
    }
    let different: std::collections::BTreeSet<_> = inodes.values().collect();
    assert_eq!(different.len(), inodes.len());
    // Listing goes another way through the tables than looking up does.
    let mut listed = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            listed += 1;
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert_eq!(listed + 1, model.names.len());
}

#[test]
fn the_kernel_mounts_what_was_spliced() {
    let mut mounted = 0;
    for options in ["-comp gzip -b 4096", "-comp xz -b 8192", "-comp zstd -b 4096", "-comp lz4 -b 4096"] {
        let place = Place::new();
        let mut model = Model::new();
        let start = place.write("empty", &empty(options));
        spliced(&mut model, &changes(1), &start, &place.file("base"));
        spliced(&mut model, &changes(2), &place.file("base"), &place.file("made"));
        let Some(image) = Mounted::of(&place.file("made"), place.file("mounted")) else { continue };
        must_equal(&model, &image.0);
        mounted += 1;
    }
    println!("{mounted} of 4 were mounted");
}
