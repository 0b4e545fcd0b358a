//! What is told of a print from its start to its end.

use super::*;

#[test]
fn two_prints_and_a_restart_in_the_second() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    let kept = |printer: &Printer| {
        let text = std::fs::read_to_string(printer.place.path().join("octoapp-print.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
    };
    printer.begin("a/one.gcode");
    assert_eq!(shelf.last()["apnsData"]["content-state"]["filePath"], "a/one.gcode");
    let first = kept(&printer);
    assert_eq!(shelf.told(), ["start_title"]);
    printer.print_to(50);
    assert_eq!(shelf.told(), ["printing 50"]);
    printer.end(PrintState::Complete, JobStatus::Completed);
    assert!(shelf.told().is_empty(), "an end comes last");
    printer.pass(5.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
    // The activity ended with the print.
    shelf.register("activity:two", "1", json!({}));
    printer.begin("two.gcode");
    assert_eq!(shelf.told(), ["start_title"]);
    printer.print_to(50);
    assert_eq!(shelf.told(), ["printing 50"]);
    let identity = kept(&printer);
    assert!(identity.len() == 32 && identity != first, "{identity}");
    printer.restart();
    assert_eq!(kept(&printer), identity);
    printer.pass(30.0);
    assert!(shelf.told().is_empty(), "a print that is found is no start");
    printer.print_to(55);
    assert!(shelf.told().is_empty(), "the first progress is no news then");
    printer.print_to(60);
    assert_eq!(shelf.told(), ["printing 60"]);
    printer.end(PrintState::Cancelled, JobStatus::Cancelled);
    printer.pass(5.0);
    let push = shelf.last();
    assert_eq!(push["apnsData"]["content-state"]["printTime"], 77);
    assert_eq!(shelf.told().len(), 1);
    printer.pass(7300.0);
    assert!(shelf.told().is_empty());
}

#[test]
fn who_changes_over_from_the_plugin_in_mid_print_keeps_the_print() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    let (infos, kept) =
        (printer.place.path().join("PrintInfos"), printer.place.path().join("octoapp-print.json"));
    for (age, inherited) in [(0, true), (90_000, false)] {
        let id = "THEPLUGINSPRINT00000000000000000";
        let start = EPOCH - age;
        let info = json!({"PrintId": id, "PrintStartTimeSec": start, "FileName": "one.gcode"});
        std::fs::create_dir_all(&infos).unwrap();
        std::fs::write(infos.join("one.gcode.json"), info.to_string()).unwrap();
        std::fs::remove_file(&kept).unwrap();
        printer.restart();
        let text = std::fs::read_to_string(&kept).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (known["id"] == id, known["started_ms"] == start * 1000, known["nameless"] == false),
            (inherited, inherited, inherited),
            "{known}"
        );
    }
    assert!(infos.join("one.gcode.json").is_file());
}

#[test]
fn a_print_that_is_found_has_no_name_until_it_pauses() {
    // How it ends, and what its file is called before it paused and behind.
    for (state, status, shown) in [
        (PrintState::Complete, JobStatus::Completed, "None"),
        (PrintState::Cancelled, JobStatus::Cancelled, "a/one.gcode"),
        (PrintState::Error, JobStatus::Error, "a/one.gcode"),
    ] {
        for pauses in [false, true] {
            let shelf = Shelf::with_phone();
            let mut printer = Printer::new(shelf.clone());
            printer.begin("a/one.gcode");
            assert_eq!(shelf.last()["apnsData"]["content-state"]["filePath"], "a/one.gcode");
            let kept = printer.place.path().join("octoapp-print.json");
            std::fs::remove_file(&kept).unwrap();
            let told = |path: &str| {
                let state = &shelf.last()["apnsData"]["content-state"];
                assert_eq!(state["filePath"], path, "{status:?} {pauses}");
                assert_eq!(state["fileName"], path.rsplit('/').next().unwrap());
                assert!(!shelf.told().is_empty());
            };
            printer.restart();
            printer.print_to(20);
            shelf.told();
            printer.print_to(30);
            told("None");
            // That nobody told it is kept.
            printer.restart();
            printer.print_to(40);
            assert!(shelf.told().is_empty());
            printer.print_to(50);
            told("None");
            if pauses {
                printer.set(|print| print.state = PrintState::Paused);
                printer.pass(3.0);
                told("a/one.gcode");
                printer.set(|print| print.state = PrintState::Printing);
                told("a/one.gcode");
            }
            printer.end(state, status);
            printer.pass(5.0);
            told(if pauses { "a/one.gcode" } else { shown });
            shelf.register("activity:two", "1", json!({}));
            printer.begin("b/two.gcode");
            told("b/two.gcode");
        }
    }
}

