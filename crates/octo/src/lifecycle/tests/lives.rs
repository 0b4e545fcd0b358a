//! Sessions that are made, stopped, resumed, upgraded and deleted, with what may go wrong.

use super::*;
use crate::runtime::{Limits, labels};
use crate::session::reconcile::PAUSED;

#[tokio::test]
async fn a_session_is_answered_at_once_and_runs_soon() {
    let bed = bed().await;
    let env = [("TOKEN".to_owned(), "secret".to_owned()), ("TTYD_PORT".to_owned(), "1".to_owned())].into();
    let order = Order { env, agent: Some("build".into()), ..Order::default() };
    let session = bed.lifecycle.create("usr_a", order).await.unwrap();
    assert_eq!(session.status, State::Pending);
    let base = bed.config.container.base_port;
    assert_eq!(
        (session.opencode_port, session.fileserver_port, session.ttyd_port),
        (base, base + 1, base + 2)
    );
    let up = bed.lifecycle.settled(session.id, PATIENCE).await.unwrap();
    assert_eq!(up.status, State::Running, "{:?}", up.error_message);
    assert!(up.started_at.is_some() && up.image_digest.as_deref() == Some("image-1"));
    let reasons = bed.reasons(session.id).await;
    assert_eq!(
        reasons,
        ["pending: created", "starting: its container was made", "running: its services answer"]
    );
    let world = bed.fake.world();
    let made = &world.containers[up.container_id.as_ref().unwrap()];
    let id = session.id.to_string();
    for (label, value) in [
        (labels::MANAGED, "true"),
        (labels::SESSION, &*id),
        (labels::USER, "usr_a"),
        (labels::IMAGE, "image-1"),
    ] {
        assert_eq!(made.launch.labels[label], value);
    }
    let env = &made.launch.env;
    for (name, value) in [
        ("TOKEN", "secret"),
        ("TTYD_PORT", "41822"),
        ("OCTO_AGENT_PROFILE", "build"),
        ("WORKSPACE", "/home/dev/workspace"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert_eq!(made.launch.home, bed.folder.path().join("data/home/usr_a"));
    assert!(made.launch.home.join("workspace").is_dir() && made.launch.workspace.is_none());
    assert!(world.networks.iter().all(|name| name.ends_with("-usr_a")) && world.networks.len() == 1);
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let bed = bed().await;
    type Change = fn(&mut Order);
    let rows: [(Change, &str); 8] = [
        (|order| order.image = Some("--privileged".into()), "no image's name"),
        (|order| order.image = Some("nowhere:1".into()), "there is no image nowhere:1"),
        (|order| drop(order.env.insert("OCTO_X".into(), String::new())), "set by the workshop"),
        (|order| order.agent = Some("a b".into()), "agent"),
        (|order| order.workspace_path = Some("/etc".into()), "cannot be a workspace"),
        (|order| order.memory = Some("5g".into()), "memory is more than the 4 GiB"),
        (|order| order.cpus = Some(2.5), "cpus is more than the 2 "),
        (|order| order.pids_limit = Some(4096), "pids_limit is more than the 2048"),
    ];
    for (change, expected) in rows {
        let mut order = Order::default();
        change(&mut order);
        let told = bed.lifecycle.create("usr_a", order).await.unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    assert!(sessions::all(&bed.store).await.unwrap().is_empty());
}

/// What was asked for holds for every container that the session gets, as far as the settings allow it then.
#[tokio::test]
async fn limits_are_the_session_s_own_within_the_server_s() {
    let bed = bed_with(|config| {
        config.container.max_memory = "8g".into();
        config.container.max_cpus = 6.0;
    })
    .await;
    let order = Order { memory: Some("6g".into()), cpus: Some(0.5), ..Order::default() };
    let session = bed.lifecycle.create("usr_a", order).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    let limits = |bed: &Bed| bed.fake.world().containers.values().next().unwrap().launch.limits.clone();
    let expected = Limits { memory: format!("{}b", 6_u64 << 30), cpus: 0.5, pids: 2048, nofile: None };
    assert_eq!(limits(&bed), expected);
    assert_eq!(bed.row(session.id).await.limits.memory_bytes, Some(6 << 30));
    // The next server is stricter.
    bed.lifecycle.stop(session.id, "").await.unwrap();
    let mut config = (*bed.config).clone();
    config.container.max_memory = String::new();
    let next = begin(&Arc::new(config), &bed.store, &bed.fake, &bed.ending).await;
    bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
    next.resume(session.id).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    assert_eq!(limits(&bed), Limits { memory: format!("{}b", 4_u64 << 30), ..expected });
}

/// On the host's own network nothing is published: without it, services listen on all addresses of the host.
#[tokio::test]
async fn on_the_host_s_network_services_listen_where_ports_would_be_published() {
    let host = bed_with(|config| config.container.network = "host".into()).await;
    let session = host.lifecycle.create("usr_a", Order::default()).await.unwrap();
    let launch = host.lifecycle.launch_of(&session, Default::default());
    assert_eq!(launch.env["OCTO_BIND"], "127.0.0.1");
    assert_eq!(launch.env["TTYD_PORT"], session.ttyd_port.to_string());
    assert!(launch.ports.is_empty());
    let own = bed().await;
    let session = own.lifecycle.create("usr_a", Order::default()).await.unwrap();
    assert!(!own.lifecycle.launch_of(&session, Default::default()).env.contains_key("OCTO_BIND"));
}

#[tokio::test]
async fn a_session_tells_when_it_will_be_stopped_for_being_idle() {
    let bed = bed().await;
    let session = bed.lifecycle.with_use(bed.running().await);
    let used = session.last_activity_at.unwrap();
    let stop = bed.lifecycle.idle_stop_at(&session).unwrap();
    assert_eq!(stop.duration_since(used).as_secs(), 30 * 60);
    let stopped = bed.lifecycle.stop(session.id, "").await.unwrap();
    assert_eq!(bed.lifecycle.idle_stop_at(&stopped), None);
    let never = bed_with(|config| config.sessions.idle_timeout_minutes = 0).await;
    assert_eq!(never.lifecycle.idle_stop_at(&never.running().await), None);
}

#[tokio::test]
async fn a_user_has_no_more_active_sessions_than_allowed() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 2).await;
    let first = bed.running().await;
    bed.running().await;
    let refused = bed.lifecycle.create("usr_a", Order::default()).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::NoRoom(NoRoom::Cap { active: 2, cap: 2 })), "{refused}");
    // Others have their own count, and what has ended does not count.
    bed.running_of("usr_b").await;
    bed.lifecycle.stop(first.id, "").await.unwrap();
    bed.running().await;
    let refused = bed.lifecycle.resume(first.id).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::NoRoom(NoRoom::Cap { .. })), "{refused}");
}

