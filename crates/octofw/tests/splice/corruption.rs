//! Damaged images: an error, never a panic, never more memory than the limits allow.

use std::fs;
use std::path::Path;

use octofw::squashfs::Filesystem;
use octofw::squashfs::tree::Form;
use proptest::prelude::*;

use crate::model::{Change, Inode, Model, Place, Thing, bytes, empty, spliced};

/// An image that has every kind of table.
fn sample(options: &str) -> Vec<u8> {
    let place = Place::new();
    let base = place.write("empty", &empty(options));
    let mut changes = Vec::new();
    for number in 0..40u32 {
        let thing = match number % 8 {
            0 => Thing::Folder,
            1 => Thing::Link(b"target".to_vec()),
            2 => Thing::Character(0x501),
            3 => Thing::Fifo,
            _ => Thing::File(bytes(number as usize * 400, 1 + (number % 2) as u8, number)),
        };
        let inode = Inode { mode: 0o644, uid: number, gid: 0, modified: 1, thing };
        changes.push(Change::Make { folder: number as u8, name: format!("name{number}"), inode });
        changes.push(Change::Link { of: number as u8, folder: 0, name: format!("link{number}") });
    }
    spliced(&mut Model::new(), &changes, &base, &place.file("image"));
    fs::read(place.file("image")).unwrap()
}

/// Reads everything there is, as far as it can be read.
fn read_all(image: &[u8]) {
    let place = Place::new();
    let Ok(filesystem) = Filesystem::open(&place.write("image", image)) else { return };
    let Ok(tree) = filesystem.tree() else { return };
    let _ = filesystem.dead_bytes(&tree);
    for (_, id) in tree.paths() {
        if let Form::File(stored) = &tree.node(id).unwrap().form {
            // A hole of any length is a sound file.
            if stored.size < 1 << 24 {
                let _ = filesystem.copy(stored, &mut std::io::sink());
            }
        }
    }
}

#[test]
fn every_cut_is_an_error() {
    let image = sample("-comp gzip -b 4096");
    let place = Place::new();
    let used = Filesystem::open(&place.write("whole", &image)).unwrap().superblock().bytes_used as usize;
    for cut in (0..used).step_by(97) {
        let file = place.write("cut", &image[..cut]);
        assert!(Filesystem::open(&file).is_err(), "{cut}");
    }
}

/// A fragment in the superblock would have other content once that is written anew; a fuzzer made this one.
#[test]
fn a_fragment_in_the_superblock_is_refused() {
    let image =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/fw_squashfs/fragment-in-superblock");
    let error = Filesystem::open(&image).unwrap_err().reason();
    assert!(error.contains("fragment table") && error.contains("a block of 6 bytes at 0x0"), "{error}");
}

/// One flipped bit in a table that is not compressed is an error or another tree, and a compressed one does not
/// decompress: whatever it is, it ends.
#[test]
fn every_byte_of_the_tables_may_be_wrong() {
    for options in ["-comp gzip -b 4096 -noI -noId -noF", "-comp gzip -b 4096"] {
        let image = sample(options);
        let place = Place::new();
        let superblock = *Filesystem::open(&place.write("whole", &image)).unwrap().superblock();
        let tables = superblock.tables.inodes as usize..superblock.bytes_used as usize;
        for at in (0..96).chain(tables) {
            for bit in [0x01, 0x80] {
                let mut damaged = image.clone();
                damaged[at] ^= bit;
                read_all(&damaged);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn tables_of_anything_do_not_make_it_panic(
        plain: bool,
        changes in proptest::collection::vec((any::<u16>(), any::<u32>()), 1..8),
    ) {
        let options = if plain { "-comp gzip -b 4096 -noI -noId -noF" } else { "-comp zstd -b 4096" };
        thread_local! { static SAMPLES: std::cell::RefCell<std::collections::BTreeMap<bool, Vec<u8>>> = Default::default() }
        let mut image = SAMPLES.with_borrow_mut(|samples| samples.entry(plain).or_insert_with(|| sample(options)).clone());
        let place = Place::new();
        let superblock = *Filesystem::open(&place.write("whole", &image)).unwrap().superblock();
        let start = superblock.tables.inodes as usize;
        for (at, value) in changes {
            let at = match at % 4 {
                0 => usize::from(at) % 92,
                _ => start + usize::from(at) % (superblock.bytes_used as usize - start - 4),
            };
            image[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        read_all(&image);
    }

    #[test]
    fn no_bytes_behind_a_superblock_make_it_panic(rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut image = empty("-comp gzip -b 4096");
        image.truncate(96);
        image.extend(rest);
        image.resize(4096, 0);
        read_all(&image);
    }
}
