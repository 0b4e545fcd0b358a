//! The community's tree: which overlays a profile means, in which order, and which dialect the tree speaks.
//!
//! ```text
//! overlays/common/NN-name/            every profile
//! overlays/firmware-<profile>/NN-name/
//! overlays/devel/NN-name/             only for <profile>-devel: trees up to spring 2026
//! overlays/mods/<mod>/NN-name/        for <profile>-<mod>-<mod>…: trees since mid-2026
//! ```
//!
//! Not here: what is inside one overlay, and how it is applied.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::patches::PATCHES;
use super::root::ROOT;
use super::scripts::{PRE_SCRIPTS, SCRIPTS};
use super::{Order, is_skipped};

/// The folder of a tree that holds the overlays.
pub const OVERLAYS: &str = "overlays";
const COMMON: &str = "common";
const DEVEL: &str = "devel";
const MODS: &str = "mods";
const FIRMWARE: &str = "firmware-";
/// The folders in an overlay.
const PARTS: [&str; 4] = [PRE_SCRIPTS, PATCHES, ROOT, SCRIPTS];

/// Why a profile means no list of overlays.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// The folder is no tree of the community.
    #[error("{} is no firmware tree: there is no folder {OVERLAYS}/{FIRMWARE}NAME in it", path.display())]
    NoTree {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such firmware.
    #[error("the tree {} has no profile {name:?}; it has: {}", path.display(), known.join(", "))]
    NoProfile {
        /// The tree.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The profiles there are.
        known: Vec<String>,
    },
    /// There is no such mod.
    #[error(
        "the tree {} has no mod {name:?}; {}", path.display(),
        if known.is_empty() { "it has none".to_owned() } else { format!("it has: {}", known.join(", ")) }
    )]
    NoMod {
        /// The tree.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The mods there are.
        known: Vec<String>,
    },
    /// A folder that holds overlays has parts of one itself.
    #[error(
        "{} holds overlays, and is none itself: put its {part}/ into a folder in it, as 01-name/{part}/",
        path.display()
    )]
    NoOverlay {
        /// The folder.
        path: PathBuf,
        /// The part: `root`.
        part: String,
    },
    /// A folder cannot be read.
    #[error("cannot read {}", path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a profile of a tree means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The tree, an absolute path: scripts run in it.
    pub tree: PathBuf,
    /// The profile as scripts are told it: `extended`, `extended-devel`.
    pub profile: String,
    /// The overlay folders in the order in which they apply.
    pub overlays: Vec<PathBuf>,
    /// The order of the parts of an overlay that trees of this layout are written for.
    pub order: Order,
}

/// What there is to choose from in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    tree: PathBuf,
    /// Names of firmwares, each a profile.
    pub firmwares: Vec<String>,
    /// Names of mods; `devel` alone in a tree of the older layout.
    pub mods: Vec<String>,
    /// Whether mods are in `overlays/mods/`.
    newer: bool,
}

impl Layout {
    /// Looks at the tree in `tree`.
    ///
    /// # Errors
    /// When it is none or cannot be read.
    pub fn of(tree: &Path) -> Result<Self, LayoutError> {
        let none = || LayoutError::NoTree { path: tree.to_owned() };
        let tree = tree.canonicalize().map_err(|_| none())?;
        let folders = match folders(&tree.join(OVERLAYS)) {
            Err(LayoutError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(none());
            }
            folders => folders?,
        };
        let firmwares: Vec<String> =
            folders.iter().filter_map(|name| name.strip_prefix(FIRMWARE)).map(str::to_owned).collect();
        if firmwares.is_empty() {
            return Err(none());
        }
        let has = |name: &str| folders.iter().any(|folder| folder == name);
        let newer = has(MODS);
        let mods = if newer {
            self::folders(&tree.join(OVERLAYS).join(MODS))?
        } else if has(DEVEL) {
            vec![DEVEL.to_owned()]
        } else {
            Vec::new()
        };
        Ok(Self { tree, firmwares, mods, newer })
    }

    /// The order that trees of this layout are written for.
    #[must_use]
    pub fn order(&self) -> Order {
        if self.newer { Order::Current } else { Order::Classic }
    }

