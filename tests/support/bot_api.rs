//! A strict stand-in for the Telegram Bot API on loopback, plain or with TLS, that misbehaves on demand.
//!
//! Knows `sendMessage` and its documented fields; anything else is answered with an error and fails the test.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The token that the stand-in takes.
pub(crate) const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

/// What to do with one request.
pub(crate) enum Reply {
    /// Answer as the real one does.
    Take,
    /// Answer this status, these extra headers and this body.
    Say(u16, &'static str, String),
    /// Send these bytes, whatever they are, and close.
    Bytes(Vec<u8>),
    /// Close without an answer.
    Close,
    /// Never answer.
    Stall,
}

/// One request that was taken.
#[derive(Debug)]
pub(crate) struct Request {
    /// The JSON body.
    pub(crate) body: Value,
    /// Whether the client asked for the connection to be closed.
    pub(crate) closes: bool,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    replies: Mutex<VecDeque<Reply>>,
    connections: AtomicUsize,
    ended: AtomicBool,
    faults: Mutex<Vec<String>>,
    requests: Mutex<Sender<Request>>,
}

/// The running stand-in.
pub(crate) struct BotApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    requests: Receiver<Request>,
}

impl BotApi {
    /// Starts it; `replies` are given in order, and [`Reply::Take`] when they are used up.
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        let shared = Arc::new(Shared {
            tls,
            replies: Mutex::new(replies.into()),
            connections: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            faults: Mutex::default(),
            requests: Mutex::new(sender),
        });
        let server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if server.ended.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                server.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        Self { address, shared, requests }
    }

    /// Its base address.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The next request, when it comes.
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(30)).expect("no request came")
    }

    /// How many requests came that nobody asked for with [`BotApi::next`].
    pub(crate) fn unseen(&self) -> usize {
        self.requests.try_iter().count()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let faults = self.shared.faults.lock().unwrap();
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "{faults:?}");
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                self.converse(StreamOwned::new(connection, stream));
            }
        }
    }

    fn converse(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Ok(Some((line, headers, body))) = read_request(&mut stream) {
            let closes = headers.iter().any(|header| header.eq_ignore_ascii_case("connection: close"));
            let refusal = match check(&line, &headers, &body) {
                Ok(body) => {
                    let _ = self.requests.lock().unwrap().send(Request { body, closes });
                    None
                }
                Err(fault) => {
                    self.faults.lock().unwrap().push(fault.clone());
                    Some(format!(r#"{{"ok":false,"error_code":400,"description":"Bad Request: {fault}"}}"#))
                }
            };
            let reply = self.replies.lock().unwrap().pop_front().unwrap_or(Reply::Take);
            let (status, extra, body) = match (refusal, reply) {
                (Some(refusal), _) => (400, "", refusal),
                (None, Reply::Take) => (200, "", r#"{"ok":true,"result":{"message_id":1}}"#.to_owned()),
                (None, Reply::Say(status, extra, body)) => (status, extra, body),
                (None, Reply::Bytes(bytes)) => {
                    let _ = stream.get_mut().write_all(&bytes);
                    let _ = stream.get_mut().flush();
                    return;
                }
                (None, Reply::Close) => return,
                (None, Reply::Stall) => {
                    // Until the client goes away.
                    let _ = stream.read(&mut [0]);
                    return;
                }
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{extra}\r\n"
            );
            if stream.get_mut().write_all(format!("{head}{body}").as_bytes()).is_err() || closes {
                return;
            }
            let _ = stream.get_mut().flush();
        }
    }
}

type Parts = (String, Vec<String>, Vec<u8>);

fn read_request(stream: &mut impl BufRead) -> std::io::Result<Option<Parts>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let first = lines.remove(0);
    let length =
        lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Some((first, lines, body)))
}

fn check(line: &str, headers: &[String], body: &[u8]) -> Result<Value, String> {
    if line != format!("POST /bot{TOKEN}/sendMessage HTTP/1.1") {
        return Err(format!("unknown request {line}"));
    }
    if !headers.iter().any(|header| header.eq_ignore_ascii_case("content-type: application/json")) {
        return Err("no JSON is announced".to_owned());
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let fields = body.as_object().ok_or("not an object")?;
    for (name, value) in fields {
        let good = match name.as_str() {
            "chat_id" => value.is_i64() || value.is_string(),
            "text" => value.as_str().is_some_and(|text| (1..=4096).contains(&text.encode_utf16().count())),
            "message_thread_id" => value.as_i64().is_some_and(|thread| thread > 1),
            "link_preview_options" => value == &serde_json::json!({ "is_disabled": true }),
            _ => false,
        };
        if !good {
            return Err(format!("field {name} is unknown or of a wrong type"));
        }
    }
    for name in ["chat_id", "text"] {
        fields.get(name).ok_or(format!("field {name} is missing"))?;
    }
    Ok(body)
}
