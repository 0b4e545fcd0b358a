//! The lock file: every input of an image with its hash or version, so that a build can say when it was made
//! of something else than the one before. Knows nothing of how inputs are fetched or used.
//!
//! A difference is a warning by default: Debian's mirrors drop old versions, and a build that cannot get the
//! locked one must still be possible. `--locked` makes it an error.

mod observe;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::debian::{Deb, is_kernel};
use crate::output::write_text;

pub use observe::{RECIPE, TOOLS, file_digest, observe_files, observe_sources, observe_tools, tree_digest};

/// The file's name at the root of the repository.
pub const FILE_NAME: &str = "octofw.lock";

/// Version of the file's layout.
const SCHEMA: u32 = 1;

/// Why the lock could not be read, written or kept.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock file is not one.
    #[error("{} is no lock file of this program; write it anew with `octofw lock`", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The lock file was written by a newer program.
    #[error("{} has layout {found}, this program knows {SCHEMA}; use the program of the same checkout", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The layout it has.
        found: u32,
    },
    /// Inputs differ and `--locked` was given.
    #[error("--locked forbids building from other inputs: {}", list(drifts))]
    Locked {
        /// Every difference.
        drifts: Vec<Drift>,
    },
}

fn list(drifts: &[Drift]) -> String {
    drifts.iter().map(Drift::to_string).collect::<Vec<_>>().join("; ")
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LockError {
    let path = path.to_path_buf();
    move |source| LockError::File { action, path, source }
}

/// A Debian package, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Architecture, as Debian calls it.
    pub architecture: String,
    /// SHA-256 of the package file, lower-case hex.
    pub sha256: String,
    /// Debian version, with epoch.
    pub version: String,
}

/// Inputs with their hashes or versions: those of a lock file, or those that a build has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    schema: u32,
    /// SHA-256 of firmware files to build on, by file name. A lock without any lets every base pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bases: BTreeMap<String, String>,
    /// Digest of overlays, by name, see [`crate::overlay::tree_hash`]. A lock without any lets every overlay pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    overlays: BTreeMap<String, String>,
    /// Debian packages by name.
    packages: BTreeMap<String, LockedPackage>,
    /// SHA-256 of files and trees of the repository, by path; a tree's path ends with a slash.
    sources: BTreeMap<String, String>,
    /// What each tool says its version is.
    tools: BTreeMap<String, String>,
}

/// One input that is not as it was locked. Its text is one line, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Which input: `package busybox-static`, `source Cargo.lock`, `tool rustc`.
    pub input: String,
    /// What the lock says, if anything.
    pub locked: Option<String>,
    /// What was found, if anything.
    pub found: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locked = self.locked.as_deref().unwrap_or("nothing");
        let found = self.found.as_deref().unwrap_or("nothing");
        // Bases and overlays stay as they are locked where none is given; all are locked anew where one is.
        let call = match self.input.split(' ').next() {
            Some("base") => "octofw lock --base FILE, with every base,",
            Some("overlay") => "octofw lock --overlay DIR, with every overlay,",
            _ => "`octofw lock`",
        };
        write!(to, "{}: locked {locked}, found {found}; {call} records the new state", self.input)
    }
}

