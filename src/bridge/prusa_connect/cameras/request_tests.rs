//! The recordings of the official SDK's cameras, made again by ours.

use super::super::course::{Answer, Course, Sent, Step};
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const NAMES: [&str; 5] = [
    "camera_busy_b",
    "camera_refused_a",
    "camera_register_snapshot_a",
    "camera_reregister_b",
    "camera_token_lost_a",
];

fn recording(name: &str) -> Value {
    let path = format!("{}/tests/vectors/prusa-connect/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn printer(inputs: &Value) -> (Identity, Token) {
    let identity = Identity {
        serial: text(inputs, "sn"),
        fingerprint: text(inputs, "fingerprint"),
        printer_type: text(inputs, "printer_type_string"),
        firmware: text(inputs, "firmware"),
        software: text(inputs, "software"),
        product: "Prusa-Connect-SDK-Printer/0.8.1".to_owned(),
    };
    (identity, Token::new(&text(inputs, "token")).unwrap())
}

/// The camera that the first recorded request is about, and the token that it has before.
fn camera(recording: &Value) -> (Card, Option<Token>) {
    let first = &recording["expected_requests"][0];
    let body = &first["body_json"];
    let config = &body["config"];
    let trigger = Trigger::from_word(&text(config, "trigger_scheme")).unwrap_or(Trigger::TenSec);
    let mut card = Card::new(&text(config, "name"), "/dev/video0", trigger);
    let header = |name: &str| {
        let headers = first["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned())
    };
    if body.is_null() {
        // It is registered already; what is checked of it is its fingerprint.
        card.fingerprint = header("Fingerprint").unwrap();
        return (card, Token::new(&header("Token").unwrap()));
    }
    card.id = text(config, "camera_id");
    card.fingerprint = camera_fingerprint(&card.id);
    for name in ["resolution", "rotation", "exposure", "focus"] {
        if let Some(value) = config.get(name) {
            card.settings.push((name, value.clone()));
        }
    }
    let size = |size: &Value, name: &str| u16::try_from(size[name].as_u64().unwrap()).unwrap();
    let sizes = body["options"]["available_resolutions"].as_array().unwrap();
    card.resolutions = sizes.iter().map(|one| [size(one, "width"), size(one, "height")]).collect();
    (card, Token::new(&text(config, "token")))
}

/// Headers that count, by the README of the recordings.
fn significant(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let ignored = ["host", "user-agent", "accept", "accept-encoding", "connection", "content-length"];
    let mut kept: Vec<_> = headers
        .map(|(name, value)| (name.to_lowercase(), value))
        .filter(|(name, _)| !ignored.contains(&name.as_str()))
        .map(|(name, value)| match &*name {
            // To a tenth of a second.
            "timestamp" => (name, format!("{:.1}", value.parse::<f64>().unwrap())),
            _ => (name, value),
        })
        .collect();
    kept.sort();
    kept
}

fn expect(expected: &Value, method: &str, path: &str, headers: &[(&'static str, String)]) {
    assert_eq!((text(expected, "method").as_str(), text(expected, "path").as_str()), (method, path));
    let pairs = expected["headers"].as_array().unwrap();
    let word = |pair: &Value, index: usize| pair[index].as_str().unwrap().to_owned();
    let recorded = significant(pairs.iter().map(|pair| (word(pair, 0), word(pair, 1))));
    let made = significant(headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    assert_eq!(made, recorded);
}

/// Lists whose order does not matter, in one order.
fn sorted(mut body: Value) -> Value {
    if let Some(list) = body["capabilities"].as_array_mut() {
        list.sort_by_key(ToString::to_string);
    }
    body
}

fn play(name: &str) {
    let recording = recording(name);
    let inputs = &recording["inputs"];
    let (identity, printer_token) = printer(&inputs["printer"]);
    let (card, known) = camera(&recording);
    let requests = recording["expected_requests"].as_array().unwrap();
    let answers = recording["server_responses"].as_array().unwrap();
    let steps = inputs["steps"].as_array().unwrap();
    let begin = steps[0]["now"].as_f64().unwrap();
    // The SDK registers one again that has a token; ours has no cause to, but would do it so.
    let again = steps[0]["action"] == "register_camera" && known.is_some();
    let mut course = Course::new(card.trigger, known.clone().filter(|_| !again), false, Duration::ZERO);
    let mut made = 0;
    for step in steps {
        let unix = Duration::from_secs_f64(step["now"].as_f64().unwrap());
        let now = unix.saturating_sub(Duration::from_secs_f64(begin));
        let answer = answers.iter().find(|answer| answer["for_request"] == made);
        let status = |answer: &Value| {
            let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
            Answer::Status(status, text(answer, "body"), None)
        };
        if step["action"] == "upload_snapshot" {
            course.demand(now);
        }
        match course.step(true, now) {
            Step::Register => {
                assert_eq!(step["action"], "register_camera");
                let request = register(&card, known.as_ref(), &identity, &printer_token, unix);
                let expected = &requests[made];
                expect(expected, request.method, &request.path, &request.headers);
                let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
                assert_eq!(sorted(body), sorted(expected["body_json"].clone()));
                let answer = answer.unwrap();
                let token = answer["headers"]["Token"].as_str().and_then(Token::new);
                course.registered(status(answer), token, 0, now);
                made += 1;
            }
            Step::Picture => {
                assert_eq!(step["action"], "upload_snapshot");
                let request = snapshot(&card, course.token().unwrap(), unix);
                let expected = &requests[made];
                expect(expected, request.method, request.path, &request.headers);
                let jpeg = STANDARD.decode(text(step, "jpeg_base64")).unwrap();
                assert_eq!(jpeg, STANDARD.decode(text(expected, "body_base64")).unwrap());
                course.sent(Sent::Answered(status(answer.unwrap())), 0, now);
                made += 1;
            }
            Step::Wait(_) => assert_eq!(step["action"], "upload_snapshot"),
        }
    }
    assert_eq!(made, requests.len());
    assert_eq!(course.token().map(Token::reveal), recording["outcome"]["camera_token"].as_str());
}

#[test]
fn requests_are_those_of_the_official_sdk() {
    for name in NAMES {
        eprintln!("{name}");
        play(name);
    }
}

#[test]
fn a_camera_that_was_added_in_connect_tells_of_itself_once() {
    let card = Card::new("Nozzle cam", "x", Trigger::TenSec);
    let token = Token::new("QQQQWWWWEEEERRRRTTTT").unwrap();
    let (request, body) = info(&card, &token, (1280, 720));
    assert_eq!((request.method, request.path), ("PUT", "/c/info"));
    let headers =
        significant(request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let expected =
        [("content-type", "application/json"), ("fingerprint", &card.fingerprint), ("token", token.reveal())];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let body: Value = serde_json::from_str(&body).unwrap();
    let config = json!({ "name": "Nozzle cam", "resolution": { "width": 1280, "height": 720 } });
    assert_eq!(body, json!({ "config": config }));
}

#[test]
fn names_are_cut_and_cleaned() {
    let card = Card::new(&format!("a\r\nb{}", "\u{e9}".repeat(100)), "x", Trigger::TenSec);
    assert_eq!((card.name.chars().count(), &card.name[..2]), (64, "ab"));
}
