//! A strict stand-in for the Telegram Bot API, on loopback, with TLS unless told otherwise.
//!
//! Methods, fields and types are those of a published description ([`Description`]); what the reference says in words
//! besides is in `rules`. A request that the API would not know is a violation, and a violation fails the test that
//! owns the stand-in. One that the service understands and does not do is refused with the service's words. It holds
//! chats, messages, files and updates ([`Telegram::say`] and what stands by it play the people), and misbehaves on
//! demand ([`Behaviour`]).

mod changing;
mod chats;
mod check;
mod conversation;
mod description;
mod files;
mod markup;
mod methods;
mod misbehaviour;
mod people;
mod picture;
mod request;
mod rules;
mod sending;
mod server;
mod updates;
mod world;

pub(crate) use server::certificates;
#[allow(unused_imports, reason = "each test program uses the part it needs")]
pub(crate) use {
    chats::{Chat, ChatKind, Standing},
    description::Description,
    misbehaviour::{Behaviour, Which},
    request::Upload,
};

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ports::free_port;
use misbehaviour::Plan;
use world::World;

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

/// A call that was made, and that the API knows.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When its last byte had come.
    pub(crate) at: Instant,
    /// The method as it was written.
    pub(crate) method: String,
    /// Its arguments, as typed JSON in whichever form they came; a file is `attach://` and its part's name.
    pub(crate) arguments: Value,
    /// The files that came with it.
    pub(crate) files: Vec<Upload>,
    /// What the service did, if it carried the call out, answered or not.
    pub(crate) result: Value,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl Call {
    /// The text of a message or its caption, or nothing.
    pub(crate) fn text(&self) -> &str {
        let media = &self.arguments["media"];
        let captions =
            [&self.arguments["text"], &self.arguments["caption"], &media["caption"], &media[0]["caption"]];
        captions.into_iter().find_map(Value::as_str).unwrap_or_default()
    }

    /// The file of this part.
    pub(crate) fn file(&self, field: &str) -> Option<&Upload> {
        self.files.iter().find(|file| file.field == field)
    }

    fn polls(&self) -> bool {
        self.method.eq_ignore_ascii_case("getUpdates")
    }

    /// Whether it only looks whether bot and chat are there, as bridges do when nothing is to be sent.
    fn looks(&self) -> bool {
        ["getMe", "getChat"].iter().any(|method| self.method.eq_ignore_ascii_case(method))
    }
}

#[derive(Debug)]
struct State {
    token: String,
    world: World,
    /// Polls among them.
    calls: Vec<Call>,
    violations: Vec<String>,
    plan: Plan,
    /// How often stalled calls were released.
    released: u64,
    /// Whether the stand-in is going away.
    closing: bool,
    /// Connections that were opened.
    connections: usize,
    /// Connections whose TLS handshake failed, with the reason.
    handshakes: Vec<String>,
    /// How many handshakes are still to fail.
    to_break: usize,
}

impl State {
    fn violate(&mut self, violation: String) {
        self.violations.push(violation);
    }

    /// Whether this handshake is to fail.
    fn break_handshake(&mut self) -> bool {
        let broken = self.to_break > 0;
        self.to_break = self.to_break.saturating_sub(1);
        if broken {
            self.handshakes.push("broken on demand".to_owned());
        }
        broken
    }
}

