//! Walks what goes into an archive, in the order of names, with the open folder at hand.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::inside::Inside;
use super::jail::{self, Jail, step};
use super::refusal::{Code, Refusal};
use super::tree::is_unfinished;

/// Something that is packed.
#[derive(Debug)]
pub(crate) enum Item {
    /// A directory.
    Folder,
    /// A file, open to be read.
    File(std::fs::File),
    /// A link, and where it points.
    Link(OsString),
}

/// Calls `each` for `path` and all below it, with the name that it has in the archive: the last part of `path` and what
/// follows. Neither pipes nor devices are visited.
pub(crate) fn walk(
    jail: &Jail,
    path: &Inside,
    most: u64,
    each: &mut dyn FnMut(&Inside, &Stat, Item) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut walk = Walk { left: most, most, each };
    match path.split() {
        None => walk.inner(&jail.read(path)?, &Inside::root()),
        Some((folder, name)) => walk.visit(&jail.folder(&folder)?, name, &Inside::root().join(name)),
    }
}

struct Walk<'w> {
    left: u64,
    most: u64,
    each: &'w mut dyn FnMut(&Inside, &Stat, Item) -> Result<(), Refusal>,
}

impl Walk<'_> {
    fn visit(&mut self, folder: &OwnedFd, name: &OsStr, shown: &Inside) -> Result<(), Refusal> {
        let system = |errno| Refusal::system(errno, shown);
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            Refusal::new(
                Code::FileTooLarge,
                format!("more than {} files and directories; take parts of it", self.most),
            )
        })?;
        let status = jail::status(folder, name).map_err(system)?;
        match jail::kind(&status) {
            FileType::Directory => {
                if shown.depth() > 400 {
                    return Err(Refusal::new(
                        Code::InvalidPath,
                        "more than 400 folders deep; take parts of it",
                    ));
                }
                let inner =
                    step(folder, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).map_err(system)?;
                (self.each)(shown, &status, Item::Folder)?;
                self.inner(&inner, shown)
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
                let file = step(folder, name, flags, Mode::empty()).map_err(system)?;
                // What is open is what is packed, also if its name meanwhile means something else.
                let status = rustix::fs::fstat(&file).map_err(system)?;
                if jail::kind(&status) != FileType::RegularFile {
                    return Ok(());
                }
                (self.each)(shown, &status, Item::File(file.into()))
            }
            FileType::Symlink => {
                let target = jail::target(folder, name).map_err(system)?;
                (self.each)(shown, &status, Item::Link(target))
            }
            _ => Ok(()),
        }
    }

    fn inner(&mut self, folder: &OwnedFd, shown: &Inside) -> Result<(), Refusal> {
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (mut names, more) = jail::names(folder, limit).map_err(|errno| Refusal::system(errno, shown))?;
        if more {
            self.left = 0;
        }
        names.sort();
        for name in names.iter().filter(|name| !is_unfinished(name)) {
            match self.visit(folder, name, &shown.join(name)) {
                // It went while we walked.
                Err(refusal) if refusal.code == Code::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}
