//! What no overlay touches must come out as it went in.

use std::fs;
use std::process::Command;

use octofw::rootfs::snapshot::What;

use crate::bed::{Bed, base, listing};

#[test]
fn without_overlays_the_same_bytes_come_out() {
    let mut bed = Bed::new();
    bed.overlay("empty", |o| {
        o.folder("scripts", 0o755)
            .folder("pre-scripts", 0o755)
            .folder("root", 0o755)
            .folder("patches", 0o755);
    });
    let built = bed.build().unwrap();
    assert!(built.report.changes.is_empty(), "{:?}", built.report.changes);
    assert_eq!(built.listing(), listing(&bed.path("base.squashfs")));
    // Only the time of packing differs: bytes 8 to 12 of the superblock.
    let mut bytes = fs::read(built.squashfs.path()).unwrap();
    bytes[8..12].copy_from_slice(&base()[8..12]);
    assert!(bytes == base(), "an untouched root is packed to other bytes");
}

#[test]
fn owners_nodes_setuid_and_hard_links_survive() {
    let bed = Bed::with(|o| {
        o.file("root/etc/new", "x");
    });
    let built = bed.build().unwrap();
    for (path, line) in [
        ("bin/su", "-rwsr-xr-x 0/0 200000 old"),
        ("dev/console", "crw------- 0/0 5,1 old"),
        ("dev/mmcblk0", "brw-r--r-- 0/0 179,0 old"),
        ("etc/fifo", "prw-r--r-- 0/0 0 old"),
        ("etc/shadow", "---------- 0/0 7 old"),
        ("home/lava/bin/hwver.sh", "-rwxr-xr-x 1000/1000 10 old"),
        ("var/lib/private", "drwx------ 1000/102 old"),
        ("var/lib/locked", "dr-xr-xr-x 0/0 old"),
        ("etc/to-file -> /usr/share/target", "lrwxrwxrwx 33/33 17 old"),
        ("etc", "drwxr-xr-x 0/0 new"),
        ("etc/init.d", "drwxr-xr-x 0/0 old"),
        ("etc/new", "-rw-r--r-- 0/0 1 new"),
    ] {
        assert_eq!(built.line(path), line, "{path}");
    }
    assert_eq!((built.report.base.hard_links, built.report.result.hard_links), (3, 3));
    assert_eq!((built.report.base.devices, built.report.result.devices), (2, 2));
    assert_eq!(built.report.result.inodes, built.report.base.inodes + 1);
    assert_eq!(built.changes(), [("etc/new".to_owned(), What::Added, "01-test".to_owned())]);
    assert_eq!(built.content("etc/shadow"), "secret\n");
}

#[test]
fn compressor_and_block_size_are_those_of_the_base() {
    let built = Bed::new().build().unwrap();
    let printed = Command::new("unsquashfs").arg("-s").arg(built.squashfs.path()).output().unwrap();
    let text = String::from_utf8(printed.stdout).unwrap();
    for expected in
        ["Compression gzip\n", "Block size 65536\n", "exportable via NFS\n", "Xattrs are not stored\n"]
    {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn what_would_brick_the_printer_is_refused() {
    for (body, expected) in [
        (
            "chown 0:0 $1/home/lava/bin/hwver.sh",
            "home/lava/bin/hwver.sh: it belongs to 1000:1000 in the base and no longer does",
        ),
        ("rm $1/etc/passwd", "etc/passwd: it belongs to 0:0 in the base"),
        ("rm $1/dev/console", "dev/console: this device node of the base is gone"),
        ("rm $1/dev/console; touch $1/dev/console", "dev/console: this device node of the base is gone"),
        ("cp -r $1/bin $1/bin2; rm -r $1/bin; mv $1/bin2 $1/bin", "(a hard link), now it is a copy"),
        ("cp /bin/true $1/usr/bin/native", "usr/bin/native: overlay 01-test: it is a program for"),
        (
            r"printf '\177ELF\001\001\001\000\000\000\000\000\000\000\000\000\002\000\050\000' >$1/usr/bin/arm",
            "for ARM (32 bit), but the printer is aarch64",
        ),
    ] {
        let error = Bed::with(|o| {
            o.script("scripts/1.sh", body);
        })
        .error();
        assert!(error.contains(expected), "{body}: {error}");
    }
    for (path, text, mode, expected) in [
        (
            "root/etc/init.d/S66x",
            "#!/bin/sh\n",
            0o644,
            "etc/init.d/S66x: overlay 01-test: it is an init script without",
        ),
        (
            "root/etc/init.d/S66x",
            "#!/bin/sh\r\n",
            0o755,
            "etc/init.d/S66x: overlay 01-test: it is a script with Windows",
        ),
    ] {
        let error = Bed::with(|o| {
            o.file_with_mode(path, text, mode);
        })
        .error();
        assert!(error.contains(expected), "{error}");
    }
    // What the overlay's own means make right is right.
    let mended = Bed::with(|o| {
        o.file("root/etc/init.d/S66x", "#!/bin/sh\n").file("owners", "etc/init.d/S66x 755 - -\n");
    });
    assert_eq!(mended.build().unwrap().line("etc/init.d/S66x"), "-rwxr-xr-x 0/0 10 new");
    let aarch64 = Bed::with(|o| {
        o.script("scripts/1.sh", r"printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000' >$1/usr/bin/ours");
    });
    assert!(aarch64.build().is_ok());
}

#[test]
fn a_base_that_is_no_squashfs_is_wrong_input() {
    // Tables are always read, content only where it is needed: by scripts, and when all is packed anew.
    let end = usize::try_from(u64::from_le_bytes(base()[40..48].try_into().unwrap())).unwrap();
    let mut bed = Bed::new();
    for (damage, repack) in [(96..300, true), (end - 300..end, false), (end - 300..end, true)] {
        let mut damaged = base().to_vec();
        damaged[damage.clone()].fill(0x55);
        fs::write(bed.path("base.squashfs"), damaged).unwrap();
        bed.repack = repack;
        let error = bed.error();
        let expected = "the base's root file system cannot be unpacked: it is damaged";
        assert!(error.starts_with(expected), "{damage:?}: {error}");
        let outcome = fs::read_to_string(bed.path("work/outcome.json")).unwrap();
        assert!(outcome.contains("\"wrong_input\":true"), "{outcome}");
    }
    fs::write(bed.path("base.squashfs"), "nothing").unwrap();
    assert!(bed.error().contains("is not a sound root file system"), "{}", bed.error());
}
