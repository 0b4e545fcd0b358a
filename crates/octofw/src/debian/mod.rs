//! Packages of a foreign Debian architecture, as files: BusyBox and the kernel for the stand-in printer.
//! Needs no root and leaves the machine's own apt and dpkg alone. Installs nothing and resolves no
//! dependencies except the one from a kernel metapackage to its versioned kernel.
//!
//! Below the cache directory: `apt/` is a private apt state, `debs/` holds the fetched packages ([`crate::cache`]).

pub(crate) mod apt;
pub(crate) mod control;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::cache::{Using, mark};
use crate::command::{Command, CommandError};
use crate::digest;
use crate::lock::Lock;
use apt::Apt;
use control::Candidate;

/// The only foreign architecture that the printer has.
pub const ARCHITECTURE: &str = "arm64";

/// The metapackage that depends on Debian's current small kernel for virtual machines.
pub const KERNEL_METAPACKAGE: &str = "linux-image-cloud-arm64";

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A program of the packaging tools failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file of the cache could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Working offline, and the package is not in the cache.
    #[error("the package {package} ({ARCHITECTURE}) is not in {} and --offline forbids fetching it; run once without --offline, or put the package's .deb there as {file}", cache.display())]
    Offline {
        /// The missing package.
        package: String,
        /// Where it was looked for.
        cache: PathBuf,
        /// The name that its file would have there.
        file: String,
    },
    /// No source of this machine has the package.
    #[error(
        "no package source has {package} for {ARCHITECTURE}{update}; check the sources and the network, \
         or name a Debian mirror in OCTOFW_DEBIAN_MIRROR (and its release in OCTOFW_DEBIAN_SUITE)"
    )]
    NotFound {
        /// The package.
        package: String,
        /// What the last refresh of the package lists complained about, or nothing.
        update: String,
    },
    /// The machine is not Debian, and nobody named a mirror.
    #[error(
        "this machine's package sources are not Debian's; name a Debian mirror in OCTOFW_DEBIAN_MIRROR \
         (and its release in OCTOFW_DEBIAN_SUITE, if not bookworm)"
    )]
    NoMirror,
    /// The machine is not Debian and lacks the keys that Debian's packages are checked with.
    #[error(
        "this machine has no keys to check Debian's packages with; install the package debian-archive-keyring"
    )]
    NoKeyring,
    /// What arrived is not what the package list announced.
    #[error("the package file {} has SHA-256 {found}, expected {expected}; delete it and try again", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest it should have.
        expected: String,
        /// The digest it has.
        found: String,
    },
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DebianError {
    let path = path.to_path_buf();
    move |source| DebianError::File { action, path, source }
}

/// A package file in the cache, checked against its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Name of the package.
    pub package: String,
    /// Debian version, with epoch.
    pub version: String,
    /// Architecture, as Debian calls it.
    pub architecture: String,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// The file.
    pub path: PathBuf,
}

impl Deb {
    /// Unpacks the package's files below a directory, without installing anything.
    ///
    /// # Errors
    /// When `dpkg-deb` is missing or cannot unpack the file.
    pub fn unpack_to(&self, directory: &Path) -> Result<(), DebianError> {
        fs::create_dir_all(directory).map_err(file_error("create", directory))?;
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&self.path)
            .arg(directory)
            .remedy("packages are unpacked with Debian's dpkg; install it with: apt-get install dpkg")
            .run()?;
        Ok(())
    }

    /// The package's control file, with the line that dpkg adds when it is installed.
    ///
    /// # Errors
    /// When `dpkg-deb` is missing or cannot read the file.
    pub fn control(&self) -> Result<Vec<u8>, DebianError> {
        let mut text = Command::new("dpkg-deb")
            .arg("-f")
            .arg(&self.path)
            .remedy("packages are read with Debian's dpkg; install it with: apt-get install dpkg")
            .output()?;
        text.extend_from_slice(b"Status: install ok installed\n");
        Ok(text)
    }
}

/// Debian's archive as seen from this machine, with a cache of what was fetched.
#[derive(Debug)]
pub struct Archive {
    debs: PathBuf,
    apt: Apt,
    offline: bool,
    _one_at_a_time: File,
    _using: Using,
}

