//! The terminal's WebSocket: ttyd's protocol, the simple dialect, and a session that starts.

use futures_util::{SinkExt, StreamExt};
use octo::proxy::Use;
use octo::session::State;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::bed::{listen, nowhere, start, start_with};
use super::raw::{read_head, serve};
use super::sockets::{Socket, accept, closed, connect, next};

const PATH: &str = "/sessions/cold-lamp/terminal";
const TTY: [(&str, &str); 1] = [("sec-websocket-protocol", "tty")];

/// A terminal in ttyd's protocol: says what it got first, then what was typed.
async fn ttyd(listener: TcpListener) {
    serve(listener, |_, mut stream| async move {
        let Some(head) = read_head(&mut stream).await else { return };
        assert!(head.starts_with("GET /ws HTTP/1.1\r\n") || head.starts_with("GET /ws?columns="), "{head}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains("sec-websocket-protocol: tty\r\n"), "{head}");
        let host = lower.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        assert!(lower.contains(&format!("origin: http://{host}\r\n")), "{head}");
        accept(&mut stream, &head).await;
        let config = WebSocketConfig::default();
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        let first = socket.next().await.unwrap().unwrap().into_data();
        assert_eq!(first.first(), Some(&b'{'));
        socket.send(Message::binary(&b"1sh (lamp)"[..])).await.unwrap();
        socket.send(Message::binary(&b"2{ }"[..])).await.unwrap();
        socket.send(Message::binary([&b"0"[..], &first].concat())).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            match message.into_data() {
                typed if typed.starts_with(b"0exit") => {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "exited".into() };
                    socket.close(Some(frame)).await.unwrap();
                }
                typed if typed.starts_with(b"0") => socket.send(Message::binary(typed)).await.unwrap(),
                other if !other.is_empty() => {
                    socket.send(Message::binary([&b"0got "[..], &other].concat())).await.unwrap();
                }
                _ => {}
            }
        }
    });
}

async fn running() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    ttyd(listener).await;
    address
}

fn after(seconds: u64, address: SocketAddr) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        ttyd(listen(address)).await;
    });
}

/// The next message that is no sign of life.
async fn content(socket: &mut Socket) -> Message {
    loop {
        match next(socket).await {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[tokio::test]
async fn with_ttyd_s_protocol_everything_passes_as_it_is() {
    let bed = start(State::Running, running().await).await;
    for path in [
        PATH,
        "/sessions/cold-lamp/terminal/ws",
        "/session/cold-lamp/term",
        "/api/sessions/cold-lamp/terminal",
    ] {
        let mut socket = connect(bed.address, path, &TTY).await.unwrap();
        let first = r#"{"AuthToken":"","columns":80,"rows":24}"#;
        socket.send(Message::text(first)).await.unwrap();
        for expected in [&b"1sh (lamp)"[..], b"2{ }", [&b"0"[..], first.as_bytes()].concat().as_slice()] {
            assert_eq!(content(&mut socket).await.into_data(), expected);
        }
        socket.send(Message::binary(&b"0ls\xff"[..])).await.unwrap();
        assert_eq!(content(&mut socket).await.into_data(), &b"0ls\xff"[..]);
        socket.send(Message::binary(&b"0exit"[..])).await.unwrap();
        assert_eq!(closed(&mut socket).await, (1000, "exited".into()));
    }
    let used = bed.used();
    assert!(used.contains(&Use::Active) && used.contains(&Use::Output));
}

/// The terminal server gives each name a shell of its own, docs/workshop.md; the page sends the name along.
#[tokio::test]
async fn which_terminal_is_wanted_passes_and_no_token_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (lines, mut came) = tokio::sync::mpsc::unbounded_channel();
    serve(listener, move |_, mut stream| {
        let lines = lines.clone();
        async move {
            let Some(head) = read_head(&mut stream).await else { return };
            lines.send(head.lines().next().unwrap().to_owned()).unwrap();
            accept(&mut stream, &head).await;
        }
    });
    let bed = start(State::Running, address).await;
    for (query, expected) in [
        ("", "GET /ws HTTP/1.1"),
        ("?arg=build", "GET /ws?arg=build HTTP/1.1"),
        ("?token=SECRET&name=a%2Db", "GET /ws?name=a%2Db HTTP/1.1"),
        ("?token=SECRET", "GET /ws HTTP/1.1"),
    ] {
        for protocol in [&TTY[..], &[]] {
            drop(connect(bed.address, &format!("{PATH}/ws{query}"), protocol).await.unwrap());
            assert_eq!(came.recv().await.unwrap(), expected, "{query}");
        }
    }
}

/// Protects the reader from a hunt for a fault that is none: the terminal server answers, and says no.
#[tokio::test]
async fn a_terminal_that_says_no_is_told_from_one_that_breaks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, |_, mut stream| async move {
        use tokio::io::AsyncWriteExt as _;
        let Some(_) = read_head(&mut stream).await else { return };
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    });
    let bed = start(State::Running, address).await;
    let error = connect(bed.address, &format!("{PATH}/ws?arg=a%20b"), &TTY).await.err().unwrap();
    let Error::Http(answer) = error else { panic!("{error}") };
    let said = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
    assert_eq!(answer.status(), 502);
    assert!(said.contains("400") && !said.contains("broke off"), "{said}");
}

