use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: Duration = Duration::from_secs(50);

fn order(id: u32, name: &str) -> Order {
    Order { id, name: name.to_owned(), ..Order::default() }
}

/// What is told and done, in short.
fn short(steps: &[Step]) -> Vec<String> {
    let text = |step: &Step| match step {
        Step::Tell(event, _) => {
            let command = event.command.map(|id| id.to_string()).unwrap_or_default();
            let reason = event.reason.as_deref().unwrap_or_default();
            format!("{} {} {command} {reason}", event.kind.word(), event.source.word()).trim_end().to_owned()
        }
        Step::Run(order) => format!("run {}", order.id),
        Step::Stop(id) => format!("stop {id}"),
    };
    steps.iter().map(text).collect()
}

#[test]
fn a_command_is_accepted_run_and_ended() {
    let answer = Box::new(Event::new(EventKind::Info, Source::Connect).with("{\"a\":1}".to_owned()));
    for (outcome, told, again) in [
        (Outcome::Finished(Source::Marlin), "FINISHED MARLIN 7", "FINISHED CONNECT 7"),
        (Outcome::Answered(answer), "INFO CONNECT 7", "FINISHED CONNECT 7"),
        (
            Outcome::Refused("Can't print now".into()),
            "REJECTED CONNECT 7 Can't print now",
            "REJECTED CONNECT 7 Can't print now",
        ),
        (
            Outcome::Refused("Another transfer in progress".into()),
            "REJECTED CONNECT 7 Another transfer in progress",
            "REJECTED CONNECT 7 Another transfer in progress",
        ),
        (Outcome::unserved("X"), "REJECTED WUI 7 Unknown command", "REJECTED CONNECT 7 Unknown command"),
        (
            Outcome::unserved("UPGRADE"),
            "REJECTED WUI 7 Not Implemented",
            "REJECTED CONNECT 7 Not Implemented",
        ),
        (Outcome::Failed("no bed".into()), "FAILED WUI 7 no bed", "FAILED CONNECT 7 no bed"),
        (Outcome::Failed("".into()), "FAILED WUI 7 Command error", "FAILED CONNECT 7 Command error"),
    ] {
        let mut ledger = Ledger::default();
        assert_eq!(short(&ledger.arrived(order(7, "X"), NOW)), ["ACCEPTED CONNECT 7", "run 7"]);
        assert_eq!(ledger.running(), Some(7));
        assert_eq!(short(&ledger.arrived(order(7, "X"), NOW)), ["ACCEPTED CONNECT 7"]);
        let steps = ledger.conclude(7, outcome);
        assert_eq!(short(&steps), [told]);
        assert_eq!(ledger.running(), None);
        assert!(ledger.conclude(7, Outcome::Finished(Source::Wui)).is_empty());
        assert_eq!(short(&ledger.arrived(order(7, "X"), NOW)), [again]);
        // So it is after a restart.
        let past: Vec<Past> = ledger.past().cloned().collect();
        assert!(past[0].untold && ledger.told(7) && !ledger.told(7) && !ledger.past().next().unwrap().untold);
        let again_after = short(&Ledger::new(&past).arrived(order(7, "X"), NOW));
        assert_eq!(again_after, [again]);
    }
}

