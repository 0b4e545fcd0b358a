//! `dos2unix FILE…`: Windows line ends become those of Unix. Few build machines have the program, and scripts use it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::{Surroundings, ToolError, place, system};

/// How scripts call it.
pub const NAME: &str = "dos2unix";

pub(super) fn run(arguments: &[OsString], surroundings: &Surroundings) -> Result<(), ToolError> {
    for path in arguments.iter().filter(|word| !word.as_encoded_bytes().starts_with(b"-")) {
        let path = Path::new(path);
        let place = place::of(path, surroundings)?;
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(match place.strip_prefix(&surroundings.root) {
                    Ok(within) => surroundings.vendor(format!("/{}", within.display())),
                    Err(_) => system(format!("cannot read {}", path.display()))(e),
                });
            }
            Err(e) => return Err(system(format!("cannot read {}", path.display()))(e)),
        };
        let converted = converted(&bytes);
        if converted != bytes {
            // In place, so that owner, mode and further names stay.
            let written = OpenOptions::new().write(true).truncate(true).open(&place);
            written
                .and_then(|mut file| file.write_all(&converted))
                .map_err(system(format!("cannot write {}", path.display())))?;
        }
    }
    Ok(())
}

/// A carriage return before a line's end goes. What holds a NUL is no text and stays as it is, as the program does.
fn converted(bytes: &[u8]) -> Vec<u8> {
    if bytes.contains(&0) {
        return bytes.to_owned();
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte != b'\r' || rest.peek() != Some(&&b'\n') {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_ends_change() {
        for (before, after) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\nb", "a\nb"),
            ("a\rb\r\r\n", "a\rb\r\n"),
            ("", ""),
            ("\0\r\n", "\0\r\n"),
        ] {
            assert_eq!(converted(before.as_bytes()), after.as_bytes(), "{before:?}");
        }
    }
}
