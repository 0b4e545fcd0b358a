//! A stand-in for the feed's server on loopback, plain or encrypted. It takes only what a client of a feed may send,
//! and misbehaves on demand.

pub(crate) mod printing;

use super::telegram::certificates;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// What a client may ask for.
const COMMANDS: [&str; 3] = ["pause_print", "resume_print", "stop_print"];

/// A listening server.
pub(crate) struct Feed {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// The test authority as PEM, if it is encrypted.
    pub(crate) authority: String,
}

/// The bytes below, encrypted or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// An open connection.
pub(crate) struct Connection {
    stream: WebSocketStream<Box<dyn Wire>>,
    /// Path and query that were asked for.
    pub(crate) target: String,
    /// The header `Authorization`.
    pub(crate) authorization: Option<String>,
}

/// What a client does.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Ping,
    /// An answer to a ping of the server, with what that one carried.
    Pong(String),
    Command(String),
    Closed(Option<u16>),
    /// The connection ended without a farewell.
    Gone,
}

impl Feed {
    pub(crate) async fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, tls: None, authority: String::new() }
    }

    /// With a certificate of the test authority for these names.
    pub(crate) async fn encrypted(names: &[&str]) -> Self {
        let (authority, tls) = certificates(names, (2025, 2125));
        Self { tls: Some(tls), authority, ..Self::plain().await }
    }

    /// The address for `WS_URL`; an encrypted one goes by name.
    pub(crate) fn address(&self) -> String {
        let port = self.port();
        let place = if self.tls.is_some() { "wss://localhost" } else { "ws://127.0.0.1" };
        format!("{place}:{port}/ws/printer/{{PRINTER_ID}}")
    }

    /// The port on 127.0.0.1; a guest reaches it at 10.0.2.2.
    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// A connection before everything else.
    pub(crate) async fn accept_raw(&self) -> TcpStream {
        let stream = self.listener.accept().await.unwrap().0;
        // In virtual time, to wait for an acknowledgement of the message before would take seconds.
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A connection on which the upgrade is asked for.
    async fn accept_wire(&self) -> Box<dyn Wire> {
        let stream = self.accept_raw().await;
        match &self.tls {
            Some(tls) => Box::new(TlsAcceptor::from(Arc::clone(tls)).accept(stream).await.unwrap()),
            None => Box::new(stream),
        }
    }

    /// The words with which encryption fails, on a client that does not trust this server.
    pub(crate) async fn distrusted(&self) -> String {
        let tls = TlsAcceptor::from(Arc::clone(self.tls.as_ref().expect("it is encrypted")));
        tls.accept(self.accept_raw().await).await.expect_err("it is distrusted").to_string()
    }

    pub(crate) async fn accept(&self) -> Connection {
        let wire = self.accept_wire().await;
        let (mut target, mut authorization) = (String::new(), None);
        #[expect(clippy::result_large_err, reason = "shape of the library's callback")]
        let check = |request: &Request, response: Response| {
            let headers = request.headers();
            assert_eq!(request.method(), "GET");
            assert!(headers.get("sec-websocket-protocol").is_none(), "there is no subprotocol");
            assert!(headers.get("host").is_some());
            target = request.uri().path_and_query().unwrap().to_string();
            authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let stream = accept_hdr_async(wire, check).await.unwrap();
        Connection { stream, target, authorization }
    }

    /// Answers an upgrade with another status.
    pub(crate) async fn refuse(&self, status: &str) {
        let mut wire = self.accept_wire().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(wire.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        wire.write_all(answer.as_bytes()).await.unwrap();
        let _ = wire.shutdown().await;
    }
}

impl Connection {
    /// Sends the printer's status.
    pub(crate) async fn status(&mut self, object: &Value) {
        self.text(&json!({"type": "printer_status", "data": object}).to_string()).await;
    }

    pub(crate) async fn picture(&mut self, jpeg: &[u8]) {
        self.text(&json!({"type": "jpeg_image", "image": STANDARD.encode(jpeg)}).to_string()).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.put(Message::text(text)).await;
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.put(Message::Binary(bytes.to_vec().into())).await;
    }

    async fn put(&mut self, message: Message) {
        // The client may be gone already: that is for it to tell.
        let _ = self.stream.send(message).await;
    }

    /// Bytes below the WebSocket's frames.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).await.is_ok() && self.stream.get_mut().flush().await.is_ok()
    }

    pub(crate) async fn close(mut self, code: u16) {
        let _ = self.stream.close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() })).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    /// What the client does next; answers pings, and its farewell.
    pub(crate) async fn heard(&mut self) -> Heard {
        match self.stream.next().await {
            Some(Ok(Message::Ping(_))) => {
                // The answer leaves with the next flush.
                let _ = self.stream.flush().await;
                Heard::Ping
            }
            Some(Ok(Message::Pong(carried))) => Heard::Pong(String::from_utf8_lossy(&carried).into_owned()),
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).expect("a client sends JSON");
                let kind = message["type"].as_str().expect("a message has a type").to_owned();
                assert!(COMMANDS.contains(&kind.as_str()), "no feed takes {text}");
                Heard::Command(kind)
            }
            Some(Ok(Message::Close(frame))) => {
                let _ =
                    timeout(Duration::from_secs(1), async { while self.stream.next().await.is_some() {} })
                        .await;
                Heard::Closed(frame.map(|frame| frame.code.into()))
            }
            Some(Ok(other)) => panic!("no feed takes {other:?}"),
            Some(Err(_)) | None => Heard::Gone,
        }
    }

    /// How the client leaves.
    pub(crate) async fn farewell(&mut self) -> Heard {
        loop {
            match self.heard().await {
                Heard::Ping => {}
                other => return other,
            }
        }
    }
}

/// A whole JPEG file of that many bytes, as far as its markers tell.
pub(crate) fn jpeg(length: usize) -> Vec<u8> {
    let mut picture = vec![0xFF, 0xD8, 0xFF, 0xE0];
    picture.extend((0..length - 6).map(|n| (n % 251) as u8));
    picture.extend([0xFF, 0xD9]);
    picture
}
