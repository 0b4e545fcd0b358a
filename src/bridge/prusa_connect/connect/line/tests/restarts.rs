//! What survives, and what any order of things comes to.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn restarted(bed: &mut Bed, saved: &mut Option<Kept>) -> Bed {
    let kept = bed.line.take_unsaved().or(saved.take()).unwrap_or_else(registered);
    // As from its file.
    let kept = Kept::from_text(&kept.to_text()).unwrap();
    *saved = Some(kept.clone());
    let mut next = Bed::new(kept);
    next.now = bed.now;
    next
}

#[test]
fn a_command_that_a_restart_cuts_off_has_failed_and_is_not_run_again() {
    let mut bed = Bed::new(registered());
    bed.run(0.5, with_orders(vec![order(77, "START_PRINT")]));
    assert_eq!(bed.arrived.len(), 1);
    let mut saved = None;
    let mut bed = restarted(&mut bed, &mut saved);
    let out = bed.run(1.5, with_orders(vec![order(77, "START_PRINT")]));
    let ends: Vec<&Out> = out.iter().filter(|out| out.body["command_id"] == 77).collect();
    assert_eq!(short(&out)[..4], ["INFO BUSY", "MEDIUM_INSERTED BUSY", "STATE_CHANGED BUSY", "FAILED BUSY"]);
    assert!(ends.iter().all(|out| out.body["event"] == "FAILED") && ends.len() == 2, "{ends:?}");
    assert!(bed.arrived.is_empty());
    // It was told, so that it is not told at the next start.
    let mut bed = restarted(&mut bed, &mut saved);
    assert!(bed.run(1.5, |_| status(204)).iter().all(|out| out.body["event"] != "FAILED"));
}

#[test]
fn an_end_that_may_not_have_arrived_is_told_after_a_restart() {
    let mut bed = Bed::new(registered());
    bed.run(0.5, with_orders(vec![order(77, "START_PRINT")]));
    bed.conclude(77);
    bed.run(5.0, |_| Err("no network".to_owned()));
    let mut bed = restarted(&mut bed, &mut None);
    let out = bed.run(1.5, |_| status(204));
    let ends: Vec<&Out> = out.iter().filter(|out| out.body["command_id"] == 77).collect();
    assert_eq!((ends.len(), &ends[0].body["event"]), (1, &json!("FINISHED")));
}

#[test]
fn what_is_kept_follows_the_life_of_a_command() {
    for name in ["SEND_INFO", "GCODE"] {
        let mut bed = Bed::new(registered());
        bed.run(0.5, with_orders(vec![order(6, name)]));
        assert_eq!(bed.line.take_unsaved().unwrap().running, Some(6));
        bed.conclude(6);
        let kept = bed.line.take_unsaved().unwrap();
        assert_eq!((kept.running, kept.past[0].untold), (None, true));
        bed.run(0.1, |_| status(204));
        assert!(!bed.line.take_unsaved().unwrap().past[0].untold);
        bed.run(5.0, |_| status(204));
        assert!(bed.line.take_unsaved().is_none());
    }
}

#[test]
fn a_question_that_a_restart_cuts_off_has_failed() {
    let mut bed = Bed::new(registered());
    bed.run(0.5, with_orders(vec![order(5, "SEND_FILE_INFO")]));
    let mut bed = restarted(&mut bed, &mut None);
    let out = bed.run(1.5, |_| status(204));
    let ends: Vec<&Out> = out.iter().filter(|out| out.body["command_id"] == 5).collect();
    assert_eq!((ends.len(), &ends[0].body["event"]), (1, &json!("FAILED")));
}

