//! The cache of builds: its bound, and two builds that share one.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::UNIX_EPOCH;

use octofw::cache::{Kind, Using, entries};
use octofw::digest::of_file;

use crate::planning::{Desk, json_of};

/// A desk whose overlay fetches a file of 3000 bytes; the cache holds an older one of 5000.
fn desk() -> Desk {
    let mut desk = Desk::new();
    let source = desk.path("tool");
    fs::write(&source, vec![b't'; 3000]).unwrap();
    let line = fetch(&source, "$1/usr/tool");
    desk.overlay("01-one", |o| {
        o.script("scripts/1.sh", &line);
    });
    let old = desk.path("cache/sha256").join("cd".repeat(32));
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(&old, vec![b'o'; 5000]).unwrap();
    File::open(&old).unwrap().set_modified(UNIX_EPOCH).unwrap();
    desk
}

fn fetch(source: &Path, target: &str) -> String {
    format!("cache_file.sh {target} file://{} {}", source.display(), of_file(source).unwrap().0)
}

fn sizes(desk: &Desk) -> Vec<u64> {
    entries(&desk.path("cache")).unwrap().iter().map(|entry| entry.size).collect()
}

#[test]
fn a_build_keeps_the_bound_and_what_it_used() {
    let desk = desk();
    let built = desk.build(&["--cache-size", "10kB"]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    assert_eq!(sizes(&desk), [5000, 3000], "both fit");
    let built = desk.build(&["--cache-size", "4kB", "--force"]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    assert!(built.err.contains("1 entry (5.0 kB) of the cache removed"), "{}", built.err);
    assert_eq!(sizes(&desk), [3000]);
    let built = desk.build(&["--cache-size", "1", "--force"]);
    assert_eq!((built.code, sizes(&desk)), (Some(0), vec![3000]), "the current build used it");
}

#[test]
fn what_could_not_be_fetched_again_stays() {
    let desk = desk();
    desk.build(&["--cache-size", "10kB"]);
    let built = desk.build(&["--cache-size", "4kB", "--force", "--offline"]);
    assert_eq!((built.code, sizes(&desk)), (Some(0), vec![5000, 3000]), "{}", built.err);
}

#[test]
fn what_another_build_may_use_stays_until_it_has_ended() {
    let desk = desk();
    let other = Using::begin(&desk.path("cache")).unwrap();
    let built = desk.build(&["--cache-size", "1"]);
    assert_eq!((built.code, sizes(&desk)), (Some(0), vec![5000, 3000]), "{}", built.err);
    drop(other);
    let built = desk.build(&["--cache-size", "1", "--force"]);
    assert_eq!((built.code, sizes(&desk)), (Some(0), vec![3000]), "{}", built.err);
}

#[test]
fn a_plan_that_runs_nothing_clears_nothing_up() {
    let desk = desk();
    assert_eq!(desk.on_base(&["plan"], &["--cache-size", "1"]).code, Some(0));
    assert_eq!(sizes(&desk), [5000]);
    assert_eq!(desk.on_base(&["plan"], &["--cache-size", "1", "--run-scripts"]).code, Some(0));
    assert_eq!(sizes(&desk), [3000]);
}

/// Both clone the same repository into the empty cache; neither sees half of it.
#[test]
fn two_builds_at_once_share_a_cache() {
    let mut desk = Desk::new();
    let script = "mkdir r; cd r; git init -q .; git config user.name n; git config user.email e; \
                  seq 100000 >file; git add .; git commit -qm 1; git rev-parse HEAD";
    let made =
        std::process::Command::new("sh").args(["-ec", script]).current_dir(desk.folder.path()).output();
    let commit = String::from_utf8(made.unwrap().stdout).unwrap();
    let source = desk.path("r/file");
    let line = format!(
        "cache_git.sh $BUILD_DIR/r file://{} {}\ncp $BUILD_DIR/r/file $1/usr/file\n{}",
        desk.path("r").display(),
        commit.trim(),
        fetch(&source, "$1/usr/tool")
    );
    desk.overlay("01-one", |o| {
        o.script("scripts/1.sh", &line);
    });
    let tools = ["--tool", "rustc=1", "--tool", "aarch64-linux-gnu-gcc=1", "--cache-size", "1"];
    let builds = ["a.bin", "b.bin"].map(|out| {
        let arguments = ["build", "--base", "base.bin", "--overlay", "overlays/01-one", "--out", out];
        let mut command = desk.command(&[&arguments[..], &tools].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(of_file(&desk.path("a.bin")).unwrap(), of_file(&desk.path("b.bin")).unwrap());
    // The last one to end may have cleared up what the first one alone used.
    let left = entries(&desk.path("cache")).unwrap();
    assert!(left.iter().all(|entry| entry.kind != Kind::Unfinished), "{left:?}");
}

#[test]
fn the_cache_of_a_tree_is_its_own() {
    let desk = desk();
    fs::create_dir_all(desk.path("tree/overlays/common")).unwrap();
    let told = json_of(&desk.octofw(&["cache", "--tree", "tree", "--json"]));
    assert_eq!(told["path"], desk.path("cache").display().to_string(), "OCTOFW_CACHE counts more");
    let mut command = desk.command(&["cache", "--tree", "tree", "--json"]);
    let output = command.env_remove("OCTOFW_CACHE").output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["path"], desk.path("tree/tmp/cache/octofw").display().to_string());
}
