//! A root of which only those paths are on the disk that overlays name. Overlays without scripts say beforehand what they
//! touch, so nothing else has to be unpacked.
//!
//! A path is brought with every directory and link on the way to it, with the further names of a file that has any, and
//! once only: what an overlay deleted does not come back. Directories keep the time that they had.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;

use super::inside;
use super::snapshot::{place, set_time};
use crate::overlay::{Overlay, OverlayError, owners, patches, root};
use crate::squashfs::tree::{Form, Node, NodeId};
use crate::squashfs::{Filesystem, Tree};

/// Links that are followed before a chain counts as a loop, as in Linux.
const MOST_LINKS: usize = 40;

/// The part of a base that is on the disk.
pub(super) struct Partial<'a> {
    base: &'a Filesystem,
    tree: &'a Tree,
    place: &'a Path,
    brought: BTreeSet<Vec<u8>>,
    /// All names of every inode that has more than one.
    names: BTreeMap<NodeId, Vec<Vec<u8>>>,
}

impl<'a> Partial<'a> {
    /// Makes the root directory at `place`, with nothing in it.
    pub(super) fn begin(base: &'a Filesystem, tree: &'a Tree, place: &'a Path) -> io::Result<Self> {
        fs::create_dir(place)?;
        if let Some(root) = tree.node(tree.root()) {
            dress(place, root)?;
        }
        Ok(Self::at(base, tree, place))
    }

    fn at(base: &'a Filesystem, tree: &'a Tree, place: &'a Path) -> Self {
        let mut names: BTreeMap<NodeId, Vec<Vec<u8>>> = BTreeMap::new();
        for (path, id) in tree.paths() {
            names.entry(id).or_default().push(path);
        }
        names.retain(|_, names| names.len() > 1);
        Self { base, tree, place, brought: BTreeSet::from([Vec::new()]), names }
    }

    /// Makes the devices, pipes and sockets of a root of which all else is on the disk.
    pub(super) fn complete(base: &'a Filesystem, tree: &'a Tree, place: &'a Path) -> io::Result<()> {
        let mut partial = Self::at(base, tree, place);
        let mut special = Vec::new();
        for (path, id) in tree.paths() {
            match tree.node(id).map(|node| &node.form) {
                Some(Form::CharacterDevice(_) | Form::BlockDevice(_) | Form::Fifo | Form::Socket) => {
                    special.push(path);
                }
                _ => {
                    partial.brought.insert(path);
                }
            }
        }
        special.iter().try_for_each(|path| partial.one(path))
    }

    /// Brings everything that an overlay names; returns what came.
    pub(super) fn bring(&mut self, overlay: &Overlay) -> Result<Vec<Vec<u8>>, OverlayError> {
        let before = self.brought.clone();
        let system = |path: &Path, e| overlay.system(path, e);
        for path in root::paths(overlay)? {
            self.follow(&path).map_err(|e| system(&path, e))?;
        }
        for target in patches::paths(overlay)? {
            self.follow(&target).map_err(|e| system(&target, e))?;
        }
        for target in patches::paths(overlay)? {
            self.accompany(&target).map_err(|e| system(&target, e))?;
        }
        for owned in owners::read(overlay)? {
            self.follow(&owned.path).map_err(|e| system(&owned.path, e))?;
        }
        Ok(self.brought.difference(&before).cloned().collect())
    }

