//! The REST server against clients of all sorts, over sockets.

mod crowd;
mod figures;
mod hostile;
mod page;
mod siege;

use crate::support::rest::{Facts, Rest};
use octobridge::api::PATHS;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(20);

/// One answer, taken apart.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    /// Names in lower case, without `date`.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = found.next().unwrap_or("");
        assert_eq!(found.next(), None, "{name} twice: {self:?}");
        value
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// Sends `bytes`, says that no more will come, and reads until the server closes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    // The server may have closed before it has read all.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("not closed within {SOON:?}"),
        _ => read,
    }
}

/// Takes the first answer off `bytes`; that of a HEAD has no body, whatever its headers say.
fn take_answer(bytes: &mut Vec<u8>, head: bool) -> Answer {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let end =
        bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {shown:?}"));
    let text = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
    let mut lines = text.trim_end().split("\r\n");
    let first = lines.next().unwrap();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap_or_else(|| line.split_once(':').unwrap()))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| name != "date")
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    if !head && status != 304 {
        let length: usize = answer.header("content-length").parse().unwrap();
        assert!(bytes.len() >= length, "cut off: {answer:?}");
        answer.body = bytes.drain(..length).collect();
    }
    answer
}

/// One request over a connection of its own.
fn ask_with(address: SocketAddr, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: printer\r\n{headers}\r\n");
    let mut bytes = exchange(address, request.as_bytes());
    let answer = take_answer(&mut bytes, method == "HEAD");
    assert!(bytes.is_empty(), "{method} {target}: {} bytes too many", bytes.len());
    answer
}

fn ask(address: SocketAddr, method: &str, target: &str) -> Answer {
    ask_with(address, method, target, "")
}

#[test]
fn the_seeds_paths_before_data() {
    let rest = Rest::start(Facts::before_data());
    let root = ask(rest.address, "GET", "/api/");
    assert_eq!((root.status, root.body.as_slice()), (200, b"OK".as_slice()));
    assert!(root.header("content-type").starts_with("text/plain"));
    let status = ask(rest.address, "GET", "/api/printer/A1M-1");
    assert_eq!((status.status, status.json()), (404, json!({"detail": "No status received yet."})));
    let image = ask(rest.address, "GET", "/api/printer/A1M-1/image");
    assert_eq!((image.status, image.json()), (404, json!({"detail": "No image received yet."})));
    for path in ["/api/printer/A1M-2", "/api/printer/a1m-1", "/api/printer/A1M-2/image"] {
        let strange = ask(rest.address, "GET", path);
        assert_eq!((strange.status, strange.detail().is_empty()), (404, false), "{path}");
    }
}

