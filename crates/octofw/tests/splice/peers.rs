//! The tools of squashfs as a second opinion: they read what is spliced, and what they pack is spliced.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use octofw::squashfs::Filesystem;
use proptest::prelude::*;

use crate::model::{Inode, MADE, Model, Place, Thing, changes, empty, run, spliced};

const OPTIONS: [&str; 7] = [
    "-comp gzip -b 131072",
    "-comp gzip -b 4096 -always-use-fragments",
    "-comp xz -b 65536 -no-exports",
    "-comp zstd -b 4096",
    "-comp lz4 -b 4096 -Xhc",
    "-comp gzip -b 4096 -noI -noD -noF -noId -no-fragments",
    "-comp xz -b 8192 -Xbcj arm -Xdict-size 8192",
];

/// The pseudo-file of an image: all of it, without needing any privilege.
fn dumped(image: &Path, place: &Place) -> Vec<u8> {
    let file = place.file("dump");
    let _ = fs::remove_file(&file);
    run(Command::new("unsquashfs").args(["-quiet", "-no-progress", "-pf"]).arg(&file).arg(image));
    fs::read(file).unwrap()
}

/// What a pseudo-file says, as a model. Its form is that of squashfs-tools 4.5.
fn parsed(dump: &[u8]) -> Model {
    let mark = b"#\n# START OF DATA - DO NOT MODIFY\n#\n";
    let split = dump.windows(mark.len()).position(|window| window == mark).unwrap();
    let data = &dump[split + mark.len()..];
    let mut model = Model::new();
    let mut later = Vec::new();
    for line in dump[..split].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let (path, rest) = path_of(line);
        let text = String::from_utf8_lossy(rest).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        if words[0] == "L" {
            later.push((path, path_of(rest.strip_prefix(b"L ").unwrap()).0));
            continue;
        }
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        let device = || {
            let (major, minor) = (number(5) as u32, number(6) as u32);
            (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
        };
        let thing = match words[0] {
            "D" => Thing::Folder,
            "R" => {
                let (size, at) = (number(5) as usize, number(6) as usize);
                Thing::File(data[at..at + size].to_vec())
            }
            "S" => Thing::Link(words[5..].join(" ").into_bytes()),
            "C" => Thing::Character(device()),
            "B" => Thing::Block(device()),
            "I" if words[5] == "f" => Thing::Fifo,
            "I" => Thing::Socket,
            other => panic!("{other} in {text}"),
        };
        let inode = Inode {
            mode: u16::from_str_radix(words[2], 8).unwrap() & 0o7777,
            uid: number(3) as u32,
            gid: number(4) as u32,
            modified: number(1) as u32,
            thing,
        };
        model.names.insert(path, model.inodes.len());
        model.inodes.push(inode);
    }
    for (path, of) in later {
        let inode = model.names[&of];
        model.names.insert(path, inode);
    }
    model
}

/// The path at the start of a line, where the root is a slash; a backslash stands before an odd byte.
fn path_of(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut path = Vec::new();
    let mut at = 0;
    while at < line.len() && line[at] != b' ' {
        if line[at] == b'\\' {
            at += 1;
        }
        path.push(line[at]);
        at += 1;
    }
    let path = if path == b"/" { Vec::new() } else { path };
    (path, &line[(at + 1).min(line.len())..])
}

/// Compares two models by names, links and inodes.
fn must_agree(one: &Model, other: &Model) {
    let groups = |model: &Model| {
        let mut first: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let mut list = Vec::new();
        for (path, inode) in &model.names {
            let leader = first.entry(*inode).or_insert_with(|| path.clone()).clone();
            list.push((path.clone(), leader, model.inodes[*inode].clone()));
        }
        list
    };
    for (a, b) in groups(one).iter().zip(&groups(other)) {
        assert!(a == b, "{} and {} differ", a.0.escape_ascii(), b.0.escape_ascii());
    }
    assert_eq!(one.names.len(), other.names.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn unsquashfs_reads_what_was_spliced_onto_a_base_of_mksquashfs(
        options in 0usize..7,
        first in changes(30),
        second in changes(12),
    ) {
        let place = Place::new();
        let mut model = Model::new();
        let start = place.write("empty", &empty("-comp gzip -b 4096"));
        spliced(&mut model, &first, &start, &place.file("first"));
        let dump = dumped(&place.file("first"), &place);
        must_agree(&parsed(&dump), &model);

        // mksquashfs packs what unsquashfs read.
        let words = OPTIONS[options].split(' ');
        run(Command::new("mksquashfs")
            .args(["-", "base", "-pf", "dump", "-no-progress", "-quiet", "-no-xattrs"])
            .args(words)
            .current_dir(place.file("dump").parent().unwrap())
            .stdin(std::process::Stdio::null()));
        let base = Filesystem::open(&place.file("base")).unwrap();
        model.must_equal(&base);
        prop_assert_eq!(base.dead_bytes(&base.tree().unwrap()), 0);

        let made = spliced(&mut model, &second, &place.file("base"), &place.file("made"));
        model.must_equal(&made);
        must_agree(&parsed(&dumped(&place.file("made"), &place)), &model);
        prop_assert_eq!(made.superblock().mkfs_time, MADE);
    }
}
