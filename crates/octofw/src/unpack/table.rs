//! The table beside an unpacked root: a line per path, with what an ordinary user's disk cannot hold.
//!
//! `TYPE MODE UID GID TIME DEVICE PATH`, parted by tabs. TYPE is the letter of `find -type`, TIME is in seconds since
//! 1970, DEVICE is `major:minor` or `-`. In PATH, `\\`, `\t` and `\n` stand for a backslash, a tab and a line end; the
//! root itself is the empty path.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::rootfs::snapshot::Kind;

const HEAD: &[u8] = b"# type\tmode\tuid\tgid\ttime\tdevice\tpath\n";

/// One line, without its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) time: u32,
    pub(crate) device: (u64, u64),
}

pub(crate) type Lines = BTreeMap<Vec<u8>, Line>;

const LETTERS: [(Kind, u8); 7] = [
    (Kind::File, b'f'),
    (Kind::Directory, b'd'),
    (Kind::Link, b'l'),
    (Kind::CharacterDevice, b'c'),
    (Kind::BlockDevice, b'b'),
    (Kind::Fifo, b'p'),
    (Kind::Socket, b's'),
];

pub(crate) fn write(lines: &Lines) -> Vec<u8> {
    let mut text = HEAD.to_vec();
    for (path, line) in lines {
        let letter = LETTERS.iter().find(|(kind, _)| *kind == line.kind).map_or(b'?', |(_, letter)| *letter);
        let Line { mode, uid, gid, time, .. } = line;
        let device = match line.kind.is_device() {
            true => format!("{}:{}", line.device.0, line.device.1),
            false => "-".to_owned(),
        };
        // Writing to memory cannot fail.
        let _ = write!(text, "{}\t{mode:04o}\t{uid}\t{gid}\t{time}\t{device}\t", char::from(letter));
        for byte in path {
            match byte {
                b'\\' => text.extend(b"\\\\"),
                b'\t' => text.extend(b"\\t"),
                b'\n' => text.extend(b"\\n"),
                _ => text.push(*byte),
            }
        }
        text.push(b'\n');
    }
    text
}

/// Reads a table; the error is the number of a line that is none, beginning with 1.
pub(crate) fn read(text: &[u8]) -> Result<Lines, usize> {
    let mut lines = Lines::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (path, line) = one(line).ok_or(number.saturating_add(1))?;
        if lines.insert(path, line).is_some() {
            return Err(number.saturating_add(1));
        }
    }
    Ok(lines)
}

fn one(line: &[u8]) -> Option<(Vec<u8>, Line)> {
    let mut fields = line.splitn(7, |byte| *byte == b'\t');
    let mut text = || fields.next().and_then(|field| std::str::from_utf8(field).ok());
    let letter = text()?;
    let kind = LETTERS.iter().find(|(_, known)| letter.as_bytes() == [*known])?.0;
    let mode = u32::from_str_radix(text()?, 8).ok().filter(|mode| *mode <= 0o7777)?;
    let (uid, gid, time) = (text()?.parse().ok()?, text()?.parse().ok()?, text()?.parse().ok()?);
    let device = match (text()?.split_once(':'), kind.is_device()) {
        (Some((major, minor)), true) => (major.parse().ok()?, minor.parse().ok()?),
        (None, false) => (0, 0),
        _ => return None,
    };
    let mut path = Vec::new();
    let mut bytes = fields.next()?.iter();
    while let Some(byte) = bytes.next() {
        path.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b't' => b'\t',
                b'n' => b'\n',
                _ => return None,
            },
            b'\t' | 0 => return None,
            _ => *byte,
        });
    }
    // A path that leads elsewhere would be read there.
    let fit = path.is_empty()
        || path.split(|byte| *byte == b'/').all(|name| !name.is_empty() && name != b"." && name != b"..");
    fit.then_some((path, Line { kind, mode, uid, gid, time, device }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_that_are_none_are_numbered() {
        let good = "d\t0755\t0\t0\t7\t-\t\nc\t0600\t0\t5\t7\t5:1\tdev/console\n";
        assert_eq!(read(good.as_bytes()).unwrap().len(), 2);
        for bad in [
            "x\t0755\t0\t0\t7\t-\ta",
            "f\t0800\t0\t0\t7\t-\ta",
            "f\t10000\t0\t0\t7\t-\ta",
            "f\t0644\t-1\t0\t7\t-\ta",
            "f\t0644\t0\t0\t4294967296\t-\ta",
            "f\t0644\t0\t0\t7\t5:1\ta",
            "c\t0644\t0\t0\t7\t-\ta",
            "f\t0644\t0\t0\t7\t-",
            "f\t0644\t0\t0\t7\t-\ta\\x",
            "f\t0644\t0\t0\t7\t-\t../a",
            "f\t0644\t0\t0\t7\t-\t/a",
            "f\t0644\t0\t0\t7\t-\ta//b",
            "f\t0644\t0\t0\t7\t-\tdev/console",
        ] {
            assert_eq!(read(format!("{good}{bad}\n").as_bytes()), Err(3), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            name in proptest::collection::vec(1u8..255, 1..20),
            which in 0usize..7,
            numbers: (u32, u32, u32),
        ) {
            let name: Vec<u8> = name.into_iter().filter(|byte| *byte != b'/').collect();
            prop_assume!(!name.is_empty() && name != b"." && name != b"..");
            let kind = LETTERS[which].0;
            let device = if kind.is_device() { (4, 64) } else { (0, 0) };
            let line = Line { kind, mode: 0o4755, uid: numbers.0, gid: numbers.1, time: numbers.2, device };
            let lines = Lines::from([(name, line)]);
            prop_assert_eq!(read(&write(&lines)), Ok(lines));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
