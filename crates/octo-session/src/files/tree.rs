//! The tree of a directory, level by level, so that a limit cuts off what lies deep and not what comes late.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rustix::fs::FileType;
use serde::Serialize;

use super::inside::Inside;
use super::jail::{self, Jail, Links};
use super::refusal::Refusal;
use super::settings::Limits;

/// How names of our own unfinished files begin.
pub(crate) const UNFINISHED: &[u8] = b".upload-";

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) path: String,
    /// The path for a query, where its bytes are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_encoded: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Seconds since 1970.
    modified: i64,
    /// Octal, four digits.
    mode: String,
    executable: bool,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) children: Option<Vec<Node>>,
    /// Not all of the directory is shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) truncated: bool,
}

/// What of a tree is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Levels of entries.
    pub(crate) depth: usize,
    /// Documents only, in one list.
    pub(crate) simple: bool,
    /// Also what the settings hide.
    pub(crate) show_hidden: bool,
}

/// The entries of a directory.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// Entries of the directory itself are left out.
    pub(crate) truncated: bool,
}

struct Entry {
    node: Node,
    at: Inside,
    children: Option<Vec<usize>>,
}

/// Lists what lies in `top`.
pub(crate) fn list(jail: &Jail, top: &Inside, wanted: Wanted, limits: &Limits) -> Result<Tree, Refusal> {
    let mut entries: Vec<Entry> = Vec::new();
    let (first, mut truncated) = level(jail, top, wanted, limits, limits.max_entries)?;
    let mut todo = VecDeque::new();
    let top_count = first.len();
    for entry in first {
        todo.push_back((entries.len(), 1));
        entries.push(entry);
    }
    while let Some((index, depth)) = todo.pop_front() {
        let Some(entry) = entries.get(index) else { break };
        if entry.node.kind != "directory" || depth >= wanted.depth {
            continue;
        }
        let room = limits.max_entries.saturating_sub(entries.len());
        // What vanished meanwhile or may not be read is a directory without entries.
        let (inner, cut) = level(jail, &entry.at.clone(), wanted, limits, room).unwrap_or_default();
        truncated |= cut && wanted.simple;
        let numbers: Vec<usize> = (entries.len()..entries.len() + inner.len()).collect();
        todo.extend(numbers.iter().map(|&number| (number, depth + 1)));
        entries.extend(inner);
        if let Some(entry) = entries.get_mut(index) {
            entry.node.truncated = cut;
            entry.children = Some(numbers);
        }
    }
    if wanted.simple {
        let mut nodes: Vec<Node> =
            entries.into_iter().map(|entry| entry.node).filter(|node| is_document(node, limits)).collect();
        nodes.sort_by(|a, b| {
            a.path.to_lowercase().cmp(&b.path.to_lowercase()).then_with(|| a.path.cmp(&b.path))
        });
        return Ok(Tree { nodes, truncated });
    }
    Ok(Tree { nodes: nested(entries, top_count), truncated })
}

/// Puts children into their directories. They come after them, so the last are put away first.
fn nested(mut entries: Vec<Entry>, top_count: usize) -> Vec<Node> {
    let mut done: Vec<Option<Node>> = entries.iter().map(|_| None).collect();
    while let Some(mut entry) = entries.pop() {
        if let Some(numbers) = entry.children {
            let children = numbers.iter().filter_map(|&number| done.get_mut(number).and_then(Option::take));
            entry.node.children = Some(children.collect());
        }
        if let Some(place) = done.get_mut(entries.len()) {
            *place = Some(entry.node);
        }
    }
    done.into_iter().take(top_count).flatten().collect()
}

/// One directory's entries, sorted, and whether some are left out.
fn level(
    jail: &Jail,
    at: &Inside,
    wanted: Wanted,
    limits: &Limits,
    room: usize,
) -> Result<(Vec<Entry>, bool), Refusal> {
    let folder = jail.folder_by(at, Links::Follow)?;
    let system = |errno| Refusal::system(errno, at);
    let (names, cut) = jail::names(&folder, room).map_err(system)?;
    let mut entries = Vec::new();
    for name in names {
        // It may vanish while we look.
        let Ok(status) = jail::status(&folder, &name) else { continue };
        let kind = jail::kind(&status);
        if is_unfinished(&name) || (!wanted.show_hidden && is_hidden(&name, kind, limits)) {
            continue;
        }
        let target = match kind {
            FileType::Symlink => jail::target(&folder, &name).ok(),
            _ => None,
        };
        let path = at.join(&name);
        let mode = jail::permissions(&status);
        let node = Node {
            name: name.to_string_lossy().into_owned(),
            path: path.to_string(),
            path_encoded: encoded(&path),
            kind: kind_word(kind),
            size: (kind == FileType::RegularFile).then(|| jail::size(&status)),
            modified: status.st_mtime,
            mode: format!("{mode:04o}"),
            executable: kind == FileType::RegularFile && mode & 0o111 != 0,
            target: target.map(|target| target.to_string_lossy().into_owned()),
            children: None,
            truncated: false,
        };
        entries.push(Entry { node, at: path, children: None });
    }
    entries.sort_by_cached_key(|entry| {
        (entry.node.kind != "directory", entry.node.name.to_lowercase(), entry.at.clone())
    });
    Ok((entries, cut))
}

