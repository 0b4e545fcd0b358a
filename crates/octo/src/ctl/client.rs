//! Requests to the server.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use super::failure::Failure;
use crate::config::Secret;

/// Longest answer that is read.
const LONGEST: u64 = 64 * 1024 * 1024;
/// How long an answer may take to begin: stopping and starting containers takes its time.
const PATIENCE: Duration = Duration::from_secs(660);

/// What a client proves itself with.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A token.
    Bearer(Secret),
    /// A name, where the server is in development mode.
    DevUser(String),
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    pub(super) server: String,
    credential: Option<Credential>,
}

/// A part of a path, made safe.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A query of those that have a value.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", part(value.as_deref()?))))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

impl Client {
    /// Of the server at this URL.
    pub(super) fn new(server: &str, credential: Option<Credential>) -> Result<Self, Failure> {
        let url = url::Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            return Err(Failure::usage(format!("--server {server}: give a URL as http://localhost:8080")));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(PATIENCE))
            .max_redirects(0)
            .user_agent(concat!("octoctl/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Self { agent, server: server.trim_end_matches('/').to_owned(), credential })
    }

    /// Asks and gives the answer's body as JSON; null where there is none.
    pub(super) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let text = self.text(method, path, body)?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|_| {
            Failure::new(format!("{} answered, but not as octo does; is --server right?", self.server))
        })
    }

    /// `GET` of a list, with all its pages.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut page = path.to_owned();
        loop {
            let answer = self.answer("GET", &page, None)?;
            let next = answer.headers().get("x-next-cursor").and_then(|next| next.to_str().ok());
            let next = next.map(|next| utf8_percent_encode(next, NON_ALPHANUMERIC).to_string());
            let text = self.read(answer.status().as_u16(), answer.into_body().into_reader())?;
            match serde_json::from_str(&text) {
                Ok(Value::Array(items)) => all.extend(items),
                _ => return Err(Failure::new(format!("{} answered, but not with a list", self.server))),
            }
            let Some(next) = next else { return Ok(all) };
            let mark = if path.contains('?') { '&' } else { '?' };
            page = format!("{path}{mark}cursor={next}");
        }
    }

    /// Asks and gives the answer's body as text.
    pub(super) fn text(&self, method: &str, path: &str, body: Option<&Value>) -> Result<String, Failure> {
        let (status, body) = self.send(method, path, body)?;
        self.read(status, body)
    }

    fn read(&self, status: u16, mut body: ureq::BodyReader<'static>) -> Result<String, Failure> {
        let mut text = Vec::new();
        body.by_ref().take(LONGEST).read_to_end(&mut text).map_err(|why| self.broke(&why))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if (200..300).contains(&status) { Ok(text) } else { Err(Failure::refused(status, &text)) }
    }

    /// Follows a stream of events and gives each one's data to `each`, until the stream ends.
    pub(super) fn events(&self, path: &str, mut each: impl FnMut(&str)) -> Result<(), Failure> {
        let (status, mut body) = self.send("GET", path, None)?;
        if status != 200 {
            let mut text = String::new();
            drop(body.by_ref().take(LONGEST).read_to_string(&mut text));
            return Err(Failure::refused(status, &text));
        }
        for line in BufReader::new(body).lines() {
            let line = line.map_err(|why| self.broke(&why))?;
            if let Some(data) = line.strip_prefix("data:") {
                each(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        Ok(())
    }

    /// Asks; gives the status and the body.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, ureq::BodyReader<'static>), Failure> {
        let answer = self.answer(method, path, body)?;
        Ok((answer.status().as_u16(), answer.into_body().into_reader()))
    }

    fn answer(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<http::Response<ureq::Body>, Failure> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.server));
        request = match &self.credential {
            Some(Credential::Bearer(token)) => {
                request.header("authorization", format!("Bearer {}", token.reveal()))
            }
            Some(Credential::DevUser(name)) => request.header("x-dev-user", name),
            None => request,
        };
        let answer = match body {
            None => request.body(()).map_err(|why| self.unfit(&why)).map(|request| self.agent.run(request)),
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map_err(|why| self.unfit(&why))
                .map(|request| self.agent.run(request)),
        };
        answer?.map_err(|why| Failure::unreachable(&self.server, &why))
    }

    fn unfit(&self, why: &http::Error) -> Failure {
        Failure::usage(format!("the request to {} cannot be made: {why}", self.server))
    }

    fn broke(&self, why: &std::io::Error) -> Failure {
        Failure::unreachable(&self.server, &format!("the answer broke off: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_typed_stays_one_part_of_a_path() {
        assert_eq!(part("cold-lamp"), "cold%2Dlamp");
        assert_eq!(part("../admin?x#y"), "%2E%2E%2Fadmin%3Fx%23y");
        assert_eq!(query(&[("a", Some("1&b=2".into())), ("c", None)]), "?a=1%26b%3D2");
        assert_eq!(query(&[("a", None)]), "");
    }

    #[test]
    fn a_server_is_named_by_a_url() {
        for (server, fits) in [
            ("http://localhost:8080", true),
            ("https://octo.example/", true),
            ("localhost:8080", false),
            ("ftp://x", false),
            ("", false),
        ] {
            assert_eq!(Client::new(server, None).is_ok(), fits, "{server}");
        }
    }
}
