//! A squashfs of any bytes: read, every file of it copied, and then spliced. The result must be readable, and hold what
//! the base held and what was added.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::PathBuf;

use octofw::diff::Report;
use octofw::squashfs::splice::{Splice, SpliceError};
use octofw::squashfs::tree::{Form, Node};
use octofw::squashfs::{Filesystem, Tree};

/// Most bytes of a file that are copied: a hole of any length is a sound file.
const MOST: u64 = 1 << 20;

pub(crate) fn run(bytes: &[u8]) {
    let files = Files::with(bytes);
    let Ok(base) = Filesystem::open(&files.base) else { return };
    let Ok(tree) = base.tree() else { return };
    let dead = base.dead_bytes(&tree);
    assert!(dead <= bytes.len() as u64, "{dead} dead bytes");
    let mut sums = Vec::new();
    for (path, id) in tree.paths() {
        assert_eq!(tree.find(&path), Some(id));
        sums.push(content(&base, &tree.node(id).expect("an inode of its own tree").form));
    }

    // Whatever could be read can be spliced.
    let mut changed = tree.clone();
    let Ok(mut splice) = Splice::begin(&base, &files.result) else { return };
    let stored = splice.store_from(&mut Cursor::new(b"new content")).expect("memory can be read");
    let node = Node { mode: 0o644, uid: 7, gid: 8, modified: 9, xattrs: None, form: Form::File(stored) };
    let id = changed.make(b"new", node.clone()).expect("the root is a directory");
    changed.link(b"link", id).expect("it is a file");
    match splice.finish(&changed, 10) {
        Err(SpliceError::Limit { .. }) => return,
        finished => finished.map(drop).expect("a place to write to"),
    }
    let made = Filesystem::open(&files.result).expect("what was spliced can be opened");
    let there = made.tree().expect("and read");
    compare((&changed, &base, &tree, &sums), (&there, &made));
    let mut text = Vec::new();
    match there.find(b"link").and_then(|id| there.node(id)).map(|node| &node.form) {
        Some(Form::File(stored)) => made.copy(stored, &mut text).expect("its content is there"),
        other => panic!("{other:?}"),
    }
    assert_eq!(text, b"new content");
    differ(&tree, &files);
}

/// Compares the two by meaning, unless that takes long. What is told goes to terminals.
fn differ(base: &Tree, files: &Files) {
    let is_long = |node: &Node| matches!(&node.form, Form::File(stored) if stored.size > MOST);
    if base.paths().iter().any(|(_, id)| base.node(*id).is_none_or(is_long)) {
        return;
    }
    let Ok(report) = Report::of(&files.base, &files.result) else { return };
    assert!(report.paths.iter().any(|change| change.path == "/new"), "{report}");
    let text = report.to_string();
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
}

/// Holds what is there against what was meant: names, attributes, and content as far as the base had it.
fn compare(
    (meant, base, old, sums): (&Tree, &Filesystem, &Tree, &[Option<u64>]),
    (there, made): (&Tree, &Filesystem),
) {
    assert_eq!(meant.figures(), there.figures());
    for (path, id) in meant.paths() {
        let one = meant.node(id).expect("an inode of its own tree");
        let other = there.find(&path).and_then(|id| there.node(id)).expect("every path is there");
        let facts = |node: &Node| (node.mode, node.uid, node.gid, node.modified, node.xattrs);
        assert_eq!(facts(one), facts(other));
        if !matches!(one.form, Form::File(_) | Form::Directory(_)) {
            assert_eq!(one.form, other.form);
        }
    }
    for ((path, id), sum) in old.paths().into_iter().zip(sums) {
        let kept = meant.find(&path) == Some(id);
        if let (true, Some(node)) = (kept, there.find(&path).and_then(|id| there.node(id))) {
            assert_eq!(content(made, &node.form), *sum, "of {}", base.superblock().compressor);
        }
    }
}

/// A sum of a file's content, where it can be read and is not too long.
fn content(filesystem: &Filesystem, form: &Form) -> Option<u64> {
    let Form::File(stored) = form else { return None };
    if stored.size > MOST {
        return None;
    }
    let mut sum = Sum { length: 0, sum: 0 };
    filesystem.copy(stored, &mut sum).ok()?;
    assert_eq!(sum.length, stored.size);
    Some(sum.sum)
}

struct Sum {
    length: u64,
    sum: u64,
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len() as u64;
        self.sum =
            bytes.iter().fold(self.sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two files of this process; in memory, where the machine keeps such.
struct Files {
    base: PathBuf,
    result: PathBuf,
}

impl Files {
    fn with(bytes: &[u8]) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let name = format!("fuzz-squashfs-{}-{thread}", std::process::id());
        let files = Self { base: folder.join(&name), result: folder.join(name + "-made") };
        fs::write(&files.base, bytes).expect("a file for temporary use");
        files
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.base);
        let _ = fs::remove_file(&self.result);
    }
}
