//! Who finds which session.

use super::*;
use crate::auth::Identity;
use crate::proxy::target::{Targets, Use};
use crate::session::Service;

#[tokio::test]
async fn a_session_is_found_by_all_its_names_and_by_its_owner_alone() {
    let bed = bed().await;
    let session = bed.running().await;
    let id = session.id.to_string();
    let names = [id.as_str(), &id.to_uppercase(), &id[..8], &id[..4], &id[..13], &session.readable_id].map(str::to_owned);
    for name in &names {
        for (who, found) in [("usr_a", true), ("usr_b", false), ("usr_admin", true)] {
            let answer = bed.lifecycle.find(&user(who), name).await;
            assert_eq!(answer.as_ref().is_ok_and(|it| it.id == session.id), found, "{name} by {who}: {answer:?}");
            if !found {
                assert!(matches!(answer, Err(LifecycleError::NotFound)));
            }
        }
    }
    for odd in ["", "abc", "????", "[0-f]", "%", "cold-cold", &format!("{id}0")] {
        assert!(matches!(bed.lifecycle.find(&user("usr_admin"), odd).await, Err(LifecycleError::NotFound)), "{odd}");
    }
}

#[tokio::test]
async fn a_start_of_an_id_must_mean_one_session() {
    let bed = bed().await;
    let (first, second) = (bed.running().await, bed.running_of("usr_b").await);
    for (session, id) in [(&first, "0a1b2c3d-0000-4000-8000-000000000001"), (&second, "0a1b2c3d-0000-4000-8000-000000000002")] {
        // History goes with it.
        let sql = format!("PRAGMA defer_foreign_keys = ON; UPDATE session_events SET session_id = '{id}' WHERE session_id = '{0}'; \
                           UPDATE sessions SET id = '{id}' WHERE id = '{0}'", session.id);
        execute(&bed.store, sql).await;
    }
    assert!(matches!(bed.lifecycle.find(&user("usr_admin"), "0a1b").await, Err(LifecycleError::Ambiguous(_))));
    // To its owner others do not exist.
    assert_eq!(bed.lifecycle.find(&user("usr_a"), "0a1b").await.unwrap().readable_id, first.readable_id);
}

#[tokio::test]
async fn what_is_remembered_of_a_name_is_never_old() {
    let bed = bed().await;
    let session = bed.running().await;
    let find = |who: &'static str| {
        let (lifecycle, id) = (bed.lifecycle.clone(), session.id.to_string());
        async move { lifecycle.find(&user(who), &id).await.map(|session| session.status) }
    };
    assert_eq!(find("usr_a").await.unwrap(), State::Running);
    assert!(find("usr_b").await.is_err());
    bed.lifecycle.stop(session.id, "").await.unwrap();
    assert_eq!(find("usr_a").await.unwrap(), State::Stopped);
    bed.lifecycle.delete(session.id, false).await.unwrap();
    assert!(find("usr_a").await.is_err());
}

#[tokio::test]
async fn proxies_are_told_where_a_service_is_or_why_not() {
    let bed = bed().await;
    let session = bed.running().await;
    let id = session.id.to_string();
    let find = async |who: &str| {
        let who: Identity = user(who);
        Targets::find(&bed.lifecycle, &who, &id, Service::Terminal).await
    };
    let target = find("usr_a").await.unwrap();
    assert_eq!((target.session, target.state), (session.id, State::Running));
    assert_eq!(target.address, ([127, 0, 0, 1], session.ttyd_port).into());
    assert_eq!(find("usr_b").await.unwrap_err().code.status(), 404);
    bed.lifecycle.used(session.id, Use::Active);
    assert_eq!(bed.lifecycle.look_again(session.id).await.unwrap(), State::Running);
    bed.lifecycle.stop(session.id, "").await.unwrap();
    let stopped = find("usr_a").await.unwrap_err();
    assert_eq!(serde_json::to_value(stopped.code).unwrap(), "SESSION_STOPPED");
    assert_eq!(stopped.code.status(), 503);
    bed.lifecycle.resume(session.id).await.unwrap();
    bed.becomes(session.id, State::Running).await;
    bed.fake.kill(9);
    assert_eq!(bed.lifecycle.look_again(session.id).await.unwrap(), State::Failed);
    let failed = find("usr_a").await.unwrap_err();
    assert_eq!((failed.code.status().as_u16(), failed.details.unwrap()["state"].clone()), (503, "failed".into()));
}

#[tokio::test]
async fn a_stopped_session_starts_by_being_used_where_that_is_wanted() {
    let bed = bed_with(|config| config.sessions.auto_resume = true).await;
    let session = bed.running().await;
    bed.lifecycle.stop(session.id, "").await.unwrap();
    let (who, id) = (user("usr_a"), session.id.to_string());
    let finds = futures_util::future::join_all((0..3).map(|_| Targets::find(&bed.lifecycle, &who, &id, Service::Files)));
    for target in finds.await {
        assert!(target.unwrap().state.is_active());
    }
    bed.becomes(session.id, State::Running).await;
}
