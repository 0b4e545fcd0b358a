//! The fast and the full path give equal trees, over the large base too.

use std::collections::HashMap;
use std::path::Path;

use octofw::container::SourceFile;
use octofw::image::{Image, ROOTFS};
use octofw::squashfs::tree::{Form, Node, NodeId};
use octofw::squashfs::{Comparison, Filesystem, Tree};

/// Holds every inode of two images' roots against each other: type, mode, owner, time, links and content.
pub(crate) fn prove(one: &Path, other: &Path) {
    let (one, other) = (open(one), open(other));
    let (here, there) = (tree(&one), tree(&other));
    let (paths, others) = (sorted(&here), sorted(&there));
    assert_eq!(paths.len(), others.len(), "other paths");
    let mut contents = Comparison::new(&one, &other);
    let mut pairs: HashMap<NodeId, NodeId> = HashMap::new();
    for ((path, id), (other_path, other_id)) in paths.iter().zip(&others) {
        let shown = path.escape_ascii();
        assert_eq!(path, other_path);
        let known = pairs.insert(*id, *other_id);
        assert!(known.is_none_or(|known| known == *other_id), "{shown}: other links");
        if known.is_some() {
            continue;
        }
        let (a, b) = (here.node(*id).unwrap(), there.node(*other_id).unwrap());
        let facts = |node: &Node| (node.mode, node.uid, node.gid, node.modified);
        assert_eq!(facts(a), facts(b), "{shown}");
        let same = match (&a.form, &b.form) {
            (Form::Directory(_), Form::Directory(_)) => true,
            (Form::File(a), Form::File(b)) => contents.is_same(a, b).unwrap(),
            (a, b) => a == b,
        };
        assert!(same, "{shown}: another content");
    }
    assert_eq!(here.figures(), there.figures());
    println!("fast and full path: {} inodes are equal", pairs.len());
}

fn open(image: &Path) -> Filesystem {
    let at = Image::read(image).unwrap().span_of(ROOTFS).unwrap();
    Filesystem::open_at(SourceFile::open(image).unwrap(), at).unwrap()
}

fn tree(filesystem: &Filesystem) -> Tree {
    filesystem.tree().unwrap()
}

fn sorted(tree: &Tree) -> Vec<(Vec<u8>, NodeId)> {
    let mut paths = tree.paths();
    paths.sort();
    paths
}
