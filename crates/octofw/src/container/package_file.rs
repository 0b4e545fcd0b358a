//! `package-file`: the list of parts of the rom image, a name and a file per line, in the order of the part table.

use std::fmt::Write as _;

use super::fields::shown;
use super::{Fault, FormatError, Layer};

/// More than any real list has.
pub const MAX_LEN: usize = 64 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the part, for example `system_a`.
    pub name: String,
    /// Its file, for example `rootfs.img`.
    pub file: String,
}

/// Reads the list; `offset` is its place in the file, for messages.
///
/// # Errors
/// If it is not text, too long, or a line has not exactly two words.
pub fn parse(bytes: &[u8], offset: u64) -> Result<Vec<Line>, FormatError> {
    let error = |fault, field: String, found: String, expected: &str| FormatError {
        layer: Layer::PackageFile,
        fault,
        field: field.into(),
        offset,
        found,
        expected: expected.to_owned(),
    };
    if bytes.len() > MAX_LEN {
        let found = format!("{} bytes", bytes.len());
        return Err(error(Fault::Limit, "length".to_owned(), found, "at most 65536 bytes"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| error(Fault::Text, "content".to_owned(), shown(bytes), "text"))?;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (None, ..) => {}
            (Some(name), Some(file), None) => {
                lines.push(Line { name: name.to_owned(), file: file.to_owned() });
            }
            _ => {
                let field = format!("line {}", number.saturating_add(1));
                return Err(error(Fault::Text, field, shown(line.as_bytes()), "a name and a file"));
            }
        }
    }
    Ok(lines)
}

/// Writes a list.
#[must_use]
pub fn encode(lines: &[Line]) -> String {
    lines.iter().fold("# NAME\tFILE\n".to_owned(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\t{}", line.name, line.file);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &str, file: &str) -> Line {
        Line { name: name.to_owned(), file: file.to_owned() }
    }

    #[test]
    fn comments_blanks_and_line_ends_do_not_matter() {
        let text = b"# NAME\tPath\r\n\nuboot_a \t uboot.img # first\r\n   \nuboot_b uboot.img";
        assert_eq!(parse(text, 0).unwrap(), [line("uboot_a", "uboot.img"), line("uboot_b", "uboot.img")]);
    }

    #[test]
    fn each_breach_has_its_name() {
        let long = vec![b'#'; MAX_LEN + 1];
        let table: [(&[u8], Fault, &str); 4] = [
            (b"ok ok\nlonely\n", Fault::Text, "line 2"),
            (b"one two three", Fault::Text, "line 1"),
            (b"\xff\xfe", Fault::Text, "content"),
            (&long, Fault::Limit, "length"),
        ];
        for (bytes, fault, field) in table {
            let error = parse(bytes, 2048).unwrap_err();
            assert_eq!((error.fault, error.field.as_ref()), (fault, field), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, 0);
        }

        #[test]
        fn what_is_written_is_read(
            list in prop::collection::vec(("[a-z_]{1,31}", "[a-zA-Z0-9._-]{1,59}"), 0..16),
        ) {
            let lines: Vec<Line> = list.iter().map(|(name, file)| line(name, file)).collect();
            prop_assert_eq!(parse(encode(&lines).as_bytes(), 0).unwrap(), lines);
        }
    }
}
