//! The only place of the bridge that talks to the network.

use super::config::{Chat, Config, Token, redact};
use super::delivery::{Fault, FaultKind, Outcome};
use super::wire::{Answer, SendMessage};
use crate::calendar;
use crate::http;
use rustls::CertificateError;
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
        Self::within(config, tls, CONNECT, WHOLE)
    }

    /// The same with other limits for the set-up of a connection and for a request.
    pub(super) fn within(
        config: &Config,
        tls: Arc<rustls::ClientConfig>,
        connect: Duration,
        whole: Duration,
    ) -> Self {
        let agent = http::agent(tls, connect, whole);
        Self { agent, api_url: config.api_url.clone(), token: config.token.clone() }
    }

    /// The handle by which another thread interrupts a request.
    pub(super) fn interrupt(&self) -> Agent {
        self.agent.clone()
    }

    /// Calls a method, and gives what came of it, with the body of the answer. `last` as in [`Letter`].
    pub(super) fn call(&self, method: &str, body: &[u8], last: bool, now: Duration) -> (Outcome, Vec<u8>) {
        match self.post(method, body, last) {
            Ok((answer, body)) => (Outcome::Answered(answer), body),
            Err(error) => (Outcome::Failed(self.fault(&error, now)), Vec::new()),
        }
    }

    fn post(&self, method: &str, body: &[u8], last: bool) -> Result<(Answer, Vec<u8>), Error> {
        let address = format!("{}/bot{}/{method}", self.api_url, self.token.reveal());
        let mut request = self.agent.post(address).header("Content-Type", "application/json");
        if last {
            request = request.header("Connection", "close");
        }
        let mut response = request.send(body)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let body = match response.body_mut().with_config().limit(MOST_ANSWER).read_to_vec() {
            Ok(body) => body,
            // The Bot API never says that much.
            Err(Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok((Answer::read(status, retry_after.as_deref(), &body), body))
    }

    fn fault(&self, error: &Error, now: Duration) -> Fault {
        let kind = match http::tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(reason))
                if is_too_early(reason) && !calendar::is_set(now) =>
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
            FaultKind::Network => format!("cannot reach {}: {}", self.api_url, reason(error)),
        };
        Fault { kind, text: redact(&text) }
    }
}

impl Api for Client {
    fn send_message(&mut self, letter: Letter<'_>) -> Outcome {
        let message = SendMessage::new(letter.chat, letter.thread, letter.text);
        match serde_json::to_vec(&message) {
            Ok(body) => self.call("sendMessage", &body, letter.last, letter.now).0,
            Err(error) => Outcome::Failed(self.fault(&Error::Other(Box::new(error)), letter.now)),
        }
    }
}

/// A name that nobody knows, or no name server to ask.
const NO_HOST: &str = "no such host; check the name and the network's DNS";

/// What went wrong, and what to do about it.
fn reason(error: &Error) -> String {
    match http::tls_cause(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            return "its certificate is from an unknown issuer; for a server of your own set EXTRA_CA_FILE"
                .to_owned();
        }
        Some(rustls::Error::InvalidCertificate(reason)) if is_too_early(reason) => {
            return "its certificate is not valid yet; check the clocks of the printer and the server"
                .to_owned();
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => {
            return "its certificate has expired; check the printer's clock and the server's certificate"
                .to_owned();
        }
        Some(error) => return format!("TLS failed: {error}"),
        None => {}
    }
    match error {
        Error::Timeout(step) => format!("no answer in time ({step}); check the network"),
        Error::HostNotFound => NO_HOST.to_owned(),
        // So the standard library words a failed look-up, which has no kind of its own.
        Error::Io(error) if error.to_string().starts_with("failed to lookup address") => NO_HOST.to_owned(),
        Error::Io(error) => format!("{error}; check the network"),
        error => error.to_string(),
    }
}

fn is_too_early(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
}
