//! Tokens: which count, where they may be, how they end.

use crate::support::{Bed, SECRET};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use octo::auth::Role;
use octo::auth::token::{TokenError, Tokens};
use octo::config::Secret;
use serde_json::{Value, json};
use std::sync::Arc;

const WEBSOCKET: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn me(bed: &Bed, token: &str) -> (u16, String) {
    let answer = bed.get("/api/me", &[("authorization", &format!("Bearer {token}"))]);
    let reason = if answer.status == 200 { String::new() } else { answer.reason() };
    (answer.status, reason)
}

/// Signs claims as somebody who knows the secret would.
fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn claims(user: &str, now: i64) -> Value {
    json!({"sub": user, "iss": "octo", "exp": now + 100, "iat": now, "nbf": now, "jti": "a", "epoch": 0, "email": "",
        "name": "", "preferred_username": "", "role": "admin", "roles": ["admin"]})
}

/// Protects against forged, foreign, old and stripped tokens.
#[test]
fn only_a_token_of_ours_counts() {
    let bed = Bed::new();
    let anna = bed.user("anna", Role::User);
    let now = Timestamp::now().as_second();
    let good = claims(&anna.id, now);
    assert_eq!(me(&bed, &signed(Algorithm::HS256, SECRET, &good)), (200, String::new()));
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        signed(Algorithm::HS256, SECRET, &claims)
    };
    let without = |field: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(field);
        signed(Algorithm::HS256, SECRET, &claims)
    };
    let token = signed(Algorithm::HS256, SECRET, &good);
    let parts: Vec<&str> = token.split('.').collect();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    let other = with("sub", json!("usr_other"));
    let mixed = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    let rows = [
        (
            "another secret",
            signed(Algorithm::HS256, "another secret of at least 32 bytes", &good),
            "invalid_token",
        ),
        ("another algorithm", signed(Algorithm::HS512, SECRET, &good), "invalid_token"),
        ("no signature", none, "invalid_token"),
        ("another's claims", mixed, "invalid_token"),
        ("another issuer", with("iss", json!("workspace-backend")), "invalid_token"),
        ("no issuer", without("iss"), "invalid_token"),
        ("no end", without("exp"), "invalid_token"),
        ("no name of its own", without("jti"), "invalid_token"),
        ("not yet", with("nbf", json!(now + 60)), "invalid_token"),
        ("over", with("exp", json!(now - 60)), "token_expired"),
        ("another epoch", with("epoch", json!(1)), "invalid_token"),
        ("nobody", with("sub", json!("usr_nobody")), "user_not_found"),
        ("no token", "x.y.z".into(), "invalid_token"),
        ("development", format!("dev:{}", anna.id), "invalid_token"),
    ];
    for (what, token, reason) in rows {
        assert_eq!(me(&bed, &token), (401, reason.to_owned()), "{what}");
    }
    // What a token says of roles is for clients.
    let answer = bed.get("/api/admin/users", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!((answer.status, answer.reason()), (403, "insufficient_permissions".into()));
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    let tokens = Tokens::new(&Secret::new(SECRET), 100);
    let bed = Bed::new();
    let anna = bed.user("anna", Role::User);
    let made: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let token = tokens.issue(&anna, made).unwrap();
    let rows = [
        (-31, Err(TokenError::Invalid)),
        (-30, Ok(())),
        (0, Ok(())),
        (129, Ok(())),
        (130, Err(TokenError::Expired)),
        (1_000_000, Err(TokenError::Expired)),
    ];
    for (seconds, wanted) in rows {
        let now = made + SignedDuration::from_secs(seconds);
        assert_eq!(tokens.read(&token, now).map(drop), wanted, "{seconds} s");
    }
}

/// Protects against a token that goes on after its user logged out.
#[test]
fn a_token_ends_with_the_log_out_and_others_do_not() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let [first, second] = [bed.token("anna"), bed.token("anna")];
    let answer = bed.send("POST", "/api/auth/logout", &[("authorization", &format!("Bearer {first}"))], None);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("set-cookie"), "auth_token=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    assert_eq!(me(&bed, &first), (401, "invalid_token".into()));
    assert_eq!(me(&bed, &second).0, 200);
    // Without a log-in, or with one that has ended, there is nothing to complain of.
    assert_eq!(bed.send("POST", "/api/auth/logout", &[], None).status, 204);
    assert_eq!(
        bed.send("POST", "/api/auth/logout", &[("cookie", &format!("auth_token={first}"))], None).status,
        204
    );
}

