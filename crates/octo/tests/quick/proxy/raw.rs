//! HTTP by hand on both sides, so that a test decides about every byte.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A service that does with every connection what a test says.
pub(crate) async fn service<F, R>(with: F) -> SocketAddr
where
    F: Fn(usize, TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, with);
    address
}

/// The same on a listener that is there already.
pub(crate) fn serve<F, R>(listener: TcpListener, with: F)
where
    F: Fn(usize, TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(with(number, stream));
        }
    });
}

/// What a service saw: each request with its body.
pub(crate) type Seen = Arc<Mutex<Vec<Message>>>;

/// A service that answers every request with the same bytes, and remembers the requests.
pub(crate) async fn answering(answer: &'static str) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let all = seen.clone();
    let address = service(move |_, mut stream| {
        let all = all.clone();
        async move {
            while let Some(message) = read_message(&mut stream).await {
                all.lock().unwrap().push(message);
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (address, seen)
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Message {
    pub(crate) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> u16 {
        self.first_line().split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut found = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        found.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The word for programs in a refusal.
    pub(crate) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["code"].as_str().unwrap().to_owned()
    }
}

/// Reads a head, up to the empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// Reads a request or an answer whose length is given or chunked.
pub(crate) async fn read_message(stream: &mut TcpStream) -> Option<Message> {
    let head = read_head(stream).await?;
    let mut message = Message { head, ..Message::default() };
    if let Some(length) = message.header("content-length") {
        let mut left: usize = length.parse().unwrap();
        let mut piece = vec![0; 65536];
        while left > 0 {
            let most = left.min(piece.len());
            match stream.read(&mut piece[..most]).await {
                Ok(read @ 1..) => {
                    message.body.extend(&piece[..read]);
                    left -= read;
                }
                _ => return Some(message),
            }
        }
    } else if message.header("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(stream).await {
            if chunk.is_empty() {
                message.whole = true;
                return Some(message);
            }
            message.body.extend(chunk);
        }
        return Some(message);
    }
    message.whole = true;
    Some(message)
}

/// Reads one chunk; an empty one is the last.
pub(crate) async fn read_chunk(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    let size = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
    let mut chunk = vec![0; size + 2];
    stream.read_exact(&mut chunk).await.ok()?;
    chunk.truncate(size);
    Some(chunk)
}

/// Sends bytes to the server and reads one answer.
pub(crate) async fn ask(server: SocketAddr, request: &[u8]) -> Message {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_message(&mut stream).await.expect("an answer")
}

/// A `GET` by the session's owner.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: octo.example\r\nX-Test-User: ann\r\n\r\n").into_bytes()
}

/// A `POST` by the session's owner.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: octo.example\r\nX-Test-User: ann\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend(body);
    request
}
