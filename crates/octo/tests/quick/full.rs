//! The disk is full: what was asked for is refused in words and not half done, the server goes on, and all is well once there
//! is room again. SQLite is told that the file must not grow, as it tells us when the disk has no more room.

use crate::support::Bed;
use jiff::Timestamp;
use octo::auth::Role;
use octo::store::users::{self, NewUser, User, UserError};
use octo::store::{StoreError, Writes};
use serde_json::json;

/// The file has at most so many pages; never less than it has.
fn allow(bed: &Bed, pages: u32) {
    let done: Result<(), StoreError> = bed.runtime.block_on(bed.app.store.write(move |transaction| {
        Ok(transaction.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
    }));
    done.unwrap();
}

/// Makes small users until there is no room for another.
fn fill(bed: &Bed) {
    let (mut number, mut refused) = (0_u32, 0);
    while refused < 20 {
        number += 1;
        assert!(number < 5000, "the file grows");
        let new = NewUser {
            username: format!("{:x}", number.wrapping_mul(2_654_435_761)),
            email: format!("{:x}@b.c", number.wrapping_mul(2_654_435_761)),
            display_name: String::new(),
            password_hash: None,
            role: Role::User,
            external_id: None,
        };
        let made: Result<User, UserError> = bed.runtime.block_on(
            bed.app.store.write(move |transaction| users::create(transaction, &new, Timestamp::now())),
        );
        match made {
            Ok(_) => refused = 0,
            Err(UserError::Store(error)) => {
                assert_eq!(error.writes(), Writes::Full, "{error}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_done() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let headers = [("authorization", admin.as_str())];
    let invite = bed.post("/api/admin/invite-codes", &headers, &json!({"code": "ONE-USE"}));
    assert_eq!(invite.status, 201, "{invite:?}");
    allow(&bed, 1);
    fill(&bed);

    let registration = json!({
        "username": "a-name-of-nearly-fifty-characters-is-a-long-name",
        "email": format!("{}@example.org", "e".repeat(200)),
        "password": "long enough",
        "display_name": "d".repeat(100),
        "invite_code": "ONE-USE",
    });
    let register = || bed.post("/api/auth/register", &[], &registration);
    let refused = register();
    assert_eq!(refused.status, 507, "{refused:?}");
    let said = refused.json();
    assert_eq!(
        (&said["code"], &said["details"]["reason"]),
        (&json!("INSUFFICIENT_STORAGE"), &json!("disk_full"))
    );
    // A person reads what to do, and nothing of the server's insides.
    let words = said["error"].as_str().unwrap();
    assert!(words.contains("disk is full") && !words.contains("sqlite") && !words.contains('/'), "{words}");
    // The code was not used up.
    let codes = || bed.get("/api/admin/invite-codes?valid=true", &headers).json();
    assert_eq!(codes()[0]["uses_remaining"], 1);

    // Reading and logging in go on.
    for path in ["/health", "/ready", "/metrics", "/api/me", "/api/admin/users?limit=1"] {
        assert_eq!(bed.get(path, &headers).status, 200, "{path}");
    }
    assert_eq!(bed.log_in("root", crate::support::PASSWORD).status, 200);

    allow(&bed, 1_000_000);
    assert_eq!(register().status, 201);
    assert_eq!(register().status, 400, "its one use is used");
    assert_eq!(codes().as_array().unwrap().len(), 0);
}
