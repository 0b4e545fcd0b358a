//! Looks at the inputs that lie on this machine: sources of the repository, and tools. A tool that is not
//! installed is left out, as not every build needs every tool.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Lock, LockError, file_error};
use crate::command::Command;
use crate::digest::{self, hex};

/// The tools whose version can change an image's bytes, with the call that makes each say it.
pub const TOOLS: [(&str, &str, &str); 5] = [
    ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc", "--version"),
    ("cargo", "cargo", "--version"),
    ("fakeroot", "fakeroot", "--version"),
    ("mksquashfs", "mksquashfs", "-version"),
    ("rustc", "rustc", "--version"),
];

/// Files of the repository that decide what is built; those that do not exist are left out.
const FILES: [&str; 3] = ["Cargo.lock", "rust-toolchain", "rust-toolchain.toml"];

/// What the stand-in's recipe is called in a lock.
pub const RECIPE: &str = "rootfs/";

/// Adds the sources of a repository to a lock: the files that decide what is built, and the recipe's tree.
///
/// # Errors
/// When one of them cannot be read.
pub fn observe_sources(lock: &mut Lock, repository: &Path) -> Result<(), LockError> {
    observe_files(lock, repository)?;
    let recipe = repository.join(RECIPE);
    if recipe.is_dir() {
        lock.lock_source(RECIPE, &tree_digest(&recipe)?);
    }
    Ok(())
}

/// Adds the files that decide what is built into the overlays' programs.
///
/// # Errors
/// When one of them cannot be read.
pub fn observe_files(lock: &mut Lock, repository: &Path) -> Result<(), LockError> {
    for name in FILES {
        let path = repository.join(name);
        if path.is_file() {
            lock.lock_source(name, &file_digest(&path)?);
        }
    }
    Ok(())
}

/// Adds what the installed ones of some [`TOOLS`] say of themselves; a name that is not in the table is
/// ignored. They are asked in `directory`, where a toolchain file may choose the compiler.
pub fn observe_tools(lock: &mut Lock, directory: &Path, wanted: &[&str]) {
    for (name, program, argument) in TOOLS {
        if !wanted.contains(&name) {
            continue;
        }
        if let Ok(line) = Command::new(program).arg(argument).directory(directory).version()
            && !line.is_empty()
        {
            lock.lock_tool(name, &line);
        }
    }
}

/// SHA-256 of a file, lower-case hex.
///
/// # Errors
/// When it cannot be read.
pub fn file_digest(path: &Path) -> Result<String, LockError> {
    digest::of_file(path).map(|(sha256, _)| sha256).map_err(file_error("read", path))
}

/// SHA-256 over the names and contents of a directory's files, in the order of their names. Modes, owners and
/// times do not count: a checkout does not keep them.
///
/// # Errors
/// When a file or directory cannot be read.
pub fn tree_digest(directory: &Path) -> Result<String, LockError> {
    let mut hash = Sha256::new();
    add_tree(&mut hash, directory, "")?;
    Ok(hex(&hash.finalize()))
}

fn add_tree(hash: &mut Sha256, directory: &Path, prefix: &str) -> Result<(), LockError> {
    let listing = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = listing.map_err(file_error("list", directory))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(file_error("read", &path))?;
        let mut add = |kind: u8, content: &[u8]| {
            hash.update([kind]);
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        };
        if kind.is_dir() {
            add_tree(hash, &path, &format!("{name}/"))?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(file_error("read", &path))?;
            add(b'l', target.as_os_str().as_encoded_bytes());
        } else {
            add(b'f', &fs::read(&path).map_err(file_error("read", &path))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_s_digest_follows_names_and_contents_only() {
        let one = tempfile::tempdir().unwrap();
        let make = |directory: &Path, content: &str| {
            fs::create_dir_all(directory.join("a")).unwrap();
            fs::write(directory.join("a/b"), content).unwrap();
            fs::write(directory.join("c"), "x").unwrap();
        };
        make(one.path(), "1");
        let digest = tree_digest(one.path()).unwrap();
        let two = tempfile::tempdir().unwrap();
        make(two.path(), "1");
        fs::set_permissions(two.path().join("c"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        assert_eq!(tree_digest(two.path()).unwrap(), digest);
        fs::write(two.path().join("a/b"), "2").unwrap();
        assert_ne!(tree_digest(two.path()).unwrap(), digest);
        fs::write(two.path().join("a/b"), "1").unwrap();
        fs::rename(two.path().join("c"), two.path().join("d")).unwrap();
        assert_ne!(tree_digest(two.path()).unwrap(), digest);
    }

    #[test]
    fn sources_of_a_repository_are_found() {
        let repository = tempfile::tempdir().unwrap();
        fs::write(repository.path().join("Cargo.lock"), "content").unwrap();
        let mut lock = Lock::new();
        observe_sources(&mut lock, repository.path()).unwrap();
        let mut expected = Lock::new();
        expected
            .lock_source("Cargo.lock", "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
        assert_eq!(lock, expected);
    }

    #[test]
    fn installed_tools_say_their_version() {
        let mut lock = Lock::new();
        observe_tools(&mut lock, Path::new("/"), &["cargo", "no-such-tool"]);
        assert_eq!(lock.tools().len(), 1);
        assert!(lock.tools()["cargo"].starts_with("cargo "), "{:?}", lock.tools());
    }
}
