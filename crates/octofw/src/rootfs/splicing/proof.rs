//! The proof that what is there is what was meant.

use std::collections::{HashMap, HashSet};

use super::super::snapshot::{Entry, Kind, Snapshot, shown};
use super::device::device;
use super::{Base, SplicingError};
use crate::squashfs::tree::{Form, Node, NodeId, Stored};
use crate::squashfs::{Filesystem, Tree};

/// How many differences an error lists.
const MOST_SHOWN: usize = 8;

/// What was written, held against what was meant.
pub(super) struct Proof<'a> {
    pub(super) base: &'a Base,
    pub(super) filesystem: &'a Filesystem,
    pub(super) meant: &'a Tree,
    pub(super) there: &'a Tree,
}

impl Proof<'_> {
    /// Every path must be there with the same inode: the same attributes, the same blocks, the same links.
    pub(super) fn prove(&self) -> Result<(), SplicingError> {
        let (meant, there) = (sorted(self.meant), sorted(self.there));
        let mut wrong: Vec<String> = Vec::new();
        let mut pairs: HashMap<NodeId, NodeId> = HashMap::new();
        let mut others: HashSet<NodeId> = HashSet::new();
        for (path, id) in &meant {
            let found = there.get(path);
            let equal = found.is_some_and(|found| {
                let one = *pairs.entry(*id).or_insert(*found) == *found;
                others.insert(*found);
                one && self.equal(*id, *found)
            });
            if !equal {
                wrong.push(shown(path));
            }
        }
        wrong.extend(there.keys().filter(|path| !meant.contains_key(*path)).map(|path| shown(path)));
        if others.len() != pairs.len() {
            wrong.push("two inodes became one".to_owned());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.sort_unstable();
        wrong.truncate(MOST_SHOWN);
        Err(SplicingError::Differs { what: "the new squashfs", differences: wrong.join("\n") })
    }

    fn equal(&self, meant: NodeId, there: NodeId) -> bool {
        let (Some(a), Some(b)) = (self.meant.node(meant), self.there.node(there)) else { return false };
        let attributes = |node: &Node| (node.mode, node.uid, node.gid, node.modified, node.xattrs);
        let same = match (&a.form, &b.form) {
            // What they hold is compared path by path.
            (Form::Directory(_), Form::Directory(_)) => true,
            (Form::File(a), Form::File(b)) => {
                let blocks = |stored: &Stored| (stored.size, stored.start, stored.sparse);
                blocks(a) == blocks(b)
                    && a.blocks == b.blocks
                    && self.base.filesystem.same_fragment(a.fragment, self.filesystem, b.fragment)
            }
            (a, b) => a == b,
        };
        same && attributes(a) == attributes(b)
    }
}

fn sorted(tree: &Tree) -> HashMap<Vec<u8>, NodeId> {
    tree.paths().into_iter().collect()
}

/// Compares a squashfs with what is on the disk: `whole` where all of it should be there, otherwise only what is.
pub(in crate::rootfs) fn compare(
    what: &'static str,
    tree: &Tree,
    disk: &Snapshot,
    whole: bool,
) -> Result<(), SplicingError> {
    let there = if whole { sorted(tree) } else { HashMap::new() };
    let mut wrong: Vec<String> = Vec::new();
    let mut pairs: HashMap<(u64, u64), NodeId> = HashMap::new();
    for (path, entry) in &disk.entries {
        let found = if whole { there.get(path).copied() } else { tree.find(path) };
        let equal = found.is_some_and(|id| {
            let one = entry.kind == Kind::Directory || *pairs.entry(entry.inode).or_insert(id) == id;
            one && tree.node(id).is_some_and(|node| is_equal(node, entry))
        });
        if !equal {
            wrong.push(shown(path));
        }
    }
    if whole {
        wrong.extend(there.keys().filter(|path| !disk.entries.contains_key(*path)).map(|path| shown(path)));
        let inodes = tree.figures().inodes;
        if wrong.is_empty() && inodes != disk.inodes() {
            wrong.push(format!("{inodes} inodes, on the disk {}: hard links were lost", disk.inodes()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.sort_unstable();
    wrong.truncate(MOST_SHOWN);
    Err(SplicingError::Differs { what, differences: wrong.join("\n") })
}

fn is_equal(node: &Node, entry: &Entry) -> bool {
    let attributes = (u32::from(node.mode), node.uid, node.gid, i64::from(node.modified));
    let form = match (&node.form, entry.kind) {
        (Form::Directory(_), Kind::Directory) => true,
        (Form::File(stored), Kind::File) => stored.size == entry.size,
        (Form::Link(target), Kind::Link) => Some(target) == entry.target.as_ref(),
        (Form::CharacterDevice(number), Kind::CharacterDevice) => device(*number) == entry.device,
        (Form::BlockDevice(number), Kind::BlockDevice) => device(*number) == entry.device,
        (Form::Fifo, Kind::Fifo) | (Form::Socket, Kind::Socket) => true,
        _ => false,
    };
    // Links have no mode of their own on some systems.
    let mode = entry.kind == Kind::Link || attributes.0 == entry.mode;
    form && mode && (attributes.1, attributes.2, attributes.3) == (entry.uid, entry.gid, entry.modified.0)
}
