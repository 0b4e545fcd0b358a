//! The only place of the bridge that talks to the network.

use super::config::{Config, Token, redact};
use super::delivery::{Fault, FaultKind, Outcome};
use super::form::Form;
use super::wire::{Answer, Call};
use crate::calendar;
use crate::http;
use std::sync::Arc;
use std::time::Duration;
use ureq::{Agent, Error, SendBody};

/// Longest set-up of a connection, name resolution aside.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest request as a whole, without what a file or a held answer takes.
const WHOLE: Duration = Duration::from_secs(30);
/// The slowest line on which a picture still gets through, in bytes a second.
const SLOWEST_UPLOAD: usize = 20_000;
/// Largest answer that is read, in bytes.
const MOST_ANSWER: u64 = 1024 * 1024;

/// What makes calls. Tests pass their own.
pub(super) trait Api {
    /// Makes one call at `now`, by the wall clock as time since the Unix epoch, and waits for what comes of it.
    fn call(&mut self, call: &Call<'_>, now: Duration) -> Outcome;
}

/// The Bot API over HTTP.
pub(super) struct Client {
    agent: Agent,
    whole: Duration,
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
        Self { agent, whole, api_url: config.api_url.clone(), token: config.token.clone() }
    }

    /// The handle by which another thread interrupts a request.
    pub(super) fn interrupt(&self) -> Agent {
        self.agent.clone()
    }

    fn post(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let address = format!("{}/bot{}/{}", self.api_url, self.token.reveal(), call.method);
        let carried = call.file.map_or(0, |file| file.bytes.len() / SLOWEST_UPLOAD);
        let whole = self.whole + call.held + Duration::from_secs(carried as u64);
        let mut request = self.agent.post(address).config().timeout_global(Some(whole)).build();
        if call.last {
            request = request.header("Connection", "close");
        }
        let mut response = match &call.file {
            None => {
                let body = serde_json::to_vec(&call.fields).map_err(|error| Error::Other(Box::new(error)))?;
                request.header("Content-Type", "application/json").send(body.as_slice())?
            }
            Some(file) => {
                let mut form = Form::new(call, file);
                let length = form.length().to_string();
                let request = request.header("Content-Type", form.content_type());
                request.header("Content-Length", length).send(SendBody::from_reader(&mut form))?
            }
        };
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
    fn call(&mut self, call: &Call<'_>, now: Duration) -> Outcome {
        match self.post(call) {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(self.fault(&error, now)),
        }
    }
}
