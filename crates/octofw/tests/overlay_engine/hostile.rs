//! Overlays that mean harm, or look like it: refused with their name and the file, or without effect outside the root.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use octofw::digest::of_file;

use crate::bed::Bed;

#[test]
fn what_no_image_could_take_is_refused_before_it_is_read() {
    // All of them are holes: nothing is on the disk, and to read them would take hours.
    for (path, size, expected) in [
        (
            "root/usr/share/huge",
            8_u64 << 40,
            "overlay 01-test: root/usr/share/huge: it has 8796093022208 bytes",
        ),
        (
            "root/usr/share/large",
            (1 << 30) + 1,
            "overlay 01-test: root/usr/share/large: it has 1073741825 bytes",
        ),
        ("scripts/1.sh", 1 << 30, "overlay 01-test: scripts/1.sh: it is larger than 16 MiB"),
        ("owners", 1 << 40, "overlay 01-test: owners: it is not a file, or larger than 16 MiB"),
        (
            "patches/1.patch",
            1 << 30,
            "overlay 01-test: patches/1.patch: it is not a file, or larger than 64 MiB",
        ),
    ] {
        let bed = Bed::with(|o| {
            o.file_with_mode(path, "", 0o755);
            File::options().write(true).open(o.0.join(path)).unwrap().set_len(size).unwrap();
        });
        let error = bed.error();
        assert!(error.contains(expected), "{error}");
    }
    let bed = Bed::with(|o| {
        for number in 0..5 {
            let path = format!("root/usr/share/{number}");
            o.file(&path, "");
            File::options().write(true).open(o.0.join(path)).unwrap().set_len(1 << 30).unwrap();
        }
    });
    assert!(
        bed.error().contains("the files up to here have more than 4294967296 bytes in all"),
        "{}",
        bed.error()
    );
}

#[test]
fn nobody_waits_at_a_pipe() {
    for (path, expected) in [
        ("root/etc/pipe", "root/etc/pipe: it is a device, pipe or socket"),
        ("scripts/1.sh", "scripts/1.sh: it is not a file"),
        ("pre-scripts/1.sh", "pre-scripts/1.sh: it is not a file"),
        ("patches/1.patch", "patches/1.patch: it is not a file"),
        ("owners", "owners: it is not a file"),
    ] {
        let bed = Bed::with(|o| {
            o.file(path, "");
            fs::remove_file(o.0.join(path)).unwrap();
            nix::unistd::mkfifo(&o.0.join(path), nix::sys::stat::Mode::S_IRWXU).unwrap();
        });
        let error = bed.error();
        assert!(error.contains(&format!("overlay 01-test: {expected}")), "{error}");
    }
}

