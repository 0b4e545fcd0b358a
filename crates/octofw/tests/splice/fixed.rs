//! Cases that chance would hardly find.

use std::fs;
use std::io::Cursor;
use std::process::Command;

use octofw::squashfs::Filesystem;
use octofw::squashfs::splice::Splice;
use octofw::squashfs::tree::{Form, Node};

use crate::model::{MADE, Place, bytes, empty, read, run};

fn plain(form: Form) -> Node {
    Node { mode: 0o644, uid: 0, gid: 0, modified: 1_700_000_000, xattrs: None, form }
}

/// A directory of many blocks has an index, by which the kernel finds its way; unsquashfs reads every entry.
#[test]
fn large_directories_are_read_by_other_tools() {
    let place = Place::new();
    let base = Filesystem::open(&place.write("empty", &empty("-comp gzip -b 4096"))).unwrap();
    let mut tree = base.tree().unwrap();
    tree.make_directory(b"large", plain(Form::Directory(Default::default()))).unwrap();
    let mut splice = Splice::begin(&base, &place.file("made")).unwrap();
    let shared = splice.store_from(&mut Cursor::new(b"x")).unwrap();
    for number in 0..5000 {
        let path = format!("large/entry-with-a-name-of-some-length-{number:05}");
        tree.make(path.as_bytes(), plain(Form::File(shared.clone()))).unwrap();
    }
    splice.finish(&tree, MADE).unwrap();
    let made = Filesystem::open(&place.file("made")).unwrap();
    assert_eq!(made.tree().unwrap().figures().names, 5002);
    let listed = run(Command::new("unsquashfs").arg("-lln").arg(place.file("made")));
    let lines = String::from_utf8(listed).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("/large/entry-with")).count(), 5000);
    let one = "large/entry-with-a-name-of-some-length-04999";
    assert_eq!(run(Command::new("unsquashfs").arg("-cat").arg(place.file("made")).arg(one)), b"x");
}

#[test]
fn equal_content_is_stored_once_and_replaced_content_is_dead() {
    let place = Place::new();
    let noise = bytes(100_000, 2, 7);
    let base = Filesystem::open(&place.write("empty", &empty("-comp gzip -b 4096"))).unwrap();
    let mut tree = base.tree().unwrap();
    let mut splice = Splice::begin(&base, &place.file("first")).unwrap();
    for path in ["a", "b"] {
        let stored = splice.store_from(&mut Cursor::new(&noise)).unwrap();
        tree.make(path.as_bytes(), plain(Form::File(stored))).unwrap();
    }
    splice.finish(&tree, MADE).unwrap();
    assert!(fs::metadata(place.file("first")).unwrap().len() < 120_000);

    let base = Filesystem::open(&place.file("first")).unwrap();
    for (paths, dead) in [(&["a"][..], 0..1), (&["a", "b"][..], 99_000..101_000)] {
        let mut tree = base.tree().unwrap();
        let out = place.file(&format!("made{}", paths.len()));
        let mut splice = Splice::begin(&base, &out).unwrap();
        for path in paths {
            let stored = splice.store_from(&mut Cursor::new(b"short")).unwrap();
            let id = tree.find(path.as_bytes()).unwrap();
            tree.node_mut(id).unwrap().form = Form::File(stored);
        }
        splice.finish(&tree, MADE).unwrap();
        let made = Filesystem::open(&out).unwrap();
        let tree = made.tree().unwrap();
        assert!(dead.contains(&made.dead_bytes(&tree)), "{}", made.dead_bytes(&tree));
        let Form::File(stored) = &tree.node(tree.find(b"a").unwrap()).unwrap().form else { panic!() };
        assert_eq!(read(&made, stored), b"short");
    }
}

/// Attributes are kept where they are, with the inodes that have them.
#[test]
fn extended_attributes_stay_with_their_inodes() {
    let place = Place::new();
    let list = "/ d 755 0 0\n/a f 644 0 0 echo a\n/b f 644 0 0 echo b\n/d d 755 0 0\n/d/l s 777 0 0 a\n";
    fs::create_dir(place.file("empty")).unwrap();
    place.write("list", list.as_bytes());
    // Attributes in a pseudo-file need squashfs-tools 4.6; real files carry them everywhere.
    let source = place.file("empty");
    for name in ["a", "b"] {
        fs::write(source.join(name), name).unwrap();
    }
    let set = Command::new("setfattr").args(["-n", "user.note", "-v", "kept"]).arg(source.join("a")).status();
    if !set.is_ok_and(|status| status.success()) {
        eprintln!("not tested: this file system or machine has no user attributes");
        return;
    }
    run(Command::new("mksquashfs").arg(&source).arg(place.file("base")).args([
        "-xattrs",
        "-quiet",
        "-no-progress",
    ]));
    let base = Filesystem::open(&place.file("base")).unwrap();
    assert!(base.superblock().has_xattrs);
    let mut tree = base.tree().unwrap();
    let mut splice = Splice::begin(&base, &place.file("made")).unwrap();
    let stored = splice.store_from(&mut Cursor::new(b"new")).unwrap();
    tree.make(b"c", plain(Form::File(stored))).unwrap();
    splice.finish(&tree, MADE).unwrap();
    let out = place.file("out");
    run(Command::new("unsquashfs").arg("-d").arg(&out).arg(place.file("made")));
    let found = run(Command::new("getfattr").args(["--only-values", "-n", "user.note"]).arg(out.join("a")));
    assert_eq!(found, b"kept");
}
