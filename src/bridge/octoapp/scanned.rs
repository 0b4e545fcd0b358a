//! What was found in the files that were scanned last, so that a file that is printed again is not read again.

use super::scan::Marks;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most files that are remembered, and most text of messages in one that is, in bytes.
const MOST_FILES: usize = 8;
const MOST_TEXT: usize = 8 * 1024;

/// By what a file is known to be the same: its size in bytes, and when it was changed, in milliseconds since the Unix
/// epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) modified_ms: u64,
}

impl Stamp {
    /// That of a file of this machine; none where the system does not tell.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        Some(Self { size: file.len(), modified_ms: since(file.modified().ok()?)?.as_millis() as u64 })
    }
}

/// The files, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Scanned(Vec<(String, Stamp, Marks)>);

impl Scanned {
    /// What is in the file, if it was scanned as it is now.
    pub(super) fn find(&self, path: &str, stamp: Stamp) -> Option<Marks> {
        let mut same = self.0.iter().filter(|(known, as_of, _)| known == path && *as_of == stamp);
        same.next().map(|(.., marks)| marks.clone())
    }

    /// Remembers what is in the file. One with very long messages is rather read again.
    pub(super) fn keep(&mut self, path: &str, stamp: Stamp, marks: &Marks) {
        self.0.retain(|(known, ..)| known != path);
        if marks.text() > MOST_TEXT {
            return;
        }
        if self.0.len() == MOST_FILES {
            self.0.remove(0);
        }
        self.0.push((path.to_owned(), stamp, marks.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scan;
    use super::*;

    fn marks(text: &str) -> Marks {
        let mut scan = Scan::default();
        scan.push(text.as_bytes());
        scan.finish()
    }

    #[test]
    fn a_file_is_known_as_long_as_it_is_the_same() {
        let stamp = |modified_ms| Stamp { size: 1, modified_ms };
        let hello = marks("OCTOAPP_NOTIFY MESSAGE=hello\n");
        let mut scanned = Scanned::default();
        scanned.keep("a", stamp(1), &hello);
        assert_eq!(scanned.find("a", stamp(1)), Some(hello.clone()));
        assert_eq!((scanned.find("a", stamp(2)), scanned.find("b", stamp(1))), (None, None));
        assert_eq!(scanned.find("a", Stamp { size: 2, modified_ms: 1 }), None);
        scanned.keep("a", stamp(2), &Marks::default());
        assert_eq!(
            (scanned.find("a", stamp(1)), scanned.find("a", stamp(2))),
            (None, Some(Marks::default()))
        );
        for number in 0..20 {
            scanned.keep(&number.to_string(), stamp(3), &hello);
        }
        assert_eq!((scanned.0.len(), scanned.find("a", stamp(2))), (MOST_FILES, None));
        let long = format!("OCTOAPP_NOTIFY MESSAGE={}\n", "x".repeat(900)).repeat(20);
        scanned.keep("19", stamp(4), &marks(&long));
        assert_eq!((scanned.find("19", stamp(4)), scanned.0.len()), (None, MOST_FILES - 1));
    }

    #[test]
    fn a_file_that_is_written_anew_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gcode");
        assert_eq!(Stamp::of_file(&path), None);
        std::fs::write(&path, "a").unwrap();
        let first = Stamp::of_file(&path);
        assert!(first.is_some() && first == Stamp::of_file(&path));
        std::fs::write(&path, "ab").unwrap();
        assert_ne!(Stamp::of_file(&path), first);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(Stamp::of_file(&path), Some(Stamp { size: 2, modified_ms: 0 }));
    }
}
