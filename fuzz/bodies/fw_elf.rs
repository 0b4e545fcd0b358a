//! What a program says that it needs, and whether it can run on the printer, out of any bytes.

use std::fs;
use std::path::PathBuf;

use octofw::elf::{Elf, is_elf};
use octofw::program::check;
use octofw::rootfs::architecture::Architecture;

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(elf) = Elf::read(bytes) {
        assert!(is_elf(bytes), "{elf:?}");
        assert!(elf.needs.is_sorted(), "{elf:?}");
        // A name is a part of the file, and none is told more often than the file has entries for it.
        let names = elf.needs.iter().chain(&elf.search).map(String::len);
        assert!(names.max().unwrap_or(0) <= 3 * bytes.len(), "a name of nothing");
    }
    let file = File::with(bytes);
    if let Ok(checked) = check(&file.0, Some(64)) {
        assert_eq!(checked.size, bytes.len() as u64);
        assert!(is_elf(bytes), "{checked:?}");
        // 64 bytes are a header, and less than any program.
        assert!(checked.violations.iter().all(|violation| violation.to_string().len() < 2000));
    }
    let told = Architecture::of_head(bytes);
    assert_eq!(told == Architecture::NotElf, !is_elf(bytes), "{told:?}");
}

/// A file of this process; in memory, where the machine keeps such.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = folder.join(format!("fuzz-elf-{}-{thread}", std::process::id()));
        fs::write(&path, bytes).expect("a file for temporary use");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
