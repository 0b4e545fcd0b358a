//! The kernel as the judge of the image's root: it mounts what was spliced and shows every inode as it is meant, and every
//! content as unsquashfs takes it out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::boot::root::take_out;
use octofw::squashfs::Filesystem;
use octofw::squashfs::tree::Form;

use crate::support::printer::Booted;

/// Each inode as the guest tells it: kind and mode, owner, time, names, device, length, path. Where the writable layer is
/// mounted, the plain root stays at `/rom`.
const SHOW: &str = "cd /rom && find . -xdev -exec stat -c '%i %f %u %g %Y %h %t:%T %s %n' {} +";
/// The content of whatever has one name; of the hundreds of names of one program, one will do.
const READ: &str = "find . -xdev -type f -links 1 -exec sha256sum {} + ; sha256sum ./bin/busybox";
const TARGETS: &str =
    "cd /rom && find . -xdev -type l | while read -r link; do echo \"$link $(readlink \"$link\")\"; done";

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
        let below = String::from_utf8(path).unwrap();
        let path = if below.is_empty() { ".".to_owned() } else { format!("./{below}") };
        names.entry(id).or_insert_with(BTreeSet::new).insert(path);
    }
    let (mut meant, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for (id, names) in &names {
        let node = tree.node(*id).unwrap();
        // Kinds as in stat(2), device numbers as the kernel packs them; no size where the kernel has one of its own.
        let (kind, device, size) = match &node.form {
            Form::Directory(_) => (0o040_000, 0, None),
            Form::File(stored) => (0o100_000, 0, Some(stored.size)),
            Form::Link(target) => (0o120_000, 0, Some(target.len() as u64)),
            Form::CharacterDevice(device) => (0o020_000, *device, Some(0)),
            Form::BlockDevice(device) => (0o060_000, *device, Some(0)),
            Form::Fifo => (0o010_000, 0, Some(0)),
            Form::Socket => (0o140_000, 0, Some(0)),
        };
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff);
        let links = if kind == 0o040_000 { 0 } else { names.len() };
        let mode = kind | u32::from(node.mode);
        let (uid, gid, modified) = (node.uid, node.gid, node.modified);
        let size = size.unwrap_or_default();
        meant.insert((
            format!("{mode:x} {uid} {gid} {modified} {links} {major:x}:{minor:x} {size}"),
            names.clone(),
        ));
        if let Form::Link(target) = &node.form {
            let target = std::str::from_utf8(target).unwrap();
            targets.extend(names.iter().map(|name| format!("{name} {target}")));
        }
    }

    let mut told: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for line in lines(&booted.done(SHOW)) {
        let fields: Vec<&str> = line.splitn(9, ' ').collect();
        let [inode, mode, uid, gid, time, links, device, size, path] = fields[..] else { panic!("{line}") };
        let is_folder = mode.starts_with('4') && mode.len() == 4;
        let (links, size) = if is_folder { ("0", "0") } else { (links, size) };
        let facts = format!("{mode} {uid} {gid} {time} {links} {device} {size}");
        let known = told.entry(inode.to_owned()).or_insert_with(|| (facts.clone(), BTreeSet::new()));
        assert_eq!(known.0, facts, "two looks at inode {inode}");
        known.1.insert(path.to_owned());
    }
    let told: BTreeSet<_> = told.into_values().collect();
    assert!(told == meant, "only the guest: {:?}\nonly meant: {:?}", &told - &meant, &meant - &told);
    assert!(meant.len() > 100, "{} inodes", meant.len());
    assert!(meant.iter().any(|(_, names)| names.len() > 100), "a file with hundreds of names");
    assert_eq!(lines(&booted.done(TARGETS)), targets);

    let unpacked = folder.path().join("unpacked");
    // Without root it cannot make devices, and says so; it is asked for contents.
    let mut unsquashfs = Command::new("unsquashfs");
    unsquashfs.args(["-q", "-no-progress", "-no-xattrs", "-d"]).arg(&unpacked).arg(&root);
    let _ = unsquashfs.output().unwrap();
    let here = Command::new("sh").args(["-c", READ]).current_dir(&unpacked).output().unwrap();
    let here = lines(&String::from_utf8(here.stdout).unwrap());
    let there = lines(&booted.done(&format!("cd /rom; {READ}")));
    assert!(here == there, "only here: {:?}\nonly there: {:?}", &here - &there, &there - &here);
    assert!(here.len() > 50, "{} files", here.len());
}
