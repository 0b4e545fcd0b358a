//! Any command, any answer, any printer: nothing panics, each command has one end, and little is held.

use super::*;
use crate::bridge::prusa_connect::connect::catalogue::KNOWN;
use crate::bridge::prusa_connect::orders::Trouble;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Every command that Connect has, and what is none.
fn names() -> Vec<&'static str> {
    [&KNOWN[..], &["FLY", ""]].concat()
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        r"(/local)?(/|\.\.|a|b|\.gcode|\\|\x00|\PC){0,8}",
        Just("/local/a.gcode".to_owned()),
        Just("/local/../a.gcode".to_owned()),
        "(/local/)?x{0,300}.gcode",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        path().prop_map(Value::from),
        "[0-9a-f]{32}|https?://[a-z.:/]{0,20}|(G28|M104 S200|M112|G1 X1|\\PC|\n){0,5}".prop_map(Value::from),
        Just(json!({"1": [2], "3": [4]})),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[1-4a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn command() -> impl Strategy<Value = Answer> {
    let key = prop::sample::select(vec![
        "path",
        "path_sfn",
        "url",
        "team_id",
        "hash",
        "printing",
        "key",
        "iv",
        "orig_size",
        "port",
        "transfer_id",
        "job_id",
        "gcode",
        "force",
        "tool_mapping",
        "dialog_id",
        "button",
        "id",
        "token",
        "bed_temperature",
        "nozzle_temperature",
        "chamber.target_temp",
        "tools.1.nozzle_diameter",
        "hostname",
    ]);
    let kwargs = prop::collection::btree_map(key, value(), 0..5);
    let json = (1..12_u32, prop::sample::select(names()), kwargs, prop::collection::vec(value(), 0..3))
        .prop_map(|(id, name, kwargs, args)| {
            let headers =
                vec![("Command-Id", id.to_string()), ("Content-Type", "application/json".to_owned())];
            Ok((200, headers, json!({ "command": name, "kwargs": kwargs, "args": args }).to_string()))
        });
    let gcode = (1..12_u32, "(G28|M112|M104 S9|M601|\\PC| |\n){0,6}").prop_map(|(id, text)| {
        Ok((200, vec![("Command-Id", id.to_string()), ("Content-Type", "text/x.gcode".to_owned())], text))
    });
    let raw = ("[0-9]{1,3}|\\PC{0,4}", "\\PC{0,20}|\\{\"command\":[0-9\"\\[\\]{},a-z]{0,9}\\}").prop_map(
        |(id, body)| {
            Ok((200, vec![("Command-Id", id), ("Content-Type", "application/json".to_owned())], body))
        },
    );
    prop_oneof![8 => json, 2 => gcode, 1 => raw, 6 => Just(status(204)), 1 => (400..505_u16).prop_map(status),
        1 => Just(Err("no network".to_owned()))]
}

#[derive(Debug, Clone)]
enum Op {
    Run(u16),
    Print(usize),
    Klippy(bool),
    Said(u32, u8),
    Service(u8),
    Away(bool),
    Restart,
    Arrived,
    Files(String),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..12_000_u16).prop_map(Op::Run),
        3 => (0..5_usize).prop_map(Op::Print),
        1 => any::<bool>().prop_map(Op::Klippy),
        4 => (1..12_u32, 0..3_u8).prop_map(|(id, how)| Op::Said(id, how)),
        1 => (0..3_u8).prop_map(Op::Service),
        1 => any::<bool>().prop_map(Op::Away),
        1 => Just(Op::Restart),
        1 => Just(Op::Arrived),
        1 => path().prop_map(Op::Files),
    ]
}

/// Whether a path stays in the root.
fn is_within(path: &str) -> bool {
    !path.starts_with('/')
        && path.split('/').all(|part| !part.is_empty() && part != ".." && !part.contains('\0'))
}