#[tokio::test]
async fn without_a_protocol_it_is_the_simple_dialect() {
    let bed = start(State::Running, running().await).await;
    let mut socket = connect(bed.address, &format!("{PATH}?columns=100"), &[]).await.unwrap();
    for expected in [
        Message::text(r#"{"type":"ready"}"#),
        Message::text(r#"{"type":"title","title":"sh (lamp)"}"#),
        Message::binary(&br#"{"AuthToken":"","columns":100,"rows":40}"#[..]),
    ] {
        assert_eq!(content(&mut socket).await, expected);
    }
    for (sent, expected) in [
        (Message::binary(&b"ls"[..]), &b"ls"[..]),
        // Typed bytes that upstream's dialect would take for something else.
        (Message::binary(&b"1"[..]), b"1"),
        (Message::binary(&br#"{"columns":1}"#[..]), br#"{"columns":1}"#),
        (Message::text(r#"{"type":"resize","columns":80,"rows":24}"#), br#"got 1{"columns":80,"rows":24}"#),
        (Message::text(r#"{"type":"pause"}"#), b"got 2"),
    ] {
        socket.send(sent).await.unwrap();
        assert_eq!(content(&mut socket).await, Message::binary(expected.to_vec()));
    }
    socket.send(Message::text("ls")).await.unwrap();
    let error = content(&mut socket).await.into_text().unwrap();
    assert!(error.starts_with(r#"{"type":"error","message":"#), "{error}");
    socket.send(Message::binary(&b"exit"[..])).await.unwrap();
    assert_eq!(closed(&mut socket).await, (1000, "exited".into()));
}

#[tokio::test(start_paused = true)]
async fn a_terminal_opened_at_once_connects_when_it_can() {
    super::bed::pace(50);
    for state in [State::Pending, State::Starting] {
        let target = nowhere();
        let bed = start(state, target).await;
        let before = Instant::now();
        let mut socket = connect(bed.address, PATH, &TTY).await.unwrap();
        assert!(before.elapsed() < Duration::from_secs(30));
        after(40, target);
        // What the page sends at once is there when the terminal is.
        socket.send(Message::text(r#"{"columns":80}"#)).await.unwrap();
        socket.send(Message::binary(&b"0early"[..])).await.unwrap();
        let mut pings = 0;
        let first = loop {
            match next(&mut socket).await {
                Message::Ping(_) => pings += 1,
                message => break message,
            }
        };
        assert!((6..=30).contains(&pings), "{pings}");
        assert_eq!(first.into_data(), &b"1sh (lamp)"[..]);
        assert_eq!(content(&mut socket).await.into_data(), &b"2{ }"[..]);
        assert_eq!(content(&mut socket).await.into_data(), &br#"0{"columns":80}"#[..]);
        assert_eq!(content(&mut socket).await.into_data(), &b"0early"[..]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_simple_dialect_tells_that_it_waits() {
    super::bed::pace(50);
    let target = nowhere();
    let bed = start(State::Starting, target).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    after(10, target);
    socket.send(Message::binary(&b"early"[..])).await.unwrap();
    let mut waiting = 0;
    loop {
        let text = content(&mut socket).await.into_text().unwrap();
        if text == r#"{"type":"ready"}"# {
            break;
        }
        assert!(text.starts_with(r#"{"type":"waiting","message":"#), "{text}");
        waiting += 1;
    }
    assert!((2..=15).contains(&waiting), "{waiting}");
    content(&mut socket).await;
    content(&mut socket).await;
    assert_eq!(content(&mut socket).await, Message::binary(&b"early"[..]));
}

#[tokio::test(start_paused = true)]
async fn the_window_s_end_says_to_try_again_later() {
    super::bed::pace(50);
    for headers in [&TTY[..], &[]] {
        let bed = start(State::Starting, nowhere()).await;
        let before = Instant::now();
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        let (code, reason) = closed(&mut socket).await;
        assert_eq!(code, 1013, "{reason}");
        assert!(reason.contains("does not answer yet"), "{reason}");
        let waited = before.elapsed();
        assert!(waited >= Duration::from_secs(60) && waited < Duration::from_secs(90), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_fails_closes_its_terminal() {
    super::bed::pace(50);
    for headers in [&TTY[..], &[]] {
        let bed = start(State::Starting, nowhere()).await;
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        bed.set(State::Failed);
        let (code, reason) = closed(&mut socket).await;
        assert_eq!(code, 1011);
        assert!(reason.contains("failed"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_terminal_ends_with_the_server() {
    super::bed::pace(50);
    for headers in [&TTY[..], &[]] {
        let bed = start(State::Starting, nowhere()).await;
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        bed.ending.cancel();
        assert_eq!(closed(&mut socket).await.0, 1001);
    }
}

#[tokio::test]
async fn an_open_terminal_ends_with_the_server() {
    for headers in [&TTY[..], &[]] {
        let bed = start(State::Running, running().await).await;
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        socket.send(Message::text("{}")).await.unwrap();
        content(&mut socket).await;
        bed.ending.cancel();
        assert_eq!(closed(&mut socket).await, (1001, "the server is ending".into()));
        bed.tasks.close();
        drop(socket);
        tokio::time::timeout(Duration::from_secs(10), bed.tasks.wait()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_leaves_is_not_waited_for() {
    super::bed::pace(50);
    let bed = start(State::Starting, nowhere()).await;
    for headers in [&TTY[..], &[]] {
        drop(connect(bed.address, PATH, headers).await.unwrap());
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        socket.close(None).await.unwrap();
    }
    let before = Instant::now();
    bed.tasks.close();
    bed.tasks.wait().await;
    assert!(before.elapsed() < Duration::from_secs(50), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_running_session_without_its_terminal_is_a_bad_gateway() {
    let bed = start(State::Running, nowhere()).await;
    match connect(bed.address, PATH, &TTY).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 502),
        other => panic!("{other:?}"),
    }
    for (state, status) in [(State::Stopped, 503), (State::Failed, 503)] {
        bed.set(state);
        match connect(bed.address, PATH, &TTY).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), status),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn early_input_is_bounded() {
    super::bed::pace(50);
    let bed = start_with(State::Starting, nowhere(), super::bed::limits()).await;
    for headers in [&TTY[..], &[]] {
        let mut socket = connect(bed.address, PATH, headers).await.unwrap();
        let piece = Message::binary(vec![b'x'; 8 * 1024]);
        let mut sent = 0;
        // Until nothing more is taken.
        while tokio::time::timeout(Duration::from_secs(1), socket.send(piece.clone()))
            .await
            .is_ok_and(|s| s.is_ok())
        {
            sent += piece.len();
            assert!(sent < 24 * 1024 * 1024, "{sent}");
        }
    }
}

#[tokio::test]
async fn an_oversized_message_of_the_simple_dialect_is_refused() {
    let bed = start(State::Running, running().await).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    drop(socket.send(Message::binary(vec![0; 2 * 1024 * 1024])).await);
    assert_eq!(closed(&mut socket).await.0, 1009);
}
