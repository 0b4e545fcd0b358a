//! What the slot of the root file system holds, and how much of it is whose.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::image::{Image, ROOTFS, Slot};
use crate::manifest::{Change, Manifest};
use crate::paint::{bytes, count};
use crate::rootfs::snapshot::{Kind, What, shown};
use crate::squashfs::tree::NodeId;
use crate::squashfs::{Filesystem, ReadError, Tree};

/// The slot before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Space {
    /// The smallest partition that takes the root; none where none has a limit.
    pub slot: Option<String>,
    /// Bytes it holds.
    pub limit: Option<u64>,
    /// Bytes of the base's root.
    pub before: u64,
    /// Bytes of the new root.
    pub after: u64,
    /// How the new root is shared out; none where octofw does not read it.
    pub attribution: Option<Attribution>,
}

/// Whose the bytes of a root file system are. They add up to its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// Bytes of files that come from the base.
    pub base: u64,
    /// What each overlay brought, in their order.
    pub overlays: Vec<Share>,
    /// Bytes of replaced or deleted files, which stay where they were.
    pub dead: u64,
    /// Superblock, tables and padding.
    pub tables: u64,
}

/// What an overlay brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The overlay's name.
    pub overlay: String,
    /// Files whose content is its.
    pub files: u64,
    /// Bytes of these as they are stored.
    pub bytes: u64,
}

impl Space {
    /// From the slots of the image and the sizes of the base's root and the new one.
    pub(super) fn new(
        slots: Vec<Slot>,
        (before, after): (u64, u64),
        attribution: Option<Attribution>,
    ) -> Self {
        let smallest = slots.into_iter().filter_map(|slot| Some((slot.limit?, slot.name))).min();
        let (limit, slot) = smallest.unzip();
        Self { slot, limit, before, after, attribution }
    }

    /// For people: how full the slot is, and a line for each overlay.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = super::text::slot(self).into_iter().collect();
        let Some(shares) = &self.attribution else { return lines };
        for share in &shares.overlays {
            let files = count(usize::try_from(share.files).unwrap_or(usize::MAX), "file", "files");
            lines.push(format!("{:>10}  {}, {files}", bytes(share.bytes), share.overlay));
        }
        if shares.dead > 0 {
            lines.push(format!("{:>10}  replaced or deleted, until all is packed anew", bytes(shares.dead)));
        }
        lines
    }

    /// Whether the new root does not fit its slot.
    #[must_use]
    pub fn overflows(&self) -> bool {
        self.limit.is_some_and(|limit| self.after > limit)
    }
}

/// The slot of a built image, where the manifest beside it tells what is whose; nothing where there is none, or that of
/// an image of another size. Whether it is that of this very image, its digest tells.
#[must_use]
pub fn beside(path: &Path) -> Option<Space> {
    let text = fs::read(Manifest::path_for(path)).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    let image = Image::read(path).ok()?;
    let size = image.span_of(ROOTFS).ok()?.len;
    if (manifest.result.size, manifest.rootfs.size) != (image.file_len(), size) {
        return None;
    }
    let attribution = of_image(&image, &manifest).ok()?;
    Some(Space::new(image.slots(ROOTFS), (manifest.rootfs.base_size, size), Some(attribution)))
}

/// How the root of a built image is shared out, by what its manifest says about it. With a manifest of another image
/// the figures mean nothing: compare its `result.sha256` first.
///
/// # Errors
/// When the root cannot be read.
pub fn of_image(image: &Image, manifest: &Manifest) -> Result<Attribution, ReadError> {
    let path = image.path().to_owned();
    let io = |source| ReadError::Io { path: path.clone(), source };
    let at = image.span_of(ROOTFS).map_err(|e| io(std::io::Error::other(e.to_string())))?;
    let filesystem = Filesystem::open_at(crate::container::SourceFile::open(&path).map_err(io)?, at)?;
    let tree = filesystem.tree()?;
    let names: Vec<&str> = manifest.overlays.iter().map(|overlay| overlay.name.as_str()).collect();
    Ok(shares(&filesystem, &tree, &names, &manifest.changes, 0))
}

/// How a root is shared out among overlays, by the changes that led to it. What is stored before the byte `kept` is the
/// base's own data.
pub(super) fn shares(
    filesystem: &Filesystem,
    tree: &Tree,
    overlays: &[&str],
    changes: &[Change],
    kept: u64,
) -> Attribution {
    let numbers: HashMap<&str, usize> = overlays.iter().enumerate().map(|(i, name)| (*name, i)).collect();
    let brought: HashMap<&str, usize> = changes
        .iter()
        .filter(|change| change.kind == Kind::File && matches!(change.what, What::Added | What::Replaced))
        .filter_map(|change| Some((change.path.as_str(), *numbers.get(change.overlays.last()?.as_str())?)))
        .collect();
    // A further name of a file of the base brings no content.
    let mut owner: BTreeMap<NodeId, Option<usize>> = BTreeMap::new();
    for (path, id) in tree.paths() {
        let here = brought.get(shown(&path).as_str()).copied();
        let known = owner.entry(id).or_insert(here);
        *known = known.zip(here).map(|(one, other)| one.min(other));
    }
    let owner: BTreeMap<NodeId, usize> =
        owner.into_iter().filter_map(|(id, owner)| Some((id, owner?))).collect();
    let shares = filesystem.shares(tree, &owner, overlays.len(), kept);
    let files = |number: usize| owner.values().filter(|owner| **owner == number).count() as u64;
    let overlays = overlays.iter().zip(&shares.owned).enumerate();
    Attribution {
        base: shares.rest,
        overlays: overlays
            .map(|(number, (name, bytes))| Share {
                overlay: (*name).to_owned(),
                files: files(number),
                bytes: *bytes,
            })
            .collect(),
        dead: shares.dead,
        tables: shares.tables,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, limit: Option<u64>) -> Slot {
        Slot { name: name.to_owned(), limit }
    }

    #[test]
    fn the_smallest_slot_counts_and_too_much_is_told() {
        let slots =
            || vec![slot("system_a", Some(3_000_000)), slot("system_b", Some(2_000_000)), slot("rest", None)];
        let fits = Space::new(slots(), (1_000_000, 2_000_000), None);
        assert!(!fits.overflows());
        assert_eq!(fits.lines(), ["the slot system_b holds 2.0 MB: 100.0 % full, 0 B free"]);
        let share = |name: &str, bytes| Share { overlay: name.into(), files: 1, bytes };
        let shares =
            Attribution { base: 1, overlays: vec![share("a", 7), share("b", 2_000_000)], dead: 5, tables: 1 };
        let too_large = Space::new(slots(), (1_000_000, 2_000_500), Some(shares));
        assert!(too_large.overflows());
        let expected = [
            "TOO LARGE: the slot system_b holds 2.0 MB, 500 B more are needed; leave overlays or files out",
            "       7 B  a, 1 file",
            "    2.0 MB  b, 1 file",
            "       5 B  replaced or deleted, until all is packed anew",
        ];
        assert_eq!(too_large.lines(), expected);
        let boundless = Space::new(vec![slot("rest", None)], (1, u64::MAX), None);
        assert!(!boundless.overflows() && boundless.lines().is_empty());
    }
}
