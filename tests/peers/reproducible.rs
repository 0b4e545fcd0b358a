//! Two people build the same bytes: this clone as it is, and a fresh clone of another user with another directory,
//! `CARGO_HOME`, toolchain directory, umask, time zone and language, who compiles everything from source, and
//! makes the image on another day.
//!
//! Run by root, the other user is another user id; without root it is the same one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

/// A user id that has no entry anywhere.
const STRANGER: u32 = 54_321;
/// The stranger's `octofw`: it makes the image on another day, of which it leaves the year. The compiler cannot be taken
/// along: its allocator asks for the time before faketime is ready, and waits for ever. Times of files stay true.
const LATER: &str = r#"#!/bin/sh
export NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1
program=${0%/*}/octofw-program
case $1 in
build | standin | attest)
    faketime -f '@2031-05-05 05:05:05' date +%Y >"$HOME/year"
    exec faketime -f '@2031-05-05 05:05:05' "$program" "$@"
    ;;
esac
exec "$program" "$@"
"#;
const PROGRAM: &str = ".cache/program/aarch64-unknown-linux-musl/octobridge";

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

fn shell(script: &str, arguments: &[&OsStr]) -> String {
    run(Command::new("sh").args(["-euc", script, "sh"]).args(arguments))
}

fn sha256(path: &Path) -> String {
    run(Command::new("sha256sum").arg(path)).split_whitespace().next().unwrap().to_owned()
}

/// Copies what a clone of this working tree holds, and its history, under another umask.
fn clone_to(place: &Path) {
    shell(
        "umask 077
         git -c safe.directory='*' clone --quiet --no-hardlinks \"$1\" \"$2\"
         cd \"$1\"
         git -c safe.directory='*' ls-files -z --deleted | (cd \"$2\" && xargs -0r rm -f)
         git -c safe.directory='*' ls-files -z --modified --others --exclude-standard |
             tar --null --files-from - --ignore-failed-read --create 2>/dev/null |
             tar --directory \"$2\" --extract --touch --no-same-owner --no-same-permissions",
        &[project("").canonicalize().unwrap().as_os_str(), place.as_os_str()],
    );
}

/// The toolchain in another place: the stranger may not be allowed to look into this user's, and its path must not
/// show. A copy, not links: the stranger gets to own it. Documentation is left behind.
fn copy_toolchain(place: &Path) {
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]));
    shell(
        "mkdir \"$2\"; cp -r \"$1/bin\" \"$1/lib\" \"$2/\"",
        &[OsStr::new(sysroot.trim()), place.as_os_str()],
    );
}

/// The downloaded archives of the crates, not what was unpacked or compiled of them.
fn copy_downloads(place: &Path) {
    let home = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").expect("HOME is set")));
    shell(
        "mkdir -p \"$2/registry\"
         for part in registry/index registry/cache config.toml; do
             [ ! -e \"$1/$part\" ] || cp -r \"$1/$part\" \"$2/$part\"
         done",
        &[OsStr::new(&home), place.as_os_str()],
    );
}

/// Variables without which a network that needs a proxy or an own certificate cannot be reached.
fn network() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| {
        let lower = name.to_lowercase();
        lower.ends_with("_proxy") || lower.starts_with("ssl_cert") || lower.starts_with("cargo_http_")
    })
}

#[test]
fn two_users_build_the_same_bytes() {
    let root = geteuid().is_root();
    let work = tempfile::Builder::new().prefix("octobridge ").tempdir().unwrap();
    let stranger = work.path().join("a stranger");
    fs::create_dir(&stranger).unwrap();
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let clone = stranger.join("a clone");
    clone_to(&clone);
    copy_toolchain(&stranger.join("toolchain"));
    copy_downloads(&stranger.join("cargo"));
    let octofw = stranger.join("octofw");
    fs::copy(project("target/tool/octofw"), stranger.join("octofw-program")).unwrap();
    fs::write(&octofw, LATER).unwrap();
    fs::set_permissions(&octofw, fs::Permissions::from_mode(0o755)).unwrap();
    // Packages for the stand-in base were fetched and checked by hash before.
    if project(".cache/octofw").exists() {
        shell(
            "mkdir -p \"$2/.cache\" && cp -r \"$1/.cache/octofw\" \"$2/.cache/\"",
            &[project("").as_os_str(), clone.as_os_str()],
        );
    }
    if root {
        run(Command::new("chown").args(["-Rh", &format!("{STRANGER}:{STRANGER}")]).arg(&stranger));
    }

    let ours = work.path().join("ours");
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            run(Command::new(project("toolchain/build-image.sh"))
                .env_remove("FIRMWARE")
                .env_remove("OVERLAYS")
                .env_remove("PROFILE")
                .envs([("TZ", "America/St_Johns"), ("CROSS", "native"), ("MAKE_TARGET", "test")])
                .env("OUT", ours.join("firmware.bin"))
                .env("IMAGE_SETTINGS", work.path().join("settings")));
            (sha256(&project(PROGRAM)), sha256(&ours.join("firmware.bin")))
        });
        let second = scope.spawn(|| {
            let mut command = Command::new(if root { "setpriv" } else { "env" });
            if root {
                let id = STRANGER.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
            }
            command
                .args(["sh", "-euc", "umask 077; exec toolchain/build-image.sh"])
                .current_dir(&clone)
                .env_clear()
                .envs(network())
                .env("PATH", format!("{}/toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin", stranger.display()))
                .env("HOME", &stranger)
                .env("CARGO_HOME", stranger.join("cargo"))
                .env("OCTOFW", &octofw)
                .envs([("TZ", "Asia/Tokyo"), ("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")])
                .envs([("CROSS", "native"), ("MAKE_TARGET", "test")])
                // What would change the program if it were not kept out.
                .envs([
                    ("RUSTFLAGS", "-Cdebuginfo=2"),
                    ("CFLAGS", "-O0"),
                    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
                ]);
            run(&mut command);
            (sha256(&clone.join(PROGRAM)), sha256(&clone.join("dist/firmware.bin")))
        });
        (first.join().unwrap(), second.join().unwrap())
    });

    let year = fs::read_to_string(stranger.join("year")).unwrap();
    assert_eq!(year, "2031\n", "the stranger's image was made today");
    assert_eq!(first.0, second.0, "the programs differ");
    assert_eq!(first.1, second.1, "the images differ, though the programs do not");
    for name in ["image.cdx.json", "image.spdx.json", "licences.txt"] {
        let (one, other) = (ours.join("sbom").join(name), clone.join("dist/sbom").join(name));
        assert_eq!(sha256(&one), sha256(&other), "{name} differs, though the images do not");
    }
}
