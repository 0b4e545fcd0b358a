//! What a program is made of: read back out of the program, its licences judged, and their texts collected.

use std::path::{Path, PathBuf};

use octofw::digest::of_file;

use crate::bed::Bed;

const TARGET: &str = "aarch64-unknown-linux-musl";

/// The workspace of the printer program.
fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml")
}

/// Calls a command that looks into the workspace of the printer program.
fn of_program(bed: &Bed, command: [&str; 2], out: &str) -> String {
    let manifest = manifest();
    let workspace =
        ["--manifest-path", manifest.to_str().unwrap(), "--package", "octobridge", "--target", TARGET];
    bed.fine(&[&command[..], &workspace, &["--out", out]].concat())
}

/// The official reader finds in a program what was written for it. Any program will do.
#[test]
fn crates_are_read_out_of_a_program() {
    let bed = Bed::new();
    of_program(&bed, ["sbom", "program"], "crates.dep-v0");
    of_program(&bed, ["sbom", "program"], "crates.cdx.json");
    let added =
        bed.command("objcopy", &["--add-section", ".dep-v0=crates.dep-v0", "/bin/true", "program"]).output();
    assert!(added.unwrap().status.success());
    let told = auditable_info::audit_info_from_file(&bed.path("program"), Default::default()).unwrap();

    let bill: serde_json::Value = serde_json::from_str(&bed.read("crates.cdx.json")).unwrap();
    assert_eq!(told.packages.len(), bill["components"].as_array().unwrap().len() + 1);
    let find = |name: &str| told.packages.iter().find(|package| package.name == name).unwrap();
    let needs = |name: &str| -> Vec<&str> {
        find(name).dependencies.iter().map(|at| told.packages[*at].name.as_str()).collect()
    };
    let root = find("octobridge");
    assert!(root.root && told.packages.iter().filter(|package| package.root).count() == 1);
    assert_eq!(String::from(root.source.clone()), "local");
    assert!(needs("octobridge").contains(&"rustls"));
    assert!(needs("rustls").contains(&"ring"));
    assert_eq!(String::from(find("ring").source.clone()), "crates.io");
}

#[test]
fn the_printer_program_has_licences_that_the_policy_allows() {
    let bed = Bed::new();
    of_program(&bed, ["sbom", "program"], "program.cdx.json");
    let policy = manifest().with_file_name("licences.toml");
    let check = ["licences", "check", "program.cdx.json", "--policy"];
    let told = bed.fine(&[&check[..], &[policy.to_str().unwrap()]].concat());
    assert!(told.contains("every licence is allowed"), "{told}");

    bed.write("strict.toml", "allowed = [\"MIT\", \"Apache-2.0\", \"ISC\", \"BSD-3-Clause\"]\n");
    let told = bed.fails(&[&check[..], &["strict.toml"]].concat(), 1, "webpki-roots 1.");
    assert!(told.contains("CDLA-Permissive-2.0: the policy does not allow it"), "{told}");
    assert!(told.contains("not allowed: 1"), "{told}");
    let output = bed.octofw(&[&check[..], &["strict.toml", "--json"]].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["ok"].as_bool(), output.status.code()), (Some(false), Some(1)));
    assert_eq!(report["violations"][0]["name"], "webpki-roots");

    bed.write("wrong.toml", "allowed = [\"MTI\"]\n");
    bed.fails(&[&check[..], &["wrong.toml"]].concat(), 3, "\"MTI\" is no SPDX identifier");
}

#[test]
fn the_texts_of_all_crates_are_collected_once() {
    let bed = Bed::new();
    of_program(&bed, ["licences", "texts"], "one.txt");
    of_program(&bed, ["licences", "texts"], "two.txt");
    assert_eq!(of_file(&bed.path("one.txt")).unwrap(), of_file(&bed.path("two.txt")).unwrap());
    let text = bed.read("one.txt");
    for expected in [
        "octobridge 0.1.0: MIT OR Apache-2.0 (text 1, 2, 3)\n",
        "\nring 0.17.",
        "Brian Smith",
        "\nqrcodegen 1.8.0: MIT\n",
    ] {
        assert!(text.contains(expected), "{expected} in {}", &text[..2000]);
    }
    let own = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(" (text ").unwrap().1
    };
    assert_eq!(own("futures-core "), own("futures-sink "), "equal texts are there once");
    let home = std::env::var("HOME").unwrap();
    assert!(!text.contains(&home) && text.len() < 400_000, "{} bytes", text.len());
}
