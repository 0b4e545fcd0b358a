//! What is in the unpacked root at one moment, and what differs between two moments.
//!
//! Taken inside the fakeroot session, so owners, modes and nodes are those that the image gets. Two snapshots around an
//! overlay tell which paths it touched, whatever its scripts did.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use super::faked::{self, Faked, Owners, Remembered};

/// Where the type is in a mode, and the types that fakeroot does not make up.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// A device that no machine has, for inodes that are no more.
const NOWHERE: u64 = u64::MAX;

/// Threads that look at files.
const MOST_THREADS: usize = 4;

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// Whether it is a device node.
    pub fn is_device(self) -> bool {
        matches!(self, Kind::CharacterDevice | Kind::BlockDevice)
    }

    fn of(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        if kind.is_dir() {
            Kind::Directory
        } else if kind.is_symlink() {
            Kind::Link
        } else if kind.is_char_device() {
            Kind::CharacterDevice
        } else if kind.is_block_device() {
            Kind::BlockDevice
        } else if kind.is_fifo() {
            Kind::Fifo
        } else if kind.is_socket() {
            Kind::Socket
        } else {
            Kind::File
        }
    }
}

/// A moment in seconds and nanoseconds since 1970.
pub type Instant = (i64, i64);

/// One path of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file, or of a link's target; 0 for everything else.
    pub size: u64,
    /// Last change of the content, or what a program set it to.
    pub modified: Instant,
    /// Last change of anything about it, which no program can set.
    pub changed: Instant,
    /// A mark that is turned over when a file has got another content although its size, its time and its inode are the
    /// same; see [`Snapshot::mark_rewritten`].
    pub rewritten: bool,
    /// Device and inode on the build machine: equal for hard links.
    pub inode: (u64, u64),
    /// Major and minor number of a device node.
    pub device: (u64, u64),
    /// Where a link points.
    pub target: Option<Vec<u8>>,
}

/// How one path differs between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is new.
    Added,
    /// Its content, or what it is, changed.
    Replaced,
    /// It is gone.
    Deleted,
    /// Only its owner or its mode changed.
    Attributes,
}

/// Every path of a tree, by its name relative to the root (the root itself is the empty name).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The entries, in byte order of their paths.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

impl Snapshot {
    /// Walks the tree. Files that their owner may not read and write are made so on the build machine, while the mode
    /// that the image gets stays: only then can an ordinary user pack them.
    ///
    /// # Errors
    /// When something cannot be read; the error names the path.
    pub fn take(root: &Path) -> io::Result<Self> {
        Self::take_with(root, None)
    }