impl Archive {
    /// Opens (and creates) the cache. Waits while another process has it open.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn open(cache_dir: &Path) -> Result<Archive, DebianError> {
        fs::create_dir_all(cache_dir).map_err(file_error("create", cache_dir))?;
        let cache = fs::canonicalize(cache_dir).map_err(file_error("open", cache_dir))?;
        let debs = cache.join("debs");
        fs::create_dir_all(&debs).map_err(file_error("create", &debs))?;
        let using = Using::begin(&cache).map_err(file_error("lock", &cache))?;
        let lock_path = cache.join("lock");
        let lock = File::create(&lock_path).map_err(file_error("create", &lock_path))?;
        lock.lock().map_err(file_error("lock", &lock_path))?;
        let apt = Apt::below(&cache.join("apt"));
        Ok(Archive { apt, debs, offline: false, _one_at_a_time: lock, _using: using })
    }

    /// Forbids the network: only what the cache holds is served.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Archive {
        self.offline = offline;
        self
    }

    /// The package's file: the locked version when the cache or a mirror still has it, else the current one.
    /// Compare the result with the lock ([`Lock::admit`]) and tell the user.
    ///
    /// # Errors
    /// When the package cannot be found or fetched, or its file is damaged.
    pub fn fetch(&self, package: &str, lock: Option<&Lock>) -> Result<Deb, DebianError> {
        self.find(package, lock).inspect(|deb| mark(&deb.path))
    }

    fn find(&self, package: &str, lock: Option<&Lock>) -> Result<Deb, DebianError> {
        let locked = lock.and_then(|lock| lock.package(package));
        if let Some(locked) = locked {
            let path = self.path_of(package, &locked.version);
            if path.is_file() && digest_of(&path)? == locked.sha256 {
                return Ok(deb(package, &locked.version, &locked.sha256, path));
            }
        }
        if self.offline {
            return self
                .newest_cached(|name| name == package)?
                .ok_or_else(|| self.missing(package, locked.map_or("VERSION", |locked| &locked.version)));
        }
        let complaint = self.apt.update_daily()?;
        let pinned = locked.map(|locked| self.apt.candidate(package, Some(&locked.version))).transpose()?;
        let candidate = match pinned.flatten() {
            Some(candidate) => candidate,
            None => self.current(package, complaint)?,
        };
        match self.download(package, &candidate) {
            // The lists may be older than the mirror: a version that vanished meanwhile is looked up anew.
            Err(DebianError::Command(CommandError::Failed { .. })) => {
                let complaint = self.apt.update()?;
                self.download(package, &self.current(package, complaint)?)
            }
            other => other,
        }
    }

    /// The kernel that [`KERNEL_METAPACKAGE`] stands for; the locked one when it can still be had.
    ///
    /// # Errors
    /// As [`Archive::fetch`].
    pub fn fetch_kernel(&self, lock: Option<&Lock>) -> Result<Deb, DebianError> {
        if let Some(name) = lock.and_then(Lock::kernel_package) {
            match self.fetch(name, lock) {
                Err(DebianError::NotFound { .. }) => {}
                other => return other,
            }
        }
        if self.offline {
            let kernel = self.newest_cached(is_kernel)?;
            let missing = || self.missing(KERNEL_METAPACKAGE, "VERSION");
            return kernel.inspect(|deb| mark(&deb.path)).ok_or_else(missing);
        }
        let complaint = self.apt.update_daily()?;
        let metapackage = self.current(KERNEL_METAPACKAGE, complaint)?;
        let name = metapackage.depends.iter().find(|name| is_kernel(name));
        let name = name.ok_or_else(|| DebianError::NotFound {
            package: format!("a kernel that {KERNEL_METAPACKAGE} depends on"),
            update: String::new(),
        })?;
        self.fetch(name, lock)
    }

    fn current(&self, package: &str, complaint: Option<String>) -> Result<Candidate, DebianError> {
        self.apt.candidate(package, None)?.ok_or_else(|| DebianError::NotFound {
            package: package.to_owned(),
            update: complaint.map(|said| format!(" (apt-get update said: {said})")).unwrap_or_default(),
        })
    }

    fn download(&self, package: &str, candidate: &Candidate) -> Result<Deb, DebianError> {
        let path = self.path_of(package, &candidate.version);
        if !(path.is_file() && digest_of(&path)? == candidate.sha256) {
            let scratch = tempfile::tempdir_in(&self.debs).map_err(file_error("write in", &self.debs))?;
            let fetched = self.apt.download(package, &candidate.version, scratch.path())?;
            let found = digest_of(&fetched)?;
            if found != candidate.sha256 {
                return Err(DebianError::Digest { path: fetched, expected: candidate.sha256.clone(), found });
            }
            fs::rename(&fetched, &path).map_err(file_error("rename to", &path))?;
        }
        Ok(deb(package, &candidate.version, &candidate.sha256, path))
    }

    fn missing(&self, package: &str, version: &str) -> DebianError {
        let path = self.path_of(package, version);
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        DebianError::Offline { package: package.to_owned(), cache: self.debs.clone(), file }
    }

    fn path_of(&self, package: &str, version: &str) -> PathBuf {
        self.debs.join(format!("{package}_{}_{ARCHITECTURE}.deb", version.replace(':', "%3a")))
    }

    /// The cached package, of those whose name is wanted, that was used last.
    fn newest_cached(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<Deb>, DebianError> {
        let mut newest = None;
        for entry in fs::read_dir(&self.debs).map_err(file_error("list", &self.debs))? {
            let entry = entry.map_err(file_error("list", &self.debs))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((package, version)) = name_and_version(&name) else { continue };
            if !wanted(package) {
                continue;
            }
            let time = entry.metadata().and_then(|meta| meta.modified());
            let time = time.map_err(file_error("read", &entry.path()))?;
            let found = (time, package.to_owned(), version.replace("%3a", ":"), entry.path());
            newest = newest.max(Some(found));
        }
        newest
            .map(|(_, package, version, path)| Ok(deb(&package, &version, &digest_of(&path)?, path)))
            .transpose()
    }
}

