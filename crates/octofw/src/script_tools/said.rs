//! What the commands of scripts tell the session, as lines of JSON in a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Most bytes of the file that count; a script could write anything into it.
const MOST: usize = 1 << 20;

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
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    fs::remove_file(path)?;
    Ok(parse(bytes.get(..MOST).unwrap_or(&bytes)))
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

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
