//! Bills of materials of an image, beside it and inside. Whether the forms are valid is tested with their official
//! validators, in tests/peers.

use std::collections::BTreeMap;

use octofw::image::Image;
use serde_json::Value;

use crate::bed::Bed;

/// A program's bill as another overlay may bring it.
const PROGRAM: &str = r#"{
  "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5",
  "serialNumber": "urn:uuid:00000000-0000-8000-8000-000000000000", "version": 1,
  "metadata": {"timestamp": "2026-01-01T00:00:00Z",
    "component": {"type": "application", "bom-ref": "pkg:cargo/p@1", "name": "p", "version": "1"}},
  "components": [{"type": "library", "bom-ref": "pkg:cargo/l@2", "name": "l", "version": "2"}],
  "dependencies": [{"ref": "pkg:cargo/p@1", "dependsOn": ["pkg:cargo/l@2"]}]
}"#;

fn json(bed: &Bed, name: &str) -> Value {
    serde_json::from_str(&bed.read(name)).unwrap()
}

/// Versions by reference.
fn components(bom: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = bom["components"].as_array().unwrap();
    list.iter().map(|part| (text(&part["bom-ref"]), text(&part["version"]))).collect()
}

fn files(bom: &Value, overlay: &str) -> BTreeMap<String, Vec<String>> {
    let found = bom["components"].as_array().unwrap().iter().find(|part| part["name"] == overlay).unwrap();
    let list = found["components"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|file| {
            let hashes = file["hashes"].as_array().unwrap().iter();
            let values = hashes.map(|hash| hash["content"].as_str().unwrap().to_owned()).collect();
            (file["name"].as_str().unwrap().to_owned(), values)
        })
        .collect()
}

