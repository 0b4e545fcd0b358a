//! Every script of the stand-in: linted, parsed by the printer's shell, and with LF line ends.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn recipe() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rootfs"), &mut found);
    found.sort();
    found
}

/// Files that a shell runs or sources.
fn scripts() -> Vec<PathBuf> {
    let is_script = |path: &PathBuf| {
        fs::read(path).unwrap().starts_with(b"#!/bin/sh\n") || path.extension().is_some_and(|end| end == "sh")
    };
    let scripts: Vec<_> = recipe().into_iter().filter(is_script).collect();
    assert!(scripts.len() > 15, "{scripts:?}");
    scripts
}

#[test]
fn shellcheck_has_no_complaint() {
    let output = Command::new("shellcheck").args(["-s", "sh"]).args(scripts()).output();
    let output = output.expect("shellcheck must be installed: apt-get install shellcheck");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn busybox_and_dash_can_parse_every_script() {
    for shell in [&["busybox", "sh", "-n"][..], &["dash", "-n"]] {
        for script in scripts() {
            let output = Command::new(shell[0]).args(&shell[1..]).arg(&script).output().unwrap();
            assert!(output.status.success(), "{}: {output:?}", script.display());
        }
    }
}

#[test]
fn there_is_no_carriage_return_anywhere() {
    for path in recipe() {
        assert!(!fs::read(&path).unwrap().contains(&b'\r'), "{}", path.display());
    }
}

#[test]
fn what_init_and_the_printer_run_has_a_shebang_and_is_executable_in_the_table() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rootfs/table")).unwrap();
    for script in scripts() {
        let path = script.to_string_lossy();
        let name = path.rsplit_once("/rootfs/tree/").unwrap().1.replace(".v1.0.py", ".py");
        let lines: Vec<_> = table.lines().filter(|line| line.contains(&format!("file /{name} "))).collect();
        assert!(!lines.is_empty(), "{name}");
        for line in lines {
            assert!(line.contains(" 0755 ") || line.contains(" 4750 "), "{line}");
        }
    }
}
