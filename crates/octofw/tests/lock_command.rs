//! `octofw lock` in a small repository: written, checked, and tampered with.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use octofw::lock::{Lock, observe_sources};

fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/octofw")
}

fn lock(repository: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octofw"));
    command.arg("lock").arg("--cache").arg(cache()).args(more);
    command.current_dir(repository).output().unwrap()
}

fn repository() -> tempfile::TempDir {
    let repository = tempfile::tempdir().unwrap();
    fs::write(repository.path().join("Cargo.lock"), "version = 4\n").unwrap();
    fs::create_dir(repository.path().join("rootfs")).unwrap();
    fs::write(repository.path().join("rootfs/table"), "dir / 0755 0 0\n").unwrap();
    repository
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn what_was_written_checks_out_until_an_input_changes() {
    let repository = repository();
    let written = lock(repository.path(), &[]);
    assert!(written.status.success(), "{}", said(&written));
    let path = repository.path().join("octofw.lock");
    let text = fs::read_to_string(&path).unwrap();
    for input in ["busybox-static", "-cloud-arm64", "Cargo.lock", "rootfs/", "mksquashfs", "rustc"] {
        assert!(text.contains(input), "{input} in {text}");
    }
    assert!(lock(repository.path(), &["--check"]).status.success());
    assert!(lock(repository.path(), &["--offline"]).status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "written again it is the same");

    fs::write(repository.path().join("rootfs/table"), "dir / 0700 0 0\n").unwrap();
    let checked = lock(repository.path(), &["--check"]);
    assert_eq!(checked.status.code(), Some(1));
    let lines = said(&checked);
    assert!(lines.lines().any(|line| line.starts_with("source rootfs/: locked sha256 ")), "{lines}");
    assert!(lines.contains("octofw.lock: 1 input is not the locked one"), "{lines}");
    let checked = lock(repository.path(), &["--check", "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((report["schema"].as_u64(), report["written"].as_bool()), (Some(1), Some(false)));
    assert_eq!(report["differences"][0]["input"], "source rootfs/");
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "a check changes nothing");
}

#[test]
fn a_tampered_lock_is_noticed() {
    let repository = repository();
    assert!(lock(repository.path(), &[]).status.success());
    let path = repository.path().join("octofw.lock");
    let text = fs::read_to_string(&path).unwrap();

    let digest = text.find("\"sha256\": \"").unwrap() + "\"sha256\": \"".len();
    let mut tampered = text.clone();
    tampered
        .replace_range(digest..digest + 4, if &text[digest..digest + 4] == "0000" { "1111" } else { "0000" });
    fs::write(&path, tampered).unwrap();
    let checked = lock(repository.path(), &["--check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(said(&checked).contains("package busybox-static"), "{}", said(&checked));

    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let checked = lock(repository.path(), &["--check"]);
    assert_eq!(checked.status.code(), Some(3), "{}", said(&checked));
    assert!(said(&checked).contains("octofw.lock"));
}

/// Else every build of this repository would warn, and one with `--locked` fail.
#[test]
fn the_lock_of_this_repository_knows_its_present_sources() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut met = Lock::new();
    observe_sources(&mut met, &repository).unwrap();
    let drifts = Lock::read(&repository.join("octofw.lock")).unwrap().drifts_of(&met);
    let lines: Vec<String> = drifts.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "run `make lock` and commit octofw.lock: {lines:#?}");
}

#[test]
fn a_check_needs_a_lock() {
    let repository = repository();
    let checked = lock(repository.path(), &["--check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(said(&checked).contains("cannot read octofw.lock"), "{}", said(&checked));
    assert!(!repository.path().join("octofw.lock").exists());
}
