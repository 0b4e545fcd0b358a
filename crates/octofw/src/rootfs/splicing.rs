//! From what is on the disk to a changed tree of the base: which inodes stay, which are new, and the proof that what was
//! written is what was meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use thiserror::Error;

use super::snapshot::{Entry, Kind, Snapshot, place, shown};
use crate::manifest::Counts;
use crate::squashfs::splice::{Splice, SpliceError};
use crate::squashfs::tree::{EditError, Form, Node, NodeId, Stored};
use crate::squashfs::{Filesystem, ReadError, Tree};

/// How many differences an error lists.
const MOST_SHOWN: usize = 8;

/// Why the new root could not be made out of the base.
#[derive(Debug, Error)]
pub enum SplicingError {
    /// The base or the result cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The result cannot be written.
    #[error(transparent)]
    Splice(#[from] SpliceError),
    /// What is on the disk is no tree that a squashfs can hold.
    #[error("the changed root cannot be packed")]
    Edit(#[from] EditError),
    /// A file on the disk cannot be compared.
    #[error("cannot compare {path} with the base")]
    Compare {
        /// The path in the root.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A path has something that a squashfs cannot hold.
    #[error("{path}: {problem}")]
    Unfit {
        /// The path in the root.
        path: String,
        /// What, and the remedy.
        problem: &'static str,
    },
    /// What was written is not what was meant, or what was unpacked not what is there.
    #[error("{what} and the root differ; report this, and build with --repack meanwhile:\n{differences}")]
    Differs {
        /// Which squashfs.
        what: &'static str,
        /// The first paths that differ.
        differences: String,
    },
}

/// A base that is open, and its tree.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) filesystem: Filesystem,
    pub(super) tree: Tree,
}

impl Base {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let filesystem = Filesystem::open(path)?;
        let tree = filesystem.tree()?;
        Ok(Self { filesystem, tree })
    }

    /// Whether the file at `path` of the tree at `root` has another content than in the base.
    pub(super) fn differs(&self, root: &Path, path: &[u8]) -> Result<bool, SplicingError> {
        match self.tree.find(path).and_then(|id| self.tree.node(id)).map(|node| &node.form) {
            Some(Form::File(stored)) => self.is_other(stored, root, path),
            _ => Ok(true),
        }
    }

    fn is_other(&self, stored: &Stored, root: &Path, path: &[u8]) -> Result<bool, SplicingError> {
        is_other(&self.filesystem, stored, &place(root, path))
            .map_err(|source| SplicingError::Compare { path: shown(path), source })
    }

    /// Writes the new root to `out`: what `last` says, where that differs from `before`. Returns its dead bytes.
    pub(super) fn write(
        &self,
        root: &Path,
        (before, last): (&Snapshot, &Snapshot),
        epoch: u32,
        out: &Path,
    ) -> Result<(Counts, u64), SplicingError> {
        if last.since(before).is_empty() && same_times(before, last) {
            self.filesystem.copy_with_time(out, epoch)?;
            return Ok((counts(&self.tree), self.filesystem.dead_bytes(&self.tree)));
        }
        let mut splice = Splice::begin(&self.filesystem, out)?;
        let mut edit = Edit { base: self, tree: self.tree.clone(), root, before, last, stored: Vec::new() };
        edit.all(&mut splice)?;
        let Edit { tree, stored, .. } = edit;
        splice.finish(&tree, epoch)?;
        let made = Filesystem::open(out)?;
        let there = made.tree()?;
        let found = Made { base: self, filesystem: &made, meant: &tree, there: &there };
        found.prove()?;
        // What was packed is read again from the result: a sound table alone does not show sound blocks.
        for path in stored {
            let node = there.find(&path).and_then(|id| there.node(id));
            let other = match node.map(|node| &node.form) {
                Some(Form::File(stored)) => is_other(&made, stored, &place(root, &path))
                    .map_err(|source| SplicingError::Compare { path: shown(&path), source })?,
                _ => true,
            };
            if other {
                return Err(SplicingError::Differs { what: "the new squashfs", differences: shown(&path) });
            }
        }
        compare("the new squashfs", &there, last, false)?;
        Ok((counts(&there), made.dead_bytes(&there)))
    }
}

/// Directories get a time when something in them was replaced, which is no change of its own.
fn same_times(before: &Snapshot, last: &Snapshot) -> bool {
    last.entries
        .iter()
        .all(|(path, now)| before.entries.get(path).is_some_and(|was| was.modified.0 == now.modified.0))
}

/// What a tree consists of.
pub(super) fn counts(tree: &Tree) -> Counts {
    let figures = tree.figures();
    Counts {
        paths: figures.names,
        inodes: figures.inodes,
        hard_links: figures.names.saturating_sub(figures.inodes),
        devices: figures.devices,
    }
}

/// Changes the tree of the base to what is on the disk.
struct Edit<'a> {
    base: &'a Base,
    tree: Tree,
    root: &'a Path,
    before: &'a Snapshot,
    last: &'a Snapshot,
    /// The paths whose content was packed.
    stored: Vec<Vec<u8>>,
}

