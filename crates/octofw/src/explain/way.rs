//! Finding paths in a tree: the links on the way, and what is there.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::rootfs::snapshot::{Kind, shown};
use crate::rootfs::watch::State;
use crate::squashfs::Tree;
use crate::squashfs::tree::{Form, Node, NodeId};

/// Links that are followed before a chain counts as a loop, as in Linux.
const MOST_LINKS: usize = 40;

/// A link on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The link, from the root on.
    pub path: String,
    /// Where it points.
    pub target: String,
}

/// The way to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) links: Vec<Link>,
    /// Relative to the root, without any link above its last part; also where nothing is there.
    pub(super) path: String,
}

/// A tree with nothing in it, for a root that cannot be read.
pub(super) fn no_tree() -> Tree {
    let form = Form::Directory(BTreeMap::new());
    Tree::new(Node { mode: 0o755, uid: 0, gid: 0, modified: 0, xattrs: None, form })
}

/// The way to a path, its last part not followed.
pub(super) fn to(tree: &Tree, path: &str) -> Way {
    follow(tree, path, false)
}

/// Where a link leads in the end; none if nothing is there.
pub(super) fn end(tree: &Tree, path: &str) -> Option<String> {
    let way = follow(tree, path, true);
    find(tree, &way.path).filter(|node| !matches!(node.form, Form::Link(_))).map(|_| way.path)
}

fn follow(tree: &Tree, path: &str, last_too: bool) -> Way {
    let mut todo: VecDeque<Vec<u8>> = parts(path.as_bytes());
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut links = Vec::new();
    while let Some(name) = todo.pop_front() {
        if name == b".." {
            done.pop();
            continue;
        }
        done.push(name);
        let here = done.join(&b'/');
        let Some(Form::Link(target)) = tree.find(&here).and_then(|id| tree.node(id)).map(|node| &node.form)
        else {
            continue;
        };
        if links.len() == MOST_LINKS || (todo.is_empty() && !last_too) {
            continue;
        }
        links.push(Link { path: format!("/{}", shown(&here)), target: shown(target) });
        done.pop();
        if target.starts_with(b"/") {
            done.clear();
        }
        for part in parts(target).into_iter().rev() {
            todo.push_front(part);
        }
    }
    Way { links, path: String::from_utf8_lossy(&done.join(&b'/')).into_owned() }
}

fn parts(path: &[u8]) -> VecDeque<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    parts.map(<[u8]>::to_vec).collect()
}

/// What is at a path.
pub(super) fn find<'a>(tree: &'a Tree, path: &str) -> Option<&'a Node> {
    tree.find(path.as_bytes()).and_then(|id| tree.node(id))
}

pub(super) fn is_directory(tree: &Tree, path: &str) -> bool {
    find(tree, path).is_some_and(|node| matches!(node.form, Form::Directory(_)))
}

/// Every path, from the root on.
pub(super) fn paths(tree: &Tree) -> impl Iterator<Item = String> {
    tree.paths().into_iter().map(|(path, _)| format!("/{}", shown(&path)))
}

/// The other names of the file at a path, from the root on.
pub(super) fn names(tree: &Tree, path: &str) -> Vec<String> {
    let Some(id) = tree.find(path.as_bytes()) else { return Vec::new() };
    let same = |(other, known): &(Vec<u8>, NodeId)| *known == id && other != path.as_bytes();
    tree.paths().into_iter().filter(same).map(|(other, _)| format!("/{}", shown(&other))).collect()
}

/// How many paths are below a directory, and how many bytes their files have, each counted once; none where it is no
/// directory.
pub(super) fn below(tree: &Tree, path: &str) -> Option<(usize, u64)> {
    let folder = tree.find(path.as_bytes())?;
    if !matches!(tree.node(folder)?.form, Form::Directory(_)) {
        return None;
    }
    let mut seen = std::collections::BTreeSet::new();
    let (mut paths, mut bytes) = (0, 0u64);
    let mut todo = vec![folder];
    while let Some(id) = todo.pop() {
        for (_, child) in tree.children(id) {
            paths += 1;
            if let Some(Form::File(stored)) = tree.node(child).map(|node| &node.form)
                && seen.insert(child)
            {
                bytes = bytes.saturating_add(stored.size);
            }
            todo.push(child);
        }
    }
    Some((paths, bytes))
}

/// What an inode is.
pub(super) fn state(node: &Node) -> State {
    let (mut size, mut target, mut device) = (None, None, None);
    let numbers = |number: u32| {
        let (major, minor) = crate::rootfs::splicing::device(number);
        Some(format!("{major}:{minor}"))
    };
    let kind = match &node.form {
        Form::Directory(_) => Kind::Directory,
        Form::File(stored) => {
            size = Some(stored.size);
            Kind::File
        }
        Form::Link(to) => {
            target = Some(shown(to));
            Kind::Link
        }
        Form::CharacterDevice(number) => {
            device = numbers(*number);
            Kind::CharacterDevice
        }
        Form::BlockDevice(number) => {
            device = numbers(*number);
            Kind::BlockDevice
        }
        Form::Fifo => Kind::Fifo,
        Form::Socket => Kind::Socket,
    };
    let (owner, mode) = (format!("{}:{}", node.uid, node.gid), format!("{:04o}", node.mode));
    State { kind, owner, mode, size, target, device }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::squashfs::tree::Stored;

    fn tree() -> Tree {
        let node = |form| Node { mode: 0o755, uid: 0, gid: 0, modified: 0, xattrs: None, form };
        let mut tree = no_tree();
        for folder in ["usr", "usr/bin", "etc"] {
            tree.make_directory(folder.as_bytes(), node(Form::Directory(BTreeMap::new()))).unwrap();
        }
        for (link, target) in
            [("bin", "usr/bin"), ("etc/tool", "/bin/tool"), ("a", "b"), ("b", "a"), ("etc/gone", "../none")]
        {
            tree.make(link.as_bytes(), node(Form::Link(target.into()))).unwrap();
        }
        let tool =
            tree.make(b"usr/bin/tool", node(Form::File(Stored { size: 7, ..Stored::default() }))).unwrap();
        tree.link(b"usr/bin/other", tool).unwrap();
        tree
    }

    #[test]
    fn links_on_the_way_are_followed_and_told() {
        let tree = tree();
        let cases = [
            ("/usr/bin/tool", "usr/bin/tool", 0),
            ("bin/tool", "usr/bin/tool", 1),
            ("/bin", "bin", 0),
            ("/etc/tool", "etc/tool", 0),
            ("/etc/tool/x", "usr/bin/tool/x", 2),
            ("/etc/../bin/./tool", "usr/bin/tool", 1),
            ("/a/x", "a/x", MOST_LINKS),
            ("/", "", 0),
        ];
        for (path, expected, links) in cases {
            let way = to(&tree, path);
            assert_eq!((way.path.as_str(), way.links.len()), (expected, links), "{path}");
        }
        assert_eq!(end(&tree, "etc/tool").as_deref(), Some("usr/bin/tool"));
        assert_eq!((end(&tree, "etc/gone"), end(&tree, "a")), (None, None));
    }

    #[test]
    fn a_folder_counts_each_file_once() {
        let tree = tree();
        assert_eq!(below(&tree, "usr"), Some((3, 7)));
        assert_eq!(below(&tree, "usr/bin/tool"), None);
        assert_eq!(below(&tree, ""), Some((10, 7)));
        assert_eq!(names(&tree, "usr/bin/tool"), ["/usr/bin/other"]);
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[ab./u]{0,12}") {
            let tree = tree();
            to(&tree, &path);
            end(&tree, &path);
        }
    }
}
