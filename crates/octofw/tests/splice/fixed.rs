//! Cases that chance would hardly find.

use std::fs;
use std::io::Cursor;
use std::path::Path;
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

/// Few bytes of tables can make paths that are longer than all memory.
#[test]
fn paths_that_nobody_could_reach_are_refused() {
    let place = Place::new();
    for (depth, sound) in [(60, true), (400, false)] {
        let base = Filesystem::open(&place.write("empty", &empty("-comp gzip -b 4096"))).unwrap();
        let mut tree = base.tree().unwrap();
        let mut path = Vec::new();
        for level in 0..depth {
            if level > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(b"a-directory");
            tree.make_directory(&path, plain(Form::Directory(Default::default()))).unwrap();
        }
        let out = place.file(&format!("deep-{depth}"));
        Splice::begin(&base, &out).unwrap().finish(&tree, MADE).unwrap();
        let read = Filesystem::open(&out).unwrap().tree();
        assert_eq!(read.is_ok(), sound, "{depth}");
        if let Err(error) = read {
            assert!(error.reason().contains("at most 4096, and"), "{}", error.reason());
        }
    }
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

/// A place on a file system with users' attributes, which that for temporary files may lack (tmpfs before Linux 6.6).
fn with_attributes() -> Place {
    let folders = [std::env::temp_dir(), env!("CARGO_TARGET_TMPDIR").into()];
    let has = |place: &Place| {
        let code = "import os; os.setxattr('.', 'user.note', b'x')";
        let tried = Command::new("python3").args(["-c", code]).current_dir(place.file("")).output().unwrap();
        tried.status.success()
    };
    let place = folders.iter().map(|folder| Place::below(folder)).find(has);
    place.unwrap_or_else(|| {
        panic!("set TMPDIR to a folder on a file system with users' attributes; none has them: {folders:?}")
    })
}

/// Attributes are kept where they are, with the inodes that have them.
#[test]
fn extended_attributes_stay_with_their_inodes() {
    let place = with_attributes();
    let source = place.file("source");
    fs::create_dir_all(source.join("folder")).unwrap();
    let mut noted = Vec::new();
    for number in 0..300 {
        let name = format!("file-{number}");
        fs::write(source.join(&name), &name).unwrap();
        noted.push((name, format!("value {number}")));
    }
    noted.push(("folder".to_owned(), "long ".repeat(500)));
    fs::write(source.join("without"), "x").unwrap();
    let python = |code: &str, folder: &Path| {
        let list: String = noted.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        place.write("list", list.as_bytes());
        let code = format!(
            "import os\nfor line in open({:?}):\n  name, value = line[:-1].split('=')\n  {code}\n",
            place.file("list")
        );
        Command::new("python3").args(["-c", &code]).current_dir(folder).output().unwrap()
    };
    let set = python("os.setxattr(name, 'user.note', value.encode())", &source);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    for options in ["-comp gzip", "-comp gzip -noX -noI"] {
        let (base, made, out) = (place.file("base"), place.file("made"), place.file("out"));
        let words = options.split(' ');
        run(Command::new("mksquashfs").arg(&source).arg(&base).args(words).args([
            "-xattrs",
            "-quiet",
            "-noappend",
        ]));
        let base = Filesystem::open(&base).unwrap();
        assert!(base.superblock().has_xattrs);
        let mut tree = base.tree().unwrap();
        let mut splice = Splice::begin(&base, &made).unwrap();
        let stored = splice.store_from(&mut Cursor::new(bytes(50_000, 2, 3))).unwrap();
        tree.make(b"a-new-one", plain(Form::File(stored))).unwrap();
        tree.node_mut(tree.find(b"file-7").unwrap()).unwrap().mode = 0o600;
        splice.finish(&tree, MADE).unwrap();
        run(Command::new("unsquashfs").args(["-quiet", "-xattrs", "-d"]).arg(&out).arg(&made));
        let found = python("assert os.getxattr(name, 'user.note') == value.encode(), name", &out);
        assert!(found.status.success(), "{options}: {}", String::from_utf8_lossy(&found.stderr));
        let none = "assert not os.listxattr('without') and not os.listxattr('a-new-one')";
        assert!(python(none, &out).status.success(), "{options}");
        fs::remove_dir_all(out).unwrap();
        fs::remove_file(made).unwrap();
    }
}
