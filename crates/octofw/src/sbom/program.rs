//! The bill of materials of a Rust program: itself and every crate that is linked into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bom::{Bom, Component, Dependency, Kind, License, Metadata, Property};
use super::cargo_lock::CargoLock;
use super::cargo_tree::{self, CrateId};
use super::packages::escaped;
use super::{SbomError, file_error};
use crate::command::Command;

/// Makes the bill of a package of a workspace for a target. `epoch` is the time of the sources, in seconds since 1970.
///
/// # Errors
/// When cargo cannot resolve the package with its lock file as it is, or the lock file lacks a crate.
pub fn bill(manifest: &Path, package: &str, target: &str, epoch: u32) -> Result<Bom, SbomError> {
    let tree = cargo_tree::ask(manifest, package, target)?;
    let lock_path = lock_beside(manifest)?;
    let lock = CargoLock::read(&lock_path)?;

    let mut components = Vec::new();
    let mut subject = None;
    for (id, linked) in &tree.crates {
        let (name, version) = id;
        let locked = lock.get(name, version).ok_or_else(|| SbomError::NotLocked {
            path: lock_path.clone(),
            name: name.clone(),
            version: version.clone(),
        })?;
        let kind = if *id == tree.root { Kind::Application } else { Kind::Library };
        let purl = purl(id, locked.source.as_deref());
        let mut component = Component::new(kind, &purl, name).version(version);
        component.purl = Some(purl);
        if let Some(checksum) = &locked.checksum {
            component = component.sha256(checksum);
        }
        if let Some(expression) = expression(&linked.license) {
            component.licenses.push(License { expression });
        }
        if *id == tree.root { subject = Some(component) } else { components.push(component) }
    }
    let dependencies = tree.crates.iter().map(|(id, linked)| {
        let reference =
            |id: &CrateId| purl(id, lock.get(&id.0, &id.1).and_then(|locked| locked.source.as_deref()));
        Dependency { of: reference(id), depends_on: linked.needs.iter().map(reference).collect() }
    });
    let component = subject.ok_or_else(|| SbomError::Tree { line: tree.root.0.clone() })?;
    let target = Property { name: "octofw:target".to_owned(), value: target.to_owned() };
    let metadata = Metadata::new(component, epoch, vec![target]);
    Bom::new(metadata, components, dependencies.collect()).map_err(SbomError::Write)
}

/// Where the sources of crates lie on this machine.
#[derive(Debug)]
pub struct Sources(BTreeMap<(String, String), PathBuf>);

impl Sources {
    /// The folder of a crate of a bill.
    #[must_use]
    pub fn folder(&self, part: &Component) -> Option<&Path> {
        let version = part.version.clone().unwrap_or_default();
        self.0.get(&(part.name.clone(), version)).map(PathBuf::as_path)
    }
}

#[derive(Deserialize)]
struct Answer {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// Asks cargo where the crates of a workspace lie; what is missing it fetches.
///
/// # Errors
/// When cargo cannot tell.
pub fn sources(manifest: &Path, target: &str) -> Result<Sources, SbomError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--quiet", "--format-version", "1", "--filter-platform", target])
        .arg("--manifest-path")
        .arg(manifest)
        .remedy("install Rust with rustup")
        .output()
        .map_err(|source| SbomError::Cargo { package: "the workspace".to_owned(), source })?;
    sources_of(&output).map_err(|source| SbomError::Json {
        path: manifest.to_path_buf(),
        what: "workspace that cargo metadata tells of",
        source,
    })
}

/// Where each crate lies, as `cargo metadata` tells it.
pub(crate) fn sources_of(metadata: &[u8]) -> Result<Sources, serde_json::Error> {
    let told: Answer = serde_json::from_slice(metadata)?;
    let folders = told.packages.into_iter().map(|package| {
        let folder = package.manifest_path.parent().map(Path::to_path_buf).unwrap_or_default();
        ((package.name, package.version), folder)
    });
    Ok(Sources(folders.collect()))
}

/// The lock file of the workspace that a manifest belongs to: beside it or above.
fn lock_beside(manifest: &Path) -> Result<PathBuf, SbomError> {
    let whole = std::fs::canonicalize(manifest).map_err(file_error("open", manifest))?;
    let found = whole.ancestors().skip(1).map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file());
    Ok(found.unwrap_or_else(|| manifest.with_file_name("Cargo.lock")))
}

/// The package URL of a crate (package-url specification, type `cargo`); one that comes from elsewhere than the
/// usual registry says so.
fn purl((name, version): &CrateId, source: Option<&str>) -> String {
    let plain = format!("pkg:cargo/{name}@{}", escaped(version));
    match source.and_then(|source| source.split_once('+')) {
        Some(("git", url)) => format!("{plain}?vcs_url={}", escaped(&format!("git+{url}"))),
        Some((_, url)) if !url.contains("github.com/rust-lang/crates.io-index") => {
            format!("{plain}?repository_url={}", escaped(url))
        }
        _ => plain,
    }
}

/// An SPDX expression out of a manifest's licence field, in whose old form a slash means "or".
fn expression(license: &str) -> Option<String> {
    let parts: Vec<_> = license.split('/').map(str::trim).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls() {
        let id = |version: &str| ("a-b".to_owned(), version.to_owned());
        let usual = Some("registry+https://github.com/rust-lang/crates.io-index");
        assert_eq!(purl(&id("1.2.3"), usual), "pkg:cargo/a-b@1.2.3");
        assert_eq!(purl(&id("1.2.3"), None), "pkg:cargo/a-b@1.2.3");
        assert_eq!(purl(&id("1.0.0+x.1"), usual), "pkg:cargo/a-b@1.0.0%2Bx.1");
        assert_eq!(
            purl(&id("1.0.0"), Some("git+https://example.org/a.git#00ff")),
            "pkg:cargo/a-b@1.0.0?vcs_url=git%2Bhttps://example.org/a.git%2300ff"
        );
        assert_eq!(
            purl(&id("1.0.0"), Some("registry+https://example.org/index")),
            "pkg:cargo/a-b@1.0.0?repository_url=https://example.org/index"
        );
    }

    #[test]
    fn licences_become_expressions() {
        for (field, expected) in [
            ("MIT OR Apache-2.0", Some("MIT OR Apache-2.0")),
            ("MIT/Apache-2.0", Some("MIT OR Apache-2.0")),
            ("Unlicense / MIT", Some("Unlicense OR MIT")),
            ("", None),
        ] {
            assert_eq!(expression(field).as_deref(), expected);
        }
    }
}
