//! WebSockets of the agent server and the file server.

use futures_util::{SinkExt, StreamExt};
use octo::proxy::Use;
use octo::session::State;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::bed::{start, start_with};
use super::raw::{OK, answering, read_head, service};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket as the session's owner.
pub(crate) async fn connect(
    server: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, Error> {
    let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
    request.headers_mut().insert("x-test-user", "ann".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(server).await.unwrap();
    // In virtual time, to wait for an acknowledgement of the message before would take seconds.
    stream.set_nodelay(true).unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

/// A service that accepts WebSockets, and serves each as a test says. The head of the handshake is given with it.
pub(crate) async fn sockets<F, R>(with: F) -> SocketAddr
where
    F: Fn(Socket, String) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    service(move |_, mut stream| {
        let with = with.clone();
        async move {
            let Some(head) = read_head(&mut stream).await else { return };
            accept(&mut stream, &head).await;
            let config = WebSocketConfig::default();
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
            with(socket, head).await;
        }
    })
    .await
}

pub(crate) async fn accept(stream: &mut TcpStream, head: &str) {
    let of = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.clone().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let key = of("sec-websocket-key").expect("a handshake");
    let accepted = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let protocol = of("sec-websocket-protocol")
        .map(|word| format!("Sec-WebSocket-Protocol: {word}\r\n"))
        .unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{protocol}\
         Sec-WebSocket-Accept: {accepted}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

async fn echo(mut socket: Socket, _head: String) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

pub(crate) async fn next(socket: &mut Socket) -> Message {
    let message = tokio::time::timeout(Duration::from_secs(300), socket.next()).await;
    message.expect("a message in time").expect("a message").expect("a whole message")
}

/// The next close frame.
pub(crate) async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await {
            let frame = frame.expect("a close with a code");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

const PATH: &str = "/sessions/cold-lamp/files/ws/watch?path=.&token=SECRET";

#[tokio::test]
async fn messages_of_any_size_pass_both_ways() {
    let target = sockets(echo).await;
    let bed = start(State::Running, target).await;
    for path in [PATH, "/sessions/cold-lamp/opencode/pty/1/connect", "/api/sessions/cold-lamp/files/ws"] {
        let mut socket = connect(bed.address, path, &[]).await.unwrap();
        for size in [0, 1, 125, 126, 2048, 65_535, 65_536, 3_000_000] {
            let text = Message::text("x".repeat(size));
            let binary = Message::binary(vec![7; size]);
            for message in [text, binary] {
                socket.send(message.clone()).await.unwrap();
                assert!(next(&mut socket).await == message, "{size}");
            }
        }
    }
    assert!(bed.used().iter().all(|how| *how == Use::Active));
}

#[tokio::test]
async fn the_service_answers_the_handshake_itself() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |socket, head| {
        tell.send(head).unwrap();
        echo(socket, String::new())
    })
    .await;
    let bed = start(State::Running, target).await;
    let headers =
        [("authorization", "Bearer SECRET"), ("cookie", "auth_token=SECRET"), ("origin", "http://o")];
    connect(bed.address, PATH, &headers).await.unwrap();
    let head = told.recv().await.unwrap();
    assert!(head.starts_with("GET /ws/watch?path=. HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("SECRET"), "{head}");
    assert!(
        head.to_ascii_lowercase().contains("x-forwarded-prefix: /sessions/cold-lamp/files\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_refused_handshake_comes_back_as_it_is() {
    let (target, _) = answering("HTTP/1.1 418 No\r\nContent-Length: 3\r\n\r\nno!").await;
    let bed = start(State::Running, target).await;
    match connect(bed.address, PATH, &[]).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 418),
        other => panic!("{other:?}"),
    }
    // And one of something else than a WebSocket is a plain request.
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let request = "GET /sessions/cold-lamp/files/x HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\n\
        Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(super::raw::ask(bed.address, request.as_bytes()).await.status(), 200);
    assert!(seen.lock().unwrap()[0].header("upgrade").is_none());
}

#[tokio::test]
async fn close_codes_pass_both_ways() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move {
            match socket.next().await.unwrap().unwrap() {
                Message::Close(frame) => tell.send(frame).unwrap(),
                _ => {
                    let frame = CloseFrame { code: CloseCode::Library(4001), reason: "enough".into() };
                    socket.close(Some(frame)).await.unwrap();
                    while socket.next().await.is_some() {}
                }
            }
        }
    })
    .await;
    let bed = start(State::Running, target).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    socket.send(Message::text("end")).await.unwrap();
    assert_eq!(closed(&mut socket).await, (4001, "enough".into()));
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    let frame = CloseFrame { code: CloseCode::Library(4002), reason: "bye".into() };
    socket.close(Some(frame.clone())).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), Some(frame));
}

