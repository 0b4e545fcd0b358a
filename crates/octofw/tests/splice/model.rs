//! What a tree should be, in the plainest form: names, inodes, bytes. Changes are made to it and to a tree of the
//! library alike, and in the end the two must agree.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use octofw::squashfs::splice::Splice;
use octofw::squashfs::tree::{Form, Node, NodeId, Stored};
use octofw::squashfs::{Filesystem, Tree};
use proptest::prelude::*;

pub(crate) const MADE: u32 = 1_750_000_000;
pub(crate) const BLOCK: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Folder,
    File(Vec<u8>),
    Link(Vec<u8>),
    Character(u32),
    Block(u32),
    Fifo,
    Socket,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: u32,
    pub(crate) thing: Thing,
}

/// Names by their path, the root as the empty one; equal numbers are hard links.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) names: BTreeMap<Vec<u8>, usize>,
    pub(crate) inodes: Vec<Inode>,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Make { folder: u8, name: String, inode: Inode },
    Link { of: u8, folder: u8, name: String },
    Remove { what: u8 },
    Replace { what: u8, content: Vec<u8> },
    Attributes { what: u8, mode: u16, uid: u32, gid: u32, modified: u32 },
}

pub(crate) fn content() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        4 => 0usize..200,
        1 => Just(BLOCK - 1), 1 => Just(BLOCK), 1 => Just(BLOCK + 1), 1 => Just(2 * BLOCK), 1 => 0usize..20_000,
    ];
    (size, 0u8..3, any::<u32>()).prop_map(|(size, kind, seed)| bytes(size, kind, seed))
}

/// Zeros, text that can be compressed, or noise that cannot.
pub(crate) fn bytes(size: usize, kind: u8, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..size)
        .map(|n| match kind {
            0 => 0,
            1 => (n / 5 % 23) as u8 ^ seed as u8,
            _ => {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            }
        })
        .collect()
}

fn inode() -> impl Strategy<Value = Inode> {
    let thing = prop_oneof![
        3 => Just(Thing::Folder),
        6 => content().prop_map(Thing::File),
        2 => "[a-z/.]{1,30}".prop_map(|target| Thing::Link(target.into_bytes())),
        1 => (0u32..256, 0u32..256).prop_map(|(major, minor)| Thing::Character(encoded(major, minor))),
        1 => (0u32..256, 0u32..256).prop_map(|(major, minor)| Thing::Block(encoded(major, minor))),
        1 => Just(Thing::Fifo),
        1 => Just(Thing::Socket),
    ];
    (0u16..0o10000, id(), id(), any::<u32>(), thing).prop_map(|(mode, uid, gid, modified, thing)| Inode {
        mode: if is_link(&thing) { 0o777 } else { mode },
        uid,
        gid,
        modified: modified & 0x7fff_ffff,
        thing,
    })
}

/// mksquashfs gives every link all permissions.
fn is_link(thing: &Thing) -> bool {
    matches!(thing, Thing::Link(_))
}

fn encoded(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1000), Just(33), Just(2_000_000_000), 0u32..70_000]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![5 => "[a-f]{1,2}", 1 => "[a-z]{20,40}", 1 => "[A-Z][A-Z0-9._+,:;@% -]{2,5}[A-Z]"]
}

pub(crate) fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        8 => (any::<u8>(), name(), inode()).prop_map(|(folder, name, inode)| Change::Make { folder, name, inode }),
        2 => (any::<u8>(), any::<u8>(), name()).prop_map(|(of, folder, name)| Change::Link { of, folder, name }),
        2 => any::<u8>().prop_map(|what| Change::Remove { what }),
        2 => (any::<u8>(), content()).prop_map(|(what, content)| Change::Replace { what, content }),
        1 => (any::<u8>(), 0u16..0o10000, id(), id(), any::<u32>()).prop_map(|(what, mode, uid, gid, modified)| {
            Change::Attributes { what, mode, uid, gid, modified: modified & 0x7fff_ffff }
        }),
    ];
    proptest::collection::vec(change, 0..most)
}