fn act(bed: &mut Bed, op: Op) {
    let states = [
        PrintState::Standby,
        PrintState::Printing,
        PrintState::Paused,
        PrintState::Complete,
        PrintState::Cancelled,
    ];
    match op {
        Op::Print(state) => bed.print(states[state], "a.gcode"),
        Op::Klippy(ready) => {
            bed.snapshot.klippy.state = if ready { KlippyState::Ready } else { KlippyState::Shutdown };
            bed.see();
        }
        Op::Said(id, 0) => bed.said(id, Ok(())),
        Op::Said(id, 1) => bed.said(id, Err(Trouble::Refused("r".into()))),
        Op::Said(id, _) => bed.said(id, Err(Trouble::Unknown("u".into()))),
        Op::Service(0) => bed.service = Service::Answers,
        Op::Service(1) => bed.service = Service::Hangs,
        Op::Service(_) => bed.service = Service::Fails,
        Op::Away(true) => bed.event(printer::EventKind::SourceLost),
        Op::Away(false) => bed.event(printer::EventKind::SourceBack),
        Op::Arrived => {
            let download = bed.world().downloads.pop();
            if let Some(Download { id, path, .. }) = download {
                let end = crate::bridge::prusa_connect::transfer::End::Complete(path);
                let news = crate::bridge::prusa_connect::transfer::News::Ended { id, end };
                bed.core.on_answer(super::super::Answer::Transfer(news), bed.now());
            }
        }
        Op::Files(path) => bed.core.on_files(FileChange::Deleted { path }),
        Op::Run(_) | Op::Restart => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_each_command_has_one_end_and_no_path_leaves_the_root(
        ops in prop::collection::vec(op(), 1..30),
        answers in prop::collection::vec(command(), 1..60),
    ) {
        let mut bed = Bed::new();
        let mut answers = answers.into_iter().cycle();
        let (mut begun, mut accepted) = (BTreeSet::new(), BTreeSet::new());
        let mut ends: BTreeMap<u64, &'static str> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Restart => bed = bed.restarted(),
                Op::Run(millis) => {
                    let out = bed.run(f64::from(millis) / 1000.0, |_| answers.next().unwrap());
                    for out in out.iter().filter(|out| out.is_event) {
                        prop_assert!(!out.body.to_string().contains("null"), "{}", out.body);
                        let Some(id) = out.body.get("command_id").and_then(Value::as_u64) else { continue };
                        let end = match out.body["event"].as_str().unwrap() {
                            "ACCEPTED" => {
                                accepted.insert(id);
                                continue;
                            }
                            "REJECTED" if out.body["data"].get("actual_command_id").is_some() => continue,
                            "REJECTED" => "REJECTED",
                            "FAILED" => "FAILED",
                            "FINISHED" | "INFO" | "JOB_INFO" | "FILE_INFO" | "TRANSFER_INFO"
                            | "CANCELABLE_CHANGED" => "FINISHED",
                            // The answer to SEND_STATE_INFO and the effect of others look alike.
                            _ => continue,
                        };
                        prop_assert_eq!(*ends.entry(id).or_insert(end), end, "{}", out.body);
                    }
                }
                op => act(&mut bed, op),
            }
            let mut world = bed.world();
            for (id, task) in std::mem::take(&mut world.tasks) {
                if let Task::Start { path, .. } = &task {
                    prop_assert!(is_within(path), "{path}");
                }
                // A print after a transfer is of the same command.
                prop_assert!(begun.insert((id, matches!(task, Task::Start { .. }))), "{id} {task:?}");
            }
            prop_assert!(world.downloads.iter().all(|download| is_within(&download.path)));
            prop_assert!(world.kept.line.past.len() <= 16);
            drop(world);
            prop_assert!(bed.core.line.waits().0 <= 201);
        }
        // In the end, with a server and a printer that work, nothing is open.
        bed.service = Service::Answers;
        let open = bed.core.line.running();
        bed.world().errands.clear();
        let out = bed.run(1200.0, |_| status(204));
        let running = bed.core.line.running();
        // Only what the printer takes its time for.
        let waits = bed.core.running.as_ref().map(|running| running.id);
        prop_assert!(running == waits, "{open:?} {:?}", events(&out));
    }
}
