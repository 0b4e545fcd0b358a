//! Fills a new home and a new workspace. What is there is never written over, and a workspace that has anything in it is
//! left alone: what a person has deleted must not come back.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Directories that programs expect in a home.
const EXPECTED: [&str; 4] = [".config", ".local/share", ".local/state", ".cache"];

/// Copies what is missing.
///
/// # Errors
///
/// The first that could not be made; the rest is made nevertheless.
pub(crate) fn fill(skeleton: &Path, home: &Path, workspace: &Path) -> io::Result<()> {
    let mut worst = Ok(());
    let mut note = |result: io::Result<()>, path: &Path| {
        if let (Ok(()), Err(error)) = (&worst, result) {
            worst = Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
    };
    for name in EXPECTED {
        let path = home.join(name);
        note(fs::create_dir_all(&path), &path);
    }
    note(fs::create_dir_all(workspace), workspace);
    let is_new = fs::read_dir(workspace).is_ok_and(|mut entries| entries.next().is_none());
    if is_new {
        note(copy(&skeleton.join("workspace"), workspace), workspace);
    }
    note(copy(&skeleton.join("home"), home), home);
    worst
}

/// Copies what is missing, with modes and links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        let there = fs::symlink_metadata(&target).ok();
        if kind.is_dir() {
            match there {
                Some(there) if !there.is_dir() => continue,
                Some(_) => {}
                None => {
                    fs::create_dir(&target)?;
                    fs::set_permissions(&target, entry.metadata()?.permissions())?;
                }
            }
            copy(&source, &target)?;
        } else if there.is_some() {
            continue;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_there_stays_and_what_was_deleted_stays_away() {
        let place = tempfile::tempdir().unwrap();
        let (skeleton, home) = (place.path().join("skeleton"), place.path().join("home"));
        let workspace = home.join("workspace");
        fs::create_dir_all(skeleton.join("workspace/overlay/etc")).unwrap();
        fs::create_dir_all(skeleton.join("home")).unwrap();
        fs::write(skeleton.join("workspace/Makefile"), "overlay:\n").unwrap();
        fs::write(skeleton.join("workspace/overlay/etc/S50"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(skeleton.join("workspace/overlay/etc/S50"), fs::Permissions::from_mode(0o755))
            .unwrap();
        symlink("/dev/null", skeleton.join("workspace/overlay/etc/null")).unwrap();
        fs::write(skeleton.join("home/.bashrc"), "ours").unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".bashrc"), "mine").unwrap();

        fill(&skeleton, &home, &workspace).unwrap();
        assert_eq!(fs::read_to_string(home.join(".bashrc")).unwrap(), "mine");
        assert!(home.join(".local/state").is_dir());
        let mode = fs::metadata(workspace.join("overlay/etc/S50")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read_link(workspace.join("overlay/etc/null")).unwrap(), Path::new("/dev/null"));

        fs::remove_file(workspace.join("Makefile")).unwrap();
        fill(&skeleton, &home, &workspace).unwrap();
        assert!(!workspace.join("Makefile").exists());
    }

    #[test]
    fn without_a_skeleton_there_are_just_directories() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        fill(Path::new("/nowhere"), &home, &home.join("work")).unwrap();
        assert!(home.join("work").is_dir());
    }
}
