//! One message on its way: to whom it goes, how fast, and what becomes of one that is not taken as it is.

use super::super::Next;
use super::world::{Reply, Request, START, World, config, refusal, seconds};
use crate::bridge::Health;
use crate::bridge::telegram::delivery::stored::Stored;
use crate::clock::Clock;
use crate::outbox::Entry;
use crate::outbox::Importance::{Important, Normal, Terminal};

#[test]
fn a_message_goes_to_chat_and_topic_once() {
    let mut world = World::new(&[]);
    world.push("Started: cube", Important);
    world.run(100);
    let expected = Request {
        at: 0,
        chat: "-100".into(),
        thread: Some(17),
        text: "Started: cube".into(),
        method: "sendMessage",
        shown: true,
        silent: false,
    };
    assert_eq!(world.requests(), [expected]);
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.trouble().0, Health::Ok);
    world.restart();
    world.push("Started: cube", Important);
    world.run(200);
    assert_eq!(world.requests().len(), 1, "the same fact again");
}

#[test]
fn a_connection_is_kept_for_what_follows_soon() {
    let mut world = World::new(&[]);
    let mut told = Vec::new();
    for until in [3, 9, 10, 18, 19, 40] {
        world.push(&format!("before {until}"), Terminal);
        world.run(until);
        told.push(world.sender().rests_in().map(|rest| rest.as_secs()));
    }
    world.run(60);
    assert_eq!(world.sender().rests_in(), None);
    assert_eq!((world.times(), told), (vec![0, 3, 9, 10, 18, 19], [7, 4, 9, 2, 9, 0].map(Some).to_vec()));
    assert_eq!(*world.server.rests.lock().unwrap(), [40]);
}

#[test]
fn a_burst_in_a_group_is_paced() {
    let mut world = World::new(&[]);
    for n in 0..40 {
        world.push(&format!("m{n}"), Normal);
    }
    world.run(300);
    assert_eq!(world.chat().len(), 40);
    let times = world.times();
    for start in 0..200 {
        assert!(times.iter().filter(|at| (start..start + 60).contains(*at)).count() <= 20);
    }
}

#[test]
fn what_is_held_back_goes_at_its_time_and_can_be_taken_back() {
    let mut world = World::new(&[]);
    let at = world.clock.now().unix;
    let not_before_ms = Some((START + 5) * 1000);
    let stored = |text: &str| Stored { text: text.to_owned(), not_before_ms, ..Stored::default() };
    world.store("paused 1", Normal, at, &stored("Paused"));
    world.run(3);
    assert_eq!(world.chat(), [""; 0]);
    assert!(world.sender().queue.take_back("paused 1", "it was short"));
    world.store("paused 2", Normal, at, &stored("Paused again"));
    world.run(20);
    assert_eq!(world.times(), [5]);
    // What was on its way may have arrived.
    world.server.script.lock().unwrap().push_back(Reply::Lost);
    world.push("Paused", Normal);
    assert!(matches!(world.sender().step(), Next::At(_)));
    assert!(!world.sender().queue.take_back("Paused", "it was short"));
    world.run(25);
    assert_eq!(world.chat(), ["Paused again", "Paused", "Paused"]);
    // A clock that was set back by years must not hold a message for years.
    let later = Some((START + 86_400) * 1000);
    world.store("c", Normal, at, &Stored { not_before_ms: later, ..stored("c") });
    world.run(40);
    assert_eq!(world.chat().last().map(String::as_str), Some("c"));
}

#[test]
fn a_refused_message_does_not_hold_up_the_others() {
    let mut world = World::new(&[refusal(400, "Bad Request: message text is empty")]);
    world.push("a", Terminal);
    world.push("b", Terminal);
    world.run(10);
    assert_eq!(world.chat(), ["b"]);
    assert_eq!(world.waiting(), 0);
}

#[test]
fn a_text_that_is_too_long_is_shortened_once() {
    let mut world = World::new(&vec![refusal(400, "Bad Request: message is too long"); 2]);
    world.push(&"x".repeat(1020), Terminal);
    world.run(10);
    let lengths: Vec<usize> =
        world.requests().iter().map(|request| request.text.encode_utf16().count()).collect();
    assert_eq!((lengths, world.waiting()), (vec![1020, 1000], 0));
}

#[test]
fn markup_that_is_refused_is_left_out() {
    let mut world = World::new(&[refusal(400, "Bad Request: can't parse entities: unsupported start tag")]);
    world.config = config("html");
    world.restart();
    world.push("Started: a<b\n10%", Important);
    world.push("b", Normal);
    world.run(100);
    let texts: Vec<String> = world.requests().into_iter().map(|request| request.text).collect();
    assert_eq!(texts, ["<b>Started: a&lt;b</b>\n10%", "Started: a<b\n10%", "<b>b</b>"]);
}

#[test]
fn a_body_of_another_kind_is_dropped() {
    let mut world = World::new(&[]);
    let body = br#"{"photo":1}"#.to_vec();
    let entry = Entry { key: "k".into(), importance: Normal, at: seconds(START), slot: None, body };
    world.sender().queue.push(entry);
    world.push("a", Normal);
    world.run(10);
    assert_eq!(world.chat(), ["a"]);
}
