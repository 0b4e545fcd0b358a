//! The outbox on real files.

use super::super::Importance::{Normal, Terminal};
use super::super::record::{self, Header};
use super::super::{Entry, Limits, Outbox, Persistence, Pushed, Recovered};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

fn entry(key: &str) -> Entry {
    let body = format!("body of {key}").into_bytes();
    Entry { key: key.to_owned(), importance: Terminal, at: Duration::from_secs(5), slot: None, body }
}

fn keys(outbox: &Outbox) -> Vec<String> {
    outbox.waiting().map(|held| held.entry.key.clone()).collect()
}

fn open(path: &Path) -> (Outbox, Recovered) {
    Outbox::open(path, Limits::default())
}

#[test]
fn messages_and_keys_outlive_the_process() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("outbox/telegram.journal");
    let (mut outbox, recovered) = open(&path);
    assert_eq!((recovered, outbox.persistence()), (Recovered::default(), Persistence::Disk));
    for key in ["a", "b", "c"] {
        outbox.push(entry(key));
    }
    let first = outbox.peek().unwrap().id;
    assert!(outbox.done(first));
    assert!(!outbox.done(first));
    drop(outbox);
    let (mut outbox, recovered) = open(&path);
    assert_eq!(recovered, Recovered { waiting: 2, ..Recovered::default() });
    assert_eq!(keys(&outbox), ["b", "c"]);
    assert_eq!(outbox.peek().unwrap().entry, entry("b"));
    assert_eq!(outbox.push(entry("a")), Pushed::Duplicate);
}

#[test]
fn a_torn_tail_is_cut_off_and_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let (mut outbox, _) = open(&path);
    outbox.push(entry("a"));
    let whole = std::fs::read(&path).unwrap().len();
    outbox.push(entry("b"));
    drop(outbox);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (outbox, recovered) = open(&path);
    let torn = bytes.len() - 1 - whole;
    assert_eq!(recovered, Recovered { waiting: 1, torn, ..Recovered::default() });
    assert_eq!(keys(&outbox), ["a"]);
    drop(outbox);
    assert_eq!(std::fs::read(&path).unwrap().len(), whole);
    assert_eq!(open(&path).1, Recovered { waiting: 1, ..Recovered::default() });
}

#[test]
fn what_follows_damage_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let (mut outbox, _) = open(&path);
    for key in ["a", "b", "c"] {
        outbox.push(entry(key));
    }
    drop(outbox);
    let mut bytes = std::fs::read(&path).unwrap();
    let b = bytes.windows(9).position(|window| window == b"body of b").unwrap();
    bytes[b] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let (outbox, recovered) = open(&path);
    assert_eq!(keys(&outbox), ["a", "c"]);
    assert!(recovered.skipped > 0 && recovered.torn == 0, "{recovered:?}");
}

#[test]
fn a_newer_journal_is_set_aside_untouched() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    // The header is the promise to every later version: magic, version, CRC-32 of both.
    let newer = b"octo-obx\x02\0\0\0\xe7\x28\x47\xad and what only it understands".to_vec();
    assert_eq!(record::header(&newer), Header::Newer(2));
    std::fs::write(&path, &newer).unwrap();
    let (mut outbox, recovered) = open(&path);
    let aside = place.path().join("journal.v2");
    assert_eq!(recovered.set_aside.as_deref(), Some(aside.as_path()));
    assert_eq!(outbox.push(entry("a")), Pushed::Queued { replaced: 0, dropped: 0 });
    drop(outbox);
    assert_eq!(std::fs::read(&aside).unwrap(), newer);
    assert_eq!(keys(&open(&path).0), ["a"]);
}

#[test]
fn a_foreign_file_is_set_aside() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    std::fs::write(&path, "no journal at all").unwrap();
    let (outbox, recovered) = open(&path);
    assert_eq!(recovered.set_aside, Some(place.path().join("journal.damaged")));
    assert_eq!(outbox.persistence(), Persistence::Disk);
}

#[test]
fn history_is_compacted() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let (mut outbox, _) = Outbox::open(&path, Limits { entries: 10, bytes: 20_000, keys: 20, history: 3000 });
    outbox.push(entry("stays"));
    for n in 0..2000 {
        let id = outbox.waiting().last().unwrap().id;
        outbox.push(Entry { importance: Normal, body: vec![7; 100], ..entry(&format!("m{n}")) });
        if n > 0 {
            outbox.done(id);
        }
        assert!(path.metadata().unwrap().len() <= 3000 + 200);
    }
    drop(outbox);
    assert_eq!(keys(&open(&path).0), ["stays", "m1999"]);
}

#[test]
fn without_a_disk_it_works_in_memory_and_moves_to_disk_later() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("mounted/outbox/journal");
    std::fs::create_dir(place.path().join("elsewhere")).unwrap();
    let (mut earlier, _) = open(&place.path().join("elsewhere/outbox/journal"));
    earlier.push(entry("from before the boot"));
    drop(earlier);
    // A file where the directory should be: nothing can be made there.
    std::fs::write(place.path().join("mounted"), "").unwrap();
    let (mut outbox, _) = open(&path);
    assert_eq!(outbox.push(entry("a")), Pushed::Queued { replaced: 0, dropped: 0 });
    outbox.push(entry("b"));
    let held = outbox.peek().unwrap().clone();
    let Persistence::Memory(reason) = outbox.persistence() else { panic!("on disk") };
    assert!(reason.contains("mounted"), "{reason}");
    assert!(!outbox.retry_disk());
    std::fs::remove_file(place.path().join("mounted")).unwrap();
    std::fs::rename(place.path().join("elsewhere"), place.path().join("mounted")).unwrap();
    assert!(outbox.retry_disk());
    assert_eq!(keys(&outbox), ["from before the boot", "a", "b"]);
    assert!(outbox.done(held.id), "a handle from before stays valid");
    drop(outbox);
    assert_eq!(keys(&open(&path).0), ["from before the boot", "b"]);
}

#[test]
fn a_journal_in_use_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let (mut first, _) = open(&path);
    first.push(entry("a"));
    let (mut second, _) = open(&path);
    assert!(second.is_empty());
    second.push(entry("b"));
    assert!(!second.retry_disk());
    first.push(entry("c"));
    drop(first);
    assert!(second.retry_disk());
    assert_eq!(keys(&second), ["a", "c", "b"]);
}

#[test]
fn the_file_is_private() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("outbox/journal");
    let _open = open(&path);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