impl Model {
    pub(crate) fn new() -> Self {
        let root = Inode { mode: 0o755, uid: 0, gid: 0, modified: 1_700_000_000, thing: Thing::Folder };
        Self { names: BTreeMap::from([(Vec::new(), 0)]), inodes: vec![root] }
    }

    fn pick(&self, number: u8, wanted: impl Fn(&Thing) -> bool) -> Option<Vec<u8>> {
        let fit: Vec<_> =
            self.names.iter().filter(|(_, inode)| wanted(&self.inodes[**inode].thing)).collect();
        (!fit.is_empty()).then(|| fit[usize::from(number) % fit.len()].0.clone())
    }

    fn path(&self, folder: u8, name: &str) -> Option<Vec<u8>> {
        let mut path = self.pick(folder, |thing| *thing == Thing::Folder).unwrap();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        (!self.names.contains_key(&path)).then_some(path)
    }

    fn remove(&mut self, path: &[u8]) {
        let below = [path, b"/"].concat();
        self.names.retain(|name, _| name != path && !name.starts_with(&below));
    }

    /// Makes the change here and in the tree.
    pub(crate) fn change(&mut self, change: &Change, tree: &mut Tree, splice: &mut Splice<'_>) {
        let is_file = |thing: &Thing| matches!(thing, Thing::File(_));
        match change {
            Change::Make { folder, name, inode } => {
                let Some(path) = self.path(*folder, name) else { return };
                let node = node(inode, splice);
                match inode.thing {
                    Thing::Folder => tree.make_directory(&path, node),
                    _ => tree.make(&path, node),
                }
                .unwrap();
                self.names.insert(path, self.inodes.len());
                self.inodes.push(inode.clone());
            }
            Change::Link { of, folder, name } => {
                let Some(of) = self.pick(*of, |thing| *thing != Thing::Folder) else { return };
                let Some(path) = self.path(*folder, name) else { return };
                tree.link(&path, tree.find(&of).unwrap()).unwrap();
                self.names.insert(path, self.names[&of]);
            }
            Change::Remove { what } => {
                let path = self.pick(*what, |_| true).unwrap();
                if !path.is_empty() {
                    assert!(tree.remove(&path).unwrap());
                    self.remove(&path);
                }
            }
            Change::Replace { what, content } => {
                let Some(path) = self.pick(*what, is_file) else { return };
                let stored = splice.store_from(&mut Cursor::new(content)).unwrap();
                tree.node_mut(tree.find(&path).unwrap()).unwrap().form = Form::File(stored);
                self.inodes[self.names[&path]].thing = Thing::File(content.clone());
            }
            Change::Attributes { what, mode, uid, gid, modified } => {
                let path = self.pick(*what, |thing| !is_link(thing)).unwrap();
                let node = tree.node_mut(tree.find(&path).unwrap()).unwrap();
                (node.mode, node.uid, node.gid, node.modified) = (*mode, *uid, *gid, *modified);
                let inode = &mut self.inodes[self.names[&path]];
                (inode.mode, inode.uid, inode.gid, inode.modified) = (*mode, *uid, *gid, *modified);
            }
        }
    }

