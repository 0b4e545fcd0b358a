//! Reading a whole tree. What the tables hold may refer to itself, to the same bytes again and again, or to nothing:
//! every inode is read once, every directory has one name, and all that is read together has a bound.

use std::collections::{BTreeMap, HashMap};

use super::super::metadata::{Blocks, MOST};
use super::super::{Filesystem, ReadError, Tree};
use super::edit::is_name;
use super::inode::{self, EXTENDED, Listing};
use super::{Form, Node, NodeId};
use crate::container::Fault;

/// Bytes of the head of a run of entries, and of an entry without its name.
const RUN_LEN: u32 = 12;
const ENTRY_LEN: u32 = 8;
/// Entries of one run.
const MOST_IN_RUN: u32 = 256;
/// Longest path in Linux.
const MOST_PATH: usize = 4096;

/// Reads all inodes that have a name.
pub(in crate::squashfs) fn tree(filesystem: &Filesystem) -> Result<Tree, ReadError> {
    let tables = filesystem.superblock().tables;
    let mut reading = Reading {
        filesystem,
        inodes: filesystem.blocks("inode table", tables.inodes)?,
        directories: filesystem.blocks("directory table", tables.directories)?,
        nodes: Vec::new(),
        known: HashMap::new(),
        todo: Vec::new(),
        left: 2 * MOST,
    };
    let root = reading.node(filesystem.superblock().root_inode, 1)?;
    while let Some((id, listing)) = reading.todo.pop() {
        let entries = reading.entries(listing)?;
        if let Some(node) = reading.nodes.get_mut(id.0 as usize) {
            node.form = Form::Directory(entries);
        }
    }
    let tree = Tree { nodes: reading.nodes, root };
    check_paths(filesystem, &tree)?;
    let stated = filesystem.superblock().inodes as usize;
    if tree.nodes.len() != stated {
        let (found, expected) = (format!("{} inodes in use", tree.nodes.len()), format!("{stated}"));
        return Err(filesystem.fault(Fault::Count, "inode count", 4, found, expected));
    }
    Ok(tree)
}

/// Refuses paths that Linux could not reach, and more of them than a list of all could hold: directories in directories
/// make paths of any length out of few bytes.
fn check_paths(filesystem: &Filesystem, tree: &Tree) -> Result<(), ReadError> {
    let mut all = 0usize;
    let mut todo = vec![(tree.root, 0usize)];
    while let Some((id, above)) = todo.pop() {
        for (name, child) in tree.children(id) {
            let length = above.saturating_add(name.len()).saturating_add(1);
            all = all.saturating_add(length);
            if length > MOST_PATH || all > MOST {
                let at = filesystem.superblock().tables.directories;
                let found = format!("a path of {length} bytes, {all} in all so far");
                let expected = format!("at most {MOST_PATH}, and {MOST} in all");
                return Err(filesystem.fault(Fault::Limit, "directory table", at, found, expected));
            }
            todo.push((child, length));
        }
    }
    Ok(())
}

struct Reading<'a> {
    filesystem: &'a Filesystem,
    inodes: Blocks,
    directories: Blocks,
    nodes: Vec<Node>,
    /// Inodes by where they are stored.
    known: HashMap<u64, NodeId>,
    /// Directories whose entries are still to be read.
    todo: Vec<(NodeId, Listing)>,
    /// Bytes that may still be read. Sound tables are read once; others could be made to be read for ever.
    left: usize,
}

