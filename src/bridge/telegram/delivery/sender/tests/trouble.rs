//! A server that is out of reach, in trouble, or refuses the token: how long it is left alone, and what is told of it.

use super::world::{Reply, START, World, refusal, seconds};
use crate::bridge::Health;
use crate::bridge::telegram::api::{Answer, Fault, FaultKind, Outcome, classify};
use crate::outbox::Importance::{Normal, Terminal};

#[test]
fn the_log_tells_a_trouble_once_whatever_times_it_names() {
    let mut world = World::new(&[]);
    let answered = |code, said: &str| {
        let body = format!(r#"{{"ok":false,"error_code":{code},"description":"{said}"}}"#);
        Outcome::Answered(Answer::read(code, None, body.as_bytes()))
    };
    let failed = |text: &str| Outcome::Failed(Fault { kind: FaultKind::ClockNotSet, text: text.to_owned() });
    let told: Vec<bool> = [
        answered(429, "Too Many Requests: retry after 30"),
        answered(429, "Too Many Requests: retry after 31"),
        failed("it shows 00:01"),
        failed("it shows 00:02"),
        answered(502, "Bad Gateway"),
        answered(500, "Internal Server Error"),
        answered(500, "Internal Server Error"),
    ]
    .iter()
    .map(|outcome| world.sender().is_news(classify(outcome), outcome))
    .collect();
    assert_eq!(told, [true, false, true, false, true, true, false]);
    // After a success the same is news again.
    world.push("a", Normal);
    world.run(10);
    let outcome = answered(500, "Internal Server Error");
    assert!(world.sender().is_news(classify(&outcome), &outcome));
}

#[test]
fn a_flood_limit_is_waited_out() {
    let flood = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}"#;
    let mut world = World::new(&[Reply::Answer(429, flood.to_owned())]);
    world.push("a", Terminal);
    world.push("b", Terminal);
    world.run(20);
    assert_eq!(world.trouble().0, Health::Waiting);
    world.run(100);
    assert_eq!(world.times(), [0, 30, 30]);
    assert_eq!(world.chat(), ["a", "b"]);
}

#[test]
fn server_trouble_is_waited_out_with_growing_pauses() {
    let script =
        [refusal(500, "Internal Server Error"), Reply::Answer(502, "<html>".to_owned()), Reply::Unreached];
    let mut world = World::new(&script);
    world.push("a", Terminal);
    world.run(100);
    assert_eq!(world.times(), [0, 1, 3, 7]);
    assert_eq!(world.chat(), ["a"]);
    // A success starts the pauses anew.
    world.server.script.lock().unwrap().push_back(Reply::Unreached);
    world.push("b", Terminal);
    world.run(200);
    assert_eq!(world.times()[4..], [100, 101]);
}

#[test]
fn a_lost_answer_costs_one_duplicate() {
    let mut world = World::new(&[Reply::Lost]);
    world.push("a", Terminal);
    world.run(1000);
    assert_eq!(world.chat(), ["a", "a"]);
}

#[test]
fn a_refused_token_is_probed_every_ten_minutes() {
    let mut world = World::new(&vec![refusal(401, "Unauthorized"); 3]);
    for text in ["a", "b"] {
        world.push(text, Terminal);
    }
    world.push("c", Normal);
    world.run(1700);
    assert_eq!(world.times(), [0, 600, 1200]);
    let (health, text) = world.trouble();
    assert_eq!(health, Health::Fail);
    assert!(text.contains("TELEGRAM_BOT_TOKEN") && !text.contains("secret-token"), "{text}");
    world.run(2000);
    let day = "[2026-11-21 02:20 UTC]";
    assert_eq!(world.chat(), [format!("{day} a"), format!("{day} b"), format!("{day} c")]);
    assert_eq!(world.trouble().0, Health::Ok);
}

#[test]
fn a_clock_that_is_set_late_is_waited_for() {
    let mut world = World::new(&vec![Reply::TooEarly; 20]);
    world.clock.0.lock().unwrap().unix = seconds(40);
    world.push("Completed: cube", Terminal);
    world.run(100);
    let times = world.times();
    assert_eq!(times[..6], [0, 1, 3, 7, 15, 25]);
    world.clock.0.lock().unwrap().unix = seconds(START);
    world.server.script.lock().unwrap().clear();
    world.run(111);
    // When it happened is unknown, so that nothing wrong is said about it.
    assert_eq!(world.chat(), ["Completed: cube"]);
}
