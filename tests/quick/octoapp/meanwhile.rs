//! What happened while nobody could look, or nothing could be sent.

use super::*;
use crate::support::cipher::decrypt;

#[test]
fn how_a_print_ended_while_moonraker_was_away_is_told_when_it_is_back() {
    for (state, status, expected) in [
        (PrintState::Complete, JobStatus::Completed, "print_done_title 100"),
        (PrintState::Cancelled, JobStatus::Cancelled, "cancelled_title 20"),
        (PrintState::Error, JobStatus::Error, "paused_from_gcode_title 20"),
    ] {
        for restarts in [false, true] {
            let shelf = Shelf::with_phone();
            let mut printer = Printer::new(shelf.clone());
            printer.begin("one.gcode");
            printer.print_to(20);
            shelf.told();
            printer.lose();
            printer.pass(600.0);
            let print = printer.snapshot.print.as_mut().unwrap();
            (print.state, print.message) = (state, Some("Heater off".to_owned()));
            let record = &mut Arc::make_mut(&mut printer.snapshot.history).jobs[0];
            (record.status, record.total_duration) = (status, Some(Duration::from_secs(77)));
            record.ended = Some(Duration::from_secs(EPOCH + 300));
            assert!(shelf.told().is_empty());
            if restarts {
                printer.restart()
            } else {
                printer.look()
            }
            printer.pass(30.0);
            let state = shelf.last()["apnsData"]["content-state"].clone();
            assert_eq!(state["filePath"], "one.gcode");
            assert_eq!(state["error"].as_str(), (status == JobStatus::Error).then_some("Heater off"));
            assert_eq!(shelf.last_tokens(), ["activity:running", "ios:phone"], "{status:?} {restarts}");
            let told = shelf.told();
            // The next process does not know how far it was.
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].split(' ').next(), expected.split(' ').next(), "{status:?} {restarts}");
            assert!(restarts || told[0] == expected, "{told:?}");
            printer.restart();
            printer.pass(700.0);
            assert!(shelf.told().is_empty(), "nothing is told twice");
        }
    }
}

#[test]
fn that_klipper_is_gone_is_not_told_again_within_half_an_hour() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    shelf.told();
    // A start would be news; a print that is found is none.
    for (number, pause, told) in [(0, 0.0, 1), (1, 60.0, 0), (2, 1900.0, 1)] {
        printer.pass(pause);
        if number > 0 {
            printer.lose();
            printer.begin(&format!("{number}.gcode"));
            printer.pass(30.0);
            assert!(shelf.told().is_empty(), "{number}");
        }
        printer.klipper(KlippyState::Shutdown);
        printer.pass(15.0);
        assert_eq!(shelf.told().len(), told, "{number}");
        let print = printer.snapshot.print.as_mut().unwrap();
        (print.state, print.file) = (PrintState::Standby, None);
        Arc::make_mut(&mut printer.snapshot.history).jobs[0].status = JobStatus::KlippyShutdown;
        printer.klipper(KlippyState::Ready);
        printer.pass(30.0);
        assert!(shelf.told().is_empty());
    }
}

/// A print at 20 % of which `fails` could not be told, and what came of it behind `then`, when the service is back.
fn told_after(fails: impl FnOnce(&mut Printer), then: impl FnOnce(&mut Printer)) -> Vec<String> {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    printer.pass(1.0);
    shelf.told();
    shelf.0.borrow_mut().away = true;
    fails(&mut printer);
    printer.pass(1.0);
    shelf.0.borrow_mut().away = false;
    then(&mut printer);
    printer.pass(100.0);
    shelf.told()
}

#[test]
fn what_is_not_so_any_more_is_not_tried_again() {
    let pause = |printer: &mut Printer| {
        printer.set(|print| print.state = PrintState::Paused);
        printer.pass(3.0);
    };
    let resume = |printer: &mut Printer| printer.set(|print| print.state = PrintState::Printing);
    let done = |printer: &mut Printer| printer.end(PrintState::Complete, JobStatus::Completed);
    let cancel = |printer: &mut Printer| printer.end(PrintState::Cancelled, JobStatus::Cancelled);
    let next = |printer: &mut Printer| printer.begin("two.gcode");
    assert_eq!(told_after(pause, |_| ()), ["paused_from_gcode_title 20"], "it lasts");
    assert_eq!(told_after(pause, resume), ["printing 20"]);
    assert_eq!(told_after(pause, cancel), ["cancelled_title 20"]);
    let both = |printer: &mut Printer| {
        pause(printer);
        resume(printer);
    };
    assert_eq!(told_after(both, |_| ()), ["printing 20"]);
    assert_eq!(told_after(both, done), ["print_done_title 100"]);
    assert_eq!(told_after(both, pause), ["paused_from_gcode_title 20"]);
    let started = |printer: &mut Printer| {
        done(printer);
        printer.pass(6.0);
        next(printer);
    };
    let told = told_after(started, |_| ());
    assert_eq!(told, ["print_done_title 100", "start_title"], "an end of another print is tried on");
    let told = told_after(started, cancel);
    assert_eq!(told, ["print_done_title 100", "cancelled_title"]);
    let told = told_after(started, pause);
    assert_eq!(told, ["paused_from_gcode_title", "print_done_title 100"]);
    // A message of the user's own says what it says.
    let say = |printer: &mut Printer| {
        printer.snapshot.app_message = Some("Hello".into());
        printer.look();
    };
    assert_eq!(told_after(say, cancel), ["Hello", "cancelled_title 20"]);
}

