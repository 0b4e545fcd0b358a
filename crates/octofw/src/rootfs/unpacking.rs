//! Unpacks a whole root before fakeroot is started. Inside, each change of an owner is a message to another process,
//! which takes many times as long as unpacking itself; so the files are made outside, and fakeroot is given the list of
//! who owns them. Devices, pipes and sockets need its help and are made inside ([`super::partial`]).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

use super::snapshot::{place, set_time};
use super::splicing::Base;
use crate::container::Span;
use crate::squashfs::tree::{Form, Node, NodeId, Stored};
use crate::squashfs::{Filesystem, LastFragment};

/// Threads that unpack; more only wait for the disk.
const MOST_THREADS: usize = 4;
/// Types of a mode (`S_IFREG` and so on), as fakeroot's list has them.
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// A file to be made.
struct Making<'a> {
    path: &'a [u8],
    node: &'a Node,
    stored: &'a Stored,
}

/// Unpacks the squashfs in a file to `root`, which must not exist, and writes the list of owners for `fakeroot -i` to
/// `owners`. False, and nothing is made, where the squashfs cannot be read.
///
/// # Errors
/// When something cannot be written, or a block of data is damaged.
pub(super) fn unpack((base, at): (&Path, Span), root: &Path, owners: &Path) -> io::Result<bool> {
    let Ok(base) = Base::open(base, at) else { return Ok(false) };
    let known = files(&base, root)?;
    fs::write(owners, list(&base, &known, root)?)?;
    Ok(true)
}

/// Makes the directories, files and links of a base below `root`, which must not exist; devices, pipes and sockets are
/// left out. Owners and modes are those that the caller can give. Returns a path of each inode that was made.
///
/// # Errors
/// When something cannot be written, or a block of data is damaged.
pub(crate) fn files(base: &Base, root: &Path) -> io::Result<HashMap<NodeId, Vec<u8>>> {
    let paths = base.tree.paths();
    let mut known: HashMap<NodeId, Vec<u8>> = HashMap::new();
    let mut files = Vec::new();
    let mut links = Vec::new();
    let mut folders = Vec::new();
    for (path, id) in &paths {
        let Some(node) = base.tree.node(*id) else { continue };
        match &node.form {
            Form::Directory(_) => {
                let at = place(root, path);
                fs::create_dir(&at)?;
                folders.push((at, node));
            }
            Form::File(_) | Form::Link(_) if known.contains_key(id) => links.push((path, *id)),
            Form::File(stored) => files.push(Making { path, node, stored }),
            Form::Link(target) => {
                let at = place(root, path);
                symlink(std::ffi::OsStr::from_bytes(target), &at)?;
                set_time(&at, node.modified)?;
            }
            _ => continue,
        }
        known.entry(*id).or_insert_with(|| path.clone());
    }
    // Files that end in the same fragment block come one after the other.
    files.sort_by_key(|file| (file.stored.fragment.map(|fragment| fragment.block), file.stored.start));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = files.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let work: Vec<_> =
            files.chunks(share).map(|files| scope.spawn(|| make(&base.filesystem, root, files))).collect();
        work.into_iter().try_for_each(|work| {
            work.join().map_err(|_| io::Error::other("a thread that unpacks files ended early"))?
        })
    })?;
    for (path, id) in links {
        if let Some(first) = known.get(&id) {
            fs::hard_link(place(root, first), place(root, path))?;
        }
    }
    // What a directory holds comes behind it, and changes its time.
    for (at, node) in folders.iter().rev() {
        fs::set_permissions(at, Permissions::from_mode(mode_on_disk(node)))?;
        set_time(at, node.modified)?;
    }
    Ok(known)
}

fn make(filesystem: &Filesystem, root: &Path, files: &[Making<'_>]) -> io::Result<()> {
    let mut last = LastFragment::default();
    for Making { path, node, stored } in files {
        let at = place(root, path);
        let mode = mode_on_disk(node);
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&at)?;
        filesystem.copy_next(stored, &mut last, &mut file).map_err(io::Error::other)?;
        // The umask may have taken something away. To look costs less than to set it again.
        if file.metadata()?.mode() & 0o7777 != mode {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        let time = TimeSpec::new(i64::from(node.modified), 0);
        futimens(&file, &time, &time)?;
    }
    Ok(())
}

/// The mode that a file or directory gets: whoever unpacks it must be able to work on it.
fn mode_on_disk(node: &Node) -> u32 {
    let own = if matches!(node.form, Form::Directory(_)) { 0o700 } else { 0o600 };
    u32::from(node.mode & 0o777) | own
}

/// The lines of `fakeroot -s` and `-i`: what is not on it belongs to root and has the mode that it has.
fn list(base: &Base, known: &HashMap<NodeId, Vec<u8>>, root: &Path) -> io::Result<String> {
    let mut text = String::new();
    for (id, path) in known {
        let Some(node) = base.tree.node(*id) else { continue };
        let as_on_disk = !matches!(node.form, Form::Link(_)) && u32::from(node.mode) == mode_on_disk(node);
        if (node.uid, node.gid) == (0, 0) && as_on_disk {
            continue;
        }
        let found = fs::symlink_metadata(place(root, path))?;
        let kind = match node.form {
            Form::Directory(_) => DIRECTORY,
            Form::Link(_) => LINK,
            _ => REGULAR,
        };
        let mode = u32::from(node.mode) | kind;
        if (node.uid, node.gid) == (0, 0) && found.mode() == mode {
            continue;
        }
        let (device, inode, links) = (found.dev(), found.ino(), found.nlink());
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "dev={device:x},ino={inode},mode={mode:o},uid={},gid={},nlink={links},rdev=0",
            node.uid, node.gid
        );
    }
    Ok(text)
}
