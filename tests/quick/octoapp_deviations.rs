//! Each deviation of the OctoApp bridge at work: a recording as the plugin would make it, with its defect in it, passes,
//! and still nothing else may be different. The recordings are those of what came, with the defect written in by hand.

use crate::octoapp_player::expect::compare;
use crate::octoapp_player::world::{Log, play};
use crate::octoapp_strictness::{android, strict, strict_but, vector};
use octobridge::bridge::octoapp::rehearsal::encrypt;
use serde_json::{Value, json};

const FILE: &str = "benchy_0.2mm_PLA_1h12m.gcode";

/// A vector up to that time, without what it expects.
fn until(name: &str, t: f64) -> Value {
    let mut vector = vector(name);
    vector["moonraker_messages"].as_array_mut().unwrap().retain(|message| message["t"].as_f64() < Some(t));
    vector["clock"]["end_t"] = json!(t);
    vector
}

fn status(t: f64, status: Value) -> Value {
    json!({"t": t, "notify": {"method": "notify_status_update", "params": [status, 1.0]}})
}

fn history(t: f64, action: &str, file: &str, status: &str) -> Value {
    // The vectors' job is 2A.
    let id = if action == "added" { "00002B" } else { "00002A" };
    let job = json!({"filename": file, "status": status, "job_id": id, "start_time": 1.75e9, "total_duration": 20.5});
    json!({"t": t, "notify": {"method": "notify_history_changed", "params": [{"action": action, "job": job}]}})
}

fn happens(vector: &mut Value, messages: impl IntoIterator<Item = Value>) {
    vector["moonraker_messages"].as_array_mut().unwrap().extend(messages);
}

/// Writes down what came as what is expected.
fn record(vector: &mut Value, log: &Log) {
    let request = |index: usize| {
        let request = &log.requests[index];
        let mut plain = android(log, index);
        if plain == json!({}) {
            plain = Value::Null;
        }
        json!({"t": request.t, "method": request.method, "url": request.url, "body": request.body, "android_plain": plain})
    };
    let requests: Vec<Value> = (0..log.requests.len()).map(request).collect();
    vector["expected_requests"] = requests.into();
    let deletes = log.deletes.iter().map(|(t, key)| json!({"t": t, "key": key}));
    vector["expected_db_deletes"] = deletes.collect();
    vector["expected_apps_after"] = log.apps.iter().map(|name| json!(name)).collect();
    let downloads = log.downloads.iter().map(|path| json!({"path": format!("/server/files/gcodes/{path}")}));
    vector["gcode_downloads"] = downloads.collect();
}

/// What came, written down.
fn recorded(vector: &mut Value) -> Log {
    let log = play(vector);
    record(vector, &log);
    compare(vector, &log).unwrap();
    log
}

fn expected(vector: &mut Value) -> &mut Vec<Value> {
    vector["expected_requests"].as_array_mut().unwrap()
}

fn kinds(log: &Log) -> Vec<(f64, String)> {
    let kind = |index: usize| match &android(log, index)["type"] {
        Value::String(kind) => kind.clone(),
        _ => log.requests[index].method.clone(),
    };
    (0..log.requests.len()).map(|index| (log.requests[index].t, kind(index))).collect()
}

fn told(told: &[(f64, &str)]) -> Vec<(f64, String)> {
    told.iter().map(|(t, kind)| (*t, (*kind).to_owned())).collect()
}

#[test]
fn d1_tokens_go_to_no_address_without_tls() {
    let mut vector = until("hourly_timer", 3700.0);
    vector["remote_config"] = json!({
        "updatePercentModulus": 5, "highPrecisionRangeStart": 5, "highPrecisionRangeEnd": 5, "minIntervalSecs": 300,
        "sendNotificationUrl": "http://example.com/send",
    });
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log), told(&[(10.0, "printing"), (3600.0, "GET"), (3610.0, "printing")]));
    expected(&mut vector)[2]["url"] = json!("http://example.com/send");
    strict("D1", &vector, &log);
}

