//! What lies in the cache.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::CacheError;

/// What a thing of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file that a script fetched, under its SHA-256.
    File,
    /// A bare clone of a Git repository.
    Repository,
    /// A package of Debian's.
    Package,
    /// A package that was unpacked.
    Unpacked,
    /// Debian's lists of packages.
    Lists,
    /// What a command was fetching, or left when it was interrupted.
    Unfinished,
}

impl Kind {
    /// As a word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Repository => "repository",
            Self::Package => "package",
            Self::Unpacked => "unpacked",
            Self::Lists => "lists",
            Self::Unfinished => "unfinished",
        }
    }
}

/// One thing of the cache, which goes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where it lies, below the cache's folder.
    pub path: String,
    /// The name under which it was fetched, where it lies under another one.
    pub name: Option<String>,
    /// Bytes of its files.
    pub size: u64,
    /// When it was used last.
    pub used: SystemTime,
}

/// Files that belong to the cache itself: the locks of `users` and of `debian`.
const LOCKS: [&str; 2] = [super::users::FILE, "lock"];
/// Names of the files below `sha256`, under the same digests.
pub(super) const NAMES: &str = "names";

/// Everything in the cache, what was not used for longest first; nothing where there is no such folder.
///
/// # Errors
/// When it cannot be read, or holds what is not ours.
pub fn entries(cache: &Path) -> Result<Vec<Entry>, CacheError> {
    let mut list = Vec::new();
    for (folder, place) in listed(cache)? {
        match folder.as_str() {
            "sha256" | "git" | "debs" | "guest" | "unfinished" => {
                for (name, path) in listed(&place)? {
                    if let Some(kind) = kind_of(&folder, &name) {
                        let shown = (kind == Kind::File).then(|| name_of(cache, &name)).flatten();
                        list.extend(entry(kind, format!("{folder}/{name}"), shown, &path)?);
                    }
                }
            }
            "apt" => list.extend(entry(Kind::Lists, folder, None, &place)?),
            name if name == NAMES || LOCKS.contains(&name) => {}
            _ => return Err(CacheError::Foreign { folder: cache.to_owned(), name: folder }),
        }
    }
    list.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
    Ok(list)
}

/// What a name in one of the folders stands for; nothing where it is not one that we make.
pub(crate) fn kind_of(folder: &str, name: &str) -> Option<Kind> {
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match folder {
        "sha256" => is_hex(name, 64).then_some(Kind::File),
        "git" => {
            let (_, digest) = name.strip_suffix(".git")?.rsplit_once('-')?;
            is_hex(digest, 16).then_some(Kind::Repository)
        }
        "debs" | "guest" if name.starts_with(".tmp") => Some(Kind::Unfinished),
        "debs" => name.ends_with(".deb").then_some(Kind::Package),
        "guest" => {
            let (kernel, busybox) = name.split_once('-')?;
            (is_hex(kernel, 16) && is_hex(busybox, 16)).then_some(Kind::Unpacked)
        }
        _ => Some(Kind::Unfinished),
    }
}

fn entry(kind: Kind, path: String, name: Option<String>, place: &Path) -> Result<Option<Entry>, CacheError> {
    let found = || -> io::Result<Entry> {
        let mut used = fs::symlink_metadata(place)?.modified()?;
        if kind == Kind::Lists {
            let updated = fs::symlink_metadata(place.join("updated")).and_then(|meta| meta.modified());
            used = used.max(updated.unwrap_or(used));
        }
        Ok(Entry { kind, path, name, size: size_of(place)?, used })
    };
    match found() {
        Ok(entry) => Ok(Some(entry)),
        // Somebody else was quicker.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(CacheError::system("look at", place)(e)),
    }
}

/// The name under which a file was fetched.
fn name_of(cache: &Path, sha256: &str) -> Option<String> {
    let text = fs::read_to_string(cache.join(NAMES).join(sha256)).ok()?;
    let shown: String = text.trim().chars().filter(|letter| !letter.is_control()).take(100).collect();
    (!shown.is_empty()).then_some(shown)
}

/// Bytes of a file, or of all files below a folder. Links are not followed.
fn size_of(place: &Path) -> io::Result<u64> {
    let mut size = 0_u64;
    let mut open: Vec<PathBuf> = vec![place.to_owned()];
    while let Some(path) = open.pop() {
        let found = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && path != place => continue,
            found => found?,
        };
        if !found.is_dir() {
            size = size.saturating_add(found.len());
            continue;
        }
        for entry in fs::read_dir(&path)? {
            open.push(entry?.path());
        }
    }
    Ok(size)
}

/// Names and paths in a folder, in byte order; none where there is no folder.
fn listed(folder: &Path) -> Result<BTreeSet<(String, PathBuf)>, CacheError> {
    let named = |entry: io::Result<DirEntry>| {
        entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
    };
    match fs::read_dir(folder).and_then(|entries| entries.map(named).collect()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        found => found.map_err(CacheError::system("list", folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_make_are_ours() {
        let hex = "0123456789abcdef".repeat(4);
        for (folder, name, kind) in [
            ("sha256", hex.as_str(), Some(Kind::File)),
            ("sha256", "0123", None),
            ("sha256", &hex.to_uppercase(), None),
            ("git", "klipper-0123456789abcdef.git", Some(Kind::Repository)),
            ("git", "klipper-0123456789abcdef.lock", None),
            ("git", "dotfiles.git", None),
            ("debs", "busybox-static_1%3a1.35_arm64.deb", Some(Kind::Package)),
            ("debs", ".tmpAbC", Some(Kind::Unfinished)),
            ("debs", "notes", None),
            ("guest", "0123456789abcdef-0123456789abcdef", Some(Kind::Unpacked)),
            ("guest", "photos", None),
            ("unfinished", "whatever", Some(Kind::Unfinished)),
        ] {
            assert_eq!(kind_of(folder, name), kind, "{folder}/{name}");
        }
    }

    #[test]
    fn a_folder_of_others_is_none_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(entries(&folder.path().join("absent")).unwrap(), []);
        fs::create_dir_all(folder.path().join("git/mine.git")).unwrap();
        assert_eq!(entries(folder.path()).unwrap(), [], "the name is not one of ours");
        fs::write(folder.path().join("letter"), "").unwrap();
        let error = entries(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is no cache of octofw alone: it holds letter"), "{error}");
    }
}
