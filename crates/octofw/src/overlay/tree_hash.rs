//! One digest for everything in an overlay's folder.
//!
//! It depends on names, contents, link targets and the owner's run bit, and on nothing that a checkout, a umask or a
//! clock changes. Below `root/` a link is a link; elsewhere the content of the file that it leads to counts too, since
//! that is what runs. Version control folders, place holders and editors' back-ups do not count.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Overlay, OverlayError, entries};
use crate::digest::{hex, of_file};

/// SHA-256 over the sorted list of what the overlay holds, in lower-case hex.
///
/// # Errors
/// When something cannot be read or is neither file, folder nor link.
pub fn of_overlay(overlay: &Overlay) -> Result<String, OverlayError> {
    let mut list = Sha256::new();
    add_folder(overlay, &overlay.folder, "", &mut list)?;
    Ok(hex(&list.finalize()))
}

/// Adds a line per entry: kind, path, NUL, digest or target, newline.
fn add_folder(overlay: &Overlay, folder: &Path, prefix: &str, list: &mut Sha256) -> Result<(), OverlayError> {
    for (name, place) in entries(overlay, folder)? {
        let path = format!("{prefix}{name}");
        let metadata = fs::symlink_metadata(&place).map_err(|e| overlay.system(&place, e))?;
        let kind = metadata.file_type();
        let (letter, content) = if kind.is_dir() {
            ("d", String::new())
        } else if kind.is_symlink() {
            let target = fs::read_link(&place).map_err(|e| overlay.system(&place, e))?;
            let mut content = target.to_string_lossy().into_owned();
            if !path.starts_with("root/") && place.is_file() {
                content.push('\0');
                content.push_str(&of_file(&place).map_err(|e| overlay.system(&place, e))?.0);
            }
            ("l", content)
        } else if kind.is_file() {
            let runs = metadata.permissions().mode() & 0o100 != 0;
            (if runs { "x" } else { "f" }, of_file(&place).map_err(|e| overlay.system(&place, e))?.0)
        } else {
            return Err(
                overlay.unfit(&path, "it is neither file, folder nor link; an overlay cannot hold it")
            );
        };
        list.update(format!("{letter} {path}\0{content}\n"));
        if kind.is_dir() {
            add_folder(overlay, &place, &format!("{path}/"), list)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    fn overlay(change: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root/etc")).unwrap();
        fs::write(folder.path().join("root/etc/a"), "one").unwrap();
        fs::write(folder.path().join("root/etc/b"), "").unwrap();
        symlink("a", folder.path().join("root/etc/l")).unwrap();
        change(folder.path());
        of_overlay(&Overlay::open(folder.path()).unwrap()).unwrap()
    }

    #[test]
    fn it_changes_with_what_counts_and_with_nothing_else() {
        let plain = overlay(|_| {});
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let equal = [
            overlay(|o| mode(&o.join("root/etc/a"), 0o600)),
            overlay(|o| mode(&o.join("root/etc"), 0o700)),
            overlay(|o| fs::create_dir(o.join(".git")).unwrap()),
            overlay(|o| fs::write(o.join("root/a~"), "").unwrap()),
        ];
        assert!(equal.iter().all(|hash| *hash == plain));
        let different = [
            overlay(|o| mode(&o.join("root/etc/a"), 0o744)),
            overlay(|o| fs::write(o.join("root/etc/a"), "two").unwrap()),
            overlay(|o| fs::rename(o.join("root/etc/a"), o.join("root/a")).unwrap()),
            overlay(|o| fs::create_dir(o.join("root/new")).unwrap()),
            overlay(|o| {
                fs::remove_file(o.join("root/etc/l")).unwrap();
                symlink("b", o.join("root/etc/l")).unwrap();
            }),
        ];
        assert!(different.iter().all(|hash| *hash != plain));
    }

    #[test]
    fn a_script_behind_a_link_counts_and_a_file_behind_a_link_of_the_root_does_not() {
        let elsewhere = tempfile::tempdir().unwrap();
        let script = elsewhere.path().join("1.sh");
        for (folder, counts) in [("scripts", true), ("root", false)] {
            let linked = || {
                overlay(|o| {
                    fs::create_dir_all(o.join(folder)).unwrap();
                    symlink(&script, o.join(folder).join("1.sh")).unwrap();
                })
            };
            fs::write(&script, "one").unwrap();
            let one = linked();
            fs::write(&script, "two").unwrap();
            assert_eq!(linked() != one, counts, "{folder}");
        }
    }
}
