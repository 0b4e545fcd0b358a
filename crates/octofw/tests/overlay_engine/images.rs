//! `octofw build` as a person calls it: from a firmware file to a firmware file.

mod late;
mod same_bytes;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use octofw::image::Image;
use octofw::lock::{Lock, observe_files, observe_tools};
use octofw::standin::container::{ContainerOptions, write_container};
use serde_json::Value;
use tempfile::TempDir;

use crate::bed::{MADE, OCTOFW, Scribe, base, listing};

/// A repository with a base and overlays, in which `octofw build` is called.
struct Repository {
    folder: TempDir,
}

/// How a call ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("base.squashfs"), base()).unwrap();
        let at = |name: &str| folder.path().join(name);
        write_container(&at("base.squashfs"), &ContainerOptions::default(), &at("base.bin")).unwrap();
        fs::remove_file(at("base.squashfs")).unwrap();
        let repository = Self { folder };
        repository.overlay("overlays/01-test", |o| {
            o.file("root/etc/new", "new\n")
                .file_with_mode("root/opt/tool", "tool\n", 0o755)
                .script("scripts/1.sh", "cd $1; ls -R etc >etc/list");
        });
        repository
    }

    fn overlay(&self, path: &str, fill: impl FnOnce(&Scribe)) {
        fs::create_dir_all(self.path(path)).unwrap();
        fill(&Scribe(self.path(path)));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `octofw build` in the repository with more arguments.
    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(OCTOFW);
        command.args([
            "build",
            "--base",
            "base.bin",
            "--overlay",
            "overlays/01-test",
            "--out",
            "dist/firmware.bin",
        ]);
        // The compilers' versions are given: their programs are slow to answer, and nothing here depends on them.
        command
            .args(["--tool", "rustc=1", "--tool", "aarch64-linux-gnu-gcc=1"])
            .args(more)
            .current_dir(self.folder.path())
            .env("OCTOFW_CACHE", self.path("cache"));
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("GIT_VERSION");
        command
    }

    fn run(&self, more: &[&str]) -> Ended {
        ended(self.command(more))
    }

    fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("dist/firmware.manifest.json")).unwrap()).unwrap()
    }

    /// What lies in `dist`, without the hidden state file.
    fn outputs(&self) -> Vec<String> {
        let Ok(list) = fs::read_dir(self.path("dist")) else { return Vec::new() };
        let mut names: Vec<String> = list.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".firmware.bin.octofw-state");
        names.sort();
        names
    }

    fn result(&self) -> (Vec<u8>, Vec<u8>) {
        (
            fs::read(self.path("dist/firmware.bin")).unwrap(),
            fs::read(self.path("dist/firmware.manifest.json")).unwrap(),
        )
    }
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ended {
    fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    fn fails(self, code: i32, expected: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.contains(expected), "{}", self.err);
        self
    }
}

