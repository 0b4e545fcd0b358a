//! The talk, message by message, in virtual time.

use super::*;
use crate::printer::{FileChange, JobStatus, PrintState};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    id: u64,
    pub(super) params: Value,
}

pub(super) struct Talk {
    pub(super) session: Session,
    pub(super) now: Duration,
    pub(super) asked: Vec<Asked>,
    pub(super) seen: Vec<Snapshot>,
    pub(super) console: Vec<String>,
    pub(super) files: Vec<FileChange>,
    pub(super) closed: Option<SessionError>,
}

impl Talk {
    pub(super) fn begin(api_key: Option<&str>) -> Self {
        let options = SessionOptions { version: "1.2.3", api_key: api_key.map(ApiKey::new) };
        let mut talk = Self {
            session: Session::new(options),
            now: Duration::from_secs(100),
            asked: Vec::new(),
            seen: Vec::new(),
            console: Vec::new(),
            files: Vec::new(),
            closed: None,
        };
        let actions = talk.session.on_connected(talk.now);
        talk.act(actions);
        talk
    }

    /// A talk in which Klipper is ready and nothing prints.
    pub(super) fn ready() -> Self {
        let mut talk = Self::begin(None);
        talk.answer("server.connection.identify", &json!({"connection_id": 1}));
        talk.answer("server.info", &info("ready"));
        talk.answer("server.history.list", &json!({"count": 0, "jobs": []}));
        talk.beside();
        talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
        talk.beside();
        talk.settle();
        assert_eq!(talk.methods(), [""; 0]);
        talk.seen.clear();
        talk
    }

    /// Answers what does not matter here: a printer with one toolhead and no camera.
    pub(super) fn beside(&mut self) {
        for (method, result) in [
            ("printer.objects.list", json!({"objects": ["extruder"]})),
            ("server.webcams.list", json!({"webcams": []})),
            ("server.files.metadata", json!({})),
        ] {
            if self.methods().contains(&method) {
                self.answer(method, &result);
            }
        }
        if self.methods().contains(&"server.exception.query") {
            self.refuse("server.exception.query", -32601, "Method not found");
        }
        if self.asks_for_all() {
            self.answer("printer.objects.subscribe", &json!({"status": {"extruder": {"temperature": 20.0}}}));
        }
    }

    /// Whether the next request to subscribe is that for all of the printer.
    fn asks_for_all(&self) -> bool {
        let next = self.asked.iter().find(|asked| asked.method == "printer.objects.subscribe");
        next.is_some_and(|next| next.params["objects"].get("extruder").is_some())
    }

    /// Lets the question about the history pass that follows each new state of the print.
    pub(super) fn settle(&mut self) {
        self.wait(1.5);
        self.answer("server.history.list", &json!({"jobs": []}));
    }

