//! Puts together what an image is made of. Where that is known from is the matter of its callers.

use std::collections::BTreeSet;

use super::bom::{Bom, Component, Dependency, Kind, Metadata, Property};
use crate::manifest::Base;

/// An overlay with the files that it brings.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) tree_sha256: String,
    pub(super) files: Vec<Piece>,
}

/// A file in the root.
pub(super) struct Piece {
    /// Absolute.
    pub(super) path: String,
    pub(super) sha256: String,
    pub(super) sha1: String,
    pub(super) mode: Option<String>,
    pub(super) owner: Option<String>,
}

/// All of it.
pub(super) struct Contents {
    /// The image: its name, and version and digest where they are known.
    pub(super) image: Component,
    pub(super) base: Base,
    pub(super) overlays: Vec<Part>,
    /// Packages of the root.
    pub(super) packages: Vec<Component>,
    /// Bills of the programs in it.
    pub(super) programs: Vec<Bom>,
    /// Name and version.
    pub(super) tools: Vec<(String, String)>,
    /// Time of the sources in seconds since 1970.
    pub(super) epoch: u32,
}

impl Contents {
    pub(super) fn bill(self) -> Result<Bom, serde_json::Error> {
        let base = Component::new(Kind::Firmware, "base", &self.base.file).sha256(&self.base.sha256);
        let base = versioned(base, self.base.version.as_ref()).property("octofw:contents", "not analysed");
        let mut components = vec![base];
        components.extend(self.overlays.into_iter().map(overlay));
        components.extend(self.packages);
        let mut contained: Vec<String> =
            components.iter().map(|component| component.bom_ref.clone()).collect();

        let mut dependencies = Vec::new();
        // Two programs may be linked with one crate.
        let mut known = BTreeSet::new();
        for program in self.programs {
            contained.push(program.metadata.component.bom_ref.clone());
            let parts = std::iter::once(program.metadata.component).chain(program.components);
            components.extend(parts.filter(|part| known.insert(part.bom_ref.clone())));
            for needs in program.dependencies {
                if !dependencies.iter().any(|known: &Dependency| known.of == needs.of) {
                    dependencies.push(needs);
                }
            }
        }
        contained.dedup();
        dependencies.push(Dependency { of: self.image.bom_ref.clone(), depends_on: contained });
        let tools = self
            .tools
            .into_iter()
            .map(|(name, version)| Property { name: format!("{TOOL}{name}"), value: version });
        Bom::new(Metadata::new(self.image, self.epoch, tools.collect()), components, dependencies)
    }
}

/// How the name of a property begins that has the version of a tool which the image was built with.
pub(super) const TOOL: &str = "octofw:tool:";

pub(super) fn versioned(component: Component, version: Option<&String>) -> Component {
    match version {
        Some(version) => component.version(version),
        None => component,
    }
}

fn overlay(part: Part) -> Component {
    let reference = format!("overlay/{}", part.name);
    let mut component =
        Component::new(Kind::Data, &reference, part.name).property("octofw:tree-sha256", part.tree_sha256);
    let files = part.files.into_iter().map(|piece| {
        let mut file = Component::new(Kind::File, format!("{reference}{}", piece.path), &piece.path)
            .sha1(piece.sha1)
            .sha256(piece.sha256);
        for (name, value) in [("octofw:mode", piece.mode), ("octofw:owner", piece.owner)] {
            if let Some(value) = value {
                file = file.property(name, value);
            }
        }
        file
    });
    component.components = files.collect();
    component
}
