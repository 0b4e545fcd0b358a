//! What a session sees beyond the print: the machine, files, cameras, faults, dialogs and the console.

use super::tests::{Talk, info, objects};
use super::*;
use crate::printer::FileChange;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A talk in which all is answered but the printer's list and what follows from it.
fn before_the_list() -> Talk {
    let mut talk = Talk::begin(None);
    talk.answer("server.connection.identify", &json!({"connection_id": 1}));
    talk.answer("server.info", &info("ready"));
    talk.answer("server.history.list", &json!({"jobs": []}));
    talk.answer("server.webcams.list", &json!({"webcams": []}));
    talk.refuse("server.exception.query", -32601, "Method not found");
    talk
}

fn names(asked: &Value) -> Vec<&str> {
    asked["objects"].as_object().unwrap().keys().map(String::as_str).collect()
}

const BASE: [&str; 8] = [
    "display_status",
    "gcode_move",
    "idle_timeout",
    "pause_resume",
    "print_stats",
    "toolhead",
    "virtual_sdcard",
    "webhooks",
];

#[test]
fn the_first_sight_waits_for_no_list_and_the_whole_comes_after_it() {
    let mut talk = before_the_list();
    assert_eq!(names(&talk.asked[0].params), BASE);
    talk.answer("printer.objects.list", &json!({"objects": ["gcode", "extruder", "extruder1", "fan"]}));
    assert_eq!(talk.methods(), ["printer.objects.subscribe"], "one after the other");
    talk.answer("printer.objects.subscribe", &objects("ready", "printing"));
    assert_eq!(talk.seen.len(), 1, "the first sight");
    assert_eq!(talk.seen[0].machine.toolheads, []);
    assert_eq!(talk.methods(), ["server.files.metadata", "printer.objects.subscribe"]);
    let asked = names(&talk.asked[1].params);
    assert!(
        BASE.iter().chain(&["extruder", "extruder1", "fan"]).all(|name| asked.contains(name)),
        "{asked:?}"
    );
    assert_eq!(asked.len(), BASE.len() + 3);
    let heat = json!({"temperature": 200.5, "target": 200.0, "power": 0.5});
    talk.answer(
        "printer.objects.subscribe",
        &json!({"status": {"extruder1": heat, "extruder": {"temperature": 20.0}, "toolhead": {"extruder": "extruder1"}}}),
    );
    let machine = &talk.seen[1].machine;
    assert_eq!(machine.toolhead().unwrap().heat.temperature, Some(200.5));
    assert_eq!((machine.toolheads.len(), machine.fans.len()), (2, 1));
    talk.notify("notify_status_update", &json!([{"extruder1": {"temperature": 201.0}}, 1.0]));
    assert_eq!(talk.seen[2].machine.toolhead().unwrap().heat.temperature, Some(201.0));
    talk.notify("notify_status_update", &json!([{"extruder1": {"temperature": 201.0}, "fan": {}}, 1.0]));
    talk.notify("notify_status_update", &json!([{"heater_bed": {"temperature": 20.0}}, 1.0]));
    assert_eq!(talk.seen.len(), 3, "nothing new, nothing told");
}

#[test]
fn the_whole_is_queried_each_minute() {
    let mut talk = Talk::ready();
    talk.wait(19.0);
    talk.notify("notify_proc_stat_update", &json!([{}]));
    talk.wait(19.0);
    talk.notify("notify_proc_stat_update", &json!([{}]));
    talk.wait(19.0);
    talk.notify("notify_proc_stat_update", &json!([{}]));
    talk.wait(3.0);
    assert_eq!(talk.methods(), ["printer.objects.query"]);
    assert!(names(&talk.asked[0].params).contains(&"extruder"));
}