#[test]
fn a_folder_or_a_file_that_cannot_be_read_is_named() {
    for (path, is_folder) in [("root/etc/closed", true), ("root/etc/secret", false), ("scripts", true)] {
        let repository = Repository::new();
        let place = repository.path("overlays/01-test").join(path);
        match is_folder {
            true => fs::create_dir_all(&place).unwrap(),
            false => fs::write(&place, "x").unwrap(),
        }
        fs::set_permissions(&place, Permissions::from_mode(0o000)).unwrap();
        // Root may read everything.
        let command = match nix::unistd::geteuid().is_root() {
            true => same_bytes::by_nobody(&repository, &[]),
            false => repository.command(&[]),
        };
        let ended = ended(command).fails(1, path);
        assert!(ended.err.contains("Permission denied"), "{path}: {}", ended.err);
        assert!(repository.outputs().is_empty(), "{path}");
        fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn an_image_and_its_manifest_come_out() {
    let repository = Repository::new();
    let ended = repository.run(&["--version-suffix", "abc", "--profile", "extended", "--json"]).fine();
    assert_eq!(repository.outputs(), ["firmware.bin", "firmware.manifest.json"]);

    let image = Image::open(&repository.path("dist/firmware.bin")).unwrap();
    assert_eq!(image.version(), Some("1.3.0.168abc"));
    image.extract_part("rootfs.img", &repository.path("root.squashfs")).unwrap();
    let lines = listing(&repository.path("root.squashfs"));
    assert_eq!(
        lines["opt/tool"], "-rwxr-xr-x 0/0 5 old",
        "the time of what changed is that of the base's packing"
    );
    let made = image.rootfs().mkfs_time;
    assert_eq!(made.to_string(), MADE);

    let manifest = repository.manifest();
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["manifest"], manifest);
    let overlay_hash = manifest["overlays"][0]["tree_sha256"].as_str().unwrap();
    assert_eq!((manifest["overlays"][0]["name"].as_str(), overlay_hash.len()), (Some("01-test"), 64));
    for (pointer, expected) in [
        ("/schema", Value::from(1)),
        ("/base/file", "base.bin".into()),
        ("/base/version", "1.3.0.168".into()),
        ("/order", "current".into()),
        ("/profile", "extended".into()),
        ("/source_date_epoch", Value::from(1_700_000_100)),
        ("/result/version", "1.3.0.168abc".into()),
        ("/result/size", fs::metadata(repository.path("dist/firmware.bin")).unwrap().len().into()),
        ("/rootfs/slot_size", Value::from(314_572_800)),
        ("/rootfs/slot_fill_permille", Value::from(1)),
        ("/rootfs/compressor", "gzip".into()),
        ("/rootfs/block_size", Value::from(65_536)),
        ("/rootfs/packed", "spliced".into()),
        ("/rootfs/dead_bytes", Value::from(0)),
        ("/tools/rustc", "1".into()),
        ("/tools/octofw", env!("CARGO_PKG_VERSION").into()),
    ] {
        assert_eq!(manifest.pointer(pointer), Some(&expected), "{pointer}");
    }
    let changes: Vec<&str> =
        manifest["changes"].as_array().unwrap().iter().filter_map(|c| c["path"].as_str()).collect();
    assert_eq!(changes, ["etc/list", "etc/new", "opt", "opt/tool"]);
    let text = manifest.to_string();
    assert!(!text.contains(repository.folder.path().to_str().unwrap()), "no path of this machine: {text}");
}

/// `bin/su` is the largest file of the base that shares its data with others of equal content.
#[test]
fn dead_bytes_are_shown_until_the_root_is_packed_anew() {
    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        for name in ["busybox", "sh", "ls", "cat", "su"] {
            o.file(&format!("root/bin/{name}"), format!("{name}\n"));
        }
    });
    let octofw = |arguments: &[&str]| {
        let mut command = Command::new(OCTOFW);
        command.args(arguments).current_dir(repository.folder.path());
        ended(command)
    };
    let warned = "belong to no file; build with --repack for a release";
    for (more, packed) in [(&["--repack"][..], "repacked"), (&[], "spliced")] {
        repository.run(more).fine();
        let manifest = repository.manifest();
        let dead = manifest["rootfs"]["dead_bytes"].as_u64().unwrap();
        assert_eq!(manifest["rootfs"]["packed"], packed);
        assert_eq!(dead > 100, packed == "spliced", "{dead}");
        let shown = octofw(&["inspect", "dist/firmware.bin"]).fine().out;
        assert!(shown.contains(&format!("  {dead} bytes of data that no file needs\n")), "{shown}");
        let shown = octofw(&["inspect", "--json", "dist/firmware.bin"]).fine().out;
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["rootfs"]["dead_bytes"], dead);
        let size = manifest["rootfs"]["size"].as_u64().unwrap();
        let verified = octofw(&["verify", "dist/firmware.bin"]);
        assert_eq!(verified.out.contains(warned), dead * 20 >= size, "{} {dead} {size}", verified.out);
    }
}

