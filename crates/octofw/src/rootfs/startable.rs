//! Whether what an overlay brought can be started on the printer: programs by their processor, scripts by their line
//! ends, init scripts by their run bit. The printer itself would say nothing: init passes over what it cannot start.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::architecture::Architecture;

/// Longest first line of a script that counts; the kernel itself reads 256 bytes.
const FIRST_LINE: u64 = 4096;
const INIT: &[u8] = b"etc/init.d/";

/// What keeps the file at `place`, which is `path` in the root with this mode, from being started, and what to do
/// about it; nothing where it can be started or is none of what is started.
///
/// # Errors
/// When the file cannot be read.
pub fn problem(path: &[u8], mode: u32, place: &Path) -> io::Result<Option<String>> {
    let found = Architecture::of_file(place)?;
    if matches!(found, Architecture::Foreign(_)) {
        let name = found.name();
        return Ok(Some(format!(
            "it is a program for {name}, but the printer is aarch64; cross-build it for aarch64"
        )));
    }
    if is_init_script(path) && mode & 0o111 == 0 {
        let remedy =
            "make it executable in the overlay (chmod +x), or give it mode 0755 in the overlay's owners";
        return Ok(Some(format!(
            "it is an init script without the run bit, which init passes over; {remedy}"
        )));
    }
    if has_windows_line_ends(place)? {
        let remedy = "convert it with: sed -i 's/\\r$//'";
        return Ok(Some(format!(
            "it is a script with Windows line ends (CRLF), which its interpreter does not take; {remedy}"
        )));
    }
    Ok(None)
}

/// `/etc/init.d/S??*`, which `rcS` starts. One that ends in `.sh` is read by it instead and needs no run bit.
fn is_init_script(path: &[u8]) -> bool {
    let Some(name) = path.strip_prefix(INIT) else { return false };
    name.len() > 2 && name.starts_with(b"S") && !name.contains(&b'/') && !name.ends_with(b".sh")
}

/// Whether the first line of a script, or any line of a shell script, ends with a carriage return.
fn has_windows_line_ends(place: &Path) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(place)?);
    let mut first = Vec::new();
    file.by_ref().take(FIRST_LINE).read_until(b'\n', &mut first)?;
    if !first.starts_with(b"#!") {
        return Ok(false);
    }
    if first.ends_with(b"\r\n") {
        return Ok(true);
    }
    let words = first.split(|byte| byte.is_ascii_whitespace() || *byte == b'/');
    if !words.into_iter().any(|word| matches!(word, b"sh" | b"ash" | b"bash" | b"dash")) {
        return Ok(false);
    }
    let mut returned = false;
    for byte in file.bytes() {
        let byte = byte?;
        if returned && byte == b'\n' {
            return Ok(true);
        }
        returned = byte == b'\r';
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, mode: u32, content: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        problem(path.as_bytes(), mode, file.path()).unwrap()
    }

    #[test]
    fn what_init_would_pass_over_is_named() {
        let good: &[u8] = b"#!/bin/sh\necho \"$1\"\n";
        let arm = [b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0", [0; 32].as_slice()].concat();
        let table: [(&str, u32, &[u8], Option<&str>); 14] = [
            ("etc/init.d/S66x", 0o755, good, None),
            ("etc/init.d/S66x", 0o644, good, Some("init script without the run bit")),
            ("etc/init.d/S66.sh", 0o644, good, None),
            ("etc/init.d/rcS.orig", 0o644, good, None),
            ("etc/init.d/S66x/notes", 0o644, good, None),
            ("opt/S66x", 0o644, good, None),
            ("opt/x", 0o755, b"#!/bin/sh\r\necho\r\n", Some("Windows line ends")),
            ("opt/x", 0o644, b"#!/usr/bin/env bash\necho\r\n", Some("Windows line ends")),
            ("opt/x", 0o755, b"#!/usr/bin/python3\nprint()\r\n", None),
            ("opt/x", 0o755, b"#!/usr/bin/python3\r\nprint()\n", Some("Windows line ends")),
            ("opt/x", 0o755, b"#!/bin/sh\nprintf '\r'\n", None),
            ("opt/x.txt", 0o644, b"text\r\n", None),
            ("opt/x", 0o755, &arm, Some("a program for ARM (32 bit)")),
            ("opt/x", 0o755, b"", None),
        ];
        for (path, mode, content, expected) in table {
            let found = found(path, mode, content);
            let shown = format!("{path} {mode:o} {}: {found:?}", content.escape_ascii());
            match expected {
                None => assert_eq!(found, None, "{shown}"),
                Some(expected) => assert!(found.is_some_and(|found| found.contains(expected)), "{shown}"),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_content_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            found("etc/init.d/S00x", 0o755, &[b"#!/bin/sh\n", bytes.as_slice()].concat());
        }
    }
}
