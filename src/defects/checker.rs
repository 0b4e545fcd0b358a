//! Carries out a check: the only place here that talks to the network.

use super::config::Config;
use super::failure::{Class, Failure};
use super::question::{Question, Subject};
use super::verdict::{Answer, Verdict};
use crate::{backoff, http};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use ureq::{Agent, Error, SendBody};

/// Longest set-up of a connection, name resolution aside.
const CONNECT: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const MOST_ANSWER: u64 = 1024 * 1024;

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How many requests the service had, and may charge for.
    pub requests: u32,
    /// The verdict, or why there is none.
    pub result: Result<Verdict, Failure>,
}

/// Waits between two requests. Tests pass their own.
pub trait Sleep: Send + Sync {
    /// Waits; false if it was woken for good.
    fn sleep(&self, time: Duration) -> bool;

    /// Ends this wait and all that follow.
    fn wake(&self);
}

/// Waits in the time of the machine.
#[derive(Debug, Default)]
pub struct Nap {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Sleep for Nap {
    fn sleep(&self, time: Duration) -> bool {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(woken, time, |woken| !*woken);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Carries a question to the model and an answer back. Tests pass their own.
pub trait Exchange {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    fn ask(&self, config: &Config, question: &Question<'_>) -> Result<Reply, Failure>;

    /// Interrupts the question under way, and all that follow.
    fn interrupt(&self);
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The chat completions API over HTTP.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
}

/// Asks the model about pictures, one after the other.
pub struct Checker<E = Http> {
    config: Config,
    exchange: E,
    sleep: Box<dyn Sleep>,
    stopped: AtomicBool,
    /// Whether the service refuses schemas.
    plain: AtomicBool,
}

impl Checker {
    /// A checker that has no connection yet, and keeps none.
    pub fn new(config: Config, tls: Arc<rustls::ClientConfig>, sleep: Box<dyn Sleep>) -> Self {
        let agent = http::agent(tls, CONNECT, config.timeout);
        Self::with(config, Http { agent }, sleep)
    }
}

impl<E: Exchange> Checker<E> {
    /// A checker that asks in another way.
    pub fn with(config: Config, exchange: E, sleep: Box<dyn Sleep>) -> Self {
        let (stopped, plain) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { config, exchange, sleep, stopped, plain }
    }

    /// Checks one picture, in at most `most_requests` requests. Blocks: for [`Config::timeout`] in each of up to four
    /// requests, and for up to half a minute before each of the last two. Needs 256 KB of stack, for TLS.
    pub fn check(&self, subject: &Subject<'_>, jpeg: &[u8], most_requests: u32) -> Outcome {
        let mut requests = 0;
        let result = self.try_all(subject, jpeg, most_requests, &mut requests);
        // Whatever went wrong when the program stops went wrong because of it.
        let result = match result {
            Err(_) if self.is_stopped() => Err(Failure::interrupted()),
            result => result,
        };
        Outcome { requests, result }
    }

    /// Interrupts the check under way, and all that follow.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.sleep.wake();
        self.exchange.interrupt();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn try_all(
        &self,
        subject: &Subject<'_>,
        jpeg: &[u8],
        most: u32,
        requests: &mut u32,
    ) -> Result<Verdict, Failure> {
        let mut structured = self.config.structured && !self.plain.load(Ordering::Relaxed);
        let mut repeats = 0;
        loop {
            if self.is_stopped() {
                return Err(Failure::interrupted());
            }
            if *requests >= most {
                return Err(Failure::not_started(&"no request is left of the day's"));
            }
            let question = Question::new(&self.config, subject, jpeg, structured);
            let answer = self.ask(&question);
            *requests += u32::from(answer.as_ref().err().is_none_or(|failure| failure.sent));
            let failure = match answer {
                Ok(verdict) => {
                    // It is not tried with a schema again, which would cost a request each time.
                    self.plain.store(self.config.structured && !structured, Ordering::Relaxed);
                    return Ok(verdict);
                }
                Err(failure) => failure,
            };
            if *requests >= most {
                return Err(failure);
            }
            if structured && failure.may_be_the_schema() {
                structured = false;
                continue;
            }
            let Some(pause) = failure.repeat_after(repeats, backoff::random()) else { return Err(failure) };
            repeats += 1;
            if !self.sleep.sleep(pause) {
                return Err(Failure::interrupted());
            }
        }
    }

    fn ask(&self, question: &Question<'_>) -> Result<Verdict, Failure> {
        let Reply { status, retry_after, body } = self.exchange.ask(&self.config, question)?;
        Answer { status, retry_after: retry_after.as_deref(), body: &body }.read(&self.config)
    }
}

impl Exchange for Http {
    fn ask(&self, config: &Config, question: &Question<'_>) -> Result<Reply, Failure> {
        let network = |error: Error, sent: bool| match error {
            Error::BodyExceedsLimit(_) => {
                let text = "the answer is longer than any of a model; check OPENROUTER_BASE_URL".to_owned();
                Failure::new(Class::Permanent, text)
            }
            error => Failure::network(config, &http::reason(&error), sent),
        };
        let mut body = question.body();
        let response = self
            .agent
            .post(format!("{}/chat/completions", config.base_url))
            .header("Authorization", format!("Bearer {}", config.key.expose()))
            .header("Content-Type", "application/json")
            .header("Content-Length", question.length())
            .header("Connection", "close")
            .send(SendBody::from_reader(&mut body));
        let mut response = response.map_err(|error| network(error, body.is_read()))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let body = response.body_mut().with_config().limit(MOST_ANSWER).read_to_vec();
        let body = body.map_err(|error| network(error, true))?;
        Ok(Reply { status, retry_after, body })
    }

    fn interrupt(&self) {
        self.agent.clone().shutdown();
    }
}

impl<E> fmt::Debug for Checker<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker").field("config", &self.config).finish_non_exhaustive()
    }
}
