//! The terminal server, spoken to as ttyd's page does.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use octo_session::terminal::{self, Handle, Options};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn serve(arguments: &[&str]) -> (SocketAddr, Handle) {
    let options = Options::parse_from([&["octo-terminal"], arguments].concat());
    let (router, handle) = terminal::router(&options);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { octo_session::server::serve(listener, router, std::future::pending()).await });
    (address, handle)
}

async fn connect(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "tty".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

async fn open(address: SocketAddr, path: &str) -> Socket {
    let mut socket = connect(address, path, &[]).await.unwrap();
    say(&mut socket, r#"{"AuthToken":"","columns":100,"rows":30}"#).await;
    socket
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::Binary(text.as_bytes().to_vec().into())).await.unwrap();
}

/// The next message of the server, without pings.
async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        let message =
            tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("nothing came");
        match message {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message)) => return Some(message),
            Some(Err(_)) | None => return None,
        }
    }
}

/// Output until `wanted` is in it; or all of it and how the connection ended.
async fn until(socket: &mut Socket, wanted: &str) -> (String, Option<Option<CloseCode>>) {
    let mut all = String::new();
    loop {
        match next(socket).await {
            Some(Message::Binary(bytes)) if bytes[0] == b'0' => {
                all.push_str(&String::from_utf8_lossy(&bytes[1..]))
            }
            Some(Message::Close(frame)) => return (all, Some(frame.map(|frame| frame.code))),
            Some(_) => {}
            None => return (all, Some(None)),
        }
        if all.contains(wanted) {
            return (all, None);
        }
    }
}

async fn http(address: SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn nothing_comes_before_the_first_message_then_title_preferences_and_output() {
    let (address, _handle) = serve(&["-W", "--", "sh", "-c", "echo hi; cat"]).await;
    let mut socket = connect(address, "/ws", &[]).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), socket.next()).await;
    assert!(early.is_err(), "{early:?}");
    say(&mut socket, r#"{"AuthToken":"","columns":100,"rows":30}"#).await;
    let messages = [next(&mut socket).await.unwrap(), next(&mut socket).await.unwrap()];
    let [title, preferences] = messages.map(|message| match message {
        Message::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("the server sends binary only: {other:?}"),
    });
    assert!(title.starts_with("1sh -c echo hi; cat (") && title.ends_with(')'), "{title}");
    assert_eq!(preferences, "2{ }");
    // Output comes in as many pieces as it likes.
    assert_eq!(until(&mut socket, "hi\r\n").await, ("hi\r\n".to_owned(), None));
    // Text counts like binary; unknown messages are passed over.
    for message in ["9what", "", "0typed\r"] {
        socket.send(Message::Text(message.into())).await.unwrap();
    }
    until(&mut socket, "typed\r\ntyped").await;
}

#[tokio::test]
async fn the_end_of_the_shell_is_told_as_ttyd_does() {
    for (script, expected) in [("exit 0", Some(CloseCode::Normal)), ("exit 3", None)] {
        let (address, _handle) = serve(&["--", "sh", "-c", script]).await;
        let mut socket = open(address, "/ws").await;
        let (text, end) = until(&mut socket, "\u{0}").await;
        assert_eq!(end, Some(expected), "{script}: {text}");
    }
}