#[tokio::test]
async fn an_end_without_a_close_gets_one() {
    let target = sockets(|socket: Socket, _| async move { drop(socket) }).await;
    let bed = start(State::Running, target).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1011);

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move { tell.send(closed(&mut socket).await.0).unwrap() }
    })
    .await;
    let bed = start(State::Running, target).await;
    drop(connect(bed.address, PATH, &[]).await.unwrap());
    assert_eq!(told.recv().await.unwrap(), 1001);
}

#[tokio::test]
async fn what_are_no_frames_ends_the_socket() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move { tell.send(closed(&mut socket).await.0).unwrap() }
    })
    .await;
    let bed = start(State::Running, target).await;
    let mut stream = connect(bed.address, PATH, &[]).await.unwrap().into_inner();
    // Without a mask.
    stream.write_all(&[0x81, 1, b'x']).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!((answer[0], u16::from_be_bytes([answer[2], answer[3]])), (0x88, 1002));
    assert_eq!(told.recv().await.unwrap(), 1001);
}

#[tokio::test]
async fn sockets_end_with_the_server() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move { tell.send(closed(&mut socket).await.0).unwrap() }
    })
    .await;
    let bed = start(State::Running, target).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    bed.ending.cancel();
    assert_eq!(closed(&mut socket).await, (1001, "the server is ending".into()));
    assert_eq!(told.recv().await.unwrap(), 1001);
    drop(socket);
    bed.tasks.close();
    tokio::time::timeout(Duration::from_secs(10), bed.tasks.wait()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_quiet_socket_is_kept_alive_and_a_dead_one_is_not() {
    super::bed::pace(250);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let target = sockets(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move { tell.send(closed(&mut socket).await.0).unwrap() }
    })
    .await;
    let bed = start(State::Running, target).await;
    let mut socket = connect(bed.address, PATH, &[]).await.unwrap();
    // The answers to pings are sent while the socket is read.
    for _ in 0..10 {
        let before = tokio::time::Instant::now();
        assert!(matches!(next(&mut socket).await, Message::Ping(_)));
        assert!(before.elapsed() <= Duration::from_secs(60));
    }
    assert!(told.try_recv().is_err());
    // Not read any more, nothing is answered.
    let before = tokio::time::Instant::now();
    assert_eq!(told.recv().await.unwrap(), 1001);
    assert!(before.elapsed() < Duration::from_secs(400), "{:?}", before.elapsed());
    assert_eq!(bed.used(), [Use::Active]);
}

#[tokio::test]
async fn a_slow_browser_slows_its_service() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let target = sockets(move |mut socket: Socket, _| {
        let count = count.clone();
        async move {
            while socket.send(Message::binary(vec![7; 16 * 1024])).await.is_ok() {
                count.fetch_add(16 * 1024, Ordering::Relaxed);
            }
        }
    })
    .await;
    let bed = start(State::Running, target).await;
    let _socket = connect(bed.address, PATH, &[]).await.unwrap();
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = sent.load(Ordering::Relaxed);
        if now == before {
            break;
        }
        before = now;
        assert!(now < 24 * 1024 * 1024, "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_waits_for_a_service_that_starts() {
    super::bed::pace(50);
    let target = super::bed::nowhere();
    let bed = start_with(State::Starting, target, super::bed::limits()).await;
    match connect(bed.address, PATH, &[]).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 503),
        other => panic!("{other:?}"),
    }
}