#[test]
fn a_failure_tells_its_cause_twice() {
    let mut ledger = Ledger::default();
    ledger.arrived(order(7, "X"), NOW);
    let steps = ledger.conclude(7, Outcome::Failed("\"quoted\"".into()));
    let Some(Step::Tell(event, true)) = steps.first() else { panic!("{steps:?}") };
    assert_eq!(&*event.data, r#"{"error":"\"quoted\""}"#);
}

#[test]
fn another_command_is_refused_while_one_runs_and_done_when_it_comes_again() {
    let mut ledger = Ledger::default();
    ledger.arrived(order(100, "STOP_PRINT"), NOW);
    let steps = ledger.arrived(order(101, "PAUSE_PRINT"), NOW);
    let refused = ["REJECTED CONNECT 101 Another command is running"];
    assert_eq!(short(&steps), refused);
    let Some(Step::Tell(event, true)) = steps.first() else { panic!("{steps:?}") };
    assert_eq!(&*event.data, r#"{"actual_command_id":100}"#);
    ledger.conclude(100, Outcome::Finished(Source::Connect));
    assert_eq!(short(&ledger.arrived(order(101, "PAUSE_PRINT"), NOW)), ["ACCEPTED CONNECT 101", "run 101"]);
    assert_eq!(ledger.running(), Some(101));
}

#[test]
fn what_controls_a_print_overtakes_what_can_be_asked_again() {
    for name in ["STOP_PRINT", "PAUSE_PRINT", "RESUME_PRINT"] {
        for slow in ["SEND_FILE_INFO", "SEND_INFO", "DELETE_FOLDER", "CREATE_FOLDER", "DIALOG_ACTION"] {
            let mut ledger = Ledger::default();
            ledger.arrived(order(1, slow), NOW);
            assert_eq!(short(&ledger.arrived(order(2, name), NOW)), ["stop 1"], "{slow}");
            let expected = ["FAILED WUI 1 stopped", "ACCEPTED CONNECT 2", "run 2"];
            assert_eq!(short(&ledger.conclude(1, Outcome::Failed("stopped".into()))), expected);
        }
        // But nothing that the printer itself does.
        for running in ["START_PRINT", "GCODE", "STOP_PRINT", "PAUSE_PRINT", "LOAD_FILAMENT", "RESET"] {
            let mut ledger = Ledger::default();
            ledger.arrived(order(1, running), NOW);
            let refused = ["REJECTED CONNECT 2 Another command is running"];
            assert_eq!(short(&ledger.arrived(order(2, name), NOW)), refused, "{running}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_unless_it_repeats_something() {
    let mut ledger = Ledger::default();
    let mut unreadable = |id| short(&ledger.unreadable(id, Source::Connect, "why".to_owned()));
    assert_eq!(unreadable(None), ["REJECTED CONNECT  why"]);
    assert_eq!(unreadable(Some(9)), ["REJECTED CONNECT 9 why"]);
    assert_eq!(short(&ledger.arrived(order(9, "X"), NOW)), ["REJECTED CONNECT 9 why"]);
    ledger.arrived(order(10, "X"), NOW);
    assert_eq!(
        short(&ledger.unreadable(Some(10), Source::Connect, "why".to_owned())),
        ["ACCEPTED CONNECT 10"]
    );
}

#[test]
fn a_reset_overtakes_what_runs() {
    let mut ledger = Ledger::default();
    ledger.arrived(order(640, "GCODE"), NOW);
    assert_eq!(short(&ledger.arrived(order(641, "RESET_PRINTER"), NOW)), ["stop 640"]);
    assert!(ledger.arrived(order(641, "RESET_PRINTER"), NOW).is_empty());
    assert_eq!(
        short(&ledger.arrived(order(642, "RESET"), NOW)),
        ["REJECTED CONNECT 642 Another command is running"]
    );
    let expected = ["FAILED WUI 640 stopped", "ACCEPTED CONNECT 641", "run 641"];
    assert_eq!(short(&ledger.conclude(640, Outcome::Failed("stopped".into()))), expected);
    assert_eq!(ledger.due(), None);
    // One reset does not overtake another.
    assert_eq!(
        short(&ledger.arrived(order(643, "RESET_PRINTER"), NOW)),
        ["REJECTED CONNECT 643 Another command is running"]
    );
}

#[test]
fn a_reset_that_is_not_allowed_ends_nothing_and_an_emergency_stop_ends_a_reset() {
    let mut ledger = Ledger { refuses_resets: true, ..Ledger::default() };
    ledger.arrived(order(640, "GCODE"), NOW);
    let refused = ["REJECTED CONNECT 641 Another command is running"];
    assert_eq!(short(&ledger.arrived(order(641, "RESET"), NOW)), refused);
    let halt = |id| {
        let kwargs = json!({ "gcode": "M112\nG28" }).as_object().cloned().unwrap();
        Order { kwargs, ..order(id, "GCODE") }
    };
    assert_eq!(short(&ledger.arrived(halt(642), NOW)), ["stop 640"]);

    let mut ledger = Ledger::default();
    ledger.arrived(order(1, "RESET"), NOW);
    assert_eq!(short(&ledger.arrived(halt(2), NOW)), ["stop 1"]);
    assert_eq!(ledger.conclude(1, Outcome::Failed("stopped".into())).len(), 3);
    assert_eq!(short(&ledger.arrived(halt(3), NOW)), ["REJECTED CONNECT 3 Another command is running"]);
}

#[test]
fn what_does_not_stop_within_a_second_has_failed() {
    let mut ledger = Ledger::default();
    ledger.arrived(order(640, "GCODE"), NOW);
    ledger.arrived(order(641, "RESET_PRINTER"), NOW);
    assert_eq!(ledger.due(), Some(NOW + STOPPING));
    assert!(ledger.tick(NOW + STOPPING - Duration::from_millis(1)).is_empty());
    let expected = ["FAILED WUI 640 Interrupted by a more urgent command", "ACCEPTED CONNECT 641", "run 641"];
    assert_eq!(short(&ledger.tick(NOW + STOPPING)), expected);
    assert!(ledger.conclude(640, Outcome::Finished(Source::Connect)).is_empty());
}

#[test]
fn reasons_are_remembered_in_short() {
    let mut ledger = Ledger::default();
    ledger.arrived(order(1, "X"), NOW);
    ledger.conclude(1, Outcome::Failed("ř".repeat(500).into()));
    assert_eq!(ledger.past().next().unwrap().reason.len(), MOST_REASON);
    for id in 2..100 {
        ledger.arrived(order(id, "X"), NOW);
        ledger.conclude(id, Outcome::Finished(Source::Connect));
        // Those that Connect has not got stay longest.
        assert!([40, 41].contains(&id) || ledger.told(id));
    }
    let past: Vec<u32> = ledger.past().map(|past| past.id).collect();
    assert_eq!((past.len(), &past[..4]), (MOST_PAST, &[1, 40, 41, 87][..]));
    for id in 100..200 {
        ledger.arrived(order(id, "X"), NOW);
        ledger.conclude(id, Outcome::Finished(Source::Connect));
    }
    assert_eq!(ledger.past().count(), MOST_PAST);
}

#[derive(Debug, Clone)]
enum Op {
    Arrives(u32, &'static str),
    Garbled(u32),
    Ends(u32, u8),
    Later(u64),
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let id = 1..8_u32;
    prop_oneof![
        4 => (id.clone(), prop::sample::select(vec!["X", "SEND_INFO", "RESET", "STOP_PRINT"])).prop_map(|(id, name)| Op::Arrives(id, name)),
        1 => id.clone().prop_map(Op::Garbled),
        4 => (id, 0..4_u8).prop_map(|(id, how)| Op::Ends(id, how)),
        1 => (0..1500_u64).prop_map(Op::Later),
        1 => Just(Op::Restart),
    ]
}

proptest! {
    #[test]
    fn each_command_runs_once_and_has_one_end(ops in prop::collection::vec(op(), 0..60)) {
        let mut ledger = Ledger::default();
        let mut now = NOW;
        let (mut ran, mut ends) = (BTreeMap::<u32, u32>::new(), BTreeMap::<u32, EventKind>::new());
        for op in ops {
            let steps = match op {
                Op::Arrives(id, name) => ledger.arrived(order(id, name), now),
                Op::Garbled(id) => ledger.unreadable(Some(id), Source::Connect, "garbled".to_owned()),
                Op::Ends(id, 0) => ledger.conclude(id, Outcome::Finished(Source::Connect)),
                Op::Ends(id, 1) => ledger.conclude(id, Outcome::Failed("f".into())),
                Op::Ends(id, 2) => ledger.conclude(id, Outcome::Refused("r".into())),
                Op::Ends(id, _) => {
                    ledger.conclude(id, Outcome::Answered(Box::new(Event::new(EventKind::Info, Source::Connect))))
                }
                Op::Later(millis) => {
                    now += Duration::from_millis(millis);
                    ledger.tick(now)
                }
                // With nothing running: what runs is the line's to end.
                Op::Restart if ledger.running().is_none() => {
                    let past: Vec<Past> = ledger.past().cloned().collect();
                    ledger = Ledger::new(&past);
                    Vec::new()
                }
                Op::Restart => Vec::new(),
            };
            for step in steps {
                match step {
                    Step::Run(order) => {
                        *ran.entry(order.id).or_default() += 1;
                        prop_assert_eq!(ran[&order.id], 1);
                        prop_assert!(!ends.contains_key(&order.id));
                    }
                    // No end of its own, and it may come again.
                    Step::Tell(event, true) if event.data.contains("actual_command_id") => {
                        prop_assert!(!ran.contains_key(&event.command.unwrap()));
                    }
                    Step::Tell(event, true) => {
                        let id = event.command.unwrap();
                        let kind = if event.kind == EventKind::Info { EventKind::Finished } else { event.kind };
                        prop_assert_eq!(*ends.entry(id).or_insert(kind), kind);
                    }
                    Step::Tell(event, false) => {
                        prop_assert_eq!(event.kind, EventKind::Accepted);
                        prop_assert!(!ends.contains_key(&event.command.unwrap()));
                    }
                    Step::Stop(id) => prop_assert_eq!(ledger.running(), Some(id)),
                }
            }
        }
        // Whatever ran has ended, but for the one that runs.
        for id in ran.keys() {
            prop_assert!(ends.contains_key(id) || ledger.running() == Some(*id));
        }
    }
}
