//! The set-up page over HTTP: who sees it, whose forms count, and what an open page is sent.

use super::{Answer, SOON, exchange, take_answer};
use crate::support::rest::{Facts, KEY, Rest};
use octobridge::api::page::{Admits, Who};
use octobridge::page::{Act, Deed, MOST_FORM};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

type Pressed = Arc<Mutex<Vec<Act>>>;

fn start(who: Who) -> (Rest, Pressed) {
    let pressed = Pressed::default();
    let admits = Admits { who, hosts: vec!["printer.example.org".to_owned()] };
    let facts = Facts { page: Some((admits, Arc::clone(&pressed))), ..Facts::with_data() };
    (Rest::start(facts), pressed)
}

fn ask(rest: &Rest, head: &str, body: &str) -> Answer {
    let mut bytes = exchange(rest.address, format!("{head}\r\n\r\n{body}").as_bytes());
    take_answer(&mut bytes, head.starts_with("HEAD"))
}

fn get(rest: &Rest, path: &str, host: &str) -> Answer {
    ask(rest, &format!("GET {path} HTTP/1.1\r\nHost: {host}"), "")
}

/// Sends a form with these headers besides those that every form has.
fn send(rest: &Rest, headers: &str, form: &str) -> Answer {
    let length = form.len();
    let head = format!(
        "POST /page/do HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{headers}"
    );
    ask(rest, &head, form)
}

const OWN: &str = "Host: u1.local\r\nOrigin: http://u1.local";

#[test]
fn the_page_and_its_files() {
    let (rest, _) = start(Who::Proxy);
    for (path, kind, part) in [
        ("/", "text/html; charset=utf-8", "<h1>pressed 0 times</h1>"),
        ("/page/page.css", "text/css; charset=utf-8", ":root"),
        ("/page/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/page/camera.jpg", "image/jpeg", " a picture "),
    ] {
        let answer = get(&rest, path, "u1.local:8000");
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains(part), "{path}");
    }
    // Of a form, a browser says where it comes from, and to no other site.
    assert_eq!(get(&rest, "/", "u1.local").header("referrer-policy"), "same-origin");
    let policy = get(&rest, "/", "u1.local").header("content-security-policy").to_owned();
    let rules = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    ];
    assert_eq!(policy.split("; ").collect::<Vec<_>>(), rules);
    // The page has a key in it, which no cache is to keep.
    assert_eq!(get(&rest, "/", "u1.local").header("cache-control"), "no-store");
    assert_eq!(get(&rest, "/page/", "u1").status, 404);
    assert_eq!(get(&rest, "/page/other", "u1").status, 404);
    assert_eq!(get(&rest, "/page/do", "u1").status, 405);
    assert_eq!(ask(&rest, "POST / HTTP/1.1\r\nHost: u1\r\nContent-Length: 0", "").status, 405);
    assert_eq!(ask(&rest, "GET / HTTP/1.1\r\nHost: u1\r\nContent-Length: 3", "abc").status, 413);
    assert_eq!(ask(&rest, "HEAD / HTTP/1.1\r\nHost: u1", "").status, 200);
}

