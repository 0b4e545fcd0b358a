//! The disk that carries `/oem`: what a printer keeps across a restart.
//!
//! It is made and read without root, by e2fsprogs' `mke2fs` and `debugfs`, and can be used for several boots.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Error;
use crate::command::Command;

/// User and group of the printer's ordinary account, `lava`.
pub const LAVA: u32 = 1000;

#[derive(Debug, Clone)]
enum Node {
    Folder,
    File(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Entry {
    node: Node,
    owner: u32,
    mode: u32,
}

/// What a new disk holds; paths are relative to `/oem`.
#[derive(Debug, Clone, Default)]
pub struct OemTree {
    entries: BTreeMap<String, Entry>,
}

impl OemTree {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder of this owner (user and group alike) and these permission bits.
    pub fn folder(mut self, path: &str, owner: u32, mode: u32) -> Self {
        self.put(path, Entry { node: Node::Folder, owner, mode });
        self
    }

    /// Adds a file of this owner and these permission bits; folders above it that are not there yet are made,
    /// with the same owner and mode 0755.
    pub fn file(mut self, path: &str, owner: u32, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.put(path, Entry { node: Node::File(content.into()), owner, mode });
        self
    }

    fn put(&mut self, path: &str, entry: Entry) {
        let owner = entry.owner;
        for (slash, _) in path.match_indices('/') {
            let above = path.get(..slash).unwrap_or_default().to_owned();
            self.entries.entry(above).or_insert(Entry { node: Node::Folder, owner, mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }
}

/// An ext4 image file for `/oem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OemDisk {
    path: PathBuf,
}

impl OemDisk {
    /// Makes the image at `path`, sparse and `mebibytes` large, with what `tree` says. An old one is replaced.
    pub fn create(path: &Path, mebibytes: u32, tree: &OemTree) -> Result<Self, Error> {
        let staging = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
        let mut owners = String::new();
        for (name, entry) in &tree.entries {
            check(name)?;
            let staged = staging.path().join(name);
            let kind = match &entry.node {
                Node::Folder => {
                    std::fs::create_dir_all(&staged).map_err(Error::io("create", &staged))?;
                    0o040_000
                }
                Node::File(content) => {
                    std::fs::write(&staged, content).map_err(Error::io("write", &staged))?;
                    0o100_000
                }
            };
            let (owner, mode) = (entry.owner, kind | entry.mode);
            // Writing to a String cannot fail.
            let _ = writeln!(
                owners,
                "sif /{name} uid {owner}\nsif /{name} gid {owner}\nsif /{name} mode 0{mode:o}"
            );
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("replace", path)(error));
            }
            _ => {}
        }
        e2fsprogs("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-L", "oem", "-E", "root_owner=0:0,lazy_itable_init=1", "-d"])
            .arg(staging.path())
            .arg(path)
            .arg(format!("{mebibytes}M"))
            .run()?;
        let disk = Self { path: path.to_owned() };
        disk.debugfs(true, &owners)?;
        Ok(disk)
    }

    /// An image made earlier.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        std::fs::metadata(path).map_err(Error::io("read", path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The image file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of a file on the disk, as text; empty if there is none. Only while no guest has the disk.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        check(path)?;
        self.debugfs(false, &format!("cat /{path}\n"))
    }

    /// Puts a file onto the disk, or replaces it. Only while no guest has the disk.
    pub fn write(&self, path: &str, owner: u32, mode: u32, content: &[u8]) -> Result<(), Error> {
        check(path)?;
        let staged = tempfile::NamedTempFile::new().map_err(Error::io("create", &std::env::temp_dir()))?;
        std::fs::write(staged.path(), content).map_err(Error::io("write", staged.path()))?;
        let (from, mode) = (staged.path().display(), 0o100_000 | mode);
        self.debugfs(
            true,
            &format!(
                "rm /{path}\nwrite {from} /{path}\nsif /{path} uid {owner}\nsif /{path} gid {owner}\nsif /{path} mode 0{mode:o}\n"
            ),
        )
        .map(drop)
    }

    /// Runs a script of debugfs. The journal of a disk that lost its power is played back first, since debugfs
    /// reads and writes past it.
    fn debugfs(&self, change: bool, script: &str) -> Result<String, Error> {
        e2fsprogs("e2fsck").args(["-E", "journal_only", "-p"]).arg(&self.path).run()?;
        let file = tempfile::NamedTempFile::new().map_err(Error::io("create", &std::env::temp_dir()))?;
        std::fs::write(file.path(), script).map_err(Error::io("write", file.path()))?;
        let write = if change { &["-w"][..] } else { &[] };
        let printed = e2fsprogs("debugfs").args(write).arg("-f").arg(file.path()).arg(&self.path).output()?;
        let printed = String::from_utf8_lossy(&printed);
        // debugfs repeats each command after its prompt.
        let said: Vec<&str> =
            printed.split_inclusive('\n').filter(|line| !line.starts_with("debugfs:")).collect();
        Ok(said.concat())
    }
}

/// A program of e2fsprogs, which lives where only root's PATH looks.
fn e2fsprogs(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(program)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .remedy("install it with: apt-get install e2fsprogs")
}

fn check(path: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    let sound = !path.is_empty() && path.chars().all(plain);
    if sound && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..") {
        Ok(())
    } else {
        Err(Error::OemPath(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(disk: &OemDisk, path: &str) -> String {
        disk.debugfs(false, &format!("stat /{path}\n")).unwrap()
    }

    #[test]
    fn holds_what_the_tree_says_with_owners_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let tree = OemTree::new()
            .folder("printer_data/octoapp", LAVA, 0o700)
            .file("printer_data/octoapp/telegram_bot_token", LAVA, 0o600, "1:a\n")
            .file("standin/early.sh", 0, 0o755, "#!/bin/sh\n");
        let disk = OemDisk::create(&folder.path().join("oem.img"), 16, &tree).unwrap();
        assert_eq!(disk.read("printer_data/octoapp/telegram_bot_token").unwrap(), "1:a\n");
        for (path, owner, mode) in [
            ("printer_data", 1000, "0755"),
            ("printer_data/octoapp", 1000, "0700"),
            ("printer_data/octoapp/telegram_bot_token", 1000, "0600"),
            ("standin/early.sh", 0, "0755"),
        ] {
            let stat = stat(&disk, path);
            assert!(stat.contains(&format!("Mode:  {mode}")), "{path}: {stat}");
            assert!(stat.contains(&format!("User: {owner:5}   Group: {owner:5}")), "{path}: {stat}");
        }
    }

    #[test]
    fn a_file_can_be_replaced_later() {
        let folder = tempfile::tempdir().unwrap();
        let tree = OemTree::new().file("a/b", 0, 0o644, "old");
        let disk = OemDisk::create(&folder.path().join("oem.img"), 16, &tree).unwrap();
        disk.write("a/b", LAVA, 0o600, b"new").unwrap();
        assert_eq!(disk.read("a/b").unwrap(), "new");
        assert!(stat(&disk, "a/b").contains("Mode:  0600"));
    }

    #[test]
    fn odd_paths_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["", "/a", "a/../b", "a b", "a\"b", "a\nquit"] {
            let tree = OemTree::new().file(path, 0, 0o644, "");
            let made = OemDisk::create(&folder.path().join("oem.img"), 16, &tree);
            assert!(made.is_err(), "{path:?}");
        }
    }
}
