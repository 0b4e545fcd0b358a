//! The only place of the bridge that talks to the network.

use super::super::config::{Config, Token, redact};
use super::form::Form;
use super::outcome::{Fault, FaultKind, Outcome};
use super::wire::{Answer, Call};
use crate::calendar;
use crate::http;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::{Agent, Error, SendBody};

/// Longest set-up of a connection, name resolution aside.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest request as a whole, without what a file or a held answer takes.
const WHOLE: Duration = Duration::from_secs(30);
/// How much longer one with a file may take, besides what the file takes on its way.
const WITH_FILE: Duration = Duration::from_secs(30);
/// The slowest line on which a picture still gets through, in bytes a second.
const SLOWEST_UPLOAD: usize = 20_000;
/// How much longer than it may hold the answer back a server has for it.
const AFTER_HOLD: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const MOST_ANSWER: u64 = 1024 * 1024;

/// What makes calls. Tests pass their own.
pub(in crate::bridge::telegram) trait Api {
    /// Makes one call at `now`, by the wall clock as time since the Unix epoch, and waits for what comes of it.
    fn call(&mut self, call: &Call<'_>, now: Duration) -> Outcome;

    /// Begins to fetch a file by the path that `getFile` gave: its length in bytes where it is told, and its content.
    /// `most` bounds the time, by the bytes that may come.
    fn fetch(&mut self, _path: &str, _most: u64, _now: Duration) -> Result<Fetched, Fault> {
        Err(Fault { kind: FaultKind::Network, text: "no files here".to_owned() })
    }

    /// Closes the connection that was kept for what follows.
    fn rest(&mut self) {}
}

/// A file on its way to us: its length in bytes where it is told, and its content.
pub(in crate::bridge::telegram) type Fetched = (Option<u64>, Box<dyn Read>);

/// The Bot API over HTTP.
pub(in crate::bridge::telegram) struct Client {
    agent: Arc<Mutex<Agent>>,
    tls: Arc<rustls::ClientConfig>,
    connect: Duration,
    whole: Duration,
    api_url: String,
    token: Token,
}

impl Client {
    /// A client for the bot of `config`.
    pub(in crate::bridge::telegram) fn new(config: &Config, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::within(config, tls, CONNECT, WHOLE)
    }

    /// The same with other limits for the set-up of a connection and for a request.
    pub(in crate::bridge::telegram) fn within(
        config: &Config,
        tls: Arc<rustls::ClientConfig>,
        connect: Duration,
        whole: Duration,
    ) -> Self {
        let agent = Arc::new(Mutex::new(http::agent(Arc::clone(&tls), connect, whole)));
        Self { agent, tls, connect, whole, api_url: config.api_url.clone(), token: config.token.clone() }
    }

    /// The handle by which another thread interrupts a request.
    pub(in crate::bridge::telegram) fn interrupt(&self) -> Interrupt {
        Interrupt(Arc::clone(&self.agent))
    }

    fn agent(&self) -> Agent {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn post(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let address = format!("{}/bot{}/{}", self.api_url, self.token.reveal(), call.method);
        let whole = Some(longest(call, self.whole));
        let request = self.agent().post(address).config().timeout_global(whole).build();
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

/// Longest request of this call as a whole, where one without a file may take `whole`.
fn longest(call: &Call<'_>, whole: Duration) -> Duration {
    match &call.file {
        Some(file) => whole + WITH_FILE + Duration::from_secs((file.bytes.len() / SLOWEST_UPLOAD) as u64),
        None if !call.held.is_zero() => call.held + AFTER_HOLD,
        None => whole,
    }
}

/// Interrupts what a client does.
#[derive(Clone)]
pub(in crate::bridge::telegram) struct Interrupt(Arc<Mutex<Agent>>);

impl Interrupt {
    /// Lets the request under way fail, and every further one.
    pub(in crate::bridge::telegram) fn now(&self) {
        let agent = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        agent.shutdown();
    }
}

impl Api for Client {
    fn call(&mut self, call: &Call<'_>, now: Duration) -> Outcome {
        match self.post(call) {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(self.fault(&error, now)),
        }
    }

    fn fetch(&mut self, path: &str, most: u64, now: Duration) -> Result<Fetched, Fault> {
        let refused = |text: String| Fault { kind: FaultKind::Network, text };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
        if path.starts_with('/') || path.contains("..") || !path.bytes().all(plain) {
            return Err(refused("Telegram names a file in a way that is not known here".to_owned()));
        }
        let address = format!("{}/file/bot{}/{path}", self.api_url, self.token.reveal());
        let whole = WHOLE + Duration::from_secs(most / SLOWEST_UPLOAD as u64);
        let request = self.agent().get(address).config().timeout_global(Some(whole)).build();
        let response =
            request.header("Connection", "close").call().map_err(|error| self.fault(&error, now))?;
        match response.status().as_u16() {
            200 => {
                let body = response.into_body();
                Ok((body.content_length(), Box::new(body.into_reader())))
            }
            status => Err(refused(format!("Telegram does not hand the file out: it answered {status}"))),
        }
    }

    fn rest(&mut self) {
        // Connections end with the agent that has them; the sessions that make the next one cheap are kept by TLS.
        let fresh = http::agent(Arc::clone(&self.tls), self.connect, self.whole);
        *self.agent.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_call_may_take_as_long_as_it_needs() {
        let chat = super::super::super::config::Chat::Id(5);
        let jpeg = vec![0; 2_000_000];
        let held = Call { held: Duration::from_secs(50), ..Call::new("getUpdates") };
        for (call, expected) in [
            (Call::message(&chat, None, "a"), 30),
            (held, 65),
            (Call::photo(&chat, None, "a", &jpeg[..100]), 60),
            (Call::photo(&chat, None, "a", &jpeg), 160),
            (Call::document(&chat, None, "a", &jpeg), 160),
        ] {
            assert_eq!(longest(&call, WHOLE).as_secs(), expected, "{}", call.method);
        }
    }

    #[test]
    fn a_rest_closes_the_connection_that_was_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut answered = 0;
            let mut bytes = [0; 4096];
            loop {
                match stream.read(&mut bytes).unwrap() {
                    0 => return answered,
                    length if bytes[..length].ends_with(b"}") => answered += 1,
                    _ => continue,
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}").unwrap();
            }
        });
        let setting = |name: &str| match name {
            "TELEGRAM_BOT_TOKEN" => Some("1:secret-token".to_owned()),
            "TELEGRAM_CHAT_ID" => Some("5".to_owned()),
            "TELEGRAM_API_URL" => Some(url.clone()),
            _ => None,
        };
        let config = Config::parse(&setting).unwrap();
        let mut client = Client::new(&config, tls::client_config(None).unwrap());
        for _ in 0..2 {
            let outcome = client.call(&Call::new("getMe"), Duration::ZERO);
            assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
        }
        client.rest();
        assert_eq!(server.join().unwrap(), 2);
    }
}
