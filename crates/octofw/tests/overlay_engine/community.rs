//! A tree of the community's layout, as small as it can be, through the whole of `octofw build`.

use std::fs;
use std::process::Command;

use octofw::image::Image;
use octofw::standin::container::{ContainerOptions, write_container};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{OCTOFW, Scribe, base};

/// A tree whose overlays write down who they are and what they see.
fn tree(newer: bool) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let folders: &[&str] = if newer {
        &[
            "common/99-last",
            "firmware-extended/01-first",
            "mods/alice/01-a",
            "mods/devel/21-d",
            "firmware-plain/01-p",
        ]
    } else {
        &[
            "common/99-last",
            "firmware-extended/01-first",
            "devel/21-d",
            "firmware-plain/01-p",
            "staging/01-parked",
        ]
    };
    for folder in folders {
        let place = tree.path().join("overlays").join(folder);
        fs::create_dir_all(&place).unwrap();
        let name = folder.split('/').next_back().unwrap();
        Scribe(place)
            .script("pre-scripts/1.sh", "echo pre $0 >>$ROOTFS_DIR/etc/log; tool.sh >>$ROOTFS_DIR/etc/log")
            .script(
                "scripts/1.sh",
                &format!("[ -n \"$CREATE_FIRMWARE\" ]; [ \"$1\" = \"$ROOTFS_DIR\" ]; pwd >$1/etc/cwd; echo script {name} $PROFILE $(test -e $1/etc/{name} && cat $1/etc/{name}) >>$1/etc/log"),
            )
            .file(&format!("root/etc/{name}"), "copied")
            .file("README.md", "ignored")
            .file("test/x", "ignored");
    }
    let helpers = tree.path().join("scripts/helpers");
    fs::create_dir_all(&helpers).unwrap();
    // One of the tree's own, and one that would need root and must not be taken.
    Scribe(helpers).script("tool.sh", "echo tool").script("chroot_firmware.sh", "exit 9");
    fs::write(tree.path().join("base.squashfs"), base()).unwrap();
    let at = |name: &str| tree.path().join(name);
    write_container(&at("base.squashfs"), &ContainerOptions::default(), &at("base.bin")).unwrap();
    tree
}

/// What the build says, and the log that the overlays left in the image.
fn build(tree: &TempDir, more: &[&str]) -> (Option<i32>, String, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let out = elsewhere.path().join("firmware.bin");
    let ended = Command::new(OCTOFW)
        .args(["build", "--quiet", "--base"])
        .arg(tree.path().join("base.bin"))
        .arg("--tree")
        .arg(tree.path())
        .arg("--out")
        .arg(&out)
        .args(more)
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let read = || {
        let squashfs = elsewhere.path().join("squashfs");
        Image::open(&out).ok()?.extract_part("rootfs.img", &squashfs).ok()?;
        let log = Command::new("unsquashfs")
            .arg("-cat")
            .arg(squashfs)
            .args(["etc/log", "etc/cwd"])
            .output()
            .ok()?;
        String::from_utf8(log.stdout).ok()
    };
    (ended.status.code(), said, read().unwrap_or_default())
}

#[test]
fn profiles_of_both_layouts_apply_in_their_order_and_dialect() {
    let (older, newer) = (tree(false), tree(true));
    // Name of the overlay, its place, and whether root/ came before the scripts.
    let common = ("99-last", "common");
    let first = ("01-first", "firmware-extended");
    let cases = [
        (&older, &["--profile", "extended"][..], "extended", vec![common, first], false),
        (
            &older,
            &["--profile", "extended-devel"],
            "extended-devel",
            vec![common, first, ("21-d", "devel")],
            false,
        ),
        (&older, &["--profile", "plain"], "plain", vec![common, ("01-p", "firmware-plain")], false),
        (&older, &["--profile", "extended", "--order", "current"], "extended", vec![common, first], true),
        (&newer, &["--profile", "extended"], "extended", vec![common, first], true),
        (
            &newer,
            &["--profile", "extended-alice-devel"],
            "extended-alice-devel",
            vec![common, first, ("01-a", "mods/alice"), ("21-d", "mods/devel")],
            true,
        ),
        (
            &newer,
            &["--profile", "extended", "--mod", "devel", "--mod", "alice"],
            "extended-devel-alice",
            vec![common, first, ("21-d", "mods/devel"), ("01-a", "mods/alice")],
            true,
        ),
        (&newer, &["--profile", "extended", "--order", "classic"], "extended", vec![common, first], false),
    ];
    for (tree, options, profile, overlays, root_first) in cases {
        let (code, said, log) = build(tree, options);
        assert_eq!(code, Some(0), "{options:?}: {said}");
        let mut expected = String::new();
        for (name, group) in overlays {
            let copied = if root_first { " copied" } else { "" };
            expected += &format!(
                "pre ./overlays/{group}/{name}/pre-scripts/1.sh\ntool\nscript {name} {profile}{copied}\n"
            );
        }
        expected += &format!("{}\n", tree.path().canonicalize().unwrap().display());
        assert_eq!(log, expected, "{options:?}");
    }
}

