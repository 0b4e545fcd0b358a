//! A stand-in for the service: takes every push.

use super::table::word;
use crate::support::{http, wait};
use serde_json::Value;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The service.
pub(super) struct Service {
    pub(super) url: String,
    pushes: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Service {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pushes = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&pushes);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(Some(message)) = http::read(&mut BufReader::new(&stream)) else { continue };
                if message.first_line.starts_with("POST /send ") {
                    let push = serde_json::from_slice(&message.body).unwrap();
                    taken.lock().unwrap().push((Instant::now(), push));
                }
                let body = r#"{"invalidTokens":[]}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            }
        });
        Self { url, pushes }
    }

    /// All pushes so far.
    pub(super) fn pushes(&self) -> Vec<(Instant, Value)> {
        self.pushes.lock().unwrap().clone()
    }

    /// How many pushes came so far.
    pub(super) fn count(&self) -> usize {
        self.pushes.lock().unwrap().len()
    }

    /// The first push from number `from` on that is called so, and when it came.
    pub(super) fn wait_for(&self, awaited: &str, from: usize, within: Duration) -> (Instant, Value) {
        wait::until(&format!("the push `{awaited}`"), within, || {
            let pushes = self.pushes.lock().unwrap();
            pushes.iter().skip(from).find(|(_, push)| word(push) == awaited).cloned()
        })
    }
}
