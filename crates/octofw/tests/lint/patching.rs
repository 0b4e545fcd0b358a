//! Patches on what is there when they are applied.

use octofw::lint::Finding;

use crate::base;
use crate::bed::Bed;

/// Changes the second of three lines.
fn patch(path: &str, lines: &str) -> String {
    let lines: Vec<&str> = lines.split(' ').collect();
    let [first, second, third] = [lines[0], lines[1], lines[2]];
    format!("--- a/{path}\n+++ b/{path}\n@@ -1,3 +1,3 @@\n {first}\n-{second}\n+{second}!\n {third}\n")
}

/// The findings about patches, as `FILE CODE MESSAGE`.
fn found(bed: &mut Bed) -> Vec<String> {
    let is_ours = |finding: &&Finding| finding.code.starts_with("patches/");
    let line = |finding: &Finding| {
        let path = finding.path.as_deref().unwrap_or_default();
        format!(
            "{} {} {}",
            path.trim_start_matches("patches/"),
            finding.code.trim_start_matches("patches/"),
            finding.message
        )
    };
    bed.report().findings.iter().filter(is_ours).map(line).collect()
}

#[test]
fn what_cannot_be_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let base =
        base::changed(folder.path(), "ln -s etc conf; ln -s /etc/config etc/link; mkfifo etc/pipe", &[]);
    for (target, said) in [
        ("etc/other", "which is not in the base"),
        ("etc/nowhere", "which is a link to nothing in the base; patch the file that it leads to"),
        ("etc/link", "which is a link to /etc/config in the base; patch the file that it leads to"),
        ("conf/config", "but /conf is a link to etc in the base; patch the file that it leads to"),
        ("etc/config/x", "but /etc/config is no folder in the base"),
        ("etc/init.d", "which is no file in the base"),
        ("etc/pipe", "which is no file in the base"),
    ] {
        let mut bed = Bed::new();
        bed.settings.base = Some(base.clone());
        bed.file("patches/1.patch", patch(target, "one two three"));
        assert_eq!(found(&mut bed), [format!("1.patch target-missing it changes /{target}, {said}")]);
    }
}

/// An overlay's `root/` comes after its own patches and before those of the next.
#[test]
fn what_an_overlay_lays_down_is_what_the_next_one_patches() {
    for path in ["etc/config", "etc/new"] {
        let mut bed = Bed::new();
        bed.based()
            .file(&format!("root/{path}"), "I\nII\nIII\n")
            .file("02-b: patches/1.patch", patch(path, "I II III"))
            .file("03-c: patches/1.patch", patch(path, "I II! III"));
        assert_eq!(found(&mut bed), [""; 0], "{path}");
        bed.file("02-b: patches/1.patch", patch(path, "one two three"));
        assert_eq!(
            found(&mut bed)[0],
            "1.patch does-not-apply Hunk #1 FAILED at 1. 1 out of 1 hunk FAILED",
            "{path}"
        );
    }
}

#[test]
fn what_was_patched_and_then_laid_down_anew_is_the_new_one() {
    let mut bed = Bed::new();
    bed.based()
        .file("patches/1.patch", patch("etc/config", "one two three"))
        .file("root/etc/config", "I\nII\nIII\n")
        .file("02-b: patches/1.patch", patch("etc/config", "I II III"));
    assert_eq!(found(&mut bed), [""; 0]);
    bed.file("root/etc/config", vec![b'x'; 17 << 20]);
    assert_eq!(found(&mut bed), [""; 0], "too long to be tried");
}

#[test]
fn a_patch_below_a_folder_that_nobody_has_is_found() {
    let new = "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n";
    let mut bed = Bed::new();
    bed.based().file("patches/opt/tool/1.patch", new);
    assert_eq!(
        found(&mut bed),
        ["opt/tool/1.patch target-missing there is no folder /opt/tool in the base for it"]
    );
    // What comes before it may make the folder.
    let mut bed = Bed::new();
    bed.based().file("root/opt/tool/y", "").file("02-b: patches/opt/tool/1.patch", new);
    assert_eq!(found(&mut bed), [""; 0]);
    let mut bed = Bed::new();
    bed.based()
        .file("patches/1.patch", new.replace("b/x", "b/opt/tool/y"))
        .file("patches/opt/tool/2.patch", new);
    assert_eq!(found(&mut bed), [""; 0]);
    let mut bed = Bed::new();
    bed.based()
        .program("pre-scripts/1.sh", "#!/bin/sh\nmkdir -p $1/opt/tool\n")
        .file("patches/opt/tool/1.patch", new);
    assert_eq!(found(&mut bed), [""; 0]);
    let mut bed = Bed::new();
    bed.file("patches/opt/tool/1.patch", new);
    assert_eq!(found(&mut bed), [""; 0], "there is no base");
}

#[test]
fn a_patch_that_was_cut_off_is_unusable() {
    let whole = patch("etc/config", "one two three");
    for (text, said) in [
        (whole.trim_end().to_owned(), "patch unexpectedly ends in middle of line"),
        (whole.replace(" three\n", "three\n"), "malformed patch at line 7: three"),
    ] {
        let mut bed = Bed::new();
        bed.based().file("patches/1.patch", &text);
        assert_eq!(found(&mut bed), [format!("1.patch unusable {said}")], "{text}");
    }
}
