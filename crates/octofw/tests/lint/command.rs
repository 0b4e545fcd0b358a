//! The program: what it prints and how it ends.

use std::process::{Command, Output};

use serde_json::Value;

use crate::base;
use crate::bed::{Bed, INIT};

fn octofw(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octofw"));
    command.arg("lint").args(arguments).env_remove("NO_COLOR").output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An overlay with an error and a note, and its folder.
fn broken() -> (Bed, String) {
    let mut bed = Bed::new();
    bed.program("root/etc/init.d/S66x", INIT.replace("-c lava", "-u lava").replace("status)", "state)"));
    let folder = bed.overlay("01-a").display().to_string();
    (bed, folder)
}

#[test]
fn findings_are_printed_as_compilers_do_with_the_remedy_below() {
    let (_bed, folder) = broken();
    let output = octofw(&[&folder]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    let first = format!(
        "{folder}/root/etc/init.d/S66x:3: error: start-stop-daemon -S -u starts it as root: -u only matches processes [init/user-only-matched]\n    remedy: write -c USER instead of -u USER\n"
    );
    assert!(text.contains(&first), "{text}");
    assert!(
        text.contains("not looked at, since there is no --base to look at: files/replaces-stock, "),
        "{text}"
    );
    assert!(
        text.ends_with("01-a: 1 error, 1 note\noctofw lint --explain CODE says more about one.\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "a pipe is no terminal");
    assert!(printed(&octofw(&["--color", "always", &folder])).contains("\u{1b}[1;31merror\u{1b}[0m"));
    let only = printed(&octofw(&["--level", "warning", "--overlay", &folder]));
    assert!(!only.contains("note"), "{only}");
}

/// What was meant by a name of nothing is not known: it may be the image that a build did not write.
#[test]
fn a_name_of_nothing_may_be_that_of_an_image_too() {
    let (_bed, folder) = broken();
    for arguments in [vec!["missing.bin"], vec![folder.as_str(), "missing.bin"]] {
        let output = octofw(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "octofw: there is neither an overlay folder nor a firmware file missing.bin\n");
        assert_eq!(output.status.code(), Some(2));
    }
    let said = octofw(&["--overlay", "missing"]).stderr;
    assert_eq!(String::from_utf8_lossy(&said), "octofw: there is no overlay folder missing\n");
    let said = octofw(&["--overlay", base::packed().to_str().unwrap()]).stderr;
    let expected = format!("octofw: {} is no folder, so no overlay\n", base::packed().display());
    assert_eq!(String::from_utf8_lossy(&said), expected);
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let (_bed, folder) = broken();
    let mut good = Bed::new();
    let good_folder = good.file("root/x", "").overlay("01-a").display().to_string();
    let not_an_image = good.folder.path().join("x.bin");
    std::fs::write(&not_an_image, vec![7; 4096]).unwrap();
    let base = base::packed().to_str().unwrap();
    let image = not_an_image.to_str().unwrap();
    for (arguments, code) in [
        (vec![folder.as_str()], 1),
        (vec![good_folder.as_str()], 0),
        (vec![good_folder.as_str(), "--base", base], 0),
        (vec![], 2),
        (vec!["--nothing"], 2),
        (vec![good_folder.as_str(), base], 2),
        (vec![base, base], 2),
        (vec!["--explain", "init/nothing"], 2),
        (vec!["--explain", "init/name"], 0),
        (vec!["--list"], 0),
        // A pipeline that goes on in spite of findings shall not go on without having looked.
        (vec!["/nonexistent/overlay"], 2),
        (vec!["--overlay", "/nonexistent/overlay"], 2),
        (vec!["--base", base, good_folder.as_str(), "/nonexistent/overlay"], 2),
        (vec![image], 3),
        (vec![good_folder.as_str(), "--base", image], 3),
        (vec![good_folder.as_str(), good_folder.as_str()], 2),
    ] {
        let output = octofw(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
}

#[test]
fn programs_are_told_too() {
    let (_bed, folder) = broken();
    let json: Value = serde_json::from_slice(&octofw(&["--json", &folder]).stdout).unwrap();
    assert_eq!((&json["schema"], &json["ok"], &json["base"]), (&1.into(), &false.into(), &Value::Null));
    let found = &json["findings"][1];
    assert_eq!(found["code"], "init/user-only-matched");
    assert_eq!(found["severity"], "error");
    assert_eq!(found["overlay"], "01-a");
    assert_eq!(found["path"], "root/etc/init.d/S66x");
    assert_eq!(found["line"], 3);
    assert_eq!(found["allowed"], Value::Null);

    let text = printed(&octofw(&["--format", "github", &folder]));
    let line = format!("::error file={folder}/root/etc/init.d/S66x,line=3,title=init/user-only-matched::");
    assert!(text.lines().any(|found| found.starts_with(&line)), "{text}");
    assert!(text.lines().any(|found| found.starts_with("::notice file=")), "{text}");

    let sarif: Value = serde_json::from_slice(&octofw(&["--format", "sarif", &folder]).stdout).unwrap();
    let run = &sarif["runs"][0];
    let result = &run["results"][1];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
}

#[test]
fn every_rule_can_be_listed_and_explained() {
    let list = printed(&octofw(&["--list"]));
    let json: Value = serde_json::from_slice(&octofw(&["--list", "--json"]).stdout).unwrap();
    for rule in octofw::lint::rules() {
        assert!(list.lines().any(|line| line.starts_with(rule.code)), "{}", rule.code);
        assert!(json["rules"].as_array().unwrap().iter().any(|one| one["code"] == rule.code));
    }
    let text = printed(&octofw(&["--explain", "init/user-only-matched"]));
    for part in ["(error)", "Why: ", "Remedy: ", "octofw-lint.toml", "code = \"init/user-only-matched\""] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let error = String::from_utf8(octofw(&["--explain", "user"]).stderr).unwrap();
    assert!(error.contains("there are init/user-only-matched"), "{error}");
}
