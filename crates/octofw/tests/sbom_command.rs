//! `octofw sbom`: of a small workspace whose crates are all known, and of this one.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use octofw::lock::file_digest;
use serde_json::Value;

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn octofw(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_octofw")).arg("sbom").args(arguments).output().unwrap()
}

/// The bill of a package, and the file it was written to.
fn program(manifest: &Path, package: &str, target: &str, out: &Path) -> Value {
    let output = octofw(&[
        "program",
        "--manifest-path",
        manifest.to_str().unwrap(),
        "--package",
        package,
        "--target",
        target,
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(out).unwrap()).unwrap()
}

fn names(bom: &Value) -> BTreeSet<&str> {
    bom["components"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect()
}

fn needs(bom: &Value, of: &str) -> Vec<String> {
    let dependencies = bom["dependencies"].as_array().unwrap();
    let found = dependencies.iter().find(|one| one["ref"] == of).unwrap();
    let list = found["dependsOn"].as_array().cloned().unwrap_or_default();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// A workspace of `app`, which links `used` and, through it, `deep`; and which has, without linking them, a macro, a
/// build script's crate, a test's crate, one for another target, and an optional one that only `other` switches on.
fn workspace(directory: &Path) -> PathBuf {
    let crates: [(&str, &str, &str); 9] = [
        (
            "app",
            "license = \"MIT OR Apache-2.0\"",
            "[dependencies]\nused = { path = \"../used\" }\nmacros = { path = \"../macros\" }\n\
             optional = { path = \"../optional\", optional = true }\n\
             [target.'cfg(windows)'.dependencies]\nelsewhere = { path = \"../elsewhere\" }\n\
             [build-dependencies]\nbuilds = { path = \"../builds\" }\n[dev-dependencies]\ntests = { path = \"../tests\" }",
        ),
        ("used", "license = \"ISC/MIT\"", "[dependencies]\ndeep = { path = \"../deep\" }"),
        ("deep", "", ""),
        ("macros", "", "[lib]\nproc-macro = true\n[dependencies]\ndeep = { path = \"../deep\" }"),
        ("builds", "", ""),
        ("tests", "", ""),
        ("elsewhere", "", ""),
        ("optional", "", ""),
        ("other", "", "[dependencies]\napp = { path = \"../app\", features = [\"optional\"] }"),
    ];
    let members: Vec<_> = crates.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
    let manifest = directory.join("Cargo.toml");
    fs::write(&manifest, format!("[workspace]\nresolver = \"2\"\nmembers = [{}]\n", members.join(", ")))
        .unwrap();
    for (name, package, rest) in crates {
        fs::create_dir_all(directory.join(name).join("src")).unwrap();
        fs::write(directory.join(name).join("src/lib.rs"), "").unwrap();
        if name == "app" {
            fs::write(directory.join(name).join("build.rs"), "fn main() {}").unwrap();
        }
        let text = format!(
            "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2021\"\n{package}\n{rest}\n"
        );
        fs::write(directory.join(name).join("Cargo.toml"), text).unwrap();
    }
    let made = Command::new("cargo")
        .args(["generate-lockfile", "--offline"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    manifest
}

#[test]
fn only_what_is_linked_is_listed_with_the_graph() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = workspace(directory.path());
    let bom = program(&manifest, "app", TARGET, &directory.path().join("new/folder/app.json"));
    assert_eq!(names(&bom), BTreeSet::from(["deep", "used"]));
    let subject = &bom["metadata"]["component"];
    assert_eq!((subject["name"].as_str(), subject["version"].as_str()), (Some("app"), Some("1.2.3")));
    assert_eq!(subject["type"], "application");
    assert_eq!(subject["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(needs(&bom, "pkg:cargo/app@1.2.3"), ["pkg:cargo/used@1.2.3"]);
    assert_eq!(needs(&bom, "pkg:cargo/used@1.2.3"), ["pkg:cargo/deep@1.2.3"]);
    assert!(needs(&bom, "pkg:cargo/deep@1.2.3").is_empty());
    let used = &bom["components"][1];
    assert_eq!(used["licenses"][0]["expression"], "ISC OR MIT");
    assert_eq!(bom["components"][0].get("licenses"), None, "what has no licence claims none");

    let windows = program(&manifest, "app", "x86_64-pc-windows-msvc", &directory.path().join("w.json"));
    assert_eq!(names(&windows), BTreeSet::from(["deep", "elsewhere", "used"]));
}

#[test]
fn the_same_workspace_elsewhere_gives_the_same_bytes_and_no_path_of_the_machine() {
    let digests = [(); 2].map(|()| {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("app.json");
        program(&workspace(directory.path()), "app", TARGET, &out);
        let text = fs::read_to_string(&out).unwrap();
        assert!(!text.contains(directory.path().to_str().unwrap()), "{text}");
        file_digest(&out).unwrap()
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn crates_of_the_printer_program_have_the_digests_of_the_lock_file() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("octobridge.json");
    let bom = program(&repository.join("Cargo.toml"), "octobridge", "aarch64-unknown-linux-musl", &out);
    let names = names(&bom);
    for linked in ["ring", "rustls", "tokio", "serde_json"] {
        assert!(names.contains(linked), "{linked} in {names:?}");
    }
    for not_linked in ["octobridge", "serde_derive", "syn", "cc", "proptest", "clap", "tempfile"] {
        assert!(!names.contains(not_linked), "{not_linked} in {names:?}");
    }
    let lock = fs::read_to_string(repository.join("Cargo.lock")).unwrap();
    let mut references = BTreeSet::from(
        [bom["metadata"]["component"]["bom-ref"].clone()]
            .map(|reference| reference.as_str().unwrap().to_owned()),
    );
    for part in bom["components"].as_array().unwrap() {
        let (name, version) = (part["name"].as_str().unwrap(), part["version"].as_str().unwrap());
        let package = lock
            .split("[[package]]")
            .find(|text| text.contains(&format!("\nname = \"{name}\"\nversion = \"{version}\"\n")));
        let digest = part["hashes"][0]["content"].as_str().unwrap();
        assert!(package.unwrap().contains(&format!("checksum = \"{digest}\"")), "{name} {version}");
        assert!(part["licenses"][0]["expression"].is_string(), "{name} has a licence");
        references.insert(part["bom-ref"].as_str().unwrap().to_owned());
    }
    for one in bom["dependencies"].as_array().unwrap() {
        assert!(references.contains(one["ref"].as_str().unwrap()));
        for other in needs(&bom, one["ref"].as_str().unwrap()) {
            assert!(references.contains(&other), "{other} is in the document");
        }
    }
}

#[test]
fn an_outdated_lock_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = workspace(directory.path());
    fs::write(directory.path().join("Cargo.lock"), "version = 4\n").unwrap();
    let out = directory.path().join("x.json");
    let arguments = ["program", "--manifest-path", manifest.to_str().unwrap(), "--package", "app"];
    let output = octofw(&[&arguments[..], &["--target", TARGET, "--out", out.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--locked"), "{output:?}");
    assert!(!out.exists());
}

#[test]
fn a_manifest_that_is_none_is_refused_with_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("manifest.json"), "{\"schema\": 1}").unwrap();
    fs::write(path("program.json"), "{}").unwrap();
    let output = octofw(&[
        "image",
        "--image",
        &path("image.bin"),
        "--manifest",
        &path("manifest.json"),
        "--program-sbom",
        &path("program.json"),
        "--out",
        &path("out.json"),
    ]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("manifest.json"), "{output:?}");
    assert!(!directory.path().join("out.json").exists());
}
