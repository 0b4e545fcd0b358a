//! Becoming a user with an invite code.

use crate::support::{Bed, PASSWORD};
use jiff::Timestamp;
use octo::auth::Role;
use octo::store::StoreError;
use octo::store::invites::{self, Invite, InviteError, NewInvite};
use serde_json::{Value, json};

fn invite(bed: &Bed, uses: u32, expires_at: Option<Timestamp>) -> Invite {
    let new = NewInvite { max_uses: uses, expires_at, ..NewInvite::default() };
    let made: Result<Invite, InviteError> = bed.runtime.block_on(
        bed.app.store.write(move |transaction| invites::create(transaction, &new, Timestamp::now())),
    );
    made.unwrap()
}

fn look(bed: &Bed, id: &str) -> Invite {
    let id = id.to_owned();
    let found: Result<Invite, InviteError> = bed
        .runtime
        .block_on(bed.app.store.read(move |connection| invites::by_id(connection, &id, Timestamp::now())));
    found.unwrap()
}

fn body(name: &str, code: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD, "invite_code": code})
}

#[test]
fn a_code_lets_somebody_in_as_a_user() {
    let bed = Bed::new();
    let code = invite(&bed, 2, None);
    let answer = bed.post("/api/auth/register", &[], &body("anna", &code.code));
    assert_eq!(answer.status, 201, "{answer:?}");
    let json = answer.json();
    assert_eq!((json["user"]["name"].as_str(), json["user"]["role"].as_str()), (Some("anna"), Some("user")));
    assert!(answer.header("set-cookie").starts_with("auth_token="));
    let token = format!("Bearer {}", json["token"].as_str().unwrap());
    assert_eq!(bed.get("/api/me", &[("authorization", &token)]).status, 200);
    assert_eq!(bed.log_in("anna", PASSWORD).status, 200);
    let after = look(&bed, &code.id);
    assert_eq!((after.uses_remaining, after.used_by.as_deref()), (1, json["user"]["id"].as_str()));
    assert!(after.last_used_at.is_some());
}

#[test]
fn refusals_say_why_and_take_no_use() {
    let bed = Bed::new();
    let code = invite(&bed, 1, None);
    let over = invite(&bed, 1, Some("2020-01-01T00:00:00Z".parse().unwrap()));
    bed.user("taken", Role::User);
    let with = |field: &str, value: &str| {
        let mut body = body("anna", &code.code);
        body[field] = json!(value);
        body
    };
    let rows = [
        (with("invite_code", "NOSUCH22"), 400, "invite_code", "no such invite code"),
        (with("invite_code", &over.code), 400, "invite_code", "expired"),
        (with("username", "an"), 400, "username", "3 to 50"),
        (with("username", "an na"), 400, "username", "3 to 50"),
        (with("username", &"a".repeat(51)), 400, "username", "3 to 50"),
        (with("email", "anna"), 400, "email", "no e-mail"),
        (with("email", "anna@host"), 400, "email", "no e-mail"),
        (with("email", "a@b@c.d"), 400, "email", "no e-mail"),
        (with("password", "1234567"), 400, "password", "8 characters"),
        (with("display_name", ""), 400, "display_name", "1 to 100"),
        (with("username", "TAKEN"), 409, "username", "taken"),
        (with("email", "Taken@example.org"), 409, "email", "taken"),
    ];
    for (body, status, field, said) in rows {
        let answer = bed.post("/api/auth/register", &[], &body);
        let json = answer.json();
        assert_eq!((answer.status, json["details"]["field"].as_str()), (status, Some(field)), "{answer:?}");
        assert!(json["error"].as_str().unwrap().contains(said), "{answer:?}");
        assert!(!answer.text.contains(PASSWORD));
    }
    assert_eq!(look(&bed, &code.id).uses_remaining, 1, "a use is only taken by a user");
    assert_eq!(bed.post("/api/auth/register", &[], &body("anna", &code.code)).status, 201);
    let answer = bed.post("/api/auth/register", &[], &body("bob", &code.code));
    assert!(answer.status == 400 && answer.text.contains("fully used"), "{answer:?}");
}

/// Protects against more users than a code allows, by many at one time.
#[test]
fn k_uses_make_exactly_k_users_however_many_try_at_once() {
    const USES: u32 = 3;
    // Each from an address of its own, so that the throttle does not do the work.
    let bed = Bed::with(|config| config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    let code = invite(&bed, USES, None);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|number| {
                let (bed, code) = (&bed, &code.code);
                scope.spawn(move || {
                    let from = format!("192.0.2.{number}");
                    bed.post(
                        "/api/auth/register",
                        &[("x-forwarded-for", &from)],
                        &body(&format!("user{number}"), code),
                    )
                    .status
                })
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(201), count(400)), (USES as usize, 16 - USES as usize), "{answers:?}");
    assert_eq!(look(&bed, &code.id).uses_remaining, 0);
    let users: Result<i64, StoreError> =
        bed.runtime.block_on(bed.app.store.read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?)
        }));
    assert_eq!(users.unwrap(), i64::from(USES));
}

/// The same race between two processes: `octo invite-codes` and a server share the file.
#[test]
fn two_openings_of_the_database_share_its_uses() {
    let bed = Bed::new();
    let code = invite(&bed, 5, None).code;
    let other = octo::store::Store::open(&bed.app.config.database()).unwrap();
    let stores = [bed.app.store.clone(), other];
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|number: usize| {
                let (store, code, bed) = (stores[number % 2].clone(), code.clone(), &bed);
                scope.spawn(move || {
                    let done: Result<String, InviteError> = bed.runtime.block_on(
                        store.write(move |transaction| invites::take(transaction, &code, Timestamp::now())),
                    );
                    usize::from(done.is_ok())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 5);
}