type Shared = super::listening::Shared<State>;

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
    /// Listens on a free port of 127.0.0.1 for a bot with this token that may write to this chat: that of a person
    /// above 0, else a forum that has every topic.
    ///
    /// Its certificate is valid from 2025 on: to a machine whose clock stands in 1970 it is not valid yet.
    pub(crate) fn start(token: &str, chat: i64) -> Self {
        Self::certified(token, chat, &["127.0.0.1", "10.0.2.2", "localhost"], (2025, 4096))
    }

    /// Another one of the same service, for this chat: it has the same certificate, and knows its TLS sessions.
    pub(crate) fn another(&self, chat: i64) -> Self {
        let token = self.shared.state().token.clone();
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
        let shared = Arc::new(Shared::new(State {
            token: token.to_owned(),
            world: World::new(token, chat),
            calls: Vec::new(),
            violations: Vec::new(),
            plan: Plan::new(),
            released: 0,
            closing: false,
            connections: 0,
            handshakes: Vec::new(),
            to_break: 0,
        }));
        // Nobody else gets it while it is closed.
        let listening = server::listen(free_port(), tls.clone(), Arc::clone(&shared));
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

    /// What to do with the next message that has `text` in its text or caption, once.
    pub(crate) fn once(&self, text: &str, behaviour: Behaviour) {
        self.misbehave(Which::Text(text.to_owned()), 1, behaviour);
    }

    /// What to do with all calls that send something and that nothing else is said about.
    pub(crate) fn usually(&self, behaviour: Behaviour) {
        self.shared.state().plan.usual(behaviour);
    }

    /// What to do with the next so many of these calls. What was said first goes first.
    pub(crate) fn misbehave(&self, which: Which, times: usize, behaviour: Behaviour) {
        self.shared.state().plan.add(which, times, behaviour);
    }

    /// What to do with the next calls that send something, in this order, as [`Behaviour::planned`] reads it.
    pub(crate) fn plan(&self, plan: &[Value]) {
        plan.iter().for_each(|item| self.misbehave(Which::Sending, 1, Behaviour::planned(item)));
    }

    /// Lets a chat take so many messages within this time and refuses more with 429, as the service does.
    pub(crate) fn limit(&self, messages: usize, within: Duration) {
        self.shared.state().plan.limit(Some((messages, within)));
    }

    /// Is a local Bot API server: there is no limit to what can be fetched, and `getFile` puts the file into this
    /// folder and gives its path there.
    pub(crate) fn serve_locally(&self, folder: &std::path::Path) {
        self.shared.state().world.files.serve_locally(folder);
    }

    /// Serves everything from now on.
    pub(crate) fn behave(&self) {
        let mut state = self.shared.state();
        state.plan.clear();
        state.to_break = 0;
    }

    /// Lets the next so many TLS handshakes fail.
    pub(crate) fn break_handshakes(&self, times: usize) {
        self.shared.state().to_break = times;
    }

    /// Closes the connections of all stalled calls, without an answer, and answers the late ones; those that come
    /// later wait again.
    pub(crate) fn release(&self) {
        self.shared.state().released += 1;
        self.shared.changed.notify_all();
    }

    /// Listens no more: connections are refused from now on.
    pub(crate) fn close_port(&mut self) {
        self.listening = None;
    }

    /// Is cut off: connections are refused from now on, and those that are open break.
    pub(crate) fn cut(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.break_connections();
        }
    }

    /// Listens again, on the same port.
    pub(crate) fn open_port(&mut self) {
        self.listening = Some(server::listen(self.port, self.tls.clone(), Arc::clone(&self.shared)));
    }

    /// All calls so far but those of `getUpdates`, and those that only look whether bot and chat are there.
    pub(crate) fn calls(&self) -> Vec<Call> {
        that_do(&self.shared.state().calls)
    }

    /// The calls so far that only look whether bot and chat are there.
    pub(crate) fn looks(&self) -> Vec<Call> {
        self.shared.state().calls.iter().filter(|call| call.looks()).cloned().collect()
    }

    /// The calls of `getUpdates` so far; one that still waits counts as done.
    pub(crate) fn polls(&self) -> Vec<Call> {
        self.shared.state().calls.iter().filter(|call| call.polls()).cloned().collect()
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many TLS handshakes failed so far, for instance over a wrong clock.
    pub(crate) fn failed_handshakes(&self) -> usize {
        self.shared.state().handshakes.len()
    }

    /// The calls with `text` in their text or caption that were carried out.
    pub(crate) fn done(&self, text: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.outcome == Outcome::Done && call.text().contains(text));
        calls
    }

    /// Waits until `found` gives something for the calls so far, as [`Telegram::calls`] has them.
    pub(crate) fn wait_for<T>(
        &self,
        awaited: &str,
        within: Duration,
        mut found: impl FnMut(&[Call]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        let mut state = self.shared.state();
        loop {
            let calls = that_do(&state.calls);
            if let Some(value) = found(&calls) {
                return value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "Telegram waited {within:?} in vain for {awaited}; calls: {calls:#?}, violations: {:#?}, failed \
                 handshakes: {:?}",
                state.violations,
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

    /// What requests had that the API does not know.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }

    /// The same, and forgets them: for a test that makes them on purpose.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().violations)
    }
}

fn that_do(calls: &[Call]) -> Vec<Call> {
    calls.iter().filter(|call| !call.polls() && !call.looks()).cloned().collect()
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        self.release();
        let violations = self.violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the Bot API would not know: {violations:#?}");
        }
    }
}