#[test]
fn a_list_that_fails_is_asked_for_again_and_the_print_is_seen_without_it() {
    let mut talk = before_the_list();
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("server.files.metadata", &json!({}));
    talk.settle();
    assert!(talk.seen.last().unwrap().print.is_some());
    talk.refuse("printer.objects.list", 400, "Klippy is busy");
    talk.wait(9.9);
    assert_eq!(talk.methods(), [""; 0]);
    talk.wait(0.2);
    assert_eq!(talk.methods(), ["printer.objects.list"]);
    // It never comes.
    talk.asked.clear();
    talk.wait(30.0);
    talk.answer("server.info", &info("ready"));
    assert_eq!(talk.methods(), ["printer.objects.list"]);
    // So is one that is no list, and a subscription by it that is refused.
    let mut talk = before_the_list();
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("server.files.metadata", &json!({}));
    talk.settle();
    talk.answer("printer.objects.list", &json!({"objects": "none"}));
    talk.wait(10.0);
    talk.answer("printer.objects.list", &json!({"objects": ["extruder"]}));
    talk.refuse("printer.objects.subscribe", 400, "no");
    talk.wait(10.0);
    talk.answer("printer.objects.list", &json!({"objects": ["extruder"]}));
    talk.answer("printer.objects.subscribe", &json!({"status": {"extruder": {"temperature": 9.0}}}));
    assert_eq!(talk.seen.last().unwrap().machine.toolheads[0].heat.temperature, Some(9.0));
    talk.wait(15.0);
    assert_eq!(talk.methods(), [""; 0]);
}

#[test]
fn after_a_restart_of_klipper_its_new_objects_are_seen_and_the_old_ones_gone() {
    let mut talk = Talk::ready();
    talk.notify("notify_status_update", &json!([{"extruder": {"temperature": 55.0}}, 1.0]));
    assert_eq!(talk.seen[0].machine.toolheads.len(), 1);
    talk.notify("notify_klippy_disconnected", &json!([]));
    assert_eq!(*talk.seen[1].machine, crate::printer::Machine::default());
    talk.notify("notify_klippy_ready", &json!([]));
    assert_eq!(talk.methods(), ["printer.objects.subscribe", "printer.objects.list"]);
    assert_eq!(names(&talk.asked[0].params), BASE);
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("printer.objects.list", &json!({"objects": ["extruder", "extruder1", "heater_bed"]}));
    talk.answer("printer.objects.subscribe", &json!({"status": {"extruder1": {"temperature": 1.0}}}));
    let machine = &talk.seen.last().unwrap().machine;
    assert_eq!((machine.toolheads.len(), machine.bed.is_some()), (2, true));
    assert_eq!(machine.toolheads[0].heat.temperature, None, "55.0 was of another life");
}

#[test]
fn a_subscription_to_the_base_that_comes_late_does_not_stay_the_last_one() {
    let mut talk = before_the_list();
    talk.answer("printer.objects.list", &json!({"objects": ["extruder"]}));
    // Klipper hangs; the question is given up and asked anew.
    for _ in 0..32 {
        talk.wait(1.0);
        talk.notify("notify_proc_stat_update", &json!([{}]));
    }
    talk.answer("server.info", &info("ready"));
    let late = talk.id("printer.objects.subscribe");
    talk.message(&json!({"id": late, "result": objects("ready", "standby")}));
    assert_eq!(talk.methods(), ["printer.objects.subscribe"], "an answer to a question that was given up");
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    assert!(names(&talk.asked.last().unwrap().params).contains(&"extruder"));
}

fn metadata(talk: &Talk) -> Option<f64> {
    let print = talk.seen.last().unwrap().print.clone().unwrap();
    print.metadata.and_then(|metadata| metadata.layer_height)
}

#[test]
fn the_facts_of_a_file_are_asked_for_when_it_is_another() {
    let mut talk = Talk::ready();
    let file = |name: &str| json!([{"print_stats": {"filename": name}}, 1.0]);
    talk.notify("notify_status_update", &file("b \"1\".gcode"));
    assert_eq!(talk.asked[0].params, json!({"filename": "b \"1\".gcode"}));
    // A third file before the answer: that of the second is not taken for it.
    let old = talk.id("server.files.metadata");
    talk.notify("notify_status_update", &file("/c.gcode"));
    assert_eq!(talk.asked[0].params, json!({"filename": "c.gcode"}));
    talk.message(&json!({"id": old, "result": {"layer_height": 0.3}}));
    assert_eq!(metadata(&talk), None);
    talk.answer("server.files.metadata", &json!({"layer_height": 0.2}));
    assert_eq!(metadata(&talk), Some(0.2));
    // The file is replaced.
    let change = |path: &str| json!([{"action": "modify_file", "item": {"path": path, "root": "gcodes"}}]);
    talk.notify("notify_filelist_changed", &change("d.gcode"));
    assert_eq!(talk.methods(), [""; 0]);
    talk.notify("notify_filelist_changed", &change("c.gcode"));
    talk.answer("server.files.metadata", &json!({"layer_height": 0.1}));
    assert_eq!(metadata(&talk), Some(0.1));
    talk.notify("notify_status_update", &file(""));
    assert_eq!(metadata(&talk), None);
    assert_eq!(talk.methods(), [""; 0]);
}

