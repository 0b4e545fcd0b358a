//! Requests that no decent client sends, byte by byte.

use super::{SOON, ask, ask_with, exchange, take_answer};
use crate::support::rest::{Facts, Rest};
use octobridge::api::PATHS;
use proptest::prelude::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

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

/// Two who read the same bytes must not see different requests in them: behind a proxy the second request could be one
/// that the proxy did not see. What is not clear is refused, and the connection ends with it.
#[test]
fn no_request_hides_in_another() {
    let rest = Rest::start(Facts::with_data());
    let get = "GET /api/ HTTP/1.1\r\nHost: x\r\n\r\n";
    let with = |headers: &str| get.replace("\r\n\r\n", &format!("\r\n{headers}\r\n\r\n"));
    let chunked = "Transfer-Encoding: chunked";
    let table: Vec<(&str, String, &[u16])> = vec![
        ("a length and chunks", with(&format!("Content-Length: 5\r\n{chunked}")) + "0\r\n\r\n", &[413]),
        ("chunks and a length", with(&format!("{chunked}\r\nContent-Length: 0")) + "0\r\n\r\n", &[413]),
        ("no chunk", with(chunked) + "0\r\n\r\n", &[413]),
        ("chunks twice", with(&format!("{chunked}\r\n{chunked}")) + "0\r\n\r\n", &[413]),
        ("chunks within", with("Transfer-Encoding: chunked, identity"), &[400]),
        ("another coding", with("Transfer-Encoding: identity"), &[400]),
        ("almost chunks", with("Transfer-Encoding: xchunked"), &[400]),
        ("chunks behind a control character", with("Transfer-Encoding: \x0bchunked"), &[400]),
        ("chunks of HTTP/1.0", with(chunked).replace("/1.1", "/1.0"), &[400]),
        ("a blank before the colon", with("Content-Length : 40"), &[400]),
        ("a folded length", with("Content-Length:\r\n 40"), &[400]),
        ("a length with a sign", with("Content-Length: +40"), &[400]),
        ("a list of lengths", with("Content-Length: 40, 40"), &[400]),
        ("an empty length", with("Content-Length:"), &[400]),
        ("a length beyond numbers", with("Content-Length: 99999999999999999999"), &[400]),
        ("the same length twice", with("Content-Length: 40\r\nContent-Length: 40"), &[413]),
        ("a lone CR", with("X: a\rContent-Length: 40"), &[400]),
        ("a zero byte", with("X: a\0b"), &[400]),
        ("close and stay", with("Connection: close\r\nConnection: keep-alive"), &[200]),
        ("TRACE", get.replace("GET", "TRACE"), &[405, 200]),
        ("a tunnel that is refused", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n".into(), &[404, 200]),
        ("an upgrade that is passed over", with("Connection: upgrade\r\nUpgrade: h2c"), &[200, 200]),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
        ("HTTP/0.9", "GET /api/\r\n".into(), &[400]),
        ("a version to come", get.replace("1.1", "1.2"), &[400]),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(statuses(&rest, format!("{bytes}{get}").as_bytes()), expected, "{what}");
    }
}

#[test]
fn odd_targets_and_hosts() {
    let rest = Rest::start(Facts::with_data());
    let targets = [
        ("http://other/api/", 200),
        ("HTTP://other:1/api/printer/A1M-1", 200),
        ("http://", 400),
        ("http:///api/", 400),
        ("//other/api/", 404),
        ("api/", 400),
        ("*", 404),
        ("/api/?", 200),
        ("/api/printer/A1M-1?id=other&/image", 200),
        ("/api/printer/%41%31%4d-1", 200),
        ("/api/printer/A1M-1%00", 404),
        ("/api/printer/A1M-1%0d%0aX:%20y", 404),
        ("/api/printer/A1M-1;x=y", 404),
        ("/api/printer/A1M-1%2fimage", 404),
        ("/api/printer/x/../A1M-1", 404),
        ("/api/printer/x%2f..%2fA1M-1", 404),
        ("/api%2fbridges", 404),
        ("/%2e/api/", 404),
        ("/api/./bridges", 404),
        ("/api/\u{fc}", 404),
        ("/api\\bridges", 404),
        ("/api/printer/%", 404),
        ("/api/printer/%C3%28", 404),
        ("/api/%F0%9F%96%A8", 404),
    ];
    for (target, expected) in targets {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(statuses(&rest, bytes.as_bytes()), [expected], "{target}");
    }
    // RFC 9112, 3.2: 400 for a Host that is none. An empty one is allowed.
    let hosts = [
        ("x", 200),
        ("", 200),
        ("printer.local:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[fe80::1]:8000", 200),
        ("my_printer", 200),
        ("a b", 400),
        ("a, b", 400),
        ("a/b", 400),
        ("a?b", 400),
        ("user@x", 400),
        ("http://x", 400),
        ("[fe80::1", 400),
        ("x:y:z", 400),
        ("\u{fc}", 400),
    ];
    for (host, expected) in hosts {
        let bytes = format!("GET /api/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(statuses(&rest, bytes.as_bytes()), [expected], "{host:?}");
    }
}

#[test]
fn a_part_of_the_picture_is_the_whole_of_it() {
    let rest = Rest::start(Facts::with_data());
    let image = "/api/printer/A1M-1/image";
    let whole = ask(rest.address, "GET", image);
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, ""));
    let many = format!("Range: bytes={}\r\n", "0-,".repeat(3000));
    for headers in [
        "Range: bytes=0-0\r\n",
        "Range: bytes=99-\r\n",
        "Range: bytes=-18446744073709551616\r\n",
        "Range: rubbish\r\n",
        "Range: bytes=0-0\r\nIf-Range: \"1a1fbe7580f-11\"\r\n",
        "Expect: a miracle\r\n",
        "Accept: text/html\r\nAccept-Encoding: gzip\r\n",
        many.as_str(),
    ] {
        assert_eq!(ask_with(rest.address, "GET", image, headers), whole, "{headers}");
    }
}

