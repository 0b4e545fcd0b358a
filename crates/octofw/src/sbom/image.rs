//! The bill of materials of an image: the base, each overlay with the files it brought, and the printer program
//! with its crates. What is inside the base is not known and not guessed.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::bom::{Bom, Component, Dependency, Kind, Metadata, Property};
use super::{SbomError, file_error};
use crate::manifest::{Change, Manifest};

/// Makes the bill of an image from its manifest and the bill of the program in it.
///
/// # Errors
/// When one of the files cannot be read or is not what it should be.
pub fn bill(manifest: &Path, program: &Path) -> Result<Bom, SbomError> {
    let manifest: Manifest = read(manifest, "manifest of an image")?;
    let program: Bom = read(program, "CycloneDX document")?;
    put_together(manifest, program).map_err(SbomError::Write)
}

fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, SbomError> {
    let bytes = fs::read(path).map_err(file_error("read", path))?;
    serde_json::from_slice(&bytes).map_err(|source| SbomError::Json {
        path: path.to_path_buf(),
        what,
        source,
    })
}

fn put_together(manifest: Manifest, program: Bom) -> Result<Bom, serde_json::Error> {
    let versioned = |component: Component, version: &Option<String>| match version {
        Some(version) => component.version(version),
        None => component,
    };
    let image = Component::new(Kind::Firmware, "image", "printer firmware").sha256(&manifest.result.sha256);
    let image = versioned(image, &manifest.result.version);
    let base = Component::new(Kind::Firmware, "base", &manifest.base.file).sha256(&manifest.base.sha256);
    let base = versioned(base, &manifest.base.version).property("octofw:contents", "not analysed");

    let mut components = vec![base];
    for overlay in &manifest.overlays {
        let reference = format!("overlay/{}", overlay.name);
        let tree = &overlay.tree_sha256;
        let mut component =
            Component::new(Kind::Data, &reference, &overlay.name).property("octofw:tree-sha256", tree);
        // A path that several overlays touched is the last one's.
        let own = manifest.changes.iter().filter(|change| change.overlays.last() == Some(&overlay.name));
        component.components = own.filter_map(|change| file(&reference, change)).collect();
        components.push(component);
    }

    let contained = components.iter().map(|component| component.bom_ref.clone());
    let program_ref = program.metadata.component.bom_ref.clone();
    let depends_on = contained.chain([program_ref]).collect();
    let mut dependencies = program.dependencies;
    dependencies.push(Dependency { of: image.bom_ref.clone(), depends_on });
    components.push(program.metadata.component);
    components.extend(program.components);
    let tools = manifest
        .tools
        .iter()
        .map(|(name, version)| Property { name: format!("octofw:tool:{name}"), value: version.clone() });
    Bom::new(Metadata { component: image, properties: tools.collect() }, components, dependencies)
}

/// A file that an overlay brought. What has no digest is no file, or is gone.
fn file(overlay: &str, change: &Change) -> Option<Component> {
    let digest = change.sha256.as_ref()?;
    let path = format!("/{}", change.path.trim_start_matches('/'));
    let mut component = Component::new(Kind::File, format!("{overlay}{path}"), &path).sha256(digest);
    for (name, value) in [("octofw:mode", &change.mode), ("octofw:owner", &change.owner)] {
        if let Some(value) = value {
            component = component.property(name, value);
        }
    }
    Some(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
        "schema": 1,
        "base": {"file": "U1_1.3.0.168_x_upgrade.bin", "sha256": "aa", "version": "1.3.0.168"},
        "profile": null,
        "source_date_epoch": 1767225600,
        "rootfs": {"sha256": "ff", "size": 1, "base_size": 1, "slot_size": null, "slot_fill_permille": null,
            "compressor": "gzip", "block_size": 131072,
            "base": {"paths": 1, "inodes": 1, "hard_links": 0, "devices": 0},
            "result": {"paths": 1, "inodes": 1, "hard_links": 0, "devices": 0}},
        "notes": [],
        "overlays": [{"name": "01-first", "tree_sha256": "bb"}, {"name": "53-ours", "tree_sha256": "cc"}],
        "order": "classic",
        "result": {"sha256": "dd", "size": 1, "version": null},
        "changes": [
            {"path": "etc/init.d/S66octoapp", "what": "added", "kind": "file", "overlays": ["01-first", "53-ours"],
             "owner": "0:0", "mode": "0755", "size": 3, "sha256": "ee", "target": null},
            {"path": "etc/old", "what": "deleted", "kind": "file", "overlays": ["01-first"],
             "owner": null, "mode": null, "size": null, "sha256": null, "target": null}
        ],
        "tools": {"mksquashfs": "4.5.1"}
    }"#;

    fn program() -> Bom {
        let component = Component::new(Kind::Application, "pkg:cargo/p@1", "p").version("1");
        let library = Component::new(Kind::Library, "pkg:cargo/l@2", "l").version("2");
        let needs = Dependency { of: "pkg:cargo/p@1".into(), depends_on: vec!["pkg:cargo/l@2".into()] };
        Bom::new(Metadata { component, properties: vec![] }, vec![library], vec![needs]).unwrap()
    }

    fn bill_of(manifest: &str) -> Bom {
        put_together(serde_json::from_str(manifest).unwrap(), program()).unwrap()
    }

    #[test]
    fn base_overlays_and_program_are_in_it_with_their_digests() {
        let bom = bill_of(MANIFEST);
        assert_eq!(bom.metadata.component.hashes[0].content, "dd");
        let names: Vec<_> = bom.components.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["U1_1.3.0.168_x_upgrade.bin", "01-first", "53-ours", "l", "p"]);
        let needs = bom.dependencies.iter().find(|needs| needs.of == "image").unwrap();
        assert_eq!(needs.depends_on, ["base", "overlay/01-first", "overlay/53-ours", "pkg:cargo/p@1"]);
        assert!(bom.dependencies.iter().any(|needs| needs.of == "pkg:cargo/p@1"));
    }

    #[test]
    fn a_file_stands_with_the_last_overlay_that_touched_it_and_deleted_ones_with_none() {
        let bom = bill_of(MANIFEST);
        let files = |name: &str| {
            let overlay = bom.components.iter().find(|part| part.name == name).unwrap();
            overlay.components.iter().map(|file| file.name.clone()).collect::<Vec<_>>()
        };
        assert!(files("01-first").is_empty());
        assert_eq!(files("53-ours"), ["/etc/init.d/S66octoapp"]);
    }

    #[test]
    fn another_base_is_another_document() {
        assert_ne!(
            bill_of(MANIFEST).serial_number,
            bill_of(&MANIFEST.replace("\"aa\"", "\"ab\"")).serial_number
        );
    }
}
