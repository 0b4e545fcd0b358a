//! The bills of materials of `make overlay`, beside the image and in it, and its provenance, by the official readers of
//! their forms.

use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::boot::root::take_out;

use crate::support::bed::environment;

fn image() -> PathBuf {
    let named = std::env::var_os("FIRMWARE_UNDER_TEST").filter(|path| !path.is_empty());
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/firmware.bin"), PathBuf::from)
}

/// What the validators complain about.
fn complaints(files: &[PathBuf]) -> String {
    let output = Command::new(environment("VALIDATORS", ".cache/python/validators/bin/python3"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/validators.py"))
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn the_official_readers_find_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = take_out(&image(), &folder.path().join("root.squashfs")).unwrap();
    let mut files = Vec::new();
    for name in ["image.cdx.json", "image.spdx.json", "octobridge.cdx.json", "octobridge.spdx.json"] {
        files.push(image().with_file_name("sbom").join(name));
        let inside = folder.path().join(name);
        let path = format!("usr/local/share/octobridge/{name}");
        let printed = Command::new("unsquashfs").arg("-cat").arg(&root).arg(path).output().unwrap();
        assert!(!printed.stdout.is_empty(), "{name} is in the image");
        std::fs::write(&inside, printed.stdout).unwrap();
        files.push(inside);
    }
    files.push(image().with_extension("provenance.json"));
    assert_eq!(complaints(&files), "");

    // And they do find what is wrong.
    for (file, whole, broken) in [
        (&files[0], "\"version\": 1,", "\"version\": \"one\","),
        (&files[2], "\"NOASSERTION\"", "\"none of your business\""),
        (&files[8], "\"resolvedDependencies\"", "\"materials\""),
    ] {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(whole));
        let place = folder.path().join(format!("broken-{}", file.file_name().unwrap().to_str().unwrap()));
        std::fs::write(&place, text.replacen(whole, broken, 1)).unwrap();
        assert!(!complaints(&[place]).is_empty(), "{}", file.display());
    }
}

/// What a scanner finds in a program that somebody took from a printer, read by the library that scanners use.
#[test]
fn the_program_itself_names_its_crates() {
    let folder = tempfile::tempdir().unwrap();
    let root = take_out(&image(), &folder.path().join("root.squashfs")).unwrap();
    let printed =
        Command::new("unsquashfs").arg("-cat").arg(&root).arg("usr/local/bin/octobridge").output().unwrap();
    let told = auditable_info::audit_info_from_slice(&printed.stdout, 1 << 20).unwrap();
    let mut told: Vec<String> =
        told.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
    told.sort();

    let bill = std::fs::read(image().with_file_name("sbom/octobridge.cdx.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_slice(&bill).unwrap();
    let parts = bill["components"].as_array().unwrap().iter().chain([&bill["metadata"]["component"]]);
    let mut listed: Vec<String> = parts
        .map(|part| format!("{} {}", part["name"].as_str().unwrap(), part["version"].as_str().unwrap()))
        .collect();
    listed.sort();
    assert_eq!(told, listed);
}