#[test]
fn several_ends_that_may_not_have_arrived_are_told_after_a_restart() {
    let mut bed = Bed::new(registered());
    // Telemetry passes, and commands come with it; events do not.
    let mut orders = with_orders(vec![order(1, "GCODE"), order(2, "SEND_INFO"), order(3, "GCODE")]);
    for id in 1..=3 {
        while bed.line.running() != Some(id) {
            bed.run(1.0, |out| if out.path == "/p/events" { status(500) } else { orders(out) });
        }
        bed.conclude(id);
    }
    let mut saved = None;
    let mut bed = restarted(&mut bed, &mut saved);
    let out = bed.run(1.5, |_| status(204));
    let ends: Vec<(&Value, &Value)> = out
        .iter()
        .filter(|out| out.body.get("command_id").is_some())
        .map(|out| (&out.body["command_id"], &out.body["event"]))
        .collect();
    let finished = json!("FINISHED");
    assert_eq!(ends, [(&json!(1), &finished), (&json!(2), &finished), (&json!(3), &finished)]);
    let mut bed = restarted(&mut bed, &mut saved);
    assert!(bed.run(1.5, |_| status(204)).iter().all(|out| out.body.get("command_id").is_none()));
}

#[test]
fn an_end_that_is_given_up_is_not_told_after_a_restart() {
    let mut bed = Bed::new(registered());
    bed.run(0.5, with_orders(vec![order(77, "GCODE")]));
    bed.conclude(77);
    bed.run(1000.0, |_| Err("no network".to_owned()));
    let mut bed = restarted(&mut bed, &mut None);
    let of_it = |out: Vec<Out>| -> Vec<Value> {
        out.into_iter()
            .filter(|out| out.body["command_id"] == 77)
            .map(|out| out.body["event"].clone())
            .collect()
    };
    assert_eq!(of_it(bed.run(1.5, |_| status(204))), [""; 0]);
    // Only when it is asked for again.
    assert_eq!(of_it(bed.run(1.5, with_orders(vec![order(77, "GCODE")]))), ["FINISHED"]);
    assert!(bed.arrived.is_empty());
}

#[test]
fn the_state_that_was_told_last_is_kept() {
    let mut bed = Bed::new(registered());
    bed.set_state(State::Idle);
    bed.run(0.5, |_| status(204));
    assert_eq!(bed.line.take_unsaved().unwrap().state, State::Idle);
    bed.set_state(State::Printing);
    bed.run(0.5, |_| Err("no network".to_owned()));
    assert!(bed.line.take_unsaved().is_none());
    bed.run(5.0, |_| status(204));
    assert_eq!(bed.line.take_unsaved().unwrap().state, State::Printing);
}

#[test]
fn cameras_are_for_who_is_introduced() {
    let mut bed = Bed::new(registered());
    let introduced = |bed: &Bed| bed.line.introduced().map(|token| token.reveal().to_owned());
    bed.run(0.5, |out| if out.path == "/p/events" { status(503) } else { status(204) });
    assert_eq!(introduced(&bed), None);
    bed.run(5.0, |_| status(204));
    assert_eq!(introduced(&bed).as_deref(), Some("token"));
    // Another token is another acquaintance.
    bed.line.change_token(Token::new("newer").unwrap());
    let mut seen = Vec::new();
    for _ in 0..40 {
        bed.run(0.1, |out| status(if out.path == "/p/telemetry" { 503 } else { 204 }));
        seen.push(introduced(&bed));
    }
    assert_eq!(seen.last().unwrap(), &None, "{seen:?}");
    bed.run(5.0, |_| status(204));
    assert_eq!(introduced(&bed).as_deref(), Some("newer"));
}

