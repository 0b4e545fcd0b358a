//! What programs in the root do to owners and modes: fakeroot's list is made true again, and what it cannot know is told.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use nix::sys::stat::Mode;

use super::Surroundings;
use super::said::Said;
use super::survey::{Found, Survey};
use crate::rootfs::inside::Tree;

/// Longest line of the emulator that is looked at, in bytes.
const LONGEST: u64 = 16 << 10;
/// Most changed owners that are remembered by their paths.
const MOST: usize = 10_000;
/// How many of them a note names.
const NAMED: usize = 5;

/// The owners that programs set, by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Owner and group; -1 is as it was.
    pub set: BTreeMap<PathBuf, (i64, i64)>,
    /// Changes of files that have no name in the call, or of too many files.
    pub unnamed: u64,
}

/// Reads the calls that the emulator tells of, while it runs.
#[derive(Debug)]
pub struct Watch {
    /// Held open, so that the reader sees no end between two programs.
    open: File,
    reader: JoinHandle<Owners>,
}

impl Watch {
    /// Makes the pipe at `pipe` and begins to read it.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn begin(pipe: &Path) -> io::Result<Self> {
        nix::unistd::mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // For reading too: to open a pipe for writing alone waits for a reader.
        let open = OpenOptions::new().read(true).write(true).open(pipe)?;
        let source = File::open(pipe)?;
        let reader = std::thread::Builder::new().spawn(move || read(BufReader::new(source)))?;
        Ok(Self { open, reader })
    }

    /// What was told, once every program has ended.
    #[must_use]
    pub fn end(self) -> Owners {
        drop(self.open);
        self.reader.join().unwrap_or_default()
    }
}

pub(crate) fn read(mut source: impl io::BufRead) -> Owners {
    let mut owners = Owners::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        match source.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return owners,
            Ok(_) => owners.add(&String::from_utf8_lossy(&line)),
        }
    }
}

impl Owners {
    /// Takes note of a line such as `12 fchownat(AT_FDCWD,"/etc/x",1000,1000,0) = 0`.
    fn add(&mut self, line: &str) {
        let Some((name, call)) = line.split_once('(') else { return };
        let name = name.rsplit(' ').next().unwrap_or(name);
        let Some((arguments, result)) = call.rsplit_once(')') else { return };
        if !["chown", "fchown", "lchown", "fchownat"].contains(&name) || result.trim() != "= 0" {
            return;
        }
        let (path, rest) = match arguments.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"')) {
            Some((path, rest)) => (Some(path), rest.trim_start_matches(',')),
            None => (None, arguments.split_once(',').map_or("", |(_, rest)| rest)),
        };
        let mut numbers = rest.split(',').map(|word| word.trim().parse::<i64>());
        let (Some(Ok(uid)), Some(Ok(gid))) = (numbers.next(), numbers.next()) else { return };
        let same = |id: i64| if id == i64::from(u32::MAX) { -1 } else { id };
        let owner = (same(uid), same(gid));
        match path {
            Some(path) if self.set.len() < MOST => {
                self.set.insert(PathBuf::from(path.trim_start_matches('/')), owner);
            }
            // A file without a name is one that the program has just made, and root's.
            None if owner == (0, 0) || owner == (-1, -1) => {}
            _ => self.unnamed += 1,
        }
    }
}

