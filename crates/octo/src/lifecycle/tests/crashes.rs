//! The server killed at each step: at every call of the runtime, before and after the call did its work, and before every
//! write to the database. Another that starts on the same database and the same containers must bring both to agree, and
//! everything must still be possible.

use super::*;
use crate::session::reconcile::Moment;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Work {
    Create,
    Stop,
    Resume,
    ResumeAnew,
    Upgrade,
    Delete,
    Purge,
}

/// Where the server is killed.
#[derive(Debug, Clone)]
enum Kill {
    /// At the n-th call of the runtime.
    Call(usize, Fault),
    /// Before the n-th write to the database.
    Write(i64),
}

/// What each work asks of the runtime, in order; that a step is missing here is as wrong as that one is too much.
const WORKS: [(Work, &[&str]); 7] = [
    (Work::Create, &["image", "network", "launch"]),
    (Work::Stop, &["stop", "inspect"]),
    (Work::Resume, &["image", "inspect", "start"]),
    (Work::ResumeAnew, &["image", "inspect", "remove", "network", "launch"]),
    (Work::Upgrade, &["image", "stop", "inspect", "remove", "network", "launch"]),
    (Work::Delete, &["stop", "inspect", "remove", "remove_network"]),
    (Work::Purge, &["stop", "inspect", "remove", "remove_network"]),
];

#[tokio::test]
async fn wherever_the_server_is_killed_rows_and_containers_come_to_agree() {
    for (work, steps) in WORKS {
        let mut reached = Vec::new();
        // Until the work has no further step.
        for call in 0.. {
            assert!(call < 40, "{work:?} has no end");
            let Some(verb) = kill_at(work, Kill::Call(call, Fault::HangBefore)).await else { break };
            // A slow machine may look at the container once more than a fast one.
            kill_at(work, Kill::Call(call, Fault::HangAfter)).await;
            reached.push(verb);
        }
        reached.dedup();
        // While services come up the container is looked at, or not.
        while steps.last() != Some(&"inspect") && reached.last() == Some(&"inspect") {
            reached.pop();
        }
        assert_eq!(reached, steps, "{work:?}");
    }
}

#[tokio::test]
async fn before_whichever_write_the_server_is_killed_rows_and_containers_come_to_agree() {
    for (work, _) in WORKS {
        let mut writes = 0;
        while kill_at(work, Kill::Write(writes)).await.is_some() {
            writes += 1;
            assert!(writes < 40, "{work:?} has no end");
        }
        // Each of them changes the row at least once.
        assert!(writes >= if work == Work::Create { 3 } else { 1 }, "{work:?}: {writes} writes");
    }
}

