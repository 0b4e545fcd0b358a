//! Lays an overlay's `root/` onto the unpacked root.
//!
//! The rules are those of the community's `cp -r`: files that exist keep owner and mode, a file over a link goes to what
//! the link leads to, and what cannot be copied over something else is an error. Three things are ours: a link never
//! leads out of the tree, a file that shares its inode with other names gets an inode of its own (writing through would
//! change the other names too), and a file that is already there with the same content is left alone.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::{Overlay, OverlayError, entries};
use crate::rootfs::inside::{Leads, Tree, link_stays_inside, mounted_above};
use crate::rootfs::snapshot::set_time;

/// The folder's name.
pub const ROOT: &str = "root";
/// What a file is called while it is written, beside its place.
const UNFINISHED: &str = ".octofw-unfinished";
/// Largest file of an overlay or of what its scripts make, in bytes; a slot of the printer holds 300 MiB, packed.
pub const MOST_BYTES: u64 = 1 << 30;
/// Most bytes of all files of one overlay.
const MOST_IN_ALL: u64 = 4 << 30;
/// Most paths of one overlay, and most folders in one another.
const MOST_PATHS: usize = 500_000;
const DEEPEST: usize = 100;

/// Looks at `root/` alone: names, links, special files, places that the printer mounts over.
///
/// # Errors
/// The first thing that cannot be copied onto any base.
pub fn check(overlay: &Overlay) -> Result<(), OverlayError> {
    let folder = overlay.folder.join(ROOT);
    match fs::symlink_metadata(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(overlay.system(ROOT, e)),
        Ok(metadata) if metadata.is_dir() => {
            check_folder(overlay, &folder, Path::new(""), &mut Measure::default())
        }
        Ok(_) => Err(overlay.unfit(ROOT, "it is not a folder")),
    }
}

/// How much `root/` holds.
#[derive(Default)]
struct Measure {
    paths: usize,
    bytes: u64,
}

impl Measure {
    /// Counts one more path; says what is too much.
    fn add(&mut self, path: &Path, metadata: &Metadata) -> Result<(), String> {
        let size = if metadata.is_file() { metadata.len() } else { 0 };
        self.paths += 1;
        self.bytes = self.bytes.saturating_add(size);
        if size > MOST_BYTES {
            return Err(too_large(size));
        }
        if self.bytes > MOST_IN_ALL {
            return Err(format!(
                "the files up to here have more than {MOST_IN_ALL} bytes in all; leave some out"
            ));
        }
        if self.paths > MOST_PATHS || path.components().count() > DEEPEST {
            return Err(format!(
                "there are more than {MOST_PATHS} paths, or {DEEPEST} folders in one another"
            ));
        }
        Ok(())
    }
}

/// What is said of a file that no image can take.
pub(crate) fn too_large(size: u64) -> String {
    format!(
        "it has {size} bytes, though some may be holes; the most is {MOST_BYTES}, and the printer's slot holds less"
    )
}

fn check_folder(
    overlay: &Overlay,
    folder: &Path,
    above: &Path,
    measure: &mut Measure,
) -> Result<(), OverlayError> {
    for (name, place) in entries(overlay, folder)? {
        let path = above.join(name);
        let metadata = fs::symlink_metadata(&place).map_err(|e| overlay.system(&place, e))?;
        let kind = metadata.file_type();
        measure.add(&path, &metadata).map_err(|problem| overlay.unfit(within(&path), problem))?;
        if let Some(mounted) = mounted_above(&path) {
            return Err(overlay.unfit(within(&path), beneath(mounted)));
        }
        if kind.is_symlink() {
            let target = fs::read_link(&place).map_err(|e| overlay.system(&place, e))?;
            if !link_stays_inside(&path, &target) {
                let problem = format!(
                    "the link points to {}, which is absolute or climbs out of the root; make it relative (only links into /dev, /proc, /sys, /run, /tmp, /oem, /userdata, /var, /mnt and printer_data may be absolute)",
                    target.display()
                );
                return Err(overlay.unfit(within(&path), problem));
            }
        } else if kind.is_dir() {
            check_folder(overlay, &place, &path, measure)?;
        } else if !kind.is_file() {
            let problem = "it is a device, pipe or socket; make it in a script, with mknod or mkfifo";
            return Err(overlay.unfit(within(&path), problem));
        }
    }
    Ok(())
}

/// Every path of `root/`, relative to the root of the printer.
///
/// # Errors
/// When the folder cannot be read.
pub fn paths(overlay: &Overlay) -> Result<Vec<PathBuf>, OverlayError> {
    let mut found = Vec::new();
    let mut folders = vec![(overlay.folder.join(ROOT), PathBuf::new())];
    while let Some((folder, above)) = folders.pop() {
        for (name, place) in entries(overlay, &folder)? {
            let path = above.join(name);
            let metadata = fs::symlink_metadata(&place).map_err(|e| overlay.system(&place, e))?;
            found.push(path.clone());
            if metadata.is_dir() {
                folders.push((place, path));
            }
        }
    }
    Ok(found)
}