/// On a terminal, which `script` makes: what is going on is told, and taken back when it is done or fails.
#[test]
fn who_watches_sees_what_is_going_on() {
    let repository = Repository::new();
    let watched = || {
        let call = repository.command(&["--force"]);
        let words: Vec<&str> = call.get_args().map(|word| word.to_str().unwrap()).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &format!("'{OCTOFW}' {}", words.join(" ")), "/dev/null"]);
        command.current_dir(repository.folder.path()).env("TERM", "xterm").env_remove("NO_COLOR");
        command.env("OCTOFW_CACHE", repository.path("cache")).stdin(std::process::Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let said = watched();
    for stage in ["read the base", "unpack the root", "overlay 01-test", "pack the root", "write the image"] {
        let going_on = format!("\r\u{1b}[Koctofw: {stage} …\r\u{1b}[K");
        assert!(said.contains(&going_on), "{stage}: {said:?}");
        assert!(said.contains(&format!("\u{1b}[Koctofw: {stage:<34} ")), "{stage}: {said:?}");
    }
    repository.overlay("overlays/01-test", |o| {
        o.script("scripts/2.sh", "exit 3");
    });
    let said = watched();
    assert!(
        said.contains("octofw: overlay 01-test …\r\u{1b}[K\u{1b}[31moctofw:\u{1b}[0m overlay 01-test: "),
        "{said:?}"
    );
}

#[test]
fn when_nothing_changed_no_stage_runs() {
    let repository = Repository::new();
    let stages = ["read the base", "unpack the root", "overlay 01-test", "pack the root", "write the image"];
    let quiet = repository.run(&[]).fine();
    assert!(!stages.iter().any(|stage| quiet.err.contains(stage)), "nobody watches: {}", quiet.err);
    let verbose = |more: &[&str]| repository.run(&[&["--verbose"], more].concat());
    let first = verbose(&["--force"]).fine();
    assert!(stages.iter().all(|stage| first.err.contains(stage)), "{}", first.err);
    let inode = || fs::metadata(repository.path("dist/firmware.bin")).unwrap().ino();
    let (before, bytes) = (inode(), repository.result());

    let again = repository.run(&["--json"]).fine();
    assert_eq!(again.err, "octofw: nothing changed: dist/firmware.bin is up to date\n");
    assert_eq!(serde_json::from_str::<Value>(&again.out).unwrap()["built"], false);
    assert_eq!(inode(), before);
    assert_eq!(repository.run(&["--quiet"]).fine().err, "");

    // What does not count: the mode that a checkout gives, and the folder's times.
    fs::set_permissions(repository.path("overlays/01-test/root/etc/new"), Permissions::from_mode(0o600))
        .unwrap();
    assert!(repository.run(&[]).fine().err.contains("nothing changed"));

    let rebuilt = |what: &str, ended: Ended| assert!(ended.fine().err.contains("pack the root"), "{what}");
    rebuilt("--force", verbose(&["--force"]));
    assert!(repository.result() == bytes, "the same inputs give the same bytes");
    rebuilt("--order", verbose(&["--order", "classic"]));
    rebuilt("--order back", verbose(&[]));
    for name in ["dist/firmware.bin", "dist/firmware.manifest.json"] {
        let mut text = fs::read(repository.path(name)).unwrap();
        text[100] ^= 1;
        fs::write(repository.path(name), text).unwrap();
        rebuilt(name, verbose(&[]));
        assert!(repository.result() == bytes);
    }
    fs::write(repository.path("overlays/01-test/root/etc/new"), "NEW\n").unwrap();
    rebuilt("overlay", verbose(&[]));
    let more = repository.path("overlays/02-more/root/etc/more");
    fs::create_dir_all(more.parent().unwrap()).unwrap();
    fs::write(more, "").unwrap();
    rebuilt("one more overlay", verbose(&["--overlay", "overlays/02-more"]));
    let mut command = repository.command(&["--verbose", "--overlay", "overlays/02-more"]);
    command.env("SOURCE_DATE_EPOCH", "1750000000");
    rebuilt("SOURCE_DATE_EPOCH", ended(command));
    assert_eq!(repository.manifest()["source_date_epoch"], 1_750_000_000);
}

