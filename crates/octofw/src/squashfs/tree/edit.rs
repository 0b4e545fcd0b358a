//! Changing a tree. Every change leaves it a tree: names are fit, parents are directories, nothing holds itself.

use std::collections::BTreeMap;

use super::{Form, Node, NodeId, Tree};

/// Longest name, as in Linux.
const MOST_NAME: usize = 255;

/// Why a tree could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The path cannot be a name in a directory.
    #[error("\"{}\" is no path below the root", path.escape_ascii())]
    Path {
        /// The path.
        path: Vec<u8>,
    },
    /// Where the path should be, is no directory.
    #[error("there is no directory for \"{}\"", path.escape_ascii())]
    NoParent {
        /// The path.
        path: Vec<u8>,
    },
    /// A directory can have one name only, and is made by [`Tree::make_directory`].
    #[error("\"{}\" cannot name a directory that is there already", path.escape_ascii())]
    Directory {
        /// The path.
        path: Vec<u8>,
    },
    /// There are more inodes than a squashfs can have.
    #[error("there are too many inodes")]
    Full,
}

impl Tree {
    /// A tree of nothing but its root directory.
    #[must_use]
    pub fn new(mut root: Node) -> Self {
        root.form = Form::Directory(BTreeMap::new());
        Self { nodes: vec![root], root: NodeId(0) }
    }

    /// An inode, to change its mode, owner, time or content.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// Makes an empty directory, in place of what had that name before.
    ///
    /// # Errors
    /// When the path is unfit or its parent is no directory.
    pub fn make_directory(&mut self, path: &[u8], mut node: Node) -> Result<NodeId, EditError> {
        node.form = Form::Directory(BTreeMap::new());
        let id = self.add(node)?;
        self.name(path, id)?;
        Ok(id)
    }

    /// Makes anything but a directory, in place of what had that name before.
    ///
    /// # Errors
    /// When the path is unfit, its parent is no directory, or it is a directory.
    pub fn make(&mut self, path: &[u8], node: Node) -> Result<NodeId, EditError> {
        if matches!(node.form, Form::Directory(_)) {
            return Err(EditError::Directory { path: path.to_owned() });
        }
        let id = self.add(node)?;
        self.name(path, id)?;
        Ok(id)
    }

    /// Gives an inode a further name (a hard link), in place of what had that name before.
    ///
    /// # Errors
    /// When the path is unfit, its parent is no directory, or the inode is a directory.
    pub fn link(&mut self, path: &[u8], id: NodeId) -> Result<(), EditError> {
        match self.node(id).map(|node| &node.form) {
            None | Some(Form::Directory(_)) => Err(EditError::Directory { path: path.to_owned() }),
            Some(_) => self.name(path, id),
        }
    }

    /// Takes a name away, with everything below it; whether there was one.
    ///
    /// # Errors
    /// When the path is unfit.
    pub fn remove(&mut self, path: &[u8]) -> Result<bool, EditError> {
        let (parent, name) = match self.place(path) {
            Err(EditError::NoParent { .. }) => return Ok(false),
            place => place?,
        };
        match self.node_mut(parent).map(|node| &mut node.form) {
            Some(Form::Directory(entries)) => Ok(entries.remove(&name).is_some()),
            _ => Ok(false),
        }
    }

    fn place(&self, path: &[u8]) -> Result<(NodeId, Vec<u8>), EditError> {
        let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (path.get(..slash), path.get(slash + 1..)),
            None => (Some([].as_slice()), Some(path)),
        };
        let name =
            name.filter(|name| is_name(name)).ok_or_else(|| EditError::Path { path: path.to_owned() })?;
        let parent = parent.and_then(|parent| self.find(parent));
        let parent = parent.ok_or_else(|| EditError::NoParent { path: path.to_owned() })?;
        Ok((parent, name.to_owned()))
    }

    fn add(&mut self, node: Node) -> Result<NodeId, EditError> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| EditError::Full)?;
        self.nodes.push(node);
        Ok(NodeId(id))
    }

    fn name(&mut self, path: &[u8], id: NodeId) -> Result<(), EditError> {
        let (parent, name) = self.place(path)?;
        match self.node_mut(parent).map(|node| &mut node.form) {
            Some(Form::Directory(entries)) => {
                entries.insert(name, id);
                Ok(())
            }
            _ => Err(EditError::NoParent { path: path.to_owned() }),
        }
    }

    /// Every directory that has a name, parents before what they hold.
    pub(in crate::squashfs) fn directories(&self) -> Vec<NodeId> {
        let mut folders = vec![self.root];
        let mut next = 0;
        while let Some(id) = folders.get(next).copied() {
            let below = self.children(id).map(|(_, child)| child);
            let below: Vec<NodeId> = below
                .filter(|child| matches!(self.node(*child).map(|node| &node.form), Some(Form::Directory(_))))
                .collect();
            folders.extend(below);
            next += 1;
        }
        folders
    }
}

/// Whether these bytes can be a name in a directory.
pub(super) fn is_name(name: &[u8]) -> bool {
    let plain = !name.iter().any(|byte| matches!(byte, b'/' | 0));
    plain && (1..=MOST_NAME).contains(&name.len()) && name != b"." && name != b".."
}