    /// Compares with what a file system holds, every inode and every byte.
    pub(crate) fn must_equal(&self, filesystem: &Filesystem) {
        let tree = filesystem.tree().unwrap();
        let mut there: BTreeMap<Vec<u8>, NodeId> = BTreeMap::new();
        for (path, id) in tree.paths() {
            assert!(there.insert(path, id).is_none());
        }
        let shown = |names: Vec<&Vec<u8>>| {
            names.iter().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(shown(there.keys().collect()), shown(self.names.keys().collect()));
        let mut links: BTreeMap<usize, NodeId> = BTreeMap::new();
        for (path, id) in &there {
            let number = self.names[path];
            assert_eq!(
                *links.entry(number).or_insert(*id),
                *id,
                "a hard link was lost: {}",
                path.escape_ascii()
            );
            let found = inode_of(filesystem, tree.node(*id).unwrap());
            assert!(
                found == self.inodes[number],
                "{}: {:?}",
                path.escape_ascii(),
                (found.mode, found.uid, found.gid)
            );
        }
        let different: std::collections::BTreeSet<_> = links.values().collect();
        assert_eq!(different.len(), links.len(), "two inodes became one");
        let figures = tree.figures();
        assert_eq!((figures.names, figures.inodes), (self.names.len() as u64, links.len() as u64));
    }
}

fn inode_of(filesystem: &Filesystem, node: &Node) -> Inode {
    let thing = match &node.form {
        Form::Directory(_) => Thing::Folder,
        Form::File(stored) => Thing::File(read(filesystem, stored)),
        Form::Link(target) => Thing::Link(target.clone()),
        Form::CharacterDevice(number) => Thing::Character(*number),
        Form::BlockDevice(number) => Thing::Block(*number),
        Form::Fifo => Thing::Fifo,
        Form::Socket => Thing::Socket,
    };
    Inode { mode: node.mode, uid: node.uid, gid: node.gid, modified: node.modified, thing }
}

pub(crate) fn read(filesystem: &Filesystem, stored: &Stored) -> Vec<u8> {
    let mut content = Vec::new();
    filesystem.copy(stored, &mut content).unwrap();
    assert_eq!(content.len() as u64, stored.size);
    content
}

fn node(inode: &Inode, splice: &mut Splice<'_>) -> Node {
    let form = match &inode.thing {
        Thing::Folder => Form::Directory(BTreeMap::new()),
        Thing::File(content) => Form::File(splice.store_from(&mut Cursor::new(content)).unwrap()),
        Thing::Link(target) => Form::Link(target.clone()),
        Thing::Character(number) => Form::CharacterDevice(*number),
        Thing::Block(number) => Form::BlockDevice(*number),
        Thing::Fifo => Form::Fifo,
        Thing::Socket => Form::Socket,
    };
    Node { mode: inode.mode, uid: inode.uid, gid: inode.gid, modified: inode.modified, xattrs: None, form }
}

/// A root without anything in it, as mksquashfs packs it with these options.
pub(crate) fn empty(options: &str) -> Vec<u8> {
    static MADE_BEFORE: OnceLock<Mutex<BTreeMap<String, Vec<u8>>>> = OnceLock::new();
    let mut made = MADE_BEFORE.get_or_init(Mutex::default).lock().unwrap();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        fs::write(&list, "/ d 755 0 0\n").unwrap();
        let image = folder.path().join("image");
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let words = options.split_whitespace();
        run(Command::new("mksquashfs").arg(&empty).arg(&image).args(words).args([
            "-all-root",
            "-no-xattrs",
            "-all-time",
            "1700000000",
            "-root-mode",
            "755",
        ]));
        fs::read(image).unwrap()
    };
    made.entry(options.to_owned()).or_insert_with(make).clone()
}

/// Runs a tool of squashfs and gives what it printed.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.env("TZ", "UTC").env_remove("SOURCE_DATE_EPOCH").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A place for images that goes when it is dropped.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One in a folder of somebody's choice.
    pub(crate) fn below(folder: &Path) -> Self {
        Self(tempfile::tempdir_in(folder).unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Applies the changes to the file system at `base`, writes the result to `out`, and returns the file system in it.
pub(crate) fn spliced(model: &mut Model, changes: &[Change], base: &Path, out: &Path) -> Filesystem {
    let filesystem = Filesystem::open(base).unwrap();
    let mut tree = filesystem.tree().unwrap();
    let mut splice = Splice::begin(&filesystem, out).unwrap();
    for change in changes {
        model.change(change, &mut tree, &mut splice);
    }
    splice.finish(&tree, MADE).unwrap();
    Filesystem::open(out).unwrap()
}