/// Protects against users who keep what they had for as long as their token lasts.
#[test]
fn a_change_of_the_user_counts_at_once() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let headers = [("authorization", admin.as_str())];
    let anna = bed.user("anna", Role::Admin);
    let path = format!("/api/admin/users/{}", anna.id);
    let fresh = || bed.token("anna");

    let token = fresh();
    assert_eq!(bed.post(&format!("{path}/deactivate"), &headers, &json!({})).status, 200);
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));
    assert_eq!(bed.post(&format!("{path}/activate"), &headers, &json!({})).status, 200);
    assert_eq!(me(&bed, &token), (401, "invalid_token".into()), "it does not come back");

    let token = fresh();
    assert_eq!(bed.with_json("PUT", &path, &headers, &json!({"role": "user"})).status, 200);
    assert_eq!(me(&bed, &token).0, 401);

    let token = fresh();
    assert_eq!(bed.with_json("PUT", &path, &headers, &json!({"display_name": "Anna"})).status, 200);
    assert_eq!(me(&bed, &token).0, 200, "another name ends nothing");
    assert_eq!(bed.with_json("PUT", &path, &headers, &json!({"password": "another horse"})).status, 200);
    assert_eq!(me(&bed, &token), (401, "invalid_token".into()));

    bed.user("carl", Role::User);
    let token = bed.token("carl");
    let id = bed.get("/api/me", &[("authorization", &format!("Bearer {token}"))]).json()["id"].clone();
    assert_eq!(
        bed.send("DELETE", &format!("/api/admin/users/{}", id.as_str().unwrap()), &headers, None).status,
        204
    );
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));
}

/// Protects against a log-in that is remembered: what an operator writes at the command line, in another process, ends it with
/// the next request, and so does every other way to end one.
#[test]
fn what_is_remembered_of_a_log_in_ends_with_it() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let admin = [("authorization", admin.as_str())];
    let beside = rusqlite::Connection::open(bed.app.config.database()).unwrap();
    let used = |name: &str| {
        let id = bed.user(name, Role::User).id;
        let token = bed.token(name);
        for _ in 0..3 {
            assert_eq!(me(&bed, &token).0, 200);
        }
        (format!("/api/admin/users/{id}"), token)
    };
    let written = |sql: &str| {
        assert_eq!(beside.execute(sql, []).unwrap(), 1, "{sql}");
    };
    let (_, token) = used("anna");
    written("UPDATE users SET is_active = 0 WHERE username = 'anna'");
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));
    written("UPDATE users SET is_active = 1 WHERE username = 'anna'");
    assert_eq!(me(&bed, &token).0, 200);
    written("UPDATE users SET token_epoch = token_epoch + 1 WHERE username = 'anna'");
    assert_eq!(me(&bed, &token), (401, "invalid_token".into()));
    written("UPDATE users SET token_epoch = token_epoch - 1, role = 'admin' WHERE username = 'anna'");
    let answer = bed.get("/api/admin/users", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(answer.status, 200, "the role is looked up too");
    written("UPDATE users SET role = 'user' WHERE username = 'anna'");
    let answer = bed.get("/api/admin/users", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(answer.status, 403);
    written("DELETE FROM users WHERE username = 'anna'");
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));

    let (_, token) = used("bert");
    let answer = bed.send("POST", "/api/auth/logout", &[("authorization", &format!("Bearer {token}"))], None);
    assert_eq!(answer.status, 204);
    assert_eq!(me(&bed, &token), (401, "invalid_token".into()));
    let (path, token) = used("carl");
    assert_eq!(bed.post(&format!("{path}/deactivate"), &admin, &json!({})).status, 200);
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));
    let (path, token) = used("dora");
    assert_eq!(bed.with_json("PUT", &path, &admin, &json!({"password": "another horse"})).status, 200);
    assert_eq!(me(&bed, &token), (401, "invalid_token".into()));
    let (path, token) = used("emil");
    assert_eq!(bed.send("DELETE", &path, &admin, None).status, 204);
    assert_eq!(me(&bed, &token), (401, "user_not_found".into()));
}

/// Protects against a log-in that is remembered beyond its end, which nobody writes down.
#[test]
fn what_is_remembered_of_a_log_in_ends_in_time() {
    let bed = Bed::new();
    let anna = bed.user("anna", Role::User);
    let made = Timestamp::now();
    let token = bed.app.auth.tokens.issue(&anna, made).unwrap();
    let log_in = octo::auth::LogIn::from(bed.app.auth.tokens.read(&token, made).unwrap());
    let end = Timestamp::from_second(log_in.exp.unwrap()).unwrap();
    let user = |seconds: i64| {
        let now = end + SignedDuration::from_secs(seconds);
        let found = bed.runtime.block_on(bed.app.log_ins.user(&log_in, now));
        found.map(|user| user.id.clone()).map_err(|error| error.details.unwrap()["reason"].clone())
    };
    // The first is remembered; nothing is written between.
    for (seconds, wanted) in [
        (-60, Ok(anna.id.clone())),
        (29, Ok(anna.id.clone())),
        (30, Err(json!("token_expired"))),
        (29, Ok(anna.id.clone())),
    ] {
        assert_eq!(user(seconds), wanted, "{seconds} s after the end");
    }
}

