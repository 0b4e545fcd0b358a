//! The drop-in of the printer's web server, line by line: the real nginx, a stand-in for Moonraker that lets in or does
//! not, and one for the service that notes what reaches it.
//!
//! Each protection of `octobridge.conf`, and the test that fails without it:
//!
//! | line | test |
//! |---|---|
//! | `auth_request`, in either place | `only_moonrakers_yes_opens` |
//! | `error_page` 401, 500, 502 | `only_moonrakers_yes_opens`, `a_service_that_is_away_is_named` |
//! | `internal` | `only_what_is_the_pages_is_reached` |
//! | the login: `set`, `if`, `Authorization` | `moonraker_is_asked_with_the_login_alone` |
//! | `X-Real-IP`, `X-Forwarded-For` | the same, and `an_address_that_is_made_up_opens_nothing` with the real Moonraker |
//! | `Content-Length ""` | `moonraker_is_asked_with_the_login_alone` |
//! | `Cookie`, `Authorization`, `X-Api-Key`, `X-Access-Token` cleared, in either place | `nothing_of_a_login_reaches_the_service` |
//! | `Host $http_host`, in either place | the same: the service tells by it who could own the name |
//! | `proxy_pass` with a path, `location = /octobridge/` | `only_what_is_the_pages_is_reached` |
//! | `proxy_request_buffering off`, in either place | `a_large_body_is_the_services_to_refuse_at_once` |
//! | `proxy_buffering off` | `an_open_page_is_told_at_once` |
//!
//! `proxy_pass_request_body off` says the same as the line below it, and nothing else; either is enough. `proxy_read_timeout`
//! and `Connection ""` keep nobody out: an open page is told the time four times a minute.

use super::SOON;
use super::nginx::Nginx;
use crate::support::bed::{Bed, free_port};
use crate::support::http::{self, Message};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server that notes what it is asked, and answers everything in one way.
struct Heard {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Heard {
    fn answering(status: &'static str) -> Self {
        Self::with(move |reader, messages| {
            let Ok(Some(message)) = http::read(reader) else { return };
            messages.lock().unwrap().push(message);
            let said = "text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            let _ = write!(reader.get_mut(), "HTTP/1.1 {status}\r\nContent-Type: {said}");
        })
    }

    fn with(
        answer: impl Fn(&mut BufReader<TcpStream>, &Mutex<Vec<Message>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(Mutex::default());
        let (noted, answer) = (Arc::clone(&messages), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                std::thread::spawn(move || answer(&mut BufReader::new(stream.unwrap()), &noted));
            }
        });
        Self { address, messages }
    }

    /// What it was asked since it was looked last.
    fn taken(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap())
    }

    /// The lines that it was asked with since then.
    fn lines(&self) -> Vec<String> {
        self.taken().into_iter().map(|message| message.first_line).collect()
    }
}

/// Says all of it to the web server, from an address of this machine that is not its usual one.
fn begin(nginx: &Nginx, said: &str) -> BufReader<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, nginx.port).into()).await.unwrap()
    });
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    BufReader::new(stream)
}

fn ask(nginx: &Nginx, line: &str, headers: &[&str], body: &str) -> (u16, String) {
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{line} HTTP/1.1\r\nHost: u1.local\r\nConnection: close\r\n{length}{more}\r\n{body}");
    let answer = http::read(&mut begin(nginx, &head)).unwrap().unwrap();
    let status = answer.first_line.split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::from_utf8(answer.body).unwrap())
}

/// The page and what is below it: the two places that lead to the service.
const PLACES: [(&str, &str); 2] =
    [("GET /octobridge/", "GET / HTTP/1.1"), ("GET /octobridge/page/live", "GET /page/live HTTP/1.1")];
const FORM: &str = "POST /octobridge/page/do";

