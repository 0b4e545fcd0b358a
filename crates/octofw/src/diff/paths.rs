//! Paths that one root has and the other has not, or that differ in kind, mode, owner, time or content.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::DiffError;
use super::root::Root;
use crate::squashfs::Comparison;
use crate::squashfs::tree::{Form, Node, NodeId};

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathChange {
    /// The path, from the root on; what is no UTF-8 in it is shown as `\xNN`.
    pub path: String,
    /// What it is in the first; `null` where it is not there.
    pub a: Option<Facts>,
    /// What it is in the second.
    pub b: Option<Facts>,
    /// How the contents of two regular files compare.
    pub content: Content,
    /// Whether its inode has other names in the second.
    #[serde(skip)]
    pub names_differ: bool,
}

/// How the contents of a path compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Not both are regular files.
    None,
    /// They contain the same.
    Same,
    /// They contain something else.
    Differs,
}

/// What an inode says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// `file`, `directory`, `link`, `character device`, `block device`, `fifo` or `socket`.
    pub kind: &'static str,
    /// Permission bits with setuid, setgid and sticky, in octal.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, in seconds since 1970.
    pub modified: u32,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `MAJOR:MINOR` of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Further names of the same inode, the first 16 in byte order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// How many further names there are besides.
    #[serde(skip_serializing_if = "is_none")]
    pub more_links: usize,
}

/// Most further names that are told: a file that has thousands would have each told with all others.
const MOST_NAMES: usize = 16;

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// Every path that differs, in byte order. Folders whose time alone differs are left out: any change in one changes it.
pub(super) fn compare(a: &Root, b: &Root) -> Result<Vec<PathChange>, DiffError> {
    let (one, other) = (Paths::of(a), Paths::of(b));
    let all: BTreeSet<&Vec<u8>> = one.ids.keys().chain(other.ids.keys()).collect();
    let mut contents = Comparison::new(&a.filesystem, &b.filesystem);
    let mut known: BTreeMap<(NodeId, NodeId), (Content, bool)> = BTreeMap::new();
    let mut changes = Vec::new();
    for path in all {
        let (id, there) = (one.ids.get(path).copied(), other.ids.get(path).copied());
        let facts = |root: &Root, paths: &Paths, id: Option<NodeId>| {
            id.and_then(|id| Some(Facts::of(root.tree.node(id)?, paths.others(id, path))))
        };
        let (content, names_differ) = match (id, there) {
            (Some(id), Some(there)) => match known.get(&(id, there)) {
                Some(known) => *known,
                None => {
                    let content = content(a, b, id, there, &mut contents)?;
                    let found = (content, one.names(id) != other.names(there));
                    known.insert((id, there), found);
                    found
                }
            },
            _ => (Content::None, false),
        };
        let (a, b) = (facts(a, &one, id), facts(b, &other, there));
        let change = PathChange { path: from_root(path), a, b, content, names_differ };
        if change.matters() {
            changes.push(change);
        }
    }
    Ok(changes)
}

fn content(
    a: &Root,
    b: &Root,
    id: NodeId,
    there: NodeId,
    contents: &mut Comparison<'_>,
) -> Result<Content, DiffError> {
    let stored = |root: &'_ Root, id| match root.tree.node(id).map(|node| node.form.clone()) {
        Some(Form::File(stored)) => Some(stored),
        _ => None,
    };
    match (stored(a, id), stored(b, there)) {
        (Some(one), Some(other)) => Ok(Content::of(contents.is_same(&one, &other)?)),
        _ => Ok(Content::None),
    }
}

impl Content {
    fn of(same: bool) -> Self {
        if same { Self::Same } else { Self::Differs }
    }
}

impl PathChange {
    /// Whether it is a regular file on both sides, or on that where it is.
    pub(super) fn is_file(&self) -> bool {
        [&self.a, &self.b].into_iter().flatten().all(|facts| facts.kind == FILE)
    }

    fn matters(&self) -> bool {
        let (Some(a), Some(b)) = (&self.a, &self.b) else { return true };
        if self.content == Content::Differs || self.names_differ {
            return true;
        }
        match a.kind == DIRECTORY && b.kind == DIRECTORY {
            true => Facts { modified: 0, ..a.clone() } != Facts { modified: 0, ..b.clone() },
            false => a != b,
        }
    }
}

const FILE: &str = "file";
const DIRECTORY: &str = "directory";

impl Facts {
    fn of(node: &Node, (links, more_links): (Vec<String>, usize)) -> Self {
        let (mut size, mut target, mut device) = (None, None, None);
        let numbers = |device: u32| {
            // The kernel's way of packing both numbers into 32 bits.
            let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0x000f_ff00));
            Some(format!("{major}:{minor}"))
        };
        let kind = match &node.form {
            Form::Directory(_) => DIRECTORY,
            Form::File(stored) => {
                size = Some(stored.size);
                FILE
            }
            Form::Link(to) => {
                target = Some(shown(to));
                "link"
            }
            Form::CharacterDevice(number) => {
                device = numbers(*number);
                "character device"
            }
            Form::BlockDevice(number) => {
                device = numbers(*number);
                "block device"
            }
            Form::Fifo => "fifo",
            Form::Socket => "socket",
        };
        let mode = format!("{:04o}", node.mode);
        Self {
            kind,
            mode,
            uid: node.uid,
            gid: node.gid,
            modified: node.modified,
            size,
            target,
            device,
            links,
            more_links,
        }
    }
}

/// Every path of a root, and every name of each inode.
struct Paths {
    ids: BTreeMap<Vec<u8>, NodeId>,
    names: BTreeMap<NodeId, Vec<Vec<u8>>>,
}

impl Paths {
    fn of(root: &Root) -> Self {
        let ids: BTreeMap<_, _> = root.tree.paths().into_iter().collect();
        let mut names: BTreeMap<NodeId, Vec<Vec<u8>>> = BTreeMap::new();
        for (path, id) in &ids {
            names.entry(*id).or_default().push(path.clone());
        }
        Self { ids, names }
    }

    /// Every name of an inode, in byte order.
    fn names(&self, id: NodeId) -> &[Vec<u8>] {
        self.names.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first other names of an inode, and how many more there are.
    fn others(&self, id: NodeId, path: &[u8]) -> (Vec<String>, usize) {
        let names = self.names(id);
        let others = names.iter().filter(|name| *name != path);
        let shown: Vec<String> = others.take(MOST_NAMES).map(|name| from_root(name)).collect();
        let more = names.len().saturating_sub(1 + shown.len());
        (shown, more)
    }
}

/// A path from the root on.
fn from_root(path: &[u8]) -> String {
    format!("/{}", shown(path))
}

/// A path for people and for JSON: what is no plain text is shown as `\xNN`.
fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter.is_control() {
                true => text.extend(letter.to_string().bytes().map(|byte| format!("\\x{byte:02x}"))),
                false => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}
