//! Changes a tree of the base to what is on the disk.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::super::snapshot::{Entry, Kind, Snapshot, place, shown};
use super::device::{device, encoded};
use super::{Base, SplicingError};
use crate::squashfs::Tree;
use crate::squashfs::splice::Splice;
use crate::squashfs::tree::{Form, Node, NodeId};

/// Changes the tree of the base to what is on the disk.
pub(super) struct Edit<'a> {
    pub(super) base: &'a Base,
    pub(super) tree: Tree,
    pub(super) root: &'a Path,
    pub(super) before: &'a Snapshot,
    pub(super) last: &'a Snapshot,
    /// The paths whose content was packed.
    pub(super) stored: Vec<Vec<u8>>,
}

impl Edit<'_> {
    pub(super) fn all(&mut self, splice: &mut Splice<'_>) -> Result<(), SplicingError> {
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
