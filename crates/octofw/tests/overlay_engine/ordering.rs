//! Who comes first: parts of an overlay, and overlays among each other.

use octofw::overlay::Order;
use octofw::rootfs::snapshot::What;

use crate::bed::Bed;

/// A patch, a file and a script that all change one path.
fn contest(order: Order) -> Bed {
    let mut bed = Bed::with(|o| {
        o.file(
            "patches/etc/init.d/1.patch",
            "--- a/S50x\n+++ b/S50x\n@@ -1,3 +1,3 @@\n-one\n+patched\n two\n three\n",
        )
        .file("root/etc/init.d/S50x", "root\n")
        .script("scripts/1.sh", "cat $1/etc/init.d/S50x >$1/etc/seen; echo script >>$1/etc/init.d/S50x");
    });
    bed.order = order;
    bed
}

#[test]
fn both_dialects_apply_patches_first_and_differ_in_the_rest() {
    let current = contest(Order::Current).build().unwrap();
    assert_eq!(current.content("etc/seen"), "root\n");
    assert_eq!(current.content("etc/init.d/S50x"), "root\nscript\n");
    let classic = contest(Order::Classic).build().unwrap();
    assert_eq!(classic.content("etc/seen"), "patched\ntwo\nthree\n");
    assert_eq!(classic.content("etc/init.d/S50x"), "root\n");
}

#[test]
fn each_overlay_is_done_before_the_next_and_changes_say_whose_they_are() {
    let mut bed = Bed::new();
    bed.overlay("20-first", |o| {
        o.file("root/etc/both", "first\n")
            .script("scripts/1.sh", "echo script >>$1/etc/both; echo x >$1/etc/gone; rm $1/etc/config");
    });
    bed.overlay("10-second", |o| {
        o.file(
            "patches/1.patch",
            "--- a/etc/both\n+++ b/etc/both\n@@ -1,2 +1,2 @@\n first\n-script\n+second\n",
        )
        .script("scripts/1.sh", "rm $1/etc/gone; chmod 600 $1/etc/passwd; mkdir $1/etc/d; : >$1/etc/d/f");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.content("etc/both"), "first\nsecond\n");
    let expected = [
        ("etc/both", What::Added, "20-first,10-second"),
        ("etc/config", What::Deleted, "20-first"),
        ("etc/d", What::Added, "10-second"),
        ("etc/d/f", What::Added, "10-second"),
        ("etc/passwd", What::Attributes, "10-second"),
    ];
    assert_eq!(
        built.changes(),
        expected.map(|(path, what, whose)| (path.to_owned(), what, whose.to_owned()))
    );
    assert_eq!(built.line("etc/passwd"), "-rw------- 0/0 11 old");
}
