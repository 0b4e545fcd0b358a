//! Users' homes and workspaces on this host.
//!
//! A home is written to by its user, from inside a container, at any time. So nothing here follows a link that it may
//! hold: what is new is made outside and moved in whole, owners are set without following, and a path is resolved before
//! it is judged.

use nix::unistd::{Gid, Uid, fchownat};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

use super::LifecycleError;
use crate::config::schema::Container;
use crate::session::checks;

/// The workspace in a home.
const WORKSPACE: &str = "workspace";
/// How the name of a home begins that is not yet whole. No user's does.
const BEGUN: &str = ".new-";
/// Nobody is still at work on a home that was begun so long ago.
const LONG_BEGUN: Duration = Duration::from_secs(3600);
/// What a new home has where there is no skeleton.
const FOLDERS: [&str; 5] = [WORKSPACE, ".config", ".local/share", ".local/state", ".cache"];

/// Where homes are and whose they become.
#[derive(Debug, Clone)]
pub(super) struct Homes {
    root: PathBuf,
    workspaces: Option<PathBuf>,
    skeleton: Option<PathBuf>,
    owner: Option<(Uid, Gid)>,
}

/// A name that is one component of a path, and of a network, for any user's id.
pub(super) fn component(user: &str) -> String {
    let plain = (1..=64).contains(&user.len())
        && user.starts_with(|first: char| first.is_ascii_alphanumeric())
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if plain {
        return user.to_owned();
    }
    let hash = |seed: u64| {
        user.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    // A plain id never has a dot.
    format!("x.{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15))
}

impl Homes {
    pub(super) fn new(container: &Container) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let (uid, gid) = container.user.split_once(':').unwrap_or((&container.user, &container.user));
        let ids = uid.parse().ok().zip(gid.parse().ok());
        Self {
            root: absolute(&container.user_data_path).join("home"),
            workspaces: container.workspace_root.as_ref().map(absolute),
            skeleton: container.skel_path.as_ref().map(absolute),
            // Only root may give a file away.
            owner: ids
                .filter(|_| nix::unistd::geteuid().is_root())
                .map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid))),
        }
    }

    /// The user's home.
    pub(super) fn home(&self, user: &str) -> PathBuf {
        self.root.join(component(user))
    }

    /// The workspace that a session has that names none.
    pub(super) fn default_workspace(&self, user: &str) -> PathBuf {
        self.home(user).join(WORKSPACE)
    }

    /// Makes the user's home where it is missing, and the workspace in it.
    pub(super) fn prepare(&self, user: &str) -> Result<PathBuf, LifecycleError> {
        let home = self.home(user);
        let failed = |what: &str, path: &Path, source| LifecycleError::Folder {
            what: format!("cannot {what} {}", path.display()),
            source,
        };
        if !home.is_dir() {
            self.sweep();
            let new = self.root.join(format!("{BEGUN}{}", Uuid::new_v4().simple()));
            let made = self
                .make_root()
                .and_then(|()| self.fill(&new))
                // Another session of the user may have been faster; then its home stays.
                .and_then(|()| match fs::rename(&new, &home) {
                    Err(_) if home.is_dir() => fs::remove_dir_all(&new),
                    moved => moved,
                });
            if let Err(source) = made {
                let _ = fs::remove_dir_all(&new);
                return Err(failed("make the home", &home, source));
            }
        }
        let workspace = home.join(WORKSPACE);
        match fs::DirBuilder::new().mode(0o755).create(&workspace) {
            Ok(()) => self.give(&workspace).map_err(|source| failed("give away", &workspace, source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("make", &workspace, source)),
        }
        Ok(home)
    }

    /// Makes the folder of all homes. Others on this machine cannot enter it: whatever its user makes of the modes in a home,
    /// also a program that would run as its owner, is there for nobody but the container.
    fn make_root(&self) -> io::Result<()> {
        fs::create_dir_all(self.root.parent().unwrap_or(&self.root))?;
        match fs::DirBuilder::new().mode(0o700).create(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !self.root.is_dir() => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes homes that were begun and never became anybody's, because the server was killed meanwhile.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let old = || entry.metadata().and_then(|found| found.modified()).ok()?.elapsed().ok();
            let begun = entry.file_name().as_bytes().starts_with(BEGUN.as_bytes());
            if begun && old().is_some_and(|age| age > LONG_BEGUN) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// A new home at a place that nobody else knows.
    fn fill(&self, new: &Path) -> io::Result<()> {
        // Other users of this machine have no business in it.
        fs::DirBuilder::new().mode(0o750).create(new)?;
        match &self.skeleton {
            Some(skeleton) => self.copy(skeleton, new)?,
            None => {
                for folder in FOLDERS {
                    let mut path = new.to_owned();
                    for part in Path::new(folder) {
                        path.push(part);
                        if !path.is_dir() {
                            fs::create_dir(&path)?;
                            self.give(&path)?;
                        }
                    }
                }
            }
        }
        self.give(new)
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() {
                fs::create_dir(&target)?;
                self.copy(&entry.path(), &target)?;
                fs::set_permissions(
                    &target,
                    fs::Permissions::from_mode(entry.metadata()?.permissions().mode()),
                )?;
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
            } else if kind.is_file() {
                fs::copy(entry.path(), &target)?;
            } else {
                // Sockets and devices are no part of a skeleton.
                continue;
            }
            self.give(&target)?;
        }
        Ok(())
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        let flag = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
        fchownat(nix::fcntl::AT_FDCWD, path, Some(uid), Some(gid), flag).map_err(io::Error::from)
    }

    /// The folder that a user names as a workspace: one that is there, in the user's home or below the folder for
    /// workspaces. Relative paths begin at that folder, or at the home where there is none.
    pub(super) fn named(&self, user: &str, text: &str) -> Result<PathBuf, LifecycleError> {
        checks::path(text)?;
        let home = self.home(user);
        let base = self.workspaces.as_ref().unwrap_or(&home);
        let refuse = |why: &str| LifecycleError::Workspace(format!("{text:?} cannot be a workspace: {why}"));
        // What is there, and what is not, is told alike: nobody may ask for others' folders.
        let nowhere = || refuse("it is no folder in your home or below the folder for workspaces");
        let path = fs::canonicalize(base.join(text)).map_err(|_| nowhere())?;
        let below =
            |root: &Path| fs::canonicalize(root).is_ok_and(|root| path.starts_with(&root) && path != root);
        let allowed = below(&home)
            || self.workspaces.as_deref().is_some_and(|root| below(root) && !self.is_home(&path));
        if !allowed || !path.is_dir() {
            return Err(nowhere());
        }
        match path.to_str() {
            Some(resolved) => checks::path(resolved)?,
            None => return Err(refuse("its name is not UTF-8")),
        }
        Ok(path)
    }

    /// Whether a path has to do with homes, others' included.
    fn is_home(&self, path: &Path) -> bool {
        fs::canonicalize(&self.root).is_ok_and(|root| path.starts_with(&root) || root.starts_with(path))
    }

    /// Removes a workspace with all that is in it. A path that leads elsewhere now is refused.
    pub(super) fn purge(&self, path: &Path) -> Result<(), LifecycleError> {
        let failed =
            |source| LifecycleError::Folder { what: format!("cannot remove {}", path.display()), source };
        let parent = path.parent().unwrap_or(path);
        match (fs::canonicalize(parent), fs::canonicalize(&self.root)) {
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            (Err(error), _) => return Err(failed(error)),
            (Ok(now), root) => {
                let same = now == parent
                    || root.is_ok_and(|root| {
                        parent.strip_prefix(&self.root).is_ok_and(|rest| now == root.join(rest))
                    });
                if !same {
                    let why = format!("{} leads elsewhere now and is not removed", path.display());
                    return Err(LifecycleError::Workspace(why));
                }
            }
        }
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
            // The link goes, not what it leads to.
            Ok(found) if found.is_symlink() => fs::remove_file(path).map_err(failed),
            // This does not follow links inside, also not one that is put there meanwhile.
            Ok(_) => fs::remove_dir_all(path).map_err(failed),
        }
    }
}

#[cfg(test)]
#[path = "homes_tests.rs"]
mod tests;
