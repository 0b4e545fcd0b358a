//! Proof that a squashfs and a tree hold the same: the listing of `unsquashfs -lln` against a [`Snapshot`].
//!
//! The listing of the base is compared with the tree right after unpacking, the listing of the result with the tree that
//! was packed. Together they show that nothing was lost on the way: no owner, no mode, no node, no link, no time.
//! The line format is that of `unsquashfs.c` in squashfs-tools 4.4 to 4.6.

use std::path::Path;

use thiserror::Error;

use super::snapshot::{Entry, Kind, Snapshot, shown};
use crate::calendar::date_and_time;
use crate::command::{Command, CommandError};

/// What stands before each path of a listing.
const PREFIX: &str = "squashfs-root";
/// How many differences an error lists.
const MOST_SHOWN: usize = 8;

/// Why a squashfs and a tree were not found to be equal.
#[derive(Debug, Error)]
pub enum ListingError {
    /// The listing could not be had.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// They differ.
    #[error(
        "{name} and the unpacked tree differ; owners, modes or nodes got lost on this file system or in fakeroot:\n{differences}"
    )]
    Differs {
        /// Which squashfs, by its file name.
        name: String,
        /// The first lines that stand on one side only.
        differences: String,
    },
}

/// One line of a listing, with the columns' padding taken out.
pub(crate) type Line = Vec<u8>;

/// Compares a squashfs, which begins at `offset` in its file, with the tree it was unpacked to, or packed from.
///
/// # Errors
/// When they differ or the squashfs cannot be listed.
pub fn compare(squashfs: &Path, offset: u64, tree: &Snapshot) -> Result<(), ListingError> {
    let listing = Command::new("unsquashfs")
        .arg("-lln")
        .args(["-offset", &offset.to_string()])
        .arg(squashfs)
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .remedy("install it with: apt-get install squashfs-tools")
        .output()?;
    let mut there = parsed(&listing);
    let mut here = parsed(&listed(tree));
    there.sort_unstable();
    here.sort_unstable();
    if there == here {
        return Ok(());
    }
    let missing = here.iter().filter(|line| there.binary_search(line).is_err()).map(|line| ('-', line));
    let extra = there.iter().filter(|line| here.binary_search(line).is_err()).map(|line| ('+', line));
    let differences: Vec<String> =
        missing.chain(extra).take(MOST_SHOWN).map(|(side, line)| format!("{side} {}", shown(line))).collect();
    let name = squashfs.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(ListingError::Differs { name, differences: differences.join("\n") })
}

/// The lines of a listing. A directory's size is an inner matter of squashfs and left out. A name that holds the end of a
/// line has more than one, of which those count that look like one.
pub(crate) fn parsed(listing: &[u8]) -> Vec<Line> {
    listing.split(|byte| *byte == b'\n').filter_map(parsed_line).collect()
}

/// `-rwxr-xr-x 0/0    300000 2023-11-14 22:13 squashfs-root/bin/sh`: mode, owner, size or device, date, time, path.
fn parsed_line(line: &[u8]) -> Option<Line> {
    let (mode, rest) = word(line)?;
    let (owner, rest) = word(rest)?;
    // `5,  1`: padding may stand between the two numbers of a device.
    let (mut size, mut rest) = word(rest).map(|(size, rest)| (size.to_vec(), rest))?;
    if size.ends_with(b",") {
        let (minor, after) = word(rest)?;
        size.extend_from_slice(minor);
        rest = after;
    }
    let (date, rest) = word(rest)?;
    let (time, rest) = word(rest)?;
    let path = rest.strip_prefix(PREFIX.as_bytes())?;
    if mode.starts_with(b"d") {
        size = b"-".to_vec();
    }
    Some([mode, owner, &size, date, time, path].join(&b' '))
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = text.split_at(end);
    Some((word, rest.get(1..)?))
}

/// What unsquashfs would list of a tree.
fn listed(tree: &Snapshot) -> Vec<u8> {
    let lines: Vec<Line> = tree.entries.iter().map(|(path, entry)| listed_line(path, entry)).collect();
    lines.join(&b'\n')
}

