use super::super::tests::{GROUP, OWNER, at, seconds, sight};
use super::*;

fn printing(key: &str) -> Sight {
    sight(PrintState::Printing, Some("cube.gcode"), Some(key))
}

fn shown(chat: i64, message: i64) -> Shown {
    Shown { place: Place { chat, thread: None }, message: Some(message), captioned: true }
}

/// What is written, or until which second is waited, or nothing.
fn step(board: &mut Board, sight: &Sight, text: &str, second: u64) -> Result<Task, Option<u64>> {
    match board.step(Some(sight), &|| text.to_owned(), at(second)) {
        Step::Write(task) => Ok(task),
        Step::Wait(until) => Err(Some(until.as_secs())),
        Step::Rest => Err(None),
    }
}

#[test]
fn a_message_is_edited_at_its_pace_and_once_more_at_the_end() {
    for (chat, each, gap) in [(OWNER, 15, 5), (GROUP, 30, 10)] {
        let mut board = Board::default();
        board.keep(shown(chat, 7), "1".into(), false, Some(seconds(100)));
        assert_eq!(step(&mut board, &printing("1"), "10%", 100 + gap), Ok(task(chat, "10%", false, false)));
        board.written(&task(chat, "10%", false, false), Some(shown(chat, 7)), at(100 + gap));
        let written = 100 + gap;
        assert_eq!(step(&mut board, &printing("1"), "11%", written + 1), Err(Some(written + each)));
        let due = written + each;
        assert_eq!(step(&mut board, &printing("1"), "10%", due), Err(Some(due + each)), "nothing is new");
        assert_eq!(step(&mut board, &printing("1"), "11%", due + each), Ok(task(chat, "11%", false, false)));
        board.written(&task(chat, "11%", false, false), Some(shown(chat, 7)), at(due + each));
        // A pause is shown sooner, and the end with a picture of it.
        let paused = sight(PrintState::Paused, Some("cube.gcode"), Some("1"));
        let soon = due + each + gap;
        assert_eq!(step(&mut board, &paused, "Paused", soon - 1), Err(Some(soon)));
        assert_eq!(step(&mut board, &paused, "Paused", soon), Ok(task(chat, "Paused", false, false)));
        board.written(&task(chat, "Paused", false, false), Some(shown(chat, 7)), at(soon));
        let done = sight(PrintState::Complete, Some("cube.gcode"), None);
        let last = task(chat, "Completed", true, true);
        assert_eq!(step(&mut board, &done, "Completed", soon + gap), Ok(last.clone()));
        board.written(&last, Some(shown(chat, 7)), at(soon + gap));
        assert_eq!(step(&mut board, &done, "Completed", soon + 1000), Err(None));
    }
}

fn task(chat: i64, text: &str, picture: bool, last: bool) -> Task {
    let (place, over) = (Place { chat, thread: None }, Some(shown(chat, 7)));
    Task { number: 1, place, over, text: text.to_owned(), picture, own: false, last }
}

#[test]
fn the_picture_is_renewed_now_and_then() {
    let mut board = Board::default();
    board.keep(shown(OWNER, 7), "1".into(), false, Some(seconds(0)));
    let mut pictures = Vec::new();
    for second in 0..1000 {
        if let Ok(task) = step(&mut board, &printing("1"), &second.to_string(), second) {
            board.written(&task, Some(shown(OWNER, 7)), at(second));
            if task.picture {
                pictures.push(second);
            }
        }
    }
    assert_eq!(pictures.len(), 3, "{pictures:?}");
}

#[test]
fn the_settings_ask_for_one_message_of_each_job() {
    let mut board = Board::default();
    let place = Place { chat: GROUP, thread: Some(17) };
    let key: Arc<str> = "1".into();
    board.want(place, &key);
    board.want(place, &key);
    let task = step(&mut board, &printing("1"), "3%", 0).unwrap();
    assert_eq!((task.place, task.over, task.own, task.picture), (place, None, true, true));
    board.written(&task, Some(Shown { place, ..shown(GROUP, 8) }), at(0));
    assert_eq!(board.sent().count(), 1);
    // Somebody asks for the status in the same place, and the job's state changes.
    board.keep(Shown { place, ..shown(GROUP, 9) }, Arc::clone(&key), false, Some(seconds(1)));
    board.want(place, &key);
    assert_eq!(board.sent().count(), 2);
    board.posts.pop();
    // The next job has one of its own; nothing wrong is said of the first.
    board.want(place, &"2".into());
    let first = step(&mut board, &printing("2"), "0%", 60).unwrap();
    assert_eq!((first.text.as_str(), first.over.is_some()), (wording::JOB_OVER, true));
    board.written(&first, None, at(60));
    let second = step(&mut board, &printing("2"), "0%", 60).unwrap();
    assert_eq!((second.text.as_str(), second.over), ("0%", None));
}

#[test]
fn the_newest_message_of_a_place_is_kept_and_all_are_bounded() {
    let mut board = Board::default();
    board.keep(shown(GROUP, 7), "1".into(), false, None);
    board.keep(shown(GROUP, 8), "1".into(), false, None);
    let messages = |board: &Board| board.sent().map(|(shown, ..)| shown.message.unwrap()).collect::<Vec<_>>();
    assert_eq!(messages(&board), [8]);
    for chat in 1..=4 {
        board.keep(shown(chat, 100 + chat), "1".into(), false, None);
    }
    assert_eq!(messages(&board), [101, 102, 103, 104]);
}

#[test]
fn what_cannot_be_written_is_tried_ever_more_rarely_and_given_up() {
    let mut board = Board::default();
    board.keep(shown(OWNER, 7), "1".into(), false, Some(seconds(0)));
    let mut tries = Vec::new();
    for second in 0..10_000 {
        if let Ok(task) = step(&mut board, &printing("1"), "x", second) {
            board.written(&task, None, at(second));
            tries.push(second);
        }
    }
    assert_eq!(tries.len(), 6, "{tries:?}");
    assert!(tries.windows(2).all(|pair| pair[1] - pair[0] >= 30), "{tries:?}");
    assert!(board.is_empty());
}

#[test]
fn a_job_whose_key_is_not_known_yet_is_not_over() {
    let mut board = Board::default();
    board.keep(shown(OWNER, 7), "1".into(), true, None);
    let task = step(&mut board, &sight(PrintState::Printing, Some("cube.gcode"), None), "4%", 0).unwrap();
    assert!(!task.last && task.text == "4%");
    assert_eq!(board.step(None, &|| String::new(), at(0)), Step::Wait(seconds(15)));
}
