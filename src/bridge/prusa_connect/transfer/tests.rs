//! The course of transfers, and the cipher, against recordings of the official client.

use super::ask::How;
use super::cipher::{Key, from_hex};
use super::origin::Origin;
use super::*;
use crate::bridge::prusa_connect::files::tests::{expected, orders, same, vector};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

const SERVER: &str = "http://127.0.0.1:18080";

fn transfers() -> Transfers {
    Transfers::new(Place::new("local").unwrap(), SERVER)
}

fn order(name: &str, kwargs: Value) -> Order {
    Order { id: 9, name: name.to_owned(), kwargs: kwargs.as_object().cloned().unwrap(), ..Order::default() }
}

fn download(path: &str) -> Order {
    order("START_CONNECT_DOWNLOAD", json!({"path": path, "team_id": 3, "hash": "h"}))
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[track_caller]
fn assert_event(event: &Event, body: &Value) {
    assert_eq!(event.kind.word(), body["event"].as_str().unwrap());
    assert_eq!(event.source.word(), body["source"].as_str().unwrap());
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert!(same(&data, &body["data"]), "{data}\nis not\n{}", body["data"]);
    for (name, own) in [("command_id", event.command), ("transfer_id", event.transfer)] {
        let own = own.map_or(Value::Null, Value::from);
        assert_eq!(own, body.get(name).cloned().unwrap_or_default(), "{name}");
    }
    assert_eq!(event.reason.is_some(), body.get("reason").is_some());
}

/// The kinds of events that are ours, in a recording.
const OURS: [&str; 4] = ["TRANSFER_INFO", "TRANSFER_FINISHED", "TRANSFER_STOPPED", "TRANSFER_ABORTED"];

#[test]
fn whole_transfers_are_those_of_the_recordings() {
    let complete = |path: &str| End::Complete(path.to_owned());
    for (name, size, end, print) in [
        ("connect_download_b", Some(1500), complete("new dir/plate 1.gcode"), true),
        ("transfer_length_b", None, complete("len.gcode"), false),
        ("url_download_a", Some(4), complete("my.gcode"), false),
        ("transfer_aborted_a", None, End::Aborted("Invalid status code: 404".to_owned()), false),
    ] {
        let vector = vector(name);
        let bodies = expected(&vector, &OURS);
        let id = bodies[0]["transfer_id"].as_u64().unwrap() as u32;
        let mut transfers = transfers();
        let order = &orders(&vector)[0];
        let started = transfers.start(order, None, id, at(5.0)).unwrap();
        let Outcome::Answered(event) = started.outcome else { panic!("{name}") };
        assert_event(&event, &bodies[0]);
        assert_eq!((started.download.id, transfers.id()), (id, Some(id)));
        let get =
            vector["expected_requests"].as_array().unwrap().iter().find(|request| request["method"] == "GET");
        let wanted = get.unwrap()["path"].as_str().unwrap();
        assert!(started.download.url.ends_with(wanted), "{} {wanted}", started.download.url);
        if bodies.len() == 3 {
            let begun = transfers.on_news(News::Begun { id, size }, at(5.5));
            assert_event(&begun.event.unwrap(), &bodies[1]);
        }
        let over = transfers.on_news(News::Ended { id, end }, at(5.5));
        assert_event(&over.event.unwrap(), bodies.last().unwrap());
        let expected = Print { path: "new dir/plate 1.gcode".to_owned(), command: order.id };
        assert_eq!(over.print, print.then_some(expected), "{name}");
        assert_eq!((transfers.id(), transfers.kept()), (None, None));
    }
}

#[test]
fn progress_and_a_stop_are_those_of_the_recordings() {
    for name in ["transfer_progress_a", "transfer_stop_b"] {
        let vector = vector(name);
        let bodies = expected(&vector, &OURS);
        let id = bodies[0]["transfer_id"].as_u64().unwrap() as u32;
        let orders = orders(&vector);
        let begin = vector["inputs"]["steps"][2]["now"].as_f64().unwrap();
        let mut transfers = transfers();
        transfers.start(&orders[0], None, id, at(begin)).unwrap();
        transfers.on_news(News::Begun { id, size: Some(256_000) }, at(begin));
        transfers.progress(150_000);
        let steps = vector["inputs"]["steps"].as_array().unwrap();
        let mut asked = orders[1..].iter();
        for (step, body) in steps[4..].iter().filter(|step| step["action"] == "telemetry").zip(
            vector["expected_requests"].as_array().unwrap()[5..]
                .iter()
                .filter(|request| request["path"] == "/p/telemetry")
                .map(|request| &request["body_json"]),
        ) {
            let now = at(step["now"].as_f64().unwrap());
            let mut telemetry = Telemetry::default();
            transfers.telemetry(&mut telemetry, now);
            let told: serde_json::Map<String, Value> =
                telemetry.fields().map(|(name, value)| (name.to_owned(), value.clone())).collect();
            let mut wanted = body.clone();
            for other in ["temp_nozzle", "state", "transfer_id"] {
                wanted.as_object_mut().unwrap().remove(other);
            }
            assert!(same(&Value::Object(told.clone()), &wanted), "{told:?}\nis not\n{wanted}");
            let order = asked.next().unwrap();
            match order.name.as_str() {
                "SEND_TRANSFER_INFO" => {
                    let Outcome::Answered(event) = transfers.info(order, now) else { panic!("no answer") };
                    assert_event(&event, &bodies[2]);
                }
                "STOP_TRANSFER" => {
                    assert_eq!(transfers.stop(order), (Outcome::Finished(Source::Connect), true));
                    // Once is enough.
                    assert_eq!(transfers.stop(order), (Outcome::Finished(Source::Connect), false));
                    assert_eq!(transfers.id(), Some(id));
                }
                _ => {
                    let refused = transfers.start(order, None, 7, now).unwrap_err();
                    assert_eq!(refused, Outcome::Refused("Another transfer in progress".into()));
                }
            }
        }
        let end = if name == "transfer_stop_b" { End::Stopped } else { End::Complete("big.gcode".into()) };
        let over = transfers.on_news(News::Ended { id, end }, at(begin + 9.0));
        assert_event(&over.event.unwrap(), bodies.last().unwrap());
    }
}

#[test]
fn orders_that_cannot_be_done_fail_with_a_reason() {
    let vector = vector("transfer_bad_args_b");
    for order in orders(&vector) {
        let mut transfers = transfers();
        let outcome = transfers.start(&order, None, 7, at(0.0)).unwrap_err();
        assert!(matches!(&outcome, Outcome::Failed(why) if !why.is_empty()), "{outcome:?}");
        assert_eq!(transfers.id(), None);
    }
    let encrypted = |field: &str, value: Value| {
        let mut kwargs =
            json!({"path": "/local/x.bgcode", "key": "0".repeat(32), "iv": "0".repeat(32), "orig_size": 42});
        kwargs[field] = value;
        order("START_ENCRYPTED_DOWNLOAD", kwargs)
    };
    let long = format!("http://a/{}", "x".repeat(3000));
    for order in [
        order("START_URL_DOWNLOAD", json!({"path": "/local/a", "url": "ftp://a/b"})),
        order("START_URL_DOWNLOAD", json!({"path": "/local/a", "url": "file:///etc/passwd"})),
        order("START_URL_DOWNLOAD", json!({"path": "/local/a", "url": 7})),
        order("START_URL_DOWNLOAD", json!({"path": "/local/a", "url": long})),
        order("START_CONNECT_DOWNLOAD", json!({"path": "/local/a", "team_id": 1})),
        order("START_CONNECT_DOWNLOAD", json!({"path": "/local/a", "hash": "h"})),
        order("START_CONNECT_DOWNLOAD", json!({"path": "/local/a", "hash": "a b", "team_id": 1})),
        order("START_INLINE_DOWNLOAD", json!({"path": "/local/a", "hash": "h", "team_id": 1})),
        download("/usb/a.gcode"),
        download("/local/../a.gcode"),
        download("/local/.a.gcode"),
        download("/local"),
        download("/local/50%.gcode"),
        encrypted("key", json!("00")),
        encrypted("iv", json!("g".repeat(32))),
        encrypted("orig_size", json!(0)),
        encrypted("orig_size", json!(-1)),
        encrypted("port", json!(70_000)),
    ] {
        let outcome = transfers().start(&order, None, 7, at(0.0)).unwrap_err();
        assert!(matches!(&outcome, Outcome::Failed(why) if !why.is_empty()), "{order:?}");
    }
    let protected = transfers().start(&download("/local/a/b.gcode"), Some("a/b.gcode"), 7, at(0.0));
    assert!(matches!(protected, Err(Outcome::Failed(_))));
}

#[test]
fn without_a_transfer_there_is_nothing_to_stop_or_to_tell() {
    let stop = &orders(&vector("transfer_none_b"))[0];
    assert_eq!(transfers().stop(stop), (Outcome::Finished(Source::Connect), false));
    let wrong = &orders(&vector("transfer_wrong_id_a"))[0];
    assert!(matches!(transfers().stop(wrong), (Outcome::Failed(_), false)));
    assert!(matches!(transfers().info(wrong, at(0.0)), Outcome::Failed(_)));
    let Outcome::Answered(event) = transfers().info(&order("SEND_TRANSFER_INFO", json!({})), at(0.0)) else {
        panic!("no answer")
    };
    assert_eq!((&*event.data, event.command), (r#"{"type":"NO_TRANSFER"}"#, Some(9)));
    let mut telemetry = Telemetry::default();
    transfers().telemetry(&mut telemetry, at(0.0));
    assert_eq!(telemetry.fields().count(), 0);
}

#[test]
fn news_of_another_transfer_change_nothing() {
    let mut transfers = transfers();
    let other = News::Ended { id: 6, end: End::Stopped };
    assert_eq!(transfers.on_news(other.clone(), at(0.0)), Reaction::default());
    transfers.start(&download("/local/a"), None, 7, at(0.0)).unwrap();
    assert_eq!(transfers.on_news(other, at(0.0)), Reaction::default());
    assert_eq!(transfers.on_news(News::Begun { id: 6, size: Some(1) }, at(0.0)), Reaction::default());
    assert_eq!(transfers.id(), Some(7));
}

#[test]
fn a_transfers_id_is_never_zero() {
    let mut transfers = transfers();
    transfers.start(&download("/local/a"), None, 0, at(0.0)).unwrap();
    assert_eq!(transfers.id(), Some(1));
}

#[test]
fn a_restart_ends_a_transfer_cleanly() {
    let mut transfers = transfers();
    transfers.start(&download("/local/a \"b\".gcode"), None, 7, at(0.0)).unwrap_err();
    transfers.start(&download("/local/a b.gcode"), None, 7, at(0.0)).unwrap();
    let text = transfers.kept().unwrap().to_json();
    let event = Kept::from_json(&text).unwrap().over();
    assert_eq!((event.kind, event.transfer), (EventKind::TransferAborted, Some(7)));
    assert!(event.reason.unwrap().contains("restarted"));
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(data, json!({"path": "/local/a b.gcode", "start_cmd_id": 9}));
    let complete = Kept { complete: true, ..transfers.kept().unwrap() };
    let event = Kept::from_json(&complete.to_json()).unwrap().over();
    assert_eq!((event.kind, event.transfer, event.reason), (EventKind::TransferFinished, Some(7), None));
    for odd in ["", "{}", "[]", r#"{"id":1,"command":-1,"path":"a"}"#] {
        assert_eq!(Kept::from_json(odd), None, "{odd}");
    }
}

#[test]
fn a_file_is_printed_only_where_nothing_is_at_work() {
    let may: Vec<&str> = State::ALL.into_iter().filter(|state| may_print(*state)).map(State::word).collect();
    assert_eq!(may, ["IDLE", "READY", "FINISHED", "STOPPED"]);
}

#[test]
fn an_encrypted_file_is_asked_for_where_it_is() {
    let vector = vector("encrypted_download_cipher_b");
    let command = &vector["inputs"]["command"];
    let order = order("START_ENCRYPTED_DOWNLOAD", command["kwargs"].clone());
    let place = Place::new("usb").unwrap();
    let mut transfers = Transfers::new(place.clone(), SERVER);
    let started = transfers.start(&order, None, 7, at(0.0)).unwrap();
    let wanted = vector["expected_requests"][0]["path"].as_str().unwrap();
    assert_eq!(started.download.url, format!("{SERVER}{wanted}"));
    assert!(matches!(started.download.how, How::Encrypted { size: 4097, .. }));
    assert!(!format!("{started:?}").contains("0, 1, 2, 3"), "the key is shown");
    // Without a port it is that of the server, and that of HTTP instead of that of HTTPS.
    let mut kwargs = order.kwargs.clone();
    kwargs.remove("port");
    let order = Order { kwargs, ..order };
    for (server, start) in [
        ("https://connect.prusa3d.com", "http://connect.prusa3d.com:80/f/"),
        ("https://own.example:8443", "http://own.example:8443/f/"),
    ] {
        let started = Transfers::new(place.clone(), server).start(&order, None, 7, at(0.0)).unwrap();
        assert!(started.download.url.starts_with(start), "{}", started.download.url);
    }
}

#[test]
fn the_cipher_is_that_of_the_printers() {
    let vector = vector("encrypted_download_cipher_b");
    let kwargs = &vector["inputs"]["command"]["kwargs"];
    let hex = |name: &str| from_hex(kwargs[name].as_str().unwrap()).unwrap();
    let key = Key::new(hex("key"), hex("iv"));
    let plain = plaintext(4097);
    for (index, start) in [(0, 0), (1, 2048)] {
        let body = vector["server_responses"][index]["body_base64"].as_str().unwrap();
        for piece in [1, 15, 16, 17, 5000] {
            let mut bytes = STANDARD.decode(body).unwrap();
            let mut stream = key.at(start as u64);
            bytes.chunks_mut(piece).for_each(|piece| stream.apply(piece));
            assert!(bytes[..4097 - start] == plain[start..], "{index} in pieces of {piece}");
        }
    }
    for case in vector["outcome"]["small_cases"].as_array().unwrap() {
        let decode = |name: &str| STANDARD.decode(case[name].as_str().unwrap()).unwrap();
        let mut bytes = decode("ciphertext_base64");
        key.at(0).apply(&mut bytes);
        bytes.truncate(case["orig_size"].as_u64().unwrap() as usize);
        assert_eq!(bytes, decode("plaintext_base64"), "{}", case["name"]);
    }
    for part in vector["outcome"]["keystream"].as_array().unwrap() {
        let mut bytes = [0; 48];
        key.at(part["offset"].as_u64().unwrap()).apply(&mut bytes);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, part["bytes_hex"].as_str().unwrap());
    }
}

/// The file of the recording of the cipher, by its rule.
pub(super) fn plaintext(length: usize) -> Vec<u8> {
    let mut x: u32 = 99;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

proptest! {
    #[test]
    fn any_order_at_any_time_is_answered(
        name in prop_oneof![
            Just("START_CONNECT_DOWNLOAD"), Just("START_URL_DOWNLOAD"), Just("START_ENCRYPTED_DOWNLOAD"), Just("X")
        ],
        fields in proptest::collection::btree_map(
            prop_oneof![Just("path"), Just("url"), Just("team_id"), Just("hash"), Just("key"), Just("iv"), Just("orig_size"), Just("port"), Just("transfer_id")],
            prop_oneof![
                any::<u64>().prop_map(Value::from),
                "(/local)?(/|a|\\.\\.|\\PC){0,4}".prop_map(Value::from),
                "https?://[a-z@:/.]{0,8}".prop_map(Value::from),
                "[0-9a-f]{32}".prop_map(Value::from),
                Just(Value::Null),
            ],
            0..8,
        ),
        size in proptest::option::of(any::<u64>()),
        transferred in any::<u64>(),
        seconds in any::<u32>(),
    ) {
        let kwargs = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let order = Order { id: 3, name: name.to_owned(), kwargs, ..Order::default() };
        let mut transfers = transfers();
        if let Ok(started) = transfers.start(&order, None, 7, Duration::ZERO) {
            prop_assert!(!started.download.path.split('/').any(|part| part.is_empty() || part.starts_with('.')));
            prop_assert!(Origin::of(&started.download.url).is_some());
        }
        transfers.progress(transferred);
        transfers.on_news(News::Begun { id: 7, size }, Duration::ZERO);
        transfers.progress(transferred);
        let now = Duration::from_secs(u64::from(seconds));
        let mut telemetry = Telemetry::default();
        transfers.telemetry(&mut telemetry, now);
        if let Outcome::Answered(event) = transfers.info(&order, now) {
            prop_assert!(serde_json::from_str::<Value>(&event.data).is_ok(), "{}", event.data);
        }
        transfers.stop(&order);
        transfers.on_news(News::Ended { id: 7, end: End::Stopped }, now);
        prop_assert_eq!(transfers.id(), None);
    }
}