#[test]
fn a_file_that_is_not_scanned_yet_is_asked_for_a_few_times() {
    let mut talk = Talk::ready();
    talk.notify("notify_status_update", &json!([{"print_stats": {"filename": "new.gcode"}}, 1.0]));
    for pause in [1.0, 3.0, 10.0] {
        talk.refuse("server.files.metadata", -32601, "Metadata not available for <new.gcode>");
        talk.wait(pause - 0.1);
        assert_eq!(talk.methods(), [""; 0]);
        talk.wait(0.2);
        assert_eq!(talk.methods(), ["server.files.metadata"]);
    }
    talk.answer("server.files.metadata", &json!({"layer_height": 0.2}));
    assert_eq!(metadata(&talk), Some(0.2));
}

#[test]
fn lines_of_the_console_are_told_one_by_one_without_chatter() {
    let mut talk = Talk::ready();
    for text in ["B:32.9 /60.0 T0:41.1 /200.0", "ok", "!! too cold\n// really\n", "", "echo: \u{fc}"] {
        talk.notify("notify_gcode_response", &json!([text]));
    }
    assert_eq!(talk.console, ["!! too cold", "// really", "echo: \u{fc}"]);
    assert_eq!(talk.seen, [], "nothing of the state changed");
    for odd in [json!([]), json!([7]), json!({}), json!("x"), json!([["!! x"]])] {
        talk.notify("notify_gcode_response", &odd);
    }
    talk.notify("notify_gcode_response", &json!(["x\n".repeat(10_000)]));
    assert!((40..60).contains(&talk.console.len()), "{}", talk.console.len());
}

#[test]
fn changes_of_files_that_can_be_printed_are_told() {
    let mut talk = Talk::ready();
    for (action, root) in [("delete_file", "gcodes"), ("delete_file", "config"), ("root_update", "gcodes")] {
        let news = json!([{"action": action, "item": {"path": "a/b.gcode", "root": root}}]);
        talk.notify("notify_filelist_changed", &news);
    }
    let gone = FileChange::Deleted { path: "a/b.gcode".to_owned() };
    assert_eq!(talk.files, [gone, FileChange::Everything]);
    assert_eq!(talk.seen, [], "nothing of the state changed");
}

#[test]
fn a_dialog_may_come_in_one_message_and_goes_with_klipper() {
    let mut talk = Talk::ready();
    let dialog = "// action:prompt_begin Change\n// action:prompt_text Load it\n// action:prompt_show";
    talk.notify("notify_gcode_response", &json!([dialog]));
    assert_eq!(talk.seen.len(), 1);
    assert_eq!(&*talk.seen[0].prompt.clone().unwrap().title, "Change");
    talk.notify("notify_gcode_response", &json!(["// action:prompt_end"]));
    assert_eq!(talk.seen[1].prompt, None);
    talk.notify("notify_gcode_response", &json!([dialog]));
    talk.notify("notify_klippy_disconnected", &json!([]));
    assert_eq!(talk.seen[3].prompt, None);
    // A flood does not hide a dialog.
    let mut talk = Talk::ready();
    talk.notify("notify_gcode_response", &json!(["x\n".repeat(10_000) + dialog]));
    assert!(talk.seen[0].prompt.is_some());
}