    /// As [`Self::take`], with the owners that `faked` remembers where it can be asked for all at once.
    pub(super) fn take_with(root: &Path, faked: Option<&Faked>) -> io::Result<Self> {
        let owners = faked.and_then(Faked::owners);
        let look = |place: &Path| match &owners {
            Some(owners) => real_entry(place, owners),
            None => Ok(None),
        };
        // To ask fakeroot is for one thread.
        let threads = owners
            .as_ref()
            .map_or(1, |_| thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS));
        let mut entries = BTreeMap::from([(Vec::new(), entry(root)?)]);
        let mut folders = vec![Vec::new()];
        // Directories of one depth after those of the one above.
        while !folders.is_empty() {
            let mut below = Vec::new();
            for (path, seen) in children(root, &folders, threads, look)? {
                let found = seen.map_or_else(|| entry(&place(root, &path)), Ok)?;
                if found.kind == Kind::Directory {
                    below.push(path.clone());
                }
                entries.insert(path, found);
            }
            folders = below;
        }
        Ok(Self { entries })
    }

    /// The entry at a path given as text.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path.as_bytes())
    }

    /// How many different inodes the tree has, which is what the squashfs superblock counts.
    pub fn inodes(&self) -> u64 {
        self.entries.values().map(|e| e.inode).collect::<BTreeSet<_>>().len() as u64
    }

    /// How many names are further names of an inode that has one already.
    pub fn hard_links(&self) -> u64 {
        self.entries.len() as u64 - self.inodes()
    }

    /// How many device nodes there are.
    pub fn devices(&self) -> u64 {
        self.entries.values().filter(|e| e.kind.is_device()).count() as u64
    }

    /// What was done to get from `earlier` to this one, per path.
    pub fn since(&self, earlier: &Snapshot) -> BTreeMap<Vec<u8>, What> {
        let mut changes = BTreeMap::new();
        for path in earlier.entries.keys().filter(|path| !self.entries.contains_key(*path)) {
            changes.insert(path.clone(), What::Deleted);
        }
        for (path, now) in &self.entries {
            let what = match earlier.entries.get(path) {
                None => Some(What::Added),
                Some(before) => difference(before, now),
            };
            if let Some(what) = what {
                changes.insert(path.clone(), what);
            }
        }
        changes
    }

    /// Finds the files that were written over with content of the same length and given their old time again: their mark
    /// is turned over. `other` tells whether the file at a path has another content than at the moment of `before`.
    ///
    /// # Errors
    /// Whatever `other` fails with.
    pub fn mark_rewritten<E>(
        &mut self,
        before: &Snapshot,
        mut other: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut known: BTreeMap<(u64, u64), bool> = BTreeMap::new();
        for (path, now) in &mut self.entries {
            let same = |was: &&Entry| {
                was.kind == Kind::File
                    && (was.inode, was.size, was.modified) == (now.inode, now.size, now.modified)
            };
            let Some(was) = before.entries.get(path).filter(same) else { continue };
            let is_other = match known.get(&now.inode) {
                _ if was.changed == now.changed => false,
                Some(known) => *known,
                None => other(path)?,
            };
            now.rewritten = was.rewritten != is_other;
            known.insert(now.inode, is_other);
        }
        Ok(())
    }

    /// Adds the entries of paths that came into the tree, as they are now; all names of an inode come together. One that
    /// has the number of an inode which is known by other names has taken it over from that, which is no more: those
    /// names keep being one inode, under a number that the build machine gives to nobody.
    ///
    /// # Errors
    /// When one cannot be read; the error names the path.
    pub fn add(&mut self, root: &Path, paths: &[Vec<u8>]) -> io::Result<()> {
        let mut came = BTreeMap::new();
        for path in paths {
            came.insert(path.clone(), entry(&place(root, path))?);
        }
        let taken: BTreeSet<_> = came.values().map(|entry| entry.inode).collect();
        let is_gone = |inode: &(u64, u64)| inode.0 == NOWHERE;
        let mut next = self.entries.values().map(|entry| entry.inode).filter(is_gone).count() as u64;
        let mut renamed = BTreeMap::new();
        for (path, known) in &mut self.entries {
            if taken.contains(&known.inode) && !came.contains_key(path) {
                let number = *renamed.entry(known.inode).or_insert_with(|| {
                    next += 1;
                    next
                });
                known.inode = (NOWHERE, number);
            }
        }
        self.entries.extend(came);
        Ok(())
    }

    /// Gives everything that is not as it was in `base` the modification time `epoch`, in the tree and here. That
    /// includes directories in which something came or went; whatever was not touched keeps its own time, also under a
    /// new name.
    ///
    /// # Errors
    /// When a time cannot be set; the error names the path.
    pub fn settle_times(&mut self, root: &Path, base: &Snapshot, epoch: u32) -> io::Result<()> {
        let when = i64::from(epoch);
        let untouched: BTreeSet<_> = base.entries.values().map(|e| (e.inode, e.modified, e.kind)).collect();
        for (path, now) in &mut self.entries {
            if !untouched.contains(&(now.inode, now.modified, now.kind)) && now.modified != (when, 0) {
                set_time(&place(root, path), epoch)?;
                now.modified = (when, 0);
            }
        }
        Ok(())
    }
}

/// Sets the modification time of `place` itself, link or not, in seconds since 1970.
///
/// # Errors
/// When the system refuses; the error names the path.
pub fn set_time(place: &Path, epoch: u32) -> io::Result<()> {
    let time = TimeSpec::new(i64::from(epoch), 0);
    utimensat(nix::fcntl::AT_FDCWD, place, &time, &time, UtimensatFlags::NoFollowSymlink)
        .map_err(|e| named(place, e.into()))
}

/// A path as text: what is not plain UTF-8 text is written as `\xNN`.
pub fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The place of a path on the build machine.
pub fn place(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { root.to_path_buf() } else { root.join(OsStr::from_bytes(path)) }
}

