//! Requests and answers of the HTTP dialect, without what carries them.

use super::identity::Identity;
use super::order::Order;
use super::token::Token;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest body of an answer that is looked at, in bytes. What carries the answers need not read further.
pub(crate) const MOST_BODY: usize = 256 * 1024;
/// Longest text of an answer that people are shown, in characters.
const MOST_SHOWN: usize = 300;

/// The path of a new registration, and of the question after its token.
pub(crate) const REGISTER: &str = "/p/register";
/// Where telemetry goes.
pub(crate) const TELEMETRY: &str = "/p/telemetry";
/// Where events go.
pub(crate) const EVENTS: &str = "/p/events";

/// A request. It may hold the token, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct Request {
    /// `GET`, `POST` or `PUT`.
    pub(crate) method: &'static str,
    /// The path, with the query if there is one.
    pub(crate) path: Cow<'static, str>,
    /// What Connect wants to see; what HTTP itself needs is added by what carries it.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body: JSON.
    pub(crate) body: Option<Arc<str>>,
}

impl Request {
    /// A request with the headers that all requests of a printer have. `created` is when what it tells was so, as time
    /// since the Unix epoch.
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<Cow<'static, str>>,
        identity: &Identity,
        token: Option<&Token>,
        created: Duration,
    ) -> Self {
        let mut headers = Vec::with_capacity(8);
        let mut put = |name, value: &str| {
            let value = header_text(value);
            if !value.is_empty() {
                headers.push((name, value));
            }
        };
        put("Fingerprint", &identity.fingerprint);
        put("Timestamp", &timestamp(created));
        put("User-Agent", &identity.product);
        put("User-Agent-Printer", &identity.printer_type);
        put("User-Agent-Version", identity.version());
        put("Token", token.map_or("", Token::reveal));
        Self { method, path: path.into(), headers, body: None }
    }

    /// The same with one more header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, header_text(value)));
        self
    }

    /// The same with a body of JSON.
    #[must_use]
    pub(crate) fn with_json(mut self, body: Arc<str>) -> Self {
        self.headers.push(("Content-Type", "application/json".to_owned()));
        self.body = Some(body);
        self
    }
}

/// What of a text may stand in a header: nothing that would end it.
fn header_text(text: &str) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).collect()
}

/// A wall clock's time in seconds with one decimal, cut off.
pub(crate) fn timestamp(at: Duration) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write!(text, "{}.{}", at.as_secs(), at.subsec_millis() / 100);
    text
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, or its first [`MOST_BODY`] bytes and one more.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header without space around it, whatever the case of its name; none where it is missing or empty.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// What it says, for people: the `message` of a JSON body, else the beginning of the body, else the status; without the
    /// token, which some servers say back.
    pub(crate) fn words(&self, token: Option<&Token>) -> String {
        let body = self.body.get(..self.body.len().min(4096)).unwrap_or_default();
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let message = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str);
        let text = String::from_utf8_lossy(body);
        let text = message.unwrap_or(&text).trim();
        let text = token.map_or_else(|| text.to_owned(), |token| token.hide_in(text));
        let shown: String = text.chars().filter(|letter| !letter.is_control()).take(MOST_SHOWN).collect();
        if shown.is_empty() { format!("status {}", self.status) } else { shown }
    }

    /// For how long not to ask again, if it says so: seconds or a date. `now` is the time since the Unix epoch.
    pub(crate) fn retry_after(&self, now: Duration) -> Option<Duration> {
        let text = self.header("Retry-After")?;
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        date(text).map(|date| date.saturating_sub(now))
    }

    /// How long what it gives is good for, by its `Expires` and its own `Date` or, without one, the time `now` since
    /// the Unix epoch.
    pub(crate) fn lifetime(&self, now: Duration) -> Option<Duration> {
        let expires = self.header("Expires").and_then(date)?;
        let now = self.header("Date").and_then(date).unwrap_or(now);
        expires.checked_sub(now)
    }
}

/// A date of a header, as time since the Unix epoch.
fn date(text: &str) -> Option<Duration> {
    httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()
}

/// A command that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Its number, where that is known.
    pub(crate) id: Option<u32>,
    /// Why, as Connect is told.
    pub(crate) reason: String,
}

/// The command in an answer of status 200 to telemetry.
///
/// # Errors
///
/// If there is none that can be read; Connect is to be told.
pub(crate) fn command(reply: &Reply) -> Result<Order, Unreadable> {
    let id = reply.header("Command-Id").and_then(|text| text.parse().ok()).filter(|id| *id > 0);
    let Some(id) = id else {
        return Err(Unreadable { id: None, reason: "Invalid Command-Id header".to_owned() });
    };
    let unreadable = |reason: String| Unreadable { id: Some(id), reason };
    if reply.body.len() > MOST_BODY {
        return Err(unreadable("The command is too long".to_owned()));
    }
    let force = reply.header("Force") == Some("1");
    let kind = reply.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    if kind.split(';').next().is_some_and(|kind| kind.trim_end() == "text/x.gcode") {
        let gcode = Value::from(String::from_utf8_lossy(&reply.body).into_owned());
        let kwargs = Map::from_iter([("gcode".to_owned(), gcode.clone())]);
        return Ok(Order { id, name: "GCODE".to_owned(), args: vec![gcode], kwargs, force });
    }
    if !kind.starts_with("application/json") {
        return Err(unreadable("Invalid command content type".to_owned()));
    }
    let json = serde_json::from_slice(&reply.body).map_err(|error| unreadable(error.to_string()))?;
    let Value::Object(mut json) = json else {
        return Err(unreadable("The command is no JSON object".to_owned()));
    };
    let name = json.get("command").and_then(Value::as_str).unwrap_or_default().to_owned();
    let args = match json.remove("args") {
        Some(Value::Array(args)) => args,
        _ => Vec::new(),
    };
    let kwargs = match json.remove("kwargs") {
        Some(Value::Object(kwargs)) => kwargs,
        _ => Map::new(),
    };
    Ok(Order { id, name, args, kwargs, force })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
