//! Reads a `Cargo.lock` for where each crate comes from and the SHA-256 of its archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{SbomError, file_error};

/// Where a locked crate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Locked {
    name: String,
    version: String,
    /// Nothing for a crate of the workspace, else `registry+URL` or `git+URL`.
    pub(crate) source: Option<String>,
    /// SHA-256 of the archive, for a crate from a registry.
    pub(crate) checksum: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    package: Vec<Locked>,
}

/// All crates of a lock file, by name and version.
#[derive(Debug)]
pub(crate) struct CargoLock(BTreeMap<(String, String), Locked>);

impl CargoLock {
    pub(crate) fn read(path: &Path) -> Result<CargoLock, SbomError> {
        let text = fs::read_to_string(path).map_err(file_error("read", path))?;
        parse(&text).map_err(|source| SbomError::CargoLock { path: path.to_path_buf(), source })
    }

    pub(crate) fn get(&self, name: &str, version: &str) -> Option<&Locked> {
        self.0.get(&(name.to_owned(), version.to_owned()))
    }
}

pub(crate) fn parse(text: &str) -> Result<CargoLock, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let by_name =
        file.package.into_iter().map(|crate_| ((crate_.name.clone(), crate_.version.clone()), crate_));
    Ok(CargoLock(by_name.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources_and_checksums_are_found() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\
                    source = \"registry+https://example.org/index\"\nchecksum = \"00ff\"\ndependencies = [\"b\"]\n\n\
                    [[package]]\nname = \"b\"\nversion = \"0.1.0\"\n";
        let lock = parse(text).unwrap();
        assert_eq!(lock.get("a", "1.0.0").unwrap().checksum.as_deref(), Some("00ff"));
        assert_eq!(lock.get("b", "0.1.0").unwrap().source, None);
        assert!(lock.get("a", "2.0.0").is_none());
        assert!(parse("[[package]]\nname = 3\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s).{0,200}") {
            let _ = parse(&text);
        }
    }
}