#[test]
fn what_fails_leaves_no_output_and_keeps_an_older_one() {
    let repository = Repository::new();
    let script = repository.path("overlays/01-test/scripts/1.sh");
    let good = fs::read(&script).unwrap();
    fs::write(&script, "#!/bin/sh\necho broken; exit 5\n").unwrap();
    let failed = repository.run(&[]).fails(1, "overlay 01-test: scripts/1.sh: ");
    assert!(failed.err.ends_with("ended with exit status 5:\nbroken\n"), "{}", failed.err);
    assert!(repository.outputs().is_empty(), "{:?}", repository.outputs());

    fs::write(&script, &good).unwrap();
    repository.run(&[]).fine();
    let older = repository.result();
    fs::write(&script, "#!/bin/sh\nexit 5\n").unwrap();
    repository.run(&[]).fails(1, "exit status 5");
    assert_eq!(repository.outputs(), ["firmware.bin", "firmware.manifest.json"]);
    assert!(repository.result() == older);
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let repository = Repository::new();
    repository.run(&["--overlay", "overlays/none"]).fails(2, "there is no overlay folder overlays/none");
    repository.run(&["--order", "new"]).fails(2, "possible values: classic, current");
    repository.run(&["--overlay", "overlays/01-test"]).fails(2, "is given twice");
    for out in ["dist/", "overlays", ".."] {
        let mut command = Command::new(OCTOFW);
        command.args(["build", "--base", "base.bin", "--out", out]).current_dir(repository.folder.path());
        ended(command).fails(2, "give --out the name of the file to write");
    }
    // What is lost when a file takes its place.
    nix::unistd::mkfifo(&repository.path("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    fs::create_dir(repository.path("blocked.manifest.json")).unwrap();
    for (out, there) in [("pipe", "pipe"), ("blocked.bin", "blocked.manifest.json")] {
        let mut command = Command::new(OCTOFW);
        command.args(["build", "--base", "base.bin", "--out", out]).current_dir(repository.folder.path());
        ended(command).fails(2, &format!("{there} is there and is no regular file: choose another output"));
    }
    assert!(!fs::metadata(repository.path("pipe")).unwrap().is_file());
    assert!(!repository.path("blocked.bin").exists());
    let mut command = repository.command(&[]);
    command.env("SOURCE_DATE_EPOCH", "yesterday");
    ended(command).fails(2, "SOURCE_DATE_EPOCH is \"yesterday\"");
    let mut command = repository.command(&[]);
    command.env("SOURCE_DATE_EPOCH", "");
    ended(command).fine();
    assert_eq!(repository.manifest()["source_date_epoch"].to_string(), MADE, "empty is not set");
    fs::remove_dir_all(repository.path("dist")).unwrap();
    repository.run(&["--version-suffix", "a b"]).fails(2, "may have only letters, digits");

    let mut bytes = fs::read(repository.path("base.bin")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(repository.path("base.bin"), &bytes).unwrap();
    repository.run(&[]).fails(3, "is not a sound U1 firmware file");
    fs::remove_file(repository.path("base.bin")).unwrap();
    repository.run(&[]).fails(1, "cannot read the base base.bin");
    nix::unistd::mkfifo(&repository.path("base.bin"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    repository.run(&[]).fails(1, "cannot read the base base.bin: it is not a regular file");
    fs::create_dir_all(repository.path("dist")).unwrap();
    fs::write(repository.path("dist/firmware.bin"), "precious").unwrap();
    let mut command = repository.command(&[]);
    command.args(["--base", "dist/firmware.bin"]);
    assert_eq!(ended(command).code, Some(2), "--base twice");
    let mut command = Command::new(OCTOFW);
    command
        .args(["build", "--base", "dist/firmware.bin", "--out", "dist/firmware.bin"])
        .current_dir(repository.folder.path());
    ended(command).fails(2, "is both an input and the output");
    assert_eq!(fs::read_to_string(repository.path("dist/firmware.bin")).unwrap(), "precious");
}

#[test]
fn scripts_that_cannot_run_stop_the_build_before_it_starts() {
    let repository = Repository::new();
    let script = repository.path("overlays/01-test/scripts/1.sh");
    fs::set_permissions(&script, Permissions::from_mode(0o644)).unwrap();
    let failed = repository
        .run(&[])
        .fails(1, "scripts/1.sh: it is not executable; run: chmod +x overlays/01-test/scripts/1.sh");
    assert!(!failed.err.contains("read the base"), "{}", failed.err);
    fs::write(&script, "#!/bin/sh\r\n").unwrap();
    repository.run(&[]).fails(1, "scripts/1.sh, line 1: it has Windows line ends (CRLF)");
}

#[test]
fn scripts_see_what_the_communitys_builder_shows_them() {
    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        o.script(
            "scripts/1.sh",
            "
            { echo \"$0 $CREATE_FIRMWARE $PROFILE $GIT_VERSION $TZ $LC_ALL $SOURCE_DATE_EPOCH\"
              [ \"$1\" = \"$ROOTFS_DIR\" ] && [ \"$PWD\" = \"$ROOT_DIR\" ] && echo root
              cat $BUILD_DIR/UPFILE_VERSION; echo; cat $BUILD_DIR/UPFILE_BUILD_DATE; echo
              [ -s $BOOT_IMG ] && head -c 4 $ROOTFS_IMG; echo
              tool-of-the-repository; echo ${CACHE_DIR#$ROOT_DIR}
            } >$1/etc/seen",
        );
    });
    let helper = repository.path("scripts/helpers/tool-of-the-repository");
    fs::create_dir_all(helper.parent().unwrap()).unwrap();
    fs::write(&helper, "#!/bin/sh\necho helped\n").unwrap();
    fs::set_permissions(&helper, Permissions::from_mode(0o755)).unwrap();
    let mut command = repository.command(&["--profile", "extended"]);
    command.env("GIT_VERSION", "1234567").env("TZ", "Asia/Tokyo");
    ended(command).fine();
    let image = Image::open(&repository.path("dist/firmware.bin")).unwrap();
    image.extract_part("rootfs.img", &repository.path("root.squashfs")).unwrap();
    let seen = Command::new("unsquashfs")
        .arg("-cat")
        .arg(repository.path("root.squashfs"))
        .arg("etc/seen")
        .output()
        .unwrap();
    let expected = "./overlays/01-test/scripts/1.sh 1 extended 1234567 UTC C 1700000100\nroot\n1.3.0.168\n20260101000000\nhsqs\nhelped\n/tmp/cache\n";
    assert_eq!(String::from_utf8(seen.stdout).unwrap(), expected);
}

#[test]
fn the_kernel_stays_as_it_is_whatever_scripts_draw_on_it() {
    let repository = Repository::new();
    let kernel = |image: &str| Image::open(&repository.path(image)).unwrap().part_sha256("boot.img").unwrap();
    for (script, told) in [("echo more >>$BOOT_IMG", true), ("rm $BOOT_IMG", true), ("true", false)] {
        repository.overlay("overlays/01-test", |o| {
            o.script("scripts/1.sh", script);
        });
        repository.run(&[]).fine();
        assert_eq!(kernel("dist/firmware.bin"), kernel("base.bin"));
        let notes = repository.manifest()["notes"].to_string();
        assert_eq!(notes.contains("the image keeps the kernel and the logo of the base"), told, "{notes}");
    }
}

#[test]
fn the_base_stays_as_it_is_while_scripts_run() {
    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        o.script("pre-scripts/1.sh", "echo more >>$ROOTFS_IMG");
    });
    repository.run(&[]).fails(1, "a script changed rootfs.img");
    assert!(repository.outputs().is_empty());

    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        o.script(
            "scripts/1.sh",
            "printf x | dd of=base.bin bs=1 conv=notrunc seek=$(($(stat -c %s base.bin) - 1))",
        );
    });
    repository.run(&[]).fails(1, "the base base.bin changed while the image was built");
    assert!(repository.outputs().is_empty());
}

#[test]
fn pre_scripts_come_first_and_may_make_the_overlay_itself() {
    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        o.script("pre-scripts/1.sh", "[ -e \"$1/etc/passwd\" ]; [ ! -e \"$1/etc/new\" ]; mkdir -p overlays/01-test/root/etc; cat made >overlays/01-test/root/etc/made; echo mine >$1/etc/mine; chown 33:33 $1/etc/mine; id -u >ran-as; umask >>ran-as");
    });
    let mut digests = Vec::new();
    for made in ["one", "two"] {
        fs::write(repository.path("made"), made).unwrap();
        repository.run(&[]).fine();
        let manifest = repository.manifest();
        digests.push(manifest["overlays"][0]["tree_sha256"].clone());
        let changes = manifest["changes"].clone();
        let find =
            |path: &str| changes.as_array().unwrap().iter().find(|change| change["path"] == path).unwrap();
        assert_eq!(find("etc/made")["size"], 3);
        assert_eq!(find("etc/mine")["owner"], "33:33");
        let image = Image::open(&repository.path("dist/firmware.bin")).unwrap();
        image.extract_part("rootfs.img", &repository.path("root.squashfs")).unwrap();
        let seen = Command::new("unsquashfs")
            .arg("-cat")
            .arg(repository.path("root.squashfs"))
            .arg("etc/made")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(seen.stdout).unwrap(), made);
    }
    assert_ne!(digests[0], digests[1], "the overlay is what its pre-scripts left");
    assert_eq!(fs::read_to_string(repository.path("ran-as")).unwrap(), "0\n0022\n");
    fs::write(repository.path("overlays/01-test/pre-scripts/1.sh"), "#!/bin/sh\nexit 3\n").unwrap();
    repository.run(&[]).fails(1, "overlay 01-test: pre-scripts/1.sh: ");
}

