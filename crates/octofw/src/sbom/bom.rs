//! The model of a bill of materials. Written as it is, it is CycloneDX 1.5 (specification ECMA-424; schema
//! `bom-1.5.schema.json`); [`super::spdx`] writes the same as SPDX.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar;
use crate::digest::hex;

/// A whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    /// Where the schema is published.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// Always `CycloneDX`.
    pub bom_format: String,
    /// Version of the specification.
    pub spec_version: String,
    /// `urn:uuid:` and an identifier that follows from the content.
    pub serial_number: String,
    /// Version of this document; always 1, as another content has another serial number.
    pub version: u32,
    /// What the document is about.
    pub metadata: Metadata,
    /// What that consists of, by reference.
    pub components: Vec<Component>,
    /// Who needs whom, by reference.
    pub dependencies: Vec<Dependency>,
}

/// What a document is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The time of the sources, not of day, as ISO 8601 has it.
    pub timestamp: String,
    /// The subject.
    pub component: Component,
    /// Facts about how it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// What kind of thing a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A program.
    Application,
    /// One file.
    File,
    /// An image for a device.
    Firmware,
    /// A library.
    Library,
    /// Anything else, such as an overlay.
    Data,
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its reference within the document.
    pub bom_ref: String,
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Hash>,
    /// Its licence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<License>,
    /// Its package URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// What it contains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// A digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hash {
    /// The algorithm, as the specification spells it.
    pub alg: String,
    /// The digest in lower-case hex.
    pub content: String,
}

/// A licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// An SPDX expression.
    pub expression: String,
}

/// A named fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Who needs whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Reference of the one that needs.
    #[serde(rename = "ref")]
    pub of: String,
    /// References of what it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

impl Metadata {
    /// About a subject, made from sources of a time in seconds since 1970.
    #[must_use]
    pub fn new(component: Component, epoch: u32, properties: Vec<Property>) -> Self {
        Self { timestamp: calendar::iso(epoch), component, properties }
    }
}

impl Component {
    /// A component that has only a kind, a reference and a name.
    #[must_use]
    pub fn new(kind: Kind, bom_ref: impl Into<String>, name: impl Into<String>) -> Component {
        Component {
            kind,
            bom_ref: bom_ref.into(),
            name: name.into(),
            version: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
            purl: None,
            components: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// Adds a SHA-256.
    #[must_use]
    pub fn sha256(mut self, digest: impl Into<String>) -> Component {
        self.hashes.push(Hash { alg: "SHA-256".to_owned(), content: digest.into() });
        self
    }

    /// Adds a SHA-1, which SPDX asks for of every file.
    #[must_use]
    pub fn sha1(mut self, digest: impl Into<String>) -> Component {
        self.hashes.push(Hash { alg: "SHA-1".to_owned(), content: digest.into() });
        self
    }

    /// The value of a digest.
    #[must_use]
    pub fn hash(&self, alg: &str) -> Option<&str> {
        self.hashes.iter().find(|hash| hash.alg == alg).map(|hash| hash.content.as_str())
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Component {
        self.version = Some(version.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<String>) -> Component {
        self.properties.push(Property { name: name.to_owned(), value: value.into() });
        self
    }
}

impl Bom {
    /// A document whose serial number follows from all the rest.
    ///
    /// # Errors
    /// Never in practice; the serialiser's signature asks for it.
    pub fn new(
        metadata: Metadata,
        mut components: Vec<Component>,
        mut dependencies: Vec<Dependency>,
    ) -> Result<Bom, serde_json::Error> {
        components.sort_by(|one, other| one.bom_ref.cmp(&other.bom_ref));
        dependencies.sort_by(|one, other| one.of.cmp(&other.of));
        let mut bom = Bom {
            schema: "http://cyclonedx.org/schema/bom-1.5.schema.json".to_owned(),
            bom_format: "CycloneDX".to_owned(),
            spec_version: "1.5".to_owned(),
            serial_number: String::new(),
            version: 1,
            metadata,
            components,
            dependencies,
        };
        bom.serial_number = serial(&serde_json::to_vec(&bom)?);
        Ok(bom)
    }

    /// The document as text, ending with a line end.
    ///
    /// # Errors
    /// Never in practice; the serialiser's signature asks for it.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// A UUID of the kind whose content is free (version 8, RFC 9562), from a digest of a content.
fn serial(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let mut bytes: Vec<u8> = digest.iter().copied().take(16).collect();
    for (at, keep, set) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *byte & keep | set;
        }
    }
    let text = hex(&bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bom(name: &str) -> Bom {
        let component = Component::new(Kind::Application, "a", name).version("1").sha256("00");
        let metadata = Metadata::new(component, 0, vec![]);
        let parts = ["c", "b"].map(|name| Component::new(Kind::Library, name, name)).to_vec();
        Bom::new(metadata, parts, vec![]).unwrap()
    }

    #[test]
    fn the_serial_number_follows_from_the_content() {
        assert_eq!(bom("x"), bom("x"));
        assert_ne!(bom("x").serial_number, bom("y").serial_number);
        // The schema's pattern, with version and variant of RFC 9562.
        let serial = bom("x").serial_number;
        let uuid = serial.strip_prefix("urn:uuid:").unwrap();
        let groups: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert!(
            uuid.chars().all(|digit| digit == '-' || digit.is_ascii_digit() || ('a'..='f').contains(&digit))
        );
        assert_eq!(&uuid[14..15], "8");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn the_text_has_the_specification_s_names_and_is_sorted() {
        let text = bom("x").to_text().unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["bomFormat"], "CycloneDX");
        assert_eq!(json["specVersion"], "1.5");
        assert_eq!(json["metadata"]["component"]["bom-ref"], "a");
        assert_eq!(json["metadata"]["component"]["hashes"][0]["alg"], "SHA-256");
        assert_eq!(json["components"][0]["name"], "b");
        assert_eq!(serde_json::from_str::<Bom>(&text).unwrap(), bom("x"));
    }
}
