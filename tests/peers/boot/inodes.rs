//! The kernel as the judge of the image's root: it mounts what was spliced and shows every inode as it is meant, and every
//! content as unsquashfs takes it out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::boot::root::take_out;
use octofw::squashfs::Filesystem;
use octofw::squashfs::tree::Form;

use crate::support::printer::Booted;

/// Where the plain root stays when the writable layer is mounted.
const ROOT: &str = "/rom";
/// Each inode as the guest tells it: kind and mode, owner, time, names, device, length, path. The list of names goes
/// another way through the tables than the look at each of them does.
const SHOW: &str = "find . -xdev -exec stat -c '%i %f %u %g %Y %h %t:%T %s %n' {} +";
/// The content of whatever has one name; of the hundreds of names of one program, one will do.
const READ: &str = "find . -xdev -type f -links 1 -exec sha256sum {} + ; sha256sum ./bin/busybox";
const TARGETS: &str =
    "find . -xdev -type l | while read -r link; do echo \"$link $(readlink \"$link\")\"; done";

/// Kinds as in stat(2).
pub(super) const DIRECTORY: u32 = 0o040_000;
pub(super) const FILE: u32 = 0o100_000;
pub(super) const LINK: u32 = 0o120_000;
pub(super) const CHARACTER_DEVICE: u32 = 0o020_000;
pub(super) const BLOCK_DEVICE: u32 = 0o060_000;
pub(super) const FIFO: u32 = 0o010_000;
pub(super) const SOCKET: u32 = 0o140_000;

/// What there is to know of an inode, as the guest tells it. Neither the length nor the number of links of a directory
/// is in its tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Facts {
    /// Kind and permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified: u32,
    /// Major and minor number.
    pub(super) device: (u32, u32),
    pub(super) size: u64,
    pub(super) names: BTreeSet<String>,
}

/// Every inode of a file system, and where each link points.
#[derive(Debug, Default)]
pub(super) struct Inodes {
    pub(super) all: BTreeSet<Facts>,
    pub(super) targets: BTreeSet<String>,
}

impl Inodes {
    /// Those that the guest's kernel shows in a folder where a file system is mounted.
    pub(super) fn shown(booted: &mut Booted, folder: &str) -> Self {
        let mut told: BTreeMap<String, (String, Facts)> = BTreeMap::new();
        for line in lines(&booted.done(&format!("cd {folder} && {SHOW}"))) {
            let fields: Vec<&str> = line.splitn(9, ' ').collect();
            let [inode, mode, uid, gid, time, links, device, size, path] = fields[..] else {
                panic!("{line}")
            };
            let number = |text: &str| text.parse().unwrap();
            let hex = |text: &str| u32::from_str_radix(text, 16).unwrap();
            let mode = hex(mode);
            let (major, minor) = device.split_once(':').unwrap();
            let facts = Facts {
                mode,
                uid: number(uid),
                gid: number(gid),
                modified: number(time),
                device: (hex(major), hex(minor)),
                size: if mode & KIND == DIRECTORY { 0 } else { size.parse().unwrap() },
                names: BTreeSet::new(),
            };
            let known = told.entry(inode.to_owned()).or_insert_with(|| (links.to_owned(), facts.clone()));
            assert_eq!(
                (&known.0[..], Facts { names: BTreeSet::new(), ..known.1.clone() }),
                (links, facts),
                "two looks at inode {inode}"
            );
            known.1.names.insert(path.to_owned());
        }
        for (links, facts) in told.values().filter(|(_, facts)| facts.mode & KIND != DIRECTORY) {
            assert_eq!(*links, facts.names.len().to_string(), "{facts:?}");
        }
        let targets = lines(&booted.done(&format!("cd {folder} && {TARGETS}")));
        Self { all: told.into_values().map(|(_, facts)| facts).collect(), targets }
    }

    /// Compares with what is meant.
    pub(super) fn must_be(&self, meant: &Self) {
        let (one, other) = (&self.all - &meant.all, &meant.all - &self.all);
        assert!(one.is_empty() && other.is_empty(), "only the guest: {one:?}\nonly meant: {other:?}");
        assert_eq!(self.targets, meant.targets);
    }
}

const KIND: u32 = 0o170_000;

/// A path as `find` names it from where it begins.
pub(super) fn from_here(path: &[u8]) -> String {
    match std::str::from_utf8(path).unwrap() {
        "" => ".".to_owned(),
        below => format!("./{below}"),
    }
}

/// Holds what a command prints in a folder of the guest against what it prints here.
pub(super) fn must_print_the_same(booted: &mut Booted, command: &str, there: &str, here: &Path) -> usize {
    let output = Command::new("sh").args(["-c", command]).current_dir(here).output().unwrap();
    let here = lines(&String::from_utf8(output.stdout).unwrap());
    let there = lines(&booted.done(&format!("cd {there}; {command}")));
    assert!(here == there, "only here: {:?}\nonly there: {:?}", &here - &there, &there - &here);
    here.len()
}

fn image() -> PathBuf {
    let named = std::env::var_os("FIRMWARE_UNDER_TEST").filter(|path| !path.is_empty());
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/firmware.bin"), PathBuf::from)
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Holds the root of a booted image against its tables, and its files against what another reader finds.
pub(super) fn all_are_there(booted: &mut Booted) {
    let folder = tempfile::tempdir().unwrap();
    let root = take_out(&image(), &folder.path().join("root.squashfs")).unwrap();
    let tree = Filesystem::open(&root).unwrap().tree().unwrap();

    let mut names = BTreeMap::new();
    for (path, id) in tree.paths() {
        names.entry(id).or_insert_with(BTreeSet::new).insert(from_here(&path));
    }
    let mut meant = Inodes::default();
    for (id, names) in names {
        let node = tree.node(id).unwrap();
        // Device numbers as the kernel packs them.
        let (kind, device, size) = match &node.form {
            Form::Directory(_) => (DIRECTORY, 0, 0),
            Form::File(stored) => (FILE, 0, stored.size),
            Form::Link(target) => (LINK, 0, target.len() as u64),
            Form::CharacterDevice(device) => (CHARACTER_DEVICE, *device, 0),
            Form::BlockDevice(device) => (BLOCK_DEVICE, *device, 0),
            Form::Fifo => (FIFO, 0, 0),
            Form::Socket => (SOCKET, 0, 0),
        };
        if let Form::Link(target) = &node.form {
            let target = std::str::from_utf8(target).unwrap();
            meant.targets.extend(names.iter().map(|name| format!("{name} {target}")));
        }
        meant.all.insert(Facts {
            mode: kind | u32::from(node.mode),
            uid: node.uid,
            gid: node.gid,
            modified: node.modified,
            device: (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff),
            size,
            names,
        });
    }
    Inodes::shown(booted, ROOT).must_be(&meant);
    assert!(meant.all.len() > 100, "{} inodes", meant.all.len());
    assert!(meant.all.iter().any(|facts| facts.names.len() > 100), "a file with hundreds of names");

    let unpacked = folder.path().join("unpacked");
    // Without root it cannot make devices, and says so; it is asked for contents.
    let mut unsquashfs = Command::new("unsquashfs");
    unsquashfs.args(["-q", "-no-progress", "-no-xattrs", "-d"]).arg(&unpacked).arg(&root);
    let _ = unsquashfs.output().unwrap();
    let files = must_print_the_same(booted, READ, ROOT, &unpacked);
    assert!(files > 50, "{files} files");
}
