//! The fast way and the full way give equal trees, and what the fast way keeps is told.

use std::fs;

use octofw::manifest::Packed;
use octofw::rootfs::snapshot::What;

use crate::bed::{Bed, Built, Scribe, base};

/// Builds both ways; everything but the packing must be the same.
fn both(bed: &mut Bed) -> (Built, Built) {
    bed.repack = false;
    let fast = bed.build().unwrap();
    bed.repack = true;
    let full = bed.build().unwrap();
    assert_eq!((fast.report.packed, full.report.packed), (Packed::Spliced, Packed::Repacked));
    assert_eq!(full.report.dead_bytes, 0);
    assert_eq!(fast.report.changes, full.report.changes);
    assert_eq!(fast.report.notes, full.report.notes);
    assert_eq!((fast.report.base, fast.report.result), (full.report.base, full.report.result));
    assert_eq!(fast.listing(), full.listing());
    assert!(fast.dump() == full.dump(), "the trees differ in content or links");
    (fast, full)
}

type Fill = fn(&Scribe);

#[test]
fn fast_and_full_builds_give_equal_trees() {
    let overlays: [(&str, Fill); 12] = [
        ("nothing", |_| ()),
        ("new files", |o| {
            o.file("root/etc/new", "x").file("root/opt/a/b/c", vec![7; 300_000]).link("root/opt/l", "a");
        }),
        ("replaced files", |o| {
            o.file("root/etc/config", "other\n").file("root/bin/busybox", "no longer linked");
        }),
        ("through links", |o| {
            o.file("root/etc/to-file", "a").file("root/etc/to-file-relative", "b");
        }),
        ("a link in place of a file", |o| {
            o.link("root/etc/config", "passwd");
        }),
        ("patches", |o| {
            o.file(
                "patches/etc/x.patch",
                "--- a/config\n+++ b/config\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
            );
        }),
        ("a patch that deletes the only file of a folder that is named", |o| {
            o.file(
                "patches/x.patch",
                "--- a/usr/share/target\n+++ /dev/null\n@@ -1 +0,0 @@\n-target\n--- a/etc/init.d/S50x\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n",
            );
        }),
        ("owners", |o| {
            o.file("owners", "bin/sh 4750 0 33\nvar/lib/private 700 33 33\netc/shadow - 33 -\n");
        }),
        ("scripts that move and link", |o| {
            o.script("scripts/1.sh", "cd $1; mv usr/share usr/moved; ln bin/sh usr/bin/sh2; mv etc/config etc/z; rm -r var/lib/locked; mkdir var/lib/locked");
        }),
        ("scripts that change attributes", |o| {
            o.script("scripts/1.sh", "cd $1; chmod 700 bin/su; chown 33:33 etc/config; chmod 1777 var; mkfifo p; mknod dev/n c 1 3; touch -d @1 etc/passwd");
        }),
        ("scripts that write in place", |o| {
            o.script(
                "scripts/1.sh",
                "cd $1; echo more >>bin/sh; : >etc/config; echo target >usr/share/target",
            );
        }),
        ("scripts and files", |o| {
            o.script("scripts/1.sh", "cd $1; echo 1 >etc/one; rm etc/dangling").file("root/etc/one", "2");
        }),
    ];
    for (name, fill) in overlays {
        println!("{name}");
        let (fast, _) = both(&mut Bed::with(fill));
        let end = usize::try_from(u64::from_le_bytes(base()[64..72].try_into().unwrap())).unwrap();
        let made = fs::read(fast.squashfs.path()).unwrap();
        assert!(made[96..end] == base()[96..end], "{name}: the base's data is not where it was");
    }
}

#[test]
fn overlays_see_what_earlier_ones_did() {
    let mut bed = Bed::with(|o| {
        o.link("root/etc/indirect", "../usr/share/target")
            .file("patches/x.patch", "--- a/etc/config\n+++ /dev/null\n@@ -1,9 +0,0 @@\n-one\n-two\n-three\n-four\n-five\n-six\n-seven\n-eight\n-nine\n");
    });
    bed.overlay("02-second", |o| {
        o.file("root/etc/indirect", "through the link of the first").file("root/etc/config", "new one");
    });
    let (fast, _) = both(&mut bed);
    assert_eq!(fast.content("usr/share/target"), "through the link of the first");
    assert_eq!(fast.line("usr/share/target"), "-rw------- 33/33 29 new");
    // What the first deleted did not come back: the second's file is new, with the owner of new files.
    assert_eq!(fast.line("etc/config"), "-rw-r--r-- 0/0 7 new");
}