#[tokio::test]
async fn many_at_one_time_get_different_ports_and_the_pool_ends() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 0).await;
    let all = (0..10).map(|_| bed.lifecycle.create("usr_a", Order::default()));
    let made = futures_util::future::join_all(all).await;
    let mut ports: Vec<u16> = made.into_iter().map(|session| session.unwrap().opencode_port).collect();
    ports.sort_unstable();
    let base = bed.config.container.base_port;
    assert_eq!(ports, (0..10).map(|place| base + place * 3).collect::<Vec<_>>());
    let refused = bed.lifecycle.create("usr_a", Order::default()).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::NoRoom(NoRoom::Ports { room: 10 })), "{refused}");
}

#[tokio::test]
async fn ports_of_others_are_passed_over() {
    let bed = bed().await;
    let base = bed.config.container.base_port;
    let _foreign = TcpListener::bind(("127.0.0.1", base + 1)).unwrap();
    assert_eq!(bed.running().await.opencode_port, base + 3);
    // One that is taken between the look and the start.
    bed.fake.fault("launch", Fault::Fail(RuntimeError::PortTaken("x".into())));
    let second = bed.running().await;
    assert_eq!(second.opencode_port, base + 9);
    assert_eq!(bed.fake.world().containers.len(), 2);
    assert!(bed.reasons(second.id).await.iter().any(|reason| reason.contains("a port was taken")));
}

