//! Turns a recipe (table, tree, applet list) and the BusyBox program into the entries of a root, and refuses
//! what does not fit together. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::noise::Noise;
use super::table::{self, Kind, Line, Only, Owner};
use super::{Generation, Size, StandinError, file_error};

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Link(String),
    /// A further name of the file at this path.
    Hard(String),
    /// A character device.
    CharDevice(u32, u32),
    /// A block device.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// An entry of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permissions and owner; of a symbolic link 0777 and root, of a hard link those of its file.
    pub owner: Owner,
    /// What it is.
    pub content: Content,
}

/// The entries of a root by absolute path, complete: every parent is there as a directory.
pub type Entries = BTreeMap<String, Entry>;

/// What comes out of BusyBox's package.
#[derive(Debug, Clone, Default)]
pub struct BusyBox {
    /// The program.
    pub program: Vec<u8>,
    /// The fields that dpkg would keep of the package.
    pub control: Vec<u8>,
    /// The copyright file.
    pub copyright: Vec<u8>,
}

/// Assembles the root of a recipe directory.
///
/// # Errors
/// When a file of the recipe cannot be read, or the recipe contradicts itself.
pub fn assemble(
    recipe: &Path,
    busybox: &BusyBox,
    size: Size,
    generation: Generation,
) -> Result<Entries, StandinError> {
    let path = recipe.join("table");
    let text = fs::read_to_string(&path).map_err(file_error("read", &path))?;
    let lines = table::parse(&text).map_err(|source| StandinError::Table { path: path.clone(), source })?;
    let wrong = |line: &Line, reason: String| StandinError::Table {
        path: path.clone(),
        source: table::TableError { line: line.number, reason },
    };

    let tree = recipe.join("tree");
    every_file_is_named(&tree, &lines)?;
    let mut entries = Entries::new();
    for line in lines.iter().filter(|line| counts(line.only, size, generation)) {
        for (path, entry) in entries_of(line, recipe, &tree, busybox)? {
            if entries.insert(path.clone(), entry).is_some() {
                return Err(wrong(line, format!("{path} is there already")));
            }
        }
    }
    fit_together(&mut entries).map_err(|reason| StandinError::Recipe { path, reason })?;
    Ok(entries)
}

fn counts(only: Only, size: Size, generation: Generation) -> bool {
    match only {
        Only::Always => true,
        Only::V1_0 => generation == Generation::V1_0,
        Only::V1_1 => generation == Generation::V1_1,
        Only::Padded => size == Size::Padded,
    }
}

fn entries_of(
    line: &Line,
    recipe: &Path,
    tree: &Path,
    busybox: &BusyBox,
) -> Result<Vec<(String, Entry)>, StandinError> {
    const ANY: Owner = Owner { mode: 0o777, uid: 0, gid: 0 };
    let (owner, content) = match &line.kind {
        Kind::Directory(owner) => (*owner, Content::Directory),
        Kind::File(owner, source) => {
            let path = tree.join(source);
            (*owner, Content::File(fs::read(&path).map_err(file_error("read", &path))?))
        }
        Kind::Text(owner, text) => (*owner, Content::File(format!("{text}\n").into_bytes())),
        Kind::Data(owner, size, label) => {
            let mut bytes = Vec::new();
            let read = Noise::of(label).take(*size).read_to_end(&mut bytes);
            read.map_err(file_error("make", Path::new(&line.path)))?;
            (*owner, Content::File(bytes))
        }
        Kind::BusyBox(owner) => (*owner, Content::File(busybox.program.clone())),
        Kind::Control(owner) => (*owner, Content::File(busybox.control.clone())),
        Kind::Copyright(owner) => (*owner, Content::File(busybox.copyright.clone())),
        Kind::Applets(list) => return applets(&recipe.join(list), &line.path, &busybox.program),
        Kind::CharDevice(owner, major, minor) => (*owner, Content::CharDevice(*major, *minor)),
        Kind::BlockDevice(owner, major, minor) => (*owner, Content::BlockDevice(*major, *minor)),
        Kind::Fifo(owner) => (*owner, Content::Fifo),
        Kind::Link(target) => (ANY, Content::Link(target.clone())),
        Kind::Hard(target) => (ANY, Content::Hard(target.clone())),
    };
    Ok(vec![(line.path.clone(), Entry { owner, content })])
}

/// Hard links for the applets of a list (absolute paths, one per line) that this BusyBox has. Another release
/// of Debian builds it with a few more or less.
fn applets(list: &Path, target: &str, busybox: &[u8]) -> Result<Vec<(String, Entry)>, StandinError> {
    let text = fs::read_to_string(list).map_err(file_error("read", list))?;
    let strings: BTreeSet<&[u8]> = busybox.split(|byte| *byte == 0).collect();
    let owner = Owner { mode: 0o777, uid: 0, gid: 0 };
    let mut links = Vec::new();
    for path in text.lines().filter(|path| !path.is_empty()) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if strings.contains(name.as_bytes()) {
            links.push((path.to_owned(), Entry { owner, content: Content::Hard(target.to_owned()) }));
        }
    }
    Ok(links)
}

