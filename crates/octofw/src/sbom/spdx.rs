//! SPDX 2.3 in JSON, out of the model. Components become packages, what an overlay brings becomes files.
//!
//! `CONTAINS` goes from the image to its parts and from an overlay to its files, `DEPENDS_ON` from a program to its
//! crates, `BUILD_TOOL_OF` from a tool to the image.

use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::bom::{Bom, Component, Kind};
use super::content::TOOL;
use crate::digest::hex;

const UNKNOWN: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

/// A document. Its fields are the specification's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
    relationships: Vec<Relationship>,
}

#[derive(Debug, Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    primary_package_purpose: &'static str,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_verification_code: Option<VerificationCode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationCode {
    package_verification_code_value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "SPDXID")]
    id: String,
    file_name: String,
    checksums: Vec<Checksum>,
    license_concluded: &'static str,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

impl Document {
    /// The same bill in the words of SPDX.
    #[must_use]
    pub fn of(bom: &Bom) -> Self {
        let subject = &bom.metadata.component;
        let mut document = Self {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: DOCUMENT,
            name: subject
                .version
                .as_ref()
                .map_or_else(|| subject.name.clone(), |version| format!("{} {version}", subject.name)),
            document_namespace: bom.serial_number.clone(),
            creation_info: CreationInfo {
                created: bom.metadata.timestamp.clone(),
                creators: vec![concat!("Tool: octofw-", env!("CARGO_PKG_VERSION")).to_owned()],
            },
            packages: Vec::new(),
            files: Vec::new(),
            relationships: Vec::new(),
        };
        document.relate(DOCUMENT.to_owned(), "DESCRIBES", id(&subject.bom_ref));
        document.add(subject);
        for component in &bom.components {
            document.add(component);
        }
        for needs in &bom.dependencies {
            // An image needs its parts as a box needs what is in it.
            let is_image = needs.of == subject.bom_ref && subject.kind == Kind::Firmware;
            let how = if is_image { "CONTAINS" } else { "DEPENDS_ON" };
            for other in &needs.depends_on {
                document.relate(id(&needs.of), how, id(other));
            }
        }
        for property in &bom.metadata.properties {
            if let Some(name) = property.name.strip_prefix(TOOL) {
                let tool = Component::new(Kind::Application, &property.name, name).version(&property.value);
                document.add(&tool);
                document.relate(id(&tool.bom_ref), "BUILD_TOOL_OF", id(&subject.bom_ref));
            }
        }
        document.packages.sort_by(|one, other| one.id.cmp(&other.id));
        document.files.sort_by(|one, other| one.id.cmp(&other.id));
        document.relationships.sort();
        document.relationships.dedup();
        document
    }

    /// The document as text, ending with a line end.
    ///
    /// # Errors
    /// Never in practice; the serialiser's signature asks for it.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn add(&mut self, component: &Component) {
        for file in component.components.iter().filter(|part| part.kind == Kind::File) {
            self.relate(id(&component.bom_ref), "CONTAINS", id(&file.bom_ref));
            self.files.push(File {
                id: id(&file.bom_ref),
                // Relative to the package, as the specification wants it.
                file_name: format!(".{}", file.name),
                checksums: checksums(file),
                license_concluded: UNKNOWN,
                copyright_text: UNKNOWN,
                comment: comment(file),
            });
        }
        let declared = component.licenses.first().map(|license| license.expression.clone());
        let code = verification_code(component);
        self.packages.push(Package {
            id: id(&component.bom_ref),
            name: component.name.clone(),
            version_info: component.version.clone(),
            primary_package_purpose: match component.kind {
                Kind::Application => "APPLICATION",
                Kind::File => "FILE",
                Kind::Firmware => "FIRMWARE",
                Kind::Library => "LIBRARY",
                Kind::Data => "ARCHIVE",
            },
            download_location: UNKNOWN,
            files_analyzed: code.is_some(),
            package_verification_code: code,
            checksums: checksums(component),
            license_concluded: UNKNOWN,
            license_declared: declared.unwrap_or_else(|| UNKNOWN.to_owned()),
            copyright_text: UNKNOWN,
            comment: comment(component),
            external_refs: component.purl.as_deref().map(purl).into_iter().collect(),
        });
    }

    fn relate(&mut self, one: String, how: &'static str, other: String) {
        let relationship =
            Relationship { spdx_element_id: one, relationship_type: how, related_spdx_element: other };
        self.relationships.push(relationship);
    }
}

fn purl(purl: &str) -> ExternalRef {
    ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator: purl.to_owned(),
    }
}

