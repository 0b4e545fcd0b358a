//! The only place of the bridge that talks to the network.

use super::config::{Chat, Config, Token, redact};
use super::delivery::{Fault, FaultKind, Outcome};
use super::wire::{Answer, SendMessage};
use crate::calendar;
use crate::http;
use std::sync::Arc;
use std::time::Duration;
use ureq::{Agent, Error};

/// Longest set-up of a connection, name resolution aside.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest request as a whole.
const WHOLE: Duration = Duration::from_secs(30);
/// Largest answer that is read, in bytes.
const MOST_ANSWER: u64 = 1024 * 1024;

/// One text on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter<'a> {
    pub(super) chat: &'a Chat,
    pub(super) thread: Option<i64>,
    pub(super) text: &'a str,
    /// Nothing follows at once, so that the connection is not kept: an idle one costs memory and dies
    /// unnoticed behind a firewall.
    pub(super) last: bool,
    /// The wall clock, as time since the Unix epoch.
    pub(super) now: Duration,
}

/// What sends texts. Tests pass their own.
pub(super) trait Api {
    /// Sends one text, and waits for what comes of it.
    fn send_message(&mut self, letter: Letter<'_>) -> Outcome;
}

/// The Bot API over HTTP.
pub(super) struct Client {
    agent: Agent,
    api_url: String,
    token: Token,
}

impl Client {
    /// A client for the bot of `config`.
    pub(super) fn new(config: &Config, tls: Arc<rustls::ClientConfig>) -> Self {
        let agent = http::agent(tls, CONNECT, WHOLE);
        Self { agent, api_url: config.api_url.clone(), token: config.token.clone() }
    }

    /// The handle by which another thread interrupts a request.
    pub(super) fn interrupt(&self) -> Agent {
        self.agent.clone()
    }

    fn post(&self, letter: &Letter<'_>) -> Result<Answer, Error> {
        let message = SendMessage::new(letter.chat, letter.thread, letter.text);
        let body = serde_json::to_vec(&message).map_err(|error| Error::Other(Box::new(error)))?;
        let address = format!("{}/bot{}/sendMessage", self.api_url, self.token.reveal());
        let mut request = self.agent.post(address).header("Content-Type", "application/json");
        if letter.last {
            request = request.header("Connection", "close");
        }
        let mut response = request.send(body.as_slice())?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let body = match response.body_mut().with_config().limit(MOST_ANSWER).read_to_vec() {
            Ok(body) => body,
            // The Bot API never says that much.
            Err(Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Answer::read(status, retry_after.as_deref(), &body))
    }

    fn fault(&self, error: &Error, now: Duration) -> Fault {
        let kind = match http::tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(reason))
                if http::is_too_early(reason) && !calendar::is_set(now) =>
            {
                FaultKind::ClockNotSet
            }
            _ => FaultKind::Network,
        };
        let text = match kind {
            FaultKind::ClockNotSet => {
                format!(
                    "the printer's clock is not set (it shows {}); waiting for network time",
                    calendar::utc(now)
                )
            }
            FaultKind::Network => format!("cannot reach {}: {}", self.api_url, http::reason(error)),
        };
        Fault { kind, text: redact(&text) }
    }
}

impl Api for Client {
    fn send_message(&mut self, letter: Letter<'_>) -> Outcome {
        match self.post(&letter) {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(self.fault(&error, letter.now)),
        }
    }
}
