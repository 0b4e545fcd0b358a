//! The root: whatever is opened is opened below it, in one step that nobody can interfere with.
//!
//! The kernel itself sees to that (`openat2` with `RESOLVE_BENEATH`): links that stay below the root are followed, any
//! other is refused, and no check precedes the use. Where the kernel or a filter of the container does not know that
//! call, each part of a path is opened by itself, and links are not followed at all.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::inside::Inside;
use super::refusal::{Code, Refusal};

/// How a path is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the kernel, in one call.
    Beneath,
    /// Part by part, without following links.
    Stepwise,
}

/// Whether links on the way are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// As long as they stay below the root.
    Follow,
    /// Not at all: for paths that come out of an archive.
    Refuse,
}

/// A directory and all below it.
#[derive(Debug, Clone)]
pub(crate) struct Jail {
    root: Arc<OwnedFd>,
    way: Way,
}

/// How often a path is walked again when somebody renames folders on it meanwhile.
const TRIES: usize = 50;

impl Jail {
    /// Opens the root and finds out how paths can be walked here.
    pub(crate) fn open(root: &Path) -> Result<Jail, Errno> {
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let probe = rustix::fs::openat2(
            &root,
            ".",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH,
        );
        // Older container engines' filters say EPERM to calls that they do not know.
        let way = match probe {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Way::Stepwise,
            _ => Way::Beneath,
        };
        Ok(Jail { root: Arc::new(root), way })
    }

    /// The same root, walked in another way.
    #[cfg(test)]
    pub(crate) fn walking(&self, way: Way) -> Jail {
        Jail { root: Arc::clone(&self.root), way }
    }

    /// How paths are walked.
    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// Opens what lies at `path`.
    pub(crate) fn at(
        &self,
        path: &Inside,
        flags: OFlags,
        mode: Mode,
        links: Links,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        match self.way {
            Way::Beneath => {
                let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                if links == Links::Refuse {
                    resolve |= ResolveFlags::NO_SYMLINKS;
                }
                for _ in 0..TRIES {
                    match rustix::fs::openat2(&*self.root, path.as_os_str(), flags, mode, resolve) {
                        Err(Errno::AGAIN | Errno::INTR) => {}
                        other => return other,
                    }
                }
                Err(Errno::AGAIN)
            }
            Way::Stepwise => self.step_by_step(path, flags, mode),
        }
    }

    fn step_by_step(&self, path: &Inside, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let Some((folder, name)) = path.split() else {
            return rustix::fs::openat(&*self.root, ".", flags, mode);
        };
        let mut at = rustix::fs::openat(&*self.root, ".", FOLDER, Mode::empty())?;
        for part in folder.parts() {
            at = step(&at, part, FOLDER, Mode::empty())?;
        }
        step(&at, name, flags, mode)
    }

    /// Opens a file or directory to read it. Neither waits for a writer nor becomes a terminal's process.
    pub(crate) fn read(&self, path: &Inside) -> Result<OwnedFd, Refusal> {
        self.at(path, READ, Mode::empty(), Links::Follow).map_err(|errno| Refusal::system(errno, path))
    }

    /// Opens a directory, to work in it.
    pub(crate) fn folder(&self, path: &Inside) -> Result<OwnedFd, Refusal> {
        self.folder_by(path, Links::Follow)
    }

    /// The same, with a say about links.
    pub(crate) fn folder_by(&self, path: &Inside, links: Links) -> Result<OwnedFd, Refusal> {
        self.at(path, FOLDER, Mode::empty(), links).map_err(|errno| Refusal::system(errno, path))
    }

    /// The directory that `path` lies in, open, and its name there.
    ///
    /// # Errors
    ///
    /// The root lies in nothing that could be changed.
    pub(crate) fn parent<'p>(&self, path: &'p Inside) -> Result<(OwnedFd, &'p OsStr), Refusal> {
        let (folder, name) = path.split().ok_or_else(|| {
            Refusal::new(Code::InvalidPath, "the root itself can be neither changed nor removed")
        })?;
        Ok((self.folder(&folder)?, name))
    }

    /// A jail whose root is the directory at `path`.
    pub(crate) fn narrowed(&self, path: &Inside) -> Result<Jail, Refusal> {
        Ok(Jail { root: Arc::new(self.folder(path)?), way: self.way })
    }

    /// Makes the directory `path` and those that it lies in, as far as they are missing.
    pub(crate) fn make_folders(&self, path: &Inside, links: Links) -> Result<OwnedFd, Refusal> {
        let mut so_far = Inside::root();
        let mut at = self.folder(&so_far)?;
        for part in path.parts() {
            so_far = so_far.join(part);
            at = match self.at(&so_far, FOLDER, Mode::empty(), links) {
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(&at, part, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(
                            errno @ (Errno::ACCESS | Errno::PERM | Errno::NOSPC | Errno::DQUOT | Errno::ROFS),
                        ) => {
                            return Err(Refusal::system(errno, &so_far));
                        }
                        Err(errno) => {
                            let text = format!("{so_far}: the directory cannot be made: {errno}");
                            return Err(Refusal::new(Code::CreateDirFailed, text));
                        }
                    }
                    self.at(&so_far, FOLDER, Mode::empty(), links)
                }
                other => other,
            }
            .map_err(|errno| Refusal::system(errno, &so_far))?;
        }
        Ok(at)
    }
}

