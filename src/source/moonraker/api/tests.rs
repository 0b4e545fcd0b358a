//! What each call sends, and how it reads answers, odd ones included. Answers are those of Moonraker 0.11.

use super::{database, files, machine};
use crate::source::control::{self, Ask, Control, ControlError, Interface, Pending, Requests};
use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;

/// What a call sends: its method and its parameters.
fn sent<T>(call: impl FnOnce(&Control) -> Pending<T>) -> (String, Value) {
    let (control, mut requests) = control::channel();
    let _pending = call(&control);
    let request = requests.next().now_or_never().unwrap();
    let params = request.ask().params().map_or(Value::Null, |params| serde_json::from_str(params).unwrap());
    (request.ask().name().to_owned(), params)
}

/// What a call makes of an answer.
fn read<T: Debug>(call: impl FnOnce(&Control) -> Pending<T>, answer: &str) -> Result<T, ControlError> {
    let (control, mut requests): (Control, Requests) = control::channel();
    let pending = call(&control);
    requests.next().now_or_never().unwrap().answer(Ok(answer.to_owned()));
    pending.wait()
}

#[test]
fn each_call_sends_what_moonraker_documents() {
    let none = Value::Null;
    for ((method, params), expected, told) in [
        (sent(|c| c.start_print("a/ü.gcode", None)), "printer.print.start", json!({"filename": "a/ü.gcode"})),
        (sent(|c| c.pause_print(None)), "printer.print.pause", none.clone()),
        (sent(|c| c.resume_print(None)), "printer.print.resume", none.clone()),
        (sent(|c| c.cancel_print(None)), "printer.print.cancel", none.clone()),
        (sent(|c| c.gcode("G28\nM84", None)), "printer.gcode.script", json!({"script": "G28\nM84"})),
        (sent(Control::emergency_stop), "printer.emergency_stop", none.clone()),
        (sent(Control::restart), "printer.restart", none.clone()),
        (sent(Control::restart_firmware), "printer.firmware_restart", none.clone()),
        (sent(|c| c.past_jobs(5)), "server.history.list", json!({"limit": 5, "order": "desc"})),
        (sent(|c| c.past_jobs(5000)), "server.history.list", json!({"limit": 100, "order": "desc"})),
        (sent(Control::roots), "server.files.roots", none.clone()),
        (sent(|c| c.metadata("a/b.gcode")), "server.files.metadata", json!({"filename": "a/b.gcode"})),
        (sent(|c| c.delete_file("gcodes", "a")), "server.files.delete_file", json!({"path": "gcodes/a"})),
        (
            sent(|c| c.create_directory("gcodes", "a")),
            "server.files.post_directory",
            json!({"path": "gcodes/a"}),
        ),
        (
            sent(|c| c.delete_directory("gcodes", "a", true)),
            "server.files.delete_directory",
            json!({"path": "gcodes/a", "force": true}),
        ),
        (
            sent(|c| c.move_file("gcodes", "a", "b/c")),
            "server.files.move",
            json!({"source": "gcodes/a", "dest": "gcodes/b/c"}),
        ),
        (sent(Control::namespaces), "server.database.list", none.clone()),
        (sent(|c| c.database_get("octo", &[])), "server.database.get_item", json!({"namespace": "octo"})),
        (
            sent(|c| c.database_get("mainsail", &["general", "printername"])),
            "server.database.get_item",
            json!({"namespace": "mainsail", "key": "general.printername"}),
        ),
        (
            sent(|c| c.database_put("octo", &["a.b", "c"], &json!(null))),
            "server.database.post_item",
            json!({"namespace": "octo", "key": ["a.b", "c"], "value": null}),
        ),
        (
            sent(|c| c.database_delete("octo", &["a"])),
            "server.database.delete_item",
            json!({"namespace": "octo", "key": "a"}),
        ),
        (sent(Control::webcams), "server.webcams.list", none.clone()),
        (sent(Control::macros), "printer.objects.list", none.clone()),
        (sent(Control::network), "machine.system_info", none.clone()),
    ] {
        assert_eq!((method.as_str(), params), (expected, told));
    }
    assert_eq!(database::written(&["a", "b"]), json!("a.b"));
}

#[test]
fn commands_of_every_source_are_told_from_calls() {
    let (control, mut requests) = control::channel();
    let limit = Some(Duration::from_secs(7));
    let _pending = (control.pause_print(limit), control.resume_print(None), control.cancel_print(None));
    for (ask, limit) in [(Ask::Pause, limit), (Ask::Resume, None), (Ask::Cancel, None)] {
        let request = requests.next().now_or_never().unwrap();
        assert_eq!((request.ask(), request.limit()), (&ask, limit));
    }
}