#[test]
fn d2_a_running_activity_is_not_started() {
    for place in ["activity:place", "a place of any form"] {
        of_two_one_starts(place);
    }
}

fn of_two_one_starts(place: &str) {
    let mut vector = until("push_to_start", 12.0);
    let starts =
        vector["apps"].as_array().unwrap().iter().find_map(|app| app["activityAutoStartToken"].as_str());
    let starts = starts.unwrap().to_owned();
    vector = serde_json::from_str(&vector.to_string().replace(&starts, place)).unwrap();
    let other = json!({"fcmToken": "activity:other", "fcmTokenFallback": null, "instanceId": "other", "expireAt": 2e9});
    vector["apps"].as_array_mut().unwrap().push(other.clone());
    let log = recorded(&mut vector);
    assert_eq!(log.requests.len(), 2);
    let expected = expected(&mut vector);
    expected.retain(|request| request["body"]["apnsData"]["event"] == "start");
    let target = json!({"fcmToken": "activity:other", "fcmTokenFallback": null, "instanceId": "other"});
    expected[0]["body"]["targets"].as_array_mut().unwrap().push(target);
    strict("D2", &vector, &log);
}

#[test]
fn d3_a_failed_print_is_told() {
    for name in ["short_pause_dropped", "cancel_android"] {
        let mut vector = until(name, 29.0);
        let said = "Extruder not heating at expected rate";
        happens(&mut vector, [status(30.0, json!({"print_stats": {"state": "error", "message": said}}))]);
        vector["clock"]["end_t"] = json!(40.0);
        let log = play(&vector);
        record(&mut vector, &log);
        let ended = if name == "cancel_android" { 30.0 } else { 35.0 };
        assert_eq!(kinds(&log), told(&[(10.0, "printing"), (17.0, "printing"), (ended, "error")]));
        // The plugin is silent, and no record goes.
        expected(&mut vector).pop();
        vector["expected_db_deletes"] = json!([]);
        let all: Vec<Value> =
            vector["apps"].as_array().unwrap().iter().map(|app| app["fcmToken"].clone()).collect();
        vector["expected_apps_after"] = json!(all);
        strict_but(&format!("D3 {name}"), &vector, &log, Some(2));
    }
}

#[test]
fn d3_klipper_that_goes_in_a_pause_is_told() {
    let mut vector = until("short_pause_dropped", 29.0);
    let gone = json!({"t": 40.0, "klippy_state": "shutdown", "notify": {"method": "notify_klippy_shutdown"}});
    happens(&mut vector, [status(30.0, json!({"print_stats": {"state": "paused"}})), gone]);
    vector["clock"]["end_t"] = json!(60.0);
    let records = vector["apps"].as_array().unwrap().iter().map(|app| app["fcmToken"].clone()).collect();
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log)[2..], told(&[(33.0, "paused_gcode"), (50.0, "error")]));
    expected(&mut vector).pop();
    vector["expected_db_deletes"] = json!([]);
    vector["expected_apps_after"] = records;
    strict_but("D3", &vector, &log, Some(3));
}

#[test]
fn d7_who_has_expired_is_told_nothing() {
    let vector = vector("expiry_mixed");
    strict("D7", &vector, &play(&vector));
    let first = &vector["expected_requests"][0]["body"]["targets"];
    assert!(first.as_array().unwrap().len() > 1, "the plugin tells those who have expired");
}

#[test]
fn d6_a_record_that_cannot_be_read_silences_the_plugin_alone() {
    let mut vector = vector("cancel_android");
    let lasting = json!({"fcmToken": "lasting", "instanceId": "other", "expireAt": null});
    vector["apps"].as_array_mut().unwrap().push(lasting);
    let log = play(&vector);
    record(&mut vector, &log);
    assert_eq!(log.requests.len(), 3);
    *expected(&mut vector) = Vec::new();
    compare(&vector, &log).unwrap();
    for path in ["/targets/0/fcmToken", "/targets/1/instanceId"] {
        let mut spoilt = log.clone();
        *spoilt.requests[1].body.pointer_mut(path).unwrap() = json!("stranger");
        assert!(compare(&vector, &spoilt).is_err(), "{path}");
    }
    vector["apps"][1]["expireAt"] = json!(2e9);
    assert!(compare(&vector, &log).is_err(), "a record that can be read excuses nothing");
}

