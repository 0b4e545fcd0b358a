//! The stand-in for the Bot API does what the tests rely on: it takes what the API takes and nothing else, refuses as
//! the service does, and misbehaves on demand.

mod description;
mod files;
mod misbehaving;
mod requests;
mod sending;
mod updates;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::telegram::{Chat, ChatKind, Telegram};

const TOKEN: &str = "1:a";
const FORUM: i64 = -1005;
const PERSON: i64 = 7;
const GROUP: i64 = -6;

/// A bot with a forum that has topic 42, a person and a plain group.
fn telegram() -> Telegram {
    let telegram = Telegram::plain(TOKEN, PERSON);
    telegram.add_chat(Chat::forum(FORUM, &[42]));
    telegram.add_chat(Chat::new(GROUP, ChatKind::Group));
    telegram
}

fn agent() -> ureq::Agent {
    let tls = octobridge::tls::client_config(None).unwrap();
    octobridge::http::agent(tls, Duration::from_secs(5), Duration::from_secs(5))
}

/// Status and body of a call whose body has this form; status 0 when there was no whole answer.
fn post(telegram: &Telegram, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    let request = agent().post(format!("{}{path}", telegram.url())).header("content-type", kind);
    let Ok(mut answer) = request.send(body) else { return (0, Value::Null) };
    let status = answer.status().as_u16();
    match answer.body_mut().read_to_string() {
        Ok(text) => (status, serde_json::from_str(&text).unwrap_or(Value::String(text))),
        Err(_) => (0, Value::Null),
    }
}

fn call(telegram: &Telegram, method: &str, arguments: &Value) -> (u16, Value) {
    post(telegram, &format!("/bot{TOKEN}/{method}"), "application/json", arguments.to_string().as_bytes())
}

/// The result of a call that has one.
fn done(telegram: &Telegram, method: &str, arguments: &Value) -> Value {
    let (status, answer) = call(telegram, method, arguments);
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{method} {arguments}: {answer}");
    answer["result"].clone()
}

/// The description of a refusal.
fn refused(telegram: &Telegram, method: &str, arguments: &Value) -> String {
    let (status, answer) = call(telegram, method, arguments);
    assert_eq!((answer["ok"] == false, answer["error_code"] == status), (true, true), "{method}: {answer}");
    answer["description"].as_str().unwrap().to_owned()
}

/// A form with these fields and files.
fn form(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    for (name, filename, bytes) in files {
        let head =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n");
        body.extend(head.as_bytes());
        body.extend(b"Content-Type: image/jpeg\r\n\r\n");
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    body
}

/// Calls a method with a form.
fn upload(
    telegram: &Telegram,
    method: &str,
    fields: &[(&str, &str)],
    files: &[(&str, &str, &[u8])],
) -> (u16, Value) {
    let kind = "multipart/form-data; boundary=xyz";
    post(telegram, &format!("/bot{TOKEN}/{method}"), kind, &form(fields, files))
}

/// A JPEG of this size, as far as its header goes.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8];
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([1, 1, 0x11, 0, 0xff, 0xd9]);
    bytes
}
