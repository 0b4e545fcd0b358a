//! The server's own start, rounds and end.

use super::*;
use crate::lifecycle::Cleaned;
use crate::runtime::{Container, labels};
use crate::session::reconcile::Moment;
use tokio::time::Instant as Tick;

/// Puts the last use of all sessions so many minutes back.
async fn age(bed: &Bed, minutes: i64) {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    let then = crate::store::time::text(then);
    bed.lifecycle.write_uses().await.unwrap();
    let sql = format!(
        "UPDATE sessions SET last_activity_at = '{then}', started_at = '{then}', stopped_at = '{then}'"
    );
    execute(&bed.store, sql).await;
}

#[tokio::test]
async fn what_nobody_uses_is_stopped() {
    let bed = bed_with(|config| config.sessions.idle_cpu_percent = 0.0).await;
    let (idle, used) = (bed.running().await, bed.running().await);
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    age(&bed, 31).await;
    bed.lifecycle.mark_used(used.id);
    assert!(
        bed.lifecycle.with_use(bed.row(used.id).await).last_activity_at
            > bed.row(used.id).await.last_activity_at
    );
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 1);
    assert_eq!(bed.row(idle.id).await.status, State::Stopped);
    assert_eq!(bed.row(used.id).await.status, State::Running);
    assert_eq!(bed.reasons(idle.id).await[3], "stopping: nobody used it");
}

#[tokio::test]
async fn what_computes_is_not_idle() {
    let bed = bed().await;
    let session = bed.running().await;
    age(&bed, 31).await;
    // The first look only measures.
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    bed.fake.world().cpu_seconds = 1000.0;
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    assert!(
        bed.lifecycle.with_use(bed.row(session.id).await).last_activity_at
            > bed.row(session.id).await.started_at
    );
    // It computes no more. What counted as use has aged too.
    age(&bed, 31).await;
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 1);
    // Where it cannot be measured, nothing is stopped.
    bed.lifecycle.resume(session.id).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    age(&bed, 31).await;
    for _ in 0..3 {
        bed.fake.fault("stats", Fault::Fail(broken()));
        assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    }
}

/// Protects the machine: without it, what somebody left computing goes on for ever after they were kept out.
#[tokio::test]
async fn what_computes_for_a_user_who_is_kept_out_is_idle() {
    let bed = bed().await;
    let (theirs, other) = (bed.running().await, bed.running_of("usr_b").await);
    age(&bed, 31).await;
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    bed.fake.world().cpu_seconds = 1000.0;
    execute(&bed.store, "UPDATE users SET is_active = 0 WHERE id = 'usr_a'".into()).await;
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 1);
    assert_eq!(bed.row(theirs.id).await.status, State::Stopped);
    assert_eq!(bed.row(other.id).await.status, State::Running);
}

/// Protects what computes from a runtime that takes its time: that is not time in which nothing was computed.
#[tokio::test]
async fn a_slow_reading_makes_nothing_idle() {
    let bed = bed().await;
    let session = bed.running().await;
    age(&bed, 31).await;
    // From here on only the readings take time.
    tokio::time::pause();
    let minute = Duration::from_secs(60);
    bed.fake.world().reading = (minute, Duration::ZERO);
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    // Half a second of a processor within one.
    tokio::time::advance(Duration::from_secs(1)).await;
    bed.fake.world().cpu_seconds = 0.5;
    bed.fake.world().reading = (Duration::ZERO, minute);
    assert_eq!(bed.lifecycle.stop_idle().await.unwrap(), 0);
    let row = bed.row(session.id).await;
    assert_eq!(row.status, State::Running);
    assert!(bed.lifecycle.with_use(row.clone()).last_activity_at > row.last_activity_at);
}

#[tokio::test]
async fn old_containers_go_and_sessions_stay() {
    let bed = bed().await;
    let (old, young) = (bed.running().await, bed.running().await);
    bed.lifecycle.stop(old.id, "").await.unwrap();
    age(&bed, 73 * 60).await;
    bed.lifecycle.stop(young.id, "").await.unwrap();
    let cleaned = bed.lifecycle.clean_up(Moment::Running).await.unwrap();
    assert_eq!(cleaned, Cleaned { stale_removed: 1, ..Cleaned::default() });
    assert_eq!(bed.row(old.id).await.container_id, None);
    assert!(bed.row(young.id).await.container_id.is_some() && bed.conditions().len() == 1);
    bed.lifecycle.resume(old.id).await.unwrap();
    bed.becomes(old.id, State::Running).await;
}

