//! A stand-in for Moonraker on a real socket, that behaves or misbehaves on demand.

use crate::stand_in::StandIn;
use crate::transcript::{Item, Transcript};
use futures_util::{SinkExt, StreamExt};
use octobridge::source::moonraker::Endpoint;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Unix,
    WebSocket,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A listening socket.
pub(super) struct Peer {
    listener: Listener,
    endpoint: Endpoint,
    _folder: Option<TempDir>,
}

/// An accepted connection, before any handshake.
pub(super) enum Raw {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// An open connection.
pub(super) enum Connection {
    Unix { stream: UnixStream, unread: Vec<u8> },
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

impl Peer {
    pub(super) async fn bind(way: Way) -> Self {
        match way {
            Way::Unix => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("moonraker.sock");
                let peer = Self::bind_at(&Endpoint::Unix(path)).await;
                Self { _folder: Some(folder), ..peer }
            }
            Way::WebSocket => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let endpoint = format!("ws://{}/websocket", listener.local_addr().unwrap());
                Self { listener: Listener::Tcp(listener), endpoint: endpoint.parse().unwrap(), _folder: None }
            }
        }
    }

    /// Listens at a Unix socket's path, also in the place of one that is gone.
    pub(super) async fn bind_at(endpoint: &Endpoint) -> Self {
        let Endpoint::Unix(path) = endpoint else { panic!("{endpoint}") };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(path);
        let listener = Listener::Unix(UnixListener::bind(path).unwrap());
        Self { listener, endpoint: endpoint.clone(), _folder: None }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(super) async fn accept_raw(&self) -> Raw {
        match &self.listener {
            Listener::Unix(listener) => Raw::Unix(listener.accept().await.unwrap().0),
            Listener::Tcp(listener) => {
                let stream = listener.accept().await.unwrap().0;
                // As Moonraker's own server does. Otherwise each message waits until the one before is acknowledged, up
                // to 40 ms of real time: seconds of a virtual one.
                stream.set_nodelay(true).unwrap();
                Raw::Tcp(stream)
            }
        }
    }

    pub(super) async fn accept(&self) -> Connection {
        match self.accept_raw().await {
            Raw::Unix(stream) => Connection::Unix { stream, unread: Vec::new() },
            Raw::Tcp(stream) => Connection::WebSocket(Box::new(accept_async(stream).await.unwrap())),
        }
    }

    /// Answers an upgrade with another status; gives the request.
    pub(super) async fn refuse_upgrade(&self, status: &str) -> String {
        let Raw::Tcp(mut stream) = self.accept_raw().await else { panic!("no WebSocket") };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }
}

impl Connection {
    /// The next request; none when the client is gone.
    pub(super) async fn request(&mut self) -> Option<Value> {
        match self {
            Self::Unix { stream, unread } => loop {
                if let Some(end) = unread.iter().position(|byte| *byte == 3) {
                    let message: Vec<u8> = unread.drain(..=end).collect();
                    return Some(serde_json::from_slice(&message[..end]).unwrap());
                }
                if stream.read_buf(unread).await.ok()? == 0 {
                    return None;
                }
            },
            Self::WebSocket(stream) => loop {
                match stream.next().await?.ok()? {
                    Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                    Message::Close(_) => return None,
                    _ => {}
                }
            },
        }
    }

    /// Reads what a client asks before it needs an answer.
    pub(super) async fn read_first_requests(&mut self) {
        for _ in 0..7 {
            self.request().await.unwrap();
        }
    }

    pub(super) async fn send(&mut self, text: &str) {
        // The client may be gone already: that is for it to tell.
        match self {
            Self::Unix { stream, .. } => {
                let _ = stream.write_all(&[text.as_bytes(), &[3]].concat()).await;
            }
            Self::WebSocket(stream) => {
                let _ = stream.send(Message::text(text)).await;
            }
        }
    }