/// What a browser sends for a name that somebody pointed at the printer's address.
#[test]
fn a_name_that_could_be_anybodys_shows_nothing() {
    let (rest, pressed) = start(Who::Proxy);
    for path in ["/", "/page/page.js", "/page/live", "/page/camera.jpg"] {
        let answer = get(&rest, path, "evil.example.com");
        assert_eq!(answer.status, 403, "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains("PAGE_HOSTS"), "{path}");
    }
    let evil = "Host: evil.example.com\r\nOrigin: http://evil.example.com";
    assert_eq!(send(&rest, evil, &format!("key={KEY}&do=doctor")).status, 403);
    assert_eq!(get(&rest, "/", "printer.example.org").status, 200);
    assert_eq!(ask(&rest, "GET / HTTP/1.0", "").status, 403);
    assert_eq!(ask(&rest, "GET / HTTP/1.1\r\nHost: u1\r\nHost: evil.example.com", "").status, 403);
    assert!(pressed.lock().unwrap().is_empty());
}

#[test]
fn without_a_page_there_is_none() {
    let (rest, _) = start(Who::Nobody);
    for path in ["/", "/page/page.js", "/page/live"] {
        assert_eq!(get(&rest, path, "u1").status, 404, "{path}");
    }
    assert_eq!(get(&rest, "/api/", "u1").status, 200);
}

#[test]
fn only_the_pages_own_forms_count() {
    let (rest, pressed) = start(Who::Proxy);
    let good = format!("key={KEY}&bridge=telegram&do=test");
    let table = [
        ("of another site", "Host: u1.local\r\nOrigin: http://evil.org".to_owned(), good.as_str(), 403),
        ("of another port", "Host: u1.local\r\nOrigin: http://u1.local:81".to_owned(), &good, 403),
        ("of nowhere", "Host: u1.local\r\nOrigin: null".to_owned(), &good, 403),
        ("that says nothing of where it comes from", "Host: u1.local".to_owned(), &good, 403),
        ("that the browser calls strange", format!("{OWN}\r\nSec-Fetch-Site: cross-site"), &good, 403),
        ("of a neighbour", format!("{OWN}\r\nSec-Fetch-Site: same-site"), &good, 403),
        ("without the key", OWN.to_owned(), "bridge=telegram&do=test", 403),
        ("with another key", OWN.to_owned(), "key=0123456789abcdee&bridge=telegram&do=test", 403),
        ("that means nothing", OWN.to_owned(), "key=0123456789abcdef&do=reboot", 400),
        ("that is no text", OWN.to_owned(), "key=0123456789abcdef&do=%ff", 400),
        ("that cannot be now", OWN.to_owned(), "key=0123456789abcdef&bridge=busy&do=test", 409),
    ];
    for (what, headers, form, status) in table {
        let answer = send(&rest, &headers, form);
        assert_eq!(answer.status, status, "a form {what}: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(KEY), "{what}");
    }
    let other = "POST /page/do HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n";
    assert_eq!(ask(&rest, &format!("{other}{OWN}"), "do=on").status, 415);
    assert!(pressed.lock().unwrap().is_empty());

    let answer = send(&rest, OWN, &good);
    assert_eq!((answer.status, answer.header("location")), (303, "../"));
    let scripted = format!("{OWN}\r\nAccept: text/plain\r\nSec-Fetch-Site: same-origin");
    let mut bytes = exchange(
        rest.address,
        format!(
            "POST /page/do HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{scripted}\r\n\r\n{good}",
            good.len()
        )
        .as_bytes(),
    );
    assert_eq!(take_answer(&mut bytes, true).status, 204);
    let pressed = pressed.lock().unwrap();
    assert_eq!(pressed.len(), 2);
    assert!(pressed.iter().all(|act| act.bridge == "telegram" && act.deed == Deed::Test));
}

/// Another site's page can have a browser load things from here: it is to see no picture, and to take no page's place.
#[test]
fn nothing_but_the_page_itself_is_given_to_pages_of_other_sites() {
    let (rest, _) = start(Who::Proxy);
    for headers in
        ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.org", "Origin: null"]
    {
        for path in ["/page/camera.jpg", "/page/live", "/page/page.js"] {
            let answer = ask(&rest, &format!("GET {path} HTTP/1.1\r\nHost: u1.local\r\n{headers}"), "");
            assert_eq!(answer.status, 403, "{path} {headers}");
        }
        // A link may lead here from anywhere.
        assert_eq!(ask(&rest, &format!("GET / HTTP/1.1\r\nHost: u1.local\r\n{headers}"), "").status, 200);
    }
    for headers in ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", OWN] {
        let host = if headers == OWN { "" } else { "Host: u1.local\r\n" };
        let answer = ask(&rest, &format!("GET /page/camera.jpg HTTP/1.1\r\n{host}{headers}"), "");
        assert_eq!(answer.status, 200, "{headers}");
        // What says nothing of where it is shown is not shown there.
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    }
}

#[test]
fn a_form_is_bounded() {
    let (rest, pressed) = start(Who::Proxy);
    let head = "POST /page/do HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let announced = format!("{head}{OWN}\r\nContent-Length: 99999999999");
    assert_eq!(ask(&rest, &announced, "").status, 413);
    let chunk = format!("{:x}\r\n{}\r\n", 4096, "a".repeat(4096));
    let chunks = chunk.repeat(MOST_FORM / 4096 + 2);
    let growing = format!("{head}{OWN}\r\nTransfer-Encoding: chunked");
    assert_eq!(ask(&rest, &growing, &format!("{chunks}0\r\n\r\n")).status, 413);
    let broken = format!("{head}{OWN}\r\nContent-Length: 50");
    assert_eq!(ask(&rest, &broken, "do=doctor").status, 400);
    assert!(pressed.lock().unwrap().is_empty());
    // The largest that there may be is read.
    let large = format!("key={KEY}&do=doctor&x={}", "a".repeat(MOST_FORM - 64));
    assert_eq!(send(&rest, OWN, &large).status, 303);
}

#[test]
fn a_form_that_does_not_come_is_given_up() {
    let (rest, pressed) = start(Who::Proxy);
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head =
        "POST /page/do HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50";
    write!(stream, "{head}\r\n{OWN}\r\n\r\nkey={KEY}&").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(pressed.lock().unwrap().is_empty());
}

/// Opens the page's line; gives its head and the rest as it comes.
fn watch(rest: &Rest) -> (u16, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /page/live HTTP/1.1\r\nHost: u1\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line[9..12].parse().unwrap(), reader)
}