    /// The overlays of a profile, `FIRMWARE[-MOD]…`, and of further mods, each group sorted by name.
    ///
    /// # Errors
    /// When there is no such firmware or mod, or a folder cannot be read.
    pub fn select(&self, profile: &str, more: &[String]) -> Result<Selection, LayoutError> {
        let (firmware, mut mods) = self.parts(profile)?;
        for name in more {
            if !self.mods.contains(name) {
                return Err(self.no_mod(name));
            }
            mods.push(name.clone());
        }
        let all = self.tree.join(OVERLAYS);
        let mut groups = vec![all.join(COMMON), all.join(format!("{FIRMWARE}{firmware}"))];
        groups.extend(mods.iter().map(|name| match self.newer {
            true => all.join(MODS).join(name),
            false => all.join(name),
        }));
        let mut overlays = Vec::new();
        for group in groups {
            if group.is_dir() {
                let names = folders(&group)?;
                // Taken for an overlay, it would be one with nothing in it.
                if let Some(part) = names.iter().find(|name| PARTS.contains(&name.as_str())) {
                    return Err(LayoutError::NoOverlay { path: group, part: part.clone() });
                }
                overlays.extend(names.into_iter().map(|name| group.join(name)));
            }
        }
        let profile = std::iter::once(firmware).chain(mods).collect::<Vec<_>>().join("-");
        Ok(Selection { tree: self.tree.clone(), profile, overlays, order: self.order() })
    }

    /// Takes `extended-a-b` apart. A name may have hyphens itself, so the longest that exists counts.
    fn parts(&self, profile: &str) -> Result<(String, Vec<String>), LayoutError> {
        let Some((firmware, mut rest)) = longest(&self.firmwares, profile) else {
            return Err(LayoutError::NoProfile {
                path: self.tree.clone(),
                name: profile.to_owned(),
                known: self.firmwares.clone(),
            });
        };
        let mut mods = Vec::new();
        while let Some(text) = rest {
            let Some((name, after)) = longest(&self.mods, text) else {
                return Err(self.no_mod(text));
            };
            mods.push(name.to_owned());
            rest = after;
        }
        Ok((firmware.to_owned(), mods))
    }

    fn no_mod(&self, name: &str) -> LayoutError {
        LayoutError::NoMod { path: self.tree.clone(), name: name.to_owned(), known: self.mods.clone() }
    }
}

/// The longest of `names` that `text` begins with as a whole word, and what follows its hyphen.
fn longest<'a, 'b>(names: &'a [String], text: &'b str) -> Option<(&'a str, Option<&'b str>)> {
    names
        .iter()
        .filter_map(|name| {
            let rest = text.strip_prefix(name.as_str())?;
            if rest.is_empty() {
                Some((name.as_str(), None))
            } else {
                Some((name.as_str(), Some(rest.strip_prefix('-')?)))
            }
        })
        .max_by_key(|(name, _)| name.len())
}