impl LockError {
    /// Whether an input is not what it claims to be, rather than missing, in the way or changed.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, LockError::Malformed { .. } | LockError::Newer { .. })
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

impl Lock {
    /// A lock without inputs, to add to.
    #[must_use]
    pub fn new() -> Lock {
        Lock {
            schema: SCHEMA,
            bases: BTreeMap::new(),
            overlays: BTreeMap::new(),
            packages: BTreeMap::new(),
            sources: BTreeMap::new(),
            tools: BTreeMap::new(),
        }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a lock file of this layout.
    pub fn read(path: &Path) -> Result<Lock, LockError> {
        let bytes = fs::read(path).map_err(file_error("read", path))?;
        let malformed = |source| LockError::Malformed { path: path.to_path_buf(), source };
        // The layout first: a newer one may have fields that this program would only call unknown.
        let layout: Layout = serde_json::from_slice(&bytes).map_err(malformed)?;
        if layout.schema != SCHEMA {
            return Err(LockError::Newer { path: path.to_path_buf(), found: layout.schema });
        }
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    /// Reads a lock file if there is one.
    ///
    /// # Errors
    /// As [`Lock::read`], except for a missing file.
    pub fn read_if_any(path: &Path) -> Result<Option<Lock>, LockError> {
        match Lock::read(path) {
            Err(LockError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The file's text: sorted, one input per line, ending with a line end.
    ///
    /// # Errors
    /// Never in practice; the serialiser's signature asks for it.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Writes the lock file, at once or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let malformed = |source| LockError::Malformed { path: path.to_path_buf(), source };
        let text = self.to_text().map_err(malformed)?;
        write_text(path, &text).map_err(file_error("write", path))
    }

    /// Records a package.
    pub fn lock_package(&mut self, name: &str, version: &str, sha256: &str) {
        let package = LockedPackage {
            architecture: crate::debian::ARCHITECTURE.to_owned(),
            sha256: sha256.to_owned(),
            version: version.to_owned(),
        };
        self.packages.insert(name.to_owned(), package);
    }

    /// Records a fetched package.
    pub fn lock_deb(&mut self, deb: &Deb) {
        self.lock_package(&deb.package, &deb.version, &deb.sha256);
    }

    /// Records a file or tree of the repository by its SHA-256.
    pub fn lock_source(&mut self, path: &str, sha256: &str) {
        self.sources.insert(path.to_owned(), sha256.to_owned());
    }

    /// Records what a tool says its version is.
    pub fn lock_tool(&mut self, name: &str, version: &str) {
        self.tools.insert(name.to_owned(), version.to_owned());
    }

    /// Records a firmware file to build on.
    pub fn lock_base(&mut self, file: &str, sha256: &str) {
        self.bases.insert(file.to_owned(), sha256.to_owned());
    }

    /// Records an overlay by its digest.
    pub fn lock_overlay(&mut self, name: &str, digest: &str) {
        self.overlays.insert(name.to_owned(), digest.to_owned());
    }

    /// Takes over the bases, or the overlays, of another lock where this one has none.
    pub fn keep_images(&mut self, other: &Lock) {
        for (own, theirs) in [(&mut self.bases, &other.bases), (&mut self.overlays, &other.overlays)] {
            if own.is_empty() {
                own.clone_from(theirs);
            }
        }
    }

    /// As [`Lock::admit`], for what an image is put together of; kinds of which this lock has none do not count.
    ///
    /// # Errors
    /// [`LockError::Locked`] when `locked` is asked for and something differs.
    pub fn admit_images(&self, met: &Lock, locked: bool) -> Result<Vec<Drift>, LockError> {
        let mut met = met.clone();
        if self.bases.is_empty() {
            met.bases.clear();
        }
        if self.overlays.is_empty() {
            met.overlays.clear();
        }
        self.admit(&met, locked)
    }

    /// A package as locked.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&LockedPackage> {
        self.packages.get(name)
    }

    /// Every locked package, by name.
    #[must_use]
    pub fn packages(&self) -> &BTreeMap<String, LockedPackage> {
        &self.packages
    }

    /// SHA-256 of every locked file and tree of the repository, by path.
    #[must_use]
    pub fn sources(&self) -> &BTreeMap<String, String> {
        &self.sources
    }

    /// The name of the locked kernel package.
    #[must_use]
    pub fn kernel_package(&self) -> Option<&str> {
        self.packages.keys().map(String::as_str).find(|name| is_kernel(name))
    }

    /// Every tool with its version, for a manifest.
    #[must_use]
    pub fn tools(&self) -> &BTreeMap<String, String> {
        &self.tools
    }

    /// Where inputs that a build has met differ from this lock. Locked inputs that the build did not meet do
    /// not count.
    #[must_use]
    pub fn drifts_of(&self, met: &Lock) -> Vec<Drift> {
        self.compare(met).into_iter().filter(|drift| drift.found.is_some()).collect()
    }

    /// Every difference between this lock and a full observation, both ways.
    #[must_use]
    pub fn compare(&self, found: &Lock) -> Vec<Drift> {
        let (locked, found) = (self.lines(), found.lines());
        let mut names: Vec<&String> = locked.keys().chain(found.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let differing = names.into_iter().filter(|name| locked.get(*name) != found.get(*name));
        differing
            .map(|name| Drift {
                input: name.clone(),
                locked: locked.get(name).cloned(),
                found: found.get(name).cloned(),
            })
            .collect()
    }

    /// What a build must do with what it met: nothing, warn about each difference, or stop.
    ///
    /// # Errors
    /// [`LockError::Locked`] when `locked` is asked for and something differs.
    pub fn admit(&self, met: &Lock, locked: bool) -> Result<Vec<Drift>, LockError> {
        let drifts = self.drifts_of(met);
        if locked && !drifts.is_empty() { Err(LockError::Locked { drifts }) } else { Ok(drifts) }
    }

    /// Each input by a name for people, with its value in one line.
    fn lines(&self) -> BTreeMap<String, String> {
        let packages = self.packages.iter().map(|(name, package)| {
            let LockedPackage { architecture, sha256, version } = package;
            (format!("package {name}"), format!("{version} {architecture} (sha256 {sha256})"))
        });
        let sources =
            self.sources.iter().map(|(path, digest)| (format!("source {path}"), format!("sha256 {digest}")));
        let tools = self.tools.iter().map(|(name, version)| (format!("tool {name}"), version.clone()));
        let bases =
            self.bases.iter().map(|(name, digest)| (format!("base {name}"), format!("sha256 {digest}")));
        let overlays = self
            .overlays
            .iter()
            .map(|(name, digest)| (format!("overlay {name}"), format!("sha256 {digest}")));
        packages.chain(sources).chain(tools).chain(bases).chain(overlays).collect()
    }
}

#[derive(Deserialize)]
struct Layout {
    schema: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Lock {
        let mut lock = Lock::new();
        lock.lock_package("busybox-static", "1:1.35.0-4", &"ab".repeat(32));
        lock.lock_package("linux-image-6.1.0-56-cloud-arm64", "6.1.192-2", &"cd".repeat(32));
        lock.lock_source("Cargo.lock", &"01".repeat(32));
        lock.lock_tool("rustc", "rustc 1.95.0");
        lock
    }

    #[test]
    fn the_remedy_is_the_call_that_records_such_an_input() {
        for (input, call) in [
            ("tool rustc", "`octofw lock` records"),
            ("base x.bin", "octofw lock --base FILE, with every base, records"),
            ("overlay 01-a", "octofw lock --overlay DIR, with every overlay, records"),
        ] {
            let drift = Drift { input: input.into(), locked: None, found: Some("1".into()) };
            let told = drift.to_string();
            assert_eq!(told, format!("{input}: locked nothing, found 1; {call} the new state"));
        }
    }

    #[test]
    fn written_and_read_back_it_is_the_same_and_stable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        sample().write(&path).unwrap();
        let first = fs::read(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), sample());
        Lock::read(&path).unwrap().write(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        assert!(first.ends_with(b"}\n"));
    }

    #[test]
    fn a_difference_is_one_line_with_both_versions_and_the_remedy() {
        let mut met = Lock::new();
        met.lock_package("busybox-static", "1:1.36.0-1", &"ef".repeat(32));
        let drifts = sample().admit(&met, false).unwrap();
        assert_eq!(drifts.len(), 1, "the kernel, the file and the tool were not met");
        let text = drifts[0].to_string();
        for part in ["busybox-static", "1:1.35.0-4", "1:1.36.0-1", "octofw lock"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\n'));
        let error = sample().admit(&met, true).unwrap_err().to_string();
        assert!(error.contains("--locked") && error.contains("1:1.36.0-1"), "{error}");
    }

    #[test]
    fn the_same_version_with_another_digest_is_a_difference() {
        let mut met = Lock::new();
        // The last digit counts as much as the first.
        for digest in ["ef".repeat(32), "ab".repeat(31) + "ac"] {
            met.lock_package("busybox-static", "1:1.35.0-4", &digest);
            assert_eq!(sample().drifts_of(&met).len(), 1, "{digest}");
        }
    }

    #[test]
    fn bases_and_overlays_count_where_some_are_locked() {
        let mut met = Lock::new();
        met.lock_base("other.bin", &"11".repeat(32));
        met.lock_overlay("01-a", &"22".repeat(32));
        assert!(sample().admit_images(&met, true).unwrap().is_empty());
        let mut lock = sample();
        lock.lock_overlay("01-a", &"22".repeat(32));
        assert!(lock.admit_images(&met, true).unwrap().is_empty(), "no base is locked");
        lock.lock_base("base.bin", &"11".repeat(32));
        let drifts = lock.admit_images(&met, false).unwrap();
        assert_eq!(drifts.iter().map(|drift| drift.input.as_str()).collect::<Vec<_>>(), ["base other.bin"]);
        assert!(lock.admit_images(&met, true).is_err());
        // Looked at without them, they stay.
        let mut anew = sample();
        anew.keep_images(&lock);
        assert_eq!(anew, lock);
    }

    #[test]
    fn a_full_comparison_also_names_what_is_gone() {
        let found: Vec<_> = sample().compare(&Lock::new()).into_iter().map(|drift| drift.input).collect();
        assert_eq!(
            found,
            [
                "package busybox-static",
                "package linux-image-6.1.0-56-cloud-arm64",
                "source Cargo.lock",
                "tool rustc"
            ]
        );
        assert!(sample().compare(&sample()).is_empty());
    }

    #[test]
    fn malformed_and_newer_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let error = |text: &str| {
            fs::write(&path, text).unwrap();
            crate::command::whole(&Lock::read(&path).unwrap_err())
        };
        assert!(error("not json").contains("octofw lock"));
        assert!(error("{\"schema\": 2, \"other\": []}").contains("layout 2"));
        assert!(
            error("{\"schema\": 1, \"packages\": {}, \"sources\": {}, \"tools\": {}, \"x\": 1}")
                .contains("x")
        );
        assert!(Lock::read_if_any(&directory.path().join("none")).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("lock");
            fs::write(&path, bytes).unwrap();
            let _ = Lock::read(&path);
        }
    }
}
