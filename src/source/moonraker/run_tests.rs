//! Requests of bridges while the connection comes and goes.

use super::{Config, Endpoint, run};
use crate::clock::SystemClock;
use crate::printer::{Observation, Timed};
use crate::source::SourceStatus;
use crate::source::control::{self, Control, ControlError};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

/// The source, and what it says.
struct Source {
    control: Control,
    observations: mpsc::Receiver<Timed<Observation>>,
    status: watch::Receiver<SourceStatus>,
    stop: watch::Sender<bool>,
}

impl Source {
    fn start(socket: &Path) -> Self {
        let (control, requests) = control::channel();
        let (send, observations) = mpsc::channel(16);
        let (tell, status) = watch::channel(SourceStatus::default());
        let (stop, stopped) = watch::channel(false);
        let endpoints = vec![Endpoint::Unix(socket.to_owned())];
        let config = Config { endpoints, api_key: None, version: "0.0.0" };
        tokio::spawn(run(config, SystemClock::new(), send, tell, requests, stopped));
        Self { control, observations, status, stop }
    }

    async fn until_seen(&mut self) {
        loop {
            let seen = timeout(SOON, self.observations.recv()).await.unwrap().unwrap();
            if matches!(seen.what, Observation::Seen(_)) {
                return;
            }
        }
    }
}

/// Answers what a source asks about an idle printer, until it is asked for `last`, which it leaves unanswered.
async fn answer_until(stream: UnixStream, last: &str) -> UnixStream {
    let mut stream = BufReader::new(stream);
    loop {
        let mut message = Vec::new();
        timeout(SOON, stream.read_until(3, &mut message)).await.unwrap().unwrap();
        message.pop();
        let request: Value = serde_json::from_slice(&message).unwrap();
        let result = match request["method"].as_str().unwrap() {
            method if method == last => return stream.into_inner(),
            "server.info" => json!({"klippy_connected": true, "klippy_state": "ready"}),
            "server.files.roots" => json!([{"name": "gcodes", "path": "/g"}]),
            _ => json!({}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string();
        stream.get_mut().write_all(&[answer.as_bytes(), &[3]].concat()).await.unwrap();
    }
}

#[tokio::test]
async fn requests_are_answered_while_connected_lost_with_the_connection_and_refused_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moonraker.sock");
    let mut source = Source::start(&path);
    // Nobody is there: refused at once, with the error of the attempt.
    source.status.wait_for(|status| status.last_error.is_some()).await.unwrap();
    let error = timeout(SOON, source.control.gcode("G28", None)).await.unwrap().unwrap_err();
    let ControlError::NotConnected { why } = &error else { panic!("{error}") };
    assert!(why.contains("check that Moonraker runs"), "{why}");

    let listener = UnixListener::bind(&path).unwrap();
    let (stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let serving = tokio::spawn(answer_until(stream, "printer.gcode.script"));
    source.until_seen().await;
    let roots = timeout(SOON, source.control.roots()).await.unwrap().unwrap();
    assert_eq!(roots[0].name, "gcodes");

    // The connection breaks while a call is under way.
    let under_way = source.control.gcode("G28", None);
    drop(timeout(SOON, serving).await.unwrap().unwrap());
    let error = timeout(SOON, under_way).await.unwrap().unwrap_err();
    assert!(matches!(&error, ControlError::Lost { what, .. } if what == "printer.gcode.script"), "{error}");

    // It comes back, and calls are answered again.
    let (stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let serving = tokio::spawn(answer_until(stream, "printer.gcode.script"));
    source.until_seen().await;
    timeout(SOON, source.control.roots()).await.unwrap().unwrap();

    // The service stops: nobody is left waiting.
    let under_way = source.control.gcode("G28", None);
    let _stream = timeout(SOON, serving).await.unwrap().unwrap();
    source.stop.send(true).unwrap();
    let error = timeout(SOON, under_way).await.unwrap().unwrap_err();
    assert!(matches!(error, ControlError::Lost { .. }), "{error}");
    let error = timeout(SOON, source.control.gcode("G28", None)).await.unwrap().unwrap_err();
    assert!(matches!(error, ControlError::NotConnected { .. } | ControlError::Lost { .. }), "{error}");
}
