//! Logging in: who may, what is said of the others, and what the answer carries.

use crate::support::{Bed, PASSWORD, cheap, dev_user};
use octo::auth::Role;
use octo::auth::password::Work;
use serde_json::json;

#[test]
fn a_log_in_gives_a_token_and_a_cookie() {
    let bed = Bed::new();
    let anna = bed.user("anna", Role::Admin);
    for name in ["anna", "ANNA", "anna@example.org"] {
        let answer = bed.log_in(name, PASSWORD);
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        assert_eq!(
            json["user"],
            json!({"id": anna.id, "name": "anna", "email": "anna@example.org", "role": "admin"})
        );
        let token = json["token"].as_str().unwrap();
        assert_eq!(
            answer.header("set-cookie"),
            format!("auth_token={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400")
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        for (name, value) in
            [("authorization", format!("Bearer {token}")), ("cookie", format!("x=1; auth_token={token}"))]
        {
            let me = bed.get("/api/me", &[(name, &value)]);
            assert_eq!((me.status, me.json()["id"].as_str()), (200, Some(anna.id.as_str())), "{name}");
        }
    }
    assert!(anna.last_login_at.is_none());
}

/// Protects against learning who has an account: name, password and activity are refused in the same words.
#[test]
fn a_refusal_does_not_say_what_was_wrong() {
    let bed = Bed::new();
    bed.user("anna", Role::Admin);
    let bob = bed.user("bob", Role::User);
    bed.user_with("carl", Role::User, None);
    let admin = format!("Bearer {}", bed.token("anna"));
    let off = bed.post(
        &format!("/api/admin/users/{}/deactivate", bob.id),
        &[("authorization", &admin)],
        &json!({}),
    );
    assert_eq!(off.status, 200);
    let mut answers: Vec<_> =
        [("anna", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("carl", ""), ("", "")]
            .into_iter()
            .map(|(name, password)| {
                let answer = bed.log_in(name, password);
                assert_eq!(answer.status, 401, "{name}: {answer:?}");
                assert_eq!(answer.header("set-cookie"), "");
                let mut json = answer.json();
                json["request_id"].take();
                json
            })
            .collect();
    answers.dedup();
    assert_eq!(
        answers,
        [json!({"error": "wrong name or password", "code": "UNAUTHORIZED",
            "details": {"reason": "invalid_credentials"}, "request_id": null})]
    );
}

/// What verifying costs at a log-in that is refused.
fn cost_of(bed: &Bed, name: &str) -> Work {
    let before = bed.app.auth.passwords.done();
    let answer = bed.log_in(name, "wrong");
    assert_eq!(answer.status, 401, "{name}: {answer:?}");
    let after = bed.app.auth.passwords.done();
    Work { argon2: after.argon2 - before.argon2, bcrypt: after.bcrypt - before.bcrypt }
}

/// Protects against learning who has an account by the time of the answer: whoever is named, there or not, the same is done.
#[test]
fn an_unknown_name_costs_as_much_as_any_other() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    bed.user_with("carl", Role::User, None);
    let bob = bed.user("bob", Role::User);
    let off = octo::store::users::Change { is_active: Some(false), ..Default::default() };
    let done: Result<_, octo::store::users::UserError> = bed.runtime.block_on(
        bed.app
            .store
            .write(move |change| octo::store::users::update(change, &bob.id, &off, jiff::Timestamp::now())),
    );
    done.unwrap();
    let names = ["nobody", "anna", "ANNA@example.org", "bob", "carl", "", "nobody@example.org"];
    for name in names {
        assert_eq!(cost_of(&bed, name), Work { argon2: 1, bcrypt: 0 }, "{name}");
    }
    // With hashes of older installations, and of different costs.
    for (name, cost) in [("dora", 4), ("emil", 6)] {
        bed.user_with(name, Role::User, Some(bcrypt::hash(PASSWORD, cost).unwrap()));
    }
    for name in names.into_iter().chain(["dora", "emil"]) {
        assert_eq!(cost_of(&bed, name), Work { argon2: 1, bcrypt: 1 << 6 }, "{name}");
    }
    // Who comes in gets a new hash; once all have one, nobody pays for the old ones.
    bed.token("emil");
    assert_eq!(cost_of(&bed, "nobody"), Work { argon2: 1, bcrypt: 1 << 4 });
    bed.token("dora");
    assert_eq!(cost_of(&bed, "dora"), Work { argon2: 1, bcrypt: 0 });
}

/// The same with users of the settings.
#[test]
fn an_unknown_name_costs_as_much_in_the_development_mode() {
    let bed = Bed::with(|config| {
        config.auth.dev_mode = true;
        config.auth.dev_users = vec![dev_user("devon", Role::Admin), dev_user("dirk", Role::User)];
        config.auth.dev_users[1].password_hash =
            octo::config::Secret::new(bcrypt::hash(PASSWORD, 5).unwrap());
    });
    bed.user("anna", Role::User);
    for name in ["nobody", "anna", "devon", "devon@dev.example.org", "dirk"] {
        assert_eq!(cost_of(&bed, name), Work { argon2: 2, bcrypt: 1 << 5 }, "{name}");
    }
}

#[test]
fn an_old_hash_is_replaced_at_the_next_log_in() {
    let bed = Bed::new();
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    let anna = bed.user_with("anna", Role::User, Some(old.clone()));
    assert_eq!(bed.log_in("anna", "wrong").status, 401);
    let hash = || {
        let id = anna.id.clone();
        let found: Result<Option<String>, octo::store::StoreError> = bed.runtime.block_on(
            bed.app.store.read(move |connection| octo::store::users::password_hash(connection, &id)),
        );
        found.unwrap().unwrap()
    };
    assert_eq!(hash(), old);
    let token = bed.token("anna");
    assert!(hash().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", hash());
    assert_eq!(
        bed.get("/api/me", &[("authorization", &format!("Bearer {token}"))]).status,
        200,
        "no new epoch"
    );
    bed.token("anna");
    let [a, b] = [cheap(), cheap()].map(|passwords| passwords.hash_now(PASSWORD).unwrap());
    assert_ne!(a, b, "each has a salt of its own");
}

#[test]
fn users_of_the_development_mode_exist_in_it_alone() {
    let users = || vec![dev_user("devon", Role::Admin)];
    let bed = Bed::with(|config| {
        config.auth.dev_mode = true;
        config.auth.dev_users = users();
    });
    for name in ["devon", "devon@dev.example.org"] {
        let answer = bed.log_in(name, PASSWORD);
        assert_eq!(
            (answer.status, answer.json()["user"]["role"].as_str()),
            (200, Some("admin")),
            "{answer:?}"
        );
        assert_eq!(bed.log_in(name, "wrong").status, 401);
    }
    for headers in [("x-dev-user", "devon"), ("authorization", "Bearer dev:devon")] {
        assert_eq!(bed.get("/api/me", &[headers]).json()["id"], "devon", "{headers:?}");
    }
    for headers in
        [("x-dev-user", "nobody"), ("authorization", "Bearer dev:nobody"), ("cookie", "auth_token=dev:devon")]
    {
        assert_eq!(bed.get("/api/me", &[headers]).status, 401, "{headers:?}");
    }
    // A real user is nobody's to impersonate.
    let anna = bed.user("anna", Role::User);
    assert_eq!(bed.get("/api/me", &[("x-dev-user", &anna.id)]).status, 401);
    assert_eq!(bed.get("/api/me", &[("x-dev-user", "anna")]).status, 401);

    // The same database, without the mode: no word of it counts, not even a token that was signed.
    let token = bed.token("devon");
    let data = bed.app.config.paths.data_dir.clone();
    let later = Bed::with(|config| {
        config.paths.data_dir = data;
        config.auth.dev_users = users();
    });
    for headers in [
        ("x-dev-user", "devon".to_owned()),
        ("authorization", "Bearer dev:devon".to_owned()),
        ("authorization", format!("Bearer {token}")),
    ] {
        assert_eq!(later.get("/api/me", &[(headers.0, &headers.1)]).status, 401, "{headers:?}");
    }
    assert_eq!(later.log_in("devon", PASSWORD).status, 401);
}

#[test]
fn the_cookie_is_secure_where_people_come_by_https() {
    let secure = |bed: &Bed, headers: &[(&str, &str)]| {
        let answer = bed.post("/api/auth/login", headers, &json!({"username": "anna", "password": PASSWORD}));
        assert_eq!(answer.status, 200);
        answer.header("set-cookie").ends_with("; Secure")
    };
    let bed = Bed::new();
    bed.user("anna", Role::User);
    assert!(!secure(&bed, &[]));
    assert!(!secure(&bed, &[("x-forwarded-proto", "https")]), "nobody's word but a trusted proxy's");
    let bed = Bed::with(|config| config.server.public_url = Some("https://octo.example.org".into()));
    bed.user("anna", Role::User);
    assert!(secure(&bed, &[]));
    let bed = Bed::with(|config| config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    bed.user("anna", Role::User);
    assert!(secure(&bed, &[("x-forwarded-proto", "https")]));
    assert!(!secure(&bed, &[("x-forwarded-proto", "http")]));
}

#[test]
fn a_new_password_ends_all_other_log_ins() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let old = format!("Bearer {}", bed.token("anna"));
    let change = |current: &str, new: &str| {
        bed.post(
            "/api/auth/password",
            &[("authorization", &old)],
            &json!({"current_password": current, "new_password": new}),
        )
    };
    assert_eq!(change("wrong", "another horse").status, 401);
    assert_eq!(change(PASSWORD, "short").status, 400);
    let answer = change(PASSWORD, "another horse");
    assert_eq!(answer.status, 200, "{answer:?}");
    let new = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
    assert_eq!(bed.get("/api/me", &[("authorization", &old)]).reason(), "invalid_token");
    assert_eq!(bed.get("/api/me", &[("authorization", &new)]).status, 200);
    assert_eq!(bed.log_in("anna", PASSWORD).status, 401);
    assert_eq!(bed.log_in("anna", "another horse").status, 200);
}
