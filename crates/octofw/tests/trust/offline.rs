//! Without network: in a namespace that has none, where the machine lets us make one, and in any case with proxies at
//! which nobody listens.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::bed::{Bed, OCTOFW, said};

/// Words before a command that cut it off from the network; none where the machine allows no namespace.
fn cut_off() -> &'static [&'static str] {
    let ways: [&[&str]; 2] = [&["unshare", "--net"], &["unshare", "--map-root-user", "--net"]];
    let works = |way: &&&[&str]| {
        Command::new(way[0]).args(&way[1..]).arg("true").output().is_ok_and(|output| output.status.success())
    };
    ways.iter().find(works).copied().unwrap_or(&["env"])
}

/// Calls octofw where there is no network.
fn octofw(bed: &Bed, arguments: &[&str]) -> Output {
    let way = cut_off();
    let mut command = bed.command(way[0], &[&way[1..], &[OCTOFW], arguments].concat());
    for name in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9").env(name.to_uppercase(), "http://127.0.0.1:9");
    }
    command.output().unwrap()
}

/// A cache with packages of the names that are locked; nothing looks into the kernel's.
fn fill_cache(bed: &Bed) {
    bed.write(
        "package/DEBIAN/control",
        "Package: busybox-static\nVersion: 1\nArchitecture: arm64\nMaintainer: x\nDescription: x\n",
    );
    bed.write("package/bin/busybox", "a program\0sh\0cat\0");
    bed.write("package/usr/share/doc/busybox-static/copyright", "GPL-2\n");
    fs::create_dir_all(bed.path("cache/debs")).unwrap();
    let made = bed
        .command(
            "dpkg-deb",
            &["--root-owner-group", "-b", "package", "cache/debs/busybox-static_1_arm64.deb"],
        )
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    bed.write("cache/debs/linux-image-6.1.0-1-cloud-arm64_2_arm64.deb", "kernel\n");
}

