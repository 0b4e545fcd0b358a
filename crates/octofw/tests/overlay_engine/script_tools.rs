//! The commands that scripts of overlays call, in real builds.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::digest::{hex, of_file};
use octofw::rootfs::steps::Came;
use octofw::script_tools::chroot::QEMU;
use octofw::script_tools::said::Lack;
use octofw::script_tools::{COMMAND, OFFLINE, filtered};
use sha2::Digest as _;

use crate::bed::{Bed, Built, OCTOFW};

/// A program for the printer's processor, compiled on the spot: it does a few things as its arguments say, or the words
/// of a script that names it as its interpreter.
fn program() -> Vec<u8> {
    const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
static int work(int n, char **a) {
    for (int i = 0; i < n; i++) {
        if (!strcmp(a[i], "write")) { FILE *f = fopen(a[++i], "w"); if (!f) return 10; fprintf(f, "%s\n", a[++i]); fclose(f); }
        else if (!strcmp(a[i], "copy")) { char b[4096]; FILE *f = fopen(a[++i], "r"), *g = fopen(a[++i], "w"); if (!f || !g) return 11;
            size_t k; while ((k = fread(b, 1, sizeof b, f))) fwrite(b, 1, k, g); fclose(f); fclose(g); }
        else if (!strcmp(a[i], "chown")) { if (chown(a[i + 1], atoi(a[i + 2]), atoi(a[i + 3]))) return 12; i += 3; }
        else if (!strcmp(a[i], "chmod")) { if (chmod(a[i + 1], strtol(a[i + 2], 0, 8))) return 13; i += 2; }
        else if (!strcmp(a[i], "rm")) { if (unlink(a[++i])) return 14; }
        else if (!strcmp(a[i], "see")) { struct stat s; struct statx x; int found = 0; i++;
            found += !access(a[i], F_OK); found += !stat(a[i], &s); found += !statx(AT_FDCWD, a[i], 0, STATX_ALL, &x);
            found += !faccessat(AT_FDCWD, a[i], F_OK, AT_EACCESS); if (found != 4) return found ? 18 : 15; }
        else if (!strcmp(a[i], "run")) { execv(a[i + 1], a + i + 1); return 16; }
        else if (!strcmp(a[i], "which")) { struct stat s; if (stat(a[++i], &s)) return 21; FILE *f = fopen(a[++i], "a");
            fprintf(f, "%s %llu:%llu\n", a[i - 1], (unsigned long long) s.st_dev, (unsigned long long) s.st_ino); fclose(f); }
        else if (!strcmp(a[i], "node")) { if (mknod(a[++i], S_IFBLK | 0600, makedev(7, 99))) return 22; }
        else if (!strcmp(a[i], "exit")) { return atoi(a[++i]); }
        else if (!strcmp(a[i], "count")) { FILE *f = fopen(a[++i], "a"); if (!f) return 19; fprintf(f, "run\n"); fclose(f); }
        else return 17;
    }
    return 0;
}
int main(int n, char **a) {
    static char text[4096], *words[256];
    if (n != 2 || a[1][0] != '/') return work(n - 1, a + 1);
    FILE *f = fopen(a[1], "r");
    if (!f) return 20;
    fread(text, 1, sizeof text - 1, f);
    int k = 0;
    strtok(text, "\n");
    while (k < 256 && (words[k] = strtok(0, " \n"))) k++;
    return work(k, words);
}
"#;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("tool.c"), SOURCE).unwrap();
    let compiled = Command::new("aarch64-linux-gnu-gcc")
        .args(["-static", "-Os", "-s", "-o"])
        .args([at("tool"), at("tool.c")])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    fs::read(at("tool")).unwrap()
}

/// A bed whose base has the program as `/bin/tool`.
fn with_program(script: &str) -> Bed {
    let mut bed = Bed::new();
    bed.overlay("01-tool", |o| {
        o.file_with_mode("root/bin/tool", program(), 0o755);
    });
    bed.overlay("02-test", |o| {
        o.script("scripts/1.sh", script);
    });
    bed
}

fn build(bed: &Bed) -> Built {
    bed.build().unwrap()
}

