//! What a plan foretells is what a build then does: random overlays, planned, built, and compared path by path with
//! what `octofw diff` reads out of the finished image.

use std::cell::Cell;
use std::collections::BTreeMap;

use octofw::image::Image;
use octofw::manifest::Manifest;
use octofw::plan::space;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::bed::Scribe;
use crate::planning::{Desk, json_of};

/// Something that an overlay does.
#[derive(Debug, Clone)]
enum Deed {
    File { path: usize, content: usize, mode: u32 },
    Link { path: usize, target: usize },
    Folder { path: usize },
    Patch { number: usize },
    Owner { path: usize, mode: usize, owner: usize },
    Script { body: usize },
}

/// Places for files and links: new ones, some of the base, hard links, links, one behind a link, one that is mounted over.
const PATHS: [&str; 14] = [
    "etc/new",
    "etc/other",
    "opt/a/b/c",
    "opt/a/x",
    "usr/bin/tool",
    "etc/config",
    "etc/init.d/S50x",
    "bin/sh",
    "bin/busybox",
    "usr/share/target",
    "etc/to-file",
    "etc/to-file-relative",
    "etc/dangling",
    "etc/to-folder/x",
];
/// The content of some files of the base is among them.
const CONTENTS: [&str; 7] =
    ["", "one\n", "two\n", "target\n", "one\ntwo\nthree\n", "root:x:0:0\n", "#!/bin/sh\necho long enough\n"];
const TARGETS: [&str; 3] = ["new", "../usr/share/target", "/tmp/x"];
const PATCHES: [(&str, &str); 4] = [
    ("patches/etc/a.patch", "--- a/config\n+++ b/config\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"),
    ("patches/b.patch", "--- a/etc/config\n+++ b/etc/config\n@@ -4,3 +4,3 @@\n four\n-five\n+5\n six\n"),
    ("patches/c.patch", "--- a/etc/init.d/S50x\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n"),
    ("patches/d.patch", "--- /dev/null\n+++ b/opt/a/patched\n@@ -0,0 +1 @@\n+made\n"),
];
const OWNED: [&str; 7] =
    ["etc/new", "bin/su", "etc/config", "bin/sh", "opt/a", "usr/share/target", "var/lib/private"];
const MODES: [&str; 4] = ["0600", "4755", "0755", "-"];
const OWNERS: [&str; 3] = ["0 0", "1000 33", "- -"];
const SCRIPTS: [&str; 8] = [
    "rm -f etc/dangling",
    "echo more >>etc/config",
    "mkdir -p opt/a && echo x >opt/a/x",
    "mv usr/share/target usr/share/moved 2>/dev/null || true",
    "chmod 700 bin/su; chown 33:33 etc/shadow",
    "rm -r var/lib/locked; mkdir var/lib/locked",
    "ln -f bin/su bin/su2; mkfifo -m 600 etc/pipe 2>/dev/null || true",
    "printf X | dd of=etc/passwd conv=notrunc 2>/dev/null",
];

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..PATHS.len(), 0..CONTENTS.len(), prop_oneof![Just(0o644), Just(0o755)])
            .prop_map(|(path, content, mode)| Deed::File { path, content, mode }),
        1 => (0..PATHS.len(), 0..TARGETS.len()).prop_map(|(path, target)| Deed::Link { path, target }),
        1 => (0..PATHS.len()).prop_map(|path| Deed::Folder { path }),
        2 => (0..PATCHES.len()).prop_map(|number| Deed::Patch { number }),
        2 => (0..OWNED.len(), 0..MODES.len(), 0..OWNERS.len())
            .prop_map(|(path, mode, owner)| Deed::Owner { path, mode, owner }),
        2 => (0..SCRIPTS.len()).prop_map(|body| Deed::Script { body }),
    ]
}