    /// Brings what is on the way to `path`, and what is there.
    fn follow(&mut self, path: &Path) -> io::Result<()> {
        let disk = inside::Tree::at(self.place);
        let mut todo: VecDeque<_> = inside::components(path);
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(next) = todo.pop_front() {
            if next.as_bytes() == b".." {
                done.pop();
                continue;
            }
            let here = done.join(&next);
            self.one(here.as_os_str().as_bytes())?;
            let Some(found) = disk.look(&here)? else { return Ok(()) };
            if found.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return Ok(());
                }
                let target = fs::read_link(disk.place(&here))?;
                if target.is_absolute() {
                    done = PathBuf::new();
                }
                for part in inside::components(&target).into_iter().rev() {
                    todo.push_front(part);
                }
            } else if found.is_dir() {
                done = here;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `patch` deletes directories that become empty. One that is not empty in the base must not be so on the disk.
    fn accompany(&mut self, target: &Path) -> io::Result<()> {
        for folder in target.ancestors().skip(1) {
            let folder = folder.as_os_str().as_bytes();
            let Some(id) = self.tree.find(folder) else { continue };
            let away: Vec<(Vec<u8>, NodeId)> = self
                .tree
                .children(id)
                .map(|(name, child)| (below(folder, name), child))
                .filter(|(path, _)| !self.brought.contains(path))
                .collect();
            let cheapest = away.into_iter().min_by_key(|(_, child)| {
                let size = match self.tree.node(*child).map(|node| &node.form) {
                    Some(Form::File(stored)) => stored.size.saturating_add(1),
                    _ => 0,
                };
                (self.names.contains_key(child), size)
            });
            if let Some((path, _)) = cheapest {
                self.one(&path)?;
            }
        }
        Ok(())
    }

    /// Brings one path whose directory is on the disk, where the base has it and it was not brought before.
    fn one(&mut self, path: &[u8]) -> io::Result<()> {
        if self.brought.contains(path) {
            return Ok(());
        }
        let tree = self.tree;
        let Some((id, node)) = tree.find(path).and_then(|id| Some((id, tree.node(id)?))) else {
            return Ok(());
        };
        self.brought.insert(path.to_owned());
        if !self.make(path, node)? {
            return Ok(());
        }
        let others = self.names.get(&id).cloned().unwrap_or_default();
        for other in others.iter().filter(|other| *other != path) {
            // The names of the base have no links on their way.
            for (at, byte) in other.iter().enumerate() {
                if *byte == b'/' {
                    self.one(other.get(..at).unwrap_or_default())?;
                }
            }
            if self.brought.insert(other.clone()) {
                let (from, to) = (place(self.place, path), place(self.place, other));
                in_folder(&to, || fs::hard_link(&from, &to))?;
            }
        }
        Ok(())
    }

    /// Makes what a node is; whether there is a directory for it.
    fn make(&self, path: &[u8], node: &Node) -> io::Result<bool> {
        let to = place(self.place, path);
        in_folder(&to, || {
            match &node.form {
                Form::Directory(_) => fs::create_dir(&to)?,
                Form::Link(target) => symlink(std::ffi::OsStr::from_bytes(target), &to)?,
                Form::File(stored) => {
                    let mut file = File::create_new(&to)?;
                    self.base.copy(stored, &mut file).map_err(io::Error::other)?;
                }
                Form::CharacterDevice(number) => special(&to, SFlag::S_IFCHR, *number)?,
                Form::BlockDevice(number) => special(&to, SFlag::S_IFBLK, *number)?,
                Form::Fifo => special(&to, SFlag::S_IFIFO, 0)?,
                Form::Socket => special(&to, SFlag::S_IFSOCK, 0)?,
            }
            dress(&to, node)
        })
    }
}

fn special(place: &Path, kind: SFlag, number: u32) -> io::Result<()> {
    let (major, minor) = super::splicing::device(number);
    let device = nix::sys::stat::makedev(major, minor);
    mknod(place, kind, Mode::from_bits_truncate(0o600), device).map_err(io::Error::from)
}

/// Owner, mode and time, in this order: changing the owner drops setuid.
fn dress(place: &Path, node: &Node) -> io::Result<()> {
    let (uid, gid) = (Some(node.uid.into()), Some(node.gid.into()));
    nix::unistd::fchownat(AT_FDCWD, place, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if !matches!(node.form, Form::Link(_)) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(u32::from(node.mode));
        fs::set_permissions(place, mode)?;
    }
    set_time(place, node.modified)
}

/// Does something in the directory of `place` and gives that its time back; whether there is such a directory.
fn in_folder(place: &Path, make: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
    let folder = place.parent().unwrap_or(place);
    let metadata = match fs::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    make()?;
    restore_time(folder, &metadata)?;
    Ok(true)
}

fn restore_time(folder: &Path, metadata: &Metadata) -> io::Result<()> {
    let time = TimeSpec::new(metadata.mtime(), metadata.mtime_nsec());
    utimensat(AT_FDCWD, folder, &time, &time, UtimensatFlags::NoFollowSymlink).map_err(io::Error::from)
}

fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_owned() } else { [folder, b"/", name].concat() }
}
