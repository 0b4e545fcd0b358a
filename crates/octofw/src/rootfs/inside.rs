//! Paths inside the unpacked root: no link in it leads out of it.
//!
//! An absolute link is taken relative to the tree's root and `..` at the root stays there, as for a process that runs on
//! the printer. Every path that is written is first resolved here, so that the build machine's own files are out of
//! reach whatever the links say.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before a chain counts as a loop, as in Linux.
const MOST_LINKS: usize = 40;

/// Where something else is mounted on the running printer: what lies there in the root is never seen, and a link to it
/// is true only at run time (`reference` of the printer's storage: overlay upper in `/oem`, state in `/userdata`).
const MOUNTED: [&str; 8] = ["dev", "proc", "sys", "run", "tmp", "oem", "userdata", "home/lava/printer_data"];

/// Places where links of an overlay may point although they are absolute.
const LINK_TARGETS: [&str; 10] =
    ["dev", "proc", "sys", "run", "tmp", "oem", "userdata", "home/lava/printer_data", "var", "mnt"];

/// The tree of an unpacked root.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

/// What a link leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Leads {
    /// To something that exists: its path without any link in it.
    To(PathBuf),
    /// To nothing: the first path that does not exist.
    Nowhere(PathBuf),
    /// In circles.
    Round,
}

impl Tree {
    /// The tree at `root`, a directory of the build machine.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory on the build machine.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The place of `path` on the build machine. The caller answers for its parents being real directories.
    pub fn place(&self, path: &Path) -> PathBuf {
        if path.as_os_str().is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// What is at `path` itself, no link followed.
    ///
    /// # Errors
    /// When the system refuses to look.
    pub fn look(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(self.place(path)) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Follows every link of `path`, the last component's too, inside the tree.
    ///
    /// # Errors
    /// When the system refuses to look.
    pub fn follow(&self, path: &Path) -> io::Result<Leads> {
        let mut todo = components(path);
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(next) = todo.pop_front() {
            if next.as_bytes() == b".." {
                done.pop();
                continue;
            }
            let here = done.join(&next);
            let Some(found) = self.look(&here)? else { return Ok(Leads::Nowhere(here)) };
            if !found.file_type().is_symlink() {
                if !found.is_dir() && !todo.is_empty() {
                    return Ok(Leads::Nowhere(here));
                }
                done = here;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Ok(Leads::Round);
            }
            let target = fs::read_link(self.place(&here))?;
            if target.is_absolute() {
                done = PathBuf::new();
            }
            for part in components(&target).into_iter().rev() {
                todo.push_front(part);
            }
        }
        Ok(Leads::To(done))
    }

    /// As [`Tree::follow`] for something that may be about to be made: what does not exist is taken as named.
    ///
    /// # Errors
    /// When the system refuses to look.
    pub fn reach(&self, path: &Path) -> io::Result<Leads> {
        let mut todo = components(path);
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(next) = todo.pop_front() {
            if next.as_bytes() == b".." {
                done.pop();
                continue;
            }
            let here = done.join(&next);
            match self.look(&here)? {
                Some(found) if found.file_type().is_symlink() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Ok(Leads::Round);
                    }
                    let target = fs::read_link(self.place(&here))?;
                    if target.is_absolute() {
                        done = PathBuf::new();
                    }
                    for part in components(&target).into_iter().rev() {
                        todo.push_front(part);
                    }
                }
                Some(found) if !found.is_dir() && !todo.is_empty() => return Ok(Leads::Nowhere(here)),
                _ => done = here,
            }
        }
        Ok(Leads::To(done))
    }

    /// The first directory above `path` that is a link, if any is.
    ///
    /// # Errors
    /// When the system refuses to look.
    pub fn link_above(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let mut here = PathBuf::new();
        for part in path.parent().into_iter().flat_map(Path::components) {
            here.push(part);
            if self.look(&here)?.is_some_and(|m| m.file_type().is_symlink()) {
                return Ok(Some(here));
            }
        }
        Ok(None)
    }
}

/// The place of [`MOUNTED`] that `path` (relative to the root) lies below, not the place itself.
pub fn mounted_above(path: &Path) -> Option<&'static str> {
    MOUNTED.into_iter().find(|place| path.starts_with(place) && path != Path::new(place))
}

