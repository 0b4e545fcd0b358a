//! The tables of an overlay that come from whoever wrote it: `owners`, and the paths that a patch names. The bytes up to
//! the first zero are the one, the rest is the other. No path may lead out of the root.

use std::fs;
use std::path::{Component, Path, PathBuf};

use octofw::overlay::{Overlay, owners, patches};

pub(crate) fn run(bytes: &[u8]) {
    let folder = Folder::new();
    let zero = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (table, patch) = bytes.split_at(zero);
    fs::write(folder.0.join("owners"), table).expect("a file for temporary use");
    fs::create_dir_all(folder.0.join("patches/etc")).expect("a folder for temporary use");
    fs::write(folder.0.join("patches/etc/1.patch"), patch.get(1..).unwrap_or_default()).expect("a file");
    let overlay = Overlay::open(&folder.0).expect("an overlay");
    if let Ok(lines) = owners::read(&overlay) {
        for line in lines {
            assert!(line.mode.is_none_or(|mode| mode <= 0o7777), "{line:?}");
            assert!(!line.path.as_os_str().is_empty() && stays(&line.path), "{line:?}");
        }
    }
    if let Ok(paths) = patches::paths(&overlay) {
        for path in paths {
            assert!(path.starts_with("etc") && stays(&path), "{path:?}");
        }
    }
}

fn stays(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// A folder of this process; in memory, where the machine keeps such.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = folder.join(format!("fuzz-overlay-{}-{thread}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for temporary use");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
