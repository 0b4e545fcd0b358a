//! The root of the stand-in printer: packed from the recipe, read back with squashfs-tools.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::debian::{Archive, Deb};
use octofw::standin::assemble::{Content, Entries};
use octofw::standin::{BUSYBOX_PACKAGE, Compressor, Generation, RootOptions, Size, write_root};

fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

fn busybox() -> Deb {
    Archive::open(&repository().join(".cache/octofw")).unwrap().fetch(BUSYBOX_PACKAGE, None).unwrap()
}

fn make(directory: &Path, options: &RootOptions) -> (PathBuf, Entries) {
    let out = directory.join("root.squashfs");
    let entries = write_root(&repository().join("rootfs"), &busybox(), options, &out).unwrap();
    (out, entries)
}

/// A line of `unsquashfs -lln`: kind and permissions, owner, size or device numbers, link target.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    mode: String,
    owner: String,
    what: String,
}

fn list(image: &Path) -> BTreeMap<String, Listed> {
    let output = Command::new("unsquashfs").args(["-lln", "-d", ""]).arg(image).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (mode, rest) = line.split_once(' ').unwrap();
        let (owner, rest) = rest.trim_start().split_once(' ').unwrap();
        // Device numbers are printed as `major, minor`, everything else has a size; then a date and a time.
        let (what, rest) = rest.trim_start().split_once(" 20").unwrap();
        let path = rest.split_once(' ').unwrap().1.split_once(' ').unwrap().1;
        let (path, target) = path.split_once(" -> ").unwrap_or((path, ""));
        let path = if path.is_empty() { "/" } else { path };
        let what = match mode.as_bytes()[0] {
            b'd' | b'p' => String::new(),
            b'l' => target.to_owned(),
            _ => what.replace(", ", " ").split_whitespace().collect::<Vec<_>>().join(" "),
        };
        listed.insert(path.to_owned(), Listed { mode: mode.to_owned(), owner: owner.to_owned(), what });
    }
    listed
}

/// `ls`'s text of permission bits.
fn permissions(kind: char, mode: u32) -> String {
    let mut text = String::from(kind);
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn expected(entries: &Entries) -> BTreeMap<String, Listed> {
    let describe = |content: &Content| match content {
        Content::Directory => ('d', String::new()),
        Content::File(bytes) => ('-', bytes.len().to_string()),
        Content::Link(target) => ('l', target.clone()),
        Content::Hard(target) => match &entries[target].content {
            Content::File(bytes) => ('-', bytes.len().to_string()),
            other => unreachable!("{target} is {other:?}"),
        },
        Content::CharDevice(major, minor) => ('c', format!("{major} {minor}")),
        Content::BlockDevice(major, minor) => ('b', format!("{major} {minor}")),
        Content::Fifo => ('p', String::new()),
    };
    let entry = |(path, entry): (&String, &octofw::standin::assemble::Entry)| {
        let (kind, what) = describe(&entry.content);
        let mode = permissions(kind, entry.owner.mode);
        (path.clone(), Listed { mode, owner: format!("{}/{}", entry.owner.uid, entry.owner.gid), what })
    };
    entries.iter().map(entry).collect()
}

#[test]
fn the_image_is_what_the_table_says() {
    let directory = tempfile::tempdir().unwrap();
    for generation in [Generation::V1_1, Generation::V1_0] {
        let (image, entries) = make(directory.path(), &RootOptions { generation, ..RootOptions::default() });
        let (listed, expected) = (list(&image), expected(&entries));
        for (path, entry) in &expected {
            assert_eq!(listed.get(path), Some(entry), "{path}");
        }
        assert_eq!(listed.len(), expected.len(), "nothing that the table does not name");
        let hard = entries.values().filter(|entry| matches!(entry.content, Content::Hard(_))).count();
        assert!(hard > 200, "hundreds of hard links, as on the printer: {hard}");
    }
}

#[test]
fn hard_links_share_an_inode_and_contents_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let (image, entries) = make(directory.path(), &RootOptions::default());
    let pseudo = directory.path().join("pseudo");
    assert!(
        Command::new("unsquashfs").arg("-pf").arg(&pseudo).arg(&image).output().unwrap().status.success()
    );
    let bytes = fs::read(pseudo).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let links =
        text.lines().take_while(|line| *line != "#").filter(|line| line.split(' ').nth(1) == Some("L"));
    let hard = entries.values().filter(|entry| matches!(entry.content, Content::Hard(_))).count();
    assert_eq!(links.count(), hard);

    for path in ["/etc/init.d/rcS", "/usr/share/standin/large", "/usr/share/standin/large-linked"] {
        let output = Command::new("unsquashfs").arg("-cat").arg(&image).arg(&path[1..]).output().unwrap();
        let content = match &entries[path].content {
            Content::Hard(target) => &entries[target].content,
            other => other,
        };
        assert_eq!(&Content::File(output.stdout), content, "{path}");
    }
}

#[test]
fn compressor_and_block_size_are_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    // Numbers of the compressors in the superblock, at offset 20 (Documentation/filesystems/squashfs.rst).
    for (compressor, id, block_size) in [(Compressor::Gzip, 1, 128 << 10), (Compressor::Xz, 4, 1 << 20)] {
        let (image, _) =
            make(directory.path(), &RootOptions { compressor, block_size, ..RootOptions::default() });
        let bytes = fs::read(image).unwrap();
        assert_eq!(&bytes[..4], b"hsqs");
        assert_eq!((number(&bytes, 12), number(&bytes, 20) & 0xffff), (block_size, id));
        assert_eq!(bytes.len() % 4096, 0, "padded as the stock image is");
        assert!(bytes.len() < 2 << 20, "mini stays small: {}", bytes.len());
    }
}

#[test]
fn the_padded_one_is_larger_by_its_padding() {
    let directory = tempfile::tempdir().unwrap();
    let (image, _) = make(directory.path(), &RootOptions { size: Size::Padded, ..RootOptions::default() });
    assert!(fs::metadata(image).unwrap().len() > 16 << 20);
}

#[test]
fn an_unsound_recipe_leaves_no_image() {
    let directory = tempfile::tempdir().unwrap();
    let recipe = directory.path().join("recipe");
    fs::create_dir_all(recipe.join("tree")).unwrap();
    fs::write(recipe.join("table"), "dir / 0755 0 0\nfile /gone 0644 0 0\n").unwrap();
    let out = directory.path().join("out");
    let error = write_root(&recipe, &busybox(), &RootOptions::default(), &out).unwrap_err().to_string();
    assert!(error.contains("tree/gone"), "{error}");
    assert!(!out.exists());
}
