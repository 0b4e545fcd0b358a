//! `root/`: the community's `cp -r`, without its way out of the tree.

use std::fs;

use octofw::rootfs::snapshot::What;

use crate::bed::Bed;

#[test]
fn new_things_have_fixed_modes_and_existing_ones_keep_theirs() {
    let bed = Bed::with(|o| {
        o.file_with_mode("root/opt/tool", "t", 0o700)
            .file_with_mode("root/opt/data", "d", 0o600)
            .file_with_mode("root/opt/group-runs", "g", 0o070)
            .folder("root/opt", 0o700)
            .file_with_mode("root/etc/config", "changed", 0o777)
            .file_with_mode("root/usr/bin/x", "x", 0o775)
            .link("root/opt/link", "tool")
            .link("root/opt/out", "/oem/printer_data")
            .file("root/opt/.gitkeep", "")
            .file("root/opt/old~", "")
            .file("root/.git/config", "");
    });
    let built = bed.build().unwrap();
    for (path, line) in [
        ("opt", "drwxr-xr-x 0/0 new"),
        ("opt/tool", "-rwxr-xr-x 0/0 1 new"),
        ("opt/data", "-rw-r--r-- 0/0 1 new"),
        ("opt/group-runs", "-rw-r--r-- 0/0 1 new"),
        ("opt/link -> tool", "lrwxrwxrwx 0/0 4 new"),
        ("opt/out -> /oem/printer_data", "lrwxrwxrwx 0/0 17 new"),
        ("etc/config", "-rw-r----- 0/33 7 new"),
        ("usr/bin/x", "-rwxr-xr-x 0/0 1 new"),
        ("opt/.gitkeep", "missing"),
        ("opt/old~", "missing"),
        (".git", "missing"),
    ] {
        assert_eq!(built.line(path), line, "{path}");
    }
    let replaced = built.report.changes.iter().find(|change| change.path == "etc/config").unwrap();
    assert_eq!(
        (replaced.what, replaced.mode.as_deref(), replaced.owner.as_deref(), replaced.size),
        (What::Replaced, Some("0640"), Some("0:33"), Some(7))
    );
    assert_eq!(replaced.sha256, Some(sha256("changed")));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    octofw::digest::hex(&sha2::Sha256::digest(text))
}

#[test]
fn the_same_content_is_no_change() {
    let bed = Bed::with(|o| {
        o.file("root/etc/init.d/S50x", "one\ntwo\nthree\n").link("root/etc/to-tmp", "/tmp/canary");
    });
    let built = bed.build().unwrap();
    assert!(built.changes().is_empty(), "{:?}", built.changes());
    assert_eq!(built.line("etc/init.d/S50x"), "-rwxr-xr-x 0/0 14 old");
}

#[test]
fn a_file_over_a_link_goes_where_the_link_leads_inside_the_tree() {
    for link in ["to-file", "to-file-relative"] {
        let bed = Bed::with(|o| {
            o.file(&format!("root/etc/{link}"), "through");
        });
        let built = bed.build().unwrap();
        assert_eq!(built.content("usr/share/target"), "through");
        assert_eq!(built.line("usr/share/target"), "-rw------- 33/33 7 new");
        assert_eq!(built.changes(), [("usr/share/target".to_owned(), What::Replaced, "01-test".to_owned())]);
    }
}

#[test]
fn what_stands_in_the_way_is_named_with_a_remedy() {
    for (path, expected) in [
        ("etc/dangling", "a link that leads to nothing (/etc/nothing does not exist)"),
        ("etc/to-tmp", "a link that leads to nothing (/tmp/canary does not exist)"),
        ("etc/climbs", "a link that leads to nothing (/tmp/canary does not exist)"),
        ("etc/round", "a link that leads in circles"),
        ("etc/to-folder", "in the base this is a folder and not a file"),
        (
            "etc/to-folder/new",
            "in the base this is a link to /usr/share; put the contents where the link leads",
        ),
        ("sbin/tool", "in the base this is a link to usr/bin"),
        ("usr", "in the base this is a folder and not a file"),
        ("etc/config/below", "in the base this is a file and not a folder"),
        ("dev/console", "something else is mounted over /dev"),
        ("etc/fifo", "in the base this is a device, pipe or socket"),
        ("home/lava/printer_data/config/x.cfg", "/home/lava/printer_data is a link to /oem"),
        ("home/lava/printer_data", "a link that leads to nothing (/oem/printer_data does not exist)"),
    ] {
        let error = Bed::with(|o| {
            o.file(&format!("root/{path}"), "x");
        })
        .error();
        assert!(error.contains("overlay 01-test: root/") && error.contains(expected), "{path}: {error}");
    }
}

