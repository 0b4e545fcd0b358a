//! The manifest beside an image: what it was made from, by which tools, and what that changed.
//!
//! Deterministic: no time of day, no path of the build machine, everything sorted. Equal inputs and equal tools give
//! equal bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::overlay::Order;
use crate::rootfs::snapshot::{Entry, Kind, What, shown};

/// The version of the manifest's form.
pub const SCHEMA: u32 = 1;

/// Everything about one built image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What it was built on.
    pub base: Base,
    /// The overlays, in the order in which they were applied.
    pub overlays: Vec<AppliedOverlay>,
    /// In which order the parts of an overlay were applied.
    pub order: Order,
    /// The profile that scripts were told, where one was given.
    pub profile: Option<String>,
    /// Time of packing, and of everything that changed, in seconds since 1970.
    pub source_date_epoch: u32,
    /// What came out.
    pub result: Built,
    /// The root file system.
    pub rootfs: Root,
    /// Every path of the root that differs from the base, in byte order.
    pub changes: Vec<Change>,
    /// What the builder of the image should know.
    pub notes: Vec<String>,
    /// The tools, by name, with the version that each reports.
    pub tools: BTreeMap<String, String>,
}

/// The base image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its file name, without folder.
    pub file: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Its version text; a bare `update.img` has none.
    pub version: Option<String>,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedOverlay {
    /// The name that [`Change::overlays`] uses.
    pub name: String,
    /// One digest over its folder, see [`crate::overlay::tree_hash`].
    pub tree_sha256: String,
}

/// The image that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its version text, where the base has one.
    pub version: Option<String>,
}

/// The root file system inside the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// SHA-256 of the squashfs, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Size of the base's squashfs in bytes.
    pub base_size: u64,
    /// Size of the smallest slot it is written to, in bytes.
    pub slot_size: Option<u64>,
    /// How full that slot is, in thousandths, rounded up.
    pub slot_fill_permille: Option<u64>,
    /// The compressor, as `mksquashfs` calls it.
    pub compressor: String,
    /// Size of a data block in bytes.
    pub block_size: u32,
    /// How it was packed. A manifest that does not say is from before there was a choice.
    #[serde(default)]
    pub packed: Packed,
    /// Bytes of data that no file needs any more, because the data of the base was kept where it is.
    #[serde(default)]
    pub dead_bytes: u64,
    /// Figures of the base's root.
    pub base: Counts,
    /// Figures of the new root.
    pub result: Counts,
}

/// How a root file system came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packed {
    /// Out of the base's data, with what is new behind it.
    Spliced,
    /// As a whole, by mksquashfs.
    #[default]
    Repacked,
}

/// What a root consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Names of every kind, the root itself included.
    pub paths: u64,
    /// Different inodes.
    pub inodes: u64,
    /// Further names of an inode that has one already.
    pub hard_links: u64,
    /// Device nodes.
    pub devices: u64,
}

/// One path of the root that differs from the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path, relative to the root; what is no plain text is escaped.
    pub path: String,
    /// What happened to it.
    pub what: What,
    /// What it is now, or was before it was deleted.
    pub kind: Kind,
    /// The overlays that touched it, in their order.
    pub overlays: Vec<String>,
    /// `uid:gid` now; nothing for what was deleted, as for the fields below.
    pub owner: Option<String>,
    /// Mode now, in octal.
    pub mode: Option<String>,
    /// Size of a file in bytes.
    pub size: Option<u64>,
    /// SHA-256 of a file that was added or replaced, in hex.
    pub sha256: Option<String>,
    /// Where a link points.
    pub target: Option<String>,
}

impl Change {
    /// A change from the entry that is there now, or was before it was deleted.
    pub fn new(
        path: String,
        what: What,
        overlays: Vec<String>,
        entry: &Entry,
        sha256: Option<String>,
    ) -> Self {
        let there = what != What::Deleted;
        Self {
            path,
            what,
            kind: entry.kind,
            overlays,
            owner: there.then(|| format!("{}:{}", entry.uid, entry.gid)),
            mode: there.then(|| format!("{:04o}", entry.mode)),
            size: (there && entry.kind == Kind::File).then_some(entry.size),
            sha256,
            target: entry.target.as_deref().filter(|_| there).map(shown),
        }
    }
}

impl Manifest {
    /// The text of the file: indented JSON with a line end.
    ///
    /// # Errors
    /// Never in practice; serde's signature asks for it.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Where the manifest of an image is: `firmware.bin` has `firmware.manifest.json`.
    pub fn path_for(image: &Path) -> PathBuf {
        image.with_extension("manifest.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_lies_beside_the_image() {
        let cases = [
            ("dist/firmware.bin", "dist/firmware.manifest.json"),
            ("U1_1.3.0_x_upgrade.bin", "U1_1.3.0_x_upgrade.manifest.json"),
            ("image", "image.manifest.json"),
        ];
        for (image, manifest) in cases {
            assert_eq!(Manifest::path_for(Path::new(image)), Path::new(manifest));
        }
    }

    #[test]
    fn what_was_deleted_has_no_present() {
        let entry = Entry {
            kind: Kind::Link,
            mode: 0o777,
            uid: 0,
            gid: 0,
            size: 1,
            modified: (0, 0),
            changed: (0, 0),
            rewritten: false,
            inode: (0, 0),
            device: (0, 0),
            target: Some(b"x".to_vec()),
        };
        let deleted = Change::new("l".into(), What::Deleted, vec!["a".into()], &entry, None);
        assert_eq!((deleted.owner, deleted.mode, deleted.target), (None, None, None));
        let added = Change::new("l".into(), What::Added, vec!["a".into()], &entry, None);
        assert_eq!(
            (added.owner.as_deref(), added.mode.as_deref(), added.target.as_deref()),
            (Some("0:0"), Some("0777"), Some("x"))
        );
    }
}
