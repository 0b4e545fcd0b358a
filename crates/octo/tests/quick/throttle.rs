//! How often somebody may try.

use crate::support::{Bed, PASSWORD};
use octo::auth::Role;
use octo::auth::throttle::Throttle;
use proptest::prelude::*;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::time::{Instant, advance};

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn seconds(wait: Result<(), Duration>) -> u64 {
    wait.map_or_else(|wait| wait.as_secs(), |()| 0)
}

/// Protects against guessing passwords: after five tries each further one waits twice as long, up to a quarter of an hour.
#[tokio::test(start_paused = true)]
async fn guesses_become_slow() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        assert_eq!(throttle.attempt("anna", address(1), Instant::now()), Ok(()));
    }
    let mut waits = Vec::new();
    for _ in 0..12 {
        let wait = seconds(throttle.attempt("ANNA", address(1), Instant::now()));
        waits.push(wait);
        advance(Duration::from_secs(wait) - Duration::from_millis(1)).await;
        assert_ne!(
            seconds(throttle.attempt("anna", address(1), Instant::now()).map_err(|_| Duration::from_secs(1))),
            0
        );
        advance(Duration::from_millis(1)).await;
        assert_eq!(throttle.attempt("anna", address(1), Instant::now()), Ok(()));
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
}

#[tokio::test(start_paused = true)]
async fn others_are_not_locked_out() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        throttle.attempt("anna", address(1), Instant::now()).unwrap();
    }
    assert_ne!(seconds(throttle.attempt("anna", address(1), Instant::now())), 0);
    assert_eq!(throttle.attempt("bob", address(1), Instant::now()), Ok(()), "another user there");
    assert_eq!(throttle.attempt("anna", address(2), Instant::now()), Ok(()), "the user elsewhere");
    throttle.succeeded("anna", address(1));
    assert_eq!(throttle.attempt("anna", address(1), Instant::now()), Ok(()), "after a right password");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_tries_many_users_and_a_user_whom_many_try_are_slowed_too() {
    let mut throttle = Throttle::default();
    for user in 0..30 {
        throttle.attempt(&format!("user{user}"), address(1), Instant::now()).unwrap();
    }
    assert_ne!(seconds(throttle.attempt("another", address(1), Instant::now())), 0);
    // One right password does not free the address for more guesses at others'.
    throttle.succeeded("user1", address(1));
    throttle.attempt("another", address(1), Instant::now()).unwrap();
    assert_ne!(seconds(throttle.attempt("yet another", address(1), Instant::now())), 0);

    let mut throttle = Throttle::default();
    for from in 0..100 {
        throttle.attempt("anna", address(from), Instant::now()).unwrap();
    }
    assert_ne!(seconds(throttle.attempt("anna", address(200), Instant::now())), 0);
    // Addresses of one customer are one.
    let mut throttle = Throttle::default();
    for last in 0..5 {
        throttle
            .attempt("anna", Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last).into(), Instant::now())
            .unwrap();
    }
    let same = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 9, 9, 9, 9).into();
    assert_ne!(seconds(throttle.attempt("anna", same, Instant::now())), 0);
}

/// Protects an office behind one address: what its people mistyped in the course of weeks would else make each of them wait
/// a quarter of an hour for the log-in of the one before.
#[tokio::test(start_paused = true)]
async fn what_was_mistyped_long_ago_is_forgotten() {
    let mut throttle = Throttle::default();
    for user in 0..60 {
        assert_eq!(throttle.attempt(&format!("user{user}"), address(1), Instant::now()), Ok(()));
        advance(Duration::from_secs(2 * 3600)).await;
    }
    for user in ["anna", "bob"] {
        assert_eq!(throttle.attempt(user, address(1), Instant::now()), Ok(()), "{user}");
        throttle.succeeded(user, address(1));
    }
    // Whoever waits for as long as he is told to, and tries on, does not begin anew.
    for _ in 0..20 {
        if let Err(wait) = throttle.attempt("carl", address(2), Instant::now()) {
            advance(wait).await;
            throttle.attempt("carl", address(2), Instant::now()).unwrap();
        }
    }
    assert_eq!(seconds(throttle.attempt("carl", address(2), Instant::now())), 900);
}

/// Protects the memory from a flood of names.
#[tokio::test(start_paused = true)]
async fn a_flood_of_names_takes_bounded_memory() {
    let mut throttle = Throttle::default();
    for number in 0..30_000_u32 {
        advance(Duration::from_millis(1)).await;
        let from = IpAddr::from(Ipv4Addr::from(number));
        throttle.attempt(&format!("{number}"), from, Instant::now()).unwrap();
    }
    assert!(throttle.len() <= 10_000, "{}", throttle.len());
}

#[test]
fn the_answer_says_how_long_to_wait() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    for _ in 0..5 {
        assert_eq!(bed.log_in("anna", "wrong").status, 401);
    }
    let answer = bed.log_in("anna", PASSWORD);
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (429, Some("TOO_MANY_REQUESTS")),
        "{answer:?}"
    );
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");
    // Guesses at codes are counted as well.
    let body =
        json!({"username": "anna2", "email": "a@example.org", "password": PASSWORD, "invite_code": "NOSUCH"});
    let answers: Vec<u16> = (0..6).map(|_| bed.post("/api/auth/register", &[], &body).status).collect();
    assert_eq!(answers, [400, 400, 400, 400, 400, 429]);
}

/// Protects against guesses that are sent all at once, before the first has failed.
#[test]
fn parallel_guesses_are_counted_before_they_are_looked_at() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let looked_at: usize = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..20).map(|_| scope.spawn(|| usize::from(bed.log_in("anna", "wrong").status == 401))).collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).sum()
    });
    // Slow machines let the first pause pass meanwhile.
    assert!((5..=8).contains(&looked_at), "{looked_at}");
}

proptest! {
    #[test]
    fn any_course_of_tries_ends_within_a_quarter_of_an_hour(tries in prop::collection::vec((0..3_u8, 0..3_u8, 0..2000_u64), 0..80)) {
        let mut throttle = Throttle::default();
        let mut now = Instant::now();
        for (user, from, later) in tries {
            now += Duration::from_secs(later);
            if let Err(wait) = throttle.attempt(&format!("user{user}"), address(from), now) {
                prop_assert!(wait <= Duration::from_secs(900) && wait > Duration::ZERO);
                prop_assert_eq!(throttle.attempt(&format!("user{user}"), address(from), now + wait), Ok(()));
                now += wait;
            }
        }
    }
}
