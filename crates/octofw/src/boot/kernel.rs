//! The files that boot a guest but are not the printer's: Debian's arm64 kernel, its modules, a static BusyBox.

use std::path::{Path, PathBuf};

use super::Error;
use crate::debian::Archive;
use crate::lock::Lock;
use crate::standin::BUSYBOX_PACKAGE;

/// Modules that the guest's first program loads, in an order in which each finds what it depends on.
///
/// Debian's cloud kernel has ext4, devtmpfs and the serial console built in; the rest of what a guest on QEMU's
/// `virt` machine needs is these.
pub const MODULES: [&str; 9] = [
    "virtio_ring",
    "virtio",
    "virtio_mmio",
    "virtio_blk",
    "squashfs",
    "overlay",
    "failover",
    "net_failover",
    "virtio_net",
];

/// Where the kernel, its modules and BusyBox lie on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFiles {
    /// The kernel image.
    pub kernel: PathBuf,
    /// Each module's name and file, in the order of [`MODULES`].
    pub modules: Vec<(&'static str, PathBuf)>,
    /// BusyBox, statically linked for arm64.
    pub busybox: PathBuf,
}

impl GuestFiles {
    /// Fetches Debian's kernel and BusyBox into the cache of `archive` and unpacks them into `cache`, once. Gives
    /// the files, and the packages that were met, to be compared with the lock.
    ///
    /// # Errors
    /// When a package cannot be had or unpacked, or lacks what a guest needs.
    pub fn fetch(archive: &Archive, cache: &Path, lock: Option<&Lock>) -> Result<(Self, Lock), Error> {
        let packages = [archive.fetch_kernel(lock)?, archive.fetch(BUSYBOX_PACKAGE, lock)?];
        let mut met = Lock::new();
        packages.iter().for_each(|deb| met.lock_deb(deb));
        let name = packages.each_ref().map(|deb| deb.sha256.get(..16).unwrap_or(&deb.sha256)).join("-");
        let folder = cache.join(name);
        if !folder.is_dir() {
            std::fs::create_dir_all(cache).map_err(Error::io("create", cache))?;
            let fresh = tempfile::tempdir_in(cache).map_err(Error::io("create a folder in", cache))?;
            for deb in packages {
                deb.unpack_to(fresh.path())?;
            }
            // Another boot may have been quicker; its folder holds the same.
            match std::fs::rename(fresh.path(), &folder) {
                Err(error) if !folder.is_dir() => return Err(Error::io("create", &folder)(error)),
                _ => {}
            }
        }
        crate::cache::mark(&folder);
        Ok((Self::in_folder(&folder)?, met))
    }

    /// Finds the files in a folder into which Debian's packages `linux-image-…-cloud-arm64` and
    /// `busybox-static` (arm64) were unpacked.
    pub fn in_folder(folder: &Path) -> Result<Self, Error> {
        let missing = |what: &str| Error::GuestFiles { what: what.to_owned(), folder: folder.to_owned() };
        let kernel = names(&folder.join("boot"))?
            .into_iter()
            .filter(|path| file_name(path).starts_with("vmlinuz-"))
            .max()
            .ok_or_else(|| missing("boot/vmlinuz-*"))?;
        let version = file_name(&kernel).trim_start_matches("vmlinuz-").to_owned();
        let under = ["lib/modules", "usr/lib/modules"]
            .iter()
            .map(|lib| folder.join(lib).join(&version).join("kernel"))
            .find(|path| path.is_dir())
            .ok_or_else(|| missing(&format!("lib/modules/{version}")))?;
        let mut found = Vec::new();
        collect_modules(&under, &mut found)?;
        let modules = MODULES
            .iter()
            .map(|name| {
                let file = format!("{name}.ko");
                let path = found.iter().find(|path| file_name(path) == file);
                path.map(|path| (*name, path.clone())).ok_or_else(|| missing(&file))
            })
            .collect::<Result<_, _>>()?;
        let busybox = ["bin/busybox", "usr/bin/busybox"]
            .iter()
            .map(|path| folder.join(path))
            .find(|path| path.is_file())
            .ok_or_else(|| missing("bin/busybox"))?;
        Ok(Self { kernel, modules, busybox })
    }
}

fn names(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    read.map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(Error::io("read", folder))
}

fn collect_modules(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), Error> {
    for path in names(folder)? {
        if path.is_dir() {
            collect_modules(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            into.push(path);
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(leave_out: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let modules = MODULES.iter().map(|name| format!("lib/modules/6.1/kernel/a/{name}.ko"));
        for path in ["boot/vmlinuz-6.1", "bin/busybox"].map(str::to_owned).into_iter().chain(modules) {
            if path != leave_out {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
        }
        folder
    }

    #[test]
    fn finds_kernel_modules_and_busybox() {
        let folder = unpacked("");
        let files = GuestFiles::in_folder(folder.path()).unwrap();
        assert_eq!(files.kernel, folder.path().join("boot/vmlinuz-6.1"));
        assert_eq!(files.busybox, folder.path().join("bin/busybox"));
        assert_eq!(files.modules.iter().map(|(name, _)| *name).collect::<Vec<_>>(), MODULES);
    }

    #[test]
    fn names_what_is_missing() {
        for lost in ["bin/busybox", "lib/modules/6.1/kernel/a/squashfs.ko"] {
            let folder = unpacked(lost);
            let error = GuestFiles::in_folder(folder.path()).unwrap_err().to_string();
            assert!(error.contains(lost.rsplit('/').next().unwrap()), "{error}");
            assert!(error.contains(&folder.path().display().to_string()), "{error}");
        }
    }
}
