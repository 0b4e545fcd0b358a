//! The tree of a squashfs in memory: every inode once, with its names in the directories that hold it.
//!
//! What a file contains stays in the file system; a node knows only where. That is what lets a splice keep it.

mod edit;
mod inode;
pub(super) mod read;

use std::collections::BTreeMap;

pub use edit::EditError;

/// An inode of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// All inodes and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
}

/// One inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, in seconds since 1970.
    pub modified: u32,
    /// The number of its extended attributes in the file system's table.
    pub xattrs: Option<u32>,
    /// What it is.
    pub form: Form,
}

/// What an inode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A directory and what it holds, in byte order of the names.
    Directory(BTreeMap<Vec<u8>, NodeId>),
    /// A regular file.
    File(Stored),
    /// A symbolic link and where it points.
    Link(Vec<u8>),
    /// A character device with the kernel's number.
    CharacterDevice(u32),
    /// A block device with the kernel's number.
    BlockDevice(u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Where the content of a file is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of the file.
    pub size: u64,
    /// Where its first block is, in bytes from the start of the file system.
    pub start: u64,
    /// Bytes of it that are holes.
    pub sparse: u64,
    /// The length of each block as it is stored, with bit 24 set for one that is not compressed; 0 for a hole.
    pub blocks: Vec<u32>,
    /// Where the rest is, where it is not in blocks.
    pub fragment: Option<Fragment>,
}

/// The end of a file, or all of a small one, in a block that it shares with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Number of the fragment block.
    pub block: u32,
    /// First byte in it.
    pub offset: u32,
}

/// What a tree consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Names of every kind, the root itself included.
    pub names: u64,
    /// Different inodes.
    pub inodes: u64,
    /// Device nodes, by their names.
    pub devices: u64,
}

impl Form {
    /// The number of the basic inode type, which directories use too (kernel: `squashfs_fs.h`).
    pub(super) fn number(&self) -> u16 {
        match self {
            Self::Directory(_) => 1,
            Self::File(_) => 2,
            Self::Link(_) => 3,
            Self::BlockDevice(_) => 4,
            Self::CharacterDevice(_) => 5,
            Self::Fifo => 6,
            Self::Socket => 7,
        }
    }
}

impl Tree {
    /// The root directory.
    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// An inode.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// What a directory holds; nothing where it is none.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = (&[u8], NodeId)> {
        let entries = match self.node(id).map(|node| &node.form) {
            Some(Form::Directory(entries)) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten().map(|(name, id)| (name.as_slice(), *id))
    }

    /// The inode at a path relative to the root, without following any link; the root itself is the empty path.
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<NodeId> {
        let mut here = self.root;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match &self.node(here)?.form {
                Form::Directory(entries) => here = *entries.get(name)?,
                _ => return None,
            }
        }
        Some(here)
    }

    /// Every path with its inode, the root as the empty path first, in byte order within each directory.
    #[must_use]
    pub fn paths(&self) -> Vec<(Vec<u8>, NodeId)> {
        let mut paths = vec![(Vec::new(), self.root)];
        let mut next = 0;
        while let Some((path, id)) = paths.get(next) {
            let (path, id) = (path.clone(), *id);
            for (name, child) in self.children(id) {
                let mut below = path.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(name);
                paths.push((below, child));
            }
            next += 1;
        }
        paths
    }

    /// What it consists of.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut seen = vec![false; self.nodes.len()];
        let mut figures = Figures { names: 0, inodes: 0, devices: 0 };
        let mut todo = vec![self.root];
        while let Some(id) = todo.pop() {
            figures.names += 1;
            let Some(node) = self.node(id) else { continue };
            if matches!(node.form, Form::CharacterDevice(_) | Form::BlockDevice(_)) {
                figures.devices += 1;
            }
            if let Some(seen) = seen.get_mut(id.0 as usize).filter(|seen| !**seen) {
                *seen = true;
                figures.inodes += 1;
            }
            todo.extend(self.children(id).map(|(_, child)| child));
        }
        figures
    }

    /// Every inode that is or was in the tree.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }
}
