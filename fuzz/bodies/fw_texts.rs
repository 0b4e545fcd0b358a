//! Files that somebody wrote or that a tool did, each with a reader of its own. The first byte chooses the reader, the
//! rest is the file.

use std::fs;
use std::path::{Path, PathBuf};

use octofw::licences::policy::Policy;
use octofw::lock::Lock;
use octofw::outside::READERS;
use octofw::sign;
use octofw::standin::table;
use octofw::{sbom, unpack};

/// The first bytes from here on choose out of [`FILES`], the others out of [`READERS`]; so both lists can grow.
const FIRST_FILE: u8 = 128;
/// Readers of files that other modules show.
const FILES: [fn(&Path); 7] = [lock, bill, policy, recipe, signature, keys, layout];
/// The key of the examples in the documentation of minisign.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

pub(crate) fn run(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let Some(file) = which.checked_sub(FIRST_FILE) else {
        let (name, takes) = READERS[usize::from(*which) % READERS.len()];
        assert!(takes(rest), "{name}");
        return;
    };
    let folder = Folder::new();
    let path = folder.0.join("layout.json");
    fs::write(&path, rest).expect("a file for temporary use");
    FILES[usize::from(file) % FILES.len()](&path);
}

fn lock(path: &Path) {
    let Ok(lock) = Lock::read(path) else { return };
    fs::write(path, lock.to_text().expect("it is written to memory")).expect("a file for temporary use");
    assert_eq!(Lock::read(path).expect("what was written"), lock);
    assert!(lock.compare(&lock).is_empty());
}

fn bill(path: &Path) {
    let Ok(bill) = sbom::read(path) else { return };
    for name in ["bill.cdx.json", "bill.spdx.json"] {
        let _ = sbom::document(&bill, Path::new(name));
    }
    let _ = sbom::audit::section(&bill);
}

fn policy(path: &Path) {
    let _ = Policy::read(path);
}

fn recipe(path: &Path) {
    let text = fs::read(path).expect("it was written just now");
    let _ = table::parse(&String::from_utf8_lossy(&text));
}

fn signature(path: &Path) {
    let key = sign::public_key(KEY).expect("a key");
    assert!(key.check(path, path).is_err(), "a file that is its own signature");
}

fn keys(path: &Path) {
    let _ = sign::public_key(&path.to_string_lossy());
    if !sign::is_encrypted(path).unwrap_or(true) {
        let _ = sign::secret_key(path, None);
    }
}

fn layout(path: &Path) {
    let folder = path.parent().expect("it lies in one");
    // There is nothing but the layout; what it describes is missing.
    assert!(unpack::pack(folder, &folder.join("made")).is_err());
}

/// A folder of this process; in memory, where the machine keeps such.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = folder.join(format!("fuzz-texts-{}-{thread}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for temporary use");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
