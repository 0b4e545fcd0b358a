//! Clients that hold a place without using it.

use crate::support::Bed;
use octo::auth::Role;
use octo::server::App;
use octo::server::listen::Limits;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpSocket;

fn limited(limits: Limits) -> Bed {
    Bed::made(|_| {}, |_: &mut App| {}, limits)
}

fn closes_within(mut stream: TcpStream, limit: Duration) -> bool {
    stream.set_read_timeout(Some(limit)).unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => begun.elapsed() < limit,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Protects against clients that send the head of a request a byte at a time, or never.
#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let bed = limited(Limits { connections: 16, head: Duration::from_millis(200), ..Limits::default() });
    for sent in ["", "GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = TcpStream::connect(bed.address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        assert!(closes_within(stream, Duration::from_secs(20)), "{sent:?}");
    }
}

/// Protects the file descriptors: more connections than are allowed wait until another ends.
#[test]
fn connections_are_bounded() {
    let bed = limited(Limits { connections: 2, head: Duration::from_secs(60), ..Limits::default() });
    let ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(bed.address).unwrap()).collect();
    let mut buffer = [0; 4096];
    for stream in &mut first {
        stream.write_all(ask).unwrap();
        assert!(stream.read(&mut buffer).unwrap() > 0);
    }
    let mut third = TcpStream::connect(bed.address).unwrap();
    third.write_all(ask).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut buffer).is_err(), "it waits");
    drop(first.pop());
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(third.read(&mut buffer).unwrap() > 0);
}

/// The answer to a request on a connection from this address of the machine's, or why there is none.
async fn asked(from: [u8; 4], to: SocketAddr) -> std::io::Result<(tokio::net::TcpStream, String)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(to).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while !said.ends_with('}') && !said.ends_with("}\n") {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => said.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
        }
    }
    Ok((stream, said))
}

/// Protects everybody else: one address may not take all places. Without it, the second address would wait for ever.
#[test]
fn one_address_cannot_shut_the_others_out() {
    let (one, other, proxy) = ([127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]);
    let limits =
        Limits { connections: 203, of_address: 200, proxies: [proxy.into()].into(), ..Limits::default() };
    let bed = limited(limits);
    let to = bed.address;
    bed.runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..200 {
            let (stream, said) = asked(one, to).await.unwrap();
            assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
            open.push(stream);
        }
        for _ in 0..5 {
            let (_, said) = asked(one, to).await.unwrap();
            assert!(said.starts_with("HTTP/1.1 429 ") && said.contains("\"TOO_MANY_REQUESTS\""), "{said}");
        }
        let (_kept, said) = asked(other, to).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        // One that ends makes room, as soon as the server sees it.
        open.pop();
        let until = Instant::now() + Duration::from_secs(20);
        while !asked(one, to).await.is_ok_and(|(_, said)| said.starts_with("HTTP/1.1 200 ")) {
            assert!(Instant::now() < until, "a place is never free again");
        }
    });
    // A proxy brings many people.
    let limits = Limits { of_address: 2, proxies: [proxy.into()].into(), ..Limits::default() };
    let bed = limited(limits);
    bed.runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..20 {
            let (stream, said) = asked(proxy, bed.address).await.unwrap();
            assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
            open.push(stream);
        }
    });
}

/// Protects the bounds: what became a terminal is no request any more, and takes a place all the same.
#[test]
fn a_connection_that_was_upgraded_keeps_its_place() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let upgrade = |mut request: axum::extract::Request| async move {
        let promised = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = hyper_util::rt::TokioIo::new(promised.await.unwrap());
            // Until the client goes.
            let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
        });
        let switching = http::StatusCode::SWITCHING_PROTOCOLS;
        (switching, [("connection", "upgrade"), ("upgrade", "x")])
    };
    let router = axum::Router::new()
        .route("/up", axum::routing::get(upgrade))
        .route("/health", axum::routing::get(|| async { "{}" }));
    let limits = Limits { connections: 1, ..Limits::default() };
    runtime.spawn(octo::server::listen::serve(listener, router, limits, Default::default()));
    let mut upgraded = TcpStream::connect(address).unwrap();
    upgraded.write_all(b"GET /up HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    let read = upgraded.read(&mut buffer).unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 101 "));
    let mut other = TcpStream::connect(address).unwrap();
    other.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    other.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(other.read(&mut buffer).is_err(), "it waits");
    drop(upgraded);
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(other.read(&mut buffer).unwrap() > 0);
}

/// Protects the memory, as a client sees it: the answer arrives although the rest of the head is never read.
#[test]
fn a_head_that_is_too_large_is_refused_in_words() {
    let bed = Bed::new();
    let mut stream = TcpStream::connect(bed.address).unwrap();
    let head = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(300_000));
    // The server may close before it has all.
    let _ = stream.write_all(head.as_bytes());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [0; 100];
    let read = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
    assert_eq!(bed.get("/health", &[]).status, 200);
}

