//! Requests to Moonraker's HTTP, with the credentials that it takes.

use super::{TransferError, address, refused};
use crate::http::SameThreadResolver;
use crate::source::control::{Control, ControlError};
use crate::source::moonraker::ApiKey;
use serde_json::Value;
use std::io::Read;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Response;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body, Error, SendBody};

/// Time for connecting.
const CONNECT: Duration = Duration::from_secs(5);
/// Time in which at least a piece must come or go.
const PIECE: Duration = Duration::from_secs(30);
/// Time for the answer to an upload: Moonraker scans the file first, which for a large one takes minutes.
const SCAN: Duration = Duration::from_secs(600);
/// Time for a question over the source's connection.
const ANSWER: Duration = Duration::from_secs(10);
/// Size of the buffers on each side, in bytes; bounds the header of an answer, too.
const BUFFER: usize = 16 * 1024;

/// Credentials, in the order in which they are tried.
#[derive(Debug, Clone)]
enum Credentials {
    /// This machine is trusted, or there are no logins.
    None,
    /// The key that is set, or was told before.
    Known(ApiKey),
    /// The key that Moonraker told now.
    Told(ApiKey),
    /// Told over the source's connection, good for one request: for ways on which the header with the key is lost.
    Once(ApiKey),
}

/// Sends requests for one transfer.
pub(super) struct Courier<'a> {
    control: &'a Control,
    agent: Agent,
    base: String,
    most_upload: Option<u64>,
    credentials: Credentials,
}

impl<'a> Courier<'a> {
    /// Asks where Moonraker's HTTP is.
    pub(super) fn new(control: &'a Control) -> Result<Self, ControlError> {
        let answer = control.ask(
            "server.config".into(),
            &Value::Null,
            Some(ANSWER),
            Box::new(|text| Some(address::server(text))),
        );
        let server = match answer.wait() {
            Ok(server) => server,
            Err(ControlError::Refused { .. } | ControlError::TimedOut { .. }) => address::Server::default(),
            Err(error) => return Err(error),
        };
        let known = control.web.known().clone();
        let base = known.endpoint.as_ref().and_then(address::of_endpoint).or(server.base);
        let key = known.set_key.or(known.told_key);
        Ok(Self {
            control,
            agent: agent(),
            base: base.unwrap_or_else(|| address::USUAL.to_owned()),
            most_upload: server.most_upload,
            credentials: key.map_or(Credentials::None, Credentials::Known),
        })
    }

    /// The address, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Largest file that Moonraker takes, in bytes, where it is known.
    pub(super) fn most_upload(&self) -> Option<u64> {
        self.most_upload
    }

    /// Fetches; finds out which credentials are taken. `what` names it in errors.
    pub(super) fn get(&mut self, target: &str, what: &str) -> Result<Response<Body>, TransferError> {
        loop {
            let mut request = self.agent.get(self.url(target));
            if let Some(key) = self.header() {
                request = request.header("X-Api-Key", key);
            }
            let answer = request.call().map_err(|error| self.failed(&error))?;
            match answer.status().as_u16() {
                200 => return Ok(answer),
                401 if self.next_credentials() => {}
                status => return Err(refused_with(status, answer, what)),
            }
        }
    }

    /// Sends; takes the credentials that [`Self::get`] found.
    pub(super) fn post(
        &mut self,
        target: &str,
        content_type: &str,
        length: u64,
        body: &mut dyn Read,
    ) -> Result<Response<Body>, TransferError> {
        if matches!(self.credentials, Credentials::Once(_)) {
            self.credentials = self.once().unwrap_or(Credentials::None);
        }
        let mut request = self.agent.post(self.url(target));
        if let Some(key) = self.header() {
            request = request.header("X-Api-Key", key);
        }
        let request =
            request.header("Content-Type", content_type).header("Content-Length", length.to_string());
        let request = request.config().timeout_per_read(Some(SCAN)).build();
        let answer = request.send(SendBody::from_reader(body)).map_err(|error| self.failed(&error))?;
        match answer.status().as_u16() {
            200 | 201 => Ok(answer),
            status => Err(refused_with(status, answer, "upload")),
        }
    }

    fn url(&self, target: &str) -> String {
        match &self.credentials {
            Credentials::Once(token) => {
                let mark = if target.contains('?') { '&' } else { '?' };
                format!("{}{target}{mark}token={}", self.base, address::encoded(token.reveal()))
            }
            _ => format!("{}{target}", self.base),
        }
    }

    fn header(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Known(key) | Credentials::Told(key) => Some(key.reveal()),
            Credentials::None | Credentials::Once(_) => None,
        }
    }

    /// Goes on to the next credentials; false when there are none left.
    fn next_credentials(&mut self) -> bool {
        let next = match &self.credentials {
            Credentials::None | Credentials::Known(_) => self.told().or_else(|| self.once()),
            Credentials::Told(_) => self.once(),
            Credentials::Once(_) => None,
        };
        let found = next.is_some();
        self.credentials = next.unwrap_or(Credentials::None);
        found
    }

    fn told(&self) -> Option<Credentials> {
        let key = self.secret("access.get_api_key")?;
        self.control.web.known().told_key = Some(key.clone());
        Some(Credentials::Told(key))
    }

    fn once(&self) -> Option<Credentials> {
        self.secret("access.oneshot_token").map(Credentials::Once)
    }

    /// A secret that Moonraker tells whom it trusts.
    fn secret(&self, method: &'static str) -> Option<ApiKey> {
        let plain =
            |key: &String| !key.is_empty() && key.len() <= 128 && key.bytes().all(|b| b.is_ascii_graphic());
        let read = move |text: &str| serde_json::from_str(text).ok().filter(plain).map(ApiKey::new);
        let told = self.control.ask(method.into(), &Value::Null, Some(ANSWER), Box::new(read)).wait();
        told.inspect_err(|error| log::debug!("moonraker: {error}")).ok()
    }

    fn failed(&self, error: &Error) -> TransferError {
        let why = error.to_string();
        match error {
            Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                TransferError::NoAnswer { base: self.base.clone(), why }
            }
            Error::HostNotFound | Error::ConnectionFailed | Error::Timeout(ureq::Timeout::Connect) => {
                TransferError::NoAnswer { base: self.base.clone(), why }
            }
            _ => TransferError::Broken { why },
        }
    }
}

/// What a status says. Of the body only the message is looked at: it may hold a trace.
fn refused_with(status: u16, mut answer: Response<Body>, what: &str) -> TransferError {
    let mut text = Vec::new();
    let read = answer.body_mut().as_reader().take(super::MOST_ANSWER).read_to_end(&mut text);
    let body: Option<Value> = read.ok().and_then(|_| serde_json::from_slice(&text).ok());
    let message = body.as_ref().and_then(|body| body.pointer("/error/message")?.as_str());
    refused(status, message.unwrap_or_default(), what)
}

fn agent() -> Agent {
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("octobridge/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(PIECE))
        .timeout_per_write(Some(PIECE))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(BUFFER)
        .build();
    Agent::with_parts(config, ().chain(TcpConnector::default()), SameThreadResolver::default())
}