#[test]
fn a_build_holds_its_tools_and_sources_against_the_lock() {
    let repository = Repository::new();
    repository.run(&["--locked"]).fails(1, "cannot read octofw.lock");
    fs::write(repository.path("Cargo.lock"), "version = 4\n").unwrap();
    let mut lock = Lock::new();
    observe_tools(&mut lock, repository.folder.path(), &["mksquashfs", "fakeroot"]);
    observe_files(&mut lock, repository.folder.path()).unwrap();
    lock.lock_tool("cargo", "no build asks for it");
    lock.lock_tool("aarch64-linux-gnu-gcc", "1");
    lock.lock_tool("rustc", "1");
    lock.write(&repository.path("octofw.lock")).unwrap();
    let same = repository.run(&["--locked"]).fine();
    assert!(!same.err.contains("warning"), "{}", same.err);

    lock.lock_tool("rustc", "2");
    lock.write(&repository.path("octofw.lock")).unwrap();
    fs::write(repository.path("Cargo.lock"), "version = 5\n").unwrap();
    let before = repository.result();
    let warned = repository.run(&["--force"]).fine();
    for expected in ["warning: tool rustc: locked 2, found 1", "warning: source Cargo.lock: locked sha256 "] {
        assert!(warned.err.contains(expected), "{}", warned.err);
    }
    repository.run(&["--locked", "--force"]).fails(1, "--locked forbids building from other inputs: ");
    assert!(repository.result() == before);
}