impl Reading<'_> {
    fn spend(&mut self, bytes: usize) -> Result<(), ReadError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let (found, expected) = ("entries that refer to the same bytes again and again", "a tree");
                let at = self.filesystem.superblock().tables.directories;
                Err(self.filesystem.fault(Fault::Limit, "directory table", at, found, expected))
            }
        }
    }

    /// The inode at a place of the table, of the basic type `kind`.
    fn node(&mut self, place: u64, kind: u16) -> Result<NodeId, ReadError> {
        let filesystem = self.filesystem;
        let at = filesystem.superblock().tables.inodes.saturating_add(place >> 16);
        let wrong = |fault, found: String, expected: &str| {
            Err(filesystem.fault(fault, "inode table", at, found, expected))
        };
        if let Some(id) = self.known.get(&place).copied() {
            let found = self.nodes.get(id.0 as usize).map_or(0, |node| node.form.number());
            return match found {
                1 => wrong(Fault::Overlap, "a directory with two names".to_owned(), "one name"),
                found if found != kind => {
                    wrong(Fault::Mismatch, format!("type {found}"), "the type that its directory says")
                }
                _ => Ok(id),
            };
        }
        let mut cursor = self.inodes.cursor(filesystem, place >> 16, (place & 0xffff) as u16)?;
        let before = cursor.left();
        let (node, listing) = inode::read(filesystem, &mut cursor)?;
        let read = before.saturating_sub(cursor.left());
        if node.form.number() != kind {
            let found = format!("type {}", node.form.number());
            return wrong(Fault::Mismatch, found, "the type that its directory says");
        }
        self.spend(read)?;
        if self.nodes.len() >= filesystem.superblock().inodes as usize {
            let expected = format!("{}, as the superblock says", filesystem.superblock().inodes);
            return wrong(Fault::Count, "more inodes".to_owned(), &expected);
        }
        let Ok(number) = u32::try_from(self.nodes.len()) else {
            return wrong(Fault::Limit, "too many inodes".to_owned(), "fewer");
        };
        let id = NodeId(number);
        self.nodes.push(node);
        self.known.insert(place, id);
        self.todo.extend(listing.map(|listing| (id, listing)));
        Ok(id)
    }

    fn entries(&mut self, listing: Listing) -> Result<BTreeMap<Vec<u8>, NodeId>, ReadError> {
        let mut found = Vec::new();
        let mut left = listing.size;
        if left > 0 {
            self.spend(left as usize)?;
            let filesystem = self.filesystem;
            let mut cursor = self.directories.cursor(filesystem, u64::from(listing.block), listing.offset)?;
            while left > 0 {
                let count = cursor.u32()?.saturating_add(1);
                let block = cursor.u32()?;
                let _first = cursor.u32()?;
                if count > MOST_IN_RUN {
                    return Err(cursor.wrong(Fault::Limit, format!("a run of {count} entries"), "up to 256"));
                }
                let mut read = RUN_LEN;
                for _ in 0..count {
                    let offset = cursor.u16()?;
                    let _number = cursor.u16()?;
                    let kind = cursor.u16()?;
                    let length = cursor.u16()?.saturating_add(1);
                    let name = cursor.take(usize::from(length))?;
                    if !is_name(name) {
                        let found = crate::container::fields::shown(name);
                        return Err(cursor.wrong(Fault::Text, found, "a name without slash or zero byte"));
                    }
                    if kind == 0 || kind > EXTENDED {
                        return Err(cursor.wrong(Fault::Kind, format!("an entry of type {kind}"), "1 to 7"));
                    }
                    read = read.saturating_add(ENTRY_LEN).saturating_add(u32::from(length));
                    found.push((name.to_vec(), u64::from(block) << 16 | u64::from(offset), kind));
                }
                left = left.checked_sub(read).ok_or_else(|| {
                    cursor.wrong(
                        Fault::Truncated,
                        format!("{left} bytes"),
                        format!("{read} bytes of entries"),
                    )
                })?;
            }
        }
        let mut entries = BTreeMap::new();
        for (name, place, kind) in found {
            let id = self.node(place, kind)?;
            let shown = crate::container::fields::shown(&name);
            if entries.insert(name, id).is_some() {
                let at = self.filesystem.superblock().tables.directories;
                let found = format!("{shown} twice in a directory");
                return Err(self.filesystem.fault(Fault::Overlap, "directory table", at, found, "once"));
            }
        }
        Ok(entries)
    }
}