/// Whatever page a browser shows: it may not read from here, and nothing here is changed by asking.
#[test]
fn a_page_from_elsewhere_is_told_no_more_than_anybody() {
    let rest = Rest::start(Facts::with_data());
    let foreign = "Origin: https://elsewhere.example\r\nSec-Fetch-Site: cross-site\r\n";
    let asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Private-Network: true\r\n";
    for path in PATHS {
        let path = path.replace("{id}", "A1M-1");
        for (method, status) in [("GET", 200), ("OPTIONS", 405), ("POST", 405), ("PUT", 405), ("DELETE", 405)]
        {
            let answer = ask_with(rest.address, method, &path, &format!("{foreign}{asks}"));
            assert_eq!(answer.status, status, "{method} {path}");
            let allows = answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-"));
            assert_eq!(allows.count(), 0, "{method} {path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{method} {path}");
        }
    }
}

#[test]
fn head_has_no_body_where_there_is_nothing() {
    let rest = Rest::start(Facts::with_data());
    for path in ["/nowhere", "/api/printer/other", "/api/printer/other/image"] {
        let (get, head) = (ask(rest.address, "GET", path), ask(rest.address, "HEAD", path));
        assert_eq!((head.status, &head.headers), (404, &get.headers), "{path}");
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

/// A web server in between sends all of a form before it reads the answer, or loses it when it cannot.
#[test]
fn a_client_that_sends_a_large_body_before_it_reads_hears_why_not_each_time() {
    let rest = Rest::start(Facts::with_data());
    let body = vec![b'x'; 4 << 20];
    let mut heard = 0;
    let begin = Instant::now();
    while heard < 10 {
        assert!(begin.elapsed() < Duration::from_secs(120), "heard {heard} times");
        let mut stream = TcpStream::connect(rest.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let asked = Instant::now();
        let head = format!("GET /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        let sent = stream.write_all(&body);
        if asked.elapsed() > Duration::from_secs(1) {
            // This machine has other things to do. Nobody is waited for without end: that is another test.
            continue;
        }
        sent.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).unwrap();
        let answer = take_answer(&mut read, false);
        assert_eq!((answer.status, answer.header("connection")), (413, "close"));
        heard += 1;
    }
}

#[test]
fn what_comes_behind_a_refusal_is_not_read_for_ever() {
    let rest = Rest::start(Facts::with_data());
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n").unwrap();
    let (piece, mut sent) = (vec![b'x'; 64 << 10], 0);
    let closed = loop {
        match stream.write(&piece) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        // Eight MiB, and what the system holds for both ends.
        assert!(sent < 40 << 20, "it reads on");
    };
    let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(expected.contains(&closed.kind()), "{closed} behind {sent} bytes");
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