fn fine(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

#[test]
fn with_a_full_cache_everything_is_done_without_network() {
    let bed = Bed::new();
    fill_cache(&bed);
    bed.write("Cargo.lock", "version = 4\n");
    fine(&octofw(&bed, &["lock", "--offline", "--cache", "cache"]));
    let lock = bed.read("octofw.lock");
    assert!(lock.contains("busybox-static") && lock.contains("linux-image-6.1.0-1-cloud-arm64"), "{lock}");
    fine(&octofw(&bed, &["lock", "--check", "--offline", "--cache", "cache"]));

    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rootfs");
    let recipe = recipe.to_str().unwrap();
    fine(&octofw(
        &bed,
        &["standin", "--offline", "--cache", "cache", "--recipe", recipe, "--out", "base.bin"],
    ));
    let call = [
        "build",
        "--offline",
        "--base",
        "base.bin",
        "--overlay",
        "overlays/01-test",
        "--out",
        "dist/firmware.bin",
    ];
    fine(&octofw(&bed, &[&call[..], &["--sbom", "usr/share"]].concat()));
    fine(&octofw(&bed, &["sbom", "image", "--image", "dist/firmware.bin", "--out", "image.cdx.json"]));
    let bom = bed.read("image.cdx.json");
    assert!(
        bom.contains("pkg:deb/debian/busybox-static@1\""),
        "the stand-in's package is in its root: {bom}"
    );
    fine(&octofw(&bed, &["attest", "dist/firmware.bin", "--lock", "octofw.lock"]));
    fine(&octofw(&bed, &["verify", "dist/firmware.bin", "--base", "base.bin"]));
}

/// A lock file that was named and is not there is a mistake, and not a build that nobody compares.
#[test]
fn a_lock_that_is_named_is_there() {
    let bed = Bed::new();
    fill_cache(&bed);
    let build =
        ["build", "--base", "base.bin", "--overlay", "overlays/01-test", "--out", "dist/firmware.bin"];
    for command in [&build[..], &["standin", "--out", "x.bin"]] {
        let output =
            octofw(&bed, &[command, &["--offline", "--cache", "cache", "--lock", "octofw.lok"]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(
            said(&output).starts_with("octofw: cannot read octofw.lok: No such file"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    let bed = Bed::new();
    fill_cache(&bed);
    fine(&octofw(&bed, &["lock", "--offline", "--cache", "cache"]));
    fs::remove_file(bed.path("cache/debs/busybox-static_1_arm64.deb")).unwrap();
    for command in [&["lock", "--check"][..], &["standin", "--out", "x.bin"]] {
        let output = octofw(&bed, &[command, &["--offline", "--cache", "cache"]].concat());
        assert_eq!(output.status.code(), Some(1));
        for part in ["busybox-static (arm64)", "run once without --offline", "busybox-static_1_arm64.deb"] {
            assert!(said(&output).contains(part), "{part} in {}", said(&output));
        }
    }
    // It is not the bed that has no network: without --offline there is an attempt, which ends in other words.
    let output = octofw(&bed, &["lock", "--check", "--cache", "cache"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!said(&output).contains("--offline"), "{}", said(&output));
}

#[test]
fn scripts_are_told_and_one_that_fails_says_why() {
    let bed = Bed::new();
    let script = bed.write(
        "overlays/01-test/scripts/1.sh",
        "#!/bin/sh\necho \"$OCTOFW_OFFLINE $CARGO_NET_OFFLINE $PIP_NO_INDEX $GOPROXY $https_proxy\" >\"$1/etc/told\"\n",
    );
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bed.build(&["--offline"]);
    let manifest = bed.read("dist/firmware.manifest.json");
    assert!(manifest.contains("etc/told"), "{manifest}");
    let image = octofw::image::Image::open(&bed.path("dist/firmware.bin")).unwrap();
    image.extract_part("rootfs.img", &bed.path("root.squashfs")).unwrap();
    let told = bed.command("unsquashfs", &["-cat", "root.squashfs", "etc/told"]).output().unwrap();
    assert_eq!(said(&told), "1 true 1 off http://127.0.0.1:9\n");

    fs::write(&script, "#!/bin/sh\n[ -z \"$OCTOFW_OFFLINE\" ] || { echo cannot fetch >&2; exit 7; }\n")
        .unwrap();
    let call = ["build", "--base", "base.bin", "--overlay", "overlays/01-test", "--out", "dist/firmware.bin"];
    let said = bed.fails(&[&call[..], &["--offline"]].concat(), 1, "cannot fetch");
    assert!(said.contains("build once without --offline"), "{said}");
    bed.build(&[]);
}

/// Base and overlays of an image are inputs too.
#[test]
fn an_image_is_held_against_its_locked_base_and_overlays() {
    let bed = Bed::new();
    fill_cache(&bed);
    let images = ["--base", "base.bin", "--overlay", "overlays/01-test"];
    bed.fine(&[&["lock", "--offline", "--cache", "cache"], &images[..]].concat());
    let lock = bed.read("octofw.lock");
    assert!(lock.contains("\"base.bin\"") && lock.contains("\"01-test\""), "{lock}");
    bed.fine(&["lock", "--check", "--offline", "--cache", "cache"]);

    bed.write("overlays/01-test/root/etc/new", "newer\n");
    let call = ["build", "--out", "dist/firmware.bin", "--tool", "rustc=1"];
    let built = bed.octofw(&[&call[..], &images].concat());
    assert!(said(&built).contains("warning: overlay 01-test: locked sha256 "), "{}", said(&built));
    let before = fs::read(bed.path("dist/firmware.bin")).unwrap();
    bed.fails(
        &[&["lock", "--check", "--offline", "--cache", "cache"], &images[..]].concat(),
        1,
        "overlay 01-test: locked sha256 ",
    );
    // The lock also has tools, of which one was named otherwise above.
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let only = serde_json::json!({"schema": 1, "bases": lock["bases"], "overlays": lock["overlays"],
                                  "packages": {}, "sources": {}, "tools": {}});
    bed.write("octofw.lock", &only.to_string());
    fs::copy(bed.path("base.bin"), bed.path("other.bin")).unwrap();
    let other = ["--base", "other.bin", "--overlay", "overlays/01-test", "--force"];
    let said = bed.octofw(&[&call[..], &other].concat());
    let said = crate::bed::said(&said);
    assert!(said.contains("warning: base other.bin: locked nothing, found sha256 "), "{said}");
    assert!(fs::read(bed.path("dist/firmware.bin")).unwrap() == before);
}
