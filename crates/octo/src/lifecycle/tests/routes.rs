//! The API of sessions, request by request.

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

use super::*;
use crate::config::Secret;
use crate::runtime::Runtime;
use crate::server::App;

async fn api(bed: &Bed) -> (Router, OpenApi) {
    let mut app =
        App::new((*bed.config).clone(), bed.store.clone(), &Secret::new("0123456789abcdef0123456789abcdef"));
    let runtime: Arc<dyn Runtime> = Arc::clone(&bed.fake) as _;
    app = app.with_runtime(runtime).await.unwrap();
    app.lifecycle = Some(bed.lifecycle.clone());
    let (router, document) = crate::api::sessions::routes()
        .merge(crate::api::fleet::routes())
        .merge(crate::api::metrics::routes())
        .split_for_parts();
    (router.with_state(app), document)
}

async fn ask(
    router: &Router,
    who: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    request = request.extension(user(who));
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let status = response.status();
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, Value::Null);
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::String(text)))
}

/// Every operation of the description, with a body that it takes.
fn operations(document: &OpenApi) -> Vec<(&'static str, String, Option<Value>)> {
    let mut found = Vec::new();
    for (path, item) in &document.paths.paths {
        let all = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in all {
            if operation.is_some() {
                let body = path.ends_with("/exec").then(|| json!({"command": ["id"]}));
                found.push((method, path.clone(), body));
            }
        }
    }
    found
}

