//! The same bytes come out whoever builds, where, when and with what settings.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use super::{Ended, Repository, ended};
use crate::bed::OCTOFW;

/// The bill of materials in the image is part of what must be equal.
const SBOM: [&str; 2] = ["--sbom", "/usr/share/sbom"];

/// Two machines as far apart as one machine can show them.
#[test]
fn who_builds_where_and_with_what_settings_makes_no_difference() {
    let first = Repository::new();
    first.run(&SBOM).fine();
    let expected = first.result();

    let same = |what: &str, repository: &Repository, ended: Ended| {
        ended.fine();
        assert!(
            repository.result() == expected,
            "{what}: other bytes\n{}",
            String::from_utf8_lossy(&repository.result().1)
        );
    };
    let shell = |repository: &Repository, script: &str| {
        let mut command = Command::new("sh");
        let program = repository.command(&[&SBOM[..], &["--processors", "1"]].concat());
        command.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
        command
            .current_dir(repository.folder.path())
            .env("OCTOFW_CACHE", repository.path("cache"))
            .env_remove("SOURCE_DATE_EPOCH")
            .env_remove("GIT_VERSION");
        command
    };
    let other = Repository::new();
    let mut command = shell(&other, "umask 077; exec \"$@\"");
    command
        .env("TZ", "Pacific/Auckland")
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "de_DE.UTF-8")
        .env("HOME", "/nonexistent");
    same("umask, time zone, language, one processor", &other, ended(command));

    let later = Repository::new();
    let mut command = shell(&later, "exec faketime -f \"$LATER\" \"$@\"");
    on_another_day(&later, &mut command);
    same("another day", &later, ended(command));
    assert_eq!(
        fs::read_to_string(later.path("bin/year")).unwrap(),
        "2031\n",
        "the session saw another day too"
    );

    let nested = Repository::new();
    same("inside another fakeroot", &nested, ended(shell(&nested, "exec fakeroot -- \"$@\"")));

    // Files of a checkout have other modes and times.
    let modes = Repository::new();
    for path in ["overlays/01-test/root/etc/new", "overlays/01-test/root/opt/tool"] {
        let mode = if path.ends_with("tool") { 0o700 } else { 0o600 };
        fs::set_permissions(modes.path(path), Permissions::from_mode(mode)).unwrap();
        fs::File::open(modes.path(path)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    same("modes and times of the checkout", &modes, modes.run(&SBOM));

    // Folders list their files in the order in which they came, or by a number that differs from disk to disk.
    let order = Repository::new();
    fs::rename(order.path("overlays/01-test"), order.path("overlays/other")).unwrap();
    let copied = Command::new("sh")
        .args([
            "-c",
            "cd overlays; mkdir 01-test; cd other; find . ! -type d | sort -r | xargs cp --parents -t ../01-test",
        ])
        .current_dir(order.folder.path())
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    same("order of the files", &order, order.run(&SBOM));

    if nix::unistd::getuid().is_root() {
        let theirs = Repository::new();
        same("an ordinary user", &theirs, ended(by_nobody(&theirs, &SBOM)));
        assert_eq!(fs::metadata(theirs.path("dist/firmware.bin")).unwrap().uid(), 65_534);
    }
}

/// `octofw build` as a user who owns the repository and has no rights beyond that, for tests that root runs.
pub(super) fn by_nobody(repository: &Repository, more: &[&str]) -> Command {
    let program = repository.path("octofw");
    fs::copy(OCTOFW, &program).unwrap();
    give_to_nobody(repository.folder.path());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]).arg(&program);
    command.args(repository.command(more).get_args()).current_dir(repository.folder.path());
    command.env_remove("SOURCE_DATE_EPOCH").env_remove("GIT_VERSION");
    command
}

/// What a call under faketime needs, so that the session in fakeroot has its time too: that starts with an LD_PRELOAD of
/// its own, and so faketime is put in behind it. Times of files stay true, or no file would have the time that it got.
fn on_another_day(repository: &Repository, command: &mut Command) {
    let fakeroot = Command::new("sh").args(["-c", "command -v fakeroot"]).output().unwrap().stdout;
    let fakeroot = String::from_utf8(fakeroot).unwrap();
    let between = format!(
        "#!/bin/sh\nfaketime -f \"$LATER\" date +%Y >\"${{0%/*}}/year\"\n\
         for word; do\n    shift\n    set -- \"$@\" \"$word\"\n\
         [ \"$word\" != -- ] || set -- \"$@\" faketime -f \"$LATER\"\ndone\nexec {} \"$@\"\n",
        fakeroot.trim()
    );
    fs::create_dir(repository.path("bin")).unwrap();
    fs::write(repository.path("bin/fakeroot"), between).unwrap();
    fs::set_permissions(repository.path("bin/fakeroot"), Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    command
        .env("PATH", format!("{}:{path}", repository.path("bin").display()))
        .env("LATER", "@2031-05-05 05:05:05")
        .envs([("NO_FAKE_STAT", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
}

fn give_to_nobody(folder: &Path) {
    std::os::unix::fs::lchown(folder, Some(65_534), Some(65_534)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            give_to_nobody(&path);
        } else {
            std::os::unix::fs::lchown(&path, Some(65_534), Some(65_534)).unwrap();
        }
    }
}
