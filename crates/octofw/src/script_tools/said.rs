//! What the commands of scripts tell the session, as lines of JSON in a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;
use serde::{Deserialize, Serialize};

/// Most bytes of the file that count; a script could write anything into it.
const MOST: u64 = 1 << 20;

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Something was not to be had.
    Lacked(Lack),
    /// Something that the builder of the image should know.
    Note(String),
}

/// What a step of an overlay could not do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Lack {
    /// Something that comes over the network.
    Network {
        /// What, with its address where it has one.
        what: String,
    },
    /// A file that only the vendor's root or kernel image has.
    Vendor {
        /// The path in the root.
        what: String,
    },
    /// A program of the build machine.
    Program {
        /// Its name.
        what: String,
    },
}

/// Appends a line.
///
/// # Errors
/// When the file cannot be written.
pub fn append(path: &Path, said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    OpenOptions::new().append(true).create(true).open(path)?.write_all(&line)
}

/// Takes everything that was said out of the file. What is no such line is passed over.
///
/// # Errors
/// When the file cannot be read or emptied.
pub fn take(path: &Path) -> io::Result<Vec<Said>> {
    let bytes = match left_in(path, MOST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    fs::remove_file(path)?;
    Ok(parse(&bytes))
}

/// The beginning of a file that a script could reach, at most so many bytes. A pipe in its place has nothing to say, and
/// nobody waits at it.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn left_in(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn parse(bytes: &[u8]) -> Vec<Said> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("said");
        assert!(take(&path).unwrap().is_empty());
        let said = [Said::Note("a\nb".into()), Said::Lacked(Lack::Network { what: "https://x".into() })];
        for one in &said {
            append(&path, one).unwrap();
        }
        assert_eq!(take(&path).unwrap(), said);
        assert!(take(&path).unwrap().is_empty());
    }

    /// Scripts know the file by their environment.
    #[test]
    fn what_a_script_put_in_its_place_is_read_no_further_than_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("said");
        append(&path, &Said::Note("first".into())).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(4 << 40).unwrap();
        assert_eq!(take(&path).unwrap(), [Said::Note("first".into())]);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(take(&path).unwrap().is_empty());
        assert!(!path.exists());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