/// A file of the tree that no line names would silently be missing in the image.
fn every_file_is_named(tree: &Path, lines: &[Line]) -> Result<(), StandinError> {
    let named: BTreeSet<PathBuf> = lines
        .iter()
        .filter_map(|line| match &line.kind {
            Kind::File(_, source) => Some(tree.join(source)),
            _ => None,
        })
        .collect();
    let mut open = vec![tree.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(file_error("list", &directory))? {
            let path = entry.map_err(file_error("list", &directory))?.path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if !named.contains(&path) {
                let reason = "no line of the table names it".to_owned();
                return Err(StandinError::Recipe { path, reason });
            }
        }
    }
    Ok(())
}

/// Every parent is a directory, every hard link leads to a file and has its owner.
fn fit_together(entries: &mut Entries) -> Result<(), String> {
    for path in entries.keys() {
        let parent = match path.rsplit_once('/') {
            Some((_, "")) => continue,
            Some(("", _)) | None => "/",
            Some((parent, _)) => parent,
        };
        if entries.get(parent).map(|entry| &entry.content) != Some(&Content::Directory) {
            return Err(format!("{path} stands in {parent}, which is no directory of the table"));
        }
    }
    if !entries.contains_key("/") {
        return Err("there is no line for /".to_owned());
    }
    let mut owners = Vec::new();
    for (path, entry) in entries.iter() {
        if let Content::Hard(target) = &entry.content {
            match entries.get(target) {
                Some(Entry { owner, content: Content::File(_) }) => owners.push((path.clone(), *owner)),
                _ => return Err(format!("{path} is a hard link to {target}, which is no file of the table")),
            }
        }
    }
    for (path, owner) in owners {
        if let Some(entry) = entries.get_mut(&path) {
            entry.owner = owner;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::whole;

    /// Paths below the recipe with their contents.
    type Files<'a> = &'a [(&'a str, &'a str)];

    fn recipe(table: &str, files: Files<'_>) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("tree")).unwrap();
        fs::write(directory.path().join("table"), table).unwrap();
        for (path, content) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        directory
    }

    fn made(table: &str, files: Files<'_>) -> Result<Entries, StandinError> {
        let busybox = BusyBox { program: b"x\0sh\0awk\0".to_vec(), ..BusyBox::default() };
        assemble(recipe(table, files).path(), &busybox, Size::Mini, Generation::V1_1)
    }

    #[test]
    fn applets_become_hard_links_where_the_program_has_them() {
        let table =
            "dir / 0755 0 0\ndir /bin 0755 0 0\nbusybox /bin/busybox 0750 1 2\napplets /bin/busybox list\n";
        let entries = made(table, &[("list", "/bin/awk\n/bin/sh\n/bin/none\n")]).unwrap();
        let paths: Vec<_> = entries.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/", "/bin", "/bin/awk", "/bin/busybox", "/bin/sh"]);
        assert_eq!(entries["/bin/sh"].content, Content::Hard("/bin/busybox".into()));
        assert_eq!(entries["/bin/sh"].owner, Owner { mode: 0o750, uid: 1, gid: 2 });
    }

    #[test]
    fn only_the_wanted_generation_and_size_count() {
        let table = "dir / 0755 0 0\nonly v1.0 text /old 0644 0 0 x\nonly v1.1 text /new 0644 0 0 x\n\
                     only padded data /big 0644 0 0 9 1\n";
        let recipe = recipe(table, &[]);
        let paths = |size, generation| {
            let entries = assemble(recipe.path(), &BusyBox::default(), size, generation).unwrap();
            entries.into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(paths(Size::Mini, Generation::V1_1), "/ /new");
        assert_eq!(paths(Size::Padded, Generation::V1_0), "/ /big /old");
    }

    #[test]
    fn contradictions_are_named() {
        let cases: [(&str, Files<'_>, &str); 7] = [
            ("dir /a 0755 0 0\n", &[], "no directory of the table"),
            ("dir / 0755 0 0\ntext /a/b 0644 0 0 x\n", &[], "/a/b stands in /a"),
            ("dir / 0755 0 0\nlink /a b\ntext /a/b 0644 0 0 x\n", &[], "/a/b stands in /a"),
            ("dir / 0755 0 0\nlink /a b\nlink /a c\n", &[], "line 3 of the table: /a is there already"),
            ("dir / 0755 0 0\nhard /a /b\n", &[], "hard link to /b"),
            ("dir / 0755 0 0\n", &[("tree/etc/x", "")], "no line of the table names it"),
            ("dir / 0755 0 0\nfile /a 0644 0 0\n", &[], "cannot read"),
        ];
        for (table, files, expected) in cases {
            let error = whole(&made(table, files).unwrap_err());
            assert!(error.contains(expected), "{table}: {error}");
        }
    }
}