fn encoded(path: &Inside) -> Option<String> {
    let bytes = path.as_bytes();
    std::str::from_utf8(bytes).is_err().then(|| percent_encode(bytes, NON_ALPHANUMERIC).to_string())
}

/// What the answers call a kind of file.
pub(crate) fn kind_word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        _ => "other",
    }
}

/// Whether it is an upload that is under way.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    name.as_bytes().starts_with(UNFINISHED)
}

fn is_hidden(name: &OsStr, kind: FileType, limits: &Limits) -> bool {
    let name = name.as_bytes();
    match kind {
        FileType::Directory => limits.hidden_dirs.iter().any(|hidden| hidden.as_bytes() == name),
        _ => limits.hidden_extensions.iter().any(|ending| name.ends_with(ending.as_bytes())),
    }
}

fn is_document(node: &Node, limits: &Limits) -> bool {
    let name = node.name.to_lowercase();
    node.kind == "file" && limits.office_extensions.iter().any(|ending| name.ends_with(ending.as_str()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn place() -> (tempfile::TempDir, Jail) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::fs::create_dir_all(root.join("etc/init.d")).unwrap();
        std::fs::create_dir_all(root.join(".git/objects")).unwrap();
        std::fs::write(root.join("etc/init.d/S50"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(root.join("etc/init.d/S50"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        std::fs::write(root.join("b.md"), "").unwrap();
        std::fs::write(root.join("A.so"), "").unwrap();
        std::fs::write(root.join(".gitignore"), "").unwrap();
        std::fs::write(root.join(".upload-1"), "").unwrap();
        symlink("/dev/null", root.join("zero")).unwrap();
        let jail = Jail::open(root).unwrap();
        (place, jail)
    }

    const ALL: Wanted = Wanted { depth: 20, simple: false, show_hidden: false };

    #[test]
    fn directories_come_first_and_nothing_but_git_is_hidden() {
        let (_place, jail) = place();
        let tree = list(&jail, &Inside::root(), ALL, &Limits::default()).unwrap();
        let names: Vec<&str> = tree.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["etc", ".gitignore", "A.so", "b.md", "zero"]);
        let script = &tree.nodes[0].children.as_ref().unwrap()[0].children.as_ref().unwrap()[0];
        assert_eq!(
            (script.path.as_str(), script.mode.as_str(), script.executable),
            ("etc/init.d/S50", "0755", true)
        );
        assert_eq!((tree.nodes[4].kind, tree.nodes[4].target.as_deref()), ("symlink", Some("/dev/null")));
        assert!(!tree.truncated);
        let all =
            list(&jail, &Inside::root(), Wanted { show_hidden: true, ..ALL }, &Limits::default()).unwrap();
        assert_eq!(all.nodes[0].name, ".git");
    }

    #[test]
    fn below_the_depth_there_are_no_children() {
        let (_place, jail) = place();
        let tree = list(&jail, &Inside::root(), Wanted { depth: 1, ..ALL }, &Limits::default()).unwrap();
        assert_eq!(tree.nodes[0].children, None);
        let text = serde_json::to_string(&tree.nodes[0]).unwrap();
        assert!(!text.contains("children") && !text.contains("truncated"), "{text}");
    }

    #[test]
    fn a_limit_cuts_the_deep_and_says_so() {
        let (place, jail) = place();
        for number in 0..20 {
            std::fs::write(place.path().join(format!("etc/init.d/{number}")), "").unwrap();
        }
        let limits = Limits { max_entries: 10, ..Limits::default() };
        let tree = list(&jail, &Inside::root(), ALL, &limits).unwrap();
        assert!(!tree.truncated && !tree.nodes[0].truncated);
        let deep = &tree.nodes[0].children.as_ref().unwrap()[0];
        assert!(deep.truncated && deep.children.as_ref().unwrap().len() < 10);
        let tiny = Limits { max_entries: 2, ..Limits::default() };
        assert!(list(&jail, &Inside::root(), ALL, &tiny).unwrap().truncated);
    }

    #[test]
    fn a_simple_tree_is_a_list_of_documents() {
        let (_place, jail) = place();
        let tree = list(&jail, &Inside::root(), Wanted { simple: true, ..ALL }, &Limits::default()).unwrap();
        let paths: Vec<&str> = tree.nodes.iter().map(|node| node.path.as_str()).collect();
        assert_eq!(paths, ["b.md"]);
    }

    #[test]
    fn names_that_are_no_text_can_be_asked_for() {
        let (place, jail) = place();
        std::fs::write(place.path().join(OsStr::from_bytes(b"x\xff")), "").unwrap();
        let tree = list(&jail, &Inside::root(), ALL, &Limits::default()).unwrap();
        let node = tree.nodes.iter().find(|node| node.name.starts_with('x')).unwrap();
        assert_eq!(node.path_encoded.as_deref(), Some("x%FF"));
    }
}
