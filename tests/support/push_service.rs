//! A strict stand-in for OctoApp's push service: what is not a request as the protocol has it fails the test.

use super::http;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use octobridge::bridge::octoapp::rehearsal::encrypt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where pushes go, and where the configuration is.
const SEND: &str = "POST /send HTTP/1.1";
const CONFIG: &str = "GET /config HTTP/1.1";

/// Serves as long as the test runs.
pub(crate) struct PushService {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    pushes: Vec<Value>,
    /// What was wrong with requests.
    faults: Vec<String>,
    dead: Vec<String>,
    /// What it answers pushes with, instead.
    status: Option<u16>,
}

impl PushService {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                serve(stream, &mut shared.lock().unwrap());
            }
        });
        Self { url, state }
    }

    /// Where pushes go, and where the configuration is.
    pub(crate) fn addresses(&self) -> (String, String) {
        (format!("{}/send", self.url), format!("{}/config", self.url))
    }

    /// The lines of the settings that lead here.
    pub(crate) fn settings(&self) -> String {
        let (send, config) = self.addresses();
        format!("api_url: {send}\nconfig_url: {config}\n")
    }

    /// From now on these tokens are dead.
    pub(crate) fn bury(&self, tokens: &[&str]) {
        self.state.lock().unwrap().dead = tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// From now on pushes are answered with this status.
    pub(crate) fn refuse(&self, status: u16) {
        self.state.lock().unwrap().status = Some(status);
    }

    /// The pushes so far, all of which were in order.
    pub(crate) fn pushes(&self) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        assert_eq!(state.faults, Vec::<String>::new());
        state.pushes.clone()
    }
}

fn serve(mut stream: TcpStream, state: &mut State) {
    let Ok(Some(message)) = http::read(&mut BufReader::new(&stream)) else { return };
    let (status, body) = match message.first_line.as_str() {
        CONFIG => (200, "{}".to_owned()),
        SEND => {
            let kind = message.header("content-type").unwrap_or_default();
            match serde_json::from_slice::<Value>(&message.body).map_err(|error| error.to_string()) {
                Ok(push) if kind == "application/json" => {
                    state.faults.extend(check(&push).err());
                    state.pushes.push(push);
                }
                read => state.faults.push(format!("{kind}: {read:?}")),
            }
            (state.status.unwrap_or(200), serde_json::json!({ "invalidTokens": state.dead }).to_string())
        }
        line => {
            state.faults.push(line.to_owned());
            (404, String::new())
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

/// The members of an object are exactly these.
fn members(object: &Value, expected: &[&str]) -> Result<(), String> {
    let found: BTreeSet<&str> =
        object.as_object().ok_or(format!("{object}"))?.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

fn check(push: &Value) -> Result<(), String> {
    members(push, &["targets", "highPriority", "androidData", "apnsData"])?;
    let targets = push["targets"].as_array().ok_or("no targets")?;
    for target in targets {
        members(target, &["fcmToken", "fcmTokenFallback", "instanceId"])?;
    }
    let tokens: Vec<&str> = targets.iter().filter_map(|target| target["fcmToken"].as_str()).collect();
    let apple = tokens.iter().any(|token| token.starts_with("ios:") || token.starts_with("activity:"));
    if tokens.is_empty() || tokens.len() != targets.len() || apple == push["apnsData"].is_null() {
        return Err(format!("{tokens:?} and {}", push["apnsData"]));
    }
    if !push["highPriority"].is_boolean() || !push["androidData"].is_string() {
        return Err(format!("{push}"));
    }
    Ok(())
}

/// That what is for Android is this text, encrypted with this key.
pub(crate) fn assert_encrypted(push: &Value, text: &str, key: &str) {
    let data = push["androidData"].as_str().unwrap();
    let vector: [u8; 16] = STANDARD.decode(data).unwrap()[..16].try_into().unwrap();
    assert_ne!(vector, [0; 16]);
    assert_eq!(data, encrypt(text, key, vector), "{text}");
}
