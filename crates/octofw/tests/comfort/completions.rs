//! `octofw completions`.

use std::fs;
use std::process::Command;

use crate::{octofw, printed};

fn script(shell: &str) -> String {
    printed(octofw(&std::env::temp_dir(), &["completions", shell]), 0)
}

/// What bash offers after these words, the last of which is not finished. Not by a person's own bash: that reads
/// settings, and a bash that nobody types into has no completion of its own.
fn offered(words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("octofw.bash"), script("bash")).unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let ask = r#"
        set -eu; source ./octofw.bash; complete -p octofw >/dev/null; compopt() { echo "compopt $*" >&2; }
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); set +eu
        _octofw octofw "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", ask, "bash", "octofw"])
        .args(words)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_bash_that_nobody_types_into_can_source_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("octofw.bash");
    fs::write(&path, script("bash")).unwrap();
    let line = format!("set -eu; source {}; complete -p octofw", path.display());
    let output = Command::new("bash").args(["--norc", "--noprofile", "-c", &line]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("-F _octofw") && told.trim_end().ends_with(" octofw"), "{told}");
}

#[test]
fn bash_offers_commands_options_values_and_files() {
    assert_eq!(offered(&["bui"]), ["build"]);
    let commands = offered(&[""]);
    for command in ["build", "cache", "completions", "manual", "plan", "verify"] {
        assert!(commands.contains(&command.to_owned()), "{command}: {commands:?}");
    }
    for hidden in ["session", "script-tool"] {
        assert!(!commands.contains(&hidden.to_owned()), "{hidden} is for octofw itself");
    }
    assert_eq!(offered(&["cache", "pr"]), ["prune"]);
    assert_eq!(offered(&["build", "--ba"]), ["--base"]);
    assert_eq!(offered(&["plan", "--order", "cla"]), ["classic"]);
    assert!(offered(&["build", "--base", "fi"]).contains(&"file".to_owned()), "a file is wanted");
    let folders = offered(&["list", "--overlay", "f"]);
    assert!(folders.iter().any(|line| line.contains("plusdirs")), "a folder is wanted: {folders:?}");
    assert!(!folders.contains(&"file".to_owned()), "{folders:?}");
}

#[test]
fn every_shell_gets_its_script() {
    for (shell, expected) in [
        ("zsh", "#compdef octofw"),
        ("fish", "complete -c octofw"),
        ("elvish", "set edit:completion:arg-completer[octofw]"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'octofw'"),
    ] {
        let script = script(shell);
        assert!(script.contains(expected), "{shell}: {script}");
        assert!(script.contains("rehearse") && !script.contains("script-tool"), "{shell}");
    }
    let zsh = script("zsh");
    assert!(zsh.contains(":DIR:_files -/"), "a folder is wanted");
    let wrong = octofw(&std::env::temp_dir(), &["completions", "tcsh"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("bash, elvish, fish, powershell, zsh"));
}