#[tokio::test]
async fn a_name_that_is_taken_is_ours_or_anothers() {
    let bed = bed().await;
    let first = bed.running().await;
    bed.lifecycle.stop(first.id, "").await.unwrap();
    // The row lost its container, as when a kill came before it was written down.
    execute(&bed.store, "UPDATE sessions SET container_id = NULL".into()).await;
    bed.lifecycle.resume(first.id).await.unwrap();
    let again = bed.becomes(first.id, State::Running).await;
    assert_eq!(bed.fake.world().containers.len(), 1, "the one before is gone");
    bed.lifecycle.stop(first.id, "").await.unwrap();
    let container = again.container_id.unwrap();
    bed.fake.world().containers.get_mut(&container).unwrap().container.labels.clear();
    execute(&bed.store, "UPDATE sessions SET container_id = NULL".into()).await;
    bed.lifecycle.resume(first.id).await.unwrap();
    let other = bed.becomes(first.id, State::Running).await;
    assert!(bed.fake.world().containers.contains_key(&container), "somebody else's was removed");
    assert_ne!(other.container_name, first.container_name);
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let bed = bed_with(|config| config.container.start_timeout_seconds = 1).await;
    let rows = [
        (
            Conduct::Exits(3),
            "the container exited with code 3 while it started; it printed last:\ncannot find the toolhead",
        ),
        (Conduct::Silent, "no answer within 1s from its file server, terminal"),
    ];
    for (conduct, expected) in rows {
        bed.fake.world().conduct = conduct;
        let session = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
        let failed = bed.becomes(session.id, State::Failed).await;
        assert!(failed.error_message.as_ref().unwrap().contains(expected), "{failed:?}");
        assert!(failed.container_id.is_none() && bed.conditions().is_empty());
    }
    bed.fake.fault("launch", Fault::Fail(broken()));
    let session = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
    let failed = bed.becomes(session.id, State::Failed).await;
    assert!(failed.error_message.unwrap().contains("no space left on device"));
    // And it can be tried again.
    bed.fake.world().conduct = Conduct::Answers;
    bed.lifecycle.resume(session.id).await.unwrap();
    assert_eq!(bed.becomes(session.id, State::Running).await.error_message, None);
}

#[tokio::test]
async fn an_agent_server_is_waited_for_only_where_it_must_be_there() {
    let bed = bed_with(|config| {
        config.container.require_agent = true;
        config.container.start_timeout_seconds = 1;
    })
    .await;
    bed.fake.world().conduct = Conduct::Silent;
    let session = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
    let failed = bed.becomes(session.id, State::Failed).await;
    assert!(failed.error_message.unwrap().contains("agent server, file server, terminal"));
}

#[tokio::test]
async fn stop_and_resume_keep_the_container() {
    let bed = bed().await;
    let first = bed.running().await;
    let stopped = bed.lifecycle.stop(first.id, "asked for").await.unwrap();
    assert_eq!((stopped.status, stopped.container_id.clone()), (State::Stopped, first.container_id.clone()));
    assert_eq!(bed.conditions(), [Condition::Exited { code: 0, out_of_memory: false }]);
    assert_eq!(bed.lifecycle.stop(first.id, "again").await.unwrap().status, State::Stopped);
    let resumed = bed.lifecycle.resume(first.id).await.unwrap();
    assert_eq!(resumed.status, State::Starting);
    let up = bed.becomes(first.id, State::Running).await;
    assert_eq!((up.container_id, up.opencode_port), (first.container_id, first.opencode_port));
    let refused = bed.lifecycle.resume(first.id).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::Conflict { state: State::Running, .. }), "{refused}");
}

