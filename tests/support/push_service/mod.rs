//! A strict stand-in for OctoApp's push service: what is not a request as the protocol has it fails the test.

pub(crate) mod check;

use super::http;
use super::telegram::certificates;
use super::wait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use octobridge::bridge::octoapp::rehearsal::encrypt;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where pushes go, and where the configuration is.
const SEND: &str = "POST /send HTTP/1.1";
const CONFIG: &str = "GET /config HTTP/1.1";
/// What the service publishes: nothing but what is usual.
const PUBLISHED: &str = "{}";

/// Serves as long as the process runs, on a port of its own.
#[derive(Debug)]
pub(crate) struct PushService {
    scheme: &'static str,
    port: u16,
    ca: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    pushes: Vec<(Instant, Value)>,
    /// How many requests came, of whatever kind.
    requests: usize,
    /// What was wrong with requests.
    faults: Vec<String>,
    dead: Vec<String>,
    /// What it answers pushes with, instead.
    status: Option<u16>,
}

impl PushService {
    /// Without TLS.
    pub(crate) fn start() -> Self {
        Self::serve("http", String::new(), None)
    }

    /// With TLS, also for a machine that knows this one as 10.0.2.2.
    pub(crate) fn with_tls() -> Self {
        let (ca, config) = certificates(&["127.0.0.1", "10.0.2.2"], (2025, 2100));
        Self::serve("https", ca, Some(config))
    }

    fn serve(scheme: &'static str, ca: String, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, state) = (tls.clone(), Arc::clone(&shared));
                std::thread::spawn(move || match tls {
                    Some(tls) => {
                        converse(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &state)
                    }
                    None => converse::<TcpStream>(stream, &state),
                });
            }
        });
        Self { scheme, port, ca, state }
    }

    /// Its certificate's authority, as PEM.
    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// Where pushes go, and where the configuration is.
    pub(crate) fn addresses(&self) -> (String, String) {
        self.addresses_at("127.0.0.1")
    }

    /// Its address, without a path.
    pub(crate) fn base(&self) -> String {
        self.base_at("127.0.0.1")
    }

    fn base_at(&self, host: &str) -> String {
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// How many requests came so far, of whatever kind.
    pub(crate) fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    fn addresses_at(&self, host: &str) -> (String, String) {
        let url = self.base_at(host);
        (format!("{url}/send"), format!("{url}/config"))
    }

    /// The lines of the settings that lead here.
    pub(crate) fn settings(&self) -> String {
        self.settings_at("127.0.0.1")
    }

    /// The same for a machine that knows this one as `host`.
    pub(crate) fn settings_at(&self, host: &str) -> String {
        let (send, config) = self.addresses_at(host);
        format!("api_url: {send}\nconfig_url: {config}\n")
    }

    /// From now on these tokens are dead.
    pub(crate) fn bury(&self, tokens: &[&str]) {
        lock(&self.state).dead = tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// From now on pushes are answered with this status.
    pub(crate) fn refuse(&self, status: u16) {
        lock(&self.state).status = Some(status);
    }

    /// The pushes so far, all of which were in order.
    pub(crate) fn pushes(&self) -> Vec<Value> {
        self.timed().into_iter().map(|(_, push)| push).collect()
    }

    /// The same, with the time at which each came.
    pub(crate) fn timed(&self) -> Vec<(Instant, Value)> {
        let state = lock(&self.state);
        assert_eq!(state.faults, Vec::<String>::new());
        state.pushes.clone()
    }

    /// How many pushes came so far.
    pub(crate) fn count(&self) -> usize {
        self.timed().len()
    }

    /// The first push from number `from` on that is called so (see [`word`]), and when it came.
    pub(crate) fn wait_for(&self, awaited: &str, from: usize, within: Duration) -> (Instant, Value) {
        wait::until(&format!("the push `{awaited}`"), within, || {
            self.timed().into_iter().skip(from).find(|(_, push)| word(push) == awaited)
        })
    }
}

/// The name of a push: the key of its title, its title where it has no key, else its state, else `android`.
pub(crate) fn word(push: &Value) -> String {
    let apple = &push["apnsData"];
    let key = apple["alert"]["title-loc-key"].as_str().and_then(|key| key.split("___").nth(1));
    let title = key.or(apple["alert"]["title"].as_str());
    title.or(apple["content-state"]["state"].as_str()).unwrap_or("android").to_owned()
}

/// A test that failed while it held the state has said so.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes requests until the other side has enough.
fn converse<S: Read + Write>(stream: S, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(message)) = http::read(&mut stream) {
        let (status, body) = answer(&message, &mut lock(state));
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.get_mut().write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(message: &http::Message, state: &mut State) -> (u16, String) {
    state.requests += 1;
    match message.first_line.as_str() {
        CONFIG => (200, PUBLISHED.to_owned()),
        SEND => {
            let kind = message.header("content-type").unwrap_or_default();
            match serde_json::from_slice::<Value>(&message.body) {
                Ok(push) if kind == "application/json" => {
                    state.faults.extend(check::push(&push).err());
                    state.pushes.push((Instant::now(), push));
                }
                read => state.faults.push(format!("{kind}: {read:?}")),
            }
            (state.status.unwrap_or(200), json!({ "invalidTokens": state.dead }).to_string())
        }
        line => {
            state.faults.push(line.to_owned());
            (404, String::new())
        }
    }
}

/// That what is for Android is this text, encrypted with this key.
pub(crate) fn assert_encrypted(push: &Value, text: &str, key: &str) {
    let data = push["androidData"].as_str().unwrap();
    let vector: [u8; 16] = STANDARD.decode(data).unwrap()[..16].try_into().unwrap();
    assert_ne!(vector, [0; 16]);
    assert_eq!(data, encrypt(text, key, vector), "{text}");
}
