//! The database: what a kill leaves, and who may read the file.

use crate::support::Bed;
use jiff::Timestamp;
use octo::store::invites::{self, Filter, Invite, NewInvite};
use octo::store::{Store, StoreError};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the child of the test below writes.
const PLACE: &str = "OCTO_TEST_DATABASE";
/// Codes in one transaction.
const TOGETHER: usize = 5;

/// Does nothing by itself; the test below runs it in a process of its own, which is killed.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(PLACE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = Store::open(Path::new(&path)).unwrap();
    for number in 0.. {
        let new = NewInvite { max_uses: 1, note: Some(number.to_string()), ..NewInvite::default() };
        let done: Result<(), invites::InviteError> = runtime.block_on(store.write(move |transaction| {
            for _ in 0..TOGETHER {
                invites::create(transaction, &new, Timestamp::now())?;
            }
            Ok(())
        }));
        done.unwrap();
        // What was said to be done must be there afterwards.
        println!("\nwritten {number}");
    }
}

/// Protects the data: after kill -9 in the middle of writing, what was answered is there, and no half of a transaction.
#[test]
fn a_kill_loses_nothing_that_was_answered_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/sessions.db");
    let mut before = 0;
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::writes_until_it_is_killed", "--nocapture"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut written = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if line.unwrap().starts_with("written ") {
                written += 1;
            }
            if written == 20 + round {
                child.kill().unwrap();
                break;
            }
        }
        child.wait().unwrap();
        let store = Store::open(&path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found: Result<(Vec<Invite>, String), StoreError> = runtime.block_on(store.read(|connection| {
            let filter = Filter { limit: 1_000_000, ..Filter::default() };
            let whole = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            Ok((invites::list(connection, &filter, Timestamp::now())?, whole))
        }));
        let (found, whole) = found.unwrap();
        assert_eq!(whole, "ok");
        assert_eq!(found.len() % TOGETHER, 0, "no half of a transaction");
        assert!(found.len() >= before + written * TOGETHER, "{} after {written}", found.len());
        before = found.len();
    }
}

#[test]
fn a_newer_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    drop(Store::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    match Store::open(&path) {
        Err(error @ StoreError::Newer { .. }) => {
            assert!(error.to_string().contains("newer version") && error.to_string().contains("sessions.db"));
        }
        other => panic!("{}", other.is_ok()),
    }
}

/// Protects the hashes of passwords from other users of the machine.
#[test]
fn nobody_else_may_read_the_database() {
    let bed = Bed::new();
    bed.user("anna", octo::auth::Role::User);
    let files: Vec<_> = std::fs::read_dir(bed.folder().join("data")).unwrap().map(Result::unwrap).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}

/// Protects against a server that runs out of readers: somebody who asks and leaves gives theirs back.
#[test]
fn readers_come_back_from_those_who_left() {
    let bed = Bed::new();
    bed.runtime.block_on(async {
        for _ in 0..20 {
            let store = bed.app.store.clone();
            let asked = store.read(|_| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                Ok::<_, StoreError>(())
            });
            // Polled once, so that it is under way.
            let left = tokio::time::timeout(std::time::Duration::from_millis(1), asked).await;
            assert!(left.is_err() || left.unwrap().is_ok());
        }
        let asked: Result<(), StoreError> = bed.app.store.read(|_| Ok(())).await;
        asked.unwrap();
    });
}

/// Protects against a server that dies of one fault: work that panics is an error, and others go on.
#[test]
fn a_panic_is_one_error_and_no_more() {
    let bed = Bed::new();
    bed.runtime.block_on(async {
        for _ in 0..8 {
            let asked: Result<(), StoreError> = bed.app.store.read(|_| panic!("on purpose")).await;
            assert!(asked.is_err());
        }
        let asked: Result<(), StoreError> = bed.app.store.read(|_| Ok(())).await;
        asked.unwrap();
    });
}

/// What every request asks is answered at once beside a writer, and by turns where nobody is free; it sees what was written.
#[test]
fn a_glance_sees_what_was_written() {
    let bed = Bed::new();
    let count = |bed: &Bed| -> i64 {
        let glance = bed.app.store.glance(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM invite_codes", [], |row| row.get(0))?)
        });
        bed.runtime.block_on(glance).unwrap()
    };
    assert_eq!(count(&bed), 0);
    for made in 1..=3 {
        let new = NewInvite { max_uses: 1, ..NewInvite::default() };
        let done: Result<Invite, invites::InviteError> = bed.runtime.block_on(
            bed.app.store.write(move |transaction| invites::create(transaction, &new, Timestamp::now())),
        );
        done.unwrap();
        assert_eq!(count(&bed), made);
    }
    // More at one time than there are connections for it.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let slow = bed.app.store.glance(|connection| {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    Ok(connection
                        .query_row("SELECT count(*) FROM invite_codes", [], |row| row.get::<_, i64>(0))?)
                });
                assert_eq!(bed.runtime.handle().block_on(slow).unwrap(), 3);
            });
        }
    });
    // One that fails gives its connection back.
    for _ in 0..10 {
        let failing = bed.app.store.glance(|connection| Ok(connection.execute_batch("SELECT nothing")?));
        assert!(bed.runtime.block_on(failing).is_err());
    }
    assert_eq!(count(&bed), 3);
}

/// What is remembered counts as long as a moment lasts: nobody may write in it, be it another process.
#[test]
fn a_moment_ends_when_somebody_writes() {
    let bed = Bed::new();
    let store = &bed.app.store;
    let first = store.moment().unwrap();
    let read: Result<i64, StoreError> = bed.runtime.block_on(store.read(|connection| {
        Ok(connection.query_row("SELECT count(*) FROM invite_codes", [], |row| row.get(0))?)
    }));
    read.unwrap();
    assert_eq!(store.moment(), Some(first), "reading ends nothing");
    let new = NewInvite { max_uses: 1, ..NewInvite::default() };
    let done: Result<Invite, invites::InviteError> = bed
        .runtime
        .block_on(store.write(move |transaction| invites::create(transaction, &new, Timestamp::now())));
    done.unwrap();
    let second = store.moment().unwrap();
    assert!(second > first);
    let beside = rusqlite::Connection::open(bed.app.config.database()).unwrap();
    beside.execute("UPDATE invite_codes SET note = 'beside'", []).unwrap();
    let third = store.moment().unwrap();
    assert!(third > second);
    beside.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    beside.execute("UPDATE invite_codes SET note = 'again'", []).unwrap();
    assert!(store.moment().unwrap() > third, "also when the log of writes began anew");
}
