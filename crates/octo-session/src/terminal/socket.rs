//! One connection: from its first message to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::protocol::{self, Said, Size, Tell};
use super::shell::{Next, Shell};
use super::terminals::Terminals;
use crate::same::same;

/// How long a client may take to say who it is.
const HELLO: Duration = Duration::from_secs(60);
/// How many pings may stay without an answer.
const SILENT_PINGS: u32 = 6;

/// What a connection is told and may do.
#[derive(Debug, Clone)]
pub(super) struct Manners {
    /// The credential in base64, where one is asked for.
    pub(super) token: Option<String>,
    pub(super) writable: bool,
    pub(super) preferences: String,
    pub(super) title: String,
    /// None for no pings.
    pub(super) ping: Option<Duration>,
    /// The shell ends with the connection.
    pub(super) fresh: bool,
}

type Sink = SplitSink<WebSocket, Message>;

async fn close(sink: &mut Sink, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let _ = sink.send(Message::Close(Some(frame))).await;
}

/// Serves a connection until either side ends it.
pub(super) async fn talk(socket: WebSocket, terminals: Arc<Terminals>, name: String, manners: Manners) {
    let spoken = socket.protocol().is_some();
    let (mut sink, mut stream) = socket.split();
    if !spoken {
        close(&mut sink, close_code::PROTOCOL, "the subprotocol must be tty").await;
        return;
    }
    let Ok(Some((token, size))) = tokio::time::timeout(HELLO, hello(&mut stream)).await else { return };
    if let Some(expected) = &manners.token
        && !same(token.as_deref().unwrap_or_default(), expected)
    {
        close(&mut sink, close_code::POLICY, "the token is wrong").await;
        return;
    }
    let (shell, window, again) = match terminals.open(&name, size) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!("terminal {name}: {error}");
            let text = format!("{error}\r\n");
            let _ = sink.send(Message::Binary(protocol::write(Tell::Output, text.as_bytes()).into())).await;
            close(&mut sink, close_code::AGAIN, "no terminal can be opened").await;
            return;
        }
    };
    let open = Open { shell: Arc::clone(&shell), window, fresh: manners.fresh };
    let flow = Flow::default();
    tokio::select! {
        () = show(&mut sink, &open, &flow, &manners, again) => {}
        () = listen(&mut stream, &shell, &flow, manners.writable) => {}
    }
    if shell.has_ended() {
        // What is sent last must not be lost by the connection being cut: the other side ends it.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            while let Some(Ok(_)) = stream.next().await {}
        })
        .await;
    }
}

/// A window that closes when the connection ends, however it does.
struct Open {
    shell: Arc<Shell>,
    window: u64,
    fresh: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shell.detach(self.window);
        if self.fresh {
            self.shell.end();
        }
    }
}

/// What both directions of a connection know of each other.
#[derive(Debug, Default)]
struct Flow {
    paused: AtomicBool,
    resumed: Notify,
    /// Something came since the last ping, or cannot since the program takes no input.
    heard: AtomicBool,
    stuck: AtomicBool,
}

/// Waits for the first message that says who it is; what comes before is passed over.
async fn hello(stream: &mut SplitStream<WebSocket>) -> Option<(Option<String>, Option<Size>)> {
    loop {
        let message = stream.next().await?.ok()?;
        match &message {
            Message::Text(_) | Message::Binary(_) => {}
            Message::Close(_) => return None,
            _ => continue,
        }
        if let Said::Hello { token, size } = protocol::read(&message.into_data()) {
            return Some((token, size));
        }
    }
}

/// Sends what the shell shows, and pings.
async fn show(sink: &mut Sink, open: &Open, flow: &Flow, manners: &Manners, again: bool) {
    let binary = |tell, rest: &[u8]| Message::Binary(protocol::write(tell, rest).into());
    let mut first = vec![
        binary(Tell::Title, manners.title.as_bytes()),
        binary(Tell::Preferences, manners.preferences.as_bytes()),
    ];
    if again {
        // The window may still show what comes now once more.
        first.push(binary(Tell::Output, b"\x1bc"));
    }
    for message in first {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let never = Duration::from_secs(365 * 86_400);
    let every = manners.ping.unwrap_or(never);
    let mut ping = tokio::time::interval_at(Instant::now() + every, every);
    let mut silent = 0;
    loop {
        tokio::select! {
            next = open.shell.next(open.window), if !flow.paused.load(Ordering::Relaxed) => match next {
                Next::Output(piece, next) => {
                    if sink.send(binary(Tell::Output, &piece)).await.is_err() {
                        return;
                    }
                    open.shell.shown(open.window, next);
                }
                Next::Ended(code) => {
                    if open.shell.was_told_to_end() {
                        close(sink, close_code::AWAY, "the terminal was ended").await;
                    } else if code == 0 {
                        close(sink, close_code::NORMAL, "").await;
                    }
                    // Otherwise the connection is cut, which pages see as 1006, as with ttyd.
                    return;
                }
            },
            () = flow.resumed.notified() => {}
            _ = ping.tick() => {
                let alive = flow.heard.swap(false, Ordering::Relaxed) || flow.stuck.load(Ordering::Relaxed);
                silent = if alive { 0 } else { silent + 1 };
                if silent > SILENT_PINGS || sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Takes what the client says.
async fn listen(stream: &mut SplitStream<WebSocket>, shell: &Shell, flow: &Flow, writable: bool) {
    while let Some(Ok(message)) = stream.next().await {
        flow.heard.store(true, Ordering::Relaxed);
        match &message {
            Message::Text(_) | Message::Binary(_) => {}
            Message::Close(_) => return,
            _ => continue,
        }
        match protocol::read(&message.into_data()) {
            Said::Input(input) if writable => {
                flow.stuck.store(true, Ordering::Relaxed);
                if shell.input(input).await.is_err() {
                    // The end of the shell comes the other way, with its last words.
                    std::future::pending::<()>().await;
                }
                flow.stuck.store(false, Ordering::Relaxed);
            }
            Said::Resize(size) => shell.resize(size),
            Said::Pause => flow.paused.store(true, Ordering::Relaxed),
            Said::Resume => {
                flow.paused.store(false, Ordering::Relaxed);
                flow.resumed.notify_one();
            }
            Said::Input(_) | Said::Hello { .. } | Said::Unknown => {}
        }
    }
}
