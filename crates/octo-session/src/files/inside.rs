//! Paths below the root, as an asker names them; and names that are fit for a file.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::refusal::{Code, Refusal};

/// What the system takes as one name, in bytes.
const LONGEST_NAME: usize = 255;
/// What the system takes as one path, in bytes, less what a directory for it may add.
const LONGEST_PATH: usize = 3800;
/// Folders in folders, so that walks of a tree stay shallow.
const DEEPEST: usize = 200;

/// A path below the root, without `..`, empty parts or a slash at either end. The root itself is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inside(Vec<u8>);

impl Inside {
    /// The root.
    pub(crate) fn root() -> Inside {
        Inside(Vec::new())
    }

    /// Reads a path of an asker. A leading slash stands for the root.
    ///
    /// # Errors
    ///
    /// `..` is refused also where it would lead nowhere bad: whoever writes it means to get out.
    pub(crate) fn parse(raw: &[u8]) -> Result<Inside, Refusal> {
        let shown =
            || String::from_utf8_lossy(raw.get(..raw.len().min(200)).unwrap_or_default()).into_owned();
        if raw.contains(&0) {
            return Err(Refusal::new(
                Code::InvalidPath,
                format!("{}: no path has a NUL in it", shown().replace('\0', "?")),
            ));
        }
        if raw.len() > LONGEST_PATH {
            return Err(Refusal::new(
                Code::InvalidPath,
                format!("the path is longer than {LONGEST_PATH} bytes"),
            ));
        }
        let mut parts = Vec::new();
        for part in raw.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    return Err(Refusal::new(
                        Code::PathTraversal,
                        format!("{}: `..` is not allowed in a path", shown()),
                    ));
                }
                _ if part.len() > LONGEST_NAME => {
                    return Err(Refusal::new(
                        Code::InvalidPath,
                        format!("{}: a name may have {LONGEST_NAME} bytes", shown()),
                    ));
                }
                _ => parts.push(part),
            }
        }
        if parts.len() > DEEPEST {
            return Err(Refusal::new(
                Code::InvalidPath,
                format!("{}: more than {DEEPEST} folders deep", shown()),
            ));
        }
        Ok(Inside(parts.join(&b'/')))
    }

    /// Whether this is the root.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// What the system is asked for, relative to the root.
    pub(crate) fn as_os_str(&self) -> &OsStr {
        if self.0.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(&self.0) }
    }

    /// The bytes as they go into an archive.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The folder it lies in, and its name there; nothing for the root.
    pub(crate) fn split(&self) -> Option<(Inside, &OsStr)> {
        let name_at = match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => slash + 1,
            None if self.0.is_empty() => return None,
            None => 0,
        };
        let (folder, name) = self.0.split_at_checked(name_at)?;
        Some((Inside(folder.strip_suffix(b"/").unwrap_or(folder).to_vec()), OsStr::from_bytes(name)))
    }

    /// Each of its parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &OsStr> {
        self.0.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).map(OsStr::from_bytes)
    }

    /// What is called `name` in this folder. `name` comes from the system or was checked.
    pub(crate) fn join(&self, name: &OsStr) -> Inside {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        Inside(path)
    }

    /// Another path, below this one.
    pub(crate) fn append(&self, rest: &Inside) -> Inside {
        if rest.is_root() { self.clone() } else { self.join(OsStr::from_bytes(&rest.0)) }
    }

    /// Whether `other` is this path or lies below it.
    pub(crate) fn holds(&self, other: &Inside) -> bool {
        self.is_root()
            || other
                .0
                .strip_prefix(self.0.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// How deep it lies.
    pub(crate) fn depth(&self) -> usize {
        self.parts().count()
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_os_str().to_string_lossy())
    }
}