#[tokio::test]
async fn a_resume_makes_a_new_container_where_the_old_one_cannot_be_had() {
    let bed = bed().await;
    let env = [("TOKEN".to_owned(), "secret".to_owned())].into();
    let session = bed.lifecycle.create("usr_a", Order { env, ..Order::default() }).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    let resume = || async {
        bed.lifecycle.resume(session.id).await.unwrap();
        bed.becomes(session.id, State::Running).await
    };
    let secret = |bed: &Bed| {
        let world = bed.fake.world();
        let made: Vec<_> = world.containers.values().collect();
        assert_eq!(made.len(), 1, "nothing is left over");
        made[0].launch.env["TOKEN"].clone()
    };
    // It was removed behind our back.
    bed.lifecycle.stop(session.id, "").await.unwrap();
    bed.fake.world().containers.clear();
    assert_eq!(resume().await.opencode_port, session.opencode_port);
    assert_eq!(secret(&bed), "secret");
    // Something listens on its port now.
    bed.lifecycle.stop(session.id, "").await.unwrap();
    let foreign = TcpListener::bind(("127.0.0.1", session.ttyd_port)).unwrap();
    let moved = resume().await;
    assert_ne!(moved.opencode_port, session.opencode_port);
    assert_eq!(secret(&bed), "secret");
    drop(foreign);
    // The port is lost between the look and the start.
    bed.lifecycle.stop(session.id, "").await.unwrap();
    bed.fake.fault("start", Fault::Fail(RuntimeError::PortTaken("x".into())));
    assert_ne!(resume().await.opencode_port, moved.opencode_port);
    assert_eq!(secret(&bed), "secret");
}

/// What stood for the container may hold its ports for a moment after its end; that must not cost what is in it.
#[tokio::test]
async fn a_resume_waits_a_moment_for_the_ports() {
    let bed = bed().await;
    let first = bed.running().await;
    bed.lifecycle.stop(first.id, "").await.unwrap();
    let held = TcpListener::bind(("127.0.0.1", first.ttyd_port)).unwrap();
    bed.fake.world().calls.clear();
    let let_go = async {
        while !bed.fake.world().calls.contains(&"inspect") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(bed.row(first.id).await.status, State::Stopped, "it is waited for, so this test can fail");
        drop(held);
    };
    let (resumed, ()) = tokio::join!(bed.lifecycle.resume(first.id), let_go);
    resumed.unwrap();
    let up = bed.becomes(first.id, State::Running).await;
    assert_eq!((up.container_id, up.ttyd_port), (first.container_id, first.ttyd_port));
}

