//! The readers of texts from outside that no other module shows: what package managers, tools and scripts write down.
//! Here for `fuzz/`, which takes any bytes through each of them.

use std::io::Cursor;

use crate::diff::{packages, settings};
use crate::lint::scripts::syntax;
use crate::manifest::Manifest;
use crate::script_tools::{cache_file, ownership, said, survey::Survey};
use crate::unpack::table;
use crate::{debian, overlay, sbom};

/// A reader's name, and what takes any bytes through it and checks what must hold of what was read.
pub type Reader = (&'static str, fn(&[u8]) -> bool);

/// All of them. Each tells whether what was read holds what it must. New ones come last, since whoever keeps inputs for
/// them knows them by their place.
pub const READERS: [Reader; 14] = [
    ("packages of apt", |bytes| {
        debian::control::parse(&text(bytes)).iter().all(|found| found.sha256.len() == 64)
    }),
    ("crates of cargo tree", |bytes| {
        sbom::cargo_tree::parse(&text(bytes)).map_or(true, |tree| tree.crates.contains_key(&tree.root))
    }),
    ("Cargo.lock", |bytes| {
        let _ = sbom::cargo_lock::parse(&text(bytes));
        true
    }),
    ("os-release", |bytes| {
        sbom::packages::vendor(&text(bytes)).bytes().all(|letter| letter.is_ascii_alphanumeric())
    }),
    ("status of dpkg", |bytes| {
        text(bytes).split("\n\n").filter_map(packages::stanza).all(|(name, _)| !name.contains('\n'))
    }),
    ("settings", |bytes| settings::keys(&text(bytes)).len() <= text(bytes).lines().count()),
    ("table of an unpacked root", |bytes| {
        table::read(bytes).map_or(true, |lines| table::read(&table::write(&lines)) == Ok(lines))
    }),
    ("what scripts say", |bytes| said::parse(bytes).len() <= bytes.len()),
    ("calls that set owners", |bytes| {
        let _ = ownership::read(Cursor::new(bytes));
        true
    }),
    ("survey of a tree", |bytes| Survey::parse(bytes).found.len() <= bytes.len()),
    ("what patch prints", |bytes| {
        let zero = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (patch, printed) = bytes.split_at(zero);
        let lines = patch.split(|byte| *byte == b'\n').count();
        overlay::patches::failed_hunk(patch, &text(printed)).is_none_or(|line| (1..=lines).contains(&line))
    }),
    ("what a shell prints", |bytes| {
        let _ = syntax::told(&text(bytes));
        true
    }),
    ("address of a file", |bytes| {
        let text = text(bytes);
        cache_file::protocol(&text).is_none_or(|_| !cache_file::name_in(&text).contains('/'))
    }),
    ("manifest", |bytes| {
        let Ok(read) = serde_json::from_slice::<Manifest>(bytes) else { return true };
        let again = serde_json::to_vec(&read).ok().and_then(|text| serde_json::from_slice(&text).ok());
        again == Some(read)
    }),
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_reader_takes_any_bytes(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            words in "([ -~\n\t]|Package: |SHA256: |\\[x\\]\n|= ){0,60}",
        ) {
            for (name, takes) in READERS {
                proptest::prop_assert!(takes(&bytes), "{name}");
                proptest::prop_assert!(takes(words.as_bytes()), "{name}");
            }
        }
    }
}