/// An identifier: letters, digits, dots and dashes only, so that a digest keeps apart what looks alike then.
fn id(reference: &str) -> String {
    let readable: String =
        reference.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let digest = hex(&Sha256::digest(reference));
    format!("SPDXRef-{}-{}", readable.trim_matches('-'), digest.get(..8).unwrap_or_default())
}

fn checksums(component: &Component) -> Vec<Checksum> {
    let known = [("SHA-1", "SHA1"), ("SHA-256", "SHA256")];
    let found = known.into_iter().filter_map(|(theirs, ours)| {
        let value = component.hash(theirs)?;
        Some(Checksum { algorithm: ours, checksum_value: value.to_owned() })
    });
    found.collect()
}

/// The properties of the model, for which SPDX has no fields.
fn comment(component: &Component) -> Option<String> {
    let lines: Vec<String> =
        component.properties.iter().map(|property| format!("{}={}", property.name, property.value)).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// SHA-1 over the sorted SHA-1s of a package's files (specification, 7.9); none where there are no files.
fn verification_code(component: &Component) -> Option<VerificationCode> {
    let files = component.components.iter().filter(|part| part.kind == Kind::File);
    let mut digests: Vec<&str> = files.filter_map(|file| file.hash("SHA-1")).collect();
    digests.sort_unstable();
    let value = hex(&Sha1::digest(digests.concat()));
    (!digests.is_empty()).then_some(VerificationCode { package_verification_code_value: value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbom::bom::{Dependency, Metadata, Property};
    use serde_json::Value;

    fn document() -> Value {
        let image = Component::new(Kind::Firmware, "image", "firmware").version("1").sha256("aa");
        let mut overlay = Component::new(Kind::Data, "overlay/a", "a");
        for (path, sha1) in [("/etc/y", "bb"), ("/etc/x", "aa")] {
            let file = Component::new(Kind::File, format!("overlay/a{path}"), path).sha1(sha1).sha256("ff");
            overlay.components.push(file.property("octofw:mode", "0644"));
        }
        let program = Component::new(Kind::Application, "pkg:cargo/p@1", "p");
        let mut library = Component::new(Kind::Library, "pkg:cargo/l@1", "l");
        library.purl = Some("pkg:cargo/l@1".into());
        let needs = |of: &str, what: &[&str]| Dependency {
            of: of.into(),
            depends_on: what.iter().map(ToString::to_string).collect(),
        };
        let tool = Property { name: "octofw:tool:rustc".into(), value: "1.95".into() };
        let bom = Bom::new(
            Metadata::new(image, 1_767_225_600, vec![tool]),
            vec![overlay, program, library],
            vec![needs("image", &["overlay/a", "pkg:cargo/p@1"]), needs("pkg:cargo/p@1", &["pkg:cargo/l@1"])],
        );
        serde_json::from_str(&Document::of(&bom.unwrap()).to_text().unwrap()).unwrap()
    }

    #[test]
    fn relations_say_what_is_in_what() {
        let document = document();
        let names: std::collections::BTreeMap<&str, &str> = document["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| (package["SPDXID"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .chain(
                document["files"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|file| (file["SPDXID"].as_str().unwrap(), file["fileName"].as_str().unwrap())),
            )
            .chain([(DOCUMENT, "document")])
            .collect();
        let mut found: Vec<String> = document["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let name = |field: &str| names[one[field].as_str().unwrap()];
                let how = one["relationshipType"].as_str().unwrap();
                format!("{} {how} {}", name("spdxElementId"), name("relatedSpdxElement"))
            })
            .collect();
        found.sort();
        let expected = [
            "a CONTAINS ./etc/x",
            "a CONTAINS ./etc/y",
            "document DESCRIBES firmware",
            "firmware CONTAINS a",
            "firmware CONTAINS p",
            "p DEPENDS_ON l",
            "rustc BUILD_TOOL_OF firmware",
        ];
        assert_eq!(found, expected);
    }

    /// The value is that of `printf aabb | sha1sum`.
    #[test]
    fn a_package_with_files_has_a_code_over_them_and_others_have_none() {
        let document = document();
        let codes: Vec<_> = document["packages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|package| package["filesAnalyzed"] == true)
            .map(|package| {
                (&package["name"], &package["packageVerificationCode"]["packageVerificationCodeValue"])
            })
            .collect();
        assert_eq!(codes.len(), 1);
        assert_eq!(
            (codes[0].0, codes[0].1),
            (&"a".into(), &"28cc5fd736aee0939ede3330c2867b31e82d9656".into())
        );
        assert_eq!(document["creationInfo"]["created"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn what_looks_alike_has_identifiers_of_its_own() {
        assert_ne!(id("a/b"), id("a-b"));
        assert!(id("overlay/ä:1@2").chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)));
    }
}