#[derive(Debug, Clone)]
enum Op {
    State(usize),
    Tell(usize),
    Conclude(u32, u8),
    Run(u16),
    Step(u32),
    Restart,
    Job(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..9_usize).prop_map(Op::State),
        2 => (0..18_usize).prop_map(Op::Tell),
        3 => (1..6_u32, 0..4_u8).prop_map(|(id, how)| Op::Conclude(id, how)),
        6 => (0..10_000_u16).prop_map(Op::Run),
        1 => (0..5000_u32).prop_map(Op::Step),
        1 => Just(Op::Restart),
        1 => (0..3_u32).prop_map(Op::Job),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let command = (1..6_u32, prop::sample::select(vec!["X", "SEND_INFO", "RESET_PRINTER", "STOP_PRINT"]));
    let any = (
        100..600_u16,
        prop::collection::vec(
            (
                prop::sample::select(vec!["Command-Id", "Content-Type", "Retry-After", "Force"]),
                "[0-9]{1,3}|application/json|text/x.gcode|\\PC{0,9}",
            ),
            0..4,
        ),
        "\\PC{0,30}",
    );
    prop_oneof![
        8 => Just(status(204)),
        4 => command.prop_map(|(id, name)| order(id, name)),
        2 => any.prop_map(Ok),
        1 => prop::sample::select(vec![400_u16, 401, 403, 408, 429, 500, 503]).prop_map(status),
        1 => Just(Err("no network".to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_command_has_one_end_and_the_line_stays_small(
        ops in prop::collection::vec(op(), 1..40),
        answers in prop::collection::vec(answer(), 1..60),
    ) {
        let mut bed = Bed::new(registered());
        let mut saved = None;
        let mut answers = answers.into_iter().cycle();
        let mut ends: BTreeMap<u32, String> = BTreeMap::new();
        let mut ran = BTreeSet::new();
        // The states whose change was sent, and that of the start.
        let mut told = vec![json!("BUSY")];
        for op in ops {
            let out = match op {
                Op::State(index) => {
                    bed.set_state(State::ALL[index]);
                    continue;
                }
                Op::Tell(index) if index < 18 && ![0, 1, 2, 5].contains(&index) => {
                    bed.tell(EventKind::ALL[index]);
                    continue;
                }
                Op::Tell(_) => continue,
                Op::Conclude(id, how) => {
                    let outcome = match how {
                        0 => Outcome::Finished(Source::Connect),
                        1 => Outcome::Failed("f".into()),
                        2 => Outcome::unserved("UPGRADE"),
                        _ => Outcome::Answered(Box::new(Event::new(EventKind::Info, Source::Connect))),
                    };
                    bed.line.conclude(id, outcome, bed.now());
                    continue;
                }
                Op::Step(seconds) => {
                    bed.offset = super::seconds(f64::from(seconds));
                    continue;
                }
                Op::Job(id) => {
                    bed.line.set_job(Some(id));
                    continue;
                }
                Op::Restart => {
                    bed = restarted(&mut bed, &mut saved);
                    continue;
                }
                Op::Run(millis) => bed.run(f64::from(millis) / 1000.0, |_| answers.next().unwrap()),
            };
            for arrival in std::mem::take(&mut bed.arrived) {
                if let Arrival::Run(order) = arrival {
                    prop_assert!(ran.insert(order.id), "{order:?}");
                }
            }
            if let Some(kept) = bed.line.take_unsaved() {
                saved = Some(kept);
            }
            for out in out {
                prop_assert!(!out.body.to_string().contains("null"));
                match out.body["event"].as_str() {
                    None => prop_assert!(told.contains(&out.body["state"]), "{}", out.body),
                    Some("STATE_CHANGED") => told.push(out.body["state"].clone()),
                    Some("ACCEPTED") => {}
                    // It may come again.
                    Some("REJECTED") if out.body["data"].get("actual_command_id").is_some() => {}
                    Some(event) => {
                        let end = if event == "INFO" { "FINISHED" } else { event }.to_owned();
                        let id = out.body["command_id"].as_u64().map(|id| id as u32);
                        if let Some(id) = id {
                            prop_assert_eq!(ends.entry(id).or_insert_with(|| end.clone()), &end, "{}", id);
                        }
                    }
                }
            }
            let (events, _) = bed.line.waits();
            prop_assert!(events <= 201);
            bed.line.report();
        }
    }
}