/// A script of an earlier overlay may make what a link points to; run-time places stay out of reach even then.
#[test]
fn nothing_is_written_through_a_link_into_a_run_time_place() {
    let mut bed = Bed::new();
    bed.overlay("01-makes", |o| {
        o.script("scripts/1.sh", "echo x >$1/tmp/canary");
    });
    bed.overlay("02-writes", |o| {
        o.file("root/etc/to-tmp", "x");
    });
    let error = bed.error();
    assert!(
        error.contains("overlay 02-writes: root/etc/to-tmp: in the base this is a link to /tmp/canary"),
        "{error}"
    );
}

#[test]
fn the_build_machine_is_out_of_reach() {
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    fs::write(&canary, "alive").unwrap();
    let target = canary.to_str().unwrap();
    let climbing = format!("../../../../../../../../../../../..{target}");
    for (target, inner) in [(target, "etc/out"), (&climbing, "etc/out"), (target, "etc/out-folder/canary")] {
        let mut bed = Bed::new();
        let link = if inner == "etc/out" { target.to_owned() } else { target.replace("/canary", "") };
        bed.overlay("01-link", |o| {
            o.script("scripts/1.sh", &format!("ln -s {link} $1/{}", inner.trim_end_matches("/canary")));
        });
        bed.overlay("02-write", |o| {
            o.file(&format!("root/{inner}"), "dead");
        });
        let error = bed.error();
        assert!(error.contains("overlay 02-write: root/etc/out"), "{error}");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    }
    // A patch must not get out either.
    let mut bed = Bed::new();
    bed.overlay("01-link", |o| {
        o.script(
            "scripts/1.sh",
            &format!("ln -s {} $1/etc/out-folder; ln -s {target} $1/etc/out", outside.path().display()),
        );
    });
    for path in ["etc/out-folder/canary", "etc/out"] {
        bed.overlay(&format!("02-{}", path.len()), |o| {
            o.file(
                "patches/1.patch",
                format!(
                    "--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-alive\n\\ No newline at end of file\n+dead\n"
                ),
            );
        });
        assert!(bed.error().contains("is a link"), "{}", bed.error());
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    }
}

#[test]
fn a_file_with_several_names_changes_under_one_only() {
    let bed = Bed::with(|o| {
        o.file("root/bin/ls", "better ls");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("bin/ls"), "-rwxr-xr-x 0/0 9 new");
    assert_eq!(built.line("bin/busybox"), "-rwxr-xr-x 0/0 200000 old");
    assert_eq!(built.report.result.hard_links, 2);
    assert!(built.report.notes[0].contains("bin/ls had 4 names"), "{:?}", built.report.notes);
}

#[test]
fn a_link_takes_the_place_of_a_file_or_link_but_not_of_a_folder() {
    let built = Bed::with(|o| {
        o.link("root/etc/config", "passwd").link("root/etc/dangling", "passwd");
    })
    .build()
    .unwrap();
    assert_eq!(built.line("etc/config -> passwd"), "lrwxrwxrwx 0/0 6 new");
    assert_eq!(built.line("etc/dangling -> passwd"), "lrwxrwxrwx 0/0 6 new");
    let error = Bed::with(|o| {
        o.link("root/etc/init.d", "passwd");
    })
    .error();
    assert!(error.contains("in the base this is a folder; a link cannot take its place"), "{error}");
}

#[test]
fn the_owners_table_counts_last() {
    let bed = Bed::with(|o| {
        o.file("root/usr/bin/tool", "x").file("root/home/lava/x", "x");
        o.file("owners", "usr/bin/tool 4755 0 33\nhome/lava/x - 1000 1000\n");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("usr/bin/tool"), "-rwsr-xr-x 0/33 1 new");
    assert_eq!(built.line("home/lava/x"), "-rw-r--r-- 1000/1000 1 new");
    let error = Bed::with(|o| {
        o.file("owners", "usr/bin/nothing 0755 0 0\n");
    })
    .error();
    assert!(error.contains("usr/bin/nothing is not in the root"), "{error}");
}
