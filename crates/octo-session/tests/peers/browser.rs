//! Chromium without a window, steered by its own protocol over a WebSocket: enough for a page with a terminal.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::ttyd::line_with;

/// A browser; it ends when it is dropped.
pub(crate) struct Browser {
    process: Child,
    socket: Mutex<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    number: AtomicU64,
    _home: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut process = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--remote-debugging-port=0", "--window-size=1200,800"])
            .arg(format!("--user-data-dir={}", home.path().display()))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium is missing: run `make test` once, which installs it");
        let said = line_with(&mut process, "DevTools listening on ");
        let url = said.rsplit_once(' ').unwrap().1;
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { process, socket: Mutex::new(socket), number: AtomicU64::new(1), _home: home }
    }

    /// Asks for something, and gives its result.
    async fn ask(&self, method: &str, params: Value, session: Option<&str>) -> Value {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": number, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut socket = self.socket.lock().await;
        socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
            let next = next.unwrap_or_else(|_| panic!("no answer to {message}")).unwrap().unwrap();
            let Ok(mut answer) = serde_json::from_slice::<Value>(&next.into_data()) else { continue };
            if answer["id"] == number {
                assert!(answer.get("error").is_none(), "{message}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// A new tab with this address.
    pub(crate) async fn open(&self, url: &str) -> Tab<'_> {
        let target = self.ask("Target.createTarget", json!({"url": url}), None).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.ask("Target.attachToTarget", attach, None).await;
        let tab = Tab { browser: self, session: session["sessionId"].as_str().unwrap().to_owned() };
        // A tab in the background draws nothing.
        tab.ask("Page.bringToFront", json!({})).await;
        tab
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A tab of a browser.
pub(crate) struct Tab<'b> {
    browser: &'b Browser,
    session: String,
}

impl Tab<'_> {
    async fn ask(&self, method: &str, params: Value) -> Value {
        self.browser.ask(method, params, Some(&self.session)).await
    }

    /// The text that an expression gives.
    pub(crate) async fn run(&self, expression: &str) -> String {
        let done =
            self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true})).await;
        match &done["result"]["value"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// Types, into whatever has the focus.
    pub(crate) async fn type_text(&self, text: &str) {
        for key in text.chars() {
            let (name, code) = if key == '\r' { ("Enter".to_owned(), 13) } else { (key.to_string(), 0) };
            let down = json!({"type": "keyDown", "key": name, "text": key.to_string(),
                "windowsVirtualKeyCode": code});
            self.ask("Input.dispatchKeyEvent", down).await;
            self.ask(
                "Input.dispatchKeyEvent",
                json!({"type": "keyUp", "key": name,
                "windowsVirtualKeyCode": code}),
            )
            .await;
        }
    }

    /// Waits until an expression's text holds one of these, and gives it.
    pub(crate) async fn wait(&self, expression: &str, one: &str, other: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let text = self.run(expression).await;
            if text.contains(one) || text.contains(other) {
                return text;
            }
            assert!(Instant::now() < until, "no {one:?} in {text:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