    pub(super) fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(text) => {
                    let request: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(request["jsonrpc"], "2.0");
                    self.asked.push(Asked {
                        method: request["method"].as_str().unwrap().to_owned(),
                        id: request["id"].as_u64().unwrap(),
                        params: request["params"].clone(),
                    });
                }
                Action::Emit(Observation::Seen(snapshot)) => self.seen.push(snapshot.as_ref().clone()),
                Action::Emit(Observation::Console(line)) => self.console.push(line.to_string()),
                Action::Emit(Observation::Files(change)) => self.files.push(change.as_ref().clone()),
                Action::Emit(other) => panic!("{other:?}"),
                Action::Close(error) => self.closed = Some(error),
            }
        }
    }

    pub(super) fn methods(&self) -> Vec<&str> {
        self.asked.iter().map(|asked| asked.method.as_str()).collect()
    }

    #[track_caller]
    pub(super) fn id(&mut self, method: &str) -> u64 {
        let index = self.asked.iter().position(|asked| asked.method == method);
        let index = index.unwrap_or_else(|| panic!("{method} was not asked, only {:?}", self.asked));
        self.asked.remove(index).id
    }

    #[track_caller]
    pub(super) fn answer(&mut self, method: &str, result: &Value) {
        let id = self.id(method);
        self.message(&json!({"jsonrpc": "2.0", "result": result, "id": id}));
    }

    #[track_caller]
    pub(super) fn refuse(&mut self, method: &str, code: i64, message: &str) {
        let id = self.id(method);
        self.message(&json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}));
    }

    pub(super) fn notify(&mut self, method: &str, params: &Value) {
        self.message(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    pub(super) fn message(&mut self, message: &Value) {
        self.bytes(message.to_string().as_bytes());
    }

    pub(super) fn bytes(&mut self, message: &[u8]) {
        let actions = self.session.on_message(message, self.now);
        self.act(actions);
    }

    /// Lets time pass, with every tick that the session wants.
    pub(super) fn wait(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        while let Some(tick) = self.session.next_tick().filter(|tick| *tick <= until) {
            assert!(tick >= self.now, "a tick in the past");
            self.now = tick;
            let actions = self.session.on_tick(tick);
            self.act(actions);
            assert!(self.session.next_tick().is_none_or(|next| next > tick), "time stands still");
        }
        self.now = until;
    }

    fn states(&self) -> Vec<(KlippyState, Option<PrintState>)> {
        self.seen
            .iter()
            .map(|seen| (seen.klippy.state, seen.print.as_ref().map(|print| print.state)))
            .collect()
    }
}

pub(super) fn info(state: &str) -> Value {
    json!({"klippy_connected": state != "disconnected", "klippy_state": state, "moonraker_version": "0.11.0"})
}

pub(super) fn objects(klippy: &str, print: &str) -> Value {
    json!({"eventtime": 1.0, "status": {
        "webhooks": {"state": klippy, "state_message": "words"},
        "print_stats": {"state": print, "filename": "a.gcode", "total_duration": 1.0},
    }})
}

use KlippyState::{Disconnected, Error, Ready, Shutdown, Startup};

#[test]
fn all_is_asked_at_once_and_told_when_all_is_answered() {
    let mut talk = Talk::begin(None);
    let first =
        ["server.connection.identify", "server.info", "printer.objects.subscribe", "server.history.list"];
    let beside = ["printer.objects.list", "server.webcams.list", "server.exception.query"];
    assert_eq!(talk.methods(), [&first[..], &beside].concat());
    talk.answer(
        "server.history.list",
        &json!({"jobs": [{"job_id": "1", "filename": "a.gcode",
        "status": "in_progress", "start_time": 5.0}]}),
    );
    talk.answer("printer.objects.subscribe", &objects("ready", "printing"));
    assert_eq!(talk.seen, []);
    assert!(!talk.session.is_useful());
    talk.answer("server.info", &info("ready"));
    let [seen] = &talk.seen[..] else { panic!("{:?}", talk.seen) };
    assert_eq!(seen.klippy, Klippy { state: Ready, message: None });
    assert_eq!(seen.print.as_ref().unwrap().file.as_deref(), Some("a.gcode"));
    assert_eq!(seen.history.jobs[0].status, JobStatus::InProgress);
    assert_eq!(talk.session.moonraker_version(), Some("0.11.0"));
    assert!(talk.session.is_useful());
}

#[test]
fn a_slow_history_does_not_hold_the_first_sight_for_ever() {
    let mut talk = Talk::begin(None);
    talk.answer("server.info", &info("ready"));
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.wait(1.9);
    assert_eq!(talk.seen, []);
    talk.wait(0.2);
    assert_eq!(talk.states(), [(Ready, Some(PrintState::Standby))]);
    assert!(!talk.seen[0].history.available);
    talk.answer("server.history.list", &json!({"jobs": []}));
    assert!(talk.seen[1].history.available);
}

#[test]
fn an_absent_history_is_no_obstacle() {
    let mut talk = Talk::begin(None);
    talk.answer("server.info", &info("ready"));
    talk.refuse("server.history.list", -32601, "Method not found");
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    assert_eq!(talk.seen.len(), 1);
    assert!(!talk.seen[0].history.available);
}

#[test]
fn a_klipper_that_never_came_is_polled_and_subscribed_when_it_comes() {
    let mut talk = Talk::begin(None);
    talk.answer("server.connection.identify", &json!({}));
    talk.refuse("printer.objects.subscribe", -32601, "Method not found");
    talk.answer("server.history.list", &json!({"jobs": []}));
    talk.answer("server.info", &info("disconnected"));
    talk.refuse("printer.objects.list", -32601, "Method not found");
    talk.beside();
    assert_eq!(talk.states(), [(Disconnected, None)]);
    assert_eq!(talk.methods(), [""; 0]);
    talk.wait(2.0);
    assert_eq!(talk.methods(), ["server.info"]);
    talk.answer("server.info", &info("startup"));
    assert_eq!(talk.methods(), ["printer.info", "printer.objects.subscribe", "printer.objects.list"]);
    talk.answer("printer.info", &json!({"state_message": "Printer is not ready"}));
    talk.refuse("printer.objects.subscribe", 503, "Klippy Host not connected");
    talk.refuse("printer.objects.list", 503, "Klippy Host not connected");
    assert_eq!(talk.seen.last().unwrap().klippy.message.as_deref(), Some("Printer is not ready"));
    talk.wait(2.0);
    talk.answer("server.info", &info("ready"));
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    assert_eq!(talk.states().last(), Some(&(Ready, Some(PrintState::Standby))));
    talk.beside();
    talk.settle();
    talk.wait(10.0);
    assert_eq!(talk.methods(), [""; 0], "no poll while it is ready");
}

#[test]
fn a_restart_of_klipper_is_followed_by_a_new_subscription() {
    let mut talk = Talk::ready();
    talk.notify("notify_klippy_disconnected", &json!([]));
    talk.wait(1.0);
    talk.answer("server.info", &info("disconnected"));
    talk.wait(1.0);
    talk.notify("notify_klippy_ready", &json!([]));
    assert_eq!(talk.states(), [(Disconnected, None), (Disconnected, None), (Ready, None)]);
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    assert_eq!(talk.states().last(), Some(&(Ready, Some(PrintState::Standby))));
}

#[test]
fn an_answer_that_the_old_klipper_owed_is_not_taken_for_the_new_one() {
    let mut talk = Talk::ready();
    for _ in 0..60 {
        talk.wait(1.0);
        talk.notify("notify_proc_stat_update", &json!([{}]));
    }
    let old = talk.id("printer.objects.query");
    talk.notify("notify_klippy_disconnected", &json!([]));
    talk.notify("notify_klippy_ready", &json!([]));
    talk.message(&json!({"id": old, "result": objects("ready", "printing")}));
    assert_eq!(talk.states(), [(Disconnected, None), (Ready, None)]);
}

#[test]
fn an_error_of_klipper_is_found_by_polling_and_told_with_its_reason() {
    let mut talk = Talk::ready();
    talk.notify("notify_klippy_disconnected", &json!([]));
    talk.wait(1.0);
    talk.answer("server.info", &info("error"));
    assert_eq!(talk.states(), [(Disconnected, None)], "held until the reason is known");
    talk.answer("printer.info", &json!({"state": "error", "state_message": "Option 'x' is not valid"}));
    let last = talk.seen.last().unwrap();
    assert_eq!((last.klippy.state, last.klippy.message.as_deref()), (Error, Some("Option 'x' is not valid")));
}

#[test]
fn a_shutdown_is_told_with_its_reason_however_that_comes() {
    // In an update before the notification.
    let mut talk = Talk::ready();
    talk.notify(
        "notify_status_update",
        &json!([{"webhooks": {"state": "shutdown", "state_message": "why"}}, 1.0]),
    );
    talk.notify("notify_klippy_shutdown", &json!([]));
    assert_eq!(talk.seen.len(), 1);
    assert_eq!(talk.seen[0].klippy, Klippy { state: Shutdown, message: Some("why".into()) });
    // After it.
    let mut talk = Talk::ready();
    talk.notify("notify_klippy_shutdown", &json!([]));
    assert_eq!(talk.seen, []);
    talk.notify(
        "notify_status_update",
        &json!([{"webhooks": {"state": "shutdown", "state_message": "why"}}, 1.0]),
    );
    assert_eq!(talk.seen[0].klippy, Klippy { state: Shutdown, message: Some("why".into()) });
    // When asked for.
    let mut talk = Talk::ready();
    talk.notify("notify_klippy_shutdown", &json!([]));
    talk.answer("printer.info", &json!({"state": "shutdown", "state_message": "why"}));
    assert_eq!(talk.seen[0].klippy, Klippy { state: Shutdown, message: Some("why".into()) });
    // Never.
    let mut talk = Talk::ready();
    talk.notify("notify_klippy_shutdown", &json!([]));
    talk.wait(1.0);
    assert_eq!(talk.seen[0].klippy, Klippy { state: Shutdown, message: None });
}

#[test]
fn updates_are_told_when_they_change_something() {
    let mut talk = Talk::ready();
    talk.notify("notify_status_update", &json!([{"toolhead": {"estimated_print_time": 3.5}}, 1.0]));
    talk.notify("notify_proc_stat_update", &json!([{"cpu_temp": null}]));
    assert_eq!(talk.seen, []);
    talk.notify("notify_status_update", &json!([{"display_status": {"message": "hello"}}, 1.0]));
    assert_eq!(talk.seen[0].message.as_deref(), Some("hello"));
    talk.notify("notify_status_update", &json!([{"display_status": {"message": null}}, 1.0]));
    assert_eq!(talk.seen[1].message, None);
}

#[test]
fn the_history_is_asked_when_it_keeps_silent_about_a_change() {
    let mut talk = Talk::ready();
    talk.notify("notify_status_update", &json!([{"print_stats": {"state": "printing"}}, 1.0]));
    talk.wait(1.4);
    assert_eq!(talk.methods(), [""; 0]);
    talk.wait(0.2);
    let before = talk.seen.len();
    talk.answer("server.history.list", &json!({"jobs": []}));
    assert_eq!(talk.seen.len(), before + 1, "told again, so that nobody waits on");

    let mut talk = Talk::ready();
    talk.notify("notify_status_update", &json!([{"print_stats": {"state": "printing"}}, 1.0]));
    talk.notify(
        "notify_history_changed",
        &json!([{"action": "added", "job":
        {"job_id": "1", "filename": "a.gcode", "status": "in_progress", "start_time": 1.0}}]),
    );
    talk.wait(5.0);
    assert_eq!(talk.methods(), [""; 0]);
    assert_eq!(talk.seen.last().unwrap().history.jobs.len(), 1);
}

#[test]
fn everything_is_queried_anew_each_minute() {
    let mut talk = Talk::ready();
    let mut queried = Vec::new();
    for second in 0..180 {
        talk.wait(1.0);
        talk.notify("notify_proc_stat_update", &json!([{}]));
        if talk.methods() == ["printer.objects.query"] {
            queried.push(second);
            talk.answer("printer.objects.query", &objects("ready", "standby"));
        }
    }
    assert_eq!(talk.methods(), [""; 0]);
    let [first, second, third] = queried[..] else { panic!("{queried:?}") };
    assert_eq!((second - first, third - second), (60, 60));
    assert_eq!(talk.seen.len(), 3, "told again, though nothing changed");
}

#[test]
fn silence_is_probed_and_then_the_end() {
    let mut talk = Talk::ready();
    talk.wait(19.9);
    assert_eq!(talk.methods(), [""; 0]);
    talk.wait(0.2);
    assert_eq!(talk.methods(), ["server.info"]);
    talk.wait(9.8);
    assert_eq!(talk.closed, None);
    talk.wait(0.2);
    assert_eq!(talk.closed, Some(SessionError::Stalled { method: "server.info" }));
    assert!(talk.closed.unwrap().to_string().contains("restart Moonraker"));
    assert_eq!(talk.session.next_tick(), None);
}

#[test]
fn a_moonraker_that_never_answers_is_left_after_ten_seconds() {
    let mut talk = Talk::begin(None);
    talk.wait(9.9);
    assert_eq!(talk.closed, None);
    talk.wait(0.2);
    assert!(matches!(talk.closed, Some(SessionError::Stalled { .. })));
    assert_eq!(talk.seen, []);
}

#[test]
fn a_klipper_that_does_not_answer_is_asked_again() {
    let mut talk = Talk::begin(None);
    talk.answer("server.connection.identify", &json!({}));
    talk.answer("server.info", &info("ready"));
    talk.answer("server.history.list", &json!({"jobs": []}));
    for _ in 0..40 {
        talk.wait(1.0);
        talk.notify("notify_proc_stat_update", &json!([{}]));
        if talk.methods().contains(&"server.info") {
            talk.answer("server.info", &info("ready"));
        }
    }
    assert_eq!(talk.states()[0], (Ready, None));
    let subscriptions =
        talk.methods().iter().filter(|method| **method == "printer.objects.subscribe").count();
    assert_eq!(subscriptions, 2);
    assert_eq!(talk.closed, None);
}

#[test]
fn a_refusal_for_want_of_a_key_names_the_remedy() {
    let mut talk = Talk::begin(None);
    talk.answer("server.connection.identify", &json!({"connection_id": 1}));
    talk.refuse("server.info", -32602, "Unauthorized");
    assert_eq!(talk.closed, Some(SessionError::Unauthorized));
    assert!(SessionError::Unauthorized.to_string().contains("MOONRAKER_API_KEY"));
    // A wrong key.
    let mut talk = Talk::begin(Some("wrong"));
    talk.refuse("server.info", -32602, "Unauthorized");
    assert_eq!(talk.closed, None, "the key in identify may still open the door");
    talk.refuse("server.connection.identify", 401, "Unauthorized");
    assert_eq!(talk.closed, Some(SessionError::Unauthorized));
}

#[test]
fn what_was_refused_before_the_key_was_taken_is_asked_again() {
    let mut talk = Talk::begin(Some("right"));
    for method in ["server.info", "printer.objects.subscribe", "server.history.list"] {
        talk.refuse(method, -32602, "Unauthorized");
    }
    talk.answer("server.connection.identify", &json!({"connection_id": 1}));
    talk.answer("server.info", &info("ready"));
    talk.answer("printer.objects.subscribe", &objects("ready", "standby"));
    talk.answer("server.history.list", &json!({"jobs": []}));
    assert_eq!(talk.states(), [(Ready, Some(PrintState::Standby))]);
}

#[test]
fn an_old_moonraker_that_knows_no_identify_is_fine() {
    let mut talk = Talk::begin(None);
    talk.refuse("server.connection.identify", -32601, "Method not found");
    assert_eq!(talk.closed, None);
}

#[test]
fn what_is_not_json_ends_the_connection_and_is_shown() {
    for garbage in [&b"HTTP/1.1 400 Bad Request"[..], b"", b"{\"id\":1", b"\xff\xfe\x00", b"7", b"\"text\""] {
        let mut talk = Talk::ready();
        talk.bytes(garbage);
        let Some(error @ SessionError::Garbage { .. }) = &talk.closed else { panic!("{:?}", talk.closed) };
        assert!(error.to_string().contains("MOONRAKER_URL"), "{error}");
        talk.bytes(b"{}");
    }
    let mut talk = Talk::ready();
    talk.bytes(&vec![b' '; MAX_MESSAGE + 1]);
    assert_eq!(talk.closed, Some(SessionError::TooLong));
}

#[test]
fn strange_but_valid_messages_are_ignored() {
    for strange in [
        "{}",
        "[]",
        r#"[{"id":1,"result":{}}]"#,
        r#"{"id":999999,"result":{}}"#,
        r#"{"id":"1","result":{}}"#,
        r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#,
        r#"{"method":"notify_new_thing","params":[{"a":1}]}"#,
        r#"{"method":"ping","id":139985550970448,"params":{"x":1}}"#,
        r#"{"method":"notify_status_update","params":{}}"#,
        r#"{"method":"notify_status_update"}"#,
        r#"{"method":"notify_status_update","params":[7,8]}"#,
        r#"{"method":"notify_history_changed","params":[{"job":null}]}"#,
    ] {
        let mut talk = Talk::ready();
        talk.bytes(strange.as_bytes());
        assert_eq!((talk.closed, talk.seen), (None, vec![]), "{strange}");
    }
}

#[test]
fn a_loss_is_told_only_of_a_connection_that_showed_the_printer() {
    let mut talk = Talk::begin(None);
    assert_eq!(talk.session.on_closed("gone"), []);
    let mut talk = Talk::ready();
    let lost = Action::Emit(Observation::Lost { reason: "gone".into() });
    assert_eq!(talk.session.on_closed("gone"), [lost]);
    assert_eq!(talk.session.on_closed("gone"), []);
}

#[test]
fn the_key_is_sent_and_never_shown() {
    let options = SessionOptions { version: "1", api_key: Some(ApiKey::new("0123SECRET")) };
    let mut session = Session::new(options.clone());
    let actions = session.on_connected(Duration::ZERO);
    assert!(matches!(&actions[0], Action::Send(text) if text.contains("0123SECRET")));
    for shown in [format!("{options:?}"), format!("{session:?}"), format!("{actions:?}")] {
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

/// Messages as Moonraker sends them, to be damaged.
const SAMPLES: [&str; 14] = [
    r#"{"jsonrpc":"2.0","result":{"objects":["webhooks","extruder","extruder1","heater_bed","fan","heater_fan a","temperature_sensor b","exclude_object","gcode_macro _OCTOAPP_STATUS"]},"id":5}"#,
    r#"{"jsonrpc":"2.0","result":{"status":{"extruder":{"temperature":20.5,"target":0.0},"fan":{"speed":0.5,"rpm":null},"toolhead":{"extruder":"extruder1","homed_axes":"xy"},"gcode_move":{"gcode_position":[1,2,3,4]},"exclude_object":{"objects":[{"name":"a"}],"excluded_objects":["a"],"current_object":null}}},"id":8}"#,
    r#"{"jsonrpc":"2.0","result":{"webcams":[{"name":"a","enabled":true,"rotation":90,"snapshot_url":"/webcam/"}]},"id":6}"#,
    r#"{"jsonrpc":"2.0","result":{"state":"success","exceptions":[{"id":523,"index":1,"code":12,"level":2,"message":"x"}]},"id":7}"#,
    r#"{"jsonrpc":"2.0","method":"notify_exception_notification","params":[{"id":523,"index":1,"code":13,"level":2,"message":"y"}]}"#,
    r#"{"jsonrpc":"2.0","method":"notify_gcode_response","params":["// action:prompt_begin a\n// action:prompt_button b|c\n// action:prompt_show\nok"]}"#,
    r#"{"params":[{"extruder":{"temperature":21.5},"toolhead":{"extruder":""}},3207.2],"method":"notify_status_update"}"#,
    r#"{"jsonrpc":"2.0","method":"notify_filelist_changed","params":[{"action":"modify_file","item":{"path":"a.gcode","root":"gcodes"}}]}"#,
    r#"{"jsonrpc":"2.0","result":{"klippy_connected":true,"klippy_state":"ready","moonraker_version":"0.11.0"},"id":2}"#,
    r#"{"jsonrpc":"2.0","result":{"eventtime":1.5,"status":{"webhooks":{"state":"ready","state_message":"Printer is ready"},"print_stats":{"filename":"a.gcode","total_duration":0.5,"state":"printing","message":"","info":{"total_layer":null,"current_layer":2}},"virtual_sdcard":{"progress":0.1,"file_position":99},"display_status":{"progress":0.0,"message":null}}},"id":3}"#,
    r#"{"jsonrpc":"2.0","result":{"count":1,"jobs":[{"job_id":"000001","filename":"a.gcode","status":"in_progress","start_time":1795222013.8,"end_time":null,"total_duration":1.0,"metadata":{"gcode_start_byte":210,"gcode_end_byte":1000,"estimated_time":5}}]},"id":4}"#,
    r#"{"jsonrpc":"2.0","method":"notify_status_update","params":[{"print_stats":{"state":"paused","total_duration":1e3}},3207.2]}"#,
    r#"{"jsonrpc":"2.0","method":"notify_history_changed","params":[{"action":"finished","job":{"job_id":"000001","filename":"a.gcode","status":"completed","start_time":1.0}}]}"#,
    r#"{"jsonrpc":"2.0","method":"notify_klippy_shutdown"}"#,
];

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let sample = proptest::sample::select(&SAMPLES[..]).prop_map(|text| text.as_bytes().to_vec());
    let change = (any::<proptest::sample::Index>(), any::<u8>(), 0_u8..4);
    (sample, proptest::collection::vec(change, 0..4)).prop_map(|(mut bytes, changes)| {
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at.min(bytes.len()), byte),
                2 if at < bytes.len() => {
                    bytes.remove(at);
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn whatever_comes_the_session_stays_sane(
        steps in proptest::collection::vec(
            prop_oneof![
                3 => damaged().prop_map(Some),
                1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Some),
                2 => Just(None),
            ],
            0..60,
        ),
    ) {
        let mut session = Session::new(SessionOptions { version: "1", api_key: None });
        let mut now = Duration::from_secs(1);
        session.on_connected(now);
        for step in steps {
            match step {
                Some(bytes) => {
                    let actions = session.on_message(&bytes, now);
                    prop_assert!(actions.len() <= 60);
                }
                None => {
                    let Some(tick) = session.next_tick() else { break };
                    prop_assert!(tick >= now);
                    now = tick;
                    session.on_tick(now);
                    prop_assert!(session.next_tick().is_none_or(|next| next > now), "time stands still");
                }
            }
            prop_assert!(session.pending.len() <= FIRST.len() + 4, "one request of each kind at most");
            prop_assert!(session.history.jobs.len() <= wire::JOBS);
            if session.closed {
                session = Session::new(SessionOptions { version: "1", api_key: None });
                session.on_connected(now);
            }
        }
    }
}

const _: KlippyState = Startup;
