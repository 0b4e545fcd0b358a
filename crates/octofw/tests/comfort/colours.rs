//! Colours: on a terminal, unless its user wants none; elsewhere only if they are asked for.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{OCTOFW, command, printed};

const ESCAPE: &str = "\u{1b}[";

/// A folder with an overlay.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("one/root/etc");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("new"), "new\n").unwrap();
    folder
}

/// What a call prints on a terminal, which `script` makes.
fn on_terminal(folder: &Path, arguments: &str, set: &[(&str, &str)]) -> String {
    let clean = command(folder, &[]);
    let mut script = Command::new("script");
    script.args(["-qec", &format!("'{OCTOFW}' {arguments}"), "/dev/null"]).current_dir(folder);
    for (name, value) in clean.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.env("TERM", "xterm").envs(set.iter().copied()).stdin(std::process::Stdio::null());
    let said = String::from_utf8(script.output().unwrap().stdout).unwrap();
    // Before an error the line is taken back that tells what is going on; that is no colour.
    said.replace("\r\u{1b}[K", "")
}

#[test]
fn a_terminal_has_colours_unless_its_user_wants_none() {
    let desk = desk();
    for (set, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "")], true),
        (&[("CLICOLOR", "0")], false),
        (&[("TERM", "dumb")], false),
    ] {
        // Results, help, mistakes of the command line, errors.
        for call in ["lint --list", "build --help", "frobnicate", "lint absent"] {
            let said = on_terminal(desk.path(), call, set);
            assert_eq!(said.contains(ESCAPE), coloured, "{call}, {set:?}: {said}");
        }
    }
    assert!(!on_terminal(desk.path(), "--color never lint --list", &[]).contains(ESCAPE));
    assert!(!on_terminal(desk.path(), "build --help --color=never", &[]).contains(ESCAPE));
    assert!(on_terminal(desk.path(), "lint --list --color always", &[("NO_COLOR", "1")]).contains(ESCAPE));
}

#[test]
fn a_pipe_has_colours_only_if_they_are_asked_for() {
    let desk = desk();
    for (more, set, coloured) in [
        (&[][..], ("TERM", "xterm"), false),
        (&["--color", "always"], ("TERM", "xterm"), true),
        (&["--color", "auto"], ("FORCE_COLOR", "1"), true),
        (&[], ("CLICOLOR_FORCE", "1"), true),
        (&[], ("CLICOLOR_FORCE", "0"), false),
        (&["--color", "never"], ("FORCE_COLOR", "1"), false),
    ] {
        for call in [&["lint", "--list"][..], &["build", "--help"]] {
            let mut command = command(desk.path(), &[call, more].concat());
            let said = printed(command.env(set.0, set.1).output().unwrap(), 0);
            assert_eq!(said.contains(ESCAPE), coloured, "{call:?} {more:?} {set:?}: {said}");
        }
        let mut wrong = command(desk.path(), &[&["verify", "absent"], more].concat());
        let output = wrong.env(set.0, set.1).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap().contains(ESCAPE), coloured, "{more:?} {set:?}");
    }
}

/// The commands of scripts take every word as theirs.
#[test]
fn the_option_is_none_of_a_scripts_command() {
    let desk = desk();
    let mut call = command(desk.path(), &["script-tool", "dos2unix", "--color", "never"]);
    call.env("ROOTFS_DIR", desk.path()).env("OCTOFW_CACHE", desk.path());
    let said = String::from_utf8(call.output().unwrap().stderr).unwrap();
    assert!(said.contains("there is no /never in the root"), "the word after the option came too: {said}");
}