fn difference(before: &Entry, now: &Entry) -> Option<What> {
    let replaced = before.kind != now.kind
        || before.target != now.target
        || before.device != now.device
        || (now.kind == Kind::File
            && (before.size, before.modified, before.inode, before.rewritten)
                != (now.size, now.modified, now.inode, now.rewritten));
    let attributes = (before.mode, before.uid, before.gid) != (now.mode, now.uid, now.gid);
    match (replaced, attributes) {
        (true, _) => Some(What::Replaced),
        (false, true) => Some(What::Attributes),
        (false, false) => None,
    }
}

/// A path, and what is there as far as that can be seen without fakeroot.
type Seen = (Vec<u8>, Option<Entry>);

/// Everything in some directories.
fn children(
    root: &Path,
    folders: &[Vec<u8>],
    threads: usize,
    look: impl Fn(&Path) -> io::Result<Option<Entry>> + Sync,
) -> io::Result<Vec<Seen>> {
    let list = |folders: &[Vec<u8>]| {
        let mut found = Vec::new();
        for folder in folders {
            let place = place(root, folder);
            for child in fs::read_dir(&place).map_err(|e| named(&place, e))? {
                let child = child.map_err(|e| named(&place, e))?;
                let mut path = folder.clone();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(child.file_name().as_bytes());
                found.push((path, look(&child.path())?));
            }
        }
        Ok(found)
    };
    let share = folders.len().div_ceil(threads).max(1);
    if folders.len() <= share {
        return list(folders);
    }
    thread::scope(|scope| {
        let work: Vec<_> = folders.chunks(share).map(|folders| scope.spawn(move || list(folders))).collect();
        let mut found = Vec::new();
        for work in work {
            found.extend(work.join().map_err(|_| io::Error::other("a thread that walks ended early"))??);
        }
        Ok(found)
    })
}

fn entry(place: &Path) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(place).map_err(|e| named(place, e))?;
    let kind = Kind::of(&metadata);
    let mode = metadata.mode() & 0o7777;
    if kind == Kind::File && mode & 0o600 != 0o600 {
        // fakeroot records the mode as it is and grants the owner reading and writing on the disk.
        fs::set_permissions(place, Permissions::from_mode(mode)).map_err(|e| named(place, e))?;
    }
    let target = match kind {
        Kind::Link => Some(fs::read_link(place).map_err(|e| named(place, e))?.into_os_string().into_vec()),
        _ => None,
    };
    let size = match (&kind, &target) {
        (_, Some(target)) => target.len() as u64,
        (Kind::File, None) => metadata.len(),
        _ => 0,
    };
    let device = match kind.is_device() {
        true => (nix::sys::stat::major(metadata.rdev()), nix::sys::stat::minor(metadata.rdev())),
        false => (0, 0),
    };
    Ok(Entry {
        kind,
        mode,
        uid: metadata.uid(),
        gid: metadata.gid(),
        size,
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        rewritten: false,
        inode: (metadata.dev(), metadata.ino()),
        device,
        target,
    })
}

/// As [`entry`], with a look past fakeroot and at what it remembers; `None` where fakeroot has to be asked.
fn real_entry(place: &Path, owners: &Owners) -> io::Result<Option<Entry>> {
    let stat = faked::real(place).map_err(|e| named(place, e))?;
    let inode = (stat.st_dev, stat.st_ino);
    let mode = stat.st_mode;
    let known = owners.get(&inode).copied().unwrap_or(Remembered { mode, uid: 0, gid: 0 });
    let kind = match mode & TYPE {
        REGULAR => Kind::File,
        DIRECTORY => Kind::Directory,
        LINK => Kind::Link,
        _ => return Ok(None),
    };
    // A device is an ordinary file on the disk; and what was remembered of an inode that is used again is no use.
    if known.mode & TYPE != mode & TYPE || (kind == Kind::File && mode & 0o600 != 0o600) {
        return Ok(None);
    }
    let target = match kind {
        Kind::Link => Some(fs::read_link(place).map_err(|e| named(place, e))?.into_os_string().into_vec()),
        _ => None,
    };
    let size = match (kind, &target) {
        (_, Some(target)) => target.len() as u64,
        (Kind::File, None) => u64::try_from(stat.st_size).unwrap_or(0),
        _ => 0,
    };
    // The system's types differ between machines.
    let nanoseconds = |part| i64::try_from(part).unwrap_or(0);
    Ok(Some(Entry {
        kind,
        mode: known.mode & 0o7777,
        uid: known.uid,
        gid: known.gid,
        size,
        modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
        changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        rewritten: false,
        inode,
        device: (0, 0),
        target,
    }))
}

