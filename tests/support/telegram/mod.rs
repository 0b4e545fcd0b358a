//! A strict stand-in for the Telegram Bot API, on loopback, with TLS unless told otherwise.
//!
//! Source of methods, fields, answers and limits: Telegram's Bot API reference, as summed up in its section on making
//! requests, `getMe`, `getChat` and `sendMessage`. Whatever a request has that the reference does not name is a
//! violation, and a violation fails the test that owns the stand-in. It misbehaves on demand ([`Behaviour`]).

mod rules;
mod server;
pub(crate) use server::certificates;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What the stand-in does with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Does what the service does.
    Serve,
    /// Takes the call and never answers; [`Telegram::release`] closes the connection.
    Stall,
    /// Takes the call, and does what the service does after [`Telegram::release`].
    Late,
    /// Carries the call out, sends half of the answer, and closes.
    Half,
    /// Closes the connection instead of answering.
    Close,
    /// Refuses with this code and description.
    Refuse(u16, &'static str),
    /// Refuses with 429 and this `retry_after` in seconds.
    Flood(u64),
    /// Answers as a proxy in between would: this status, and HTML.
    Html(u16),
    /// Sends these bytes, whatever they are, and closes.
    Bytes(Vec<u8>),
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Carried out, and the caller got the whole answer.
    Done,
    /// Refused with this status.
    Refused(u16),
    /// The caller got no answer, or not all of it.
    Unanswered,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When its last byte had come.
    pub(crate) at: Instant,
    /// The method as it was written.
    pub(crate) method: String,
    /// Its arguments.
    pub(crate) arguments: Value,
    /// Whether the caller wants the connection closed after it.
    pub(crate) closes: bool,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl Call {
    /// The text of a message, or nothing.
    pub(crate) fn text(&self) -> &str {
        self.arguments["text"].as_str().unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    token: String,
    chat: i64,
    calls: Vec<Call>,
    violations: Vec<String>,
    /// What to do with the next message that has this text, each once; the usual with the others.
    once: Vec<(String, Behaviour)>,
    usual: Behaviour,
    released: bool,
    /// Connections that were opened.
    connections: usize,
    /// Connections whose TLS handshake failed, with the reason.
    handshakes: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stand-in. It serves until it is dropped, and fails the test then if there was a violation.
#[derive(Debug)]
pub(crate) struct Telegram {
    shared: Arc<Shared>,
    listening: Option<server::Listening>,
    port: u16,
    ca: String,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Telegram {
    /// Listens on a free port of 127.0.0.1 for a bot with this token that may write to this chat.
    ///
    /// Its certificate is valid from 2025 on: to a machine whose clock stands in 1970 it is not valid yet.
    pub(crate) fn start(token: &str, chat: i64) -> Self {
        Self::certified(token, chat, &["127.0.0.1", "10.0.2.2", "localhost"], (2025, 4096))
    }

    /// Another one of the same service: it has the same certificate, and knows its TLS sessions.
    pub(crate) fn another(&self) -> Self {
        let (token, chat) = {
            let state = self.shared.state();
            (state.token.clone(), state.chat)
        };
        Self::listen(&token, chat, self.ca.clone(), self.tls.clone())
    }

    /// As [`Telegram::start`], with a certificate for other names, valid from one year to another.
    pub(crate) fn certified(token: &str, chat: i64, names: &[&str], years: (i32, i32)) -> Self {
        let (ca, tls) = server::certificates(names, years);
        Self::listen(token, chat, ca, Some(tls))
    }

    /// As [`Telegram::start`], without TLS: a local Bot API server.
    pub(crate) fn plain(token: &str, chat: i64) -> Self {
        Self::listen(token, chat, String::new(), None)
    }

    fn listen(token: &str, chat: i64, ca: String, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                token: token.to_owned(),
                chat,
                calls: Vec::new(),
                violations: Vec::new(),
                once: Vec::new(),
                usual: Behaviour::Serve,
                released: false,
                connections: 0,
                handshakes: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let listening = server::listen(0, tls.clone(), Arc::clone(&shared));
        let port = listening.port();
        Self { shared, listening: Some(listening), port, ca, tls }
    }

    /// The port on 127.0.0.1; a guest reaches it at 10.0.2.2. The certificate is good for both.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its base address on this machine.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The authority that signed the certificate, as PEM.
    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// What to do with the next message (`sendMessage`) that has `text` in it, once.
    pub(crate) fn once(&self, text: &str, behaviour: Behaviour) {
        self.shared.state().once.push((text.to_owned(), behaviour));
    }

    /// What to do with all messages that [`Telegram::once`] says nothing about.
    pub(crate) fn usually(&self, behaviour: Behaviour) {
        self.shared.state().usual = behaviour;
    }

    /// Closes the connections of all stalled calls, without an answer, and answers the late ones; those that come
    /// later wait again.
    pub(crate) fn release(&self) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
    }

    /// Listens no more: connections are refused from now on.
    pub(crate) fn close_port(&mut self) {
        self.listening = None;
    }

    /// Listens again, on the same port.
    pub(crate) fn open_port(&mut self) {
        self.listening = Some(server::listen(self.port, self.tls.clone(), Arc::clone(&self.shared)));
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many TLS handshakes failed so far, for instance over a wrong clock.
    pub(crate) fn failed_handshakes(&self) -> usize {
        self.shared.state().handshakes.len()
    }

    /// The messages with `text` in them that were carried out.
    pub(crate) fn done(&self, text: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.outcome == Outcome::Done && call.text().contains(text));
        calls
    }

    /// Waits until `found` gives something for the calls so far.
    pub(crate) fn wait_for<T>(
        &self,
        awaited: &str,
        within: Duration,
        mut found: impl FnMut(&[Call]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        let mut state = self.shared.state();
        loop {
            if let Some(value) = found(&state.calls) {
                return value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "Telegram waited {within:?} in vain for {awaited}; calls: {:#?}, failed handshakes: {:?}",
                state.calls,
                state.handshakes
            );
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a message with `text` in it and this outcome.
    pub(crate) fn wait_for_message(&self, text: &str, outcome: Outcome, within: Duration) -> Call {
        self.wait_for(&format!("the message `{text}`, {outcome:?}"), within, |calls| {
            let wanted = |call: &&Call| call.outcome == outcome && call.text().contains(text);
            calls.iter().find(wanted).cloned()
        })
    }

    /// What requests had that the reference does not name.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.release();
        let violations = self.violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the Bot API would not know: {violations:#?}");
        }
    }
}
