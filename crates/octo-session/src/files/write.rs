//! A file on its way in: written aside, then put in its place in one step. What is given up leaves nothing.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::conditions;
use super::inside::Inside;
use super::jail::{self, Jail, Links};
use super::refusal::{Code, Refusal};

/// Under which conditions a file is replaced: `If-Match` and `If-None-Match` of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
}

impl Conditions {
    /// Holds them against what is there; `tag` is nothing if there is nothing.
    pub(crate) fn check(&self, tag: Option<&str>, path: &Inside) -> Result<(), Refusal> {
        let failed = |why: &str| Refusal::new(Code::PreconditionFailed, format!("{path}: {why}"));
        if self.if_match.as_deref().is_some_and(|list| !conditions::names(list, tag)) {
            return Err(failed("the file has changed, or is gone; read it again"));
        }
        if self.if_none_match.as_deref().is_some_and(|list| conditions::names(list, tag)) {
            return Err(failed("it exists already"));
        }
        Ok(())
    }
}

/// A file that has no name yet.
#[derive(Debug)]
pub(crate) struct Draft {
    folder: OwnedFd,
    name: OsString,
    /// The name of the whole, for messages.
    pub(crate) path: Inside,
    /// Where the file system knows no files without names.
    aside: Option<Aside>,
}

