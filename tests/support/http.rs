//! As much of HTTP/1.1 as the tests need: reading a request or an answer with its body, and a plain client.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest header and body that is read; no test sends more.
const LONGEST: u64 = 64 << 20;

/// A request or an answer.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// `POST /path HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub(crate) first_line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without chunk marks.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one message; `None` when the other side has closed before its first byte.
pub(crate) fn read(from: &mut impl BufRead) -> std::io::Result<Option<Message>> {
    let Some(first_line) = line(from)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let header = line(from)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or(std::io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message { first_line, headers, body: Vec::new() };
    if message.header("transfer-encoding") == Some("chunked") {
        while let Some(size) = line(from)? {
            let size = u64::from_str_radix(&size, 16).map_err(|_| std::io::ErrorKind::InvalidData)?;
            exactly(from, size, &mut message.body)?;
            line(from)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = message.header("content-length") {
        let length = length.parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
        exactly(from, length, &mut message.body)?;
    }
    Ok(Some(message))
}

fn exactly(from: &mut impl BufRead, count: u64, into: &mut Vec<u8>) -> std::io::Result<()> {
    if count > LONGEST || from.take(count).read_to_end(into)? as u64 != count {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn line(from: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if from.take(LONGEST).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Sends a request to 127.0.0.1 and gives the status and the body as JSON. Panics when there is no answer.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    body: Option<(&str, &[u8])>,
) -> (u16, serde_json::Value) {
    let asked = || panic!("{method} http://127.0.0.1:{port}{path}: no answer");
    try_request(port, method, path, body).unwrap_or_else(asked)
}

/// The same for a server that may be away: none when there is no answer.
pub(crate) fn try_request(
    port: u16,
    method: &str,
    path: &str,
    body: Option<(&str, &[u8])>,
) -> Option<(u16, serde_json::Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let (kind, body) = body.unwrap_or(("application/json", b""));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let answer = read(&mut std::io::BufReader::new(stream)).ok()??;
    let status = answer.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Some((status, serde_json::from_slice(&answer.body).unwrap_or(serde_json::Value::Null)))
}
