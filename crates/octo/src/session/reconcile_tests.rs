#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn a_session(status: State) -> Session {
    let now: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    Session {
        id: uuid::Uuid::nil(),
        readable_id: "cold-lamp".into(),
        user_id: "usr_a".into(),
        status,
        error_message: None,
        container_id: Some("c1".into()),
        container_name: "octo-0".into(),
        workspace_path: "/w".into(),
        image: "octo-dev:latest".into(),
        image_digest: None,
        opencode_port: 1,
        fileserver_port: 2,
        ttyd_port: 3,
        agent: None,
        limits: Default::default(),
        created_at: now,
        started_at: None,
        stopped_at: None,
        last_activity_at: None,
    }
}

fn a_container(condition: Condition) -> Container {
    Container {
        id: "c1".into(),
        name: "octo-0".into(),
        image_id: "i".into(),
        condition,
        labels: BTreeMap::new(),
    }
}

fn exited(code: i32) -> Condition {
    Condition::Exited { code, out_of_memory: false }
}

/// What the verdict comes to, in few words.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Keep => "keep".into(),
        Verdict::Become(state, why) => format!("{state}: {why}"),
        Verdict::Adopt => "adopt".into(),
        Verdict::Remark(remark) => format!("remark: {}", remark.as_deref().unwrap_or("none")),
        Verdict::StopContainer => "stop it".into(),
    }
}

#[test]
fn every_state_meets_every_condition() {
    use State::{Failed, Pending, Running, Starting, Stopped, Stopping};
    const KILLED: &str = "failed: the container was killed (exit code 137), possibly out of memory";
    let paused = format!("remark: {PAUSED}");
    let oom = Condition::Exited { code: 1, out_of_memory: true };
    let rows: [(State, Option<Condition>, &str); 34] = [
        (Pending, None, "failed: its creation was cut off"),
        (Pending, Some(Condition::Running), "adopt"),
        (Pending, Some(Condition::Starting), "failed: its creation was cut off"),
        (Pending, Some(exited(1)), "failed: the container exited with code 1"),
        (Pending, Some(Condition::Other("removing".into())), "keep"),
        (Starting, None, "failed: container not found"),
        (Starting, Some(Condition::Running), "adopt"),
        (Starting, Some(Condition::Starting), "keep"),
        (Starting, Some(exited(0)), "failed: the container exited with code 0"),
        (Starting, Some(Condition::Paused), &paused),
        (Running, None, "failed: container not found"),
        (Running, Some(Condition::Running), "keep"),
        (Running, Some(Condition::Starting), "starting: the container starts again"),
        (Running, Some(exited(0)), "failed: the container exited with code 0"),
        (Running, Some(exited(143)), "failed: the container exited with code 143"),
        (Running, Some(exited(137)), KILLED),
        (Running, Some(oom), "failed: the container had no memory left and was killed (exit code 1)"),
        (Running, Some(Condition::Paused), &paused),
        (Running, Some(Condition::Other("removing".into())), "keep"),
        (Stopping, None, "stopped: its container is gone"),
        (Stopping, Some(Condition::Running), "stop it"),
        (Stopping, Some(Condition::Paused), "stop it"),
        (Stopping, Some(Condition::Starting), "stopped: its container does not run"),
        (Stopping, Some(exited(137)), "stopped: its container has ended"),
        (Stopping, Some(Condition::Other("removing".into())), "keep"),
        (Stopped, None, "keep"),
        (Stopped, Some(Condition::Running), "adopt"),
        (Stopped, Some(Condition::Starting), "keep"),
        (Stopped, Some(exited(0)), "keep"),
        (Failed, None, "keep"),
        (Failed, Some(Condition::Running), "stop it"),
        (Failed, Some(Condition::Paused), "stop it"),
        (Failed, Some(Condition::Starting), "keep"),
        (Failed, Some(exited(9)), "keep"),
    ];
    for (state, condition, expected) in rows {
        let container = condition.clone().map(a_container);
        let verdict = reconcile(&a_session(state), container.as_ref(), Moment::Running);
        assert_eq!(told(&verdict), expected, "{state} {condition:?}");
    }
}

#[test]
fn at_the_start_what_ended_in_order_is_stopped_and_not_failed() {
    use State::{Running, Starting};
    let rows = [
        (Running, exited(0), "stopped: the container exited with code 0"),
        (Running, exited(143), "stopped: the container exited with code 143"),
        (Running, exited(1), "failed: the container exited with code 1"),
        (Running, Condition::Running, "keep"),
        (Starting, exited(0), "failed: the container exited with code 0"),
        (Starting, Condition::Starting, "failed: its start was cut off"),
        (Starting, Condition::Running, "adopt"),
    ];
    for (state, condition, expected) in rows {
        let verdict = reconcile(&a_session(state), Some(&a_container(condition.clone())), Moment::Start);
        assert_eq!(told(&verdict), expected, "{state} {condition:?}");
    }
}

#[test]
fn a_remark_is_made_once_and_taken_away() {
    let mut session = a_session(State::Running);
    session.error_message = Some(PAUSED.into());
    assert_eq!(reconcile(&session, Some(&a_container(Condition::Paused)), Moment::Running), Verdict::Keep);
    let runs = a_container(Condition::Running);
    assert_eq!(reconcile(&session, Some(&runs), Moment::Running), Verdict::Remark(None));
}

#[test]
fn containers_without_a_session_are_orphans() {
    let container = a_container(Condition::Running);
    assert!(is_orphan(&container, None));
    for state in State::ALL {
        let mut session = a_session(state);
        assert!(!is_orphan(&container, Some(&session)), "{state}: its own");
        session.container_id = Some("c2".into());
        assert!(is_orphan(&container, Some(&session)), "{state}: has another");
        session.container_id = None;
        let adoptable = matches!(state, State::Pending | State::Starting);
        assert_eq!(is_orphan(&container, Some(&session)), !adoptable, "{state}: has none");
    }
}

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Starting),
        Just(Condition::Running),
        Just(Condition::Paused),
        (any::<i32>(), any::<bool>())
            .prop_map(|(code, out_of_memory)| Condition::Exited { code, out_of_memory }),
        "[a-z]{0,9}".prop_map(Condition::Other),
    ]
}

proptest! {
    /// A verdict never asks for a change that the states do not know, and repeating it comes to rest.
    #[test]
    fn every_verdict_is_a_way_and_comes_to_rest(
        state in prop::sample::select(State::ALL.to_vec()),
        condition in prop::option::of(any_condition()),
        start in any::<bool>(),
    ) {
        let moment = if start { Moment::Start } else { Moment::Running };
        let container = condition.map(a_container);
        let mut session = a_session(state);
        for _ in 0..4 {
            match reconcile(&session, container.as_ref(), moment) {
                Verdict::Become(to, why) => {
                    prop_assert!(session.status.to(to).is_ok(), "{} to {to}", session.status);
                    session.status = to;
                    session.error_message = (to == State::Failed).then_some(why);
                }
                Verdict::Remark(remark) => {
                    prop_assert!(remark != session.error_message);
                    session.error_message = remark;
                }
                Verdict::Adopt => {
                    prop_assert!(session.status.to(State::Starting).is_ok() || session.status == State::Starting);
                    return Ok(());
                }
                Verdict::Keep | Verdict::StopContainer => return Ok(()),
            }
        }
        prop_assert!(false, "it does not come to rest");
    }
}