#[tokio::test]
async fn orphans_are_known_by_labels_alone() {
    let bed = bed().await;
    let session = bed.running().await;
    let put = |id: &str, name: &str, wanted: &[(&str, &str)]| {
        let labels = wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut world = bed.fake.world();
        let launch = world.containers.values().next().unwrap().launch.clone();
        let container = Container {
            id: id.into(),
            name: name.into(),
            image_id: String::new(),
            condition: Condition::Running,
            labels,
        };
        world.containers.insert(id.into(), fake::Made::new(container, launch));
    };
    let (instance, own) = (bed.lifecycle.instance().to_owned(), session.id.to_string());
    let gone = Uuid::new_v4().to_string();
    put("a", "octo-a", &[]);
    put("b", "octo-b", &[(labels::MANAGED, "true"), (labels::INSTANCE, "another"), (labels::SESSION, &gone)]);
    put("c", "x", &[(labels::MANAGED, "true"), (labels::INSTANCE, &instance), (labels::SESSION, &gone)]);
    put("d", "y", &[(labels::MANAGED, "true"), (labels::INSTANCE, &instance)]);
    put("e", "z", &[(labels::MANAGED, "true"), (labels::INSTANCE, &instance), (labels::SESSION, &own)]);
    bed.fake.world().networks.insert("octo-unused".into());
    let cleaned = bed.lifecycle.clean_up(Moment::Running).await.unwrap();
    assert_eq!(cleaned, Cleaned { orphans_removed: 3, ..Cleaned::default() });
    let left: Vec<String> = bed.fake.world().containers.keys().cloned().collect();
    assert_eq!(left, [session.container_id.unwrap(), "a".into(), "b".into()]);
    assert_eq!(bed.fake.world().networks.len(), 1);
    assert_eq!(bed.row(session.id).await.status, State::Running);
}

/// Protects all others, and the server's start, from one container that the runtime does not stop: a paused one, as podman
/// has it, or one that hangs.
#[tokio::test]
async fn one_container_that_cannot_be_stopped_keeps_nobody_else_from_the_truth() {
    let bed = bed().await;
    let (stuck, ended) = (bed.running().await, bed.running().await);
    // The server was killed while it stopped this one.
    execute(&bed.store, format!("UPDATE sessions SET status = 'stopping' WHERE id = '{}'", stuck.id)).await;
    let container = ended.container_id.clone().unwrap();
    bed.fake.world().containers.get_mut(&container).unwrap().container.condition =
        Condition::Exited { code: 3, out_of_memory: false };
    bed.fake.world().networks.insert("octo-unused".into());
    for moment in [Moment::Start, Moment::Running] {
        bed.fake.fault("stop", Fault::Fail(broken()));
        let cleaned = bed.lifecycle.clean_up(moment).await.unwrap();
        assert_eq!(cleaned.sessions_marked, u32::from(moment == Moment::Start));
        assert_eq!(bed.row(stuck.id).await.status, State::Stopping);
        assert_eq!(bed.row(ended.id).await.status, State::Failed);
        assert_eq!(bed.fake.world().networks.len(), 1);
    }
    bed.lifecycle.clean_up(Moment::Running).await.unwrap();
    assert_eq!(bed.row(stuck.id).await.status, State::Stopped);
}

#[tokio::test]
async fn a_clean_up_does_not_disturb_what_is_at_work() {
    let bed = bed().await;
    bed.fake.world().conduct = Conduct::Silent;
    let session = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(bed.lifecycle.clean_up(Moment::Running).await.unwrap(), Cleaned::default());
        tokio::task::yield_now().await;
    }
    bed.fake.world().conduct = Conduct::Answers;
    assert!(bed.row(session.id).await.status.is_active());
}

#[tokio::test]
async fn a_container_that_fails_is_started_again_where_that_is_wanted() {
    let bed = bed_with(|config| config.container.restart_failed = true).await;
    let session = bed.running().await;
    bed.fake.kill(1);
    assert_eq!(bed.lifecycle.look(session.id).await.unwrap().status, State::Failed);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bed.row(session.id).await.status, State::Failed, "not one that fails again and again");
    bed.lifecycle.resume(session.id).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    age(&bed, 5).await;
    bed.fake.kill(1);
    bed.lifecycle.clean_up(Moment::Running).await.unwrap();
    bed.becomes(session.id, State::Running).await;
}

#[tokio::test]
async fn at_the_end_all_is_stopped_and_starts_are_cancelled() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 0).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(bed.running().await);
    }
    bed.fake.world().conduct = Conduct::Silent;
    let starting = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
    bed.becomes(starting.id, State::Starting).await;
    bed.fake.fault("launch", Fault::HangAfter);
    let pending = bed.lifecycle.create("usr_b", Order::default()).await.unwrap();
    while bed.conditions().len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bed.ending.cancel();
    let stopped = bed.lifecycle.end(Tick::now() + PATIENCE).await;
    // Those that started may have been cancelled before it looked.
    assert!((3..=5).contains(&stopped), "{stopped}");
    for session in running.iter().chain([&starting, &pending]) {
        assert_eq!(bed.row(session.id).await.status, State::Stopped);
    }
    assert!(bed.reasons(running[0].id).await[3].contains("the server ended"));
    // What had run is kept for a resume; what was half made is not.
    assert_eq!(bed.conditions(), vec![Condition::Exited { code: 0, out_of_memory: false }; 3]);
    assert!(matches!(bed.lifecycle.create("usr_a", Order::default()).await, Err(LifecycleError::Ending)));
    assert!(matches!(bed.lifecycle.resume(starting.id).await, Err(LifecycleError::Ending)));
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_runtime_that_hangs() {
    let bed = bed().await;
    bed.running().await;
    bed.fake.fault("stop", Fault::HangBefore);
    bed.ending.cancel();
    let started = Instant::now();
    assert_eq!(bed.lifecycle.end(Tick::now() + Duration::from_millis(200)).await, 0);
    assert!(started.elapsed() < Duration::from_secs(5));
}
