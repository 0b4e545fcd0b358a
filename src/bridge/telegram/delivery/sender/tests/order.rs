//! Whatever happens, every end arrives, in order, and twice only after a lost answer.

use super::super::Next;
use super::world::{Reply, World, refusal};
use crate::outbox::Importance::Terminal;
use proptest::prelude::*;

#[test]
fn a_lost_answer_across_a_crash_keeps_order() {
    let mut world = World::new(&[Reply::Lost]);
    for text in ["a", "b"] {
        world.push(text, Terminal);
    }
    assert!(matches!(world.sender().step(), Next::At(_)));
    world.restart();
    world.run(10);
    assert_eq!(world.chat(), ["a", "a", "b"]);
}

#[derive(Debug, Clone)]
enum Turn {
    Reply(Reply),
    Restart,
    Push,
}

proptest! {
    // Each case writes and flushes real files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_end_arrives_in_order_and_twice_only_after_a_lost_answer(
        turns in proptest::collection::vec(
            prop_oneof![
                4 => Just(Turn::Push),
                1 => Just(Turn::Restart),
                1 => Just(Turn::Reply(Reply::Lost)),
                1 => Just(Turn::Reply(Reply::Unreached)),
                1 => Just(Turn::Reply(refusal(500, "Internal Server Error"))),
                1 => Just(Turn::Reply(refusal(401, "Unauthorized"))),
                1 => Just(Turn::Reply(refusal(403, "Forbidden: bot was kicked from the group chat"))),
                1 => Just(Turn::Reply(refusal(429, "Too Many Requests: retry after 7"))),
                1 => Just(Turn::Reply(refusal(400, "Bad Request: message thread not found"))),
                1 => Just(Turn::Reply(Reply::Answer(200, "<html>log in</html>".to_owned()))),
            ],
            1..40,
        ),
        pace in 1u64..900,
    ) {
        let mut world = World::new(&[]);
        let mut now = 0;
        let mut pushed = Vec::new();
        let mut lost = 0;
        for turn in turns {
            match turn {
                Turn::Push => {
                    let text = format!("end {:02}", pushed.len());
                    world.push(&text, Terminal);
                    pushed.push(text);
                }
                Turn::Restart => world.restart(),
                Turn::Reply(reply) => {
                    lost += usize::from(matches!(reply, Reply::Lost));
                    world.server.script.lock().unwrap().push_back(reply);
                }
            }
            now += pace;
            world.run(now);
        }
        world.run(now + 7 * 86_400);
        let (mut once, mut again) = (Vec::new(), 0);
        for message in world.messages() {
            let told: Vec<String> = message.split("\n\n").map(|text| text[text.len() - 6..].to_owned()).collect();
            again += usize::from(told.iter().any(|end| once.contains(end)));
            once.extend(told.into_iter().filter(|end| !once.contains(end)).collect::<Vec<_>>());
        }
        prop_assert_eq!(&once, &pushed, "each end, in order");
        prop_assert!(again <= lost, "{} lost answers, {:?}", lost, world.messages());
        prop_assert_eq!(world.waiting(), 0);
    }
}
