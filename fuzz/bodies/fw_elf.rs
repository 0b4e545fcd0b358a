//! What a program says that it needs, out of any bytes.

use octofw::elf::{Elf, is_elf};

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(elf) = Elf::read(bytes) {
        assert!(is_elf(bytes), "{elf:?}");
        assert!(elf.needs.is_sorted(), "{elf:?}");
        // A name is a part of the file, and none is told more often than the file has entries for it.
        let names = elf.needs.iter().chain(&elf.search).map(String::len);
        assert!(names.max().unwrap_or(0) <= 3 * bytes.len(), "a name of nothing");
    }
}