/// Takes a file out of the root of the built image.
fn take_out(bed: &Bed, path: &str) -> Value {
    let image = Image::open(&bed.path("dist/firmware.bin")).unwrap();
    let _ = std::fs::remove_file(bed.path("root.squashfs"));
    image.extract_part("rootfs.img", &bed.path("root.squashfs")).unwrap();
    let printed = bed.command("unsquashfs", &["-cat", "root.squashfs", path]).output().unwrap();
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[test]
fn beside_the_image_is_what_is_in_it() {
    let bed = Bed::built();
    let written = ["--out", "image.cdx.json", "--out", "image.spdx.json"];
    bed.write("program.json", PROGRAM);
    let call = ["sbom", "image", "--image", "dist/firmware.bin", "--program-sbom", "program.json"];
    bed.fine(&[&call[..], &written].concat());
    let bom = json(&bed, "image.cdx.json");
    let manifest = json(&bed, "dist/firmware.manifest.json");
    assert_eq!(bom["metadata"]["component"]["hashes"][0]["content"], manifest["result"]["sha256"]);
    assert_eq!(bom["metadata"]["timestamp"], "2023-11-14T22:15:00Z", "that of the base's packing");
    let expected = [
        ("base", "1.3.0.168"),
        ("dpkg/busybox", "1:1.35.0-4"),
        ("overlay/01-test", ""),
        ("pkg:cargo/l@2", "2"),
        ("pkg:cargo/p@1", "1"),
        ("python/numpy", "1.26.4"),
    ];
    assert_eq!(components(&bom), expected.map(|(name, version)| (name.into(), version.into())).into());
    // As sha1sum and sha256sum print them.
    let digests = [
        "389cc6b7ae5a659383eab5dfc253764eccf84732",
        "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c",
    ];
    assert_eq!(files(&bom, "01-test")["/etc/new"], digests);

    let spdx = json(&bed, "image.spdx.json");
    let packages = spdx["packages"].as_array().unwrap();
    let purl = |name: &str| {
        let found = packages.iter().find(|package| package["name"] == name).unwrap();
        found["externalRefs"][0]["referenceLocator"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(purl("busybox"), "pkg:deb/debian/busybox@1:1.35.0-4");
    assert_eq!(purl("numpy"), "pkg:pypi/numpy@1.26.4");
    assert!(packages.iter().any(|package| package["name"] == "mksquashfs"), "tools are told");
    assert_eq!(spdx["files"].as_array().unwrap().len(), 2);
    // Again, it is the same.
    let before = (bed.read("image.cdx.json"), bed.read("image.spdx.json"));
    bed.fine(&[&call[..], &written].concat());
    assert_eq!((bed.read("image.cdx.json"), bed.read("image.spdx.json")), before);
}

#[test]
fn inside_the_image_is_what_it_was_going_to_be_made_of() {
    let bed = Bed::new();
    bed.write("overlays/01-test/root/usr/share/p/p.cdx.json", PROGRAM);
    // Of somebody else, and so a file like others.
    bed.write("overlays/01-test/root/usr/share/p/q.cdx.json", "{}");
    let more = ["--sbom", "/usr/share/sbom", "--version-suffix", "x"];
    assert!(bed.build(&more).is_empty());
    let bom = take_out(&bed, "usr/share/sbom/image.cdx.json");
    let image = &bom["metadata"]["component"];
    assert_eq!((&image["version"], image.get("hashes")), (&"1.3.0.168x".into(), None));
    let names: Vec<String> = components(&bom).into_keys().collect();
    assert_eq!(
        names,
        ["base", "dpkg/busybox", "overlay/01-test", "pkg:cargo/l@2", "pkg:cargo/p@1", "python/numpy"]
    );
    let names: Vec<String> = files(&bom, "01-test").into_keys().collect();
    assert_eq!(names, ["/etc/new", "/opt/tool", "/usr/share/p/p.cdx.json", "/usr/share/p/q.cdx.json"]);
    let spdx = take_out(&bed, "usr/share/sbom/image.spdx.json");
    assert_eq!(spdx["documentNamespace"], bom["serialNumber"]);

    // What it says and what became of it agree, and nothing changed is still nothing changed.
    let manifest = json(&bed, "dist/firmware.manifest.json");
    assert_eq!(manifest["overlays"][1]["name"], "octofw-sbom");
    let before = std::fs::read(bed.path("dist/firmware.bin")).unwrap();
    let call = ["build", "--base", "base.bin", "--overlay", "overlays/01-test", "--out", "dist/firmware.bin"];
    let tools = ["--tool", "rustc=1", "--tool", "aarch64-linux-gnu-gcc=1", "--json"];
    let again = bed.fine(&[&call[..], &tools, &more].concat());
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["built"], false);
    bed.build(&[&more[..], &["--force"]].concat());
    assert!(std::fs::read(bed.path("dist/firmware.bin")).unwrap() == before, "other bytes");
}

#[test]
fn a_bill_goes_nowhere_but_into_the_root() {
    let bed = Bed::new();
    let call = ["build", "--base", "base.bin", "--out", "dist/firmware.bin", "--tool", "rustc=1", "--sbom"];
    for place in ["..", "usr/../../x", "/", ""] {
        bed.fails(&[&call[..], &[place]].concat(), 2, "it must be a folder of the root");
    }
    assert!(!bed.path("dist/firmware.bin").exists());
}

#[test]
fn an_image_with_the_manifest_of_another_has_no_bill() {
    let bed = Bed::built();
    let of_base = ["sbom", "image", "--image", "base.bin", "--manifest", "dist/firmware.manifest.json"];
    let told = "base.bin is not the image that dist/firmware.manifest.json tells of";
    bed.fails(&[&of_base[..], &["--out", "x.cdx.json"]].concat(), 3, told);
    assert!(!bed.path("x.cdx.json").exists());
}

#[test]
fn an_image_without_its_manifest_has_no_bill() {
    let bed = Bed::new();
    bed.fails(&["sbom", "image", "--image", "base.bin", "--out", "x.cdx.json"], 1, "base.manifest.json");
    bed.write("base.manifest.json", "{}");
    bed.fails(
        &["sbom", "image", "--image", "base.bin", "--out", "x.cdx.json"],
        3,
        "is no manifest of an image",
    );
    assert!(!bed.path("x.cdx.json").exists());
}