fn named(place: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sample() -> (tempfile::TempDir, Snapshot) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        for (name, text) in [("a", "1"), ("d/b", "2"), ("gone", "3"), ("e", "4")] {
            fs::write(root.path().join(name), text).unwrap();
        }
        fs::hard_link(root.path().join("a"), root.path().join("a2")).unwrap();
        symlink("a", root.path().join("l")).unwrap();
        for name in ["a", "d/b", "gone", "e", "l", "d", ""] {
            set_time(&place(root.path(), name.as_bytes()), 1000).unwrap();
        }
        let snapshot = Snapshot::take(root.path()).unwrap();
        (root, snapshot)
    }

    /// A file that comes late may get the number of one that was deleted meanwhile.
    #[test]
    fn a_number_that_was_taken_over_makes_no_hard_link() {
        let (root, mut snapshot) = sample();
        let (linked, alone) = (snapshot.get("a").unwrap().inode, snapshot.get("gone").unwrap().inode);
        // As if their inodes had been given to files that come now.
        for (old, new) in [("a", "x"), ("gone", "y")] {
            fs::rename(root.path().join(old), root.path().join(new)).unwrap();
        }
        fs::remove_file(root.path().join("a2")).unwrap();
        snapshot.add(root.path(), &[b"x".to_vec(), b"y".to_vec()]).unwrap();
        let inode = |path: &str| snapshot.get(path).unwrap().inode;
        assert_eq!((inode("x"), inode("y")), (linked, alone));
        assert_eq!(inode("a"), inode("a2"));
        let different: BTreeSet<_> = ["a", "gone", "x", "y", "e"].map(inode).into();
        assert_eq!(different.len(), 5);
        assert_eq!(snapshot.hard_links(), 1);

        // Once more, with a name that lost its inode before.
        fs::rename(root.path().join("x"), root.path().join("z")).unwrap();
        snapshot.add(root.path(), &[b"z".to_vec()]).unwrap();
        let inode = |path: &str| snapshot.get(path).unwrap().inode;
        let different: BTreeSet<_> = ["a", "gone", "x", "y", "z", "e"].map(inode).into();
        assert_eq!((inode("z"), different.len()), (linked, 6));
    }

    #[test]
    fn differences_are_told_per_path() {
        let (root, before) = sample();
        assert_eq!((before.inodes(), before.hard_links(), before.devices()), (7, 1, 0));
        assert!(before.since(&before).is_empty());

        fs::write(root.path().join("d/b"), "other").unwrap();
        fs::write(root.path().join("d/new"), "").unwrap();
        fs::remove_file(root.path().join("gone")).unwrap();
        fs::set_permissions(root.path().join("e"), Permissions::from_mode(0o4755)).unwrap();
        fs::remove_file(root.path().join("l")).unwrap();
        symlink("b", root.path().join("l")).unwrap();
        let after = Snapshot::take(root.path()).unwrap();
        let changes: Vec<_> =
            after.since(&before).into_iter().map(|(path, what)| (shown(&path), what)).collect();
        let expected = [
            ("d/b", What::Replaced),
            ("d/new", What::Added),
            ("e", What::Attributes),
            ("gone", What::Deleted),
            ("l", What::Replaced),
        ];
        assert_eq!(changes, expected.map(|(path, what)| (path.to_owned(), what)));
    }

    #[test]
    fn times_settle_on_what_changed_and_nothing_else() {
        let (root, before) = sample();
        fs::write(root.path().join("d/new"), "").unwrap();
        fs::remove_file(root.path().join("l")).unwrap();
        symlink("b", root.path().join("l")).unwrap();
        let mut after = Snapshot::take(root.path()).unwrap();
        after.settle_times(root.path(), &before, 2000).unwrap();
        let times = |snapshot: &Snapshot, path: &str| snapshot.get(path).unwrap().modified;
        for (path, time) in
            [("", 2000), ("a", 1000), ("a2", 1000), ("d", 2000), ("d/b", 1000), ("d/new", 2000), ("l", 2000)]
        {
            assert_eq!(times(&after, path), (time, 0), "{path}");
        }
        assert_eq!(times(&Snapshot::take(root.path()).unwrap(), "l"), (2000, 0));
    }

    #[test]
    fn odd_names_are_shown_as_text() {
        assert_eq!(shown("etc/é".as_bytes()), "etc/é");
        assert_eq!(shown(b"a\xff\nb\\"), "a\\xff\\nb\\\\");
    }
}