/// A directory that is only a place to start from.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens `name` in `folder`; a link there is refused with `ELOOP`, as `openat2` would.
pub(crate) fn step(folder: &impl AsFd, name: &OsStr, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode) {
        Err(Errno::NOTDIR) if status(folder, name).is_ok_and(|s| kind(&s) == FileType::Symlink) => {
            Err(Errno::LOOP)
        }
        other => other,
    }
}

/// What `name` in `folder` is; of a link, the link.
pub(crate) fn status(folder: &impl AsFd, name: &OsStr) -> Result<Stat, Errno> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// What the status is of.
pub(crate) fn kind(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
}

/// The permissions, with the set-user, set-group and sticky bits.
pub(crate) fn permissions(status: &Stat) -> u32 {
    status.st_mode & 0o7777
}

/// The size in bytes.
pub(crate) fn size(status: &Stat) -> u64 {
    u64::try_from(status.st_size).unwrap_or_default()
}

/// Where the link `name` in `folder` points.
pub(crate) fn target(folder: &impl AsFd, name: &OsStr) -> Result<OsString, Errno> {
    let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
    Ok(OsString::from_vec(target.into_bytes()))
}

/// The names in a directory that is open for reading, or as a place; at most `limit`, and whether there are more.
pub(crate) fn names(folder: &impl AsFd, limit: usize) -> Result<(Vec<OsString>, bool), Errno> {
    let mut names = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in rustix::fs::Dir::new(rustix::fs::openat(folder, ".", flags, Mode::empty())?)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() == limit {
            return Ok((names, true));
        }
        names.push(OsString::from_vec(name));
    }
    Ok((names, false))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Jail) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/file"), "inside").unwrap();
        std::fs::write(place.path().join("secret"), "outside").unwrap();
        symlink("file", root.join("a/link")).unwrap();
        symlink("../a", root.join("a/b/up")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(place.path(), root.join("absolute")).unwrap();
        symlink("self", root.join("self")).unwrap();
        let jail = Jail::open(&root).unwrap();
        (place, jail)
    }

    fn path(text: &str) -> Inside {
        Inside::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_outside_can_be_opened_in_either_way() {
        let (_place, jail) = tree();
        for way in [Way::Beneath, Way::Stepwise] {
            let jail = jail.walking(way);
            assert!(jail.read(&path("a/file")).is_ok(), "{way:?}");
            for (bad, code) in [
                ("out", Code::PathTraversal),
                ("absolute/secret", Code::PathTraversal),
                ("self", Code::PathTraversal),
                ("missing", Code::NotFound),
                ("a/file/x", Code::NotADirectory),
            ] {
                assert_eq!(jail.read(&path(bad)).unwrap_err().code, code, "{bad} {way:?}");
            }
            assert_eq!(jail.folder(&path("a/file")).unwrap_err().code, Code::NotADirectory);
            assert_eq!(
                jail.make_folders(&path("absolute/x/y"), Links::Follow).unwrap_err().code,
                Code::PathTraversal
            );
        }
    }

    #[test]
    fn links_that_stay_inside_are_followed_by_the_kernel_only() {
        let (_place, jail) = tree();
        assert!(jail.read(&path("a/link")).is_ok());
        assert_eq!(jail.at(&path("a/link"), READ, Mode::empty(), Links::Refuse).unwrap_err(), Errno::LOOP);
        let stepwise = jail.walking(Way::Stepwise);
        assert_eq!(stepwise.read(&path("a/link")).unwrap_err().code, Code::PathTraversal);
    }

    #[test]
    fn missing_folders_are_made() {
        let (place, jail) = tree();
        jail.make_folders(&path("new/deep/er"), Links::Follow).unwrap();
        assert!(place.path().join("root/new/deep/er").is_dir());
        jail.make_folders(&path("new/deep/er"), Links::Refuse).unwrap();
    }

    #[test]
    fn a_narrowed_jail_does_not_see_its_parents_either() {
        let (_place, jail) = tree();
        let inner = jail.narrowed(&path("a/b")).unwrap();
        assert_eq!(inner.read(&path("up/file")).unwrap_err().code, Code::PathTraversal);
        assert!(jail.narrowed(&path("absolute")).is_err());
    }
}