/// The table is made from the description, so that a new route is in it.
#[tokio::test]
async fn a_session_of_somebody_else_is_not_found_by_any_route() {
    let bed = bed().await;
    let (router, document) = api(&bed).await;
    let session = bed.running_of("usr_a").await;
    let mut asked = 0;
    for (method, path, body) in operations(&document) {
        if !path.contains("{id}") || path.contains("/admin/") {
            continue;
        }
        asked += 1;
        for name in
            [session.id.to_string(), session.readable_id.clone(), session.id.to_string()[..8].to_owned()]
        {
            let path = path.replace("{id}", &name);
            let (status, answer) = ask(&router, "usr_b", method, &path, body.clone()).await;
            assert_eq!(
                (status, &answer["code"]),
                (StatusCode::NOT_FOUND, &json!("NOT_FOUND")),
                "{method} {path}"
            );
        }
    }
    assert!(asked >= 11, "only {asked} routes");
    assert_eq!(bed.row(session.id).await.status, State::Running, "nothing was done to it");
    // The same requests by the owner are answered, so the table can fail.
    for (method, path, body) in operations(&document) {
        if method == "GET" && path.contains("{id}") {
            let path = path.replace("{id}", &session.readable_id);
            assert_eq!(ask(&router, "usr_a", method, &path, body).await.0, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn routes_for_administrators_are_for_them_alone() {
    let bed = bed().await;
    let (router, document) = api(&bed).await;
    let session = bed.running_of("usr_a").await;
    let mut asked = 0;
    for (method, path, body) in operations(&document) {
        if path.contains("/admin/") || path == "/metrics" {
            asked += 1;
            let path = path.replace("{id}", &session.id.to_string());
            assert_eq!(ask(&router, "usr_a", method, &path, body).await.0, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(asked, 6);
    for path in ["/api/sessions?all=true", "/api/sessions?user=usr_a"] {
        assert_eq!(ask(&router, "usr_b", "GET", path, None).await.0, StatusCode::FORBIDDEN, "{path}");
        let (status, listed) = ask(&router, "usr_admin", "GET", path, None).await;
        assert_eq!((status, listed.as_array().unwrap().len()), (StatusCode::OK, 1), "{path}");
    }
    assert_eq!(ask(&router, "usr_admin", "GET", "/api/sessions", None).await.1, json!([]));
    let (_, listed) = ask(&router, "usr_admin", "GET", "/api/admin/sessions", None).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let (_, counts) = ask(&router, "usr_admin", "GET", "/api/admin/stats", None).await;
    assert_eq!(
        counts,
        json!({"total_users": 3, "active_users": 3, "total_sessions": 1, "running_sessions": 1})
    );
    let (_, cleaned) = ask(&router, "usr_admin", "POST", "/api/admin/cleanup", None).await;
    assert_eq!(cleaned, json!({"orphans_removed": 0, "sessions_marked": 0, "stale_removed": 0}));
    let path = format!("/api/admin/sessions/{}", session.id);
    assert_eq!(ask(&router, "usr_admin", "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bed.row(session.id).await.status, State::Stopped);
}

#[tokio::test]
async fn a_whole_life_over_http() {
    let bed = bed().await;
    let (router, _) = api(&bed).await;
    let order = json!({"env": {"TOKEN": "secret-value"}});
    let (status, made) = ask(&router, "usr_a", "POST", "/api/sessions", Some(order)).await;
    assert_eq!((status, &made["status"]), (StatusCode::CREATED, &json!("pending")));
    let id = made["id"].as_str().unwrap().to_owned();
    let urls = json!({"opencode": format!("/sessions/{id}/opencode"), "fileserver": format!("/sessions/{id}/files"),
        "terminal": format!("/sessions/{id}/terminal")});
    assert_eq!(made["urls"], urls);
    let of = |path: &str| format!("/api/sessions/{id}{path}");
    bed.becomes(id.parse().unwrap(), State::Running).await;
    let (status, shown) = ask(&router, "usr_a", "GET", &of(""), None).await;
    assert_eq!((status, &shown["status"], &shown["urls"]), (StatusCode::OK, &json!("running"), &urls));
    assert!(!shown.to_string().contains("secret-value"), "{shown}");
    for (method, path, body, expected) in [
        ("POST", "/activity", None, 204),
        ("GET", "/logs?tail=5", None, 200),
        ("GET", "/logs?tail=5&follow=true", None, 200),
        ("GET", "/stats", None, 200),
        ("GET", "/events", None, 200),
        ("POST", "/exec", Some(json!({"command": ["echo", "-n", "x"]})), 200),
        ("POST", "/exec", Some(json!({"command": []})), 400),
        ("POST", "/exec", Some(json!({"command": ["a\u{0}"]})), 400),
        ("POST", "/exec", Some(json!({"command": ["a"], "workdir": "--x"})), 400),
        ("POST", "/exec", Some(json!({"command": "id"})), 422),
        ("POST", "/resume", None, 409),
        ("POST", "/stop", None, 204),
        ("POST", "/stop", None, 204),
        ("POST", "/exec", Some(json!({"command": ["id"]})), 409),
        ("GET", "/stats", None, 409),
        ("POST", "/resume?wait=20", None, 200),
        ("POST", "/upgrade?wait=20", None, 200),
        ("DELETE", "", None, 204),
        ("DELETE", "", None, 404),
        ("GET", "", None, 404),
    ] {
        let (status, answer) = ask(&router, "usr_a", method, &of(path), body).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}: {answer}");
        if path.contains("wait") {
            assert_eq!(answer["status"], "running", "{path}");
        }
    }
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 1).await;
    let (router, _) = api(&bed).await;
    let rows = [
        (json!({"image": "-x"}), 400, "BAD_REQUEST"),
        (json!({"env": {"A-B": ""}}), 400, "BAD_REQUEST"),
        (json!({"workspace_path": "/etc"}), 400, "BAD_REQUEST"),
        (json!({"image": "nowhere"}), 404, "NOT_FOUND"),
        (json!({"imgae": "x"}), 422, "UNPROCESSABLE"),
        (json!({}), 201, ""),
        (json!({}), 409, "QUOTA_EXCEEDED"),
    ];
    for (order, expected, code) in rows {
        let (status, answer) = ask(&router, "usr_a", "POST", "/api/sessions", Some(order.clone())).await;
        assert_eq!(
            (status.as_u16(), answer["code"].as_str().unwrap_or("")),
            (expected, code),
            "{order}: {answer}"
        );
    }
    bed.fake.fault("image", Fault::Fail(broken()));
    let (status, answer) = ask(&router, "usr_b", "POST", "/api/sessions", None).await;
    assert_eq!((status.as_u16(), &answer["code"]), (503, &json!("SERVICE_UNAVAILABLE")));
    let (_, updates) = ask(&router, "usr_a", "GET", "/api/sessions/updates", None).await;
    assert_eq!(updates, json!([]));
    bed.fake.world().images.insert("octo-dev:latest".into(), "image-2".into());
    let (_, updates) = ask(&router, "usr_a", "GET", "/api/sessions/updates", None).await;
    assert_eq!(
        (&updates[0]["update_available"], &updates[0]["new_digest"]),
        (&json!(true), &json!("image-2"))
    );
    let id = updates[0]["session_id"].as_str().unwrap().to_owned();
    let (_, update) = ask(&router, "usr_a", "GET", &format!("/api/sessions/{id}/update"), None).await;
    assert_eq!(update, updates[0]);
}

/// Protects the host: each is a process of the runtime's on it, which no limit of a container bounds.
#[tokio::test]
async fn nobody_holds_any_number_of_the_runtime_s_programs() {
    let bed = bed().await;
    let (router, _) = api(&bed).await;
    let (session, other) = (bed.running().await, bed.running_of("usr_b").await);
    let send = async |who: &str, method: Method, path: String, body: Option<Value>| {
        let request = Request::builder().method(method).uri(path).extension(user(who));
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        router.clone().oneshot(request.unwrap()).await.unwrap()
    };
    let follow = async |who: &str, id: Uuid| {
        send(who, Method::GET, format!("/api/sessions/{id}/logs?follow=true"), None).await
    };
    let exec = async |who: &str, id: Uuid| {
        let body = json!({"command": ["id"]});
        send(who, Method::POST, format!("/api/sessions/{id}/exec"), Some(body)).await.status()
    };
    let mut held = Vec::new();
    for _ in 0..16 {
        let answer = follow("usr_a", session.id).await;
        assert_eq!(answer.status(), StatusCode::OK);
        held.push(answer);
    }
    assert_eq!(follow("usr_a", session.id).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(exec("usr_a", session.id).await, StatusCode::TOO_MANY_REQUESTS);
    // Others have their own, and what has ended is given back.
    assert_eq!(follow("usr_b", other.id).await.status(), StatusCode::OK);
    assert_eq!(exec("usr_b", other.id).await, StatusCode::OK);
    held.pop();
    for _ in 0..3 {
        assert_eq!(exec("usr_a", session.id).await, StatusCode::OK);
    }
    assert_eq!(follow("usr_a", session.id).await.status(), StatusCode::OK);
}

/// Protects everybody else: the runtime answers few at one time, and one person asks as often as they like.
#[tokio::test]
async fn nobody_has_many_questions_waiting_at_the_runtime() {
    let bed = bed().await;
    let (router, _) = api(&bed).await;
    let (session, other) = (bed.running().await, bed.running_of("usr_b").await);
    let id = session.id;
    for (verb, method, path) in [
        ("logs", "GET", format!("/api/sessions/{id}/logs")),
        ("stats", "GET", format!("/api/sessions/{id}/stats")),
        ("image", "GET", format!("/api/sessions/{id}/update")),
        ("image", "GET", "/api/sessions/updates".to_owned()),
        // The last two are carried to their end, whoever leaves.
        ("list", "GET", "/api/sessions".to_owned()),
        ("image", "POST", "/api/sessions".to_owned()),
    ] {
        let calls = || bed.fake.world().calls.iter().filter(|call| **call == verb).count();
        let before = calls();
        // None of them is answered.
        bed.fake.world().faults = (0..20).map(|_| (verb, 0, Fault::HangBefore)).collect();
        let asked: Vec<_> = (0..20)
            .map(|_| {
                let (router, path) = (router.clone(), path.clone());
                tokio::spawn(async move { ask(&router, "usr_a", method, &path, None).await })
            })
            .collect();
        let until = Instant::now() + PATIENCE;
        while calls() < before + 2 {
            assert!(Instant::now() < until, "{verb} is not asked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Long enough for the others, if nothing kept them.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(calls(), before + 2, "{method} {path}");
        bed.fake.world().faults.clear();
        let theirs = path.replace(&id.to_string(), &other.id.to_string());
        let answered = tokio::time::timeout(PATIENCE, ask(&router, "usr_b", method, &theirs, None)).await;
        assert!(answered.unwrap().0.is_success(), "{method} {theirs}");
        for asked in asked {
            asked.abort();
        }
        // Those who leave give their turns back.
        if verb == "list" || method == "POST" {
            continue;
        }
        let answered = tokio::time::timeout(PATIENCE, ask(&router, "usr_a", method, &path, None)).await;
        assert!(answered.unwrap().0.is_success(), "{method} {path}");
    }
}

/// Protects the disk, and all who wait for a list of all containers: each session that has ended keeps its own for days.
#[tokio::test]
async fn nobody_keeps_any_number_of_sessions_that_have_ended() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 0).await;
    let (router, _) = api(&bed).await;
    let session = bed.running().await;
    bed.lifecycle.stop(session.id, "asked for").await.unwrap();
    let copy = |number: i64| {
        let ports = format!("{0}, {0} + 1, {0} + 2", 30_000 + 3 * number);
        format!(
            "INSERT INTO sessions (id, readable_id, user_id, status, container_name, workspace_path, image, \
             opencode_port, fileserver_port, ttyd_port, created_at) \
             VALUES ('{}', 'old-{number}', 'usr_a', '{}', '', '', '', {ports}, '2026-01-01T00:00:00.000Z');",
            Uuid::new_v4(),
            if number % 2 == 0 { "stopped" } else { "failed" }
        )
    };
    execute(&bed.store, (0..98).map(copy).collect()).await;
    let (status, made) = ask(&router, "usr_a", "POST", "/api/sessions", None).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    bed.becomes(id, State::Running).await;
    bed.lifecycle.stop(id, "asked for").await.unwrap();
    let (status, refused) = ask(&router, "usr_a", "POST", "/api/sessions", None).await;
    assert_eq!(
        (status, &refused["code"], &refused["details"]),
        (StatusCode::CONFLICT, &json!("QUOTA_EXCEEDED"), &json!({"ended": 100, "limit": 100}))
    );
    // Those that are there can be used, and others are not concerned.
    let path = format!("/api/sessions/{id}/resume?wait=20");
    assert_eq!(ask(&router, "usr_a", "POST", &path, None).await.0, StatusCode::OK);
    assert_eq!(ask(&router, "usr_b", "POST", "/api/sessions", None).await.0, StatusCode::CREATED);
    let (status, _) = ask(&router, "usr_a", "DELETE", &format!("/api/sessions/{}", session.id), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&router, "usr_a", "POST", "/api/sessions", None).await.0, StatusCode::CREATED);
}

/// Protects the database: whoever stops and resumes a session for months adds to its history each time.
#[tokio::test]
async fn a_history_keeps_its_last_lines() {
    let bed = bed().await;
    let (session, other) = (bed.running().await, bed.running_of("usr_b").await);
    for number in 0..600 {
        let now = jiff::Timestamp::now();
        sessions::remark(&bed.store, session.id, Some(format!("remark {number}")), now).await.unwrap();
    }
    let kept: i64 = bed
        .store
        .read(move |connection| {
            let sql = "SELECT count(*) FROM session_events WHERE session_id = ?1";
            Ok::<_, StoreError>(connection.query_row(sql, [session.id.to_string()], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(kept, 500);
    let told = bed.reasons(session.id).await;
    assert_eq!(
        (told.len(), told[0].as_str(), told[499].as_str()),
        (500, "running: remark 100", "running: remark 599")
    );
    assert_eq!(bed.reasons(other.id).await[0], "pending: created");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let bed = bed_with(|config| config.sessions.max_concurrent_sessions = 0).await;
    let (router, _) = api(&bed).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(bed.running().await.id.to_string());
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/api/sessions?limit=2".to_owned();
    loop {
        let request = Request::builder().uri(&path).extension(user("usr_a")).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let next = response.headers().get("x-next-cursor").map(|next| next.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let page: Value = serde_json::from_slice(&bytes).unwrap();
        seen.extend(
            page.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()),
        );
        match next {
            Some(next) => path = format!("/api/sessions?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    for path in ["/api/sessions?cursor=x", "/api/sessions?status=odd", "/api/sessions?limit=-1"] {
        assert_eq!(ask(&router, "usr_a", "GET", path, None).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let (_, stopped) = ask(&router, "usr_a", "GET", "/api/sessions?status=stopped", None).await;
    assert_eq!(stopped, json!([]));
}