#[test]
fn a_program_of_the_root_runs_in_the_root() {
    let bed = with_program(
        r#"chroot_firmware.sh "$1" /bin/tool write /etc/made inside write /etc/to-file through chmod /etc/made 4750 write /etc/config changed rm /etc/init.d/S50x
chroot_firmware.sh "$1" /bin/tool see /etc/made see /etc/to-file see /bin/tool
chroot_firmware.sh "$1" tool run /bin/tool write /etc/child born
code=0; chroot_firmware.sh "$1" /bin/tool exit 7 || code=$?; [ $code = 7 ]"#,
    );
    let built = build(&bed);
    for (path, line) in [
        ("etc/made", "-rwsr-x--- 0/0 7 new"),
        ("etc/child", "-rw-r--r-- 0/0 5 new"),
        // What was there keeps its owner and mode, also behind a link that is absolute.
        ("usr/share/target", "-rw------- 33/33 8 new"),
        ("etc/config", "-rw-r----- 0/33 8 new"),
        ("etc/init.d/S50x", "missing"),
        ("bin/su", "-rwsr-xr-x 0/0 200000 old"),
        ("home/lava/bin/hwver.sh", "-rwxr-xr-x 1000/1000 10 old"),
    ] {
        assert_eq!(built.line(path), line, "{path}");
    }
    assert_eq!(built.content("etc/child"), "born\n");
    let paths: Vec<_> = built.changes().into_iter().map(|(path, ..)| path).collect();
    assert_eq!(
        paths,
        ["bin/tool", "etc/child", "etc/config", "etc/init.d/S50x", "etc/made", "usr/share/target"],
        "nothing of proot stays behind"
    );
    assert!(
        built.report.notes.iter().any(|note| note.contains("etc/made now runs as its owner")),
        "{:?}",
        built.report.notes
    );
}

#[test]
fn owners_that_are_set_in_the_root_are_told_and_not_recorded() {
    let bed = with_program(
        r#"chroot_firmware.sh "$1" /bin/tool write /etc/made x chown /etc/made 1000 33 chown /etc/shadow 5 5 chown /etc/passwd 0 0 chown /dev/null 7 7 chmod /dev/null 600 chown /etc/resolv.conf 7 7"#,
    );
    let built = build(&bed);
    assert_eq!(built.line("etc/made"), "-rw-r--r-- 0/0 2 new");
    assert_eq!(built.line("etc/shadow"), "---------- 0/0 7 old");
    let notes = built.report.notes.join("\n");
    let device = fs::metadata("/dev/null").unwrap();
    assert_eq!((device.uid(), device.gid(), device.mode() & 0o777), (0, 0, 0o666), "the build machine's own");
    assert!(
        notes.contains("02-test: scripts/1.sh: a program that ran in the root set the owner of 2 files, which cannot be recorded (/etc/made 1000:33, /etc/shadow 5:5)"),
        "{notes}"
    );
}