#[test]
fn d8_fluidds_name_counts() {
    let mut vector = until("filter_interaction", 36.0);
    vector["database"]["mainsail"] = Value::Null;
    vector["database"]["fluidd"] = json!({"uiSettings": {"general": {"instanceName": "Workshop F"}}});
    let log = recorded(&mut vector);
    let renamed = vector["expected_requests"].to_string().replace("\"Workshop F\"", "\"Klipper\"");
    vector["expected_requests"] = serde_json::from_str(&renamed).unwrap();
    strict("D8", &vector, &log);
}

#[test]
fn d9_positions_are_bytes() {
    let mut vector = until("gcode_layers_custom", 34.0);
    let text =
        format!("; generated by PrusaSlicer\n;LAYER_CHANGE\n;{}\n;LAYER_CHANGE\n", "\u{e9}".repeat(600));
    vector["gcode_files"][FILE] = json!(text);
    let log = recorded(&mut vector);
    let layer = kinds(&log).iter().position(|(_, kind)| kind == "first_layer_done").unwrap();
    assert_eq!(log.requests[layer].t, 21.0);
    // In characters its end is passed an update sooner.
    let (request, epoch) = (&mut expected(&mut vector)[layer], 1_750_000_019_u64);
    request["t"] = json!(19.0);
    request["android_plain"]["serverTime"] = json!(epoch);
    request["android_plain"]["serverTimePrecise"] = json!(epoch as f64);
    request["body"]["apnsData"]["content-state"]["sourceTime"] = json!(epoch * 1000);
    request["body"]["apnsData"]["content-state"]["printTime"] = json!(9);
    strict_but("D9", &vector, &log, Some(layer));
    for t in [23.0, 25.0] {
        let mut late = log.clone();
        late.requests[layer].t = t;
        assert!(compare(&vector, &late).is_err());
    }
    vector["gcode_files"][FILE] = json!(text.replace('\u{e9}', "e"));
    assert!(compare(&vector, &log).is_err(), "without longer characters it is too late");
}

#[test]
fn d10_a_start_is_no_end_of_a_pause() {
    let mut vector = vector("cancel_android");
    let first = vector["moonraker_messages"][0].pointer_mut("/notify/params/0/virtual_sdcard").unwrap();
    first.as_object_mut().unwrap().remove("progress");
    let log = recorded(&mut vector);
    let mut stray = expected(&mut vector)[0].clone();
    stray["android_plain"]["printId"] = Value::Null;
    stray["android_plain"]["fileName"] = Value::Null;
    expected(&mut vector).insert(0, stray.clone());
    strict("D10", &vector, &log);
    // At another time it is none.
    stray["t"] = json!(17.0);
    expected(&mut vector).push(stray);
    assert!(compare(&vector, &log).is_err());
}

#[test]
fn d11_a_pause_that_ends_with_the_print_is_not_told() {
    let mut vector = until("filter_interaction", 29.0);
    let cancelled = |t: f64| {
        [
            status(29.0, json!({"print_stats": {"state": "paused"}})),
            status(t, json!({"print_stats": {"state": "cancelled"}})),
            history(t, "finished", FILE, "cancelled"),
        ]
    };
    let mut late = vector.clone();
    for (vector, t) in [(&mut vector, 31.0), (&mut late, 37.0)] {
        happens(vector, cancelled(t));
        vector["clock"]["end_t"] = json!(45.0);
    }
    let log = recorded(&mut late);
    assert_eq!(kinds(&log)[2..], told(&[(32.0, "paused"), (34.0, "paused_gcode"), (42.0, "idle")]));
    let pauses = expected(&mut late)[2..4].to_vec();
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log)[2..], told(&[(36.0, "idle")]));
    expected(&mut vector).extend(pauses);
    strict("D11", &vector, &log);
    // What lasts longer than it is held back is told.
    let expected_late = late["expected_requests"].clone();
    let mut silent = play(&late);
    silent.requests.retain(|request| request.t < 30.0 || request.t > 40.0);
    late["expected_requests"] = expected_late;
    assert!(compare(&late, &silent).is_err());
}

