//! The server killed at every call of the runtime, before and after the call did its work. Another that starts on the
//! same database and the same containers must bring both to agree, and everything must still be possible.

use super::*;
use crate::session::reconcile::Moment;

#[derive(Debug, Clone, Copy)]
enum Work {
    Create,
    Stop,
    Resume,
    ResumeAnew,
    Upgrade,
    Delete,
}

/// Calls of the runtime that each work makes at most; more are not reached, and then nothing was killed.
const CALLS: usize = 9;

#[tokio::test]
async fn wherever_the_server_is_killed_rows_and_containers_come_to_agree() {
    let mut killed = 0;
    for work in [Work::Create, Work::Stop, Work::Resume, Work::ResumeAnew, Work::Upgrade, Work::Delete] {
        for call in 0..CALLS {
            for fault in [Fault::HangBefore, Fault::HangAfter] {
                killed += usize::from(kill_at(work, call, fault).await);
            }
        }
    }
    assert!(killed > 30, "only {killed} kills");
}

/// Whether the work got as far as that call.
async fn kill_at(work: Work, call: usize, fault: Fault) -> bool {
    let told = format!("{work:?}, call {call}, {fault:?}");
    let bed = bed().await;
    let id = match work {
        Work::Create => None,
        Work::Stop | Work::Upgrade | Work::Delete => Some(bed.running().await.id),
        Work::Resume | Work::ResumeAnew => {
            let id = bed.running().await.id;
            bed.lifecycle.stop(id, "").await.unwrap();
            if matches!(work, Work::ResumeAnew) {
                bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
            }
            Some(id)
        }
    };
    bed.fake.world().faults.push(("any", call, fault));
    let lifecycle = bed.lifecycle.clone();
    let at_work = tokio::spawn(async move {
        match (work, id) {
            (Work::Stop, Some(id)) => drop(lifecycle.stop(id, "").await),
            (Work::Resume | Work::ResumeAnew, Some(id)) => drop(lifecycle.resume(id).await),
            (Work::Upgrade, Some(id)) => drop(lifecycle.upgrade(id).await),
            (Work::Delete, Some(id)) => drop(lifecycle.delete(id, false).await),
            _ => drop(lifecycle.create("usr_a", Order::default()).await),
        }
    });
    // Until it hangs, or has come to rest without a hang.
    let until = Instant::now() + PATIENCE;
    let reached = loop {
        assert!(Instant::now() < until, "{told}: neither hung nor done");
        tokio::time::sleep(Duration::from_millis(2)).await;
        if bed.fake.world().faults.is_empty() {
            // What it did before it hung is done.
            tokio::time::sleep(Duration::from_millis(5)).await;
            break true;
        }
        let rows = sessions::all(&bed.store).await.unwrap();
        let rest = |row: &Session| matches!(row.status, State::Running | State::Stopped | State::Failed);
        if at_work.is_finished() && rows.iter().all(rest) {
            break false;
        }
    };
    bed.fake.world().faults.clear();
    // The old one is never heard of again: its tasks hang. A new one starts on what it left.
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
