//! Paths: what Connect calls `/local/sub/cube.gcode` is `sub/cube.gcode` in Moonraker's root. One for one, and nothing
//! outside the root.

use std::fmt;

/// Longest path in the root, in bytes.
const MOST_PATH: usize = 1000;
/// Longest name of a file to be made, in bytes.
const MOST_NAME: usize = 248;
/// Longest part of a path to be made, in characters.
const MOST_PART: usize = 255;
/// What Connect's own clients do not take in the name of a file to be made.
const FORBIDDEN: [char; 8] = ['\\', '?', '"', '%', '#', '\u{af}', '\u{b0}', '\u{2c7}'];

/// Where the files are in Connect's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    storage: Box<str>,
}

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// It is none of this storage.
    #[error("the path is not on a storage of this printer: it must begin with its name")]
    Storage,
    /// It has empty parts, `.` or `..`, or control characters in it.
    #[error("the path is not plain: it must have no empty parts, no . or .. and no control characters")]
    Odd,
    /// A part begins with a dot.
    #[error("names that begin with a dot are hidden and cannot be used")]
    Hidden,
    /// It is too long for Moonraker.
    #[error("the path is longer than {MOST_PATH} bytes: use shorter names")]
    Long,
    /// The name of the file is too long.
    #[error("the name of the file is longer than {MOST_NAME} bytes: use a shorter one")]
    LongName,
    /// The name of a folder is too long.
    #[error("the name of a folder is longer than {MOST_PART} characters: use a shorter one")]
    LongFolder,
    /// A character in the name.
    #[error("the name of the file holds {0:?}: rename it")]
    Character(char),
    /// It is the storage itself.
    #[error("the path is the storage itself: name something in it")]
    Root,
}

impl Place {
    /// The storage of that name; none if no storage can have it.
    pub(crate) fn new(storage: &str) -> Option<Self> {
        let plain = |part: &str| !part.is_empty() && !part.contains('/') && check_part(part).is_ok();
        plain(storage).then(|| Self { storage: storage.into() })
    }

    /// The name of the storage.
    pub(crate) fn storage(&self) -> &str {
        &self.storage
    }

    /// Connect's path of something in the root; of the storage itself if `path` is empty.
    pub(crate) fn outside(&self, path: &str) -> String {
        match path {
            "" => format!("/{}", self.storage),
            path => format!("/{}/{path}", self.storage),
        }
    }

    /// The path in the root of something that Connect names; empty for the storage itself.
    pub(crate) fn inside<'p>(&self, path: &'p str) -> Result<&'p str, PathError> {
        let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(&*self.storage));
        let below = match rest.ok_or(PathError::Storage)? {
            "" => return Ok(""),
            rest => rest.strip_prefix('/').ok_or(PathError::Storage)?,
        };
        if below.len() > MOST_PATH {
            return Err(PathError::Long);
        }
        below.split('/').try_for_each(check_part)?;
        Ok(below)
    }

    /// The same of something in the storage, not the storage itself.
    pub(crate) fn within<'p>(&self, path: &'p str) -> Result<&'p str, PathError> {
        self.inside(path).and_then(|path| if path.is_empty() { Err(PathError::Root) } else { Ok(path) })
    }

    /// The same of a folder that is to be made.
    pub(crate) fn new_folder<'p>(&self, path: &'p str) -> Result<&'p str, PathError> {
        let path = self.within(path)?;
        let long = |part: &str| part.chars().nth(MOST_PART).is_some();
        if path.split('/').any(long) { Err(PathError::LongFolder) } else { Ok(path) }
    }

    /// The same of a file that is to be made.
    pub(crate) fn new_file<'p>(&self, path: &'p str) -> Result<&'p str, PathError> {
        // What is too long in one part is so as a whole, but the part is what people can mend.
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.len() > MOST_NAME {
            return Err(PathError::LongName);
        }
        if let Some(character) = name.chars().find(|character| FORBIDDEN.contains(character)) {
            return Err(PathError::Character(character));
        }
        self.new_folder(path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.storage)
    }
}

fn check_part(part: &str) -> Result<(), PathError> {
    if matches!(part, "" | "." | "..") || part.chars().any(char::is_control) {
        Err(PathError::Odd)
    } else if part.starts_with('.') {
        Err(PathError::Hidden)
    } else {
        Ok(())
    }
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The folder that something is in; empty for the root.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether Connect is not to know of it: hidden, or still on its way.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.')) || path.ends_with(".part")
}

/// A path in a folder.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_understood_or_refused_for_a_reason() {
        use PathError::*;
        let place = Place::new("local").unwrap();
        let long = format!("/local/{}.gcode", "n".repeat(250));
        let long_folder = format!("/local/{}/x.gcode", "d".repeat(256));
        let just = format!("/local/{}/x.gcode", "d".repeat(255));
        let endless = format!("/local/{}x.gcode", "d/".repeat(600));
        for (path, expected) in [
            ("/local/a.gcode", Ok("a.gcode")),
            ("/local/a b/gr\u{fc}n.gcode", Ok("a b/gr\u{fc}n.gcode")),
            ("/local", Err(Root)),
            ("", Err(Storage)),
            ("local/a.gcode", Err(Storage)),
            ("/usb/a.gcode", Err(Storage)),
            ("/locally/a.gcode", Err(Storage)),
            ("/local/", Err(Odd)),
            ("/local//a.gcode", Err(Odd)),
            ("/local/../a.gcode", Err(Odd)),
            ("/local/b/../../a.gcode", Err(Odd)),
            ("/local/./a.gcode", Err(Odd)),
            ("/local/a\0.gcode", Err(Odd)),
            ("/local/a\n.gcode", Err(Odd)),
            ("/local/.a.gcode", Err(Hidden)),
            ("/local/.b/a.gcode", Err(Hidden)),
            (&long, Err(LongName)),
            (&long_folder, Err(LongFolder)),
            (&just, Ok(&just[7..])),
            (&endless, Err(Long)),
            ("/local/50%.gcode", Err(Character('%'))),
            ("/local/21\u{b0}.gcode", Err(Character('\u{b0}'))),
            ("/local/50%/a.gcode", Ok("50%/a.gcode")),
        ] {
            assert_eq!(place.new_file(path), expected, "{path}");
        }
        assert_eq!(place.inside("/local"), Ok(""));
        assert_eq!(place.inside("/local/50%.gcode"), Ok("50%.gcode"));
        for name in ["", "a/b", "..", ".a", "a\0"] {
            assert_eq!(Place::new(name), None, "{name}");
        }
        assert_eq!(Place::new("PrusaLink gcodes").unwrap().outside(""), "/PrusaLink gcodes");
    }

    #[test]
    fn hidden_files_and_parts_are_known() {
        for (path, hidden) in
            [("a/b.gcode", false), (".a/b", true), ("a/.b", true), ("a/b.part", true), ("a.part/b", false)]
        {
            assert_eq!(is_hidden(path), hidden, "{path}");
        }
    }

    proptest! {
        #[test]
        fn one_for_one_and_never_outside(path in r"(/local)?(/|\.\.|\.|a|\PC|\x00|local){0,12}") {
            let place = Place::new("local").unwrap();
            for taken in [place.inside(&path), place.new_folder(&path), place.new_file(&path)].into_iter().flatten() {
                prop_assert_eq!(&place.outside(taken), &path);
                prop_assert!(!taken.starts_with('/') && !taken.contains('\0'));
                prop_assert!(taken.is_empty() || taken.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
            }
        }
    }
}
