//! The crates of a program as `cargo auditable` puts them into programs: compressed JSON for the section `.dep-v0`, which
//! scanners look for. Put there after linking, it is the same for every way to compile.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use super::bom::{Bom, Component};

#[derive(Serialize)]
struct VersionInfo<'a> {
    packages: Vec<Package<'a>>,
}

#[derive(Serialize)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<usize>,
    #[serde(skip_serializing_if = "is_false")]
    root: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The section's content for a program's bill.
///
/// # Errors
/// Never in practice; it is written to memory.
pub fn section(program: &Bom) -> io::Result<Vec<u8>> {
    let root = &program.metadata.component;
    let mut all: Vec<&Component> = program.components.iter().chain([root]).collect();
    all.sort_by_key(|part| (&part.name, &part.version, &part.bom_ref));
    let place = |reference: &String| all.iter().position(|part| part.bom_ref == *reference);
    let packages = all.iter().map(|part| {
        let needs = program.dependencies.iter().find(|needs| needs.of == part.bom_ref);
        let needs = needs.map(|needs| needs.depends_on.iter().filter_map(place));
        let mut dependencies: Vec<usize> = needs.map(Iterator::collect).unwrap_or_default();
        dependencies.sort_unstable();
        Package {
            name: &part.name,
            version: part.version.as_deref().unwrap_or_default(),
            source: source(part),
            dependencies,
            root: part.bom_ref == root.bom_ref,
        }
    });
    let json = serde_json::to_vec(&VersionInfo { packages: packages.collect() })?;
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(&json)?;
    compressed.finish()
}

/// Where a crate is from: its package URL says what is not the usual registry, and only archives have digests.
fn source(part: &Component) -> &'static str {
    let purl = part.purl.as_deref().unwrap_or_default();
    if purl.contains("?vcs_url=") {
        "git"
    } else if purl.contains("?repository_url=") {
        "registry"
    } else if part.hash("SHA-256").is_some() {
        "crates.io"
    } else {
        "local"
    }
}
