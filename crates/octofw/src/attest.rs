//! The provenance of an image: who built it, how, and out of what, as an in-toto Statement v1 with the predicate SLSA
//! Provenance v1. Made from the manifest and the lock, so the same build gives the same bytes; it has no time and no
//! number of its run, and says no more than what can be looked up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::debian::is_kernel;
use crate::digest;
use crate::lock::Lock;
use crate::manifest::Manifest;

/// How the fields of the predicate are to be understood; docs/trust.md explains them.
pub const BUILD_TYPE: &str = "urn:octofw:build:1";
/// The builder where nobody says who it is: somebody's machine, which nobody vouches for.
pub const SOMEBODY: &str = "urn:octofw:builder:somebody";
/// The digest of a folder: [`crate::overlay::tree_hash`] for overlays, [`crate::lock::tree_digest`] for others.
const TREE: &str = "octofwTreeSha256";

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The manifest is none.
    #[error("{} is no manifest of an image", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The image is another one than the manifest's.
    #[error("{} is not the image that its manifest tells of; build it again", image.display())]
    Differs {
        /// The image.
        image: PathBuf,
    },
}

impl AttestError {
    /// Whether an input is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        !matches!(self, Self::File { .. })
    }
}

/// What a statement is made of.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The image.
    pub image: &'a Path,
    /// Its manifest.
    pub manifest: &'a Path,
    /// Debian's packages that the base was made of: those of this lock. Kernels are not part of an image.
    pub packages: Option<&'a Lock>,
    /// The sources as they are now: those of this lock.
    pub sources: Option<&'a Lock>,
    /// Further files that went into the build.
    pub inputs: &'a [PathBuf],
    /// Files that were made along with the image.
    pub byproducts: &'a [PathBuf],
    /// The commit of the sources, in hex.
    pub commit: Option<&'a str>,
    /// Who built it, as a URI.
    pub builder: &'a str,
}

/// Something with a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Resource {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    digest: BTreeMap<&'static str, String>,
}

impl Resource {
    fn new(name: impl Into<String>, algorithm: &'static str, digest: impl Into<String>) -> Self {
        Self { name: Some(name.into()), uri: None, digest: BTreeMap::from([(algorithm, digest.into())]) }
    }

    fn file(path: &Path) -> Result<Self, AttestError> {
        let failed = |source| AttestError::File { path: path.to_path_buf(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::new(name, "sha256", digest::of_file(path).map_err(failed)?.0))
    }
}

/// The statement about an image, as JSON.
///
/// # Errors
/// When a file cannot be read, or image and manifest do not belong together.
pub fn statement(of: &Subject<'_>) -> Result<Value, AttestError> {
    let bytes = fs::read(of.manifest)
        .map_err(|source| AttestError::File { path: of.manifest.to_path_buf(), source })?;
    let told: Manifest = serde_json::from_slice(&bytes)
        .map_err(|source| AttestError::Manifest { path: of.manifest.to_path_buf(), source })?;
    let subject = Resource::file(of.image)?;
    if subject.digest.get("sha256") != Some(&told.result.sha256) {
        return Err(AttestError::Differs { image: of.image.to_path_buf() });
    }
    let mut byproducts = vec![Resource::file(of.manifest)?];
    for path in of.byproducts {
        byproducts.push(Resource::file(path)?);
    }
    byproducts.sort();
    let overlays: Vec<&String> = told.overlays.iter().map(|overlay| &overlay.name).collect();
    let mut versions = told.tools.clone();
    versions.entry("octofw".to_owned()).or_insert_with(|| env!("CARGO_PKG_VERSION").to_owned());
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "base": told.base.file,
                    "overlays": overlays,
                    "order": told.order,
                    "profile": told.profile,
                    "version": told.result.version,
                },
                "internalParameters": {
                    "sourceDateEpoch": told.source_date_epoch,
                    "packed": told.rootfs.packed,
                },
                "resolvedDependencies": materials(of, &told)?,
            },
            "runDetails": {
                "builder": { "id": of.builder, "version": versions },
                "byproducts": byproducts,
            },
        },
    }))
}

/// Everything that the image was made of: base, overlays, what the lock names, files, and the commit.
fn materials(of: &Subject<'_>, told: &Manifest) -> Result<Vec<Resource>, AttestError> {
    let mut materials = vec![Resource::new(&told.base.file, "sha256", &told.base.sha256)];
    for overlay in &told.overlays {
        materials.push(Resource::new(format!("overlay {}", overlay.name), TREE, &overlay.tree_sha256));
    }
    if let Some(lock) = of.packages {
        for (name, package) in lock.packages().iter().filter(|(name, _)| !is_kernel(name)) {
            let mut resource = Resource::new(name, "sha256", &package.sha256);
            let version = package.version.replace('+', "%2B");
            resource.uri = Some(format!("pkg:deb/debian/{name}@{version}?arch={}", package.architecture));
            materials.push(resource);
        }
    }
    if let Some(lock) = of.sources {
        for (path, sha256) in lock.sources() {
            let algorithm = if path.ends_with('/') { TREE } else { "sha256" };
            materials.push(Resource::new(path, algorithm, sha256));
        }
    }
    for path in of.inputs {
        materials.push(Resource::file(path)?);
    }
    if let Some(commit) = of.commit {
        materials.push(Resource::new("sources", "gitCommit", commit));
    }
    materials.sort();
    materials.dedup();
    Ok(materials)
}