/// A file with a name of ours, which goes with it.
#[derive(Debug)]
struct Aside {
    folder: OwnedFd,
    name: OsString,
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn unfinished_name() -> OsString {
    format!(".upload-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

/// Starts a file that shall be at `path`; `mkdir` makes the directories on the way.
pub(crate) fn begin(jail: &Jail, path: &Inside, mkdir: bool) -> Result<(Draft, std::fs::File), Refusal> {
    if mkdir && let Some((folder, _)) = path.split() {
        jail.make_folders(&folder, Links::Follow)?;
    }
    let (folder, name) = jail.parent(path)?;
    refuse_other_than_file(&folder, name, path)?;
    let system = |errno| Refusal::system(errno, path);
    let mode = Mode::from_raw_mode(0o666);
    // Read too, since an archive is read after it has come.
    let write = OFlags::RDWR | OFlags::CLOEXEC;
    let (file, aside) = match rustix::fs::openat(&folder, ".", write | OFlags::TMPFILE, mode) {
        Ok(file) => (file, None),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
            let own = unfinished_name();
            let flags = write | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let file = rustix::fs::openat(&folder, &own, flags, mode).map_err(system)?;
            let folder = rustix::io::fcntl_dupfd_cloexec(&folder, 0).map_err(system)?;
            (file, Some(Aside { folder, name: own }))
        }
        Err(errno) => return Err(system(errno)),
    };
    let draft = Draft { folder, name: name.to_owned(), path: path.clone(), aside };
    Ok((draft, file.into()))
}

fn refuse_other_than_file(folder: &OwnedFd, name: &OsStr, path: &Inside) -> Result<(), Refusal> {
    match jail::status(folder, name).map(|status| jail::kind(&status)) {
        Err(Errno::NOENT) | Ok(FileType::RegularFile) => Ok(()),
        Err(errno) => Err(Refusal::system(errno, path)),
        Ok(FileType::Directory) => Err(Refusal::new(Code::NotAFile, format!("{path}: it is a directory"))),
        Ok(FileType::Symlink) => Err(Refusal::new(
            Code::NotAFile,
            format!("{path}: a link is not written over; delete it first, or write to where it points"),
        )),
        Ok(_) => Err(Refusal::new(Code::NotAFile, format!("{path}: it is neither file nor directory"))),
    }
}

impl Draft {
    /// Gives the file its name. `order` makes writers of this program wait for each other, so that what the conditions
    /// were held against is what is replaced.
    ///
    /// Returns the version that it now has.
    pub(crate) fn finish(
        mut self,
        file: &std::fs::File,
        mode: Option<u32>,
        conditions: &Conditions,
        order: &Mutex<()>,
    ) -> Result<String, Refusal> {
        let _turn = order.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path.clone();
        let system = |errno| Refusal::system(errno, &path);
        refuse_other_than_file(&self.folder, &self.name, &path)?;
        let old = match jail::status(&self.folder, &self.name) {
            Ok(status) => Some(status),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(system(errno)),
        };
        conditions.check(old.as_ref().map(conditions::etag).as_deref(), &path)?;
        if let Some(mode) = mode.or(old.as_ref().map(jail::permissions)) {
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(system)?;
        }
        let aside = match self.aside.take() {
            Some(aside) => aside,
            None => {
                let own = unfinished_name();
                let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
                rustix::fs::linkat(CWD, itself.as_str(), &self.folder, &own, AtFlags::SYMLINK_FOLLOW)
                    .map_err(system)?;
                Aside { folder: rustix::io::fcntl_dupfd_cloexec(&self.folder, 0).map_err(system)?, name: own }
            }
        };
        rustix::fs::renameat(&aside.folder, &aside.name, &self.folder, &self.name).map_err(system)?;
        let status = rustix::fs::fstat(file).map_err(system)?;
        // The name is gone with the rename; taking it away once more would hit nothing.
        drop(aside);
        Ok(conditions::etag(&status))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn place() -> (tempfile::TempDir, Jail, Mutex<()>) {
        let place = tempfile::tempdir().unwrap();
        let jail = Jail::open(place.path()).unwrap();
        (place, jail, Mutex::new(()))
    }

    fn path(text: &str) -> Inside {
        Inside::parse(text.as_bytes()).unwrap()
    }

    fn entries(place: &tempfile::TempDir) -> usize {
        std::fs::read_dir(place.path()).unwrap().count()
    }

    #[test]
    fn a_file_appears_whole_and_keeps_its_mode() {
        let (place, jail, order) = place();
        let script = place.path().join("S50");
        std::fs::write(&script, "old").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let (draft, mut file) = begin(&jail, &path("S50"), false).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&script).unwrap(), b"old");
        draft.finish(&file, None, &Conditions::default(), &order).unwrap();
        assert_eq!(std::fs::read(&script).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(entries(&place), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let (place, jail, _) = place();
        let (draft, mut file) = begin(&jail, &path("a"), false).unwrap();
        file.write_all(b"half").unwrap();
        drop((draft, file));
        assert_eq!(entries(&place), 0);
        // Also where the draft has a name of its own.
        std::fs::write(place.path().join(".upload-x"), "").unwrap();
        let folder = jail.folder(&Inside::root()).unwrap();
        drop(Aside { folder, name: ".upload-x".into() });
        assert_eq!(entries(&place), 0);
    }

    #[test]
    fn conditions_are_held_against_what_is_replaced() {
        let (_place, jail, order) = place();
        let write = |conditions: Conditions| {
            let (draft, mut file) = begin(&jail, &path("f"), false).unwrap();
            file.write_all(b"x").unwrap();
            draft.finish(&file, None, &conditions, &order).map_err(|refusal| refusal.code)
        };
        let only_new = Conditions { if_none_match: Some("*".into()), ..Conditions::default() };
        let absent = Conditions { if_match: Some("*".into()), ..Conditions::default() };
        assert_eq!(write(absent), Err(Code::PreconditionFailed));
        let first = write(only_new.clone()).unwrap();
        assert_eq!(write(only_new), Err(Code::PreconditionFailed));
        let second = write(Conditions { if_match: Some(first.clone()), ..Conditions::default() }).unwrap();
        assert_ne!(first, second);
        assert_eq!(
            write(Conditions { if_match: Some(first), ..Conditions::default() }),
            Err(Code::PreconditionFailed)
        );
    }

    #[test]
    fn links_directories_and_pipes_are_not_written_over() {
        let (place, jail, order) = place();
        std::fs::create_dir(place.path().join("d")).unwrap();
        symlink("target", place.path().join("l")).unwrap();
        for name in ["d", "l"] {
            assert_eq!(begin(&jail, &path(name), false).unwrap_err().code, Code::NotAFile, "{name}");
        }
        // Also when it comes between the start and the end.
        let (draft, file) = begin(&jail, &path("late"), false).unwrap();
        symlink("target", place.path().join("late")).unwrap();
        let end = draft.finish(&file, None, &Conditions::default(), &order);
        assert_eq!(end.unwrap_err().code, Code::NotAFile);
        assert!(!place.path().join("target").exists());
        assert_eq!(begin(&jail, &Inside::root(), false).unwrap_err().code, Code::InvalidPath);
        assert_eq!(begin(&jail, &path("no/where"), false).unwrap_err().code, Code::NotFound);
        assert!(begin(&jail, &path("no/where"), true).is_ok());
    }
}
