//! The image of `make overlay` against its base, as squashfs-tools see both: nothing differs but the overlay's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use octofw::boot::root::take_out;

/// What one path is, in the words of `unsquashfs -pf`: kind, mode, owner, device numbers or target; and of a file its
/// size. No times, and no places in the data.
type Definitions = BTreeMap<String, String>;

fn definitions(root: &Path, folder: &Path) -> Definitions {
    let file = folder.join("definitions");
    let output = Command::new("unsquashfs").arg("-pf").arg(&file).arg(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(&file).unwrap();
    let end = bytes.windows(15).position(|window| window == b"# START OF DATA").expect("a data section");
    let text = std::str::from_utf8(&bytes[..end]).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(definition).collect()
}

fn definition(line: &str) -> (String, String) {
    let fields: Vec<&str> = line.split(' ').collect();
    let [name, kind, rest @ ..] = fields.as_slice() else { panic!("{line}") };
    let facts = match (*kind, rest) {
        // NAME L TARGET
        ("L", target) => target.join(" "),
        // NAME R TIME MODE UID GID SIZE OFFSET SPARSE
        ("R", [_, mode, uid, gid, size, ..]) => format!("{mode} {uid} {gid} {size}"),
        // NAME KIND TIME MODE UID GID …
        (_, [_, facts @ ..]) => facts.join(" "),
        _ => panic!("{line}"),
    };
    ((*name).to_owned(), format!("{kind} {facts}"))
}

/// The base of the last `make overlay`.
fn base() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings =
        std::fs::read_to_string(project.join(".cache/image-settings")).expect("`make overlay` ran");
    let named = settings.lines().find_map(|line| line.strip_prefix("FIRMWARE=")).unwrap_or_default();
    if named.is_empty() { project.join(".cache/standin/mini.bin") } else { project.join(named) }
}

fn image() -> PathBuf {
    let named = std::env::var_os("FIRMWARE_UNDER_TEST").filter(|path| !path.is_empty());
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/firmware.bin"), PathBuf::from)
}

#[test]
fn only_what_the_manifest_names_differs_from_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let of = |image: &Path, name: &str| {
        definitions(&take_out(image, &folder.path().join(name)).unwrap(), folder.path())
    };
    let (before, after) = (of(&base(), "base.squashfs"), of(&image(), "image.squashfs"));
    let changed: Vec<&String> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();

    let manifest = std::fs::read(image().with_extension("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let named: Vec<String> = manifest["changes"]
        .as_array()
        .expect("the manifest's list of changes")
        .iter()
        .map(|file| file["path"].as_str().unwrap().trim_start_matches('/').to_owned())
        .collect();
    let unnamed: Vec<_> = changed.iter().filter(|path| !named.contains(path)).collect();
    assert!(unnamed.is_empty(), "the manifest does not name {unnamed:?}");
    assert!(named.iter().any(|path| path == "usr/local/bin/octobridge"), "{named:?}");

    // Hard links, nodes, pipes, links and everything else that the overlay does not bring are as they were.
    let count = |definitions: &Definitions, kind: &str| {
        definitions.values().filter(|facts| facts.split(' ').next() == Some(kind)).count()
    };
    for kind in ["L", "C", "B", "I", "S"] {
        assert_eq!(count(&before, kind), count(&after, kind), "kind {kind}");
    }
    assert!(count(&after, "L") > 100, "the base has hundreds of hard links");
}

#[test]
fn what_must_not_change_is_the_base_s_byte_for_byte() {
    let base = octofw::image::Image::open(&base()).unwrap();
    let options = octofw::verify::VerifyOptions { base: Some(&base), ..Default::default() };
    let findings = octofw::verify::verify(&image(), &options).unwrap();
    let errors: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == octofw::verify::Severity::Error)
        .map(|finding| &finding.message)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}