/// Makes fakeroot's list true again: what is new belongs to root and has the mode that it has on the disk, also where
/// the list knows its inode from a deleted file; what was there keeps its owner and gets the mode that a program set.
///
/// # Errors
/// When an owner or a mode cannot be set.
pub fn settle(root: &Path, before: &Survey, after: &Survey) -> io::Result<()> {
    let inodes: BTreeMap<(u64, u64), &Found> =
        before.found.values().map(|found| (found.inode, found)).collect();
    for (path, now) in &after.found {
        let place = root.join(path);
        let old = inodes.get(&now.inode).filter(|old| match old.born {
            0 => before.found.get(path).is_some_and(|there| there.inode == now.inode),
            born => born == now.born,
        });
        let listed = fs::symlink_metadata(&place)?;
        match old {
            Some(old) if old.mode & 0o7777 == now.mode & 0o7777 => {}
            Some(_) => fs::set_permissions(&place, Permissions::from_mode(now.mode & 0o7777))?,
            None if (listed.uid(), listed.gid(), listed.mode()) == (0, 0, now.mode) => {}
            None => {
                lchown(&place, Some(0), Some(0))?;
                if !listed.is_symlink() {
                    fs::set_permissions(&place, Permissions::from_mode(now.mode & 0o7777))?;
                }
            }
        }
    }
    Ok(())
}

/// Tells the session which owners were set and are not in the image.
pub fn tell(root: &Path, owners: &Owners, surroundings: &Surroundings) {
    let tree = Tree::at(root);
    let differs = |path: &Path, (uid, gid): (i64, i64)| match tree.look(path) {
        Ok(Some(found)) => {
            (uid != -1 && uid != i64::from(found.uid())) || (gid != -1 && gid != i64::from(found.gid()))
        }
        _ => false,
    };
    let lost: Vec<String> = owners
        .set
        .iter()
        .filter(|(path, owner)| differs(path, **owner))
        .map(|(path, (uid, gid))| format!("/{} {uid}:{gid}", path.display()))
        .collect();
    let count = lost.len() as u64 + owners.unnamed;
    if count == 0 {
        return;
    }
    let mut named: Vec<&str> = lost.iter().map(String::as_str).take(NAMED).collect();
    if count > named.len() as u64 {
        named.push("and more");
    }
    let named = if lost.is_empty() { "files without a name".to_owned() } else { named.join(", ") };
    surroundings.say(&Said::Note(format!(
        "a program that ran in the root set the owner of {count} files, which cannot be recorded ({named}); name them in the overlay's owners table, or chown them in a script outside the root"
    )));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Owners {
        read(lines.as_bytes())
    }

    #[test]
    fn owners_are_read_from_the_emulators_lines() {
        let owners = told(concat!(
            "30215 execve(\"/proc/self/exe\",{\"busybox\",\"chown\",\"1000:1000\",\"/etc/y\",NULL})30215 brk(NULL) = 0x5da000\n",
            "30215 fchownat(AT_FDCWD,\"/etc/y\",1000,33,0) = 0\n",
            "30215 fchownat(AT_FDCWD,\"/etc/a\\\"b\",7,-1,AT_SYMLINK_NOFOLLOW) = 0\n",
            "30215 fchownat(AT_FDCWD,\"/etc/refused\",1,1,0) = -1 errno=1 (Operation not permitted)\n",
            "30215 fchown(4,1000,1000) = 0\n",
            "30215 fchown(4,0,0) = 0\n",
            "30215 fchmodat(AT_FDCWD,\"/chown\",0755,0) = 0\n",
            "30215 fchownat(AT_FDCWD,\"/etc/cut",
        ));
        let set: Vec<_> = owners.set.iter().map(|(path, owner)| (path.to_str().unwrap(), *owner)).collect();
        assert_eq!(set, [("etc/a\\\"b", (7, -1)), ("etc/y", (1000, 33))]);
        assert_eq!(owners.unnamed, 1);
    }

    #[test]
    fn the_watch_ends_when_nobody_told_anything() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::begin(&folder.path().join("calls")).unwrap();
        assert_eq!(watch.end(), Owners::default());
        let watch = Watch::begin(&folder.path().join("more")).unwrap();
        fs::write(folder.path().join("more"), "1 fchownat(AT_FDCWD,\"/x\",5,6,0) = 0\n").unwrap();
        assert_eq!(watch.end().set.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(fchown|fchownat|lchown)?[(]?[\",0-9a-z/-]{0,30}[)]? ?=? ?0?") {
            let _ = told(&line);
        }
    }
}
