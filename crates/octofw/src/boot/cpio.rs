//! Writes cpio archives of the "newc" kind, which Linux unpacks as its first file system.
//!
//! Source of the layout: `Documentation/driver-api/early-userspace/buffer-format.rst` of the Linux kernel. The same
//! entries give the same bytes: times are zero, inode numbers count up, nothing of the host is written.

/// An archive that grows entry by entry.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER: u32 = 0o020_000;

impl Archive {
    /// An archive without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory; `path` has no leading slash, its parent must have been added before.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), &[]);
    }

    /// Adds a regular file with these permission bits.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, REGULAR | (mode & 0o7777), (0, 0), content);
    }

    /// Adds a character device node with mode 0600.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER | 0o600, (major, minor), &[]);
    }

    /// Ends the archive and gives its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let fields = [
            self.inode,
            mode,
            0, // uid
            0, // gid
            links,
            0, // mtime
            u32::try_from(content.len()).unwrap_or(u32::MAX),
            0, // device of the file system, major
            0, // and minor
            device.0,
            device.1,
            u32::try_from(path.len() + 1).unwrap_or(u32::MAX),
            0, // checksum, unused in this kind
        ];
        self.inode += 1;
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    /// Header with name, and content, each end on a multiple of four bytes.
    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_documented_layout() {
        let mut archive = Archive::new();
        archive.file("ab", 0o755, b"hello");
        let bytes = archive.finish();
        // 6 bytes of magic and 13 fields of 8 hex digits, then the name with its zero, padded to four.
        let head = "070701\
            00000000000081ED000000000000000000000001000000000000000500000000\
            00000000000000000000000000000003000000 00"
            .replace(' ', "");
        assert_eq!(std::str::from_utf8(&bytes[..110]).unwrap(), head);
        assert_eq!(&bytes[110..124], b"ab\0\0\0\0hello\0\0\0");
        assert_eq!(&bytes[124..130], b"070701");
        assert!(bytes.ends_with(b"TRAILER!!!\0\0\0\0"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn the_system_cpio_reads_it() {
        let mut archive = Archive::new();
        archive.directory("dev");
        archive.character_device("dev/console", 5, 1);
        archive.file("init", 0o755, b"#!/bin/sh\n");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), archive.finish()).unwrap();
        let cpio = crate::command::Command::new("cpio").args(["-itv", "--quiet", "-F"]).arg(file.path());
        let listing = String::from_utf8(cpio.output().unwrap()).unwrap();
        let kinds: Vec<&str> = listing.lines().map(|line| &line[..10]).collect();
        assert_eq!(kinds, ["drwxr-xr-x", "crw-------", "-rwxr-xr-x"], "{listing}");
    }
}