#[test]
fn a_file_made_in_the_root_does_not_inherit_the_owner_of_a_deleted_one() {
    // A hundred files of another owner, set-user at that, go; as many take their inodes.
    let names: Vec<String> = (0..100).map(|number| format!("/t/{number}")).collect();
    let rm: Vec<String> = names.iter().map(|name| format!("rm {name}")).collect();
    let make: Vec<String> = names.iter().map(|name| format!("write {name}n x")).collect();
    let bed = with_program(&format!(
        "mkdir $1/t; for i in $(seq 0 99); do : >$1/t/$i; done; chown -R 1000:33 $1/t/*; chmod 4711 $1/t/*\nchroot_firmware.sh \"$1\" /bin/tool {} {}",
        rm.join(" "),
        make.join(" ")
    ));
    let listing = build(&bed).listing();
    let made: Vec<_> = listing.iter().filter(|(path, _)| path.starts_with("t/")).collect();
    assert_eq!(made.len(), 100);
    let wrong: Vec<_> = made.iter().filter(|(_, line)| !line.starts_with("-rw-r--r-- 0/0 ")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_build_machine_is_not_seen_from_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let secret = outside.path().join("secret");
    for path in [
        secret.display().to_string(),
        format!("/host-rootfs{}", secret.display()),
        format!("/../../../../../../../../..{}", secret.display()),
        format!("/etc/way{}", secret.display()),
        "/proc/1/root/etc/passwd".to_owned(),
        "/host-rootfs/etc/passwd".to_owned(),
    ] {
        let bed = with_program(&format!(
            "ln -s ../../../../../../../../../../../.. $1/etc/way; code=0; chroot_firmware.sh $1 /bin/tool see {path} || code=$?; echo {path} $code; [ $code = 15 ]"
        ));
        build(&bed);
        let bed = with_program(&format!(
            "ln -s ../../../../../../../../../../../.. $1/etc/way; chroot_firmware.sh $1 /bin/tool write {path} dead || true"
        ));
        build(&bed);
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret", "{path}");
    }
}

/// Whether the tests run as root. A user cannot change the machine's devices, and sees them.
fn as_root() -> bool {
    nix::unistd::getuid().is_root()
}

#[test]
fn root_shows_programs_of_the_root_no_device_of_the_build_machine() {
    const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
    let calls = DEVICES.map(|path| format!("which {path} /etc/seen")).join(" ");
    let built = build(&with_program(&format!("chroot_firmware.sh $1 /bin/tool {calls}")));
    let seen = built.content("etc/seen");
    let own = DEVICES.map(|path| {
        let found = fs::metadata(path).unwrap();
        format!("{path} {}:{}", found.dev(), found.ino())
    });
    assert_eq!(seen.lines().count(), DEVICES.len());
    for (line, own) in seen.lines().zip(own) {
        assert_eq!(line == own, !as_root(), "{line}, {own}");
    }
    // Only now, when nothing of the machine can be hit.
    let state = |path| {
        let found = fs::symlink_metadata(path).unwrap();
        (found.dev(), found.ino(), found.mode(), found.uid(), found.gid(), found.rdev())
    };
    let before = DEVICES.map(state);
    for path in DEVICES {
        let call = format!(
            "chroot_firmware.sh $1 /bin/tool chmod {path} 600 chown {path} 7 7 rm {path} write {path} dead || true"
        );
        build(&with_program(&call));
    }
    assert_eq!(DEVICES.map(state), before);
}

/// proot lets root make real device nodes, which lead to the build machine's disks.
#[test]
fn a_program_of_the_root_makes_no_device_node() {
    let built = build(&with_program(
        "code=0; chroot_firmware.sh $1 /bin/tool node /etc/disk || code=$?; test ! -e $1/etc/disk",
    ));
    assert_eq!(built.line("etc/disk"), "missing");
}

#[test]
fn programs_of_the_root_have_no_rights_of_root_but_over_files() {
    let told = Command::new(OCTOFW)
        .args([COMMAND, filtered::NAME, "grep", "^Cap", "/proc/self/status"])
        .output()
        .unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    let rights: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .filter(|(name, _)| *name != "CapBnd")
        .map(|(name, set)| (name, u64::from_str_radix(set, 16).unwrap()))
        .collect();
    // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER; a container may have taken some of them away already.
    let most = if as_root() { 0b1110 } else { 0 };
    assert_eq!(rights.len(), 4, "{text}");
    for (name, set) in rights {
        let most = if ["CapPrm", "CapEff"].contains(&name) { most } else { 0 };
        assert_eq!(set & !most, 0, "{text}");
    }
}

#[test]
fn the_emulator_of_the_build_machine_cannot_be_written_to() {
    let qemu = Path::new("/usr/bin").join(QEMU).canonicalize().unwrap();
    let before = of_file(&qemu).unwrap();
    let bed = with_program(&format!(
        "chroot_firmware.sh $1 /bin/tool rm /host-rootfs{0} write /host-rootfs{0} dead || true",
        qemu.display()
    ));
    build(&bed);
    let bed = with_program(&format!(
        "chroot_firmware.sh $1 /bin/tool write /host-rootfs{} dead || true",
        qemu.display()
    ));
    build(&bed);
    assert_eq!(of_file(&qemu).unwrap(), before);
}

#[test]
fn only_a_root_of_the_build_is_entered_and_what_it_lacks_is_named() {
    for (call, expected) in [
        ("chroot_firmware.sh / /bin/true", "it is no root of this build"),
        (
            "chroot_firmware.sh $1 /usr/bin/pip3",
            "there is no /usr/bin/pip3 in the root; this base does not have it",
        ),
        ("chroot_firmware.sh $1 pip3", "there is no pip3 in the root"),
        ("echo '#!/bin/bash' >$1/x; chroot_firmware.sh $1 /x", "there is no /bin/bash in the root"),
        (
            "echo '#!/bin/ls' >$1/x; cp $1/x $1/bin/env; echo '#!/bin/env bash' >$1/x; chroot_firmware.sh $1 /x",
            "there is no bash in the root",
        ),
        ("cache_pip.sh $1 pyyaml", "there is no pip3 in the root"),
        ("chroot_firmware.sh $1", "usage: chroot_firmware.sh ROOT COMMAND..."),
        ("cache_file.sh x https://x abc", "usage: cache_file.sh TARGET URL SHA256 [DIR]"),
        ("cache_git.sh x --upload-pack=touch main", "usage: cache_git.sh DIR URL REVISION"),
        ("dos2unix $1/home/lava/klipper/x.py", "there is no /home/lava/klipper/x.py in the root"),
    ] {
        let bed = Bed::with(|o| {
            o.script("scripts/1.sh", call);
        });
        let error = bed.error();
        assert!(error.contains(expected) && error.contains("scripts/1.sh"), "{call}: {error}");
    }
}

#[test]
fn scripts_whose_name_says_so_run_in_the_root() {
    let mut bed = with_program("cp $1/etc/made $1/etc/copy");
    bed.overlay("03-inside", |o| {
        o.file_with_mode("pre-scripts/1.chroot.sh", "#!/bin/tool\nsee /1.chroot.sh count /etc/runs\n", 0o755)
            .file_with_mode("scripts/2.chroot.sh", "#!/bin/tool\nsee /etc/runs count /etc/runs\n", 0o755);
    });
    bed.overlay("04-fails", |o| {
        o.file_with_mode("scripts/1.chroot.sh", "#!/bin/tool\nexit 7\n", 0o755);
    });
    let error = bed.error();
    assert!(error.contains("overlay 02-test: scripts/1.sh"), "{error}");
    fs::write(bed.path("overlays/02-test/scripts/1.sh"), "#!/bin/sh\ntrue\n").unwrap();
    let error = bed.error();
    assert!(
        error.contains("overlay 04-fails: scripts/1.chroot.sh") && error.contains("exit status 7"),
        "{error}"
    );
    fs::write(bed.path("overlays/04-fails/scripts/1.chroot.sh"), "#!/bin/tool\ncount /etc/runs\n").unwrap();
    let built = build(&bed);
    assert_eq!(built.content("etc/runs"), "run\nrun\nrun\n");
    assert!(built.changes().iter().all(|(path, ..)| !path.ends_with(".sh")), "{:?}", built.changes());

    let bed = Bed::with(|o| {
        o.file_with_mode("scripts/config.chroot.sh", "#!/bin/sh\n", 0o755)
            .file("root/config.chroot.sh", "mine");
    });
    assert!(bed.error().contains("there is a file /config.chroot.sh in the root"));
}

fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

#[test]
fn a_file_is_fetched_once_and_found_by_its_content_from_then_on() {
    let outside = tempfile::tempdir().unwrap();
    let source = outside.path().join("tool");
    fs::write(&source, "the tool").unwrap();
    let script = format!(
        "cache_file.sh $CACHE_DIR/tool file://{} {}\ninstall -m 755 $CACHE_DIR/tool $1/usr/bin/tool",
        source.display(),
        sha256(b"the tool")
    );
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", &script);
    });
    bed.variables.insert("CACHE_DIR".into(), bed.path("tmp/cache").display().to_string());
    assert_eq!(build(&bed).content("usr/bin/tool"), "the tool");
    // Neither the source nor the copy is needed any more, nor is the network.
    fs::remove_file(&source).unwrap();
    fs::remove_dir_all(bed.path("tmp")).unwrap();
    bed.variables.insert(OFFLINE.into(), "1".into());
    assert_eq!(build(&bed).content("usr/bin/tool"), "the tool");
    // A copy that somebody changed is not taken.
    fs::write(bed.path("tmp/cache/tool"), "another").unwrap();
    assert_eq!(build(&bed).content("usr/bin/tool"), "the tool");

    fs::remove_dir_all(bed.path("cache")).unwrap();
    fs::remove_dir_all(bed.path("tmp")).unwrap();
    let error = bed.error();
    let place = bed.path("cache/sha256").join(sha256(b"the tool"));
    for part in ["offline, and file://", &sha256(b"the tool"), &format!("cp FILE {}", place.display())] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // And done as told, it works.
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, "the tool").unwrap();
    assert_eq!(build(&bed).content("usr/bin/tool"), "the tool");
}