#[test]
fn nothing_of_a_login_reaches_the_service() {
    let (moonraker, service) = (Heard::answering("200 OK"), Heard::answering("200 OK"));
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    let logins = [
        "Cookie: octobridge=a.SECRET.c; other=SECRET",
        "Authorization: Bearer a.SECRET.c",
        "X-Api-Key: SECRET",
        "X-Access-Token: SECRET",
    ];
    for (line, expected) in PLACES {
        assert_eq!(ask(&nginx, line, &logins, ""), (200, "ok".to_owned()), "{line}");
        let heard = service.taken();
        assert_eq!(heard.len(), 1, "{line}: {heard:?}");
        assert_eq!(heard[0].first_line, expected);
        assert_eq!(heard[0].header("host"), Some("u1.local"), "{heard:?}");
        assert!(!format!("{heard:?}").contains("SECRET"), "{line}: {heard:?}");
    }
    // Of a form, all that the service tells its own by is there.
    let own = ["Origin: http://u1.local", "Sec-Fetch-Site: same-origin", "Content-Type: text/x"];
    assert_eq!(ask(&nginx, FORM, &[&own[..], &logins[..]].concat(), "do=it").0, 200);
    let heard = service.taken();
    assert_eq!(heard[0].first_line, "POST /page/do HTTP/1.1");
    assert_eq!(heard[0].body, b"do=it");
    assert!(!format!("{heard:?}").contains("SECRET"), "{heard:?}");
    for header in own {
        let (name, value) = header.split_once(": ").unwrap();
        assert_eq!(heard[0].header(&name.to_ascii_lowercase()), Some(value), "{heard:?}");
    }
}

#[test]
fn moonraker_is_asked_with_the_login_alone() {
    let (moonraker, service) = (Heard::answering("200 OK"), Heard::answering("200 OK"));
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    let cookie = "Cookie: octobridge=of.the.cookie";
    let own = "Authorization: Bearer of.the.browser";
    let table: [(&[&str], Option<&str>); 5] = [
        (&[], None),
        (&["Cookie: octobridge="], None),
        (&[own], Some("Bearer of.the.browser")),
        (&[cookie], Some("Bearer of.the.cookie")),
        (&[own, cookie], Some("Bearer of.the.cookie")),
    ];
    let made_up = ["X-Real-IP: 127.0.0.1", "X-Forwarded-For: 127.0.0.1", "X-Api-Key: key"];
    for (login, expected) in table {
        for (line, body) in [(PLACES[0].0, ""), (PLACES[1].0, ""), (FORM, "do=it")] {
            let headers = [login, &made_up[..]].concat();
            assert_eq!(ask(&nginx, line, &headers, body).0, 200, "{line} {login:?}");
            let heard = moonraker.taken();
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert_eq!(heard[0].first_line.split(' ').nth(1), Some("/access/user"));
            assert!(heard[0].first_line.starts_with("GET "), "{heard:?}");
            assert_eq!(heard[0].header("authorization"), expected, "{line} {login:?}");
            assert_eq!(heard[0].header("x-api-key"), Some("key"));
            // Where it comes from is what the web server sees, and not what the browser says.
            for name in ["x-real-ip", "x-forwarded-for"] {
                let said: Vec<_> =
                    heard[0].headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect();
                assert_eq!(said, ["127.0.0.2"], "{name}: {heard:?}");
            }
            assert_eq!((heard[0].header("content-length"), heard[0].body.len()), (None, 0), "{heard:?}");
        }
    }
}

#[test]
fn only_moonrakers_yes_opens() {
    let service = Heard::answering("200 OK");
    let check = |port: u16, status: u16, page: &str| {
        let nginx = Nginx::start(port, service.address);
        for (line, _) in PLACES {
            assert_eq!(ask(&nginx, line, &[], "").0, status, "{line}");
        }
        assert_eq!(ask(&nginx, FORM, &[], "do=it").0, status);
        let (_, shown) = ask(&nginx, PLACES[0].0, &[], "");
        assert!(shown.contains(page), "{status}: {shown}");
        assert!(service.taken().is_empty(), "{status}");
    };
    check(Heard::answering("401 Unauthorized").address.port(), 401, "Log in first");
    check(Heard::answering("403 Forbidden").address.port(), 403, "");
    for strange in ["500 Internal Server Error", "404 Not Found", "302 Found"] {
        check(Heard::answering(strange).address.port(), 500, "Moonraker does not answer");
    }
    check(free_port(), 500, "Moonraker does not answer");
}

#[test]
fn a_service_that_is_away_is_named() {
    let moonraker = Heard::answering("200 OK");
    let away = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let nginx = Nginx::start(moonraker.address.port(), away);
    let (status, shown) = ask(&nginx, PLACES[0].0, &[], "");
    assert!(status == 502 && shown.contains("Octobridge does not run"), "{status} {shown}");
    // What the service itself says is its own, even where it is the same number.
    let service = Heard::answering("500 Internal Server Error");
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    assert_eq!(ask(&nginx, PLACES[0].0, &[], ""), (500, "ok".to_owned()));
}