#[test]
fn a_file_is_read_once_and_one_that_is_loaded_in_advance() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    let read = |expected: &[&str]| assert_eq!(std::mem::take(&mut shelf.0.borrow_mut().read), expected);
    printer.snapshot.print.as_mut().unwrap().file = Some("one.gcode".to_owned());
    printer.restart();
    read(&["one.gcode"]);
    printer.begin("one.gcode");
    read(&[]);
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.begin("two.gcode");
    read(&["two.gcode"]);
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.begin("one.gcode");
    read(&[]);
    shelf.0.borrow_mut().changes += 1;
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.begin("one.gcode");
    read(&["one.gcode"]);
    printer.end(PrintState::Complete, JobStatus::Completed);
    for nothing in ["", "continuousprint_1.gcode"] {
        printer.snapshot.print.as_mut().unwrap().file = Some(nothing.to_owned());
        printer.restart();
        read(&[]);
    }
}

#[test]
fn a_record_that_was_there_before_the_history_was_known_is_no_start() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    let known = Arc::clone(&printer.snapshot.history);
    printer.snapshot.history = Arc::new(History::default());
    printer.look();
    printer.snapshot.history = known;
    printer.jobs = 6;
    let print = printer.snapshot.print.clone();
    Arc::make_mut(&mut printer.snapshot.history).jobs.clear();
    // Left behind by a Moonraker that died.
    printer.begin_record("old.gcode");
    printer.snapshot.print = print;
    printer.look();
    assert!(shelf.told().is_empty());
    printer.begin("new.gcode");
    assert_eq!(shelf.told(), ["start_title"]);
}

#[test]
fn a_failed_print_says_why() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(10);
    shelf.told();
    printer.snapshot.print.as_mut().unwrap().message = Some("Move out of range".to_owned());
    printer.end(PrintState::Error, JobStatus::Error);
    printer.pass(5.0);
    let push = shelf.last();
    assert_eq!(push["apnsData"]["content-state"]["error"], "Move out of range");
    assert_eq!(push["apnsData"]["alert"]["body"], "Move out of range");
    assert_eq!((push["targets"].as_array().unwrap().len(), shelf.told().len()), (2, 1));
}

#[test]
fn an_end_that_cannot_be_sent_is_sent_by_the_next_process() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    shelf.told();
    shelf.0.borrow_mut().away = true;
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.pass(60.0);
    printer.restart();
    printer.pass(60.0);
    assert!(shelf.told().is_empty());
    shelf.0.borrow_mut().away = false;
    printer.pass(700.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
    printer.restart();
    printer.pass(700.0);
    assert!(shelf.told().is_empty(), "nothing is told twice");
}

#[test]
fn klipper_may_be_away_for_a_moment() {
    for (away, told) in [(3.0, 0), (6.0, 1)] {
        let shelf = Shelf::with_phone();
        let mut printer = Printer::new(shelf.clone());
        printer.begin("one.gcode");
        printer.print_to(20);
        shelf.told();
        printer.klipper(KlippyState::Shutdown);
        printer.pass(away);
        let print = printer.snapshot.print.as_mut().unwrap();
        (print.state, print.file) = (PrintState::Standby, None);
        printer.klipper(KlippyState::Ready);
        printer.pass(60.0);
        let pushes = shelf.told();
        assert_eq!(pushes.len(), told, "{pushes:?}");
        printer.pass(4000.0);
        assert!(shelf.told().is_empty());
    }
}

#[test]
fn pauses_are_told_when_they_last() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(20);
    shelf.told();
    for (lasts, told) in
        [(2.0, vec!["printing 20"]), (4.0, vec!["paused_from_gcode_title 20", "printing 20"])]
    {
        printer.set(|print| print.state = PrintState::Paused);
        printer.pass(lasts);
        printer.set(|print| print.state = PrintState::Printing);
        printer.pass(30.0);
        assert_eq!(shelf.told(), told);
    }
    printer.pass(3600.0);
    assert_eq!(shelf.told(), ["printing 20"], "each hour");
}

#[test]
fn messages_of_the_users_own_are_bounded() {
    let shelf = Shelf::with_phone();
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    shelf.told();
    for number in 0..40 {
        printer.snapshot.app_message = Some(format!("Hello|||x~~~{number}").into());
        printer.look();
    }
    let told = shelf.told();
    assert_eq!((told.len(), told[24].as_str()), (26, "Hello"));
    assert!(told[25].contains("too many"), "{told:?}");
    printer.begin("two.gcode");
    printer.snapshot.app_message = Some("Again~~~1".into());
    printer.look();
    assert!(shelf.told().contains(&"Again".to_owned()));
}