fn wait_for(reader: &mut impl BufRead, part: &str) -> String {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended before {part}");
    }
    line
}

#[test]
fn an_open_page_is_sent_what_changed_and_nothing_else() {
    let (rest, _) = start(Who::Proxy);
    let (status, mut reader) = watch(&rest);
    assert_eq!(status, 200);
    wait_for(&mut reader, "text/event-stream");
    wait_for(&mut reader, "event: clock");
    wait_for(&mut reader, "data: 77");
    wait_for(&mut reader, "pressed 0 times");
    wait_for(&mut reader, "\"id\":\"log\"");
    send(&rest, OWN, &format!("key={KEY}&bridge=telegram&do=test"));
    // The next that comes is the part that changed.
    wait_for(&mut reader, "event: ");
    assert!(wait_for(&mut reader, "data: ").contains("pressed 1 times"));
}

/// Nobody looks at a page that was closed, and it is let go before the time is told the next time: whoever loads the page
/// again and again is not turned away for the pages of before.
#[test]
fn a_page_that_was_closed_is_let_go_at_once() {
    let (rest, _) = start(Who::Proxy);
    let (_, mut reader) = watch(&rest);
    wait_for(&mut reader, "event: clock");
    wait_for(&mut reader, "\"id\":\"log\"");
    reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let mut left = String::new();
    while reader.read_line(&mut left).unwrap() > 0 {
        assert!(!left.contains("event: clock"), "{left}");
    }
}

#[test]
fn pages_are_open_in_bounded_number_and_closed_ones_make_room() {
    let (rest, _) = start(Who::Proxy);
    let mut open: Vec<_> = (0..8).map(|_| watch(&rest)).collect();
    assert!(open.iter().all(|(status, _)| *status == 200));
    assert_eq!(watch(&rest).0, 503);
    assert_eq!(super::ask(rest.address, "GET", "/api/").status, 200, "the others have room");
    open.pop();
    crate::support::wait::until("room for another page", SOON, || (watch(&rest).0 == 200).then_some(()));
    // The program's end does not wait for them.
    drop(rest);
    for (_, reader) in &mut open {
        let mut left = Vec::new();
        let _ = reader.read_to_end(&mut left);
    }
}