/// The call at which it was killed; nothing where the work did not get so far.
async fn kill_at(work: Work, kill: Kill) -> Option<&'static str> {
    let told = format!("{work:?}, {kill:?}");
    let bed = bed().await;
    let id = match work {
        Work::Create => None,
        Work::Stop | Work::Upgrade | Work::Delete | Work::Purge => Some(bed.running().await.id),
        Work::Resume | Work::ResumeAnew => {
            let id = bed.running().await.id;
            bed.lifecycle.stop(id, "").await.unwrap();
            if work == Work::ResumeAnew {
                bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
            }
            Some(id)
        }
    };
    match &kill {
        Kill::Call(call, fault) => bed.fake.world().faults.push(("any", *call, fault.clone())),
        Kill::Write(writes) => bed.store.kill_after(*writes),
    }
    let lifecycle = bed.lifecycle.clone();
    let at_work = tokio::spawn(async move {
        match (work, id) {
            (Work::Stop, Some(id)) => drop(lifecycle.stop(id, "").await),
            (Work::Resume | Work::ResumeAnew, Some(id)) => drop(lifecycle.resume(id).await),
            (Work::Upgrade, Some(id)) => drop(lifecycle.upgrade(id).await),
            (Work::Delete, Some(id)) => drop(lifecycle.delete(id, false).await),
            (Work::Purge, Some(id)) => drop(lifecycle.delete(id, true).await),
            _ => drop(lifecycle.create("usr_a", Order::default()).await),
        }
    });
    // Until it hangs, or has come to rest without a hang.
    let until = Instant::now() + PATIENCE;
    let reached = loop {
        assert!(Instant::now() < until, "{told}: neither hung nor done");
        tokio::time::sleep(Duration::from_millis(2)).await;
        let hangs = match kill {
            Kill::Call(..) => bed.fake.world().faults.is_empty(),
            Kill::Write(_) => bed.store.is_killed(),
        };
        if hangs {
            // What it did before it hung is done.
            tokio::time::sleep(Duration::from_millis(5)).await;
            break bed.fake.world().calls.last().copied().or(Some("none"));
        }
        // Asked before the rows are read: what was read before its end may be older than what it wrote.
        let finished = at_work.is_finished();
        let rows = sessions::all(&bed.store).await.unwrap();
        let rest = |row: &Session| matches!(row.status, State::Running | State::Stopped | State::Failed);
        if finished && rows.iter().all(rest) {
            break None;
        }
    };
    bed.fake.world().faults.clear();
    // The old one is never heard of again: its tasks hang. A new one starts on what it left.
    let store = Store::open(&bed.folder.path().join("sessions.db")).unwrap();
    let bed = Bed { store, ..bed };
    let lifecycle = begin(&bed.config, &bed.store, &bed.fake, &CancellationToken::new()).await;
    lifecycle.clean_up(Moment::Start).await.unwrap_or_else(|error| panic!("{told}: {error}"));
    let rows = sessions::all(&bed.store).await.unwrap();
    for row in &rows {
        let settled = lifecycle.settled(row.id, PATIENCE).await.unwrap();
        let known = matches!(settled.status, State::Running | State::Stopped | State::Failed);
        assert!(known, "{told}: {} {:?}", settled.status, settled.error_message);
    }
    lifecycle.clean_up(Moment::Running).await.unwrap();
    agree(&bed, &told).await;
    // And it can be used: brought up where it has ended, and taken away.
    for row in sessions::all(&bed.store).await.unwrap() {
        if row.status.is_terminal() {
            lifecycle.resume(row.id).await.unwrap_or_else(|error| panic!("{told}: {error}"));
            let up = lifecycle.settled(row.id, PATIENCE).await.unwrap();
            assert_eq!(up.status, State::Running, "{told}: {:?}", up.error_message);
        }
        agree(&bed, &told).await;
        lifecycle.delete(row.id, false).await.unwrap_or_else(|error| panic!("{told}: {error}"));
    }
    lifecycle.clean_up(Moment::Running).await.unwrap();
    assert!(bed.conditions().is_empty(), "{told}: a container is left");
    assert!(bed.fake.world().networks.is_empty(), "{told}: a network is left");
    let homes = std::fs::read_dir(bed.folder.path().join("data/home")).into_iter().flatten().flatten();
    let names: Vec<_> = homes.map(|home| home.file_name()).collect();
    assert!(names.iter().all(|name| name == "usr_a"), "{told}: {names:?}");
    reached
}

/// Every container is some session's, and runs if and only if that runs.
async fn agree(bed: &Bed, told: &str) {
    let rows = sessions::all(&bed.store).await.unwrap();
    let world = bed.fake.world();
    for made in world.containers.values() {
        let owner = rows.iter().find(|row| row.container_id.as_ref() == Some(&made.container.id));
        let owner = owner.unwrap_or_else(|| panic!("{told}: a container is nobody's: {rows:?}"));
        let runs = made.container.condition == Condition::Running;
        assert_eq!(runs, owner.status == State::Running, "{told}: {owner:?}");
    }
    for row in rows.iter().filter(|row| row.status == State::Running) {
        let container = row.container_id.as_ref().and_then(|id| world.containers.get(id));
        assert!(container.is_some(), "{told}: it runs without a container: {row:?}");
    }
}
