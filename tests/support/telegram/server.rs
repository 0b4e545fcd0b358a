//! The stand-in's listener, its certificate, and one thread for each connection.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::super::http;
use super::{Behaviour, Call, Outcome, Shared, State, rules};

/// How long a connection may be silent before the stand-in closes it, as the service does.
const SILENCE: Duration = Duration::from_secs(60);

/// A test authority as PEM, valid from 2025 on, and a server with a certificate of it for these names and years.
pub(crate) fn certificates(names: &[&str], years: (i32, i32)) -> (String, Arc<ServerConfig>) {
    // OpenSSL finds an issuer by its name, so that no two authorities may have the same.
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    let name = format!("test authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.not_before = date_time_ymd(2025, 1, 1);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut server = CertificateParams::new(names).unwrap();
    server.distinguished_name.push(DnType::CommonName, "stand-in");
    server.use_authority_key_identifier_extension = true;
    server.not_before = date_time_ymd(years.0, 1, 1);
    server.not_after = date_time_ymd(years.1, 1, 1);
    let server_key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let certificate = server.signed_by(&server_key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority_certificate.pem(), Arc::new(config))
}

/// An open port; dropping it closes the port, and connections that are there go on.
#[derive(Debug)]
pub(super) struct Listening {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listening {
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall end.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn listen(port: u16, tls: Option<Arc<ServerConfig>>, shared: Arc<Shared>) -> Listening {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let address = listener.local_addr().unwrap();
    let closed = Arc::new(AtomicBool::new(false));
    let ours = Arc::clone(&closed);
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming() {
            if ours.load(Ordering::SeqCst) {
                break;
            }
            let (tls, shared) = (tls.clone(), Arc::clone(&shared));
            if let Ok(stream) = stream {
                std::thread::spawn(move || converse(stream, tls, &shared));
            }
        }
    });
    Listening { address, closed, thread: Some(thread) }
}

fn converse(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) {
    shared.state().connections += 1;
    let _ = stream.set_read_timeout(Some(SILENCE));
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        answer_all(&mut BufReader::new(stream), shared);
        return;
    };
    let mut connection = ServerConnection::new(tls).unwrap();
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            shared.state().handshakes.push(error.to_string());
            shared.changed.notify_all();
            return;
        }
    }
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    answer_all(&mut stream, shared);
    let stream = stream.get_mut();
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn answer_all<S: Read + Write>(stream: &mut BufReader<S>, shared: &Shared) {
    while let Ok(Some(request)) = http::read(stream) {
        if !answer(&request, stream.get_mut(), shared) || closes(&request) {
            break;
        }
    }
}

/// Whether the caller wants the connection closed after this request.
fn closes(request: &http::Message) -> bool {
    request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// Answers a request; false when the connection is to be closed.
fn answer(request: &http::Message, stream: &mut (impl Read + Write), shared: &Shared) -> bool {
    let mut state = shared.state();
    let (method, arguments) = match understand(request, &state) {
        Ok(call) => call,
        Err((status, description)) => {
            state.violations.push(format!("{description}: {}", request.first_line));
            drop(state);
            return send(stream, status, &failure(status, &description)).is_ok();
        }
    };
    let behaviour = if method.eq_ignore_ascii_case("sendMessage") {
        let text = arguments["text"].as_str().unwrap_or_default();
        match state.once.iter().position(|(part, _)| text.contains(part)) {
            Some(place) => state.once.remove(place).1,
            None => state.usual.clone(),
        }
    } else {
        Behaviour::Serve
    };
    let outcome = match behaviour {
        Behaviour::Serve | Behaviour::Late => Outcome::Done,
        Behaviour::Refuse(status, _) | Behaviour::Html(status) => Outcome::Refused(status),
        Behaviour::Flood(_) => Outcome::Refused(429),
        Behaviour::Stall | Behaviour::Half | Behaviour::Close | Behaviour::Bytes(_) => Outcome::Unanswered,
    };
    let number = state.calls.len();
    let body = json!({"ok": true, "result": rules::result(&method, &arguments, state.chat, number + 1)});
    state.calls.push(Call { at: Instant::now(), method, arguments, closes: closes(request), outcome });
    state.released = false;
    shared.changed.notify_all();
    if matches!(behaviour, Behaviour::Stall | Behaviour::Late) {
        let wait = |state: &mut State| !state.released;
        drop(shared.changed.wait_while(state, wait));
    } else {
        drop(state);
    }
    let sent = match behaviour {
        Behaviour::Serve | Behaviour::Late => send(stream, 200, &body),
        Behaviour::Refuse(status, description) => send(stream, status, &failure(status, description)),
        Behaviour::Flood(seconds) => {
            let mut body = failure(429, &format!("Too Many Requests: retry after {seconds}"));
            body["parameters"] = json!({"retry_after": seconds});
            send(stream, 429, &body)
        }
        Behaviour::Html(status) => {
            let page = "<html><body>Bad Gateway</body></html>";
            write_answer(stream, status, "text/html", page)
        }
        Behaviour::Half => {
            let text = body.to_string();
            let half = text.get(..text.len() / 2).unwrap_or_default();
            let _ = write!(stream, "{}{half}", head(200, "application/json", text.len()))
                .and_then(|()| stream.flush());
            return false;
        }
        Behaviour::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            return false;
        }
        Behaviour::Stall | Behaviour::Close => return false,
    };
    if sent.is_err() {
        // The caller went away: it cannot know that this was carried out.
        if let Some(call) = shared.state().calls.get_mut(number) {
            call.outcome = Outcome::Unanswered;
        }
        return false;
    }
    true
}

/// Method and arguments of a good request; status and description for any other.
fn understand(request: &http::Message, state: &State) -> Result<(String, Value), (u16, String)> {
    let bad = |description: &str| (400, format!("Bad Request: {description}"));
    let mut words = request.first_line.split(' ');
    let (Some("POST"), Some(path), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err((405, "Method Not Allowed".to_owned()));
    };
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return Err((404, "Not Found".to_owned()));
    };
    if token != state.token {
        return Err((401, "Unauthorized".to_owned()));
    }
    let arguments = if request.body.is_empty() {
        json!({})
    } else {
        let kind = request.header("content-type").unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(bad(&format!("content type `{kind}`")));
        }
        serde_json::from_slice(&request.body)
            .map_err(|error| bad(&format!("the body is no JSON, {error}")))?
    };
    let violations = rules::violations(method, &arguments);
    if !violations.is_empty() {
        return Err(bad(&violations.join("; ")));
    }
    if let Some(chat) = arguments.get("chat_id")
        && chat.as_i64() != Some(state.chat)
        && chat.as_str() != Some(&state.chat.to_string())
    {
        return Err(bad(&format!("chat not found, {chat}")));
    }
    Ok((method.to_owned(), arguments))
}

fn failure(status: u16, description: &str) -> Value {
    json!({"ok": false, "error_code": status, "description": description})
}

fn send(stream: &mut impl Write, status: u16, body: &Value) -> std::io::Result<()> {
    write_answer(stream, status, "application/json", &body.to_string())
}

fn write_answer(stream: &mut impl Write, status: u16, kind: &str, body: &str) -> std::io::Result<()> {
    write!(stream, "{}{body}", head(status, kind, body.len()))?;
    stream.flush()
}

fn head(status: u16, kind: &str, length: usize) -> String {
    // The reason is free text; clients go by the number.
    format!("HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
}
