//! The readers of texts from outside that no other module shows: what package managers, tools and scripts write down.
//! Here for `fuzz/`, which takes any bytes through each of them.

use std::io::Cursor;
use std::path::{Component, Path};

use crate::boot::guest;
use crate::build::state;
use crate::cache::entries;
use crate::diff::{packages, settings};
use crate::lint::scripts::syntax;
use crate::manifest::Manifest;
use crate::overlay::last_line;
use crate::rootfs::inside::Tree;
use crate::rootfs::steps::{Came, Step};
use crate::rootfs::{faked, lacking, listing};
use crate::script_tools::said::Lack;
use crate::script_tools::{cache_file, chroot, ownership, said, survey::Survey};
use crate::unpack::table;
use crate::{command, debian, overlay, rehearsal, sbom};

/// A reader's name, and what takes any bytes through it and checks what must hold of what was read.
pub type Reader = (&'static str, fn(&[u8]) -> bool);

/// All of them. Each tells whether what was read holds what it must. New ones come last, since whoever keeps inputs for
/// them knows them by their place.
pub const READERS: [Reader; 29] = [
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
    ("listing of unsquashfs", |bytes| {
        let lines = listing::parsed(bytes);
        lines.len() <= bytes.split(|byte| *byte == b'\n').count()
            && lines.iter().all(|line| line.split(|byte| *byte == b' ').count() >= 5)
    }),
    ("owners that fakeroot remembers", |bytes| {
        let text = text(bytes);
        faked::parse(&text).is_none_or(|owners| owners.len() <= text.lines().count())
    }),
    ("line that ended a script", |bytes| {
        last_line::parse(bytes).is_none_or(|(_, script)| script.as_os_str().len() < bytes.len())
    }),
    ("output of a script that lacked something", |bytes| {
        // There is no such root: each path in it is missing.
        let tree = Tree::at("/nonexistent/root");
        let below = |what: &str| Path::new(what.trim_start_matches('/')).components().all(is_name);
        lacking::of_output(&text(bytes), &["deps/x".to_owned()], &tree).iter().all(|lack| match lack {
            Lack::Vendor { what } => below(what),
            Lack::Program { what } => !what.contains('/'),
            Lack::Network { .. } => true,
        })
    }),
    (".gitmodules", |bytes| {
        lacking::submodules(&text(bytes)).all(|path| !path.is_empty() && !path.contains('\n'))
    }),
    ("what came of a step", |bytes| {
        let part = text(bytes);
        let steps = [Came::Failed(part.clone()), Came::After(part.clone())].map(|came| Step {
            overlay: part.clone(),
            part: part.clone(),
            came,
        });
        let table = rehearsal::table(&steps);
        table.lines().count() == 6 && !table.contains(|letter: char| letter.is_control() && letter != '\n')
    }),
    ("settings of apt", |bytes| {
        let made = |dump: &str| debian::apt::configuration(Path::new("/c"), false, dump);
        let (ours, all) = (made(""), made(&text(bytes)));
        all.strip_prefix(&ours).is_some_and(|kept| kept.lines().all(|line| line.starts_with("Acquire::")))
    }),
    ("name of a package's file", |bytes| {
        let text = text(bytes);
        let parts = debian::name_and_version(&text);
        parts.is_none_or(|(name, version)| format!("{name}_{version}_{}.deb", debian::ARCHITECTURE) == text)
    }),
    ("crates of cargo metadata", |bytes| {
        let _ = sbom::program::sources_of(bytes);
        true
    }),
    ("name in the cache", |bytes| {
        let name = text(bytes);
        ["sha256", "git", "debs", "guest"]
            .iter()
            .all(|folder| entries::kind_of(folder, &name).is_none_or(|_| !name.is_empty()))
    }),
    ("first line of a script", |bytes| {
        let blank = |word: &String| word.contains(char::is_whitespace);
        let started = chroot::started_by(bytes);
        let named = overlay::scripts::interpreter(bytes);
        !started.iter().any(blank) && named.is_none_or(|word| word.starts_with('/') && !blank(&word))
    }),
    ("state of a build", |bytes| {
        let Some(read) = state::parse(bytes) else { return true };
        let again = serde_json::to_vec(&read).ok().and_then(|text| state::parse(&text));
        again == Some(read)
    }),
    ("console of a guest", |bytes| {
        let shown = text(bytes);
        guest::output_of(1, &shown).text.len() <= shown.len()
    }),
    ("end of what a program printed", |bytes| {
        let end = command::end_of(bytes);
        end.lines().count() <= command::TAIL_LINES
            && !end.contains(|letter: char| letter.is_control() && !matches!(letter, '\n' | '\t'))
    }),
    ("folder of a Python package", |bytes| {
        let text = text(bytes);
        packages::python(&text).is_none_or(|(name, version)| format!("{name}-{version}.dist-info") == text)
    }),
];

fn is_name(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}

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
            words in "([ -~\n\t]|Package: |SHA256: |\\[x\\]\n|= |dev=1,ino=|squashfs-root/|/nonexistent/root/|\
                : not found\n|\n<end-1:|#!/usr/bin/env ){0,60}",
        ) {
            for (name, takes) in READERS {
                proptest::prop_assert!(takes(&bytes), "{name}");
                proptest::prop_assert!(takes(words.as_bytes()), "{name}");
            }
        }
    }
}
