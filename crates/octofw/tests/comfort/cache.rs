//! `octofw cache` on a cache that is laid out by hand; builds that use one are in tests/overlay_engine/caching.rs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use octofw::cache::Using;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{command, octofw, printed};

/// A home with a cache of a file (1000 bytes, 2001), a repository (3000, 2002) and a package (500, 2003).
struct Home(TempDir);

const DAY: Duration = Duration::from_secs(86_400);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let file = format!("sha256/{}", "ab".repeat(32));
        home.entry(&file, 1000, UNIX_EPOCH + DAY * 11_400);
        fs::create_dir_all(home.cache().join("names")).unwrap();
        fs::write(home.cache().join("names").join("ab".repeat(32)), "tool.tar.gz").unwrap();
        home.entry("git/klipper-0123456789abcdef.git/objects/pack", 3000, UNIX_EPOCH);
        home.used("git/klipper-0123456789abcdef.git", UNIX_EPOCH + DAY * 11_800);
        home.entry("debs/busybox-static_1_arm64.deb", 500, UNIX_EPOCH + DAY * 12_100);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn cache(&self) -> PathBuf {
        self.path().join(".cache/octofw")
    }

    fn entry(&self, path: &str, size: usize, used: SystemTime) {
        let place = self.cache().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, vec![b'x'; size]).unwrap();
        self.used(path, used);
    }

    fn used(&self, path: &str, used: SystemTime) {
        File::open(self.cache().join(path)).unwrap().set_modified(used).unwrap();
    }

    fn call(&self, arguments: &[&str]) -> String {
        printed(octofw(self.path(), &[&["cache"], arguments].concat()), 0)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.call(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// First letters of the kinds that are there.
    fn kinds(&self) -> String {
        let rows = self.json(&["list"])["entries"].as_array().unwrap().clone();
        rows.iter().map(|row| &row["kind"].as_str().unwrap()[..1]).collect()
    }
}

#[test]
fn the_list_has_what_goes_first_on_top() {
    let home = Home::new();
    let expected = format!(
        "{}\n     1.0 kB  2001-03-19 00:00  file        tool.tar.gz (abababababab…)\n     \
         3.0 kB  2002-04-23 00:00  repository  klipper-0123456789abcdef.git\n      \
         500 B  2003-02-17 00:00  package     busybox-static_1_arm64.deb\n\
         3 entries, 4.5 kB; the bound is 2.1 GB\n",
        home.cache().display()
    );
    assert_eq!(home.call(&[]), expected);
    assert_eq!(home.call(&["list"]), expected);
    let found = home.call(&["--cache-size", "4kB"]);
    assert!(found.contains("\n-    1.0 kB  2001-03-19"), "{found}");
    assert!(found.contains("\n- 1 entry, 1.0 kB, may go: "), "{found}");
    let json = home.json(&["--cache-size", "1k"]);
    assert_eq!((&json["schema"], &json["bound"], &json["total"]), (&json!(1), &json!(1000), &json!(4500)));
    let first = json!({
        "kind": "file", "path": format!("sha256/{}", "ab".repeat(32)), "name": "tool.tar.gz", "size": 1000,
        "used": 11_400 * 86_400, "goes": true
    });
    assert_eq!(json["entries"][0], first);
    assert_eq!([1, 2].map(|row| json["entries"][row]["goes"] == true), [true, false]);
}

#[test]
fn what_is_not_there_is_empty() {
    let home = tempfile::tempdir().unwrap();
    let told = printed(octofw(home.path(), &["cache"]), 0);
    assert!(told.ends_with("octofw\n0 entries, 0 B; the bound is 2.1 GB\n"), "{told}");
    assert_eq!(printed(octofw(home.path(), &["cache", "clear"]), 0).lines().count(), 1);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "looking makes nothing");
}

#[test]
fn pruning_keeps_the_bound_and_clearing_keeps_nothing() {
    let home = Home::new();
    let dry = home.call(&["prune", "--cache-size", "4kB", "--dry-run"]);
    assert!(dry.ends_with("1 entry (1.0 kB) would be removed\n"), "{dry}");
    assert_eq!(home.kinds(), "frp");
    let mut by_variable = command(home.path(), &["cache", "prune"]);
    printed(by_variable.env("OCTOFW_CACHE_SIZE", "4kB").output().unwrap(), 0);
    assert_eq!(home.kinds(), "rp");
    assert!(!home.cache().join("names").join("ab".repeat(32)).exists());
    assert!(home.call(&["prune", "--cache-size", "0"]).ends_with("0 entries (0 B) removed\n"));
    let json = home.json(&["clear"]);
    assert_eq!((&json["removed"], &json["total"]), (&json!(true), &json!(3500)));
    assert_eq!(home.kinds(), "");
}

#[test]
fn nothing_is_removed_while_somebody_uses_it() {
    let home = Home::new();
    let using = Using::begin(&home.cache()).unwrap();
    for call in [&["clear"][..], &["prune", "--cache-size", "1"]] {
        let output = octofw(home.path(), &[&["cache"], call].concat());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("another command uses the cache") && said.contains("try again"), "{said}");
    }
    assert_eq!(home.kinds(), "frp");
    drop(using);
    home.call(&["clear"]);
    assert_eq!(home.kinds(), "");
}

#[test]
fn what_is_not_ours_stays() {
    let home = Home::new();
    fs::write(home.cache().join("letter"), "dear").unwrap();
    fs::create_dir_all(home.cache().join("git/mine.git")).unwrap();
    let output = octofw(home.path(), &["cache", "clear"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("is no cache of octofw alone: it holds letter; name the cache with --cache"),
        "{said}"
    );
    fs::remove_file(home.cache().join("letter")).unwrap();
    home.call(&["clear"]);
    assert!(home.cache().join("git/mine.git").exists());
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let home = Home::new();
    for (option, variable) in [(&["--cache-size", "much"][..], ""), (&[], "2 elephants")] {
        let mut call = command(home.path(), &[&["cache"], option].concat());
        let output = call.env("OCTOFW_CACHE_SIZE", variable).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("write it as 500MB or 2GiB"));
    }
}
