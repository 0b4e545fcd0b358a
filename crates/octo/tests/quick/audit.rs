//! The record of who did what.

use crate::support::{Bed, PASSWORD};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use octo::auth::{Identity, Role};
use octo::server::layers::audit::record;
use octo::store::StoreError;
use octo::store::users::User;
use rusqlite::Transaction;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

fn rows(bed: &Bed, admin: &str, query: &str) -> Vec<Value> {
    let answer = bed.get(&format!("/api/admin/audit{query}"), &[("authorization", admin)]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().unwrap().clone()
}

#[test]
fn what_users_change_is_recorded_with_who_and_where() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let anna = bed.user("anna", Role::User);
    let token = format!("Bearer {}", bed.token("anna"));
    bed.log_in("anna", "wrong");
    bed.get("/api/me", &[("authorization", &token)]);
    let path = format!("/api/admin/users/{}", anna.id);
    bed.send("DELETE", &path, &[("authorization", &token), ("x-request-id", "the-try")], None);
    let made = bed.post("/api/admin/invite-codes", &[("authorization", &admin)], &json!({}));
    bed.send("POST", "/api/auth/logout", &[("authorization", &token)], None);
    // Nobody's: anybody could fill the record with these.
    bed.send("DELETE", &path, &[], None);
    bed.log_in("nobody-at-all", PASSWORD);

    let all = rows(&bed, &admin, "");
    let told: Vec<(&str, &str)> = all
        .iter()
        .rev()
        .map(|row| (row["action"].as_str().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("auth.login", "ok"),
            ("auth.login", "ok"),
            ("auth.login", "refused"),
            ("DELETE /api/admin/users/{id}", "refused"),
            ("POST /api/admin/invite-codes", "ok"),
            ("auth.logout", "ok"),
            ("auth.login", "refused"),
        ]
    );
    let attempt = &all[3];
    assert_eq!(
        (
            &attempt["actor_id"],
            &attempt["resource_type"],
            &attempt["resource_id"],
            &attempt["http_status"],
            &attempt["request_id"],
            &attempt["actor_ip"]
        ),
        (
            &json!(anna.id),
            &json!("users"),
            &json!(anna.id),
            &json!(403),
            &json!("the-try"),
            &json!("127.0.0.1")
        )
    );
    assert_eq!(all[2]["resource_id"], made.json()["id"], "a new thing's id");
    assert_eq!(
        (&all[4]["actor_id"], &all[4]["resource_id"]),
        (&Value::Null, &json!(anna.id)),
        "a wrong password is nobody's act"
    );
    assert!(!all[0].to_string().contains("nobody-at-all"), "a password in the wrong field is not kept");
}

#[test]
fn the_record_is_searched_and_paged() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let root = bed.get("/api/me", &[("authorization", &admin)]).json()["id"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        bed.post("/api/admin/invite-codes", &[("authorization", &admin)], &json!({}));
    }
    bed.post("/api/admin/invite-codes", &[("authorization", &admin)], &json!({"max_uses": 0}));
    let count = |query: &str| rows(&bed, &admin, query).len();
    assert_eq!(count(""), 7);
    assert_eq!(count("?action=auth."), 1);
    assert_eq!(count("?resource_type=invite-codes&outcome=ok"), 5);
    assert_eq!(count("?outcome=refused"), 1);
    assert_eq!(count(&format!("?user={root}")), 7);
    assert_eq!(count("?user=usr_none"), 0);
    assert_eq!(count("?since=2999-01-01T00:00:00Z"), 0);
    assert_eq!(count("?until=2999-01-01T00:00:00Z"), 7);
    let first = rows(&bed, &admin, "?limit=3");
    let next = rows(&bed, &admin, &format!("?limit=3&before={}", first[2]["id"]));
    let ids: Vec<i64> = first.iter().chain(&next).map(|row| row["id"].as_i64().unwrap()).collect();
    assert!(ids.len() == 6 && ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(bed.get("/api/admin/audit?since=yesterday", &[("authorization", &admin)]).status, 400);
}

#[test]
fn the_record_can_be_switched_off() {
    let bed = Bed::with(|config| config.audit.enabled = false);
    let admin = bed.bearer("root", Role::Admin);
    assert!(rows(&bed, &admin, "").is_empty());
}

/// Keeps everybody from writing to the database until the first of these is dropped; then the second ends.
fn hold(bed: &Bed) -> (Sender<()>, JoinHandle<Result<(), StoreError>>) {
    let (begun, holds) = channel();
    let (let_go, told) = channel::<()>();
    let store = bed.app.store.clone();
    let hold = move |_: &Transaction<'_>| {
        begun.send(()).unwrap();
        let _ = told.recv();
        Ok::<_, StoreError>(())
    };
    let held = bed.runtime.spawn(async move { store.write(hold).await });
    holds.recv().unwrap();
    (let_go, held)
}