impl Edit<'_> {
    fn all(&mut self, splice: &mut Splice<'_>) -> Result<(), SplicingError> {
        let (before, last) = (self.before, self.last);
        for path in before.entries.keys().filter(|path| !last.entries.contains_key(*path)) {
            self.tree.remove(path)?;
        }
        // An inode of the base by its number on the disk, wherever its name is now.
        let known: HashMap<(u64, u64), (&Vec<u8>, &Entry)> =
            before.entries.iter().map(|(path, entry)| (entry.inode, (path, entry))).collect();
        let mut nodes: HashMap<(u64, u64), NodeId> = HashMap::new();
        for (path, now) in &last.entries {
            if now.kind == Kind::Directory {
                self.directory(path, now)?;
                continue;
            }
            // A number can have been two inodes, one after the other: what was brought late may have that of a file
            // which an earlier overlay replaced. The one of this name is meant then, or the result would depend on the
            // numbers that the build machine gives.
            let same_name = before.entries.get_key_value(path).filter(|(_, was)| was.inode == now.inode);
            let id = match nodes.get(&now.inode) {
                Some(id) => Some(*id),
                None => self.kept(path, now, same_name.or_else(|| known.get(&now.inode).copied()))?,
            };
            let id = match id {
                Some(id) => {
                    if self.tree.find(path) != Some(id) {
                        self.tree.link(path, id)?;
                    }
                    id
                }
                None => {
                    let node = self.new_node(path, now, splice)?;
                    self.tree.make(path, node)?
                }
            };
            self.dress(id, path, now)?;
            nodes.insert(now.inode, id);
        }
        Ok(())
    }

    fn directory(&mut self, path: &[u8], now: &Entry) -> Result<(), SplicingError> {
        let there = self.tree.find(path);
        let is_directory =
            |id: &NodeId| matches!(self.tree.node(*id).map(|node| &node.form), Some(Form::Directory(_)));
        let id = match there.filter(is_directory) {
            Some(id) => id,
            None => self.tree.make_directory(path, empty_node(Form::Directory(BTreeMap::new())))?,
        };
        self.dress(id, path, now)
    }

    /// The inode of the base that this still is, with the same content, whatever its name.
    fn kept(
        &self,
        path: &[u8],
        now: &Entry,
        known: Option<(&Vec<u8>, &Entry)>,
    ) -> Result<Option<NodeId>, SplicingError> {
        let Some((name, was)) = known.filter(|(_, was)| was.kind == now.kind) else { return Ok(None) };
        let id = self.base.tree.find(name);
        let same = match id.and_then(|id| self.base.tree.node(id)).map(|node| &node.form) {
            Some(Form::File(stored)) => {
                let untouched =
                    (was.changed, was.size, was.modified) == (now.changed, now.size, now.modified);
                let same_size = stored.size == now.size;
                same_size && (untouched || !self.base.is_other(stored, self.root, path)?)
            }
            Some(Form::Link(target)) => Some(target) == now.target.as_ref(),
            Some(Form::CharacterDevice(number) | Form::BlockDevice(number)) => device(*number) == now.device,
            Some(Form::Fifo | Form::Socket) => true,
            Some(Form::Directory(_)) | None => false,
        };
        Ok(id.filter(|_| same))
    }

    fn new_node(&mut self, path: &[u8], now: &Entry, splice: &mut Splice<'_>) -> Result<Node, SplicingError> {
        let number = || {
            encoded(now.device).ok_or_else(|| SplicingError::Unfit {
                path: shown(path),
                problem: "its device number is larger than a squashfs can hold; make it with a smaller one",
            })
        };
        let form = match now.kind {
            Kind::Directory => Form::Directory(BTreeMap::new()),
            Kind::File => {
                self.stored.push(path.to_owned());
                Form::File(splice.store(&place(self.root, path))?)
            }
            Kind::Link => Form::Link(now.target.clone().unwrap_or_default()),
            Kind::CharacterDevice => Form::CharacterDevice(number()?),
            Kind::BlockDevice => Form::BlockDevice(number()?),
            Kind::Fifo => Form::Fifo,
            Kind::Socket => Form::Socket,
        };
        Ok(empty_node(form))
    }

    /// Owner, mode and time.
    fn dress(&mut self, id: NodeId, path: &[u8], now: &Entry) -> Result<(), SplicingError> {
        let modified = u32::try_from(now.modified.0).map_err(|_| SplicingError::Unfit {
            path: shown(path),
            problem: "its time is before 1970 or after 2105; give it another with touch",
        })?;
        if let Some(node) = self.tree.node_mut(id) {
            node.mode = (now.mode & 0o7777) as u16;
            (node.uid, node.gid, node.modified) = (now.uid, now.gid, modified);
        }
        Ok(())
    }
}

