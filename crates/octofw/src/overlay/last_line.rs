//! In which line a script of bash ended: bash itself tells, when a command fails that ends the script (`set -e`).
//!
//! Other shells have no way to tell. A script that ends by `exit` has said why.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::script_tools::said;

/// Most bytes of a message that count: no path is longer, and a script could write anything there.
const MOST: u64 = 8192;
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
        let message = said::left_in(&self.message(), MOST).ok()?;
        parse(&message).filter(|(_, source)| *source == script).map(|(line, _)| line)
    }

    fn message(&self) -> PathBuf {
        self.folder.path().join("line")
    }
}

/// A line and the path of its script, as the trap writes them.
pub(crate) fn parse(message: &[u8]) -> Option<(usize, &Path)> {
    let space = message.iter().position(|byte| *byte == b' ')?;
    let (line, source) = message.split_at_checked(space)?;
    // `parse` alone would take a sign.
    let line =
        std::str::from_utf8(line).ok().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()))?;
    let source = source.get(1..)?.strip_suffix(b"\n").unwrap_or_default();
    Some((line.parse().ok()?, Path::new(OsStr::from_bytes(source)))).filter(|_| !source.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    use proptest::prelude::*;

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
    /// The script can reach the file of the message, and may leave anything there.
    #[test]
    fn a_message_that_bash_did_not_write_is_none() {
        let script = Path::new("./s.sh");
        let last = LastLine::begin().unwrap();
        for message in [
            "",
            "7",
            "7 ",
            "7 ./s.sh",
            " ./s.sh\n",
            "-1 ./s.sh\n",
            "+7 ./s.sh\n",
            "7 ./s.sh\n\n",
            "x ./s.sh\n",
        ] {
            fs::write(last.message(), message).unwrap();
            assert_eq!(last.of(script), None, "{message:?}");
        }
        fs::write(last.message(), "7 ./s.sh\n").unwrap();
        assert_eq!(last.of(script), Some(7));
        fs::File::options().write(true).open(last.message()).unwrap().set_len(4 << 40).unwrap();
        assert_eq!(last.of(script), None);
        fs::remove_file(last.message()).unwrap();
        nix::unistd::mkfifo(&last.message(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(last.of(script), None, "nobody waits at a pipe");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(line: usize, source in "[^\0]{1,40}") {
            let message = format!("{line} {source}\n");
            prop_assert_eq!(parse(message.as_bytes()), Some((line, Path::new(&source))));
        }
    }
}
