//! One digest for everything in an overlay's folder.
//!
//! It depends on names, contents, link targets and the owner's run bit, and on nothing that a checkout, a umask or a
//! clock changes. Below `root/` a link is a link; elsewhere the content of the file that it leads to counts too, since
//! that is what runs. Version control folders, place holders and editors' back-ups do not count.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Overlay, OverlayError, entries};

/// SHA-256 over the sorted list of what the overlay holds, in lower-case hex.
///
/// # Errors
/// When something cannot be read or is neither file, folder nor link.
pub fn of_overlay(overlay: &Overlay) -> Result<String, OverlayError> {
    let mut list = Sha256::new();
    add_folder(overlay, &overlay.folder, "", &mut list)?;
    Ok(hex(&list.finalize()))
}

/// SHA-256 of a file in lower-case hex, and its size in bytes.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let size = io::copy(&mut File::open(path)?, &mut Writer(&mut digest))?;
    Ok((hex(&digest.finalize()), size))
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes what is written to it.
struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

    #[test]
    fn a_files_digest_is_sha_256() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file(file.path()).unwrap(), (expected.to_owned(), 3));
    }
}
