//! In which line a script of bash ended: bash itself tells, when a command fails that ends the script (`set -e`).
//!
//! Other shells have no way to tell. A script that ends by `exit` has said why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What every bash reads before its script. The trap is for what `set -e` would end the script for, and changes nothing
/// else.
const TRAP: &str = "set -E\ntrap 'case $- in *e*) \
                    printf \"%s %s\\n\" \"$LINENO\" \"${BASH_SOURCE[0]}\" >\"$OCTOFW_LINE\" ;; esac' ERR\n";

/// A folder in which bash leaves its message, while one script runs.
#[derive(Debug)]
pub(super) struct LastLine {
    folder: TempDir,
}

impl LastLine {
    /// Gets ready for one script.
    ///
    /// # Errors
    /// When no folder can be made.
    pub(super) fn begin() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("octofw-line").tempdir()?;
        fs::write(folder.path().join("trap"), TRAP)?;
        Ok(Self { folder })
    }

    /// What the script's environment needs for it.
    pub(super) fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [("BASH_ENV", self.folder.path().join("trap")), ("OCTOFW_LINE", self.message())]
    }

    /// The line in which the script ended, which was started by this path, if bash told.
    pub(super) fn of(&self, script: &Path) -> Option<usize> {
        let text = fs::read_to_string(self.message()).ok()?;
        let (line, source) = text.trim_end().split_once(' ')?;
        (Path::new(source) == script).then(|| line.parse().ok()).flatten()
    }

    fn message(&self) -> PathBuf {
        self.folder.path().join("line")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn bash_tells_the_line_that_ended_the_script() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("s.sh");
        for (body, code, expected) in [
            ("set -e\ntrue\n\nfalse\n", 1, Some(4)),
            ("set -e\nf() {\n  grep -q x /dev/null\n}\nf\n", 1, Some(3)),
            ("set -euo pipefail\nfalse | true\n", 1, Some(2)),
            ("set -e\nfalse || true\nif false; then true; fi\nexit 3\n", 3, None),
            ("false\nexit 1\n", 1, None),
            ("set -e\nx=$(false; echo 1)\ntrue\n", 0, None),
        ] {
            fs::write(&script, body).unwrap();
            let last = LastLine::begin().unwrap();
            let status = Command::new("bash").arg(&script).envs(last.variables()).status().unwrap();
            assert_eq!((status.code(), last.of(&script)), (Some(code), expected), "{body}");
            assert_eq!(last.of(Path::new("other.sh")), None);
        }
    }
}