#[test]
fn roots_and_metadata_are_read() {
    let roots = files::read_roots(
        r#"[{"name":"config","path":"/a/config","permissions":"rw"},{"name":"logs","path":"/a/logs","permissions":"r"},
            {"name":"odd","path":"relative"},{"path":"/x"},[]]"#,
    );
    let roots = roots.unwrap();
    let shown: Vec<_> =
        roots.iter().map(|r| (r.name.as_str(), r.path.to_str().unwrap(), r.writable)).collect();
    assert_eq!(shown, [("config", "/a/config", true), ("logs", "/a/logs", false)]);
    let metadata = read(
        |c| c.metadata("a b/c.gcode"),
        r#"{"size":9,"layer_count":5,"thumbnails":[{"width":32,"height":32,"size":1,"relative_path":".thumbs/c.png"}]}"#,
    );
    let metadata = metadata.unwrap();
    assert_eq!((metadata.size, metadata.layer_count), (Some(9), Some(5)));
    assert_eq!(metadata.thumbnails[0].path, "a b/.thumbs/c.png");
}

#[test]
fn the_database_gives_json_as_it_is() {
    let get = |answer: &str| read(|c| c.database_get("octo", &["a"]), answer);
    assert_eq!(get(r#"{"namespace":"octo","key":"a","value":{"x":[1]}}"#), Ok(json!({"x": [1]})));
    assert_eq!(get(r#"{"namespace":"octo","key":"a","value":null}"#), Ok(Value::Null));
    assert!(matches!(get("{}"), Err(ControlError::Unreadable { .. })));
    assert!(matches!(get("7"), Err(ControlError::Unreadable { .. })));
    let text = |answer: &str| read(|c| c.database_text("octo", &["a"]), answer);
    assert_eq!(text(r#"{"namespace":"octo","value":{"z":1,"a":[ ]}}"#).as_deref(), Ok(r#"{"z":1,"a":[ ]}"#));
    assert!(matches!(text("{}"), Err(ControlError::Unreadable { .. })));
    let deep = format!(r#"{{"value":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert!(matches!(get(&deep), Err(ControlError::Unreadable { .. })));
    let names = read(Control::namespaces, r#"{"namespaces":["moonraker",7,"octo"],"backups":[]}"#);
    assert_eq!(names.unwrap(), ["moonraker", "octo"]);
}

#[test]
fn macros_are_the_objects_of_that_kind() {
    let macros = r#"{"objects":["gcode","gcode_macro PAUSE","gcode_macro _HIDDEN","gcode_move",3]}"#;
    assert_eq!(machine::read_macros(macros).unwrap(), ["PAUSE", "_HIDDEN"]);
    assert_eq!(machine::read_macros("{}"), None);
}

#[test]
fn the_network_is_read_without_addresses_of_the_link() {
    let network = machine::read_network(
        r#"{"system_info":{"cpu_info":{},"network":{
            "eth0":{"mac_address":"02:fc:00:00:00:01","ip_addresses":[
                {"family":"ipv4","address":"192.0.2.2","is_link_local":false},
                {"family":"ipv6","address":"fd00::2","is_link_local":false},
                {"family":"ipv6","address":"fe80::1","is_link_local":true},{"address":"odd"},7]},
            "odd":7,"wlan0":{"mac_address":""}}}}"#,
    );
    let eth0 = Interface {
        name: "eth0".into(),
        mac: Some("02:fc:00:00:00:01".into()),
        addresses: vec!["192.0.2.2".parse().unwrap(), "fd00::2".parse().unwrap()],
    };
    let wlan0 = Interface { name: "wlan0".into(), mac: None, addresses: Vec::new() };
    assert_eq!(network.unwrap(), [eth0, wlan0]);
    for odd in ["{}", r#"{"system_info":{}}"#, r#"{"system_info":{"network":[]}}"#] {
        assert_eq!(machine::read_network(odd), None, "{odd}");
    }
}

#[test]
fn jobs_and_cameras_are_read() {
    let jobs = read(
        |c| c.past_jobs(9),
        r#"{"count":2,"jobs":[{"job_id":"00000A","filename":"a.gcode","status":"completed","start_time":1.5},{}]}"#,
    );
    assert_eq!(jobs.unwrap()[0].file, "a.gcode");
    let cameras = read(Control::webcams, r#"{"webcams":[{"name":"front","rotation":90}]}"#).unwrap();
    assert_eq!((&*cameras[0].name, cameras[0].rotation), ("front", 90));
}

proptest! {
    #[test]
    fn any_answer_is_read(answer in r#"(\{|\}|\[|\]|,|"(dirs|files|disk_usage|total|path|filename|namespaces|value|objects|system_info|network|eth0|ip_addresses|address|jobs|job_id|webcams|name|size|gcode_macro A)":?|[0-9]{1,9}|-|null|true|"x"){0,25}"#) {
        let _ = files::read_roots(&answer);
        let _ = machine::read_macros(&answer);
        let _ = machine::read_network(&answer);
        let _ = read(|c| c.metadata("a"), &answer);
        let _ = read(Control::namespaces, &answer);
        let _ = read(|c| c.database_get("a", &["b"]), &answer);
        let _ = read(|c| c.past_jobs(3), &answer);
        let _ = read(Control::webcams, &answer);
    }
}
