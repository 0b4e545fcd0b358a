//! Phones with OctoApp, as the printer sees them: their records in Moonraker's database, and the service that takes
//! pushes for them, with TLS.

use super::bed::Bed;
use super::http;
use super::telegram::certificates;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What the service publishes: nothing but what is usual.
const CONFIG: &str = "{}";
const TAKEN: &str = r#"{"invalidTokens":[]}"#;

/// The phones and their service.
#[derive(Debug)]
pub(crate) struct Phones {
    port: u16,
    ca: String,
    pushes: Arc<Mutex<Vec<Value>>>,
}

impl Phones {
    /// Starts the service, on a port of its own. It lasts as long as the process.
    pub(crate) fn start() -> Self {
        let (ca, config) = certificates(&["127.0.0.1", "10.0.2.2"], (2025, 2100));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pushes: Arc<Mutex<Vec<Value>>> = Arc::default();
        let taken = Arc::clone(&pushes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, taken) = (Arc::clone(&config), Arc::clone(&taken));
                std::thread::spawn(move || serve(stream, config, &taken));
            }
        });
        Self { port, ca, pushes }
    }

    /// Its certificate's authority, as PEM.
    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// The section that leads there from a machine that knows this one as `host`.
    pub(crate) fn section(&self, host: &str) -> String {
        let url = format!("https://{host}:{}", self.port);
        format!("\n[octoapp]\nenabled: true\napi_url: {url}/send\nconfig_url: {url}/config\n")
    }

    /// Where pushes go, and where the service publishes what it is like.
    pub(crate) fn urls(&self) -> [String; 2] {
        ["send", "config"].map(|path| format!("https://127.0.0.1:{}/{path}", self.port))
    }

    /// The records of an Android phone and of an iPhone with its Live Activity, by their tokens.
    pub(crate) fn records() -> [(&'static str, Value); 3] {
        [("android", "one"), ("ios:phone", "two"), ("activity:running", "two")].map(|(token, instance)| {
            let record = json!({
                "fcmToken": token, "fcmTokenFallback": null, "instanceId": instance, "displayName": "Phone",
                "model": "P1", "appVersion": "2.1.0", "appBuild": 117_134, "lastSeenAt": 1.5, "expireAt": null,
                "excludeNotifications": []
            });
            (token, record)
        })
    }

    /// Writes these records, as the apps do.
    pub(crate) fn register(&self, bed: &Bed) {
        for (token, record) in Self::records() {
            let item =
                json!({"namespace": "octoapp", "key": format!("apps.{token}"), "value": record}).to_string();
            let body = Some(("application/json", item.as_bytes()));
            let (status, answer) = http::request(bed.port(), "POST", "/server/database/item", body);
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// The pushes so far.
    pub(crate) fn pushes(&self) -> Vec<Value> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an iPhone was told that the job is done.
    pub(crate) fn done(&self) -> bool {
        self.pushes().iter().any(|push| push["apnsData"]["content-state"]["state"] == "completed")
    }
}

/// Takes requests until the other side has enough.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, taken: &Mutex<Vec<Value>>) {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while let Ok(Some(message)) = http::read(&mut stream) {
        let body = if message.first_line.starts_with("POST /send ") {
            let push = serde_json::from_slice(&message.body).unwrap();
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(push);
            TAKEN
        } else {
            CONFIG
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
