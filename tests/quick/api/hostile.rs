//! Requests that no decent client sends, byte by byte.

use super::{SOON, ask, exchange, take_answer};
use crate::support::rest::{Facts, Rest};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

/// What comes over one connection: the status of each answer, in order.
fn statuses(rest: &Rest, bytes: &[u8]) -> Vec<u16> {
    let mut read = exchange(rest.address, bytes);
    let mut statuses = Vec::new();
    while !read.is_empty() {
        statuses.push(take_answer(&mut read, false).status);
    }
    statuses
}

#[test]
fn odd_requests_get_their_answers() {
    let rest = Rest::start(Facts::with_data());
    let get = "GET /api/ HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    let big = "GET /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    let header = |size: usize| format!("GET /api/ HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(size));
    let headers = |count: usize| format!("GET /api/ HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(count));
    let table: Vec<(&str, String, &[u16])> = vec![
        ("nothing", String::new(), &[]),
        ("half a request", get[..20].to_owned(), &[]),
        ("half a request behind a whole one", format!("{get}{}", &get[..20]), &[200]),
        ("pipelined", get.repeat(50), &[200; 50]),
        ("empty lines first", format!("\r\n\r\n{get}"), &[200]),
        ("HTTP/1.0", "GET /api/ HTTP/1.0\r\n\r\n".into(), &[200]),
        ("HTTP/1.0 that closes", format!("GET /api/ HTTP/1.0\r\n\r\n{get}"), &[200]),
        ("no Host", "GET /api/ HTTP/1.1\r\n\r\n".into(), &[400]),
        ("two Hosts", "GET /api/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), &[400]),
        ("absolute form", get.replace("/api/", "http://anything:80/api/"), &[200]),
        ("absolute form without a path", get.replace("/api/", "http://anything"), &[404]),
        ("authority form", "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[404]),
        ("a fragment", get.replace("/api/", "/api/#x"), &[200]),
        ("a body of no bytes", get.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"), &[200]),
        ("a body, and a request behind it", format!("{}{get}", post.replace("POST", "GET")), &[413]),
        ("a body for another method", format!("{post}{get}"), &[405]),
        ("a body nowhere", format!("{}{get}", post.replace("/api/", "/x")), &[404]),
        ("a huge body", big.to_owned(), &[413]),
        (
            "a chunked body",
            get.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            &[413],
        ),
        (
            "two lengths",
            get.replace("\r\n\r\n", "\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            &[400],
        ),
        ("a length that is none", get.replace("\r\n\r\n", "\r\nContent-Length: -1\r\n\r\n"), &[400]),
        ("waits for 100", post.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"), &[405]),
        (
            "waits for 100 with GET",
            post.replace("POST", "GET").replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"),
            &[413],
        ),
        ("a header below the bound", header(15_000), &[200]),
        ("a header above the bound", header(17_000), &[431]),
        ("a header far above the bound", header(2_000_000), &[431]),
        ("many headers", headers(90), &[200]),
        ("too many headers", headers(200), &[431]),
        ("a long target", get.replace("/api/", &format!("/{}", "x".repeat(14_000))), &[404]),
        ("a space in the target", get.replace("/api/", "/api /"), &[400]),
        ("a NUL", get.replace("/api/", "/api/\0"), &[400]),
        ("a header with a space in its name", get.replace("Host", "Ho st"), &[400]),
        ("a folded header", get.replace("Host: x", "Host: x\r\n y: z"), &[400]),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".into(), &[400]),
        (
            "an upgrade",
            get.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
            &[200],
        ),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(statuses(&rest, bytes.as_bytes()), expected, "{what}");
    }
}

#[test]
fn a_client_that_sends_a_body_first_still_hears_why_not() {
    let rest = Rest::start(Facts::with_data());
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"POST /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n").unwrap();
    let mut read = Vec::new();
    // A server that closes with bytes unread breaks the connection, and with it the answer on some systems.
    for _ in 0..20 {
        stream.write_all(&[b'x'; 10_000]).unwrap();
        std::thread::park_timeout(Duration::from_millis(5));
    }
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut read).unwrap();
    let answer = take_answer(&mut read, false);
    assert_eq!((answer.status, answer.header("connection")), (405, "close"));
    assert!(read.is_empty());
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let rest = Rest::start(Facts::with_data());
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    for target in ["/api/", "/nowhere", "/api/printer/A1M-1/image", "/api/health/live"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        // Byte by byte, as a slow network may bring it.
        for byte in request.as_bytes() {
            stream.write_all(&[*byte]).unwrap();
        }
        let mut read = Vec::new();
        let whole = ask(rest.address, "GET", target);
        while !read.ends_with(&whole.body) {
            let mut some = [0; 500];
            let count = stream.read(&mut some).unwrap();
            assert!(count > 0, "closed behind {target}");
            read.extend_from_slice(&some[..count]);
        }
        assert_eq!(take_answer(&mut read, false), whole);
    }
}

/// A server for all cases of the property: starting one for each would take most of the time.
static SHARED: LazyLock<Rest> = LazyLock::new(|| Rest::start(Facts::with_data()));

/// Pieces of requests, right and wrong.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::sample::select(vec![
            "GET ",
            "HEAD ",
            "POST ",
            "OPTIONS * ",
            "/api/",
            "/api/printer/A1M-1",
            "/api/printer/A1M-1/image",
            "/metrics",
            "http://",
            "%",
            "%zz",
            "?",
            "#",
            " HTTP/1.1",
            " HTTP/1.0",
            " HTTP/2.0",
            "\r\n",
            "\n",
            "\r",
            "\r\n\r\n",
            "Host: x",
            "Content-Length: ",
            "Transfer-Encoding: chunked",
            "Connection: close",
            "Expect: 100-continue",
            "0",
            "18446744073709551616",
            "If-None-Match: ",
            "If-Modified-Since: ",
            "\"1a1fbe7580f-11\"",
            ",",
            "W/",
            "*",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        Just(b"GET /api/ HTTP/1.1\r\nHost: x\r\n".to_vec()),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_keep_a_good_request_from_its_answer(bytes in pieces()) {
        exchange(SHARED.address, &bytes);
        let good = ask(SHARED.address, "GET", "/api/");
        prop_assert_eq!((good.status, good.body.as_slice()), (200, b"OK".as_slice()));
        prop_assert!(!SHARED.has_panicked());
    }
}
