//! A chat that moves, loses its topic, or is gone.

use super::world::{Reply, World, refusal};
use crate::bridge::Health;
use crate::outbox::Importance::{Important, Normal, Terminal};

#[test]
fn a_group_that_moves_is_followed_and_remembered() {
    let moved = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009876543210}}"#;
    let mut world = World::new(&[Reply::Answer(400, moved.to_owned())]);
    world.push("a", Terminal);
    world.run(10);
    world.restart();
    world.push("b", Terminal);
    world.run(20);
    let chats: Vec<String> = world.requests().into_iter().map(|request| request.chat).collect();
    assert_eq!(chats, ["-100", "-1009876543210", "-1009876543210"]);
    assert_eq!(world.chat(), ["a", "b"]);
    assert_eq!(world.sender().report.lock().unwrap().moved_to, Some(-1_009_876_543_210));
}

#[test]
fn a_group_that_moves_in_circles_is_no_hot_loop() {
    let moved = r#"{"ok":false,"error_code":400,"parameters":{"migrate_to_chat_id":-7}}"#;
    let mut world = World::new(&vec![Reply::Answer(400, moved.to_owned()); 1000]);
    world.push("a", Terminal);
    world.run(3600);
    assert!(world.requests().len() < 3600 / 60 + 10, "{}", world.requests().len());
    assert_eq!(world.waiting(), 1);
}

#[test]
fn a_lost_topic_is_left_out_for_an_hour() {
    let mut world = World::new(&[refusal(400, "Bad Request: message thread not found")]);
    world.push("a", Terminal);
    world.run(10);
    world.push("b", Terminal);
    world.run(20);
    assert!(world.sender().report.lock().unwrap().thread_lost);
    world.run(3700);
    world.push("c", Terminal);
    world.run(3800);
    let threads: Vec<Option<i64>> = world.requests().iter().map(|request| request.thread).collect();
    assert_eq!(threads, [Some(17), None, None, Some(17)]);
    assert_eq!(world.chat(), ["a", "b", "c"]);
    assert!(!world.sender().report.lock().unwrap().thread_lost);
}

#[test]
fn a_chat_without_any_open_topic_is_probed() {
    let mut world =
        World::new(&[refusal(400, "Bad Request: TOPIC_CLOSED"), refusal(400, "Bad Request: TOPIC_CLOSED")]);
    world.push("a", Terminal);
    world.run(599);
    assert_eq!(world.times(), [0, 0]);
    world.run(700);
    assert_eq!(world.chat(), ["[2026-11-21 02:20 UTC] a"]);
}

#[test]
fn while_the_chat_is_gone_only_ends_and_the_newest_are_kept() {
    let mut world = World::new(&vec![refusal(403, "Forbidden: bot was blocked by the user"); 2]);
    for (text, importance) in [("s1", Important), ("p1", Normal), ("e1", Terminal), ("s2", Important)] {
        world.push(text, importance);
    }
    world.run(500);
    assert_eq!((world.times(), world.waiting()), (vec![0], 2));
    assert_eq!(world.trouble().0, Health::Fail);
    world.push("e2", Terminal);
    world.run(1300);
    assert_eq!(world.times()[..3], [0, 600, 1200]);
    let texts: Vec<String> = world.chat().iter().map(|text| text[text.len() - 2..].to_owned()).collect();
    assert_eq!(texts, ["e1", "e2"]);
}