/// An upgrade stops the container itself, and its ports are to stay as well.
#[tokio::test]
async fn an_upgrade_waits_a_moment_for_the_ports_too() {
    let bed = bed().await;
    let first = bed.running().await;
    let holds = async {
        // As soon as the container has let it go.
        let held = loop {
            match TcpListener::bind(("127.0.0.1", first.ttyd_port)) {
                Ok(held) => break held,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(held);
    };
    let (upgraded, ()) = tokio::join!(bed.lifecycle.upgrade(first.id), holds);
    upgraded.unwrap();
    let up = bed.becomes(first.id, State::Running).await;
    assert_ne!(up.container_id, first.container_id);
    assert_eq!(
        (up.opencode_port, up.fileserver_port, up.ttyd_port),
        (first.opencode_port, first.fileserver_port, first.ttyd_port)
    );
}

#[tokio::test]
async fn a_resume_after_the_image_has_changed_is_an_upgrade() {
    let bed = bed().await;
    let first = bed.running().await;
    bed.lifecycle.stop(first.id, "").await.unwrap();
    bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
    bed.lifecycle.resume(first.id).await.unwrap();
    let up = bed.becomes(first.id, State::Running).await;
    assert_eq!(up.image_digest.as_deref(), Some("image-2"));
    assert_ne!(up.container_id, first.container_id);
}

#[tokio::test]
async fn an_upgrade_keeps_all_but_the_container() {
    let bed = bed().await;
    let env = [("TOKEN".to_owned(), "secret".to_owned())].into();
    let session = bed.lifecycle.create("usr_a", Order { env, ..Order::default() }).await.unwrap();
    let before = bed.becomes(session.id, State::Running).await;
    assert_eq!(bed.lifecycle.newer_image(&before).await.unwrap(), None);
    bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
    assert_eq!(bed.lifecycle.newer_image(&before).await.unwrap().as_deref(), Some("image-2"));
    bed.lifecycle.upgrade(session.id).await.unwrap();
    let after = bed.becomes(session.id, State::Running).await;
    assert_eq!(after.image_digest.as_deref(), Some("image-2"));
    assert_eq!((after.opencode_port, &after.workspace_path), (before.opencode_port, &before.workspace_path));
    assert_ne!(after.container_id, before.container_id);
    {
        let world = bed.fake.world();
        assert_eq!(world.containers.len(), 1);
        assert_eq!(world.containers[after.container_id.as_ref().unwrap()].launch.env["TOKEN"], "secret");
    }
    // Without the image nothing is touched.
    bed.fake.world().images.clear();
    let refused = bed.lifecycle.upgrade(session.id).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::NoImage(_)), "{refused}");
    assert_eq!(bed.row(session.id).await, after);
    assert_eq!(bed.conditions(), [Condition::Running]);
}

#[tokio::test]
async fn deleting_takes_container_row_and_network_and_leaves_the_files() {
    let bed = bed().await;
    let session = bed.running().await;
    let file = std::path::Path::new(&session.workspace_path).join("firmware.bin");
    std::fs::write(&file, "x").unwrap();
    bed.lifecycle.delete(session.id, false).await.unwrap();
    assert!(sessions::all(&bed.store).await.unwrap().is_empty() && bed.conditions().is_empty());
    assert!(bed.fake.world().networks.is_empty() && file.exists());
    assert!(matches!(bed.lifecycle.delete(session.id, false).await, Err(LifecycleError::NotFound)));
    // With purge the workspace goes too, unless another session has it.
    let (first, second) = (bed.running().await, bed.running().await);
    let refused = bed.lifecycle.delete(first.id, true).await.unwrap_err();
    assert!(matches!(refused, LifecycleError::Shared(_)), "{refused}");
    assert_eq!(bed.row(first.id).await.status, State::Running, "nothing was touched");
    bed.lifecycle.delete(second.id, false).await.unwrap();
    bed.lifecycle.delete(first.id, true).await.unwrap();
    assert!(!file.exists() && file.parent().unwrap().parent().unwrap().is_dir());
}

#[tokio::test]
async fn what_the_runtime_refuses_is_not_said_to_be_done() {
    let bed = bed().await;
    let session = bed.running().await;
    // It does not stop: it runs on, and the row says so.
    bed.fake.fault("stop", Fault::Fail(broken()));
    assert!(matches!(bed.lifecycle.stop(session.id, "").await, Err(LifecycleError::Runtime(_))));
    assert_eq!(bed.row(session.id).await.status, State::Running);
    // Nothing is known: it is stopping until somebody can look.
    bed.fake.fault("stop", Fault::Fail(broken()));
    bed.fake.fault("inspect", Fault::Fail(broken()));
    assert!(bed.lifecycle.stop(session.id, "").await.is_err());
    assert_eq!(bed.row(session.id).await.status, State::Stopping);
    assert_eq!(bed.lifecycle.look(session.id).await.unwrap().status, State::Stopped);
    assert_eq!(bed.conditions(), [Condition::Exited { code: 0, out_of_memory: false }]);
    // It is not removed: the row stays.
    bed.fake.fault("remove", Fault::Fail(broken()));
    assert!(matches!(bed.lifecycle.delete(session.id, true).await, Err(LifecycleError::Runtime(_))));
    assert_eq!(bed.row(session.id).await.status, State::Stopped);
    assert!(std::path::Path::new(&session.workspace_path).is_dir());
    bed.lifecycle.delete(session.id, false).await.unwrap();
    assert!(bed.conditions().is_empty());
}