/// Whether this names a versioned kernel of Debian's cloud flavour, and not the metapackage.
#[must_use]
pub fn is_kernel(package: &str) -> bool {
    let version = package.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-cloud-arm64"));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn deb(package: &str, version: &str, sha256: &str, path: PathBuf) -> Deb {
    Deb {
        package: package.to_owned(),
        version: version.to_owned(),
        architecture: ARCHITECTURE.to_owned(),
        sha256: sha256.to_owned(),
        path,
    }
}

/// Takes `NAME_VERSION_arm64.deb` apart.
pub(crate) fn name_and_version(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".deb")?.strip_suffix(ARCHITECTURE)?.strip_suffix('_')?;
    stem.split_once('_')
}

fn digest_of(path: &Path) -> Result<String, DebianError> {
    digest::of_file(path).map(|(sha256, _)| sha256).map_err(file_error("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_from_metapackages() {
        assert!(is_kernel("linux-image-6.1.0-56-cloud-arm64"));
        for other in ["linux-image-cloud-arm64", "linux-image-6.1.0-56-arm64", "busybox-static"] {
            assert!(!is_kernel(other), "{other}");
        }
    }

    #[test]
    fn file_names_of_packages_are_taken_apart() {
        assert_eq!(name_and_version("a-b_1%3a2-3+b1_arm64.deb"), Some(("a-b", "1%3a2-3+b1")));
        for other in ["a_1_amd64.deb", "a_1_arm64", "_arm64.deb", ".tmp"] {
            assert_eq!(name_and_version(other), None, "{other}");
        }
    }

    #[test]
    fn offline_serves_the_cache_and_names_what_is_missing() {
        let cache = tempfile::tempdir().unwrap();
        let archive = Archive::open(cache.path()).unwrap().offline(true);
        let missing = archive.fetch("busybox-static", None).unwrap_err().to_string();
        assert!(missing.contains("busybox-static") && missing.contains("--offline"), "{missing}");
        let mut lock = Lock::default();
        lock.lock_package("busybox-static", "1:1.35.0-4", &"ab".repeat(32));
        let missing = archive.fetch("busybox-static", Some(&lock)).unwrap_err().to_string();
        assert!(missing.contains("busybox-static_1%3a1.35.0-4_arm64.deb"), "{missing}");
        let missing = archive.fetch_kernel(None).unwrap_err().to_string();
        assert!(missing.contains(KERNEL_METAPACKAGE), "{missing}");

        fs::write(cache.path().join("debs/busybox-static_1%3a1.35.0-4_arm64.deb"), b"content").unwrap();
        let deb = archive.fetch("busybox-static", None).unwrap();
        assert_eq!(deb.version, "1:1.35.0-4");
        assert_eq!(deb.sha256, "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
    }

    #[test]
    fn a_locked_package_in_the_cache_needs_no_apt() {
        let cache = tempfile::tempdir().unwrap();
        let archive = Archive::open(cache.path()).unwrap().offline(true);
        let mut lock = Lock::default();
        lock.lock_package("a", "1", "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
        fs::write(cache.path().join("debs/a_1_arm64.deb"), b"content").unwrap();
        fs::write(cache.path().join("debs/a_2_arm64.deb"), b"newer").unwrap();
        assert_eq!(archive.fetch("a", Some(&lock)).unwrap().version, "1");
    }
}