fn empty_node(form: Form) -> Node {
    Node { mode: 0, uid: 0, gid: 0, modified: 0, xattrs: None, form }
}

/// What was written, held against what was meant.
struct Made<'a> {
    base: &'a Base,
    filesystem: &'a Filesystem,
    meant: &'a Tree,
    there: &'a Tree,
}

impl Made<'_> {
    /// Every path must be there with the same inode: the same attributes, the same blocks, the same links.
    fn prove(&self) -> Result<(), SplicingError> {
        let (meant, there) = (sorted(self.meant), sorted(self.there));
        let mut wrong: Vec<String> = Vec::new();
        let mut pairs: HashMap<NodeId, NodeId> = HashMap::new();
        let mut others: BTreeSet<NodeId> = BTreeSet::new();
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

fn sorted(tree: &Tree) -> BTreeMap<Vec<u8>, NodeId> {
    tree.paths().into_iter().collect()
}

/// Compares a squashfs with what is on the disk: `whole` where all of it should be there, otherwise only what is.
pub(super) fn compare(
    what: &'static str,
    tree: &Tree,
    disk: &Snapshot,
    whole: bool,
) -> Result<(), SplicingError> {
    let there = sorted(tree);
    let mut wrong: Vec<String> = Vec::new();
    let mut pairs: HashMap<(u64, u64), NodeId> = HashMap::new();
    for (path, entry) in &disk.entries {
        let equal = there.get(path).is_some_and(|id| {
            let one = entry.kind == Kind::Directory || *pairs.entry(entry.inode).or_insert(*id) == *id;
            one && tree.node(*id).is_some_and(|node| is_equal(node, entry))
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

/// Major and minor number, as the kernel packs them into 32 bits.
pub(crate) fn device(number: u32) -> (u64, u64) {
    let minor = (number & 0xff) | ((number >> 12) & 0x000f_ff00);
    (u64::from((number >> 8) & 0xfff), u64::from(minor))
}

fn encoded((major, minor): (u64, u64)) -> Option<u32> {
    let number = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
    u32::try_from(number).ok().filter(|number| device(*number) == (major, minor))
}

/// Whether a file on the disk has another content than one of a squashfs.
fn is_other(filesystem: &Filesystem, stored: &Stored, place: &Path) -> io::Result<bool> {
    let file = File::open(place)?;
    if file.metadata()?.len() != stored.size {
        return Ok(true);
    }
    let mut compare = Compare { file, same: true, buffer: Vec::new() };
    filesystem.copy(stored, &mut compare).map_err(io::Error::other)?;
    Ok(!compare.same)
}

/// Compares what is written to it with a file, from its start.
struct Compare {
    file: File,
    same: bool,
    buffer: Vec<u8>,
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.same {
            self.buffer.resize(bytes.len(), 0);
            match self.file.read_exact(&mut self.buffer) {
                Ok(()) => self.same = self.buffer == bytes,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => self.same = false,
                Err(e) => return Err(e),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        for (number, numbers) in [(0x501, (5, 1)), (0xb300, (179, 0)), (0x0011_2c70, (300, 368))] {
            assert_eq!(device(number), numbers);
            assert_eq!(encoded(numbers), Some(number));
        }
        assert_eq!(encoded((4096, 0)), None);
        assert_eq!(encoded((0, 1 << 20)), None);
    }
}
