//! `octofw manual`.

use std::fs;

use serde_json::Value;

use crate::{octofw, printed};

#[test]
fn manual_pages_go_into_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dry: Value =
        serde_json::from_str(&printed(octofw(folder.path(), &["manual", "man1", "--dry-run", "--json"]), 0))
            .unwrap();
    assert_eq!((&dry["schema"], &dry["written"]), (&1.into(), &false.into()));
    assert!(!folder.path().join("man1").exists(), "a dry run writes nothing");

    let told = printed(octofw(folder.path(), &["manual", "man1"]), 0);
    let mut names: Vec<String> = fs::read_dir(folder.path().join("man1"))
        .unwrap()
        .map(|entry| format!("man1/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    assert_eq!(told.lines().collect::<Vec<_>>(), names);
    assert_eq!(dry["files"].as_array().unwrap().len(), names.len());
    let page = fs::read_to_string(folder.path().join("man1/octofw-cache-prune.1")).unwrap();
    assert!(page.contains("octofw\\-cache\\-prune \\- Removes what was not used for longest"), "{page}");
}

#[test]
fn without_a_folder_it_is_the_page_of_the_docs() {
    let page = printed(octofw(&std::env::temp_dir(), &["manual"]), 0);
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/octofw.md");
    assert!(
        page == fs::read_to_string(kept).unwrap(),
        "docs/octofw.md is stale: octofw manual prints the new one"
    );
    let wrong = octofw(&std::env::temp_dir(), &["manual", "--dry-run"]);
    assert_eq!(wrong.status.code(), Some(2), "nothing would be written");
}
