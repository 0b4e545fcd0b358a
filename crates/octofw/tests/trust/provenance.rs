//! The provenance statement. Whether its form is valid is tested with the official library, in tests/peers.

use std::fs;

use octofw::lock::{Lock, tree_digest};
use serde_json::Value;

use crate::bed::Bed;

const STATEMENT: &str = "dist/firmware.provenance.json";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn json(bed: &Bed, name: &str) -> Value {
    serde_json::from_str(&bed.read(name)).unwrap()
}

#[test]
fn a_statement_names_the_image_and_everything_it_was_made_of() {
    let bed = Bed::built();
    let mut lock = Lock::new();
    lock.lock_package("busybox-static", "1:1.35.0-4+deb12u1", &"ab".repeat(32));
    lock.lock_package("linux-image-6.1.0-1-cloud-arm64", "6.1", &"ef".repeat(32));
    lock.lock_source("rootfs/", &"cd".repeat(32));
    bed.write("rootfs/table", "dir / 0755 0 0\n");
    lock.write(&bed.path("octofw.lock")).unwrap();
    bed.write("sbom.json", "{}\n");
    let call = [
        "attest",
        "dist/firmware.bin",
        "--lock",
        "octofw.lock",
        "--commit",
        COMMIT,
        "--byproduct",
        "sbom.json",
    ];
    assert_eq!(bed.fine(&call), format!("{STATEMENT}\n"));
    let (statement, manifest) = (json(&bed, STATEMENT), json(&bed, "dist/firmware.manifest.json"));
    let subject = &statement["subject"][0];
    assert_eq!(
        (&subject["name"], &subject["digest"]["sha256"]),
        (&"firmware.bin".into(), &manifest["result"]["sha256"])
    );

    let definition = &statement["predicate"]["buildDefinition"];
    let materials: Vec<(&str, &str, &str)> = definition["resolvedDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let (algorithm, digest) = one["digest"].as_object().unwrap().iter().next().unwrap();
            (one["name"].as_str().unwrap(), algorithm.as_str(), digest.as_str().unwrap())
        })
        .collect();
    // Of the sources what is there now, not what is locked.
    let (package, tree) = ("ab".repeat(32), tree_digest(&bed.path("rootfs")).unwrap());
    let text = |pointer: &str| manifest.pointer(pointer).unwrap().as_str().unwrap();
    let expected = [
        ("base.bin", "sha256", text("/base/sha256")),
        ("busybox-static", "sha256", &package),
        ("overlay 01-test", "octofwTreeSha256", text("/overlays/0/tree_sha256")),
        ("rootfs/", "octofwTreeSha256", &tree),
        ("sources", "gitCommit", COMMIT),
    ];
    assert_eq!(materials, expected);
    let uri = &definition["resolvedDependencies"][1]["uri"];
    assert_eq!(uri, "pkg:deb/debian/busybox-static@1:1.35.0-4%2Bdeb12u1?arch=arm64");
    assert_eq!(definition["externalParameters"]["overlays"][0], "01-test");
    let run = &statement["predicate"]["runDetails"];
    assert_eq!(run["builder"]["id"], "urn:octofw:builder:somebody");
    assert_eq!(run["builder"]["version"]["rustc"], "1");
    let names: Vec<&Value> = run["byproducts"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["firmware.manifest.json", "sbom.json"]);

    let before = bed.read(STATEMENT);
    bed.fine(&call);
    assert_eq!(bed.read(STATEMENT), before, "the same build, the same bytes");
    let folder = fs::canonicalize(bed.path("")).unwrap();
    assert!(!before.contains(folder.to_str().unwrap()), "{before}");
}

#[test]
fn no_input_is_written_over() {
    let bed = Bed::built();
    let manifest = "dist/firmware.manifest.json";
    let read = || (fs::read(bed.path("dist/firmware.bin")).unwrap(), bed.read(manifest));
    let before = read();
    for out in ["dist/firmware.bin", "dist/../dist/firmware.bin", manifest] {
        let refused = "is both an input and the output: choose another output";
        bed.fails(&["attest", "dist/firmware.bin", "--out", out], 2, refused);
        bed.fails(&["sbom", "image", "--image", "dist/firmware.bin", "--out", "x", "--out", out], 2, refused);
    }
    for dry in [&[][..], &["--dry-run"]] {
        let refused = "cannot write dist: it is no regular file; choose another output";
        bed.fails(&[&["attest", "dist/firmware.bin", "--out", "dist"], dry].concat(), 1, refused);
        bed.fails(
            &[&["sbom", "image", "--image", "dist/firmware.bin", "--out", "dist"], dry].concat(),
            1,
            refused,
        );
    }
    assert_eq!(read(), before);
    assert!(!bed.path("x").exists());
}

#[test]
fn an_image_that_is_not_its_manifest_s_gets_no_statement() {
    let bed = Bed::built();
    fs::copy(bed.path("base.bin"), bed.path("dist/firmware.bin")).unwrap();
    bed.fails(&["attest", "dist/firmware.bin"], 3, "is not the image that its manifest tells of");
    bed.write("dist/firmware.manifest.json", "{}");
    bed.fails(&["attest", "dist/firmware.bin"], 3, "is no manifest of an image");
    bed.fails(&["attest", "dist/firmware.bin", "--commit", "HEAD"], 2, "whole commit id");
    for builder in ["", "me", "two words", "https://a b/", "1:x", "urn:", "mailto:\u{e4}@b"] {
        bed.fails(&["attest", "dist/firmware.bin", "--builder", builder], 2, "it must be a URI, such as ");
    }
    assert!(!bed.path(STATEMENT).exists());
}