/// Length, time and inode are those of the base; only the content is not.
#[test]
fn a_rewrite_of_equal_length_and_time_is_found() {
    let body = "cd $1; touch -r etc/config /tmp/octofw-time-$$; printf X | dd of=etc/config conv=notrunc 2>/dev/null
touch -r /tmp/octofw-time-$$ etc/config; rm /tmp/octofw-time-$$; chmod 700 usr/share/target; chmod 600 usr/share/target";
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", body);
    });
    bed.overlay("02-later", |o| {
        o.script("scripts/1.sh", "true");
    });
    let (fast, _) = both(&mut bed);
    assert_eq!(fast.changes(), [("etc/config".to_owned(), What::Replaced, "01-test".to_owned())]);
    assert!(fast.content("etc/config").starts_with("Xne\ntwo\n"));
    assert_eq!(fast.line("etc/config"), "-rw-r----- 0/33 45 old");
}

#[test]
fn replaced_data_is_told_as_dead() {
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut bed = Bed::new();
    assert_eq!(bed.build().unwrap().report.dead_bytes, 0);
    // The base's own large file is text that shrinks to little.
    bed.overlay("01-replace", |o| {
        o.file("root/bin/su", &noise);
    });
    let built = bed.build().unwrap();
    assert_eq!(built.report.dead_bytes, 0, "busybox has the same content and still needs it");
    let names: &[&str] = &["busybox", "sh", "ls", "cat"];
    bed.overlay("02-replace", |o| {
        for name in names {
            o.file(&format!("root/bin/{name}"), format!("{name}\n"));
        }
    });
    let built = bed.build().unwrap();
    assert!((100..10_000).contains(&built.report.dead_bytes), "{}", built.report.dead_bytes);
    let size = fs::metadata(built.squashfs.path()).unwrap().len();
    let on_top = Bed::new();
    fs::copy(built.squashfs.path(), on_top.path("base.squashfs")).unwrap();
    let expected = format!(
        "{} bytes of the base's data belong to no file, as in an image that was built without --repack; build on the original base",
        built.report.dead_bytes
    );
    assert_eq!(on_top.build().unwrap().report.notes, [expected]);
    bed.repack = true;
    let full = fs::metadata(bed.build().unwrap().squashfs.path()).unwrap().len();
    assert!(full <= size, "{full} {size}");
}

#[test]
fn the_same_bytes_come_out_each_time() {
    let bed = Bed::with(|o| {
        for number in 0..40 {
            o.file(&format!("root/opt/{number}"), format!("content {}\n", number % 7).repeat(number * 900));
        }
        o.file("root/etc/config", "x");
    });
    let first = fs::read(bed.build().unwrap().squashfs.path()).unwrap();
    assert!(fs::read(bed.build().unwrap().squashfs.path()).unwrap() == first);
    let bed = Bed::with(|o| {
        o.script("scripts/1.sh", "cd $1; for i in 9 3 7 1 8 2; do echo $i >opt$i; done; mv bin/su bin/su2");
    });
    let first = fs::read(bed.build().unwrap().squashfs.path()).unwrap();
    assert!(fs::read(bed.build().unwrap().squashfs.path()).unwrap() == first);
}

/// A base that octofw cannot read, but unsquashfs can, is packed anew, and that is told.
#[test]
fn what_cannot_be_spliced_is_packed_anew() {
    let bed = Bed::with(|o| {
        o.file("root/etc/new", "x");
    });
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("lzo");
    fs::create_dir(folder.path().join("root")).unwrap();
    fs::create_dir(folder.path().join("root/etc")).unwrap();
    let made = std::process::Command::new("mksquashfs")
        .arg(folder.path().join("root"))
        .arg(&image)
        .args(["-comp", "lzo", "-all-root", "-quiet", "-no-progress", "-no-xattrs"])
        .output()
        .unwrap();
    assert!(made.status.success());
    fs::copy(&image, bed.path("base.squashfs")).unwrap();
    let built = bed.build().unwrap();
    assert_eq!(built.report.packed, Packed::Repacked);
    assert_eq!(
        built.report.notes,
        ["the base's data cannot be kept, the root is packed anew as a whole: octofw does not read lzo"]
    );
    assert_eq!(built.content("etc/new"), "x");
}
