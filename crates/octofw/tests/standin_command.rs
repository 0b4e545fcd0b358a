//! `octofw standin` as it is called: the same bytes whoever calls it, the options, and the lock.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use octofw::debian::Archive;
use octofw::lock::{Lock, file_digest};

fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Calls `octofw standin` in a directory, behind a line of shell that sets up its surroundings.
fn standin(directory: &Path, surroundings: &str, arguments: &str) -> Output {
    let line = format!(
        "{surroundings}\nexec {} standin --cache {}/.cache/octofw {arguments}",
        env!("CARGO_BIN_EXE_octofw"),
        repository().display()
    );
    Command::new("sh").arg("-c").arg(line).current_dir(directory).output().unwrap()
}

/// A copy of the recipe, made under whatever umask, in which every file is younger.
fn copy_recipe(to: &Path, umask: &str) {
    let recipe = repository().join("rootfs");
    let line = format!("umask {umask}; cp -r '{}' '{}'", recipe.display(), to.join("rootfs").display());
    assert!(Command::new("sh").arg("-c").arg(line).status().unwrap().success());
}

/// Where this test runs as root, the second person is somebody else.
const SOMEBODY_ELSE: &str =
    "if [ \"$(id -u)\" = 0 ]; then as='setpriv --reuid=65534 --regid=65534 --clear-groups'; fi";

#[test]
fn two_people_in_two_places_get_the_same_bytes() {
    let package = Archive::open(&repository().join(".cache/octofw")).unwrap().fetch("busybox-static", None);
    let package = package.unwrap().path;
    let surroundings = [
        ("022", "umask 022; export TZ=UTC LC_ALL=C SOURCE_DATE_EPOCH=1".to_owned()),
        (
            "077",
            format!(
                "umask 077; export TZ=Asia/Kathmandu LC_ALL=C.UTF-8; unset SOURCE_DATE_EPOCH; {SOMEBODY_ELSE}"
            ),
        ),
    ];
    for arguments in ["--size padded", "--compressor xz --generation v1.0"] {
        let digests = surroundings.each_ref().map(|(umask, line)| {
            let directory = tempfile::tempdir().unwrap();
            copy_recipe(directory.path(), umask);
            fs::create_dir_all(directory.path().join("cache/debs")).unwrap();
            fs::copy(&package, directory.path().join("cache/debs").join(package.file_name().unwrap()))
                .unwrap();
            let binary = directory.path().join("octofw");
            fs::copy(env!("CARGO_BIN_EXE_octofw"), &binary).unwrap();
            let line = format!(
                "{line}\nif [ -n \"$as\" ]; then chown -R 65534:65534 .; fi\n\
                 exec $as ./octofw standin --offline --cache cache {arguments} --out base.bin"
            );
            let output =
                Command::new("sh").arg("-c").arg(line).current_dir(directory.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            file_digest(&directory.path().join("base.bin")).unwrap()
        });
        assert_eq!(digests[0], digests[1], "{arguments}");
    }
}

#[test]
fn inside_another_fakeroot_the_bytes_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    copy_recipe(directory.path(), "022");
    let arguments = ["standin", "--squashfs", "--out"];
    let cache = repository().join(".cache/octofw");
    for (name, fakeroot) in [("plain", None), ("nested", Some("fakeroot"))] {
        let mut command = match fakeroot {
            None => Command::new(env!("CARGO_BIN_EXE_octofw")),
            Some(fakeroot) => Command::new(fakeroot),
        };
        command.args(fakeroot.map(|_| ["--", env!("CARGO_BIN_EXE_octofw")]).into_iter().flatten());
        command.args(arguments).arg(name).arg("--cache").arg(&cache).current_dir(directory.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
    let digest = |name: &str| file_digest(&directory.path().join(name)).unwrap();
    assert_eq!(digest("plain"), digest("nested"));
}

#[test]
fn another_package_than_the_locked_one_warns_and_with_locked_fails() {
    let directory = tempfile::tempdir().unwrap();
    copy_recipe(directory.path(), "022");
    let mut lock = Lock::new();
    lock.lock_package("busybox-static", "1:0.0.1-1", &"0".repeat(64));
    lock.write(&directory.path().join("octofw.lock")).unwrap();

    let output = standin(directory.path(), "", "--out base.bin");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let warning = said.lines().find(|line| line.contains("busybox-static")).unwrap();
    assert!(warning.contains("1:0.0.1-1") && warning.contains("octofw lock"), "{warning}");

    let output = standin(directory.path(), "", "--out other.bin --locked");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("1:0.0.1-1"));
    assert!(!directory.path().join("other.bin").exists());
}

#[test]
fn wrong_options_are_refused_with_code_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        "",
        "--out x --size huge",
        "--out x --block-size 100000",
        "--out x --container-version 3",
        "--out x --compressor lzma",
        "--out x --generation v2",
    ] {
        let output = standin(directory.path(), "", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn without_a_recipe_the_error_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let output = standin(directory.path(), "", "--out x --recipe nowhere");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nowhere"));
}