#[tokio::test]
async fn the_size_is_the_windows_and_input_needs_leave() {
    let script = "stty size; trap 'stty size; exit' WINCH; echo trap set; while :; do sleep 0.1; done";
    let (address, _handle) = serve(&["--", "sh", "-c", script]).await;
    let mut socket = open(address, "/ws").await;
    let (text, _) = until(&mut socket, "trap set\r\n").await;
    assert!(text.contains("30 100"), "{text}");
    say(&mut socket, "0\x03").await;
    say(&mut socket, r#"1{"columns":50,"rows":20}"#).await;
    // Had the Ctrl-C been typed, the script would have ended without another size.
    until(&mut socket, "20 50").await;
}

#[tokio::test]
async fn a_shell_outlives_its_socket_and_is_found_again_by_name() {
    let (address, handle) = serve(&["-W", "--", "sh"]).await;
    let mut socket = open(address, "/ws?arg=build").await;
    say(&mut socket, "0X=remembered; echo re''ady\r").await;
    until(&mut socket, "ready").await;
    drop(socket);
    // Another terminal is another shell.
    let mut other = open(address, "/ws").await;
    say(&mut other, "0echo \"<$X>\"\r").await;
    until(&mut other, "<>").await;
    let mut again = open(address, "/ws?arg=build").await;
    let (text, _) = until(&mut again, "ready\r\n").await;
    assert!(text.starts_with("\x1bc"), "{text:?}");
    say(&mut again, "0echo \"<$X>\"\r").await;
    until(&mut again, "<remembered>").await;
    // Two windows on one shell see the same.
    let mut both = open(address, "/ws?name=build").await;
    say(&mut again, "0echo sh''ared\r").await;
    until(&mut both, "shared").await;
    let list = http(address, "GET /terminals HTTP/1.1").await;
    assert!(list.contains(r#"{"name":"build","windows":2}"#) && list.contains(r#""main""#), "{list}");
    assert!(http(address, "DELETE /terminals/main HTTP/1.1").await.starts_with("HTTP/1.1 204"));
    assert_eq!(until(&mut other, "\u{0}").await.1, Some(Some(CloseCode::Away)));
    handle.end_all().await;
    assert_eq!(until(&mut both, "\u{0}").await.1, Some(Some(CloseCode::Away)));
}

#[tokio::test]
async fn a_paused_window_gets_nothing_until_it_resumes() {
    let (address, _handle) = serve(&["-W", "--", "sh", "-c", "echo ready; read x; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); printf '%0100d\\n' $i; done; echo end; cat"]).await;
    let mut socket = open(address, "/ws").await;
    until(&mut socket, "ready").await;
    say(&mut socket, "2").await;
    say(&mut socket, "0\r").await;
    let mut got = 0;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_millis(500), socket.next()).await {
        got += message.len();
    }
    assert!(got < 40_000, "{got} bytes though paused");
    say(&mut socket, "3").await;
    let (text, _) = until(&mut socket, "end\r\n").await;
    assert!(text.contains(&format!("{:0100}", 3000)));
}

#[tokio::test]
async fn the_subprotocol_is_a_must() {
    let (address, _handle) = serve(&["--", "sh"]).await;
    let mut socket = tokio_tungstenite::connect_async(format!("ws://{address}/ws")).await.unwrap().0;
    assert_eq!(until(&mut socket, "\u{0}").await.1, Some(Some(CloseCode::Protocol)));
}

#[tokio::test]
async fn with_a_credential_everything_asks_for_it() {
    let (address, _handle) = serve(&["-c", "me:secret", "--", "sh", "-c", "echo in; cat"]).await;
    let refused = http(address, "GET / HTTP/1.1").await;
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("www-authenticate: Basic"), "{refused}");
    assert!(http(address, "GET /token HTTP/1.1").await.starts_with("HTTP/1.1 401"));
    let good = "GET /token HTTP/1.1\r\nAuthorization: Basic bWU6c2VjcmV0";
    assert!(http(address, good).await.ends_with(r#"{"token":"bWU6c2VjcmV0"}"#));
    assert!(connect(address, "/ws", &[]).await.is_err());
    let basic = [("authorization", "Basic bWU6c2VjcmV0")];
    for token in ["", "wrong"] {
        let mut socket = connect(address, "/ws", &basic).await.unwrap();
        say(&mut socket, &format!(r#"{{"AuthToken":"{token}"}}"#)).await;
        assert_eq!(until(&mut socket, "\u{0}").await.1, Some(Some(CloseCode::Policy)));
    }
    let mut socket = connect(address, "/ws", &basic).await.unwrap();
    say(&mut socket, r#"{"AuthToken":"bWU6c2VjcmV0"}"#).await;
    until(&mut socket, "in").await;
}

#[tokio::test]
async fn pages_of_other_hosts_get_no_socket_where_that_is_checked() {
    let (address, _handle) = serve(&["-O", "--", "sh"]).await;
    let own = format!("http://{address}");
    assert!(connect(address, "/ws", &[("origin", &own)]).await.is_ok());
    assert!(connect(address, "/ws", &[("origin", "http://evil.example")]).await.is_err());
    assert!(connect(address, "/ws", &[]).await.is_err());
}

/// Protects the memory: a message is gathered before it is read.
#[tokio::test]
async fn a_message_without_measure_ends_the_socket() {
    let (address, _handle) = serve(&["-W", "--", "sh", "-c", "echo in; cat >/dev/null; sleep 100"]).await;
    let mut socket = open(address, "/ws").await;
    until(&mut socket, "in").await;
    // The server breaks off in the middle.
    let _ = socket.send(Message::Binary(vec![b'0'; (1 << 20) + 1].into())).await;
    while next(&mut socket).await.is_some() {}
}

#[tokio::test]
async fn clients_and_terminals_are_counted() {
    let (address, _handle) =
        serve(&["-m", "2", "--max-terminals", "1", "--", "sh", "-c", "echo in; cat"]).await;
    let mut first = open(address, "/ws").await;
    until(&mut first, "in").await;
    let mut second = open(address, "/ws?arg=other").await;
    let (text, end) = until(&mut second, "\u{0}").await;
    assert_eq!(end, Some(Some(CloseCode::Again)), "{text}");
    drop(second);
    let mut second = None;
    for _ in 0..100 {
        second = connect(address, "/ws", &[]).await.ok();
        if second.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(second.is_some() && connect(address, "/ws", &[]).await.is_err());
    assert!(connect(address, "/ws?arg=-rf%20/", &[]).await.is_err());
}

#[tokio::test]
async fn one_connection_can_be_all_there_is() {
    let (address, handle) = serve(&["--once", "--fresh", "--", "sh", "-c", "echo in; cat"]).await;
    let mut socket = open(address, "/ws").await;
    until(&mut socket, "in").await;
    drop(socket);
    tokio::time::timeout(Duration::from_secs(20), handle.finished()).await.unwrap();
}

#[tokio::test]
async fn pings_come_and_whoever_answers_none_is_let_go() {
    let (address, _handle) = serve(&["-P", "1", "--", "sh", "-c", "cat"]).await;
    let mut socket = open(address, "/ws").await;
    let mut pings = 0;
    while pings < 2 {
        let message =
            tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap();
        pings += u32::from(matches!(message, Message::Ping(_)));
    }
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_also_below_a_path() {
    let (address, _handle) = serve(&["-b", "/x", "--", "sh"]).await;
    assert!(http(address, "GET /x HTTP/1.1").await.contains("302"));
    for (path, kind) in [
        ("/x/", "text/html"),
        ("/x/app.js", "text/javascript"),
        ("/x/xterm.mjs", "text/javascript"),
        ("/x/style.css", "text/css"),
    ] {
        let answer = http(address, &format!("GET {path} HTTP/1.1")).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("content-type: {kind}")),
            "{path}"
        );
        assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{path}");
    }
    let packed = http(address, "GET /x/xterm.mjs HTTP/1.1\r\nAccept-Encoding: gzip, br").await;
    assert!(packed.contains("content-encoding: gzip"));
    assert!(http(address, "GET / HTTP/1.1").await.starts_with("HTTP/1.1 404"));
    assert!(http(address, "GET /x/none HTTP/1.1").await.starts_with("HTTP/1.1 404"));
}