#[test]
fn two_builds_into_one_output_do_not_meet() {
    let repository = Repository::new();
    fs::create_dir(repository.path("dist")).unwrap();
    let state = fs::File::create(repository.path("dist/.firmware.bin.octofw-state")).unwrap();
    state.lock().unwrap();
    repository.run(&[]).fails(1, "another build writes to dist/firmware.bin");
    // Closing it would not be enough while another test starts a command.
    state.unlock().unwrap();
    repository.run(&[]).fine();
}

/// What a killed build has started works on in its folder for a while.
#[test]
fn after_a_killed_build_the_next_one_waits_for_its_session() {
    let repository = Repository::new();
    repository.overlay("overlays/01-test", |o| {
        o.script("scripts/1.sh", "echo >started; cat go");
    });
    for pipe in ["started", "go"] {
        nix::unistd::mkfifo(&repository.path(pipe), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let mut killed = repository.command(&[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    fs::read(repository.path("started")).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    repository.run(&[]).fails(1, "another build writes to dist/firmware.bin");

    fs::write(repository.path("go"), "").unwrap();
    let session = fs::File::open(repository.path("dist/.firmware.bin.octofw-build/plan.json")).unwrap();
    session.lock().unwrap();
    session.unlock().unwrap();
    fs::write(repository.path("overlays/01-test/scripts/1.sh"), "#!/bin/sh\n").unwrap();
    repository.run(&[]).fine();
    assert_eq!(repository.outputs(), ["firmware.bin", "firmware.manifest.json"]);
}

#[test]
fn what_an_interrupted_build_left_is_no_obstacle() {
    let repository = Repository::new();
    fs::create_dir_all(repository.path("dist/.firmware.bin.octofw-build/root/etc")).unwrap();
    fs::write(repository.path("dist/.firmware.bin.octofw-build/plan.json"), "{").unwrap();
    repository.run(&[]).fine();
    assert_eq!(repository.outputs(), ["firmware.bin", "firmware.manifest.json"]);
}
