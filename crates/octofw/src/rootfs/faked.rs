//! All that fakeroot remembers, at once.
//!
//! Inside fakeroot each look at a file is a message to the process `faked` and back; a look at all files of a root takes
//! seconds. So `faked` is told to write down what it knows (it does so on SIGUSR1, into the file that it was started
//! with), and the files are looked at without its help. Whatever is unexpected on the way leads back to the slow way.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Owners and modes, as far as they are not as they are on the disk, by device and inode.
pub(crate) type Owners = HashMap<(u64, u64), Remembered>;

/// What is known of one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Permission bits and type.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The process that remembers.
#[derive(Debug)]
pub(super) struct Faked {
    process: Pid,
    file: PathBuf,
    /// A file whose owner tells how new a list is.
    probe: PathBuf,
    asked: Cell<u32>,
}

/// How often a list is asked for that has the newest owner of the probe.
const MOST_ASKED: u32 = 20;

impl Faked {
    /// The one that writes to `file`, where it does remember the owners of `probe`.
    pub(super) fn find(file: &Path, probe: &Path) -> Option<Self> {
        // Until now a pipe stood there.
        fs::remove_file(file).ok()?;
        let process = process(file)?;
        let found = Self { process, file: file.to_owned(), probe: probe.to_owned(), asked: Cell::new(0) };
        found.owners().map(|_| found)
    }

    /// What it remembers now; `None` where that cannot be had.
    pub(super) fn owners(&self) -> Option<Owners> {
        let real = real(&self.probe).ok()?;
        let number = self.asked.get().checked_add(1)?;
        self.asked.set(number);
        chown(&self.probe, Some(number), Some(number)).ok()?;
        for _ in 0..MOST_ASKED {
            // To change an owner is a message without an answer, to look at one is answered after all before it were read.
            fs::symlink_metadata(&self.probe).ok()?;
            kill(self.process, Signal::SIGUSR1).ok()?;
            fs::symlink_metadata(&self.probe).ok()?;
            let owners = fs::read_to_string(&self.file).ok().and_then(|text| parse(&text));
            let newest = |found: &Remembered| (found.uid, found.gid) == (number, number);
            if let Some(owners) = owners
                && owners.get(&(real.st_dev, real.st_ino)).is_some_and(newest)
            {
                return Some(owners);
            }
        }
        None
    }
}

/// The process that was told to save to `file`.
fn process(file: &Path) -> Option<Pid> {
    let told = [b"--save-file\0", file.as_os_str().as_bytes(), b"\0"].concat();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that ends meanwhile is not the one.
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_faked =
            program.rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.starts_with(b"faked"));
        if is_faked && line.windows(told.len()).any(|part| part == told) {
            return Some(Pid::from_raw(id));
        }
    }
    None
}

/// Reads the lines that `fakeroot -s` writes and `-i` reads. `None` where one of them has another form, or the last one
/// has no end: the list may still be on its way.
pub(crate) fn parse(text: &str) -> Option<Owners> {
    let mut owners = Owners::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return None;
    }
    for line in text.lines() {
        let mut fields = line.split(',').map(|field| field.split_once('='));
        let mut next = |name: &str| match fields.next() {
            Some(Some((found, value))) if found == name => Some(value),
            _ => None,
        };
        let device = u64::from_str_radix(next("dev")?, 16).ok()?;
        let inode = next("ino")?.parse().ok()?;
        let mode = u32::from_str_radix(next("mode")?, 8).ok()?;
        let (uid, gid) = (next("uid")?.parse().ok()?, next("gid")?.parse().ok()?);
        let [_links, _device]: [u64; 2] = [next("nlink")?.parse().ok()?, next("rdev")?.parse().ok()?];
        owners.insert((device, inode), Remembered { mode, uid, gid });
    }
    Some(owners)
}

/// What is at `place` on the disk, whatever fakeroot says.
pub(super) fn real(place: &Path) -> io::Result<rustix::fs::Stat> {
    Ok(rustix::fs::lstat(place)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_list_of_fakeroot_is_read_and_nothing_else() {
        let text = "dev=fe00,ino=10346510,mode=100644,uid=1,gid=2,nlink=1,rdev=0\n\
                    dev=fe00,ino=7,mode=20600,uid=0,gid=5,nlink=1,rdev=1281\n";
        let owners = parse(text).unwrap();
        assert_eq!(owners.len(), 2);
        assert_eq!(owners[&(0xfe00, 10_346_510)], Remembered { mode: 0o100_644, uid: 1, gid: 2 });
        assert_eq!(owners[&(0xfe00, 7)], Remembered { mode: 0o20_600, uid: 0, gid: 5 });
        for other in [
            "dev=fe00,ino=1\n",
            "ino=1,dev=1,mode=1,uid=1,gid=1,nlink=1,rdev=0\n",
            "dev=x,ino=1,mode=1,uid=1,gid=1,nlink=1,rdev=0\n",
            "dev=1,ino=1,mode=1,uid=1,gid=1\n",
            "dev=1,ino=1,mode=1,uid=1,gid=1,nlink=1,rdev=0",
            "\n",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    fn any_owners() -> impl Strategy<Value = Owners> {
        let one = any::<(u32, u32, u32)>().prop_map(|(mode, uid, gid)| Remembered { mode, uid, gid });
        proptest::collection::hash_map(any::<(u64, u64)>(), one, 0..20)
    }

    proptest! {
        #[test]
        fn what_fakeroot_wrote_is_read(owners in any_owners(), cut: proptest::sample::Index) {
            let line = |((device, inode), Remembered { mode, uid, gid }): (&(u64, u64), &Remembered)| {
                format!("dev={device:x},ino={inode},mode={mode:o},uid={uid},gid={gid},nlink=1,rdev=0\n")
            };
            let text: String = owners.iter().map(line).collect();
            prop_assert_eq!(parse(&text), Some(owners.clone()));
            // A list that was cut off is none, but where a line ends.
            let cut = &text[..cut.index(text.len() + 1)];
            prop_assert_eq!(parse(cut).is_some(), cut.is_empty() || cut.ends_with('\n'), "{:?}", cut);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