fn write(o: &Scribe, deeds: &[Deed], scripts: bool) {
    let mut owners = String::new();
    for (number, deed) in deeds.iter().enumerate() {
        // What is there already, as a folder or a file, stays.
        let place = |path: usize| format!("root/{}", PATHS[path]);
        let free = |path: &str| {
            let place = o.0.join(path);
            let above = place.ancestors().skip(1).all(|above| !above.exists() || above.is_dir());
            place.symlink_metadata().is_err() && above
        };
        match deed {
            Deed::File { path, content, mode } if free(&place(*path)) => {
                o.file_with_mode(&place(*path), CONTENTS[*content], *mode);
            }
            Deed::Link { path, target } if free(&place(*path)) => {
                o.link(&place(*path), TARGETS[*target]);
            }
            Deed::Folder { path } if free(&place(*path)) => {
                o.folder(&place(*path), 0o755);
            }
            Deed::Patch { number } => {
                o.file(PATCHES[*number].0, PATCHES[*number].1);
            }
            Deed::Owner { path, mode, owner } => {
                owners.push_str(&format!("{} {} {}\n", OWNED[*path], MODES[*mode], OWNERS[*owner]));
            }
            Deed::Script { body } if scripts => {
                o.script(&format!("scripts/{number:02}.sh"), &format!("cd $1\n{}", SCRIPTS[*body]));
            }
            _ => {}
        }
    }
    if !owners.is_empty() {
        o.file("owners", owners);
    }
}

type Sides = BTreeMap<String, (Value, Value)>;

/// What is at a path, as both reports tell it.
fn state(kind: &Value, mode: &Value, owner: String, rest: &Value) -> Value {
    let kind = kind.as_str().unwrap().replace(' ', "-");
    json!([kind, mode, owner, rest["size"], rest["target"], rest["device"]])
}

fn foretold(plan: &Value) -> Sides {
    let side = |side: &Value| match side {
        Value::Null => Value::Null,
        side => state(&side["kind"], &side["mode"], side["owner"].as_str().unwrap().to_owned(), side),
    };
    let path = |path: &Value| path["path"].as_str().unwrap().to_owned();
    plan["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (path(p), (side(&p["before"]), side(&p["after"]))))
        .collect()
}

/// What differs between base and image. A further name that came or went is no change of the other names.
fn done(diff: &Value) -> Sides {
    let mut sides = Sides::new();
    for path in diff["paths"].as_array().unwrap() {
        let side = |side: &Value| match side {
            Value::Null => Value::Null,
            side => state(&side["kind"], &side["mode"], format!("{}:{}", side["uid"], side["gid"]), side),
        };
        let (a, b) = (side(&path["a"]), side(&path["b"]));
        let same_time = path["a"]["modified"] == path["b"]["modified"] || path["b"]["kind"] == "directory";
        if a != b || path["content"] == "differs" || !same_time {
            sides.insert(path["path"].as_str().unwrap().to_owned(), (a, b));
        }
    }
    sides
}

/// Plans and builds; returns whether there was an image.
fn check(overlays: &[Vec<Deed>], scripts: bool, classic: bool) -> bool {
    let mut desk = Desk::new();
    for (number, deeds) in overlays.iter().enumerate() {
        desk.overlay(&format!("{number:02}-overlay"), |o| write(o, deeds, scripts));
    }
    let order = ["--order", if classic { "classic" } else { "current" }];
    let run: &[&str] = if scripts { &["--run-scripts"] } else { &[] };
    let planned = desk.on_base(&["plan", "--json"], &[&order[..], run].concat());
    let built = desk.build(&order);
    assert_eq!(planned.code, built.code, "{}\n{}", planned.err, built.err);
    if built.code != Some(0) {
        // The same overlay and the same part of it; scratch folders have other names.
        let head = |text: &str| text.split(": ").take(3).collect::<Vec<_>>().join(": ");
        assert_eq!(head(&planned.err), head(&built.err));
        return false;
    }
    let plan = json_of(&planned);
    let diff = json_of(&desk.octofw(&["diff", "base.bin", "made.bin", "--json"]));
    assert_eq!(foretold(&plan), done(&diff));

    // The manifest agrees about who it was, and how large the result is.
    let manifest: Manifest =
        serde_json::from_slice(&std::fs::read(desk.path("made.manifest.json")).unwrap()).unwrap();
    let whose = |path: &Value| {
        let mut names: Vec<&str> =
            path["steps"].as_array().unwrap().iter().map(|step| step["overlay"].as_str().unwrap()).collect();
        names.dedup();
        (path["path"].as_str().unwrap().to_owned(), names.join(" "))
    };
    let foretold: Vec<_> = plan["paths"].as_array().unwrap().iter().map(whose).collect();
    let noted: Vec<_> = manifest
        .changes
        .iter()
        .map(|change| (format!("/{}", change.path), change.overlays.join(" ")))
        .collect();
    let paths = |list: &[(String, String)]| list.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&foretold), paths(&noted));
    for ((path, steps), (_, noted)) in foretold.iter().zip(&noted) {
        // A part may undo what another part of the same overlay did, which a build does not see.
        let missing = noted.split(' ').find(|name| !steps.split(' ').any(|step| step == *name));
        assert_eq!(missing, None, "{path}: {steps} / {noted}");
    }
    assert_eq!(plan["space"]["after"], manifest.rootfs.size);
    assert_eq!(plan["space"]["attribution"]["dead"], manifest.rootfs.dead_bytes);
    let image = Image::read(&desk.path("made.bin")).unwrap();
    let shares = space::of_image(&image, &manifest).unwrap();
    let all =
        shares.base + shares.dead + shares.tables + shares.overlays.iter().map(|s| s.bytes).sum::<u64>();
    assert_eq!(all, manifest.rootfs.size, "{shares:?}");
    true
}