#[test]
fn only_what_is_the_pages_is_reached() {
    let (moonraker, service) = (Heard::answering("200 OK"), Heard::answering("200 OK"));
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    for path in [
        "/octobridge/login_check",
        "/octobridge/api/bridges",
        "/octobridge/metrics",
        "/octobridge/page/../api/bridges",
        "/octobridge/page/%2e%2e/api/bridges",
        "/octobridge/page/..%2fapi/bridges",
        "/octobridge/web/../nginx/octobridge.conf",
        "/octobridge/web../nginx/octobridge.conf",
        "/octobridge/web/..%2fnginx/octobridge.conf",
        "/octobridge/web/",
        "/octobridgepage/live",
    ] {
        let (status, shown) = ask(&nginx, &format!("GET {path}"), &[], "");
        assert!([403, 404].contains(&status) && !shown.contains("auth_request"), "{path}: {status} {shown}");
    }
    assert!(moonraker.taken().is_empty() && service.taken().is_empty());
    // The way there, and what the doors need, are shown to everybody: there is no secret in them.
    let (status, _) = ask(&nginx, "GET /octobridge", &[], "");
    assert_eq!(status, 302);
    for file in ["door.html", "door.js", "off.html", "away.html", "plain.css"] {
        assert_eq!(ask(&nginx, &format!("GET /octobridge/web/{file}"), &[], "").0, 200, "{file}");
    }
    assert!(moonraker.taken().is_empty() && service.taken().is_empty());
    // A page keeps its own path, whatever is asked for behind it.
    assert_eq!(ask(&nginx, "GET /octobridge/page/a//../b?c=d", &[], "").0, 200);
    assert_eq!(service.lines(), ["GET /page/b?c=d HTTP/1.1"]);
}

#[test]
fn a_large_body_is_the_services_to_refuse_at_once() {
    let moonraker = Heard::answering("200 OK");
    // It refuses as soon as it sees how much is to come.
    let service = Heard::with(|reader, messages| {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        messages.lock().unwrap().push(Message { first_line: head, headers: Vec::new(), body: Vec::new() });
        let refusal =
            "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large";
        let _ = reader.get_mut().write_all(refusal.as_bytes());
        // The answer would be lost if this closed with bytes unread.
        let _ = reader.read_to_end(&mut Vec::new());
    });
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    for line in [FORM, "POST /octobridge/"] {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: u1.local\r\nContent-Length: 50000000\r\n\r\n{}",
            "a".repeat(9000)
        );
        // The rest is never sent.
        let answer = http::read(&mut begin(&nginx, &head)).unwrap().unwrap();
        assert!(answer.first_line.contains(" 413 "), "{line}: {answer:?}");
        assert_eq!(answer.body, b"too large");
        assert_eq!(service.taken().len(), 1, "{line}");
    }
}

#[test]
fn an_open_page_is_told_at_once() {
    let moonraker = Heard::answering("200 OK");
    let service = Heard::with(|reader, _| {
        if http::read(reader).is_ok() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            let _ = write!(reader.get_mut(), "{head}data: first\n\n");
            // It says no more until the other end has gone.
            let _ = reader.read_to_end(&mut Vec::new());
        }
    });
    let nginx = Nginx::start(moonraker.address.port(), service.address);
    let mut line = begin(&nginx, "GET /octobridge/page/live HTTP/1.1\r\nHost: u1.local\r\n\r\n").lines();
    assert!(line.any(|line| line.unwrap() == "data: first"));
}

/// Moonraker trusts this machine, and takes the word of the web server beside it for who asks.
#[test]
fn an_address_that_is_made_up_opens_nothing() {
    let (bed, service) = (Bed::up(), Heard::answering("200 OK"));
    let nginx = Nginx::start(bed.port(), service.address);
    let near = [
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "X-Client-IP: 127.0.0.1",
    ];
    for (line, _) in PLACES {
        for headers in [&[][..], &near[..1], &near[1..2], &near] {
            assert_eq!(ask(&nginx, line, headers, "").0, 401, "{line} {headers:?}");
        }
    }
    assert!(service.taken().is_empty());
    // Who really is there is let in.
    assert_eq!(http::request(nginx.port, "GET", "/octobridge/", None).0, 200);
}