/// Copies `root/` onto the tree. New things belong to 0:0 and have mode 0755 or 0644; everything written gets the
/// modification time `epoch`, in seconds since 1970.
///
/// Returns what the builder of the image should know.
///
/// # Errors
/// When something stands in the way; the message names the path and the remedy.
pub fn apply(overlay: &Overlay, tree: &Tree, epoch: u32) -> Result<Vec<String>, OverlayError> {
    check(overlay)?;
    let mut copy = Copy { overlay, tree, epoch, notes: Vec::new() };
    copy.folder(&overlay.folder.join(ROOT), Path::new(""))?;
    Ok(copy.notes)
}

struct Copy<'a> {
    overlay: &'a Overlay,
    tree: &'a Tree,
    epoch: u32,
    notes: Vec<String>,
}

impl Copy<'_> {
    /// Copies the contents of one folder; `above` is a real directory of the tree.
    fn folder(&mut self, folder: &Path, above: &Path) -> Result<(), OverlayError> {
        for (name, source) in entries(self.overlay, folder)? {
            let path = above.join(name);
            let system = |e| self.overlay.system(within(&path), e);
            let metadata = fs::symlink_metadata(&source).map_err(system)?;
            let there = self.tree.look(&path).map_err(system)?;
            if metadata.is_dir() {
                self.make_folder(&path, there.as_ref())?;
                self.folder(&source, &path)?;
            } else if metadata.is_symlink() {
                self.link(&source, &path, there.as_ref())?;
            } else {
                self.file(&source, &metadata, &path, there)?;
            }
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path, there: Option<&Metadata>) -> Result<(), OverlayError> {
        let system = |e| self.overlay.system(within(path), e);
        match there {
            Some(there) if there.is_dir() => return Ok(()),
            Some(there) if there.is_symlink() => {
                let target = fs::read_link(self.tree.place(path)).map_err(system)?;
                let problem = format!(
                    "in the base this is a link to {}; put the contents where the link leads, not below the link",
                    target.display()
                );
                return Err(self.overlay.unfit(within(path), problem));
            }
            Some(_) => {
                let problem = "in the base this is a file and not a folder; rename it, or delete the file in a script of an earlier overlay";
                return Err(self.overlay.unfit(within(path), problem));
            }
            None => {}
        }
        let place = self.tree.place(path);
        fs::create_dir(&place).map_err(system)?;
        own(&place, 0, 0, 0o755).map_err(system)?;
        set_time(&place, self.epoch).map_err(system)
    }

    fn link(&self, source: &Path, path: &Path, there: Option<&Metadata>) -> Result<(), OverlayError> {
        let system = |e| self.overlay.system(within(path), e);
        let target = fs::read_link(source).map_err(system)?;
        let place = self.tree.place(path);
        match there {
            Some(there) if there.is_dir() => {
                let problem = "in the base this is a folder; a link cannot take its place, delete the folder in a script of an earlier overlay";
                return Err(self.overlay.unfit(within(path), problem));
            }
            Some(there) if there.is_symlink() && fs::read_link(&place).map_err(system)? == target => {
                return Ok(());
            }
            Some(_) => fs::remove_file(&place).map_err(system)?,
            None => {}
        }
        symlink(&target, &place).map_err(system)?;
        nix::unistd::fchownat(
            nix::fcntl::AT_FDCWD,
            &place,
            Some(0.into()),
            Some(0.into()),
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .map_err(|e| system(e.into()))?;
        set_time(&place, self.epoch).map_err(system)
    }

    fn file(
        &mut self,
        source: &Path,
        metadata: &Metadata,
        path: &Path,
        there: Option<Metadata>,
    ) -> Result<(), OverlayError> {
        let (path, there) = match there {
            Some(there) if there.is_symlink() => {
                let real = self.through_link(path)?;
                let there = self.tree.look(&real).map_err(|e| self.overlay.system(within(path), e))?;
                (real, there)
            }
            there => (path.to_owned(), there),
        };
        let system = |e| self.overlay.system(within(&path), e);
        let place = self.tree.place(&path);
        let (uid, gid, mode) = match &there {
            None if metadata.mode() & 0o100 != 0 => (0, 0, 0o755),
            None => (0, 0, 0o644),
            Some(there) if there.is_dir() => {
                let problem = "in the base this is a folder and not a file; rename it";
                return Err(self.overlay.unfit(within(&path), problem));
            }
            Some(there) if !there.is_file() => {
                let problem = "in the base this is a device, pipe or socket; a file cannot take its place";
                return Err(self.overlay.unfit(within(&path), problem));
            }
            Some(there) => {
                if there.len() == metadata.len() && same_content(source, &place).map_err(system)? {
                    return Ok(());
                }
                if there.nlink() > 1 {
                    self.notes.push(format!(
                        "{}: {} had {} names (hard links); only this one got the new content",
                        self.overlay.name,
                        path.display(),
                        there.nlink()
                    ));
                }
                (there.uid(), there.gid(), there.mode() & 0o7777)
            }
        };
        if metadata.mode() & 0o6000 != 0 {
            self.notes.push(format!(
                "{}: {}: its set-user or set-group bit is not carried over; if it is meant, give the mode in the owners table",
                self.overlay.name,
                within(&path).display()
            ));
        }
        let unfinished = place.with_file_name(UNFINISHED);
        let mut file = File::create_new(&unfinished).map_err(system)?;
        io::copy(&mut File::open(source).map_err(system)?, &mut file).map_err(system)?;
        own(&unfinished, uid, gid, mode).map_err(system)?;
        set_time(&unfinished, self.epoch).map_err(system)?;
        fs::rename(&unfinished, &place).map_err(system)
    }

    /// Where a link of the tree leads to, as the place to write a file to.
    fn through_link(&self, path: &Path) -> Result<PathBuf, OverlayError> {
        let leads = self.tree.follow(path).map_err(|e| self.overlay.system(within(path), e))?;
        let problem = match leads {
            Leads::To(real) => match mounted_above(&real) {
                None => return Ok(real),
                Some(mounted) => format!("in the base this is a link to /{}: {}", real.display(), beneath(mounted)),
            },
            Leads::Nowhere(missing) => format!(
                "in the base this is a link that leads to nothing (/{} does not exist); put the file where the link leads, or replace the link in a script of an earlier overlay",
                missing.display()
            ),
            Leads::Round => "in the base this is a link that leads in circles; replace it in a script of an earlier overlay".into(),
        };
        Err(self.overlay.unfit(within(path), problem))
    }
}

/// Owner and mode, in this order: changing the owner drops setuid.
fn own(place: &Path, uid: u32, gid: u32, mode: u32) -> io::Result<()> {
    chown(place, Some(uid), Some(gid))?;
    fs::set_permissions(place, Permissions::from_mode(mode))
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let length = one.read(&mut a)?;
        if length == 0 {
            return Ok(other.read(&mut b)? == 0);
        }
        let (Some(part), Some(room)) = (a.get(..length), b.get_mut(..length)) else { return Ok(false) };
        match other.read_exact(room) {
            Ok(()) if part == room => {}
            Ok(()) => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(e),
        }
    }
}

