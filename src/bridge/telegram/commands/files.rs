//! Files to print: which of a folder are shown on a page, and what a file from the chat is called on the printer. Pure.

use crate::source::control::{Directory, FileEntry};
use std::time::Duration;

/// Entries of a page.
pub(super) const PAGE: usize = 10;
/// Longest name of a file from the chat, in bytes.
const MOST_NAME: usize = 100;
/// What files to print are called.
const ENDINGS: [&str; 3] = [".gcode", ".gco", ".g"];

/// A page of a folder, as it is kept for its buttons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    /// The folder's path; empty for the root.
    pub(super) folder: String,
    /// Number of the page, from 0.
    pub(super) page: usize,
    /// How many there are.
    pub(super) pages: usize,
    /// What is on it, the newest first.
    pub(super) entries: Vec<Entry>,
}

/// One entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path below the root.
    pub(super) path: String,
    /// Whether it is a folder.
    pub(super) folder: bool,
    /// Size, in bytes.
    pub(super) size: u64,
    /// Last change, since the Unix epoch.
    pub(super) modified: Option<Duration>,
}

impl Entry {
    /// Its name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl Listing {
    /// Page `page` of a folder, or its last one if there are not so many.
    pub(super) fn of(found: Directory, folder: &str, page: usize) -> Self {
        let visible = |entry: &FileEntry| !entry.path.starts_with('.');
        let entry = |found: FileEntry, is_folder: bool| Entry {
            path: below(folder, &found.path),
            folder: is_folder,
            size: found.size,
            modified: found.modified,
        };
        let files = found.files.into_iter().filter(|file| visible(file) && is_printable(&file.path));
        let folders = found.folders.into_iter().filter(visible).map(|found| entry(found, true));
        let mut entries: Vec<Entry> = folders.chain(files.map(|found| entry(found, false))).collect();
        entries.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
        let pages = entries.len().div_ceil(PAGE).max(1);
        let page = page.min(pages - 1);
        let entries = entries.into_iter().skip(page * PAGE).take(PAGE).collect();
        Self { folder: folder.to_owned(), page, pages, entries }
    }

    /// The folder above; none above the root.
    pub(super) fn above(&self) -> Option<&str> {
        if self.folder.is_empty() {
            return None;
        }
        Some(self.folder.rsplit_once('/').map_or("", |(above, _)| above))
    }
}

/// The path of something in a folder.
fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a file of that name can be printed.
pub(super) fn is_printable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.strip_suffix(ending).is_some_and(|stem| !stem.is_empty()))
}

/// What a file from the chat is called on the printer: letters of ASCII, digits, blanks, and `._-`. None if it is no
/// file to print, or nothing is left of its name.
pub(super) fn clean_name(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let kept = |c: &char| c.is_ascii_alphanumeric() || " ._-".contains(*c);
    let clean: String = name.chars().filter(kept).collect();
    let clean = clean.trim().trim_start_matches(['.', ' ']);
    let (stem, ending) = clean.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let stem = stem.get(..stem.len().min(MOST_NAME - ending.len() - 1))?.trim();
    let clean = format!("{stem}.{ending}");
    (!stem.is_empty() && is_printable(&clean)).then_some(clean)
}

/// The paths that a person may mean who writes `name`.
pub(super) fn candidates(name: &str) -> Vec<String> {
    let name = name.trim().trim_start_matches('/').trim();
    if name.is_empty() {
        return Vec::new();
    }
    let ended = (!is_printable(name)).then(|| format!("{name}.gcode"));
    [Some(name.to_owned()), ended].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(name: &str, age: u64) -> FileEntry {
        FileEntry {
            path: name.to_owned(),
            size: 10,
            modified: Some(Duration::from_secs(1000 - age)),
            writable: true,
        }
    }

    #[test]
    fn pages_show_the_newest_first_and_folders_among_them() {
        let mut files: Vec<FileEntry> = (0..23).map(|n| found(&format!("f{n}.gcode"), 10 * n)).collect();
        files.extend([found("readme.txt", 0), found(".hidden.gcode", 0)]);
        let folders = vec![found("parts", 15), found(".thumbs", 0)];
        let directory = Directory { folders, files, disk: None };
        let names = |page| {
            let listing = Listing::of(directory.clone(), "a/b", page);
            (
                listing.page,
                listing.pages,
                listing.entries.iter().map(|entry| entry.name().to_owned()).collect::<Vec<_>>(),
            )
        };
        let (page, pages, first) = names(0);
        assert_eq!((page, pages, first.len()), (0, 3, 10));
        assert_eq!(first[..4], ["f0.gcode", "f1.gcode", "parts", "f2.gcode"]);
        assert_eq!(names(2).2, ["f19.gcode", "f20.gcode", "f21.gcode", "f22.gcode"]);
        assert_eq!(names(99).0, 2);
        let listing = Listing::of(directory, "a/b", 0);
        assert_eq!((listing.entries[2].path.as_str(), listing.entries[2].folder), ("a/b/parts", true));
        assert_eq!(listing.above(), Some("a"));
        let empty = Listing::of(Directory::default(), "", 3);
        assert_eq!((empty.page, empty.pages, empty.above()), (0, 1, None));
        assert_eq!(Listing { folder: "a".to_owned(), ..empty }.above(), Some(""));
    }

    #[test]
    fn names_from_the_chat_are_made_harmless() {
        let is = |name: &str| Some(name.to_owned());
        for (name, clean) in [
            ("part.gcode", is("part.gcode")),
            ("Part 2 (final).GCODE", is("Part 2 final.gcode")),
            ("../../etc/passwd.gcode", is("passwd.gcode")),
            ("a\\b\\c.gcode", is("c.gcode")),
            ("..gcode", None),
            (".gcode", None),
            (" .hidden.gcode", is("hidden.gcode")),
            ("gr\u{fc}n\u{202e}\n.g", is("grn.g")),
            ("\u{1f3b2}.gcode", None),
            ("part.gcode.exe", None),
            ("part", None),
            ("", None),
            ("part.3mf", None),
        ] {
            assert_eq!(clean_name(name), clean, "{name:?}");
        }
        assert_eq!(clean_name(&format!("{}.gcode", "x".repeat(300))).unwrap().len(), MOST_NAME);
    }

    #[test]
    fn a_name_may_lack_its_ending() {
        assert_eq!(candidates(" /parts/cube "), ["parts/cube", "parts/cube.gcode"]);
        assert_eq!(candidates("cube.gcode"), ["cube.gcode"]);
        assert!(candidates(" / ").is_empty());
    }

    proptest! {
        #[test]
        fn any_name_is_harmless(name in "(\\PC|[./\\\\\n ]){0,150}(\\.gcode)?") {
            if let Some(clean) = clean_name(&name) {
                prop_assert!(clean.len() <= MOST_NAME && !clean.starts_with('.') && is_printable(&clean));
                prop_assert!(clean.chars().all(|c| c.is_ascii_alphanumeric() || " ._-".contains(c)));
                prop_assert_eq!(clean_name(&clean), Some(clean));
            }
        }
    }
}
