//! Keeps the service small while nothing happens: what a process needed to start, or for the job before, is not needed to
//! wait.

use nix::sys::mman::{MmapAdvise, madvise};
use std::ffi::c_void;
use std::ptr::NonNull;

/// Gives back the pages of the program's own code and constants that are mapped. Those that are needed again come back
/// from the page cache, or from the root's file system where the kernel took them for something else meanwhile. Counts
/// for little more than the figure that `top` shows, but that is what people judge by on a printer with one gigabyte.
pub(crate) fn give_back_code() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/smaps") else { return };
    for (start, length) in untouched(&maps) {
        let Some(address) = NonNull::new(start as *mut c_void) else { continue };
        // SAFETY: the range is a private mapping of the program's file, cannot be written, and has no page that differs
        // from the file, so the pages that are given back have the same content when they are read again.
        let _ = unsafe { madvise(address, length, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Start and length of each mapping of the program's file that cannot be written and never was: what the loader
/// relocated before it took the right to write away is no longer what the file says.
fn untouched(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        match line.split_once(':') {
            Some(("Anonymous", size)) if size.trim() == "0 kB" => found.extend(mapping.take()),
            // A mapping's own line has its first colon in the device number.
            Some((name, _)) if !name.contains(' ') => {}
            _ => mapping = read_only_code(line),
        }
    }
    found
}

/// Start and length of a mapping of the program's file that cannot be written; `None` for all others.
fn read_only_code(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let path = fields.nth(3)?;
    if permissions.contains('w') || !permissions.ends_with('p') || !path.ends_with("/octobridge") {
        return None;
    }
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_and_was_never_written() {
        let smaps = "\
00200000-00201000 r--p 00000000 fe:00 81    /usr/local/bin/octobridge
Size:                  4 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
002a2000-002a4000 r-xp 00092000 fe:00 81    /usr/local/bin/octobridge
Anonymous:             0 kB
00300000-00301000 r--p 00100000 fe:00 81    /usr/local/bin/octobridge
Anonymous:             4 kB
00423000-00433000 rw-p 00203000 fe:00 81    /usr/local/bin/octobridge
Anonymous:             0 kB
00500000-00501000 r--p 00000000 fe:00 82    /usr/lib/libother.so
Anonymous:             0 kB
351e7000-351e8000 rw-p 00000000 00:00 0     [heap]
Anonymous:             4 kB
nonsense
";
        assert_eq!(untouched(smaps), [(0x20_0000, 0x1000), (0x2a_2000, 0x2000)]);
    }
}
