//! Runs an overlay's shell scripts on the unpacked root: `pre-scripts/` before everything else of the overlay, and
//! `scripts/` in the place that the tree's dialect gives them.
//!
//! Only `*.sh` at the top of the folder run, in byte order of their names, from the repository's root, with the path of
//! the unpacked root as their argument. One that ends in `.chroot.sh` runs inside the root instead. An empty folder is
//! fine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::last_line::LastLine;
use super::{Overlay, OverlayError, entries};
use crate::command::Command;
use crate::script_tools::chroot;

/// Folder of the scripts that run first; they fetch and compile, also into the root.
pub const PRE_SCRIPTS: &str = "pre-scripts";
/// Folder of the scripts that install on the unpacked root.
pub const SCRIPTS: &str = "scripts";

/// Where scripts run and what they are told.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The repository's root, in which scripts are started.
    pub directory: &'a Path,
    /// The unpacked root: the scripts' argument.
    pub root: &'a Path,
    /// Variables of their environment.
    pub variables: &'a BTreeMap<String, String>,
}

/// Largest script, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// How the name of a script ends that runs inside the root.
const INSIDE: &str = ".chroot.sh";

/// The scripts of one of the two folders, by file name, in the order in which they run.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(overlay: &Overlay, folder: &str) -> Result<Vec<String>, OverlayError> {
    let all = entries(overlay, &overlay.folder.join(folder))?;
    Ok(all.into_iter().map(|(name, _)| name).filter(|name| is_script(name)).collect())
}

/// What the shell's `*.sh` matches.
fn is_script(name: &str) -> bool {
    name.ends_with(".sh") && !name.starts_with('.')
}

/// Checks that each script of a folder can be started: a file with the run bit, a first line that names an interpreter
/// which exists, and no carriage return. The interpreter of one that runs inside the root is the root's affair.
///
/// # Errors
/// The first script that is not so.
pub fn check(overlay: &Overlay, folder: &str) -> Result<(), OverlayError> {
    find(overlay, folder)?.iter().try_for_each(|name| check_one(overlay, folder, name))
}