#[test]
fn d11_a_short_pause_right_after_the_start_is_not_told() {
    let mut vector = until("filter_interaction", 11.0);
    happens(&mut vector, [status(11.0, json!({"print_stats": {"state": "paused"}}))]);
    vector["clock"]["end_t"] = json!(20.0);
    let mut lasting = vector.clone();
    let log = recorded(&mut lasting);
    assert_eq!(kinds(&log), told(&[(10.0, "printing"), (14.0, "paused"), (16.0, "paused_gcode")]));
    happens(&mut vector, [status(12.0, json!({"print_stats": {"state": "printing"}}))]);
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log), told(&[(10.0, "printing")]));
    // The plugin tells it all the same.
    expected(&mut vector).extend(expected(&mut lasting)[1..].to_vec());
    strict("D11, young", &vector, &log);
}

#[test]
fn d12_what_could_not_be_taken_is_tried_again() {
    let vector = vector("backend_500");
    let log = play(&vector);
    assert_eq!(kinds(&log), told(&[(10.0, "printing"), (15.0, "printing"), (17.0, "printing")]));
    strict("D12", &vector, &log);
    let mut end = until("filter_interaction", 60.0);
    let log = recorded(&mut end);
    let taken = json!({"status": 200, "json": {"invalidTokens": []}});
    end["backend_responses"] = json!(vec![taken; 5]);
    end["backend_responses"].as_array_mut().unwrap().push(json!({"status": 503, "text": ""}));
    let again = play(&end);
    assert_eq!(again.requests.len(), log.requests.len() + 1);
    assert!(compare(&end, &log).is_err(), "an end is tried again");
    strict("D12, an end", &end, &again);
}

#[test]
fn d12_what_is_not_so_any_more_is_not_tried_again() {
    let (taken, away) =
        (json!({"status": 200, "json": {"invalidTokens": []}}), json!({"status": 503, "text": ""}));
    // A pause at 29 that is told at 32; when and how it ends, and whether it is tried again at 37.
    let paused = |t: f64, state: &str, is_told: bool| {
        let mut vector = until("short_pause_dropped", 29.0);
        happens(&mut vector, [status(29.0, json!({"print_stats": {"state": "paused"}}))]);
        happens(&mut vector, [status(t, json!({"print_stats": {"state": state}}))]);
        vector["clock"]["end_t"] = json!(60.0);
        let log = recorded(&mut vector);
        let pause = kinds(&log).iter().position(|(_, kind)| kind == "paused_gcode").unwrap();
        let mut answers = vec![taken.clone(); pause];
        answers.push(away.clone());
        vector["backend_responses"] = answers.into();
        let tried = play(&vector);
        assert_eq!(tried.requests.len(), log.requests.len() + usize::from(is_told), "{t} {state}");
        strict(&format!("D12, {state} at {t}"), &vector, &tried);
        let other = if is_told { log } else { again(&tried, pause) };
        assert!(compare(&vector, &other).is_err(), "{t} {state}");
    };
    paused(34.0, "printing", false);
    paused(34.0, "complete", false);
    paused(40.0, "printing", true);
    paused(40.0, "complete", true);
}

/// The same with that request once more, five seconds later.
fn again(log: &Log, index: usize) -> Log {
    let (mut log, mut request) = (log.clone(), log.requests[index].clone());
    request.t += 5.0;
    let mut plain = android(&log, index);
    plain["serverTime"] = json!(plain["serverTime"].as_u64().unwrap() + 5);
    plain["serverTimePrecise"] = json!(plain["serverTimePrecise"].as_f64().unwrap() + 5.0);
    let text = encrypt(&plain.to_string(), log.key.as_deref().unwrap(), [7; 16]);
    request.body["androidData"] = json!(text);
    log.requests.push(request);
    log
}