fn listed_line(path: &[u8], entry: &Entry) -> Line {
    let size = match entry.kind {
        Kind::CharacterDevice | Kind::BlockDevice => device(entry.device),
        Kind::Directory | Kind::File | Kind::Link | Kind::Fifo | Kind::Socket => entry.size.to_string(),
    };
    let (date, time) = date_and_time(entry.modified.0);
    let head = format!("{} {}/{} {size} {date} {time} {PREFIX}", mode_text(entry), entry.uid, entry.gid);
    let mut line = head.into_bytes();
    if !path.is_empty() {
        line.push(b'/');
        line.extend_from_slice(path);
    }
    if let Some(target) = &entry.target {
        line.extend_from_slice(b" -> ");
        line.extend_from_slice(target);
    }
    line
}

/// unsquashfs splits the kernel's encoded device number at the eighth bit, also where the minor number is larger.
fn device((major, minor): (u64, u64)) -> String {
    let encoded = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
    format!("{},{}", encoded >> 8, encoded & 0xff)
}

fn mode_text(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Link => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mut text = String::from(kind);
    for (shift, special, letters) in [(6, 0o4000, "sS"), (3, 0o2000, "sS"), (0, 0o1000, "tT")] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        let mut letters = letters.chars();
        text.push(match (entry.mode & special != 0, bits & 1 != 0) {
            (true, true) => letters.next().unwrap_or('s'),
            (true, false) => letters.nth(1).unwrap_or('S'),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn entry(kind: Kind, mode: u32, size: u64) -> Entry {
        Entry {
            kind,
            mode,
            uid: 1000,
            gid: 33,
            size,
            modified: (1_700_000_000, 0),
            changed: (1_700_000_000, 0),
            rewritten: false,
            inode: (0, 0),
            device: (0, 0),
            target: None,
        }
    }

    /// Lines as unsquashfs 4.5.1 prints them, and the entries they stand for.
    #[test]
    fn a_line_and_its_entry_agree() {
        let link = Entry { target: Some(b"/a -> b".to_vec()), ..entry(Kind::Link, 0o777, 7) };
        let console = Entry { device: (5, 1), ..entry(Kind::CharacterDevice, 0o600, 0) };
        let large = Entry { device: (300, 70_000), ..entry(Kind::BlockDevice, 0o644, 0) };
        let cases = [
            (
                "drwxr-x--- 1000/33                71 2023-11-14 22:13 squashfs-root",
                "",
                entry(Kind::Directory, 0o750, 0),
            ),
            (
                "-rwsr-xr-x 1000/33            300000 2023-11-14 22:13 squashfs-root/bin/s u",
                "bin/s u",
                entry(Kind::File, 0o4755, 300_000),
            ),
            (
                "-rwSr-Sr-T 1000/33                 0 2023-11-14 22:13 squashfs-root/x",
                "x",
                entry(Kind::File, 0o7644, 0),
            ),
            (
                "drwxrwxrwt 1000/33                 3 2023-11-14 22:13 squashfs-root/tmp",
                "tmp",
                entry(Kind::Directory, 0o1777, 0),
            ),
            ("lrwxrwxrwx 1000/33                 7 2023-11-14 22:13 squashfs-root/l -> /a -> b", "l", link),
            (
                "crw------- 1000/33           5,  1 2023-11-14 22:13 squashfs-root/dev/console",
                "dev/console",
                console,
            ),
            (
                "brw-r--r-- 1000/33         1118508,112 2023-11-14 22:13 squashfs-root/dev/big",
                "dev/big",
                large,
            ),
            (
                "prw-r--r-- 1000/33                 0 2023-11-14 22:13 squashfs-root/f",
                "f",
                entry(Kind::Fifo, 0o644, 0),
            ),
        ];
        for (line, path, entry) in cases {
            let parsed = parsed_line(line.as_bytes()).unwrap();
            let listed = listed_line(path.as_bytes(), &entry);
            assert_eq!(shown(&parsed), shown(&parsed_line(&listed).unwrap()), "{line}");
        }
    }

    #[test]
    fn dates_are_those_of_utc() {
        let cases = [
            (0, "1970-01-01", "00:00"),
            (951_827_696, "2000-02-29", "12:34"),
            (1_776_182_305, "2026-04-14", "15:58"),
            (4_107_542_399, "2100-02-28", "23:59"),
            (4_107_542_400, "2100-03-01", "00:00"),
        ];
        for (seconds, date, time) in cases {
            assert_eq!(date_and_time(seconds), (date.to_owned(), time.to_owned()));
        }
    }

    /// Names that a listing does not escape, as unsquashfs itself lists them.
    #[test]
    fn names_that_look_like_something_else_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        // A name cannot hold the slash between the owner and the group, but a folder and a file in it do.
        fs::create_dir(root.join("x\n-rw-r--r-- 0")).unwrap();
        let names: [&[u8]; 6] = [
            b"two\nlines",
            b"x\n-rw-r--r-- 0/0 1 2023-11-14 22:13 squashfs-root",
            b" begins with a blank",
            b"a -> b",
            b"squashfs-root",
            b"no\xfftext",
        ];
        for name in names {
            fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
        }
        symlink("a\nb", root.join("link")).unwrap();
        let image = folder.path().join("image");
        let pack = || {
            let words = ["-noappend", "-quiet", "-no-progress"];
            let made = std::process::Command::new("mksquashfs").arg(&root).arg(&image).args(words).output();
            assert!(made.unwrap().status.success());
        };
        pack();
        compare(&image, 0, &Snapshot::take(&root).unwrap()).unwrap();
        fs::write(root.join("two\nlines"), "another length").unwrap();
        let error = compare(&image, 0, &Snapshot::take(&root).unwrap()).unwrap_err().to_string();
        assert!(error.contains("/two"), "{error}");
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let kind = prop_oneof![
            Just(Kind::File),
            Just(Kind::Directory),
            Just(Kind::Link),
            Just(Kind::CharacterDevice),
            Just(Kind::BlockDevice),
            Just(Kind::Fifo),
            Just(Kind::Socket),
        ];
        let numbers = (0u32..0o10000, any::<u32>(), any::<u32>(), any::<u64>());
        let times = (0i64..8_000_000_000, 0u64..4096, 0u64..1 << 20);
        (kind, numbers, times, "[^\0]{1,20}").prop_map(|(kind, numbers, times, target)| {
            let ((mode, uid, gid, size), (time, major, minor)) = (numbers, times);
            let target = (kind == Kind::Link).then(|| target.into_bytes());
            let device = (major, minor);
            Entry { uid, gid, modified: (time, 0), device, target, ..entry(kind, mode, size) }
        })
    }

    proptest! {
        /// Each line holds all of its entry, but for a directory's size.
        #[test]
        fn what_is_listed_is_read_as_it_was(
            path in "[^\0\n]{1,40}",
            one in any_entry(),
            other in any_entry(),
            wide in 0usize..12,
        ) {
            let line = listed_line(path.as_bytes(), &one);
            let read = parsed_line(&line).unwrap();
            let end = [b" /", path.as_bytes()].concat();
            prop_assert!(read.windows(end.len()).any(|part| part == end));
            // The columns are as wide as what is in them.
            let text = shown(&line).replacen(' ', &" ".repeat(wide + 1), 3);
            prop_assert_eq!(parsed_line(text.as_bytes()), parsed_line(shown(&line).as_bytes()));
            let facts = |entry: &Entry| (
                entry.kind,
                entry.mode,
                (entry.uid, entry.gid),
                entry.modified.0 / 60,
                (entry.kind != Kind::Directory && !entry.kind.is_device()).then_some(entry.size),
                entry.kind.is_device().then_some(entry.device),
                entry.target.clone(),
            );
            let same = parsed_line(&listed_line(path.as_bytes(), &other)) == Some(read);
            prop_assert_eq!(same, facts(&one) == facts(&other));
        }

        #[test]
        fn no_listing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parsed(&bytes);
        }
    }
}
