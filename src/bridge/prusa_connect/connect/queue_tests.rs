use super::*;
use proptest::prelude::*;

fn event(kind: EventKind, number: usize) -> Waiting {
    Waiting {
        kind,
        command: None,
        terminal: false,
        greets: false,
        state: State::Idle,
        body: number.to_string().into(),
        created: Duration::ZERO,
        since: Duration::ZERO,
        tries: 0,
    }
}

fn answer(kind: EventKind, command: u32) -> Waiting {
    let body = format!("{} {command}", kind.word()).into();
    Waiting { command: Some(command), terminal: kind != EventKind::Accepted, body, ..event(kind, 0) }
}

fn bodies(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.take()).map(|waiting| waiting.body.to_string()).collect()
}

#[test]
fn it_keeps_the_order_and_what_is_introduced_comes_first() {
    let mut queue = Queue::default();
    queue.push(event(EventKind::FileChanged, 1));
    queue.push(event(EventKind::Info, 2));
    queue.push(event(EventKind::FileChanged, 3));
    let greets = |kind, number| Waiting { greets: true, ..event(kind, number) };
    for number in [4, 7] {
        queue.make_room(&[EventKind::Info, EventKind::StateChanged]);
        queue.push_first(vec![greets(EventKind::Info, number), greets(EventKind::StateChanged, number + 1)]);
    }
    assert!(queue.has_change() && queue.has_greeting());
    assert_eq!(bodies(&mut queue), ["7", "8", "1", "3"]);
    assert!(queue.is_empty() && queue.bytes == 0);
    // The newest amendment says it all, but the introduction stays.
    queue.push_first(vec![greets(EventKind::Info, 5)]);
    queue.push(event(EventKind::Info, 6));
    queue.push(event(EventKind::Info, 7));
    assert!(queue.has_greeting());
    assert_eq!(bodies(&mut queue), ["5", "7"]);
}

#[test]
fn an_answer_that_waits_is_not_told_twice() {
    let mut queue = Queue::default();
    for _ in 0..3 {
        queue.push(answer(EventKind::Accepted, 7));
        queue.push(answer(EventKind::Finished, 7));
        queue.push(event(EventKind::MeshBedData, 1));
    }
    assert_eq!(bodies(&mut queue), ["ACCEPTED 7", "FINISHED 7", "1", "1", "1"]);
}

#[test]
fn when_it_is_full_the_oldest_goes_that_can_be_spared() {
    let mut queue = Queue::default();
    queue.push(event(EventKind::Info, 0));
    queue.push(answer(EventKind::Accepted, 1));
    queue.push(answer(EventKind::Finished, 1));
    queue.push(event(EventKind::FileChanged, 2));
    for id in 0..MOST as u32 {
        queue.push(answer(EventKind::Failed, 1000 + id));
    }
    assert_eq!((queue.len(), queue.dropped()), (MOST, 4));
    let left = bodies(&mut queue);
    // First the file, then what begins a command; then the oldest, for there is nothing else.
    assert_eq!(left[..2], ["0", "FAILED 1001"]);
    for number in 0..MOST + 50 {
        queue.push(event(EventKind::FileChanged, number));
    }
    assert_eq!(queue.take().unwrap().body.as_ref(), "50");
}

#[test]
fn its_size_is_bounded_and_one_large_event_is_taken() {
    let large = |size: usize| Waiting { body: "x".repeat(size).into(), ..event(EventKind::FileInfo, 0) };
    let mut queue = Queue::default();
    for _ in 0..30 {
        queue.push(large(100_000));
    }
    assert!(queue.bytes <= MOST_BYTES && queue.len() == MOST_BYTES / 100_000);
    queue.push(large(MOST_BYTES + 1));
    assert_eq!(queue.len(), 1);
}

#[test]
fn how_often_and_how_long_one_is_tried() {
    use EventKind::{Accepted, FileChanged, Finished, Info, JobInfo, StateChanged, TransferAborted};
    let job_info = Waiting { terminal: true, ..answer(JobInfo, 1) };
    for (waiting, lasts) in [
        (event(FileChanged, 1), false),
        (answer(Accepted, 1), true),
        (event(JobInfo, 1), false),
        (event(Info, 1), true),
        (event(StateChanged, 1), true),
        (event(TransferAborted, 1), true),
        (answer(Finished, 1), true),
        (job_info, true),
    ] {
        let kind = waiting.kind;
        let mut queue = Queue::default();
        queue.push(waiting);
        let mut tries = 0;
        while let Some(waiting) = queue.take() {
            tries += 1;
            if tries == 50 {
                assert!(!queue.put_back(waiting, LONGEST + Duration::from_secs(1)), "{kind:?}");
                break;
            }
            queue.put_back(waiting, LONGEST);
        }
        assert_eq!(tries, if lasts { 50 } else { u32::from(MOST_TRIES) }, "{kind:?}");
        assert_eq!(queue.dropped(), 1);
    }
}

#[test]
fn a_short_outage_costs_nothing() {
    let mut queue = Queue::default();
    queue.push(event(EventKind::FileChanged, 1));
    let since = event(EventKind::FileChanged, 1).since;
    for tenths in 0..99 {
        let waiting = queue.take().unwrap();
        assert!(queue.put_back(waiting, since + Duration::from_millis(100 * tenths)), "{tenths}");
    }
    let waiting = queue.take().unwrap();
    assert!(!queue.put_back(waiting, since + SHORTEST));
}

#[test]
fn what_is_old_goes() {
    let mut queue = Queue::default();
    for seconds in 0..10 {
        queue.push(Waiting {
            since: Duration::from_secs(seconds),
            ..answer(EventKind::Finished, seconds as u32)
        });
    }
    queue.expire(LONGEST + Duration::from_secs(4));
    assert_eq!((queue.len(), queue.dropped(), queue.oldest()), (6, 4, Some(Duration::from_secs(4))));
}

proptest! {
    #[test]
    fn its_sum_is_right(ops in prop::collection::vec((0..6_u8, 0..300_usize), 0..400)) {
        let mut queue = Queue::default();
        let kinds = [EventKind::Info, EventKind::StateChanged, EventKind::FileChanged];
        for (op, number) in ops {
            let size = "x".repeat(number * 200);
            let waiting = Waiting { body: size.into(), since: Duration::from_secs(number as u64), ..event(kinds[number % 3], 0) };
            match op {
                0 => drop(queue.take()),
                1 => drop(queue.expire(LONGEST + Duration::from_secs(number as u64))),
                2 => queue.push_first(vec![waiting, event(EventKind::StateChanged, 1)]),
                3 => {
                    if let Some(waiting) = queue.take() {
                        queue.put_back(waiting, LONGEST);
                    }
                }
                _ => queue.push(waiting),
            }
            prop_assert_eq!(queue.bytes, queue.list.iter().map(|waiting| waiting.body.len()).sum::<usize>());
            prop_assert!(queue.len() <= MOST && (queue.bytes <= MOST_BYTES || queue.len() == 1));
        }
    }
}