#[test]
fn a_live_activity_that_could_not_be_renewed_does_not_begin_behind_the_end() {
    let shelf = Shelf::default();
    shelf.register("ios:phone", "1", json!({"activityAutoStartToken": "activity:start"}));
    shelf.register("activity:old", "1", json!({"expireAt": EPOCH + 1900}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.pass(115.0);
    shelf.told();
    shelf.0.borrow_mut().away = true;
    printer.pass(6.0);
    shelf.0.borrow_mut().away = false;
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.pass(100.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
}

#[test]
fn live_activities_outlive_the_process() {
    let shelf = Shelf::default();
    shelf.register("ios:phone", "1", json!({"activityAutoStartToken": "activity:start"}));
    shelf.register("activity:renewed", "1", json!({"expireAt": EPOCH + 1900}));
    shelf.register("activity:over", "2", json!({"expireAt": EPOCH + 100}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    shelf.told();
    // From then on nothing happens that is told.
    printer.restart();
    printer.pass(200.0);
    let pushes = shelf.0.borrow().pushes.clone();
    let mut seen: Vec<_> = pushes
        .iter()
        .map(|push| {
            let (token, apple) = (&push["targets"][0]["fcmToken"], &push["apnsData"]);
            let state = &apple["content-state"];
            assert_eq!((&state["filePath"], &push["androidData"]), (&json!("one.gcode"), &json!("none")));
            [token, &apple["event"], &state["state"]].map(|text| text.as_str().unwrap().to_owned())
        })
        .collect();
    seen.sort();
    assert_eq!(seen, [["activity:over", "end", "expired"], ["activity:start", "start", "printing"]]);
    let names: Vec<String> = shelf.0.borrow().apps.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["ios:phone"]);
}

#[test]
fn a_key_that_another_process_wrote_counts_from_the_next_push() {
    let shelf = Shelf::default();
    shelf.register("android", "1", json!({}));
    let mut printer = Printer::new(shelf.clone());
    let place = ["public", "encryptionKey"];
    shelf.clone().write("octoapp", &place, &json!("first"));
    printer.begin("one.gcode");
    let type_with = |key: &str| {
        let text = shelf.last()["androidData"].as_str().unwrap().to_owned();
        decrypt(&text, key).ok().and_then(|plain| serde_json::from_str::<Value>(&plain).ok())
    };
    assert_eq!(type_with("first").unwrap()["type"], "printing");
    shelf.clone().write("octoapp", &place, &json!("another"));
    printer.print_to(20);
    assert_eq!(type_with("another").unwrap()["progress"], "20");
    // One that is no text, or gone, takes nothing away from the phones.
    for odd in [json!(7), Value::Null] {
        shelf.clone().write("octoapp", &place, &odd);
        let before = shelf.0.borrow().pushes.len();
        printer.set(|print| print.state = PrintState::Paused);
        printer.pass(3.0);
        printer.set(|print| print.state = PrintState::Printing);
        assert_eq!(shelf.0.borrow().pushes.len(), before + 2, "{odd}");
        assert_eq!(type_with("another").unwrap()["type"], "printing", "{odd}");
    }
}

#[test]
fn what_is_held_back_goes_to_nobody_who_died_meanwhile() {
    let shelf = Shelf::with_phone();
    shelf.register("watch", "2", json!({"fcmTokenFallback": "watch-before"}));
    shelf.register("tablet", "3", json!({"fcmTokenFallback": "tablet-before"}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    printer.end(PrintState::Complete, JobStatus::Completed);
    // By its own token, or by the one that stands in for it.
    shelf.0.borrow_mut().dead = vec!["watch-before".to_owned(), "tablet".to_owned()];
    printer.snapshot.app_message = Some("Hello".into());
    printer.look();
    assert_eq!(shelf.last_tokens(), ["ios:phone", "tablet", "watch"]);
    printer.pass(10.0);
    assert_eq!(shelf.last_tokens(), ["activity:running", "ios:phone"]);
}