/// Protects the memory: what a page keeps for a user may take a megabyte here, and a user may log in ten thousand times.
#[test]
fn a_user_is_remembered_once_for_all_log_ins() {
    let bed = Bed::new();
    let [anna, bob] = ["anna", "bob"].map(|name| bed.user(name, Role::User));
    let now = Timestamp::now();
    let remembered = |user: &octo::store::users::User| {
        let token = bed.app.auth.tokens.issue(user, now).unwrap();
        let log_in = octo::auth::LogIn::from(bed.app.auth.tokens.read(&token, now).unwrap());
        bed.runtime.block_on(bed.app.log_ins.user(&log_in, now)).unwrap()
    };
    let (first, second, other) = (remembered(&anna), remembered(&anna), remembered(&bob));
    assert!(Arc::ptr_eq(&first, &second), "the same user is kept twice");
    assert_eq!((&first.id, &other.id), (&anna.id, &bob.id));
    // What was written meanwhile counts.
    let path = format!("/api/admin/users/{}", anna.id);
    let admin = bed.bearer("root", Role::Admin);
    let change = bed.with_json("PUT", &path, &[("authorization", &admin)], &json!({"display_name": "Ann"}));
    assert_eq!(change.status, 200, "{change:?}");
    assert_eq!(remembered(&anna).display_name, "Ann");
}

#[test]
fn what_comes_first_counts_and_a_malformed_header_hides_a_good_cookie() {
    let bed = Bed::new();
    let [anna, bob] = ["anna", "bob"].map(|name| bed.user(name, Role::User));
    let [a, b] = ["anna", "bob"].map(|name| bed.token(name));
    let cookie = format!("auth_token={b}");
    let header = format!("bearer \t {a}");
    let both = bed.get("/api/me", &[("authorization", &header), ("cookie", &cookie)]);
    assert_eq!(both.json()["id"], anna.id.as_str());
    assert_eq!(bed.get("/api/me", &[("cookie", &cookie)]).json()["id"], bob.id.as_str());
    for malformed in ["", "Bearer", "Token x", "Bearer a b"] {
        let answer = bed.get("/api/me", &[("authorization", malformed), ("cookie", &cookie)]);
        assert_eq!((answer.status, answer.reason().as_str()), (401, "invalid_auth_header"), "{malformed:?}");
    }
    let twice = bed.get("/api/me", &[("authorization", &header), ("authorization", &header)]);
    assert_eq!(twice.reason(), "invalid_auth_header");
    assert_eq!(bed.get("/api/me", &[]).reason(), "missing_auth_header");
    // Who cannot be told apart may still use what is for everybody.
    assert_eq!(bed.get("/api/features", &[("authorization", "nonsense")]).status, 200);
}

/// Protects against tokens in histories, logs and links: an address only counts where nothing else can be sent.
#[test]
fn a_token_in_the_address_is_for_streams_and_sockets_alone() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let token = bed.token("anna");
    let path = format!("/api/me?x=1&token={token}");
    assert_eq!(bed.get(&path, &[]).reason(), "missing_auth_header");
    assert_eq!(bed.get(&path, &[("accept", "text/html, */*")]).status, 401);
    assert_eq!(bed.get(&path, &[("accept", "text/event-stream")]).status, 200);
    assert_eq!(bed.get(&path, &WEBSOCKET).status, 200);
    let answer =
        bed.with_json("PUT", &path, &[("accept", "text/event-stream")], &json!({"display_name": "x"}));
    assert_eq!(answer.status, 401);
}

#[test]
fn a_ticket_is_good_once() {
    let bed = Bed::new();
    let anna = bed.user("anna", Role::User);
    let header = format!("Bearer {}", bed.token("anna"));
    let ticket = || {
        let answer = bed.send("POST", "/api/auth/ticket", &[("authorization", &header)], None);
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["expires_in"], 30);
        answer.json()["ticket"].as_str().unwrap().to_owned()
    };
    let path = format!("/api/me?token={}", ticket());
    assert_eq!(bed.get(&path, &[]).status, 401, "not for other requests, which do not use it up");
    assert_eq!(bed.get(&path, &WEBSOCKET).json()["id"], anna.id.as_str());
    assert_eq!(bed.get(&path, &WEBSOCKET).reason(), "invalid_token", "used");
    // It ends with the log-ins of its user.
    let path = format!("/api/me?token={}", ticket());
    let change = json!({"current_password": crate::support::PASSWORD, "new_password": "another horse"});
    assert_eq!(bed.post("/api/auth/password", &[("authorization", &header)], &change).status, 200);
    assert_eq!(bed.get(&path, &WEBSOCKET).status, 401);
    assert_eq!(bed.send("POST", "/api/auth/ticket", &[], None).status, 401);
}