#[test]
fn d13_files_of_an_automation_tell_nothing() {
    let mut vector = vector("cancel_android");
    let macro_says =
        |t| status(t, json!({"gcode_macro _OCTOAPP_STATUS": {"notify_message": format!("Hello~~~{t}")}}));
    vector["moonraker_messages"].as_array_mut().unwrap().insert(3, macro_says(20.0));
    let ours = recorded(&mut vector);
    let (automated, name) = ("ContinuousPrint_1.gcode", vector.to_string());
    let mut automatic: Value = serde_json::from_str(&name.replace(FILE, automated)).unwrap();
    let log = play(&automatic);
    assert_eq!(kinds(&log), told(&[(20.0, "custom")]));
    automatic["gcode_downloads"] = json!([]);
    // The plugin leaves out the start alone.
    let start = expected(&mut automatic).remove(0);
    strict("D13", &automatic, &log);
    assert!(compare(&automatic, &ours).is_err());
    // Another file's start is missed.
    expected(&mut automatic).insert(0, start);
    let another = automatic.to_string().replace(automated, "Continuous_1.gcode");
    assert!(compare(&serde_json::from_str(&another).unwrap(), &log).is_err());
}

#[test]
fn d15_a_configuration_counts_for_a_day() {
    let mut vector = vector("no_apps");
    vector["clock"]["end_t"] = json!(100_000.0);
    vector["remote_config"] = json!({
        "updatePercentModulus": 5, "highPrecisionRangeStart": 5, "highPrecisionRangeEnd": 5, "minIntervalSecs": 300,
        "sendNotificationUrl": "https://example.com/send",
    });
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log), told(&[(3600.0, "GET"), (90_000.0, "GET")]));
    let url = expected(&mut vector)[0]["url"].clone();
    let hourly = (1..=27)
        .map(|hour| json!({"t": f64::from(hour) * 3600.0, "method": "GET", "url": url, "body": null}));
    *expected(&mut vector) = hourly.collect();
    strict("D15", &vector, &log);
    vector["remote_config"] = Value::Null;
    assert!(compare(&vector, &log).is_err(), "what was not got is asked for each hour");
}

#[test]
fn d15_what_the_configuration_lacks_silences_the_plugin_alone() {
    let mut vector = until("hourly_timer", 3700.0);
    let told = json!({"print_stats": {"print_duration": 3640.0}, "virtual_sdcard": {"progress": 0.2, "file_position": 840_000}});
    happens(&mut vector, [status(3650.0, told)]);
    vector["remote_config"] =
        json!({"updatePercentModulus": 5, "sendNotificationUrl": "https://example.com/send"});
    let log = recorded(&mut vector);
    let progress = expected(&mut vector).pop().unwrap();
    assert_eq!(progress["android_plain"]["progress"], "19");
    compare(&vector, &log).unwrap();
    // The hourly one is progress too; an alert is none.
    let mut rings = log.clone();
    rings.requests.last_mut().unwrap().body["apnsData"]["alert"] = json!({"title": "x"});
    assert!(compare(&vector, &rings).is_err());
    let mut early = log.clone();
    early.requests.last_mut().unwrap().t = 3000.0;
    assert!(compare(&vector, &early).is_err());
    vector["remote_config"] = json!({
        "updatePercentModulus": 5, "highPrecisionRangeStart": 5, "highPrecisionRangeEnd": 5, "minIntervalSecs": 300,
        "sendNotificationUrl": "https://example.com/send",
    });
    assert!(compare(&vector, &log).is_err(), "a whole configuration excuses nothing");
}

#[test]
fn d15_without_an_address_the_plugin_tells_nothing() {
    let mut vector = until("hourly_timer", 3700.0);
    vector["remote_config"] = json!({"updatePercentModulus": 5});
    let log = recorded(&mut vector);
    assert_eq!(kinds(&log), told(&[(10.0, "printing"), (3600.0, "GET"), (3610.0, "printing")]));
    expected(&mut vector).truncate(2);
    compare(&vector, &log).unwrap();
    expected(&mut vector).remove(0);
    assert!(compare(&vector, &log).is_err(), "what came before it was to be told by both");
}