#[test]
fn the_seeds_paths_with_data() {
    let rest = Rest::start(Facts::with_data());
    assert_eq!(ask(rest.address, "GET", "/api/").body, b"OK");
    for target in [
        "/api/printer/A1M-1",
        "/api/printer/A1M%2D1",
        "/api/printer/A1M-1/?a=b&c",
        "http://x/api/printer/A1M-1",
    ] {
        let status = ask(rest.address, "GET", target);
        let expected = r#"{"printer_id":"A1M-1","received_at":"2026-11-21T02:20:05.007Z","status":{"gcode_state": "RUNNING","mc_percent":41.50,"x":{"z":1e3,"a":null}}}"#;
        assert_eq!(
            (status.status, String::from_utf8_lossy(&status.body).as_ref()),
            (200, expected),
            "{target}"
        );
        assert_eq!(status.header("content-type"), "application/json");
    }
    let image = ask(rest.address, "GET", "/api/printer/A1M-1/image");
    assert_eq!(
        (image.status, image.body.as_slice()),
        (200, b"\xff\xd8\xff\xe0 a picture \xff\xd9".as_slice())
    );
    let mut headers = image.headers.clone();
    headers.sort();
    let expected = [
        ("cache-control", "no-store, no-cache, must-revalidate, max-age=0"),
        ("content-length", "17"),
        ("content-type", "image/jpeg"),
        ("etag", "\"1a1fbe7580f-11\""),
        ("last-modified", "Sat, 21 Nov 2026 02:20:05 GMT"),
        ("x-content-type-options", "nosniff"),
        ("x-image-timestamp", "2026-11-21T02:20:05.007Z"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_known_picture_is_not_sent_again() {
    let rest = Rest::start(Facts::with_data());
    let image = "/api/printer/A1M-1/image";
    for headers in
        ["If-None-Match: \"1a1fbe7580f-11\"\r\n", "If-Modified-Since: Sat, 21 Nov 2026 02:20:05 GMT\r\n"]
    {
        for method in ["GET", "HEAD"] {
            let answer = ask_with(rest.address, method, image, headers);
            assert_eq!((answer.status, answer.header("content-length")), (304, ""), "{headers}");
            assert_eq!(answer.header("etag"), "\"1a1fbe7580f-11\"");
        }
    }
    let old = ask_with(rest.address, "GET", image, "If-None-Match: \"x\"\r\n");
    assert_eq!(old.status, 200);
}

#[test]
fn head_is_get_without_the_body() {
    for facts in [Facts::before_data(), Facts::with_data()] {
        let rest = Rest::start(facts);
        // The figures change with each look at them.
        for path in PATHS.iter().filter(|path| **path != "/metrics") {
            let path = path.replace("{id}", "A1M-1");
            let (get, head) = (ask(rest.address, "GET", &path), ask(rest.address, "HEAD", &path));
            assert_eq!(Answer { body: Vec::new(), ..get }, head, "{path}");
        }
        assert_eq!(ask(rest.address, "HEAD", "/metrics").status, 200);
    }
}

#[test]
fn what_is_wrong_is_told_in_json() {
    let rest = Rest::start(Facts::with_data());
    let long = format!("/api/{}", "x".repeat(8000));
    let table = [
        ("GET", "/", 404),
        ("GET", "/favicon.ico", 404),
        ("GET", "/api/printer", 404),
        ("GET", "/api/printer/A1M-1/picture", 404),
        ("GET", "/api/printer/%ff%fe", 404),
        ("GET", "/api/../metrics", 404),
        ("GET", long.as_str(), 404),
        ("POST", "/nowhere", 404),
        ("OPTIONS", "*", 404),
        ("POST", "/api/", 405),
        ("PUT", "/api/printer/A1M-1", 405),
        ("DELETE", "/api/printer/other", 405),
        ("OPTIONS", "/api/printer/A1M-1/image", 405),
        ("PATCH", "/metrics", 405),
        ("TRACE", "/api/bridges", 405),
        ("BREW", "/api/health/live", 405),
    ];
    for (method, target, expected) in table {
        let answer = ask(rest.address, method, target);
        assert_eq!(answer.status, expected, "{method} {target}");
        assert!(!answer.detail().is_empty());
        assert_eq!(
            answer.header("allow"),
            if expected == 405 { "GET, HEAD" } else { "" },
            "{method} {target}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[test]
fn the_bridges_and_the_service() {
    let rest = Rest::start(Facts::with_data());
    let bridges = ask(rest.address, "GET", "/api/bridges");
    assert_eq!(
        (bridges.status, bridges.json()),
        (
            200,
            json!({
                "printer_id": "A1M-1",
                "service": {"connected": true, "source": "printer connected over moonraker.sock", "restarts": 3, "up_seconds": 77},
                "bridges": [
                    {"name": "octoapp", "state": "needs_pairing", "text": "", "queued": 2, "dropped": 1},
                    {"name": "telegram", "state": "connected", "text": "", "queued": 2, "dropped": 1},
                ],
            })
        )
    );
}

#[test]
fn health() {
    let (before, with) = (Rest::start(Facts::before_data()), Rest::start(Facts::with_data()));
    for rest in [&before, &with] {
        let live = ask(rest.address, "GET", "/api/health/live");
        assert_eq!((live.status, live.json()), (200, json!({"live": true})));
    }
    let ready = ask(with.address, "GET", "/api/health/ready");
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true})));
    let not_ready = ask(before.address, "GET", "/api/health/ready");
    let reasons = json!({"detail": ["No status received yet.", "No image received yet."]});
    assert_eq!((not_ready.status, not_ready.json()), (503, reasons));
}

#[test]
fn an_id_of_any_letters_is_found_and_shown() {
    let id = "my/printer \"ü\" 1";
    let rest = Rest::start(Facts { id: id.to_owned(), ..Facts::with_data() });
    let answer = ask(rest.address, "GET", "/api/printer/my%2Fprinter%20%22%C3%BC%22%201");
    assert_eq!((answer.status, answer.json()["printer_id"].as_str()), (200, Some(id)));
    let image = ask(rest.address, "GET", "/api/printer/my%2Fprinter%20%22%C3%BC%22%201/image");
    assert_eq!(image.status, 200);
}

#[test]
fn the_description_names_every_path_and_every_answer() {
    let (before, with) = (Rest::start(Facts::before_data()), Rest::start(Facts::with_data()));
    let description = ask(with.address, "GET", "/api/openapi.json").json();
    let paths = description["paths"].as_object().unwrap();
    let mut described: Vec<_> = paths.keys().map(String::as_str).collect();
    let mut known = PATHS.to_vec();
    described.sort_unstable();
    known.sort_unstable();
    assert_eq!(described, known);
    for rest in [&before, &with] {
        for (path, operations) in paths {
            let answer = ask(rest.address, "GET", &path.replace("{id}", "A1M-1"));
            let described = &operations["get"]["responses"][answer.status.to_string()];
            assert!(described.is_object(), "{path}: {} is not described", answer.status);
            if described.get("$ref").is_some() {
                continue;
            }
            let kinds = described["content"].as_object().unwrap();
            let kind = answer.header("content-type").split(';').next().unwrap().to_owned();
            assert!(kinds.contains_key(&kind), "{path}: {kind}");
        }
    }
}
