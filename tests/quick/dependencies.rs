//! The printer program's dependency tree stays small: every crate in it is on this list on purpose.

use std::process::Command;

/// Every crate that may be linked into the program for the printer, dependencies of dependencies included.
const ALLOWED: &str = include_str!("dependencies.txt");

#[test]
fn the_printer_program_links_only_what_is_on_the_list() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", "octobridge", "--edges", "normal,no-proc-macro"])
        .args(["--target", "aarch64-unknown-linux-musl", "--prefix", "none", "--format", "{p}"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut linked: Vec<&str> =
        std::str::from_utf8(&output.stdout).unwrap().lines().filter_map(|l| l.split(' ').next()).collect();
    linked.sort_unstable();
    linked.dedup();
    let allowed: Vec<&str> = ALLOWED.lines().filter(|line| !line.starts_with('#')).collect();
    let new: Vec<_> = linked.iter().filter(|name| !allowed.contains(name)).collect();
    let gone: Vec<_> = allowed.iter().filter(|name| !linked.contains(name)).collect();
    assert!(new.is_empty(), "not on the list in tests/quick/dependencies.txt: {new:?}");
    assert!(gone.is_empty(), "on the list, but no longer linked: {gone:?}");
}
