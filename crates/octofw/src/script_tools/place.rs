//! Where a command of a script may write: in the root only where no link leads out of it.

use std::path::{Component, Path, PathBuf};

use super::{Surroundings, ToolError, system};
use crate::rootfs::inside::{Leads, Tree};

/// The real place of `path`. One below the root is followed as the printer would, so that an absolute link in the root
/// cannot lead to the build machine's own files; what does not exist yet may be made there.
///
/// # Errors
/// When a link leads in circles or a file is in the way.
pub fn of(path: &Path, surroundings: &Surroundings) -> Result<PathBuf, ToolError> {
    let absolute = std::path::absolute(path).map_err(system(format!("cannot find {}", path.display())))?;
    let Some(within) = below(&absolute, &surroundings.root) else { return Ok(absolute) };
    let wrong = |problem: &str| ToolError::Place { path: path.to_owned(), problem: problem.to_owned() };
    let tree = Tree::at(&surroundings.root);
    match tree.reach(&within).map_err(system(format!("cannot look at {}", path.display())))? {
        Leads::To(found) => Ok(tree.place(&found)),
        Leads::Nowhere(_) => Err(wrong("a file is in the way")),
        Leads::Round => Err(wrong("it is behind a link that leads in circles")),
    }
}

/// A folder that is emptied before something is unpacked into it.
///
/// # Errors
/// When to empty it would destroy the root, the build folder or the folder in which scripts run.
pub fn of_emptied(path: &Path, surroundings: &Surroundings) -> Result<PathBuf, ToolError> {
    let place = of(path, surroundings)?;
    let here = std::env::current_dir().unwrap_or_default();
    for kept in [&surroundings.root, &surroundings.build, &here] {
        if plain(kept).starts_with(plain(&place)) {
            let problem = "it would be emptied, and with it the root or the tree; name a folder of its own";
            return Err(ToolError::Place { path: path.to_owned(), problem: problem.into() });
        }
    }
    Ok(place)
}

/// The path relative to the root, where it lies below it.
fn below(path: &Path, root: &Path) -> Option<PathBuf> {
    let path = plain(path);
    if let Ok(within) = path.strip_prefix(plain(root)) {
        return Some(within.to_owned());
    }
    // The same folder by another name.
    path.strip_prefix(root.canonicalize().ok()?).ok().map(Path::to_path_buf)
}

/// Without `.` and `..`, by the text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn surroundings(folder: &Path) -> Surroundings {
        let root = folder.join("build/root");
        fs::create_dir_all(root.join("usr/share")).unwrap();
        fs::create_dir_all(folder.join("outside")).unwrap();
        symlink(folder.join("outside"), root.join("out")).unwrap();
        symlink("../../outside", root.join("climbs")).unwrap();
        symlink("/usr/share", root.join("share")).unwrap();
        symlink("round", root.join("round")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        Surroundings::of(|name| match name {
            "ROOTFS_DIR" => Some(root.clone().into_os_string()),
            super::super::CACHE => Some(OsString::from("/cache")),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn no_link_of_the_root_leads_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = surroundings(folder.path());
        let root = surroundings.root.clone();
        let cases = [
            ("new/folder", Ok("new/folder".to_owned())),
            ("share/x", Ok("usr/share/x".to_owned())),
            ("out/x", Ok(folder.path().strip_prefix("/").unwrap().join("outside/x").display().to_string())),
            ("climbs/x", Ok("outside/x".to_owned())),
            ("round/x", Err("in circles")),
            ("file/x", Err("a file is in the way")),
        ];
        for (path, expected) in cases {
            let found = of(&root.join(path), &surroundings);
            match expected {
                Ok(expected) => assert_eq!(found.unwrap(), root.join(expected), "{path}"),
                Err(problem) => assert!(found.unwrap_err().to_string().contains(problem), "{path}"),
            }
        }
        // A script that names a place of the build machine means it.
        let named = of(&root.join("../../outside/x"), &surroundings).unwrap();
        assert_eq!(plain(&named), folder.path().join("outside/x"));
        assert_eq!(of(Path::new("/elsewhere/x"), &surroundings).unwrap(), Path::new("/elsewhere/x"));
    }

    #[test]
    fn what_holds_the_build_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = surroundings(folder.path());
        let root = surroundings.root.clone();
        for path in ["", "usr/..", ".", "../.."] {
            let error = of_emptied(&root.join(path), &surroundings).unwrap_err().to_string();
            assert!(error.contains("it would be emptied"), "{path}: {error}");
        }
        for path in [Path::new("/"), folder.path(), root.parent().unwrap()] {
            assert!(of_emptied(path, &surroundings).is_err(), "{}", path.display());
        }
        assert!(of_emptied(&root.join("usr"), &surroundings).is_ok());
    }
}