#[tokio::test]
async fn a_start_gives_way_to_a_stop_and_a_deletion() {
    let bed = bed().await;
    bed.fake.world().conduct = Conduct::Silent;
    let first = bed.lifecycle.create("usr_a", Order::default()).await.unwrap();
    bed.becomes(first.id, State::Starting).await;
    for refused in [bed.lifecycle.upgrade(first.id).await, bed.lifecycle.resume(first.id).await] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, LifecycleError::Conflict { state: State::Starting, busy: true, .. }),
            "{refused}"
        );
    }
    assert_eq!(bed.lifecycle.stop(first.id, "").await.unwrap().status, State::Stopped);
    assert!(bed.conditions().is_empty(), "what was half made is gone");
    bed.lifecycle.resume(first.id).await.unwrap();
    bed.becomes(first.id, State::Starting).await;
    bed.lifecycle.delete(first.id, false).await.unwrap();
    assert!(bed.conditions().is_empty());
}

#[tokio::test]
async fn whoever_was_told_that_it_runs_may_go_on_at_once() {
    let bed = bed().await;
    let session = bed.running().await;
    let hold = bed.lifecycle.0.desks.hold(&session.id).await;
    let let_go = async {
        tokio::task::yield_now().await;
        drop(hold);
    };
    let (upgraded, ()) = tokio::join!(bed.lifecycle.upgrade(session.id), let_go);
    assert_eq!(upgraded.unwrap().id, session.id);
    bed.becomes(session.id, State::Running).await;
}

#[tokio::test]
async fn operations_on_one_session_do_not_meet() {
    let bed = bed().await;
    let session = bed.running().await;
    let stops = futures_util::future::join_all((0..5).map(|_| bed.lifecycle.stop(session.id, ""))).await;
    assert!(stops.into_iter().all(|stopped| stopped.unwrap().status == State::Stopped));
    assert_eq!(bed.fake.world().calls.iter().filter(|call| **call == "stop").count(), 1);
    let resumes = futures_util::future::join_all((0..5).map(|_| bed.lifecycle.resume(session.id))).await;
    assert_eq!(resumes.iter().filter(|resumed| resumed.is_ok()).count(), 1, "{resumes:?}");
    bed.becomes(session.id, State::Running).await;
    let deletions =
        futures_util::future::join_all((0..5).map(|_| bed.lifecycle.delete(session.id, false))).await;
    assert_eq!(deletions.iter().filter(|deleted| deleted.is_ok()).count(), 1, "{deletions:?}");
}

