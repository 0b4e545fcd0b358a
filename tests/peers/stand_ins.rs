//! The other side of the tests does what the tests rely on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::bed::{Bed, Job};
use crate::support::telegram::{Behaviour, Outcome, Telegram};

const TOKEN: &str = "1:a";
const CHAT: i64 = -5;

fn agent(telegram: &Telegram) -> ureq::Agent {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, telegram.ca()).unwrap();
    let tls = octobridge::tls::client_config(Some(&ca)).unwrap();
    octobridge::http::agent(tls, Duration::from_secs(2), Duration::from_secs(2))
}

/// Status and body of a call; status 0 when there was no whole answer.
fn call(telegram: &Telegram, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("https://127.0.0.1:{}{path}", telegram.port());
    let request = agent(telegram).post(url).header("content-type", "application/json");
    let Ok(mut answer) = request.send(body.to_string()) else { return (0, Value::Null) };
    let status = answer.status().as_u16();
    match answer.body_mut().read_to_string() {
        Ok(text) => (status, serde_json::from_str(&text).unwrap_or(Value::String(text))),
        Err(_) => (0, Value::Null),
    }
}

#[test]
fn telegram_serves_what_the_reference_names_and_records_it() {
    let telegram = Telegram::start(TOKEN, CHAT);
    assert_eq!(call(&telegram, "/bot1:a/getMe", &json!({})).1["result"]["username"], "printer_bot");
    let message = json!({"chat_id": CHAT, "text": "hello", "message_thread_id": 7, "link_preview_options": {"is_disabled": true}});
    let (status, answer) = call(&telegram, "/bot1:a/sendMessage", &message);
    assert_eq!((status, &answer["result"]["message_thread_id"]), (200, &json!(7)), "{answer}");
    assert_eq!(telegram.done("hello").len(), 1);
    assert_eq!(telegram.violations(), Vec::<String>::new());
}

#[test]
fn telegram_takes_nothing_else() {
    let long = "x".repeat(4097);
    let table = [
        ("/bot1:b/getMe", json!({}), 401),
        ("/bot1:a/getMe", json!({"x": 1}), 400),
        ("/bot1:a/sendMesage", json!({"chat_id": CHAT, "text": "a"}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": CHAT}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": CHAT, "text": ""}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": CHAT, "text": long}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": 6, "text": "a"}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": CHAT, "text": "a", "thread": 7}), 400),
        ("/bot1:a/sendMessage", json!({"chat_id": CHAT, "text": "a", "message_thread_id": "7"}), 400),
        ("/bot1:a/sendMessage", json!([]), 400),
        ("/getMe", json!({}), 404),
    ];
    for (path, body, expected) in table {
        let telegram = std::mem::ManuallyDrop::new(Telegram::start(TOKEN, CHAT));
        let (status, answer) = call(&telegram, path, &body);
        assert_eq!(status, expected, "{path} {body}: {answer}");
        assert_eq!(telegram.violations().len(), 1, "{path} {body}");
        assert_eq!(telegram.done("").len(), 0, "{path} {body}");
    }
}

#[test]
fn telegram_misbehaves_on_demand() {
    let mut telegram = Telegram::start(TOKEN, CHAT);
    let send =
        |telegram: &Telegram| call(telegram, "/bot1:a/sendMessage", &json!({"chat_id": CHAT, "text": "m"}));
    let table = [
        (Behaviour::Flood(3), 429, Outcome::Refused(429)),
        (Behaviour::Refuse(401, "Unauthorized"), 401, Outcome::Refused(401)),
        (Behaviour::Html(502), 502, Outcome::Refused(502)),
        (Behaviour::Half, 0, Outcome::Unanswered),
        (Behaviour::Close, 0, Outcome::Unanswered),
        (Behaviour::Stall, 0, Outcome::Unanswered),
    ];
    for (behaviour, status, outcome) in table {
        telegram.once("m", behaviour.clone());
        let (got, answer) = send(&telegram);
        assert_eq!(got, status, "{behaviour:?}: {answer}");
        assert_eq!(telegram.calls().last().unwrap().outcome, outcome, "{behaviour:?}");
        if let Behaviour::Flood(seconds) = behaviour {
            assert_eq!(answer["parameters"]["retry_after"], seconds);
        }
        telegram.release();
    }
    telegram.close_port();
    assert_eq!(send(&telegram).0, 0);
    telegram.open_port();
    assert_eq!(send(&telegram).0, 200);
}

#[test]
fn the_bed_prints_a_job_in_well_under_a_minute() {
    let bed = Bed::up();
    let begun = Instant::now();
    bed.start_print("a b.gcode", Job::SHORT);
    bed.wait_for("complete", Duration::from_secs(60));
    assert_eq!(bed.query("print_stats")["filename"], "a b.gcode");
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}