/// A server that has one file, `/tool`, and answers everything else with 404; its address.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = String::new();
            let mut lines = BufReader::new(connection.try_clone().unwrap());
            while lines.read_line(&mut request).unwrap() > 2 {}
            let (status, body) =
                if request.starts_with("GET /tool ") { ("200 OK", "the tool") } else { ("404 No", "no") };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn a_file_comes_over_the_network_and_a_server_that_lacks_it_is_named() {
    let server = server();
    let digest = sha256(b"the tool");
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", &format!("cache_file.sh $1/usr/bin/tool {server}/tool {digest}"));
    });
    for name in ["http_proxy", "ALL_PROXY", "all_proxy"] {
        bed.variables.insert(name.into(), String::new());
    }
    assert_eq!(build(&bed).content("usr/bin/tool"), "the tool");
    assert_eq!(build(&bed).line("usr/bin/tool"), "-rw-r--r-- 0/0 8 new");

    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", &format!("cache_file.sh $1/usr/bin/tool {server}/gone {digest}"));
    });
    for name in ["http_proxy", "ALL_PROXY", "all_proxy"] {
        bed.variables.insert(name.into(), String::new());
    }
    let error = bed.error();
    assert!(error.contains(&format!("{server}/gone")) && error.contains("404"), "{error}");
    bed.rehearse = true;
    let steps = bed.build().unwrap().report.steps;
    let lacked = vec![Lack::Network { what: format!("{server}/gone") }];
    assert_eq!(steps.last().unwrap().came, Came::Lacked(lacked));
    assert!(
        fs::read_dir(bed.path("cache/unfinished")).unwrap().next().is_none(),
        "nothing half fetched is left"
    );
}

