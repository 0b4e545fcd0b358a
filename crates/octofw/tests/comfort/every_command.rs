//! What every command offers.

use crate::{command, octofw, printed};

/// The words of every command that people call.
fn commands() -> Vec<Vec<String>> {
    let page = printed(octofw(&std::env::temp_dir(), &["manual"]), 0);
    let name = |line: &str| Some(line.strip_prefix("### `octofw ")?.strip_suffix('`')?.to_owned());
    page.lines().filter_map(name).map(|name| name.split(' ').map(str::to_owned).collect()).collect()
}

fn help(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    printed(octofw(&std::env::temp_dir(), &words), 0)
}

/// Commands that only have others below them.
fn is_leaf(command: &[String], all: &[Vec<String>]) -> bool {
    !all.iter().any(|other| other.len() > command.len() && other.starts_with(command))
}

#[test]
fn every_command_has_help_with_an_example_or_is_below_one_that_has() {
    let all = commands();
    assert!(all.len() > 20, "{all:?}");
    for command in all {
        let help = help(&command);
        assert!(help.contains("Usage: octofw "), "{help}");
        assert!(command.len() > 1 || help.contains("Example: octofw "), "{help}");
        assert!(help.contains("--color <WHEN>"), "{help}");
    }
}

/// Who keeps what a command prints in a file, and has no room for it, must not take the rest for the whole.
#[test]
fn what_finds_no_room_on_a_disk_is_a_failure() {
    for arguments in [&["--help"][..], &["--version"], &["plan", "--help"], &["help", "lint"], &["manual"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command(&std::env::temp_dir(), arguments).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.starts_with("octofw: cannot write to standard output: No space"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn every_result_is_there_for_machines_too() {
    // A script for a shell is one already.
    const TEXT: [&str; 1] = ["completions"];
    let all = commands();
    for command in all.iter().filter(|command| is_leaf(command, &all) && !TEXT.contains(&command[0].as_str()))
    {
        assert!(help(command).contains("--json"), "{command:?}");
    }
}

#[test]
fn whatever_writes_can_do_so_dry() {
    let all = commands();
    for line in [
        "attest",
        "build",
        "cache clear",
        "cache prune",
        "keygen",
        "licences texts",
        "lock",
        "manual",
        "pack",
        "sbom image",
        "sbom program",
        "sign",
        "standin",
        "unpack",
    ] {
        let command: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert!(all.contains(&command), "{line}");
        assert!(help(&command).contains("--dry-run"), "{line}");
    }
}

#[test]
fn a_dry_run_writes_nothing_and_tells_what_it_would() {
    let folder = tempfile::tempdir().unwrap();
    let key = ["keygen", "--secret", "key", "--public", "key.pub", "--no-passphrase"];
    let told = printed(octofw(folder.path(), &[&key[..], &["--dry-run"]].concat()), 0);
    assert_eq!(told, "key, key.pub: would be written\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    printed(octofw(folder.path(), &key), 0);
    let again = octofw(folder.path(), &[&key[..], &["--dry-run"]].concat());
    assert_eq!(again.status.code(), Some(1), "it would replace a file");

    std::fs::write(folder.path().join("file"), "x").unwrap();
    let told = printed(octofw(folder.path(), &["sign", "file", "--key", "key", "--dry-run"]), 0);
    assert!(told.starts_with("file.minisig (would be written, "), "{told}");
    assert!(!folder.path().join("file.minisig").exists());
}
