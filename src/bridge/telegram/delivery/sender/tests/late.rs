//! What waited long: until when it is sent at all, how it is dated, and what is told in one message.

use super::world::{Reply, START, World, refusal, seconds};
use crate::bridge::telegram::delivery::stored::Stored;
use crate::bridge::telegram::notify;
use crate::clock::Clock;
use crate::outbox::Importance::{Important, Passing, Terminal};

#[test]
fn what_is_too_old_is_not_sent() {
    let mut world = World::new(&vec![Reply::Unreached; 20]);
    world.push("42%", Passing);
    world.push("Completed: cube", Terminal);
    world.run(1500);
    let chat = world.chat();
    assert!(chat.len() == 1 && chat[0].ends_with("Completed: cube"), "{chat:?}");
    // A printer that was off for longer than a week, and one that was off for less.
    for (days, expected) in [(8, 0), (6, 1)] {
        world.server.requests.lock().unwrap().clear();
        world.push(&format!("Completed: another after {days} days"), Terminal);
        world.clock.0.lock().unwrap().unix += seconds(days * 86_400);
        world.restart();
        let now = world.clock.now().monotonic.as_secs();
        world.run(now + 100);
        assert_eq!((world.requests().len(), world.waiting()), (expected, 0), "{days} days");
    }
}

#[test]
fn the_end_of_a_job_survives_a_day_offline_and_a_reboot() {
    let day = 86_400;
    let mut world = World::new(&vec![Reply::Unreached; 5000]);
    world.push("Started: cube", Important);
    world.run(60);
    world.push("Completed: cube - 1m", Terminal);
    world.run(day / 2);
    world.restart();
    world.run(day);
    assert!(world.times().len() < 1500 + 20, "it tries once a minute: {}", world.times().len());
    assert_eq!(world.chat(), Vec::<String>::new());
    world.server.script.lock().unwrap().clear();
    world.run(day + 61);
    let expected = ["[2026-11-21 02:20 UTC] Started: cube", "[2026-11-21 02:21 UTC] Completed: cube - 1m"];
    assert_eq!(world.chat(), expected);
}

#[test]
fn the_late_text_is_dated_by_the_rules() {
    // The sender and the rules agree on the border of ten minutes.
    let mut world = World::new(&[refusal(401, "Unauthorized")]);
    world.push("a", Terminal);
    world.run(700);
    assert_eq!(world.chat(), [notify::dated("a", seconds(START), seconds(START + 600))]);
}

#[test]
fn what_waited_long_is_told_in_one_message() {
    let mut world = World::new(&vec![Reply::Unreached; 60]);
    for text in ["Started: a", "Paused: a", "Completed: a", "Started: b"] {
        world.push(text, Important);
    }
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: b", Terminal);
    world.run(3600);
    let dated = |text: &str| notify::dated(text, seconds(START), seconds(START + 3600));
    let row: Vec<String> = ["Started: a", "Paused: a", "Completed: a", "Started: b"].map(dated).into();
    // The picture between them grew too old.
    assert_eq!(world.messages(), [format!("{}\n\n{}", row.join("\n\n"), dated("Completed: b"))]);
    assert_eq!(world.waiting(), 0);
}

#[test]
fn what_is_told_in_one_message_rings_if_one_of_them_does() {
    for (silences, expected) in
        [([true, false, true], false), ([false, true, true], false), ([true; 3], true)]
    {
        let mut world = World::new(&vec![Reply::Unreached; 30]);
        let at = world.clock.now().unix;
        for (key, silent) in ["a", "b", "c"].into_iter().zip(silences) {
            world.store(key, Important, at, &Stored { text: key.to_owned(), silent, ..Stored::default() });
        }
        world.run(3600);
        let shown: Vec<bool> =
            world.requests().iter().filter(|told| told.shown).map(|told| told.silent).collect();
        assert_eq!(shown, [expected], "{silences:?}");
    }
}

#[test]
fn one_that_is_refused_takes_no_other_with_it() {
    let mut script = vec![Reply::Unreached; 20];
    script.push(refusal(400, "Bad Request: chat is not pleased"));
    script.push(refusal(400, "Bad Request: chat is not pleased"));
    let mut world = World::new(&script);
    for text in ["a", "b", "c"] {
        world.push(text, Terminal);
    }
    world.run(3600);
    let dated = |text: &str| notify::dated(text, seconds(START), seconds(START + 3600));
    assert_eq!(world.waiting(), 0);
    let told = world.chat().join("|");
    assert!(
        !told.contains(&dated("a")) && told.contains(&dated("b")) && told.contains(&dated("c")),
        "{told}"
    );
}