#[test]
fn a_tree_that_calls_a_command_in_its_own_way_keeps_its_own() {
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", "cache_git.sh curl >$1/etc/called");
    });
    bed.overlay("../scripts", |o| {
        o.script("helpers/cache_git.sh", "echo own $@").script("helpers/chroot_firmware.sh", "echo own");
    });
    bed.variables.insert("ROOT_DIR".into(), bed.folder.path().display().to_string());
    assert_eq!(build(&bed).content("etc/called"), "own curl\n");
    fs::write(bed.path("overlays/01-test/scripts/1.sh"), "#!/bin/sh\nchroot_firmware.sh $1\n").unwrap();
    assert!(bed.error().contains("usage: chroot_firmware.sh"), "{}", bed.error());
}

#[test]
fn what_is_not_what_the_script_names_is_not_taken() {
    let outside = tempfile::tempdir().unwrap();
    let source = outside.path().join("tool");
    fs::write(&source, "changed").unwrap();
    let bed = Bed::with(|o| {
        let line = format!("cache_file.sh $1/x file://{} {}", source.display(), sha256(b"the tool"));
        o.script("scripts/1.sh", &line);
    });
    let error = bed.error();
    assert!(error.contains(&format!("x has SHA-256 {}", sha256(b"changed"))), "{error}");
    assert!(!bed.path("cache/sha256").exists());
}