/// Protects against clients that ask for much and read nothing: without it their place is never free again.
#[test]
fn an_answer_that_nobody_takes_ends_the_connection() {
    let limits = Limits { connections: 1, stall: Duration::from_millis(300), ..Limits::default() };
    let bed = limited(limits);
    let ask = b"GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut greedy = TcpStream::connect(bed.address).unwrap();
    // More than the system keeps for both ends.
    greedy.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..1000 {
        if greedy.write_all(ask).is_err() {
            break;
        }
    }
    let mut other = TcpStream::connect(bed.address).unwrap();
    other.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 4096];
    let read = other.read(&mut buffer).expect("a place");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200 "));
    drop(greedy);
}

/// Protects against clients that send a body a byte at a time. The time is virtual: the server is given one end of a pipe.
#[test]
fn a_body_that_does_not_come_is_refused() {
    // The record is written by a thread, and virtual time does not wait for that.
    let bed = Bed::with(|config| config.audit.enabled = false);
    let anna = bed.bearer("anna", Role::User);
    let head = format!(
        "PUT /api/me HTTP/1.1\r\nhost: x\r\nauthorization: {anna}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\
         expect: 100-continue\r\n\r\n"
    );
    let slow = |pause: Duration, pieces: usize| {
        let (app, head) = (bed.app.clone(), head.clone());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let (mut client, server) = duplex(1 << 20);
            let service = hyper_util::service::TowerToHyperService::new(octo::server::router(app));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(server), service),
            );
            client.write_all(head.as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            // It says so when it waits for the body: before, virtual time would run past the database.
            let count = client.read(&mut answer).await.unwrap();
            assert!(answer[..count].starts_with(b"HTTP/1.1 100 "));
            let begun = tokio::time::Instant::now();
            for _ in 0..pieces {
                tokio::select! {
                    count = client.read(&mut answer) => {
                        answer.truncate(count.unwrap());
                        return (begun.elapsed(), String::from_utf8(answer).unwrap());
                    }
                    () = tokio::time::sleep(pause) => {}
                }
                client.write_all(b"[").await.unwrap();
            }
            (begun.elapsed(), String::new())
        })
    };
    let (after, answer) = slow(Duration::from_secs(3600), 2);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("too_slow"), "{answer}");
    assert_eq!(after.as_secs(), 30, "silence");
    let (after, answer) = slow(Duration::from_secs(10), 100);
    assert!(answer.contains("too_slow"), "{answer}");
    assert!((25..=45).contains(&after.as_secs()), "a byte each ten seconds: {after:?}");
}

/// Protects the answer: many clients send all of a body before they read, and a connection that is closed on it is reset.
#[test]
fn an_answer_reaches_a_client_that_still_sends() {
    let bed = limited(Limits { linger: Duration::from_secs(60), ..Limits::default() });
    let much = 8 << 20;
    let sized = |path: &str, length: u64| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    for (head, status) in [
        // Nobody is logged in; larger than is allowed; more than is read of it.
        (sized("/api/sessions", much), "401"),
        (sized("/api/sessions", 1 << 40), "413"),
        (sized("/api/auth/login", much), "413"),
        ("POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: a\r\n\r\n".to_owned(), "400"),
        (format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {}", "x".repeat(200_000)), "431"),
    ] {
        let mut stream = TcpStream::connect(bed.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let piece = vec![b'['; 64 * 1024];
        for number in 0..much / 65_536 {
            let sent = stream.write_all(&piece);
            assert!(sent.is_ok(), "{status}: {sent:?} after {number} pieces");
            if number == 20 {
                // More than the server reads of any of them: it has answered.
                let mut start = [0; 12];
                stream.read_exact(&mut start).unwrap();
                assert_eq!(String::from_utf8_lossy(&start), format!("HTTP/1.1 {status}"));
            }
        }
        let mut rest = String::new();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("\r\n\r\n"), "{status}: {rest}");
    }
}

/// Protects the places: whoever goes on sending behind a refusal is listened to for a while only.
#[test]
fn whoever_sends_nothing_more_behind_a_refusal_is_left() {
    let bed = limited(Limits { connections: 1, linger: Duration::from_millis(200), ..Limits::default() });
    let mut refused = TcpStream::connect(bed.address).unwrap();
    refused.write_all(b"POST /api/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").unwrap();
    let mut other = TcpStream::connect(bed.address).unwrap();
    other.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    other.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut buffer = [0; 4096];
    let read = other.read(&mut buffer).expect("a place");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200 "));
    drop(refused);
}