#[test]
fn a_build_does_what_its_plan_says() {
    let config = ProptestConfig { cases: 30, max_shrink_iters: 60, ..ProptestConfig::default() };
    let overlays = proptest::collection::vec(proptest::collection::vec(deed(), 0..6), 1..4);
    let built = Cell::new(0);
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&(overlays, any::<bool>(), any::<bool>()), |(overlays, scripts, classic)| {
        built.set(built.get() + u32::from(check(&overlays, scripts, classic)));
        Ok(())
    });
    outcome.unwrap();
    assert!(built.get() >= 8, "only {} of the random overlays could be built", built.get());
}

/// Random overlays often end in an error; these do something of each kind and do not.
#[test]
fn of_every_kind_of_deed_the_plan_says_what_comes() {
    let file = |path, content| Deed::File { path, content, mode: 0o755 };
    let first = vec![
        file(0, 1),
        file(2, 6),
        file(7, 3),
        file(9, 3),
        file(10, 6),
        Deed::Patch { number: 0 },
        Deed::Patch { number: 3 },
        Deed::Owner { path: 0, mode: 0, owner: 1 },
        Deed::Owner { path: 1, mode: 0, owner: 2 },
    ];
    let second = vec![
        file(0, 1),
        file(3, 2),
        Deed::Link { path: 5, target: 1 },
        Deed::Patch { number: 1 },
        Deed::Owner { path: 4, mode: 2, owner: 1 },
    ];
    let scripts: Vec<Deed> = (0..SCRIPTS.len()).map(|body| Deed::Script { body }).collect();
    for classic in [false, true] {
        assert!(check(&[first.clone(), second.clone()], false, classic));
        assert!(check(&[first.clone(), second.clone(), scripts.clone()], true, classic));
    }
}

/// What only looks like a change is nobody's.
#[test]
fn who_sets_what_is_so_already_changes_nothing() {
    let replaced = Deed::File { path: 7, content: 0, mode: 0o644 };
    let owner_again = Deed::Owner { path: 3, mode: 2, owner: 2 };
    for classic in [false, true] {
        let same = vec![Deed::Script { body: 0 }, owner_again.clone()];
        assert!(check(&[vec![replaced.clone()], same], true, classic));
    }
}

/// Two scripts write over a file, and the second one writes what was there: only times of the kernel's tell.
#[test]
fn what_a_script_wrote_back_is_nobodys_change() {
    let rewrite = |from: &str, to: &str| {
        format!(
            "cd $1\ncp -p etc/config /tmp/.$$\nsed s/{from}/{to}/ /tmp/.$$ >etc/config\ntouch -r /tmp/.$$ etc/config\nrm /tmp/.$$"
        )
    };
    let build = |bodies: &[(&str, &str)]| {
        let mut desk = Desk::new();
        for (number, (from, to)) in bodies.iter().enumerate() {
            desk.overlay(&format!("{number:02}-overlay"), |o| {
                o.script("scripts/1.sh", &rewrite(from, to));
            });
        }
        assert_eq!(desk.build(&[]).code, Some(0));
        let manifest: Manifest =
            serde_json::from_slice(&std::fs::read(desk.path("made.manifest.json")).unwrap()).unwrap();
        manifest.changes.into_iter().map(|change| (change.path, change.overlays)).collect::<Vec<_>>()
    };
    assert_eq!(build(&[("two", "TWO"), ("TWO", "two")]), []);
    let both = ["00-overlay", "01-overlay"].map(str::to_owned).to_vec();
    assert_eq!(build(&[("two", "TWO"), ("TWO", "2wo")]), [("etc/config".to_owned(), both)]);
}
