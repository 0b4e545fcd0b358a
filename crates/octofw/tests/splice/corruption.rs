//! Damaged images: an error, never a panic, never more memory than the limits allow.

use std::fs;
use std::io::Write as _;
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

/// Tables of which each alone is sound, and which make no tree together.
#[test]
fn what_is_no_tree_is_refused_by_name() {
    let place = Place::new();
    let base = place.write("empty", &empty("-comp gzip -b 4096 -noI -noId -noF"));
    let folder = |name: &str| {
        let inode = Inode { mode: 0o755, uid: 0, gid: 0, modified: 1, thing: Thing::Folder };
        Change::Make { folder: 0, name: name.to_owned(), inode }
    };
    let changes = [folder("aaaa"), folder("bbbb")];
    spliced(&mut Model::new(), &changes, &base, &place.file("image"));
    let image = fs::read(place.file("image")).unwrap();
    // An entry: where its inode is, that one's number, its type, the length of the name less one, the name.
    let entry = |name: &[u8]| image.windows(4).position(|part| part == name).unwrap() - 8;
    let (first, second) = (entry(b"aaaa"), entry(b"bbbb"));
    // In front of the first there is the head of the run: how many entries, less one.
    let run = first - 12;
    assert_eq!(image[run..run + 4], [1, 0, 0, 0]);
    type Forge<'a> = &'a dyn Fn(&mut Vec<u8>);
    let table: [(&str, Forge<'_>); 6] = [
        ("a directory with two names", &|b| b.copy_within(first..first + 2, second)),
        ("a name without slash", &|b| b[second + 8] = b'/'),
        ("\"aaaa\" twice in a directory", &|b| b[second + 8..second + 12].copy_from_slice(b"aaaa")),
        ("a run of 258 entries", &|b| b[run + 1] = 1),
        ("an entry of type 8", &|b| b[second + 4] = 8),
        ("type 1, expected the type that its directory says", &|b| b[second + 4] = 2),
    ];
    for (words, forge) in table {
        let mut forged = image.clone();
        forge(&mut forged);
        let filesystem = Filesystem::open(&place.write("forged", &forged)).unwrap();
        let error = filesystem.tree().unwrap_err().reason();
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// Few bytes of tables that are read again and again would keep a reader busy, and fill its memory.
#[test]
fn directories_that_share_their_entries_are_refused_before_all_is_read() {
    const MARK: u32 = 0x1234_5678;
    let place = Place::new();
    let base = place.write("empty", &empty("-comp gzip -b 4096 -noI -noId -noF"));
    let make = |name: String, thing: Thing| {
        let inode = Inode { mode: 0o755, uid: 0, gid: 0, modified: MARK, thing };
        Change::Make { folder: 0, name, inode }
    };
    // The root is the first of the folders, and the large one the second.
    let mut changes = vec![make("a".to_owned(), Thing::Folder), make("file".to_owned(), Thing::Fifo)];
    changes.extend((0..2300).map(|number| make(format!("d{number}"), Thing::Folder)));
    let long = |number: u32| format!("{number:03}{}", "x".repeat(247));
    let of_file = |number: u32| Change::Link { of: 0, folder: 1, name: long(number) };
    let filled: Vec<Change> = (0..245).map(of_file).collect();
    let mut model = Model::new();
    spliced(&mut model, &[changes, filled].concat(), &base, &place.file("image"));
    let mut image = fs::read(place.file("image")).unwrap();
    // A basic directory: type, mode, ids, time, number, place, links, length, offset, parent.
    let field = |at: usize| image[at..].first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)).unwrap();
    let marked = (8..image.len() - 24).filter(|at| field(*at) == MARK && image[at - 8..at - 6] == [1, 0]);
    let (full, empty): (Vec<usize>, Vec<usize>) =
        marked.map(|at| at - 8).partition(|at| field(at + 24) & 0xffff > 60_000);
    let [full] = full[..] else { panic!("{} large folders", full.len()) };
    let (block, length) = (image[full + 16..full + 20].to_vec(), image[full + 24..full + 28].to_vec());
    // Those that lie across the end of a block look otherwise, and stay as they are.
    let empty: Vec<usize> =
        empty.into_iter().filter(|at| field(at + 20) == 2 && field(at + 24) & 0xffff == 3).collect();
    assert!(empty.len() > 2200, "{} empty folders", empty.len());
    for at in empty {
        image[at + 16..at + 20].copy_from_slice(&block);
        image[at + 24..at + 28].copy_from_slice(&length);
    }
    let filesystem = Filesystem::open(&place.write("forged", &image)).unwrap();
    let error = filesystem.tree().unwrap_err().reason();
    assert!(error.contains("entries that refer to the same bytes again and again"), "{error}");
}

/// A table of a few hundred kilobytes that would be more than 64 MiB when it is decompressed.
#[test]
fn a_table_that_would_fill_the_memory_is_refused() {
    let image = empty("-comp gzip -b 4096");
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
    let mut block = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    block.write_all(&[0; 8192]).unwrap();
    let block = block.finish().unwrap();
    let blocks = [&(block.len() as u16).to_le_bytes()[..], &block].concat().repeat((64 << 20) / 8192 + 1);
    let shift = blocks.len() as u64;
    assert!(shift < 1 << 20, "{shift} bytes");
    // The table of inodes begins behind the superblock; everything behind that moves.
    assert_eq!(word(&image, 64), 96);
    let mut forged = [&image[..96], &blocks, &image[96..word(&image, 40) as usize]].concat();
    let mut move_at = |at: usize| {
        let moved = match word(&forged, at) {
            u64::MAX => u64::MAX,
            place => place + shift,
        };
        forged[at..at + 8].copy_from_slice(&moved.to_le_bytes());
        moved
    };
    let [_, _, _, _, ids, export] = [40, 56, 72, 80, 48, 88].map(&mut move_at);
    // Each of these two is a list of one place.
    move_at(ids as usize);
    move_at(export as usize);
    let place = Place::new();
    let read = Filesystem::open(&place.write("forged", &forged)).and_then(|filesystem| filesystem.tree());
    let error = read.unwrap_err().reason();
    assert!(
        error.contains("inode table") && error.contains("at most 67108864 bytes in all its blocks"),
        "{error}"
    );
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
