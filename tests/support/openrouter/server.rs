//! The stand-in's connections, each with a thread.

use super::super::http::{self, Message};
use super::super::listening::Listening;
use super::{Asked, BASE, Behaviour, Shared, State, rules};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Headers that a client may send.
const HEADERS: [&str; 8] = [
    "host",
    "authorization",
    "content-type",
    "content-length",
    "connection",
    "user-agent",
    "accept",
    "accept-encoding",
];

pub(super) fn listen(tls: Option<Arc<ServerConfig>>, shared: Arc<Shared>) -> Listening {
    Listening::open(0, move |stream| {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        std::thread::spawn(move || converse(stream, tls, &shared));
    })
}

fn converse(stream: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) {
    shared.state().connections += 1;
    let _ = stream.set_read_timeout(Some(SILENCE));
    match tls {
        None => answer_all(&mut BufReader::new(stream), shared),
        Some(tls) => {
            let connection = ServerConnection::new(tls).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            answer_all(&mut stream, shared);
            let stream = stream.get_mut();
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}

fn answer_all<S: Read + Write>(stream: &mut BufReader<S>, shared: &Shared) {
    while let Ok(Some(request)) = http::read(stream) {
        let closes = request.header("connection") == Some("close");
        if answer(&request, stream.get_mut(), shared).is_err() || closes {
            break;
        }
    }
}

/// Answers a request; an error when the connection is to be closed.
fn answer(request: &Message, stream: &mut impl Write, shared: &Shared) -> std::io::Result<()> {
    let mut state = shared.state();
    let (frame, body) = match understand(request, &state) {
        Ok(asked) => asked,
        Err(Refusal::Stranger) => {
            state.strangers += 1;
            drop(state);
            return refuse(stream, 401, "User not found.");
        }
        Err(Refusal::Violation(violation)) => {
            state.violations.push(violation.clone());
            drop(state);
            return refuse(stream, 400, &violation);
        }
    };
    let behaviour = state.plan.pop_front().unwrap_or_else(Behaviour::clean);
    let structured = body.get("response_format").is_some();
    let model = body["model"].clone();
    state.asked.push(Asked { at: Instant::now(), frame, body, behaviour: behaviour.clone() });
    state.released = false;
    shared.changed.notify_all();
    if behaviour == Behaviour::Stall {
        drop(shared.changed.wait_while(state, |state| !state.released));
        return Err(closed());
    }
    drop(state);
    match behaviour {
        Behaviour::Say(content) => send(stream, 200, "", &completion(&model, &content)),
        Behaviour::NoSchemas(status) if structured => {
            refuse(stream, status, "response_format is not supported by any endpoint of this model")
        }
        Behaviour::NoSchemas(_) => {
            let Behaviour::Say(content) = Behaviour::clean() else { unreachable!() };
            send(stream, 200, "", &completion(&model, &content))
        }
        Behaviour::Answer(status, headers, body) => send(stream, status, headers, &body),
        Behaviour::Html(status) => {
            let page = "<!DOCTYPE html><html><body>{\"has_defect\": false, \"confidence\": 0}</body></html>";
            write!(
                stream,
                "HTTP/1.1 {status} Answer\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            )
        }
        Behaviour::Half => {
            let whole = completion(&model, "{\"has_defect\": false, \"confidence\": 0, \"summary\": \"\"}");
            write!(stream, "{}{}", head(200, "", whole.len()), &whole[..whole.len() / 2])?;
            Err(closed())
        }
        Behaviour::Trickle => {
            write!(stream, "{}", head(200, "", 1_000_000))?;
            loop {
                // OpenRouter keeps slow answers alive with white space.
                stream.write_all(b" ")?;
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        Behaviour::Bytes(bytes) => {
            stream.write_all(&bytes)?;
            Err(closed())
        }
        Behaviour::Drop | Behaviour::Stall => Err(closed()),
    }
}

enum Refusal {
    /// The key is another one, which the caller has to cope with.
    Stranger,
    /// What the API does not know.
    Violation(String),
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(violation: T) -> Self {
        Self::Violation(violation.into())
    }
}

/// Name of the picture and the body of a good request.
fn understand(request: &Message, state: &State) -> Result<(String, Value), Refusal> {
    let expected = format!("POST {BASE}/chat/completions HTTP/1.1");
    if request.first_line != expected {
        return Err(format!("`{}` instead of `{expected}`", request.first_line).into());
    }
    for (place, (name, _)) in request.headers.iter().enumerate() {
        if !HEADERS.contains(&name.as_str()) {
            return Err(format!("the header {name}").into());
        }
        if request.headers.iter().skip(place + 1).any(|(other, _)| other == name) {
            return Err(format!("the header {name} twice").into());
        }
    }
    let header = |name: &str| request.header(name).ok_or_else(|| format!("no header {name}"));
    header("host")?;
    header("content-length")?;
    if header("content-type")? != "application/json" {
        return Err("another content type".into());
    }
    let key = header("authorization")?.strip_prefix("Bearer ").ok_or("a login that is not a bearer's")?;
    if key != state.key {
        return Err(Refusal::Stranger);
    }
    let mut body: Value =
        serde_json::from_slice(&request.body).map_err(|error| format!("no JSON: {error}"))?;
    let picture = rules::check(&body)?;
    let known = state.frames.iter().find(|(_, jpeg)| *jpeg == picture);
    let (name, _) =
        known.ok_or_else(|| format!("a picture of {} bytes that is none of ours", picture.len()))?;
    body["messages"][1]["content"][1]["image_url"]["url"] = json!(name);
    Ok((name.clone(), body))
}

/// A completion as the service wraps it.
fn completion(model: &Value, content: &str) -> String {
    json!({
        "id": "gen-1", "provider": "Stand-in", "model": model, "object": "chat.completion", "created": 1_795_251_600,
        "choices": [{
            "index": 0, "logprobs": null, "finish_reason": "stop", "native_finish_reason": "STOP",
            "message": {"role": "assistant", "content": content, "refusal": null, "reasoning": null},
        }],
        "usage": {"prompt_tokens": 700, "completion_tokens": 30, "total_tokens": 730},
    })
    .to_string()
}

fn refuse(stream: &mut impl Write, status: u16, message: &str) -> std::io::Result<()> {
    send(stream, status, "", &json!({"error": {"code": status, "message": message}}).to_string())
}

fn send(stream: &mut impl Write, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    write!(stream, "{}{body}", head(status, headers, body.len()))
}

fn head(status: u16, headers: &str, length: usize) -> String {
    // The reason is free text; clients go by the number.
    format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
}

fn closed() -> std::io::Error {
    std::io::ErrorKind::ConnectionAborted.into()
}