/// Whether a link at `link` (relative to the root) with this target is right on the printer whatever the root holds:
/// relative and inside the root, or into a place that exists at run time.
pub fn link_stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = PathBuf::new();
    if !target.is_absolute() {
        depth = link.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    let mut climbed = target.is_absolute();
    for part in target.components() {
        match part {
            Component::ParentDir => climbed |= !depth.pop(),
            Component::Normal(name) => depth.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    !climbed || LINK_TARGETS.iter().any(|place| depth.starts_with(place))
}

/// The parts of a path, `..` included.
pub(super) fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("usr/bin/tool"), "x").unwrap();
        fs::write(folder.path().join("outside"), "x").unwrap();
        for (link, target) in [
            ("bin", "usr/bin"),
            ("absolute", "/usr/bin/tool"),
            ("climbs", "../../../../../usr/bin/tool"),
            ("out", "../outside"),
            ("a", "b"),
            ("b", "a"),
            ("dangling", "/oem/printer_data"),
            ("through", "usr/bin/tool/x"),
            ("etc/up", "../usr/./bin/../bin/tool"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        (folder, Tree::at(root))
    }

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        let (_folder, tree) = tree();
        let cases = [
            ("usr/bin/tool", Leads::To("usr/bin/tool".into())),
            ("bin/tool", Leads::To("usr/bin/tool".into())),
            ("bin", Leads::To("usr/bin".into())),
            ("absolute", Leads::To("usr/bin/tool".into())),
            ("climbs", Leads::To("usr/bin/tool".into())),
            ("etc/up", Leads::To("usr/bin/tool".into())),
            ("out", Leads::Nowhere("outside".into())),
            ("a", Leads::Round),
            ("dangling", Leads::Nowhere("oem".into())),
            ("through", Leads::Nowhere("usr/bin/tool".into())),
            ("nothing/there", Leads::Nowhere("nothing".into())),
            ("", Leads::To("".into())),
        ];
        for (path, expected) in cases {
            assert_eq!(tree.follow(Path::new(path)).unwrap(), expected, "{path}");
        }
        assert_eq!(tree.link_above(Path::new("bin/tool")).unwrap(), Some("bin".into()));
        assert_eq!(tree.link_above(Path::new("usr/bin/tool")).unwrap(), None);
    }

    #[test]
    fn overlay_links_stay_inside_or_point_to_run_time_places() {
        let cases = [
            ("etc/x", "y", true),
            ("etc/x", "../usr/bin/tool", true),
            ("etc/x", "../../usr", false),
            ("x", "..", false),
            ("etc/x", "/usr/bin/tool", false),
            ("etc/x", "/tmp/x", true),
            ("etc/x", "/oem/printer_data", true),
            ("etc/x", "../../tmp/x", true),
            ("etc/x", "/tmp/../etc/passwd", false),
            ("etc/x", "/temporary", false),
            ("etc/mtab", "/proc/self/mounts", true),
        ];
        for (link, target, inside) in cases {
            assert_eq!(link_stays_inside(Path::new(link), Path::new(target)), inside, "{link} -> {target}");
        }
    }

    #[test]
    fn what_the_printer_mounts_over_is_known() {
        let cases = [
            ("home/lava/printer_data/config/x", Some("home/lava/printer_data")),
            ("home/lava/printer_data", None),
            ("oem/x", Some("oem")),
            ("oem", None),
            ("oem2/x", None),
            ("etc/oem/x", None),
        ];
        for (path, place) in cases {
            assert_eq!(mounted_above(Path::new(path)), place, "{path}");
        }
    }

    proptest! {
        /// Whatever the links say, what they lead to is inside the tree and free of links and dots.
        #[test]
        fn nothing_leads_out(targets in proptest::collection::vec("[ab./]{0,12}", 2), path in "[ab./]{0,12}") {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            fs::create_dir_all(root.join("a/b")).unwrap();
            for (name, target) in ["b", "a/a"].iter().zip(&targets) {
                if !target.is_empty() {
                    symlink(target, root.join(name)).unwrap();
                }
            }
            if let Leads::To(found) = Tree::at(&root).follow(Path::new(&path)).unwrap() {
                let real = fs::canonicalize(root.join(&found)).unwrap();
                let expected: PathBuf = fs::canonicalize(&root).unwrap().join(&found).components().collect();
                prop_assert_eq!(real.as_os_str(), expected.as_os_str());
            }
        }
    }
}