fn beneath(mounted: &str) -> String {
    match mounted {
        "home/lava/printer_data" => "on the printer /home/lava/printer_data is a link to /oem, which an image does not carry; ship defaults below /usr/local/share and let a service copy them".into(),
        _ => format!("on the printer something else is mounted over /{mounted}, so what the image holds there is never seen; create it at run time"),
    }
}

fn within(path: &Path) -> PathBuf {
    Path::new(ROOT).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_compared_to_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let long = vec![7; 200_000];
        let mut other = long.clone();
        *other.last_mut().unwrap() = 8;
        let (a, b, c) = (file("a", &long), file("b", &long), file("c", &other));
        let (short, empty) = (file("d", &long[..199_999]), file("e", b""));
        assert!(same_content(&a, &b).unwrap());
        assert!(same_content(&empty, &empty).unwrap());
        for different in [&c, &short, &empty] {
            assert!(!same_content(&a, different).unwrap());
            assert!(!same_content(different, &a).unwrap());
        }
    }

    #[test]
    fn what_no_base_could_take_is_refused_at_once() {
        let cases: [(&str, Option<&str>, &str); 6] = [
            (
                "home/lava/printer_data/config/x.cfg",
                None,
                "root/home/lava/printer_data/config: on the printer /home/lava/printer_data is a link to /oem",
            ),
            ("oem/x", None, "root/oem/x: on the printer something else is mounted over /oem"),
            ("tmp/x", None, "root/tmp/x: on the printer something else is mounted over /tmp"),
            (
                "etc/l",
                Some("/usr/bin/tool"),
                "root/etc/l: the link points to /usr/bin/tool, which is absolute or climbs out of the root",
            ),
            ("etc/l", Some("../../etc/passwd"), "root/etc/l: the link points to ../../etc/passwd"),
            ("etc/bad\nname", None, "the name is no plain UTF-8 text"),
        ];
        for (path, target, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("root").join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match target {
                Some(target) => symlink(target, &place).unwrap(),
                None => fs::write(&place, "").unwrap(),
            }
            let error = check(&Overlay::open(folder.path()).unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