/// The folders in a folder, in byte order of their names, as make's `wildcard` finds them.
fn folders(folder: &Path) -> Result<Vec<String>, LayoutError> {
    let system = |source| LayoutError::System { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(system)? {
        let entry = entry.map_err(system)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('.') && !is_skipped(&name) && entry.path().is_dir() {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(folders: &[&str]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(tree.path().join(OVERLAYS).join(folder)).unwrap();
        }
        tree
    }

    fn names(selection: &Selection) -> Vec<String> {
        let all = selection.tree.join(OVERLAYS);
        selection.overlays.iter().map(|path| path.strip_prefix(&all).unwrap().display().to_string()).collect()
    }

    const OLDER: [&str; 7] = [
        "common/99-x",
        "common/01-a",
        "common/.git",
        "firmware-extended/02-b",
        "firmware-plain/03-c",
        "devel/21-d",
        "staging/01-parked",
    ];
    const NEWER: [&str; 6] = [
        "common/01-a",
        "firmware-extended/02-b",
        "mods/devel/21-d",
        "mods/alice/05-y",
        "mods/alice/04-x",
        "mods/alice-b/01-z",
    ];

    /// Folders of a tree, a profile, further mods, the overlays that they mean, and the order.
    type Case<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a [&'a str], Order);

    #[test]
    fn a_profile_means_common_then_its_own_then_what_is_named() {
        let cases: [Case; 8] = [
            (
                &OLDER,
                "extended",
                &[],
                &["common/01-a", "common/99-x", "firmware-extended/02-b"],
                Order::Classic,
            ),
            (
                &OLDER,
                "extended-devel",
                &[],
                &["common/01-a", "common/99-x", "firmware-extended/02-b", "devel/21-d"],
                Order::Classic,
            ),
            (&OLDER, "plain", &[], &["common/01-a", "common/99-x", "firmware-plain/03-c"], Order::Classic),
            (&NEWER, "extended", &[], &["common/01-a", "firmware-extended/02-b"], Order::Current),
            (
                &NEWER,
                "extended-devel-alice",
                &[],
                &[
                    "common/01-a",
                    "firmware-extended/02-b",
                    "mods/devel/21-d",
                    "mods/alice/04-x",
                    "mods/alice/05-y",
                ],
                Order::Current,
            ),
            (
                &NEWER,
                "extended-alice-devel",
                &[],
                &[
                    "common/01-a",
                    "firmware-extended/02-b",
                    "mods/alice/04-x",
                    "mods/alice/05-y",
                    "mods/devel/21-d",
                ],
                Order::Current,
            ),
            (
                &NEWER,
                "extended-alice-b",
                &[],
                &["common/01-a", "firmware-extended/02-b", "mods/alice-b/01-z"],
                Order::Current,
            ),
            (
                &NEWER,
                "extended",
                &["devel"],
                &["common/01-a", "firmware-extended/02-b", "mods/devel/21-d"],
                Order::Current,
            ),
        ];
        for (folders, profile, more, expected, order) in cases {
            let tree = tree(folders);
            let more: Vec<String> = more.iter().map(|name| (*name).to_owned()).collect();
            let selection = Layout::of(tree.path()).unwrap().select(profile, &more).unwrap();
            assert_eq!(names(&selection), expected, "{profile}");
            assert_eq!(selection.order, order, "{profile}");
        }
    }

    #[test]
    fn the_profile_that_scripts_are_told_names_the_mods() {
        let tree = tree(&NEWER);
        let layout = Layout::of(tree.path()).unwrap();
        assert_eq!(
            layout.select("extended-alice", &["devel".into()]).unwrap().profile,
            "extended-alice-devel"
        );
        assert_eq!(
            (layout.firmwares, layout.mods),
            (vec!["extended".to_owned()], ["alice", "alice-b", "devel"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let older = tree(&OLDER);
        let newer = tree(&NEWER);
        let empty = tree(&["common/01-a"]);
        let cases: [(&Path, &str, &str); 6] = [
            (older.path(), "basic", "has no profile \"basic\"; it has: extended, plain"),
            (older.path(), "extended-alice", "has no mod \"alice\"; it has: devel"),
            (newer.path(), "extended-bob-devel", "has no mod \"bob-devel\"; it has: alice, alice-b, devel"),
            (newer.path(), "extendedalice", "has no profile \"extendedalice\""),
            (empty.path(), "extended", "is no firmware tree"),
            (Path::new("/nonexistent"), "extended", "is no firmware tree"),
        ];
        for (tree, profile, expected) in cases {
            let error =
                Layout::of(tree).and_then(|layout| layout.select(profile, &[])).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// Whoever makes a mod may believe that its folder is the overlay.
    #[test]
    fn parts_of_an_overlay_beside_overlays_are_no_empty_overlay() {
        for part in PARTS {
            let (of_mod, of_firmware) = (format!("mods/alice/{part}"), format!("firmware-extended/{part}/x"));
            for (folders, group) in [
                (["firmware-extended/01-a/root", of_mod.as_str()], "overlays/mods/alice"),
                (["mods/alice/01-a/root", of_firmware.as_str()], "overlays/firmware-extended"),
            ] {
                let tree = tree(&folders);
                let error = Layout::of(tree.path()).unwrap().select("extended-alice", &[]).unwrap_err();
                let expected = format!(
                    "{group} holds overlays, and is none itself: put its {part}/ into a folder in it, as 01-name/{part}/"
                );
                assert!(error.to_string().ends_with(&expected), "{error}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_profile_makes_it_panic(profile in "[a-z-]{0,20}") {
            let tree = tree(&NEWER);
            let _ = Layout::of(tree.path()).unwrap().select(&profile, &[]);
        }
    }
}
