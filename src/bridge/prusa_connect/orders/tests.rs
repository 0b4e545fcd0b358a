use super::decision::{Filament, Goal, Work};
use super::gcode::Material;
use super::*;
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::{Effect, Situation};
use crate::printer::{Objects, Prompt, PromptButton};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

mod at_printer;
mod course;
mod other_work;

fn order(name: &str, kwargs: Value) -> Order {
    let kwargs = kwargs.as_object().cloned().unwrap_or_default();
    Order { id: 7, name: name.to_owned(), kwargs, ..Order::default() }
}

fn prompt() -> Prompt {
    let button = |label: &str, gcode: &str| PromptButton { label: label.into(), gcode: gcode.into() };
    Prompt {
        title: "Runout".into(),
        text: "".into(),
        buttons: vec![button("Retry", "RETRY"), button("Go on", "RESUME")],
    }
}

fn objects() -> Objects {
    Objects { all: [Arc::from("CUBE_1"), Arc::from("a b"), Arc::from("a\"b")].into(), ..Objects::default() }
}

/// A printer in that state, with a job where it has one, of four toolheads.
fn with<T>(state: State, use_it: impl FnOnce(Situation<'_>) -> T) -> T {
    let (prompt, objects) = (prompt(), objects());
    let active = matches!(state, State::Printing | State::Paused | State::Attention);
    use_it(Situation {
        state,
        active,
        ready: state == State::Ready,
        job: active.then_some(43),
        works: state != State::Error,
        dialog: (state == State::Attention).then_some((5, &prompt)),
        objects: Some(&objects),
        chamber: Some("chamber heater"),
        toolheads: 4,
    })
}

fn all() -> Options {
    Options { allowed: Permissions::ALL, ..Options::default() }
}

fn in_state(state: State, order: &Order) -> Decision {
    with(state, |now| decide(order, &now, &all()))
}

/// In short: what is done, or why not.
fn short(decision: &Decision) -> String {
    match decision {
        Decision::Refuse(why) => format!("refused: {why}"),
        Decision::Fail(why) => format!("failed: {why}"),
        Decision::Work(work) => match &work.task {
            Task::Script(script) => format!("script {script}"),
            Task::Gcode(text) => format!("gcode {text}"),
            Task::Start { path, .. } => format!("start {path}"),
            task => format!("{task:?}").to_lowercase(),
        },
        Decision::Unserved => "unserved".to_owned(),
        Decision::Answer(answer) => format!("answer {answer:?}"),
        Decision::Change(change) => format!("change {change:?}"),
        Decision::Files(files) => format!("files {files:?}"),
        Decision::Transfer => "transfer".to_owned(),
        Decision::Token => "token".to_owned(),
    }
}

/// In which states a command is done: the others refuse it with that reason.
#[test]
fn each_command_of_a_print_has_its_states() {
    use State::{Attention, Finished, Idle, Paused, Printing, Ready, Stopped};
    let file = json!({"path": "/local/sub/cube.gcode"});
    for (name, kwargs, states, done, else_) in [
        (
            "START_PRINT",
            file,
            &[Idle, Ready, Finished, Stopped][..],
            "start sub/cube.gcode",
            "Can't print now",
        ),
        ("PAUSE_PRINT", json!({}), &[Printing], "pause", "No print to pause"),
        ("RESUME_PRINT", json!({}), &[Paused], "resume", "No paused print to resume"),
        ("STOP_PRINT", json!({}), &[Printing, Paused, Attention], "cancel", "No print to stop"),
        (
            "SET_PRINTER_READY",
            json!({}),
            &[Idle, Ready, Finished, Stopped],
            "change Ready",
            "Can't set ready now",
        ),
    ] {
        let order = order(name, kwargs);
        for state in State::ALL {
            let expected =
                if states.contains(&state) { done.to_owned() } else { format!("refused: {else_}") };
            assert_eq!(short(&in_state(state, &order)), expected, "{name} in {state:?}");
        }
    }
}

#[test]
fn what_is_asked_is_answered_in_every_state() {
    for state in State::ALL {
        for (name, kwargs, expected) in [
            ("SEND_INFO", json!({}), "answer Info"),
            ("SEND_STATE_INFO", json!({}), "answer State"),
            ("SEND_FILE_INFO", json!({"path": "/local"}), "files Info"),
            ("SEND_FILE_INFO", json!({}), "failed: Missing or broken parameters"),
            ("SEND_TRANSFER_INFO", json!({}), "transfer"),
            ("STOP_TRANSFER", json!({}), "transfer"),
            ("START_CONNECT_DOWNLOAD", json!({}), "transfer"),
            ("START_ENCRYPTED_DOWNLOAD", json!({}), "transfer"),
            ("START_URL_DOWNLOAD", json!({}), "transfer"),
            ("SET_TOKEN", json!({"token": "x"}), "token"),
            ("SET_TOKEN", json!({}), "refused: Missing or broken parameters"),
            ("DELETE_FILE", json!({"path": "/local/a"}), "files Delete"),
            ("DELETE_FOLDER", json!({"path": "/local/a"}), "files DeleteFolder"),
            ("DELETE_DIRECTORY", json!({"path": "/a", "force": true}), "files DeleteFolder"),
            ("CREATE_FOLDER", json!({"path": "/local/a"}), "files CreateFolder"),
            ("CREATE_DIRECTORY", json!({"path": "/local/a"}), "files CreateFolder"),
            ("UPGRADE", json!({}), "refused: The firmware of this printer is not updated through Connect"),
            ("RESET_PRINTER", json!({}), "restart"),
            ("RESET", json!({}), "restart"),
            ("SLOT_ACTION", json!({}), "unserved"),
            ("MAKE_COFFEE", json!({}), "unserved"),
            ("START_INLINE_DOWNLOAD", json!({}), "unserved"),
            ("", json!({}), "unserved"),
        ] {
            assert_eq!(short(&in_state(state, &order(name, kwargs))), expected, "{name} in {state:?}");
        }
    }
}

#[test]
fn what_is_not_allowed_is_refused_and_says_where_to_allow_it() {
    for (name, kwargs, word) in [
        ("GCODE", json!({"gcode": "M84"}), "gcode"),
        ("LOAD_FILAMENT", json!({}), "gcode"),
        ("UNLOAD_FILAMENT", json!({}), "gcode"),
        ("SET_VALUE", json!({"chamber.target_temp": 40}), "gcode"),
        ("DELETE_FILE", json!({"path": "/local/a"}), "delete"),
        ("DELETE_FOLDER", json!({"path": "/local/a"}), "delete"),
        ("DELETE_DIRECTORY", json!({"path": "/local/a"}), "delete"),
        ("START_URL_DOWNLOAD", json!({}), "url_download"),
        ("START_PRINT", json!({"path": "/local/a.gcode"}), "print"),
        ("RESET_PRINTER", json!({}), "reset"),
        ("RESET", json!({}), "reset"),
        ("GCODE", json!({"gcode": "M999 R"}), "reset"),
        ("GCODE", json!({"gcode": "FIRMWARE_RESTART"}), "reset"),
    ] {
        let order = order(name, kwargs);
        let refused = with(State::Idle, |now| decide(&order, &now, &Options::default()));
        let Decision::Refuse(why) = refused else { panic!("{name}: {refused:?}") };
        assert!(why.contains(&format!("set allow_{word} in [prusa_connect]")), "{name}: {why}");
        let allowed = Permissions {
            gcode: word == "gcode",
            delete: word == "delete",
            urls: word == "url_download",
            unready: word == "print",
            reset: word == "reset",
        };
        let allowed = Options { allowed, ..Options::default() };
        let done = with(State::Idle, |now| decide(&order, &now, &allowed));
        assert!(!matches!(done, Decision::Refuse(_)), "{name}: {done:?}");
    }
    // After Set ready a print needs no further permission, and nobody needs one to stop the printer.
    let start = order("START_PRINT", json!({"path": "/local/a.gcode"}));
    let halt = order("GCODE", json!({"gcode": "M112"}));
    let default = Options::default();
    assert_eq!(short(&with(State::Ready, |now| decide(&start, &now, &default))), "start a.gcode");
    for state in State::ALL {
        assert_eq!(short(&with(state, |now| decide(&halt, &now, &default))), "halt");
    }
}

#[test]
fn a_start_names_a_file_of_the_storage() {
    for (kwargs, expected) in [
        (json!({}), "failed: Missing or broken parameters"),
        (json!({"path": 5}), "failed: Missing or broken parameters"),
        (json!({"path": "/usb/a.gcode"}), "refused: Forbidden path"),
        (json!({"path": "/local/../a.gcode"}), "refused: Forbidden path"),
        (json!({"path": "/local/a.bgcode"}), "refused: Unsupported file type"),
        (json!({"path": "/local/a.txt"}), "refused: Unsupported file type"),
        (json!({"path": "/local/a.GCODE"}), "start a.GCODE"),
        (json!({"path_sfn": "/local/a.gco"}), "start a.gco"),
    ] {
        assert_eq!(
            short(&in_state(State::Ready, &order("START_PRINT", kwargs.clone()))),
            expected,
            "{kwargs}"
        );
    }
    let by_place = Order { args: vec![json!("/local/a.g")], ..order("START_PRINT", json!({})) };
    assert_eq!(short(&in_state(State::Ready, &by_place)), "start a.g");
    let Decision::Work(work) = in_state(State::Ready, &by_place) else { panic!() };
    assert_eq!(work.effect, Some(Effect::Started("a.g".into())));
    assert_eq!(work.limit, Some(std::time::Duration::from_secs(15)));
}

#[test]
fn tools_are_mapped_from_one_to_zero() {
    for (mapping, expected) in [
        (json!(null), Ok(vec![])),
        (json!({}), Ok(vec![])),
        (json!({"1": [1], "2": [2]}), Ok(vec![])),
        (json!({"1": [2], "3": [4]}), Ok(vec![(0, 1), (2, 3)])),
        (json!({"2": [1], "1": [1], "4": []}), Ok(vec![(0, 0), (1, 0)])),
        (json!({"1": [2, 3]}), Err("Invalid spool join setting")),
        (json!({"1": [5]}), Err("Invalid tool mapping: the printer has no such tool")),
        (json!({"1": [0]}), Err("Missing or broken parameters")),
        (json!({"0": [1]}), Err("Missing or broken parameters")),
        (json!({"x": [1]}), Err("Missing or broken parameters")),
        (json!({"1": 2}), Err("Missing or broken parameters")),
        (json!([1]), Err("Missing or broken parameters")),
        (json!({"1": [1e30]}), Err("Missing or broken parameters")),
    ] {
        let kwargs = json!({"path": "/local/a.gcode", "tool_mapping": mapping});
        match (in_state(State::Ready, &order("START_PRINT", kwargs)), expected) {
            (Decision::Work(Work { task: Task::Start { mapping: found, .. }, .. }), Ok(expected)) => {
                assert_eq!(found, expected, "{mapping}");
            }
            (Decision::Refuse(why), Err(expected)) => assert_eq!(&*why, expected, "{mapping}"),
            (decision, expected) => panic!("{mapping}: {decision:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_job_is_asked_for_by_its_number() {
    for (kwargs, expected) in [
        (json!({"job_id": 43}), "answer Job(43)"),
        (json!({}), "answer Job(43)"),
        (json!({"job_id": 42}), "failed: Job ID doesn't match"),
        (json!({"job_id": "x"}), "failed: Job ID doesn't match"),
    ] {
        assert_eq!(
            short(&in_state(State::Printing, &order("SEND_JOB_INFO", kwargs.clone()))),
            expected,
            "{kwargs}"
        );
    }
    let none = in_state(State::Idle, &order("SEND_JOB_INFO", json!({"job_id": 43})));
    assert_eq!(short(&none), "failed: No job in progress");
}

#[test]
fn being_ready_is_taken_back_only_where_it_was_said() {
    for state in State::ALL {
        let cancel = short(&in_state(state, &order("CANCEL_PRINTER_READY", json!({}))));
        let expected = match state {
            State::Ready => "change NotReady",
            _ => "failed: Can't cancel, printer isn't ready",
        };
        assert_eq!(cancel, expected, "{state:?}");
        let idle = short(&in_state(state, &order("SET_IDLE", json!({}))));
        let expected = match state {
            State::Ready => "change NotReady",
            State::Idle | State::Finished | State::Stopped => "change Dismissed",
            _ => "refused: Can't set idle now",
        };
        assert_eq!(idle, expected, "{state:?}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("/local/a.gcode")),
        Just(json!("G28 XYZ\nM104 S0")),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[0-9a-z._]{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_order_breaks_it(
        name in prop_oneof![
            prop::sample::select(&["START_PRINT", "GCODE", "SET_VALUE", "LOAD_FILAMENT", "CANCEL_OBJECT",
                "DIALOG_ACTION", "SEND_JOB_INFO", "DELETE_FOLDER", "SEND_FILE_INFO", "SET_TOKEN"][..]).prop_map(str::to_owned),
            "\\PC{0,20}",
        ],
        keys in proptest::collection::vec(
            (prop_oneof![
                prop::sample::select(&["path", "gcode", "tool_mapping", "id", "dialog_id", "button", "job_id", "force",
                    "bed_temperature", "nozzle_temperature", "chamber.target_temp", "tools.1.high_flow"][..]).prop_map(str::to_owned),
                "[a-z0-9._]{0,8}",
            ], json_value()), 0..5),
        args in proptest::collection::vec(json_value(), 0..3),
        state in prop::sample::select(&State::ALL[..]),
        force in any::<bool>(),
    ) {
        let order = Order { id: 7, name, args, kwargs: keys.into_iter().collect(), force };
        for options in [all(), Options::default()] {
            match with(state, |now| decide(&order, &now, &options)) {
                Decision::Refuse(why) | Decision::Fail(why) => {
                    prop_assert!(!why.is_empty() && why.len() < 400, "{}", why);
                }
                Decision::Work(Work { task: Task::Start { path, mapping }, .. }) => {
                    prop_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."));
                    prop_assert!(mapping.iter().all(|(_, head)| *head < 4));
                }
                _ => {}
            }
        }
    }
}