#[test]
fn who_registers_is_told_of_what_happens_two_seconds_later() {
    let shelf = Shelf::default();
    let mut printer = Printer::new(shelf.clone());
    // At no time at which anything is looked at anyway.
    printer.pass(100.5);
    for (number, everybody) in [&["android"][..], &["android", "ios:phone"]].into_iter().enumerate() {
        shelf.register(everybody[number], &number.to_string(), json!({}));
        printer.pass(2.0);
        printer.snapshot.app_message = Some(format!("Hello|||x~~~{number}").into());
        printer.look();
        assert_eq!(shelf.last_tokens(), everybody);
        printer.pass(100.0);
    }
}

#[test]
fn a_live_activity_is_renewed_before_it_expires() {
    let shelf = Shelf::default();
    shelf.register("ios:phone", "1", json!({"activityAutoStartToken": "activity:start"}));
    shelf.register("activity:old", "1", json!({"expireAt": EPOCH + 1900}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    assert_eq!(shelf.told(), ["start_title!", "start_title"], "to be started, and running");
    printer.pass(50.0);
    assert!(shelf.told().is_empty());
    printer.pass(120.0);
    let push = shelf.last();
    assert_eq!(
        (push["targets"][0]["fcmToken"].as_str(), &push["androidData"]),
        (Some("activity:start"), &json!("none"))
    );
    assert_eq!(shelf.told(), ["printing!"]);
    let left: Vec<String> = shelf.0.borrow().apps.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(left, ["ios:phone"]);
    printer.pass(3000.0);
    assert!(shelf.told().is_empty());
    // Also one that no print is under way for.
    printer.end(PrintState::Complete, JobStatus::Completed);
    printer.pass(5.0);
    assert_eq!(shelf.told(), ["print_done_title 100"]);
    shelf.register("activity:late", "1", json!({"expireAt": EPOCH as f64 + printer.seconds + 1000.0}));
    printer.pass(60.0);
    assert_eq!(shelf.told(), ["printing!"]);
}

#[test]
fn beside_the_plugin_nothing_is_told_and_nothing_is_written() {
    let shelf = Shelf::with_phone();
    shelf.0.borrow_mut().plugin = Some(true);
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    printer.print_to(50);
    printer.pass(400.0);
    assert!(shelf.told().is_empty() && shelf.0.borrow().values.is_empty());
    // Moonraker restarts, and the plugin comes a little later.
    shelf.0.borrow_mut().plugin = None;
    printer.pass(60.0);
    shelf.0.borrow_mut().plugin = Some(false);
    printer.print_to(55);
    shelf.0.borrow_mut().plugin = Some(true);
    printer.pass(60.0);
    assert!(shelf.told().is_empty() && shelf.0.borrow().values.is_empty());
    shelf.0.borrow_mut().plugin = Some(false);
    printer.pass(60.0);
    assert!(!shelf.0.borrow().values.is_empty(), "the printer is announced");
    printer.print_to(75);
    assert_eq!(shelf.told(), ["printing 75"]);
    shelf.0.borrow_mut().plugin = Some(true);
    printer.print_to(80);
    assert!(shelf.told().is_empty(), "the plugin is seen before the next push");
}

#[test]
fn fluidds_name_counts_where_mainsail_has_none() {
    let shelf = Shelf::with_phone();
    shelf.clone().write("fluidd", &["uiSettings", "general"], &json!({"instanceName": "Fluid one"}));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    assert_eq!(shelf.last()["apnsData"]["alert"]["title-loc-args"], json!(["Fluid one"]));
}

#[test]
fn the_marks_of_the_file_are_told_as_they_are_passed() {
    let shelf = Shelf::with_phone();
    let layer = format!(";LAYER_CHANGE\n{}", "G1 X1\n".repeat(3000));
    shelf.0.borrow_mut().gcode = format!("; generated by OrcaSlicer\n{}", layer.repeat(5));
    let mut printer = Printer::new(shelf.clone());
    printer.begin("one.gcode");
    shelf.told();
    printer.set(|print| print.file_position = Some(1000));
    assert!(shelf.told().is_empty());
    printer.set(|print| print.file_position = Some(20_000));
    assert_eq!(shelf.told(), ["layer_x_completed_title"]);
    printer.set(|print| print.file_position = Some(70_000));
    assert_eq!(shelf.told(), ["layer_x_completed_title"]);
    assert_eq!(shelf.told(), Vec::<String>::new());
}