/// Protects against a ticket that outlives the log-in it was made with: others of the user go on.
#[test]
fn a_ticket_ends_with_the_log_out() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let [first, second] = [bed.token("anna"), bed.token("anna")].map(|token| format!("Bearer {token}"));
    let paths = [&first, &second].map(|header| {
        let answer = bed.send("POST", "/api/auth/ticket", &[("authorization", header)], None);
        format!("/api/me?token={}", answer.json()["ticket"].as_str().unwrap())
    });
    assert_eq!(bed.send("POST", "/api/auth/logout", &[("authorization", &first)], None).status, 204);
    assert_eq!(bed.get(&paths[0], &WEBSOCKET).reason(), "invalid_token");
    assert_eq!(bed.get(&paths[1], &WEBSOCKET).status, 200);
}

/// Protects against what was opened before: each of these ends it, without anybody's asking.
#[test]
fn what_a_log_in_holds_ends_with_it() {
    use octo::auth::{LogIn, Standing};
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let admin = [("authorization", admin.as_str())];
    let hold = |name: &str, role: Role| {
        let user = bed.user(name, role);
        let token = bed.token(name);
        let claims = bed.app.auth.tokens.read(&token, Timestamp::now()).unwrap();
        let _inside = bed.runtime.enter();
        let lease = Standing::new(claims.into(), bed.app.log_ins.clone()).hold(&bed.app.ending);
        (lease, format!("/api/admin/users/{}", user.id), format!("Bearer {token}"))
    };
    let out = hold("out", Role::User);
    let deactivated = hold("deactivated", Role::User);
    let lowered = hold("lowered", Role::Admin);
    let renewed = hold("renewed", Role::User);
    let deleted = hold("deleted", Role::User);
    let goes_on = hold("goes-on", Role::User);
    let over = {
        let _inside = bed.runtime.enter();
        let exp = Some(Timestamp::now().as_second() - 31);
        let user = bed.user("expired", Role::User).id;
        let log_in = LogIn { user, epoch: Some(0), jti: None, exp };
        Standing::new(log_in, bed.app.log_ins.clone()).hold(&bed.app.ending)
    };
    assert_eq!(bed.send("POST", "/api/auth/logout", &[("authorization", &out.2)], None).status, 204);
    assert_eq!(bed.post(&format!("{}/deactivate", deactivated.1), &admin, &json!({})).status, 200);
    assert_eq!(bed.with_json("PUT", &lowered.1, &admin, &json!({"role": "user"})).status, 200);
    let change = json!({"current_password": crate::support::PASSWORD, "new_password": "another horse"});
    assert_eq!(bed.post("/api/auth/password", &[("authorization", &renewed.2)], &change).status, 200);
    assert_eq!(bed.send("DELETE", &deleted.1, &admin, None).status, 204);
    let all = [&out.0, &deactivated.0, &lowered.0, &renewed.0, &deleted.0, &over];
    bed.runtime.block_on(async {
        for (number, lease) in all.into_iter().enumerate() {
            let ended = tokio::time::timeout(std::time::Duration::from_secs(30), lease.over().cancelled());
            assert!(ended.await.is_ok(), "{number}");
            assert_eq!(lease.farewell().0, 1008);
        }
    });
    assert!(!goes_on.0.over().is_cancelled());
    bed.app.ending.cancel();
    assert!(goes_on.0.over().is_cancelled() && goes_on.0.farewell().0 == 1001);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_ends_after_half_a_minute_and_there_are_never_many() {
    use octo::auth::LogIn;
    use octo::auth::ticket::Tickets;
    use std::time::Duration;
    use tokio::time::{Instant, advance};
    let mut tickets = Tickets::default();
    let log_in = LogIn { user: "anna".into(), epoch: Some(3), jti: Some("a".into()), exp: Some(9) };
    let first = tickets.issue(log_in.clone(), Instant::now()).unwrap();
    advance(Duration::from_millis(29_999)).await;
    let second = tickets.issue(log_in.clone(), Instant::now()).unwrap();
    advance(Duration::from_millis(1)).await;
    assert_eq!(tickets.take(&first, Instant::now()), None);
    assert_eq!(tickets.take(&second, Instant::now()), Some(log_in.clone()));
    let mut all = Vec::new();
    for _ in 0..33 {
        advance(Duration::from_millis(1)).await;
        all.push(tickets.issue(log_in.clone(), Instant::now()).unwrap());
    }
    assert_eq!(tickets.take(&all[0], Instant::now()), None, "the oldest made room");
    assert!(tickets.take(&all[1], Instant::now()).is_some());
}