/// Every command that looks at overlays takes a profile for them, and `--overlay` adds to it.
#[test]
fn commands_that_do_not_build_know_profiles_too() {
    let tree = tree(false);
    let elsewhere = tempfile::tempdir().unwrap();
    Scribe(elsewhere.path().join("50-more")).file("root/etc/more", "more");
    Scribe(elsewhere.path().join("40-named")).file("root/etc/named", "named");
    let place = |path: &str| tree.path().join(path).display().to_string();
    let (base, folder) = (place("base.bin"), tree.path().display().to_string());
    let octofw = |words: &[&str], more: &[&str]| {
        let select = ["--tree", &folder, "--profile", "extended-devel", "--overlay", "50-more"];
        let ended = Command::new(OCTOFW)
            .args(words)
            .args(select)
            .args(more)
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        (
            ended.status.code(),
            String::from_utf8(ended.stdout).unwrap(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    let parsed = |(code, out, err): (Option<i32>, String, String)| {
        let value: Value = serde_json::from_str(&out).expect(&err);
        (code, value)
    };
    let names = |value: &Value| -> Vec<String> {
        let list = value["overlays"].as_array().unwrap();
        list.iter().map(|overlay| overlay["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["99-last", "01-first", "21-d", "50-more"];
    for words in [&["list", "--json"][..], &["plan", "--json", "--base", &base]] {
        let (code, told) = parsed(octofw(words, &[]));
        assert_eq!((code, names(&told)), (Some(0), all.map(str::to_owned).to_vec()), "{words:?}");
        assert_eq!((&told["order"], &told["profile"]), (&"classic".into(), &"extended-devel".into()));
        assert_eq!(parsed(octofw(words, &["--order", "current"])).1["order"], "current");
    }
    let (_, told) = parsed(octofw(&["explain", "/etc/21-d", "--json", "--base", &base], &[]));
    assert_eq!(told["steps"][0]["overlay"], "21-d");
    // Scripts run in the tree's folder, with its profile and its helpers.
    let (_, told) = parsed(octofw(&["explain", "/etc/cwd", "--json", "--base", &base], &["--run-scripts"]));
    assert_eq!(told["steps"][0]["source"], "scripts/1.sh");
    assert_eq!(octofw(&["explain", "/etc/x", "--image", &base], &[]).0, Some(2), "an image has its overlays");
    // A folder that lint is given by itself comes after those of the tree, and before --overlay.
    let (_, report) = parsed(octofw(&["lint", "--json", "40-named"], &[]));
    let looked_at = json!(["99-last", "01-first", "21-d", "40-named", "50-more"]);
    assert_eq!(report["looked_at"], looked_at);
    for words in [&["list"][..], &["plan", "--base", &base], &["explain", "/x", "--base", &base], &["lint"]] {
        let wrong =
            Command::new(OCTOFW).args(words).args(["--tree", &folder, "--profile", "x"]).output().unwrap();
        let said = String::from_utf8(wrong.stderr).unwrap();
        assert!(wrong.status.code() == Some(2) && said.contains("has no profile"), "{words:?}: {said}");
    }
}

#[test]
fn a_wrong_profile_is_wrong_usage_and_says_what_there_is() {
    let (older, newer) = (tree(false), tree(true));
    for (tree, options, expected) in [
        (&older, &["--profile", "basic"][..], "has no profile \"basic\"; it has: extended, plain"),
        (&older, &["--profile", "extended-alice"], "has no mod \"alice\"; it has: devel"),
        (&newer, &["--profile", "extended", "--mod", "bob"], "has no mod \"bob\"; it has: alice, devel"),
        (&newer, &[], "--profile <NAME>"),
    ] {
        let (code, said, log) = build(tree, options);
        assert!(code == Some(2) && said.contains(expected), "{options:?}: {said}");
        assert!(log.is_empty());
    }
}