fn check_one(overlay: &Overlay, folder: &str, name: &str) -> Result<(), OverlayError> {
    let path = Path::new(folder).join(name);
    let place = overlay.folder.join(&path);
    let metadata = fs::metadata(&place).map_err(|e| overlay.system(&path, e))?;
    if !metadata.is_file() {
        return Err(overlay.unfit(&path, "it is not a file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(overlay.unfit(&path, "it is larger than 16 MiB; that is no script"));
    }
    let bytes = fs::read(&place).map_err(|e| overlay.system(&path, e))?;
    if let Some(line) = windows_line(&bytes) {
        let problem = "it has Windows line ends (CRLF); convert it with: sed -i 's/\\r$//', and keep Git from converting it back (.gitattributes: *.sh eol=lf)";
        return Err(overlay.unfit(format!("{}, line {line}", path.display()), problem));
    }
    if metadata.permissions().mode() & 0o100 == 0 {
        let problem = format!("it is not executable; run: chmod +x {}", place.display());
        return Err(overlay.unfit(&path, problem));
    }
    let Some(interpreter) = interpreter(&bytes) else {
        let place = format!("{}, line 1", path.display());
        return Err(overlay.unfit(place, "its first line names no interpreter; begin it with: #!/bin/sh"));
    };
    if !name.ends_with(INSIDE) && !Path::new(&interpreter).exists() {
        let problem = format!(
            "its interpreter {interpreter} does not exist on this machine; install it or change the first line"
        );
        return Err(overlay.unfit(format!("{}, line 1", path.display()), problem));
    }
    Ok(())
}

/// The number of the first line that ends with a carriage return.
pub(super) fn windows_line(text: &[u8]) -> Option<usize> {
    let at = text.windows(2).position(|pair| pair == b"\r\n")?;
    Some(text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1)
}

/// Runs one script of a folder.
///
/// # Errors
/// When it cannot be started or fails; with its command line, exit status and the end of its output, and the line where
/// that is known.
pub fn run(
    overlay: &Overlay,
    folder: &str,
    name: &str,
    surroundings: Surroundings<'_>,
) -> Result<(), OverlayError> {
    check_one(overlay, folder, name)?;
    let path = Path::new(folder).join(name);
    let script = overlay.folder.join(&path);
    // The umask must not depend on who builds; only a shell can set it for the script alone.
    let mut command =
        Command::new("sh").args(["-c", "umask 022; exec \"$@\"", "sh"]).directory(surroundings.directory);
    for (name, value) in surroundings.variables {
        command = command.env(name, value);
    }
    let failed = |e| overlay.failed(&path, e);
    if !name.ends_with(INSIDE) {
        let script = started_as(&script, surroundings.directory).map_err(|e| overlay.system(&path, e))?;
        let last = LastLine::begin().map_err(|e| overlay.system(&path, e))?;
        for (name, value) in last.variables() {
            command = command.env(name, value);
        }
        let ran = command.arg(&script).arg(surroundings.root).run();
        return ran.map(drop).map_err(|error| match last.of(&script) {
            Some(line) => overlay.failed(format!("{}, line {line}", path.display()), error),
            None => failed(error),
        });
    }
    // The script must lie in the root to be started there; it goes whatever comes of it.
    let lent = surroundings.root.join(name);
    if fs::symlink_metadata(&lent).is_ok() {
        return Err(overlay.unfit(&path, format!("there is a file /{name} in the root; rename the script")));
    }
    fs::copy(&script, &lent).map_err(|e| overlay.system(&path, e))?;
    let ran = command.arg(chroot::NAME).arg(surroundings.root).arg(format!("/{name}")).run();
    fs::remove_file(&lent).map_err(|e| overlay.system(&path, e))?;
    ran.map(drop).map_err(failed)
}

/// Looks whether there is a root still after a script: nothing that follows may go through a link out of the build
/// folder, or find fault with what is not there.
///
/// # Errors
/// When there is none.
pub fn check_root(overlay: &Overlay, path: &Path, root: &Path) -> Result<(), OverlayError> {
    if fs::symlink_metadata(root).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let problem =
        "it took the root away: at $1 there is no folder any more; change what is in it, and not $1 itself";
    Err(overlay.unfit(path, problem))
}

/// The community's form for what lies in the tree: `./overlays/x/scripts/y.sh`.
fn started_as(script: &Path, directory: &Path) -> std::io::Result<PathBuf> {
    let script = std::path::absolute(script)?;
    let within = script.strip_prefix(directory).map(|within| Path::new(".").join(within));
    Ok(within.unwrap_or(script))
}

pub(crate) fn interpreter(script: &[u8]) -> Option<String> {
    let line = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    word.starts_with('/').then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn overlay(files: &[(&str, &str, u32)]) -> (tempfile::TempDir, Overlay) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(SCRIPTS)).unwrap();
        for (name, text, mode) in files {
            let path = folder.path().join(SCRIPTS).join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
        }
        let overlay = Overlay::open(folder.path()).unwrap();
        (folder, overlay)
    }

    #[test]
    fn only_scripts_at_the_top_run_in_byte_order() {
        let sh = "#!/bin/sh\n";
        let (_folder, overlay) = overlay(&[
            ("10-b.sh", sh, 0o755),
            ("2-a.sh", sh, 0o755),
            ("B.sh", sh, 0o755),
            ("notes.txt", "", 0o644),
            (".hidden.sh", "", 0o644),
            ("x.sh~", sh, 0o755),
        ]);
        assert_eq!(find(&overlay, SCRIPTS).unwrap(), ["10-b.sh", "2-a.sh", "B.sh"]);
        assert!(check(&overlay, SCRIPTS).is_ok());
        assert!(find(&overlay, PRE_SCRIPTS).unwrap().is_empty());
    }

    #[test]
    fn a_script_that_cannot_start_is_named_with_the_remedy() {
        let cases = [
            ("#!/bin/sh\r\ntrue\r\n", 0o755, "Windows line ends"),
            ("#!/bin/sh\ntrue\n", 0o644, "chmod +x"),
            ("#!/bin/sh\ntrue\n", 0o655, "chmod +x"),
            ("true\n", 0o755, "names no interpreter"),
            ("\u{feff}#!/bin/sh\n", 0o755, "names no interpreter"),
            ("#!sh\n", 0o755, "names no interpreter"),
            ("#!/no/such/shell -e\n", 0o755, "/no/such/shell does not exist"),
        ];
        for (text, mode, expected) in cases {
            let (_folder, overlay) = overlay(&[("1.sh", text, mode)]);
            let error = check(&overlay, SCRIPTS).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("scripts/1.sh"), "{error}");
            assert_eq!(error.contains("line"), !text.is_empty() && !expected.contains("chmod"), "{error}");
        }
    }

    #[test]
    fn scripts_of_the_tree_are_started_in_the_communitys_form() {
        for (path, form) in [
            ("/tree/overlays/x/scripts/y.sh", "./overlays/x/scripts/y.sh"),
            ("/elsewhere/y.sh", "/elsewhere/y.sh"),
            ("/tree-2/y.sh", "/tree-2/y.sh"),
        ] {
            assert_eq!(started_as(Path::new(path), Path::new("/tree")).unwrap(), Path::new(form));
        }
    }
}
