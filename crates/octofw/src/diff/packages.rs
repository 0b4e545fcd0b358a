//! Packages, by what their package managers wrote down: dpkg's and opkg's status, Python's `*.dist-info`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::DiffError;
use super::root::Root;

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// `dpkg`, `opkg` or `python`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its version in the first; `null` where it is not there.
    pub a: Option<String>,
    /// Its version in the second.
    pub b: Option<String>,
}

/// Where status files are.
const STATUS: [(&str, &str); 3] =
    [("dpkg", "var/lib/dpkg/status"), ("opkg", "usr/lib/opkg/status"), ("opkg", "var/lib/opkg/status")];
/// A folder with a status file for each package, as images have it that were made without dpkg.
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d";
/// Folders that hold folders of a Python's packages.
const LIBRARIES: [&str; 4] = ["usr/lib", "usr/local/lib", "usr/lib64", "home/lava/.local/lib"];

/// Versions by package manager and name.
pub(crate) type Versions = BTreeMap<(&'static str, String), String>;

pub(super) fn compare(a: &Root, b: &Root) -> Result<Vec<PackageChange>, DiffError> {
    let (one, other) = (versions(a)?, versions(b)?);
    let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    Ok(differing
        .map(|name| PackageChange {
            kind: name.0,
            name: name.1.clone(),
            a: one.get(name).cloned(),
            b: other.get(name).cloned(),
        })
        .collect())
}

/// Every package that is installed in a root.
pub(crate) fn versions(root: &Root) -> Result<Versions, DiffError> {
    let mut found = Versions::new();
    for (kind, path) in STATUS {
        if let Some(bytes) = root.content(path)? {
            let text = String::from_utf8_lossy(&bytes);
            found
                .extend(text.split("\n\n").filter_map(stanza).map(|(name, version)| ((kind, name), version)));
        }
    }
    for name in root.names(STATUS_FOLDER).into_iter().filter(|name| !name.ends_with(".md5sums")) {
        if let Some(bytes) = root.content(&format!("{STATUS_FOLDER}/{name}"))? {
            found.extend(
                stanza(&String::from_utf8_lossy(&bytes)).map(|(name, version)| (("dpkg", name), version)),
            );
        }
    }
    for library in LIBRARIES {
        for version in root.names(library).into_iter().filter(|name| name.starts_with("python3")) {
            for place in ["site-packages", "dist-packages"] {
                let folder = format!("{library}/{version}/{place}");
                for name in root.names(&folder) {
                    if let Some((name, version)) = python(&name) {
                        found.insert(("python", name.to_owned()), version.to_owned());
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Name and version of a Python package, by the folder that tells of it.
pub(crate) fn python(folder: &str) -> Option<(&str, &str)> {
    folder.strip_suffix(".dist-info")?.rsplit_once('-')
}

/// Name and version of a package that is installed.
pub(crate) fn stanza(text: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let value =
            |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned());
        text.lines().find_map(value)
    };
    let is_installed = field("Status").is_none_or(|status| status.ends_with(" installed"));
    if is_installed { Some((field("Package")?, field("Version")?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_read_out_of_a_status_file() {
        let rows = [
            ("Package: a\nStatus: install ok installed\nVersion: 1:2-3\n", Some(("a", "1:2-3"))),
            ("Package: b\nStatus: deinstall ok config-files\nVersion: 1\n", None),
            ("Package: c\nVersion: 4", Some(("c", "4"))),
            ("Packages: d\nVersion: 4", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
            assert_eq!(stanza(text), expected, "{text}");
        }
    }
}
