//! Patches: exact or not at all.

use octofw::rootfs::snapshot::What;

use crate::bed::Bed;

fn patch(path: &str, text: &str) -> Bed {
    Bed::with(|o| {
        o.file(path, text);
    })
}

#[test]
fn a_patch_in_a_sub_folder_belongs_to_that_folder() {
    let built = patch(
        "patches/etc/init.d/deep.patch",
        "--- a/S50x\n+++ b/S50x\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
    )
    .build()
    .unwrap();
    assert_eq!(built.content("etc/init.d/S50x"), "one\n2\nthree\n");
    assert_eq!(built.line("etc/init.d/S50x"), "-rwxr-xr-x 0/0 12 new");
    assert_eq!(built.changes(), [("etc/init.d/S50x".to_owned(), What::Replaced, "01-test".to_owned())]);
}

#[test]
fn owner_and_mode_survive_and_new_files_are_roots() {
    let text = "--- a/etc/config\n+++ b/etc/config\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n--- /dev/null\n+++ b/etc/made/new\n@@ -0,0 +1 @@\n+new\n";
    let built = patch("patches/1.patch", text).build().unwrap();
    assert_eq!(built.line("etc/config"), "-rw-r----- 0/33 43 new");
    assert_eq!(built.line("etc/made/new"), "-rw-r--r-- 0/0 4 new");
    assert_eq!(built.line("etc/made"), "drwxr-xr-x 0/0 new");
}

#[test]
fn an_offset_is_noted_and_leaves_no_backup() {
    let built = patch(
        "patches/1.patch",
        "--- a/etc/config\n+++ b/etc/config\n@@ -1,3 +1,3 @@\n five\n-six\n+6\n seven\n",
    )
    .build()
    .unwrap();
    assert_eq!(built.changes().len(), 1, "{:?}", built.changes());
    assert!(
        built.report.notes[0].contains("patches/1.patch: Hunk #1 succeeded at 5 (offset 4 lines)"),
        "{:?}",
        built.report.notes
    );
}

#[test]
fn what_does_not_apply_exactly_fails_with_command_status_and_output() {
    // The first context line drifted: GNU patch would accept it with its usual fuzz of 2.
    let drifted = "--- a/etc/config\n+++ b/etc/config\n@@ -1,7 +1,7 @@\n ONE\n two\n three\n-four\n+4\n five\n six\n seven\n";
    let applied = "--- a/etc/config\n+++ b/etc/config\n@@ -1,3 +1,3 @@\n one\n-zwei\n+two\n three\n";
    for (text, line, expected) in [
        (drifted, ", line 3", "Hunk #1 FAILED"),
        (applied, "", "Reversed (or previously applied) patch detected"),
        ("--- a/etc/nothing\n+++ b/etc/nothing\n@@ -1 +1 @@\n-a\n+b\n", "", "can't find file to patch"),
    ] {
        let error = patch("patches/x.patch", text).error();
        let begins = format!("overlay 01-test: patches/x.patch{line}: patch -u -p1 -F 0 ");
        assert!(error.starts_with(&begins), "{error}");
        assert!(error.contains("ended with exit status"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

/// Git tells of these without a hunk, and names the file in its own header only.
#[test]
fn what_git_changes_without_a_hunk_is_changed() {
    let bed = patch(
        "patches/1.patch",
        "diff --git a/etc/config b/etc/config\nold mode 100644\nnew mode 100755\n\
         diff --git a/etc/made b/etc/made\nnew file mode 100644\nindex 0000000..e69de29\n",
    );
    let built = bed.build().unwrap();
    assert_eq!(built.line("etc/config"), "-rwxr-xr-x 0/33 45 new");
    assert_eq!(built.line("etc/made"), "-rw-r--r-- 0/0 0 new");
    let mounted = "diff --git a/oem/x b/oem/x\nold mode 100644\nnew mode 100755\n";
    let error = patch("patches/1.patch", mounted).error();
    assert!(
        error.contains("it changes /oem/x, but on the printer something else is mounted over /oem"),
        "{error}"
    );
}

#[test]
fn patches_that_cannot_be_meant_are_refused() {
    for (path, text, expected) in [
        (
            "patches/1.patch",
            "--- a/etc/config\n+++ b/etc/config\r\n@@ -1 +1 @@\r\n-one\r\n+1\r\n",
            "patches/1.patch, line 2: it has Windows line ends",
        ),
        (
            "patches/1.patch",
            "--- a/etc/config\n+++ b/etc/config\n@@ -1 +1 @@\n-one\n+1\n--- a/../../x\n+++ b/../../x\n@@ -1 +1 @@\n-one\n+1\n",
            "patches/1.patch, line 6: it names a/../../x, which is absolute or climbs out of the root",
        ),
        ("patches/1.patch", "--- a/sbin/x\n+++ b/sbin/x\n@@ -1 +1 @@\n-one\n+1\n", "/sbin is a link"),
        ("patches/sbin/1.patch", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+1\n", "/sbin is a link"),
        (
            "patches/no/folder/1.patch",
            "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+1\n",
            "there is no folder /no/folder",
        ),
        ("patches/1.patch", "no patch at all\n", "it changes nothing"),
        (
            "patches/oem/1.patch",
            "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+1\n",
            "something else is mounted over /oem",
        ),
        (
            "patches/1.patch",
            "--- a/etc/config\n+++ b/etc/config\n1c\n!touch /tmp/octofw-ed-script\n.\n",
            "no unified diff",
        ),
    ] {
        let error = patch(path, text).error();
        assert!(error.contains(expected), "{error}");
    }
}
