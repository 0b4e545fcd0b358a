//! Random trees, changed at random.

use std::fs;

use octofw::squashfs::Filesystem;
use octofw::squashfs::tree::Form;
use proptest::prelude::*;

use crate::model::{MADE, Model, Place, changes, empty, spliced};

const OPTIONS: [&str; 7] = [
    "-comp gzip -b 4096",
    "-comp gzip -b 4096 -always-use-fragments -no-exports",
    "-comp gzip -b 8192 -no-fragments -no-duplicates",
    "-comp gzip -b 4096 -noI -noD -noF -noId",
    "-comp zstd -b 4096 -Xcompression-level 3",
    "-comp lz4 -b 4096",
    "-comp xz -b 8192",
];

fn check(options: &str, first: &[crate::model::Change], second: &[crate::model::Change]) {
    let place = Place::new();
    let mut model = Model::new();
    let base = place.write("empty", &empty(options));
    spliced(&mut model, first, &base, &place.file("base"));
    let base = Filesystem::open(&place.file("base")).unwrap();
    model.must_equal(&base);
    assert_eq!(base.superblock().mkfs_time, MADE);

    let before = model.clone();
    let made = spliced(&mut model, second, &place.file("base"), &place.file("made"));
    model.must_equal(&made);

    // What the base had is where it was, and what is not in use is counted.
    let data = base.superblock().tables.inodes as usize;
    let (old, new) = (fs::read(place.file("base")).unwrap(), fs::read(place.file("made")).unwrap());
    assert!(old[96..data] == new[96..data], "data of the base moved");
    assert!(new.len().is_multiple_of(4096));
    let tree = made.tree().unwrap();
    let dead = made.dead_bytes(&tree);
    assert!(dead <= made.superblock().tables.inodes);
    let has_content = |form: &Form| matches!(form, Form::File(stored) if stored.size > 0);
    if !tree.paths().iter().any(|(_, id)| has_content(&tree.node(*id).unwrap().form)) {
        let head =
            if base.superblock().flags.names().contains(&"compressor_options") { 98..=110 } else { 96..=96 };
        assert!(head.contains(&(made.superblock().tables.inodes - dead)), "all data is dead");
    }

    // The same once more gives the same bytes.
    spliced(&mut before.clone(), second, &place.file("base"), &place.file("again"));
    assert!(fs::read(place.file("again")).unwrap() == new, "two splices differ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_was_changed_is_what_is_read(options in 0usize..6, first in changes(24), second in changes(10)) {
        check(OPTIONS[options], &first, &second);
    }
}

proptest! {
    // Each block costs milliseconds.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn with_xz_too(first in changes(24), second in changes(10)) {
        check(OPTIONS[6], &first, &second);
    }
}
