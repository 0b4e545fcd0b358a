//! Runs an overlay's shell scripts: `pre-scripts/` before the build, `scripts/` on the unpacked root.
//!
//! Only `*.sh` at the top of the folder run, in byte order of their names, from the repository's root, with the path of
//! the unpacked root as their argument. An empty folder is fine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::{Overlay, OverlayError, entries};
use crate::command::Command;

/// Folder of the scripts that run before the build, outside fakeroot.
pub const PRE_SCRIPTS: &str = "pre-scripts";
/// Folder of the scripts that work on the unpacked root.
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
    /// Variables that they must not see.
    pub hidden: &'a [String],
}

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
/// which exists, and no carriage return.
///
/// # Errors
/// The first script that is not so.
pub fn check(overlay: &Overlay, folder: &str) -> Result<(), OverlayError> {
    for name in find(overlay, folder)? {
        let path = Path::new(folder).join(&name);
        let place = overlay.folder.join(&path);
        let metadata = fs::metadata(&place).map_err(|e| overlay.system(&path, e))?;
        if !metadata.is_file() {
            return Err(overlay.unfit(&path, "it is not a file"));
        }
        let bytes = fs::read(&place).map_err(|e| overlay.system(&path, e))?;
        if bytes.windows(2).any(|pair| pair == b"\r\n") {
            let problem = "it has Windows line ends (CRLF); convert it with: sed -i 's/\\r$//', and keep Git from converting it back (.gitattributes: *.sh eol=lf)";
            return Err(overlay.unfit(&path, problem));
        }
        if metadata.permissions().mode() & 0o100 == 0 {
            let problem = format!("it is not executable; run: chmod +x {}", place.display());
            return Err(overlay.unfit(&path, problem));
        }
        let Some(interpreter) = interpreter(&bytes) else {
            return Err(overlay.unfit(&path, "its first line names no interpreter; begin it with: #!/bin/sh"));
        };
        if !Path::new(&interpreter).exists() {
            let problem = format!(
                "its interpreter {interpreter} does not exist on this machine; install it or change the first line"
            );
            return Err(overlay.unfit(&path, problem));
        }
    }
    Ok(())
}

/// Runs the scripts of a folder one after the other.
///
/// # Errors
/// The first one that fails, with its command line, exit status and the end of its output.
pub fn run(overlay: &Overlay, folder: &str, surroundings: Surroundings<'_>) -> Result<(), OverlayError> {
    check(overlay, folder)?;
    for name in find(overlay, folder)? {
        let script = started_as(&overlay.folder.join(folder).join(&name));
        // The umask must not depend on who builds; only a shell can set it for the script alone.
        let mut command = Command::new("sh")
            .args(["-c", "umask 022; exec \"$@\"", "sh"])
            .arg(&script)
            .arg(surroundings.root)
            .directory(surroundings.directory);
        for (name, value) in surroundings.variables {
            command = command.env(name, value);
        }
        for name in surroundings.hidden {
            command = command.without(name);
        }
        command.run().map_err(|e| overlay.failed(Path::new(folder).join(&name), e))?;
    }
    Ok(())
}

/// The community's form for a relative path: `./overlays/x/scripts/y.sh`.
fn started_as(script: &Path) -> PathBuf {
    match script.components().next() {
        Some(Component::Normal(_) | Component::ParentDir) => Path::new(".").join(script),
        _ => script.to_owned(),
    }
}

fn interpreter(script: &[u8]) -> Option<String> {
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
        }
    }

    #[test]
    fn relative_scripts_are_started_in_the_communitys_form() {
        for (path, form) in [
            ("overlays/x/scripts/y.sh", "./overlays/x/scripts/y.sh"),
            ("/a/y.sh", "/a/y.sh"),
            ("../y.sh", "./../y.sh"),
        ] {
            assert_eq!(started_as(Path::new(path)), Path::new(form));
        }
    }
}