/// Protects the record from clients that leave before the answer: what was begun is finished and recorded.
#[test]
fn a_client_that_leaves_is_recorded_too() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    for number in 1..=5 {
        // Until it is let go nothing can be written: what the request begins ends after its client has left.
        let (let_go, held) = hold(&bed);
        let body = format!("{{\"code\":\"CODE-{number}\"}}");
        let mut stream = TcpStream::connect(bed.address).unwrap();
        write!(
            stream,
            "POST /api/admin/invite-codes HTTP/1.1\r\nhost: x\r\nauthorization: {admin}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while bed.app.tasks.is_empty() {
            assert!(Instant::now() < until, "the request was not begun");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(stream);
        // So long that the server sees it.
        std::thread::sleep(Duration::from_millis(50));
        drop(let_go);
        bed.runtime.block_on(held).unwrap().unwrap();
        bed.app.tasks.close();
        bed.runtime.block_on(bed.app.tasks.wait());
        let stats = bed.get("/api/admin/invite-codes/stats", &[("authorization", &admin)]).json();
        let recorded = rows(&bed, &admin, "?action=POST").len();
        assert_eq!((&stats["total"], recorded), (&json!(number), number), "{stats}");
    }
}

/// Protects what an agent would go on computing for somebody who has left: a service sees its client leave, by whichever of
/// its paths it was asked. What the server does itself is carried to its end.
#[test]
fn what_goes_to_a_service_ends_with_its_client() {
    let bed = Bed::new();
    let app = Arc::new(bed.app.clone());
    for (path, ends) in [
        ("/sessions/1/opencode/session", true),
        ("/session/1/code/session", true),
        ("/api/sessions/1/opencode/session", true),
        ("/api/sessions/1/files/file", true),
        ("/api/sessions/1/exec", false),
    ] {
        let (begun, begins) = channel::<()>();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let handler = move || {
            let (begun, holds) = (begun.clone(), Arc::clone(&holds));
            async move {
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
                drop(holds);
            }
        };
        let router =
            Router::new().route(path, post(handler)).layer(from_fn_with_state(Arc::clone(&app), record));
        let request = Request::post(path).body(Body::empty()).unwrap();
        let asked = bed.runtime.spawn(router.oneshot(request));
        begins.recv_timeout(Duration::from_secs(30)).unwrap();
        asked.abort();
        let _ = bed.runtime.block_on(asked);
        let until = Instant::now() + Duration::from_millis(if ends { 30_000 } else { 100 });
        while Arc::strong_count(&held) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(Arc::strong_count(&held) == 1, ends, "{path}");
    }
}

/// Protects the record: what was sent on to a service may have been done there, also when nobody waits for the answer.
#[test]
fn what_goes_to_a_service_is_recorded_when_its_client_leaves() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let anna = bed.user("anna", Role::User);
    let app = Arc::new(bed.app.clone());
    let path = "/sessions/{id}/files/file";
    let ask = |answers: bool, who: Option<&User>| {
        let (begun, begins) = channel::<()>();
        let handler = move || {
            let begun = begun.clone();
            async move {
                begun.send(()).unwrap();
                if !answers {
                    std::future::pending::<()>().await;
                }
            }
        };
        let router =
            Router::new().route(path, post(handler)).layer(from_fn_with_state(Arc::clone(&app), record));
        let mut request = Request::post("/sessions/cold-lamp/files/file").body(Body::empty()).unwrap();
        if let Some(user) = who {
            let (user_id, username) = (user.id.clone(), user.username.clone());
            request.extensions_mut().insert(Identity {
                user_id,
                username,
                role: user.role,
                by_cookie: false,
            });
        }
        let asked = bed.runtime.spawn(router.oneshot(request));
        begins.recv_timeout(Duration::from_secs(30)).unwrap();
        asked
    };
    let recorded = |count: usize| {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let found = rows(&bed, &admin, "?resource_type=sessions");
            if found.len() >= count || Instant::now() >= until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Nobody's is not recorded: if it were, it would be the first.
    for who in [None, Some(&anna)] {
        let asked = ask(false, who);
        asked.abort();
        let _ = bed.runtime.block_on(asked);
    }
    let found = recorded(1);
    assert_eq!(found.len(), 1, "{found:?}");
    let row = &found[0];
    assert_eq!(
        (&row["actor_id"], &row["resource_id"], &row["outcome"], &row["http_status"], &row["detail"]),
        (
            &json!(anna.id),
            &json!("cold-lamp"),
            &json!("failed"),
            &Value::Null,
            &json!({"reason": "client_left"})
        )
    );
    // The answer is there, and its row waits for others: then that is no matter of the client's either.
    for count in 2..=6 {
        let (let_go, held) = hold(&bed);
        let asked = ask(true, Some(&anna));
        asked.abort();
        let _ = bed.runtime.block_on(asked);
        drop(let_go);
        bed.runtime.block_on(held).unwrap().unwrap();
        assert_eq!(recorded(count).len(), count);
    }
}