    /// Sends the beginning of a message.
    pub(super) async fn send_part(&mut self, part: &[u8]) {
        match self {
            Self::Unix { stream, .. } => stream.write_all(part).await.unwrap(),
            Self::WebSocket(stream) => {
                // A text frame of 100 bytes, of which fewer come.
                let frame = [&[0x81, 100][..], part].concat();
                stream.get_mut().write_all(&frame).await.unwrap();
            }
        }
    }

    /// Sends one message of that many bytes, as far as it is taken; gives the number.
    pub(super) async fn flood(self, bytes: usize) -> usize {
        let mut taken = 0;
        let chunk = vec![b'x'; 64 * 1024];
        match self {
            Self::Unix { mut stream, .. } => {
                while taken < bytes && stream.write_all(&chunk).await.is_ok() {
                    taken += chunk.len();
                }
            }
            Self::WebSocket(mut stream) => {
                // A message in many fragments: no header tells its length.
                let socket = stream.get_mut();
                let mut first = 0x01;
                while taken < bytes {
                    let header = [&[first, 127][..], &(chunk.len() as u64).to_be_bytes()].concat();
                    if socket.write_all(&header).await.is_err() || socket.write_all(&chunk).await.is_err() {
                        break;
                    }
                    first = 0x00;
                    taken += chunk.len();
                }
            }
        }
        taken
    }

    /// Sends a ping and waits for the answer.
    pub(super) async fn ping(&mut self) -> bool {
        let Self::WebSocket(stream) = self else { panic!("no WebSocket") };
        stream.send(Message::Ping(b"there?".to_vec().into())).await.unwrap();
        let pong = async {
            while let Some(Ok(message)) = stream.next().await {
                if matches!(&message, Message::Pong(body) if &body[..] == b"there?") {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(Duration::from_secs(5), pong).await.unwrap_or(false)
    }

    async fn close(self) {
        if let Self::WebSocket(mut stream) = self {
            let frame = CloseFrame { code: 1001.into(), reason: "Server Shutdown".into() };
            let _ = WebSocketStream::close(&mut stream, Some(frame)).await;
        }
    }

    /// Answers requests about a printer that does nothing, so long.
    pub(super) async fn answer_for(&mut self, time: Duration) {
        let mut stand_in = StandIn::default();
        stand_in.learn(&serde_json::json!({"method": "notify_klippy_ready"}));
        let end = Instant::now() + time;
        while let Ok(Some(request)) = timeout_at(end, self.request()).await {
            let answer = answer(&stand_in, &request);
            self.send(&answer).await;
        }
    }

    /// Does so, and then closes as a restarting Moonraker does.
    pub(super) async fn serve_idle(mut self, time: Duration) {
        self.answer_for(time).await;
        self.close().await;
    }

    /// Sends what a recording holds at the recorded times, and answers requests from its state.
    pub(super) async fn serve(mut self, recording: &str) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/moonraker/{recording}.jsonl"));
        let begun = Instant::now();
        let mut stand_in = StandIn::default();
        for (t, item) in Transcript::load(&path).items {
            let due = begun + Duration::from_secs_f64(t);
            while let Ok(request) = timeout_at(due, self.request()).await {
                let answer = answer(&stand_in, &request.expect("the client left"));
                self.send(&answer).await;
            }
            match item {
                Item::Out(request) => stand_in.note_request(&request),
                Item::In(message, _) => {
                    let learnt = stand_in.learn(&message);
                    if message.get("method").is_some() {
                        self.send(&message.to_string()).await;
                    } else if let Some(changes) = learnt.changes {
                        let update =
                            serde_json::json!({"method": "notify_status_update", "params": [changes, 0.0]});
                        self.send(&update.to_string()).await;
                    }
                }
                Item::Open | Item::Close => {}
            }
        }
        self.close().await;
    }
}

fn answer(stand_in: &StandIn, request: &Value) -> String {
    stand_in.answer(request["method"].as_str().unwrap(), request["id"].as_u64().unwrap()).to_string()
}