#[test]
fn faults_of_the_vendor_are_seen_as_they_come_and_go() {
    let codes = |talk: &Talk| {
        let faults = talk.seen.last().unwrap().faults.iter();
        faults.map(|fault| fault.code.to_string()).collect::<Vec<_>>()
    };
    let mut talk = Talk::begin(None);
    talk.answer("server.connection.identify", &json!({"connection_id": 1}));
    talk.answer("server.info", &info("ready"));
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("server.history.list", &json!({"jobs": []}));
    let no_filament = json!({"id": 523, "index": 1, "code": 12, "level": 2, "message": "no filament"});
    talk.answer("server.exception.query", &json!({"state": "success", "exceptions": [no_filament]}));
    assert_eq!(codes(&talk), ["523-1-12"]);
    // One that is in no list goes by itself.
    talk.notify(
        "notify_exception_notification",
        &json!([{"id": 524, "index": 0, "code": 3, "message": "dark"}]),
    );
    assert_eq!(codes(&talk), ["523-1-12", "524-0-3"]);
    talk.wait(9.0);
    assert_eq!(codes(&talk).len(), 2);
    talk.wait(1.0);
    assert_eq!(codes(&talk), ["523-1-12"]);
    talk.notify("notify_exception_status", &json!([{"exceptions": []}]));
    assert_eq!(codes(&talk), [""; 0]);
}

#[test]
fn cameras_and_the_users_own_message_are_seen() {
    let mut talk = before_the_list();
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("printer.objects.list", &json!({"objects": ["gcode_macro _OCTOAPP_STATUS"]}));
    let status = |text: &str| json!({"gcode_macro _OCTOAPP_STATUS": {"notify_message": text}});
    talk.answer("printer.objects.subscribe", &json!({"status": status("")}));
    assert_eq!(talk.seen.last().unwrap().app_message, None);
    talk.notify("notify_status_update", &json!([status("Bed is hot|||60~~~4"), 1.0]));
    assert_eq!(talk.seen.last().unwrap().app_message.as_deref(), Some("Bed is hot|||60~~~4"));
    talk.notify("notify_webcams_changed", &json!([{"webcams": [{"name": "chamber"}]}]));
    assert_eq!(&*talk.seen.last().unwrap().webcams[0].name, "chamber");
    let before = talk.seen.len();
    for odd in [json!([{"webcams": 7}]), json!([]), json!([{}]), json!([[1]])] {
        talk.notify("notify_webcams_changed", &odd);
    }
    assert_eq!(talk.seen.len(), before);
}

/// Any JSON, with the words that a session looks for among its keys and texts.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "status",
        "objects",
        "extruder",
        "extruder1",
        "print_stats",
        "info",
        "filename",
        "state",
        "printing",
        "gcode_move",
        "gcode_position",
        "exclude_object",
        "excluded_objects",
        "temperature_fan x",
        "temperature",
        "name",
        "webcams",
        "exceptions",
        "id",
        "code",
        "item",
        "path",
        "thumbnails",
        "relative_path",
    ];
    let word = proptest::sample::select(&WORDS[..]).prop_map(str::to_owned);
    let text = prop_oneof![word.clone(), "\\PC{0,12}", Just("x".repeat(5000))];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_of_any_shape_leaves_the_session_sane(
        steps in proptest::collection::vec((0_usize..16, any_json(), any::<bool>()), 1..30),
    ) {
        const METHODS: [&str; 8] = [
            "notify_status_update",
            "notify_gcode_response",
            "notify_history_changed",
            "notify_filelist_changed",
            "notify_webcams_changed",
            "notify_exception_status",
            "notify_exception_notification",
            "notify_klippy_ready",
        ];
        let mut session = Session::new(SessionOptions { version: "1", api_key: None });
        let mut now = Duration::from_secs(1);
        session.on_connected(now);
        for (kind, json, flag) in steps {
            let pending = session.pending.first().map(|pending| pending.id);
            let message = match METHODS.get(kind) {
                Some(method) => json!({"method": method, "params": if flag { json!([json]) } else { json }}),
                // In the order of questions, so that a list is followed by a subscription by it.
                None => json!({"id": pending, "result": json}),
            };
            for action in session.on_message(message.to_string().as_bytes(), now) {
                prop_assert!(!matches!(action, Action::Close(_)), "{} is JSON", message);
                if let Action::Emit(Observation::Seen(snapshot)) = action {
                    let size = format!("{snapshot:?}").len();
                    prop_assert!(size < 256 * 1024, "{} bytes", size);
                }
            }
            prop_assert!(session.pending.len() <= FIRST.len() + 4);
            if flag && let Some(tick) = session.next_tick() {
                now = tick;
                session.on_tick(now);
                if session.closed {
                    return Ok(());
                }
            }
        }
    }
}
