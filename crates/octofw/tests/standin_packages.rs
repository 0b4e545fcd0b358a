//! Debian's packages for the printer's architecture, fetched for real (from the cache after the first time).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]

use std::fs;
use std::path::{Path, PathBuf};

use octofw::debian::{ARCHITECTURE, Archive, is_kernel};
use octofw::lock::Lock;

fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/octofw")
}

/// Machine type of an ELF file (System V ABI, `e_machine`), 183 for AArch64.
fn elf_machine(path: &Path) -> u16 {
    let head = fs::read(path).unwrap();
    assert_eq!(&head[..4], b"\x7fELF");
    u16::from_le_bytes([head[18], head[19]])
}

#[test]
fn busybox_of_the_printer_s_architecture_is_fetched_and_served_offline_afterwards() {
    let status = fs::read("/var/lib/dpkg/status").unwrap();
    let deb = Archive::open(&cache()).unwrap().fetch("busybox-static", None).unwrap();
    assert_eq!(deb.architecture, ARCHITECTURE);
    let unpacked = tempfile::tempdir().unwrap();
    deb.unpack_to(unpacked.path()).unwrap();
    assert_eq!(elf_machine(&unpacked.path().join("bin/busybox")), 183);

    let mut lock = Lock::new();
    lock.lock_deb(&deb);
    let again = Archive::open(&cache()).unwrap().offline(true).fetch("busybox-static", Some(&lock)).unwrap();
    assert_eq!(again, deb);
    let mut met = Lock::new();
    met.lock_deb(&again);
    assert_eq!(lock.drifts_of(&met), []);
    assert_eq!(fs::read("/var/lib/dpkg/status").unwrap(), status, "the machine's own packages are untouched");
}

#[test]
fn a_locked_version_that_no_mirror_has_any_more_gives_the_current_one_and_a_difference() {
    let mut lock = Lock::new();
    lock.lock_package("busybox-static", "1:0.0.1-1", &"0".repeat(64));
    let deb = Archive::open(&cache()).unwrap().fetch("busybox-static", Some(&lock)).unwrap();
    let mut met = Lock::new();
    met.lock_deb(&deb);
    let drift = lock.drifts_of(&met)[0].to_string();
    assert!(drift.contains("1:0.0.1-1") && drift.contains(&deb.version), "{drift}");
}

#[test]
fn an_unknown_package_is_named() {
    let error =
        Archive::open(&cache()).unwrap().fetch("no-such-package-at-all", None).unwrap_err().to_string();
    assert!(error.contains("no-such-package-at-all"), "{error}");
}

#[test]
fn the_kernel_is_the_versioned_one_behind_the_metapackage() {
    let deb = Archive::open(&cache()).unwrap().fetch_kernel(None).unwrap();
    assert!(is_kernel(&deb.package), "{}", deb.package);
    let mut lock = Lock::new();
    lock.lock_deb(&deb);
    let again = Archive::open(&cache()).unwrap().offline(true).fetch_kernel(Some(&lock)).unwrap();
    assert_eq!(again, deb);
}