#[tokio::test]
async fn what_happens_to_a_container_shows_when_it_is_looked_at() {
    let bed = bed().await;
    let session = bed.running().await;
    let condition = |condition: Condition| {
        bed.fake.world().containers.values_mut().next().unwrap().container.condition = condition;
    };
    condition(Condition::Paused);
    let paused = bed.lifecycle.look(session.id).await.unwrap();
    assert_eq!((paused.status, paused.error_message.as_deref()), (State::Running, Some(PAUSED)));
    condition(Condition::Running);
    assert_eq!(bed.lifecycle.look(session.id).await.unwrap().error_message, None);
    // A runtime that does not answer changes nothing.
    bed.fake.fault("inspect", Fault::Fail(broken()));
    assert_eq!(bed.lifecycle.look(session.id).await.unwrap().status, State::Running);
    bed.fake.kill(137);
    let failed = bed.lifecycle.look(session.id).await.unwrap();
    assert_eq!(failed.status, State::Failed);
    assert!(failed.error_message.unwrap().contains("killed (exit code 137), possibly out of memory"));
    bed.lifecycle.resume(session.id).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    bed.fake.world().containers.clear();
    let listed =
        bed.lifecycle.list("usr_a", sessions::Filter { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!(
        (listed[0].status, listed[0].error_message.as_deref()),
        (State::Failed, Some("container not found"))
    );
    assert_eq!(listed[0].container_id, None);
}

#[tokio::test]
async fn get_or_create_takes_what_is_best() {
    let bed = bed().await;
    let ask = || bed.lifecycle.get_or_create("usr_a", Order::default());
    let both = futures_util::future::join(ask(), ask()).await;
    let (first, same) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(first.id, same.id, "two that ask at one time get one");
    bed.becomes(first.id, State::Running).await;
    assert_eq!(ask().await.unwrap().id, first.id);
    bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
    assert_eq!(ask().await.unwrap().id, first.id);
    assert_eq!(bed.becomes(first.id, State::Running).await.image_digest.as_deref(), Some("image-2"));
    let second = bed.running().await;
    for id in [first.id, second.id] {
        bed.lifecycle.stop(id, "").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask().await.unwrap().id, second.id, "the one that was stopped last");
    // Others' are not looked at, and a workspace decides.
    assert_ne!(bed.lifecycle.get_or_create("usr_b", Order::default()).await.unwrap().user_id, "usr_a");
    let project = std::path::Path::new(&first.workspace_path).join("project");
    std::fs::create_dir(&project).unwrap();
    let order = Order { workspace_path: project.to_str().map(str::to_owned), ..Order::default() };
    let third = bed.lifecycle.get_or_create("usr_a", order.clone()).await.unwrap();
    assert!(third.id != first.id && third.id != second.id);
    assert_eq!(bed.lifecycle.get_or_create("usr_a", order).await.unwrap().id, third.id);
    bed.becomes(third.id, State::Running).await;
    let world = bed.fake.world();
    let made =
        &world.containers.values().find(|made| made.launch.name == third.container_name).unwrap().launch;
    assert_eq!((&*made.env["WORKSPACE"], &made.workspace), ("/home/dev/workspace/project", &None));
}

#[tokio::test]
async fn a_common_workspace_is_nobodys_twice() {
    let bed = bed_with(|config| {
        let root = config.container.user_data_path.parent().unwrap().canonicalize().unwrap().join("ws");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        config.container.workspace_root = Some(root);
    })
    .await;
    let ask = |user: &'static str, path: &str| {
        bed.lifecycle.create(user, Order { workspace_path: Some(path.into()), ..Order::default() })
    };
    let first = ask("usr_a", "a").await.unwrap();
    let up = bed.becomes(first.id, State::Running).await;
    {
        let world = bed.fake.world();
        let launch = &world.containers[up.container_id.as_ref().unwrap()].launch;
        assert_eq!(launch.workspace.as_deref(), Some(std::path::Path::new(&first.workspace_path)));
    }
    for (user, path) in [("usr_b", "a"), ("usr_b", "a/b"), ("usr_a", "a/b")] {
        assert!(matches!(ask(user, path).await, Err(LifecycleError::Shared(_))), "{user} {path}");
    }
    ask("usr_a", "a").await.unwrap();
    // It became a link while the session was stopped: nothing is mounted.
    bed.lifecycle.stop(first.id, "").await.unwrap();
    let path = std::path::PathBuf::from(&first.workspace_path);
    std::fs::rename(&path, path.with_file_name("moved")).unwrap();
    std::os::unix::fs::symlink("/etc", &path).unwrap();
    bed.fake.world().containers.retain(|id, _| Some(id) != up.container_id.as_ref());
    bed.lifecycle.resume(first.id).await.unwrap();
    let failed = bed.becomes(first.id, State::Failed).await;
    assert!(failed.error_message.unwrap().contains("is not there any more"));
}
