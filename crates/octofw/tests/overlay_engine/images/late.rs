//! A session that fails after it said that the new root is written, while the image around it is made.

use octofw::build::{BuildError, Settings, build};

use super::Repository;
use crate::bed::OCTOFW;
use crate::programs::write_program;

/// Carries the plan out, and then says that what was written is not what was meant.
const SESSION: &str = r#"#!/bin/sh
"$OCTOFW" "$@"
echo '{"failed":{"message":"the new squashfs and the root differ","wrong_input":false}}' >"${2%/*}/outcome.json"
"#;

fn settings(repository: &Repository, session: &str) -> Settings {
    let octofw = repository.path("session");
    write_program(&octofw, &session.replace("$OCTOFW", OCTOFW));
    Settings {
        base: repository.path("base.bin"),
        overlays: vec![repository.path("overlays/01-test")],
        out: repository.path("dist/firmware.bin"),
        directory: repository.path(""),
        octofw,
        ..Settings::default()
    }
}

#[test]
fn what_is_not_proven_does_not_appear() {
    let repository = Repository::new();
    let error = build(&settings(&repository, SESSION)).unwrap_err();
    let BuildError::Session { message, .. } = &error else { panic!("{error}") };
    assert_eq!(message, "the new squashfs and the root differ");
    assert_eq!(repository.outputs(), [""; 0]);
    assert!(!repository.path("dist/.firmware.bin.octofw-build").exists());

    // The same session without the last word.
    let whole = SESSION.lines().take(2).collect::<Vec<_>>().join("\n");
    build(&settings(&repository, &whole)).unwrap();
    assert_eq!(repository.outputs(), ["firmware.bin", "firmware.manifest.json"]);
}

#[test]
fn a_session_that_dies_behind_its_word_is_an_error() {
    let repository = Repository::new();
    let dies = "#!/bin/sh\necho written 4096\nkill -9 $$\n";
    let error = build(&settings(&repository, dies)).unwrap_err().to_string();
    assert!(error.contains("fakeroot") && error.contains("137"), "{error}");
    assert_eq!(repository.outputs(), [""; 0]);
}