/// An archive of each kind with a file in it.
fn archives(folder: &Path) -> Vec<PathBuf> {
    fs::create_dir(folder.join("x")).unwrap();
    fs::write(folder.join("x/file"), "packed").unwrap();
    let script = "tar --owner=0 --group=0 -czf a.tar.gz x; tar --owner=0 --group=0 -cJf a.tar.xz x; python3 -m zipfile -c a.zip x";
    let made = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    ["a.tar.gz", "a.tar.xz", "a.zip"].map(|name| folder.join(name)).to_vec()
}

#[test]
fn archives_are_unpacked_into_an_emptied_folder() {
    let outside = tempfile::tempdir().unwrap();
    for archive in archives(outside.path()) {
        let name = archive.file_name().unwrap().to_str().unwrap();
        let digest = of_file(&archive).unwrap().0;
        let bed = Bed::with(|o| {
            o.script(
                "scripts/1.sh",
                &format!("cache_file.sh {name} file://{} {digest} $1/usr/share", archive.display()),
            );
        });
        let built = build(&bed);
        assert_eq!(built.content("usr/share/x/file"), "packed", "{name}");
        assert_eq!(built.line("usr/share/x/file"), "-rw-r--r-- 0/0 6 new", "{name}");
        assert_eq!(built.line("usr/share/target"), "missing", "{name}");
    }
}

/// A repository with two commits; their names.
fn repository(folder: &Path) -> (String, String) {
    let script = "git init -q .; git config user.name n; git config user.email e; echo one >file; git add .; git commit -qm 1; git rev-parse HEAD; echo two >file; git commit -qam 2; git rev-parse HEAD";
    let made = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

#[test]
fn a_repository_is_cloned_at_one_commit_and_kept() {
    let outside = tempfile::tempdir().unwrap();
    let (one, two) = repository(outside.path());
    let script = |commit: &str| {
        format!(
            "cache_git.sh $CACHE_DIR/r file://{} {commit}\ncp $CACHE_DIR/r/file $1/etc/file",
            outside.path().display()
        )
    };
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", &script(&one));
    });
    bed.variables.insert("CACHE_DIR".into(), bed.path("tmp/cache").display().to_string());
    assert_eq!(build(&bed).content("etc/file"), "one\n");
    // Another commit into the same folder; then the first one again, without a network and without the folder.
    let path = bed.path("overlays/01-test/scripts/1.sh");
    fs::write(&path, format!("#!/bin/sh\nset -e\n{}\n", script(&two))).unwrap();
    assert_eq!(build(&bed).content("etc/file"), "two\n");
    bed.variables.insert(OFFLINE.into(), "1".into());
    fs::remove_dir_all(bed.path("tmp")).unwrap();
    fs::remove_dir_all(outside.path().join(".git")).unwrap();
    fs::write(&path, format!("#!/bin/sh\nset -e\n{}\n", script(&one))).unwrap();
    assert_eq!(build(&bed).content("etc/file"), "one\n");
    // What a person changed in the clone stays, until a machine builds.
    fs::write(bed.path("tmp/cache/r/file"), "mine\n").unwrap();
    assert_eq!(build(&bed).content("etc/file"), "mine\n");
    bed.variables.insert("CI".into(), "true".into());
    assert_eq!(build(&bed).content("etc/file"), "one\n");

    fs::remove_dir_all(bed.path("cache")).unwrap();
    fs::remove_dir_all(bed.path("tmp")).unwrap();
    let error = bed.error();
    for part in [format!("offline, and commit {one} of file://"), "git clone --mirror file://".to_owned()] {
        assert!(error.contains(&part), "{error}");
    }
}

#[test]
fn windows_line_ends_go_and_owners_stay() {
    let mut bed = Bed::with(|o| {
        o.file("root/etc/crlf", "a\r\nb\r\n").file("owners", "etc/crlf 0640 1000 33\n");
    });
    bed.overlay("02-test", |o| {
        o.script("pre-scripts/1.sh", "dos2unix -q \"$1/etc/crlf\"");
    });
    let built = build(&bed);
    assert_eq!(built.content("etc/crlf"), "a\nb\n");
    assert_eq!(built.line("etc/crlf"), "-rw-r----- 1000/33 4 new");
}