#[test]
fn a_sparse_file_that_fits_costs_what_it_holds() {
    let bed = Bed::with(|o| {
        o.file("root/usr/share/sparse", "");
        File::options()
            .write(true)
            .open(o.0.join("root/usr/share/sparse"))
            .unwrap()
            .set_len(64 << 20)
            .unwrap();
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("usr/share/sparse"), "-rw-r--r-- 0/0 67108864 new");
    assert!(fs::metadata(built.squashfs.path()).unwrap().len() < 1 << 20);
}

#[test]
fn a_script_that_makes_a_hole_is_named() {
    let bed = Bed::with(|o| {
        o.script("scripts/1.sh", "truncate -s 4T $1/usr/share/hole");
    });
    let error = bed.error();
    assert!(error.contains("usr/share/hole: overlay 01-test: it has 4398046511104 bytes"), "{error}");
}

#[test]
fn privileges_are_carried_over_only_where_they_are_declared() {
    let mut bed = Bed::with(|o| {
        o.file_with_mode("root/usr/bin/plain", "x", 0o4755).file_with_mode("root/usr/bin/group", "x", 0o2755);
        o.file_with_mode("root/usr/bin/declared", "x", 0o755).file("owners", "usr/bin/declared 4755 0 0\n");
    });
    bed.overlay("02-script", |o| {
        o.script(
            "scripts/1.sh",
            "cp $1/usr/bin/plain $1/usr/bin/made; chmod 4755 $1/usr/bin/made; chmod 6755 $1/bin/su",
        );
    });
    let built = bed.build().unwrap();
    for (path, line) in [
        ("usr/bin/plain", "-rwxr-xr-x 0/0 1 new"),
        ("usr/bin/group", "-rwxr-xr-x 0/0 1 new"),
        ("usr/bin/declared", "-rwsr-xr-x 0/0 1 new"),
        ("usr/bin/made", "-rwsr-xr-x 0/0 1 new"),
        ("bin/su", "-rwsr-sr-x 0/0 200000 old"),
    ] {
        assert_eq!(built.line(path), line, "{path}");
    }
    let notes = &built.report.notes;
    let about = |text: &str| notes.iter().filter(|note| note.contains(text)).count();
    assert_eq!(about("bit is not carried over"), 2, "{notes:?}");
    assert_eq!(about("usr/bin/made now runs as its owner or group (4755 0:0)"), 1, "{notes:?}");
    assert_eq!(about("bin/su now runs as its owner or group (6755 0:0)"), 1, "{notes:?}");
    assert_eq!(about("declared now"), 0, "{notes:?}");
}

/// As that of BusyBox, which has hundreds of them.
#[test]
fn what_is_declared_for_a_file_is_so_for_each_of_its_names() {
    let bed = Bed::with(|o| {
        o.file("owners", "bin/sh 4755 0 0\n");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("bin/busybox"), "-rwsr-xr-x 0/0 200000 old");
    assert_eq!(built.report.notes, Vec::<String>::new());
}

#[test]
fn names_and_links_that_do_harm_are_refused() {
    for (path, target, expected) in [
        ("root/etc/bad\nname", None, "the name is no plain UTF-8 text"),
        ("root/etc/\u{1b}[2J", None, "the name is no plain UTF-8 text"),
        ("root/etc/passwd", Some("/etc/shadow"), "root/etc/passwd: the link points to /etc/shadow"),
        ("root/etc/x", Some("../../../etc/shadow"), "root/etc/x: the link points to ../../../etc/shadow"),
        ("root", Some("/etc"), "root: it is not a folder"),
        ("scripts", Some("/etc"), "scripts: it is no folder; put a real one there, not a link"),
        ("patches/x.patch", Some("/etc/passwd"), "patches/x.patch, line 1: it changes nothing"),
        ("owners", Some("/etc/passwd"), "owners, line 1"),
    ] {
        let bed = Bed::with(|o| {
            match target {
                Some(target) => o.link(path, target),
                None => o.file(path, "x"),
            };
        });
        let error = bed.error();
        assert!(error.starts_with("overlay 01-test: ") && error.contains(expected), "{path}: {error}");
    }
    let deep = format!("root/{}x", "d/".repeat(150));
    let error = Bed::with(|o| {
        o.file(&deep, "x");
    })
    .error();
    assert!(error.contains("or 100 folders in one another"), "{error}");
}

/// An archive as a program makes it that writes whatever names and links it is told.
fn archive(folder: &Path, entries: &str) -> (String, String) {
    let script = format!(
        "import io, tarfile\nwith tarfile.open('a.tar.gz', 'w:gz') as t:\n def add(name, kind=tarfile.REGTYPE, link='', data=b'', mode=0o644, uid=0):\n  i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = len(data); i.mode = mode; i.uid = uid; i.uname = 'nobody'\n  t.addfile(i, io.BytesIO(data))\n{entries}"
    );
    let made = Command::new("python3").args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = folder.join("a.tar.gz");
    (format!("file://{}", path.display()), of_file(&path).unwrap().0)
}

#[test]
fn an_archive_does_not_leave_the_folder_it_is_unpacked_into() {
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    fs::write(&canary, "alive").unwrap();
    let (target, folder) = (canary.display(), outside.path().display());
    for entries in [
        format!(" add('../../../../../../../../../..{target}', data=b'dead')\n"),
        format!(" add('{target}', data=b'dead')\n"),
        format!(" add('way', tarfile.SYMTYPE, '{folder}')\n add('way/canary', data=b'dead')\n"),
        format!(" add('way', tarfile.SYMTYPE, '{target}')\n add('way', data=b'dead')\n"),
        format!(" add('way', tarfile.LNKTYPE, '{target}')\n add('way', data=b'dead')\n"),
    ] {
        let (url, digest) = archive(outside.path(), &entries);
        let bed = Bed::with(|o| {
            o.script("scripts/1.sh", &format!("cache_file.sh a.tar.gz {url} {digest} $1/opt/x || true"));
        });
        bed.build().unwrap();
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive", "{entries}");
    }
}

#[test]
fn a_folder_behind_a_link_of_the_root_is_one_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("kept")).unwrap();
    fs::write(outside.path().join("kept/canary"), "alive").unwrap();
    let (url, digest) = archive(outside.path(), " add('canary', data=b'dead', uid=1000, mode=0o600)\n");
    let way = outside.path().display();
    let bed = Bed::with(|o| {
        o.script(
            "scripts/1.sh",
            &format!("ln -s {way} $1/etc/way\ncache_file.sh a.tar.gz {url} {digest} $1/etc/way/kept\ncache_file.sh $1/etc/way/file {url} {digest}"),
        );
    });
    let built = bed.build().unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("kept/canary")).unwrap(), "alive");
    assert!(!outside.path().join("file").exists());
    // Owners come by number: the build machine's own users do not count.
    let inner = format!("{}/kept/canary", way.to_string().trim_start_matches('/'));
    assert_eq!(built.line(&inner), "-rw------- 1000/0 4 new");
}

#[test]
fn what_holds_the_build_is_not_emptied() {
    let outside = tempfile::tempdir().unwrap();
    let (url, digest) = archive(outside.path(), " add('x', data=b'x')\n");
    for folder in ["$1", "$1/..", "/", ".", "$1/etc/up"] {
        let bed = Bed::with(|o| {
            o.script(
                "scripts/1.sh",
                &format!("ln -s / $1/etc/up; cache_file.sh a.tar.gz {url} {digest} {folder}"),
            );
        });
        let error = bed.error();
        assert!(error.contains("it would be emptied, and with it the root or the tree"), "{folder}: {error}");
        assert!(bed.path("base.squashfs").exists());
    }
}