/// What a browser calls the file of an upload, made fit for a name: its last part, without control characters and
/// without blanks around it. A leading dot stays: `.gitignore` is a name like any other.
///
/// # Errors
///
/// When nothing is left of it, or Windows could not keep a file of that name.
pub(crate) fn name_of_upload(given: &str) -> Result<String, Refusal> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    let mut name = clean.trim_start().trim_end_matches(|c: char| c.is_whitespace() || c == '.');
    while name.len() > LONGEST_NAME {
        // By characters, so that none is cut in two.
        let mut rest = name.chars();
        rest.next_back();
        name = rest.as_str();
    }
    let name = name.trim_end_matches(|c: char| c.is_whitespace() || c == '.');
    if name.is_empty() {
        return Err(Refusal::new(Code::InvalidPath, "the upload has no file name; give one with `path=`"));
    }
    if is_device(name) {
        return Err(Refusal::new(
            Code::InvalidPath,
            format!("{name}: a device of Windows is called so; PUT /file takes the name nevertheless"),
        ));
    }
    Ok(name.to_owned())
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|rest: &str| {
            rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit() && b != b'0')
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_read_as_the_table_says() {
        for (given, expected) in [
            ("", Ok("")),
            (".", Ok("")),
            ("/", Ok("")),
            ("///a//b/./c/", Ok("a/b/c")),
            ("a/..b/...", Ok("a/..b/...")),
            (".git/config", Ok(".git/config")),
            ("..", Err(Code::PathTraversal)),
            ("a/../b", Err(Code::PathTraversal)),
            ("/..", Err(Code::PathTraversal)),
            ("a\0b", Err(Code::InvalidPath)),
        ] {
            let read = Inside::parse(given.as_bytes());
            match expected {
                Ok(path) => assert_eq!(read.unwrap().as_bytes(), path.as_bytes(), "{given:?}"),
                Err(code) => assert_eq!(read.unwrap_err().code, code, "{given:?}"),
            }
        }
        assert_eq!(Inside::parse("n".repeat(256).as_bytes()).unwrap_err().code, Code::InvalidPath);
        assert_eq!(Inside::parse("d/".repeat(300).as_bytes()).unwrap_err().code, Code::InvalidPath);
        assert_eq!(Inside::parse("d".repeat(5000).as_bytes()).unwrap_err().code, Code::InvalidPath);
    }

    #[test]
    fn names_of_uploads_keep_their_dot_and_lose_what_no_name_has() {
        for (given, expected) in [
            (".gitignore", Some(".gitignore")),
            ("firmware.bin", Some("firmware.bin")),
            ("C:\\Users\\me\\a.bin", Some("a.bin")),
            ("../../etc/passwd", Some("passwd")),
            ("  a b\r\n.txt. ", Some("a b.txt")),
            ("..", None),
            ("", None),
            ("dir/", None),
            ("nul", None),
            ("COM1.txt", None),
            ("com0", Some("com0")),
            ("console", Some("console")),
        ] {
            assert_eq!(name_of_upload(given).ok().as_deref(), expected, "{given:?}");
        }
        let long = name_of_upload(&"ä".repeat(200)).unwrap();
        assert_eq!(long, "ä".repeat(127));
    }

    proptest! {
        #[test]
        fn no_path_gets_out(raw in proptest::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), any::<u8>()], 0..300)) {
            if let Ok(path) = Inside::parse(&raw) {
                prop_assert!(!path.as_bytes().starts_with(b"/"));
                prop_assert!(path.parts().all(|part| part != "." && part != ".."));
                prop_assert_eq!(&Inside::parse(path.as_bytes()).unwrap(), &path);
                if let Some((folder, name)) = path.split() {
                    prop_assert_eq!(folder.join(name), path.clone());
                    prop_assert!(folder.holds(&path));
                }
            }
        }

        #[test]
        fn every_name_of_an_upload_is_one_part(given in "\\PC{0,300}|[./\\\\ a-z\\x00-\\x1f]{0,300}") {
            if let Ok(name) = name_of_upload(&given) {
                let path = Inside::parse(name.as_bytes()).unwrap();
                prop_assert_eq!(path.parts().count(), 1);
                prop_assert!(name.len() <= LONGEST_NAME);
            }
        }
    }
}
