//! The optional `owners` table of an overlay: owner and mode of paths that neither a checkout nor `cp` can carry.
//!
//! One line per path: `PATH MODE UID GID`, for example `usr/local/bin/tool 4755 0 0`; `-` leaves a column as it is;
//! empty lines and lines that begin with `#` do not count. It is applied after everything else of the overlay.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Component, PathBuf};

use super::{Overlay, OverlayError};
use crate::rootfs::inside::Tree;

/// The table's file name.
pub const OWNERS: &str = "owners";
/// Largest table, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Relative to the root.
    pub path: PathBuf,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// The line that says so.
    pub line: usize,
}

/// Reads the table; an overlay without one has an empty table.
///
/// # Errors
/// When it cannot be read or a line is wrong.
pub fn read(overlay: &Overlay) -> Result<Vec<Owned>, OverlayError> {
    let place = overlay.folder.join(OWNERS);
    // A pipe would keep its reader waiting, and a hole has no end.
    if fs::metadata(&place).is_ok_and(|found| !found.is_file() || found.len() > MOST_BYTES) {
        return Err(overlay.unfit(OWNERS, "it is not a file, or larger than 16 MiB; that is no table"));
    }
    match fs::read_to_string(place) {
        Ok(text) => {
            parse(&text).map_err(|(line, problem)| overlay.unfit(format!("{OWNERS}, line {line}"), problem))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(overlay.system(OWNERS, e)),
    }
}

/// Applies the table to the tree.
///
/// # Errors
/// When a path does not exist, is a link or lies behind one.
pub fn apply(overlay: &Overlay, tree: &Tree) -> Result<(), OverlayError> {
    for owned in read(overlay)? {
        let system = |e| overlay.system(&owned.path, e);
        let found = tree.look(&owned.path).map_err(system)?;
        let behind = tree.link_above(&owned.path).map_err(system)?;
        let Some(found) = found.filter(|found| !found.is_symlink() && behind.is_none()) else {
            let problem =
                format!("{} is not in the root, is a link or lies behind one", owned.path.display());
            return Err(overlay.unfit(format!("{OWNERS}, line {}", owned.line), problem));
        };
        let place = tree.place(&owned.path);
        chown(&place, owned.uid, owned.gid).map_err(system)?;
        let mode = owned.mode.unwrap_or(found.mode() & 0o7777);
        fs::set_permissions(&place, Permissions::from_mode(mode)).map_err(system)?;
    }
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Owned>, (usize, String)> {
    let mut table = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first().is_none_or(|first| first.starts_with('#')) {
            continue;
        }
        let wrong = |problem: &str| (number + 1, format!("{problem}; a line is: PATH MODE UID GID"));
        let [path, mode, uid, gid] = words.as_slice() else {
            return Err(wrong("there are not four columns"));
        };
        let path = PathBuf::from(path.trim_start_matches('/'));
        if path.as_os_str().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(wrong("the path is not a plain path below the root"));
        }
        let mode = column(mode, 8).filter(|mode| mode.is_none_or(|mode| mode <= 0o7777));
        let (Some(mode), Some(uid), Some(gid)) = (mode, column(uid, 10), column(gid, 10)) else {
            return Err(wrong("the mode is not octal, or an owner is not a number"));
        };
        table.push(Owned { path, mode, uid, gid, line: number + 1 });
    }
    Ok(table)
}

/// `None` where it is no number, `Some(None)` for `-`.
fn column(text: &str, radix: u32) -> Option<Option<u32>> {
    if text == "-" {
        return Some(None);
    }
    u32::from_str_radix(text, radix).ok().filter(|number| *number != u32::MAX).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries() {
        let text = "# who\n\nusr/bin/tool 4755 0 0\n/home/lava/x - 1000 1000\netc/y 0600 - -\n";
        let owned = |path: &str, mode, uid, gid, line| Owned { path: path.into(), mode, uid, gid, line };
        let expected = [
            owned("usr/bin/tool", Some(0o4755), Some(0), Some(0), 3),
            owned("home/lava/x", None, Some(1000), Some(1000), 4),
            owned("etc/y", Some(0o600), None, None, 5),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn wrong_lines_are_named() {
        for bad in [
            "etc/x 0644 0",
            "etc/x 0844 0 0",
            "etc/x 10000 0 0",
            "etc/x 0644 root root",
            "../x 0644 0 0",
            "/ 0755 0 0",
            "etc/x 0644 4294967295 0",
        ] {
            let (line, _) = parse(&format!("\n{bad}\n")).unwrap_err();
            assert_eq!(line, 2, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_table_makes_it_panic(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
