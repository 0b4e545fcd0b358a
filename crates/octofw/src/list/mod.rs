//! `octofw list`: what overlays hold, in their order, without a base.

mod text;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Serialize;

use crate::overlay::patches::{self, PATCHES};
use crate::overlay::root::{self, ROOT};
use crate::overlay::scripts::{self, PRE_SCRIPTS, SCRIPTS};
use crate::overlay::{Order, Overlay, OverlayError, owners};
use crate::rootfs::snapshot::{Kind, shown};

/// The whole list. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct List {
    /// Version of this form.
    pub schema: u32,
    /// In which order the parts of an overlay are applied.
    pub order: Order,
    /// The profile that scripts are told.
    pub profile: Option<String>,
    /// The overlays, in the order in which they are applied.
    pub overlays: Vec<Listed>,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its folder, as it was given.
    pub folder: String,
    /// Scripts that run before a build, in their order.
    pub pre_scripts: Vec<Script>,
    /// Patches, in their order.
    pub patches: Vec<Patch>,
    /// Scripts that work on the root, in their order.
    pub scripts: Vec<Script>,
    /// Everything below `root/`, in byte order.
    pub root: Vec<Item>,
    /// Lines of its table of owners.
    pub owners: usize,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// Relative to the overlay.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Relative to the overlay.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The paths that it changes, from the root on.
    pub changes: Vec<String>,
}

/// Something below `root/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The path, from the root of the printer on.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whether a file has its owner's run bit, which decides about its mode where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<bool>,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl List {
    /// What these overlays hold.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(overlays: &[Overlay], order: Order, profile: Option<String>) -> Result<Self, OverlayError> {
        let overlays = overlays.iter().map(Listed::of).collect::<Result<_, _>>()?;
        Ok(Self { schema: 1, order, profile, overlays })
    }
}

impl Listed {
    fn of(overlay: &Overlay) -> Result<Self, OverlayError> {
        Ok(Self {
            name: overlay.name.clone(),
            folder: overlay.folder.display().to_string(),
            pre_scripts: scripts(overlay, PRE_SCRIPTS)?,
            patches: patches(overlay)?,
            scripts: scripts(overlay, SCRIPTS)?,
            root: items(overlay)?,
            owners: owners::read(overlay)?.len(),
        })
    }

    /// How many of a kind there are below `root/`.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.root.iter().filter(|item| item.kind == kind).count()
    }

    /// Bytes of all files below `root/`.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.root.iter().filter_map(|item| item.size).sum()
    }
}

fn size(overlay: &Overlay, path: &Path) -> Result<u64, OverlayError> {
    // A script may be a link to one: what runs counts.
    fs::metadata(overlay.folder.join(path))
        .map(|metadata| metadata.len())
        .map_err(|e| overlay.system(path, e))
}

fn scripts(overlay: &Overlay, folder: &str) -> Result<Vec<Script>, OverlayError> {
    let names = scripts::find(overlay, folder)?;
    let script = |name: String| {
        let path = Path::new(folder).join(name);
        Ok(Script { size: size(overlay, &path)?, path: path.display().to_string() })
    };
    names.into_iter().map(script).collect()
}

fn patches(overlay: &Overlay) -> Result<Vec<Patch>, OverlayError> {
    let mut list = Vec::new();
    for (patch, targets) in patches::named(overlay)? {
        let path = Path::new(PATCHES).join(patch);
        let mut changes: Vec<String> = targets.iter().map(|path| format!("/{}", of_path(path))).collect();
        changes.sort();
        changes.dedup();
        list.push(Patch { size: size(overlay, &path)?, path: path.display().to_string(), changes });
    }
    Ok(list)
}

/// A path as text, in which nothing can reach for the terminal.
fn of_path(path: &Path) -> String {
    shown(path.as_os_str().as_bytes())
}

fn items(overlay: &Overlay) -> Result<Vec<Item>, OverlayError> {
    let mut items = Vec::new();
    for path in root::paths(overlay)? {
        let within = Path::new(ROOT).join(&path);
        let place = overlay.folder.join(&within);
        let system = |e| overlay.system(&within, e);
        let metadata = fs::symlink_metadata(&place).map_err(system)?;
        let mut item = Item {
            path: format!("/{}", path.display()),
            kind: Kind::File,
            size: None,
            runs: None,
            target: None,
        };
        if metadata.is_dir() {
            item.kind = Kind::Directory;
        } else if metadata.is_symlink() {
            item.kind = Kind::Link;
            item.target = Some(of_path(&fs::read_link(&place).map_err(system)?));
        } else {
            item.size = Some(metadata.len());
            item.runs = Some(metadata.permissions().mode() & 0o100 != 0);
        }
        items.push(item);
    }
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}
