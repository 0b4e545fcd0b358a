//! What a request brings to say who asks, and where it was. The order of looking is part of the API.

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap};
use http::{Method, Uri};

use super::bearer::{self, Malformed};
use super::{cookie, origin, ticket};

/// The header by which a client of the development mode says who it is.
const DEV_HEADER: &str = "x-dev-user";
/// How a token of the development mode begins.
const DEV_TOKEN: &str = "dev:";

/// What a request brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A signed token.
    Token {
        /// Its text.
        text: String,
        /// Whether it came by cookie.
        by_cookie: bool,
    },
    /// A ticket, good once.
    Ticket(String),
    /// A user of the development mode, believed on their word.
    Dev(String),
}

/// What the request brings: the header `Authorization`, the cookie, the parameter `token` of a WebSocket or an event stream,
/// and in the development mode `X-Dev-User`; the first that is there counts.
///
/// # Errors
/// When there is an `Authorization` that is not `Bearer TOKEN`; nothing else is looked at then.
pub fn find(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    dev_mode: bool,
) -> Result<Option<Credential>, Malformed> {
    let mut written = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = written.next() {
        if written.next().is_some() {
            return Err(Malformed);
        }
        return bearer::token(value.as_bytes()).map(|text| Some(of(text, false, dev_mode)));
    }
    if let Some(text) = cookie::token(headers) {
        return Ok(Some(of(text, true, dev_mode)));
    }
    if takes_parameter(method, headers)
        && let Some(text) = parameter(uri)
    {
        return Ok(Some(if text.starts_with(ticket::PREFIX) {
            Credential::Ticket(text)
        } else {
            of(&text, false, dev_mode)
        }));
    }
    if dev_mode && let Some(user) = headers.get(DEV_HEADER).and_then(|value| value.to_str().ok()) {
        return Ok(Some(Credential::Dev(user.trim().to_owned())));
    }
    Ok(None)
}

fn of(text: &str, by_cookie: bool, dev_mode: bool) -> Credential {
    match text.strip_prefix(DEV_TOKEN) {
        // A cookie is nobody's own word: another site's page can make a browser keep one.
        Some(user) if dev_mode && !by_cookie => Credential::Dev(user.to_owned()),
        _ => Credential::Token { text: text.to_owned(), by_cookie },
    }
}

/// Addresses stay in histories and logs, so only where a browser can send nothing else: WebSockets and event streams.
fn takes_parameter(method: &Method, headers: &HeaderMap) -> bool {
    let streams = || {
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            value.split(',').any(|kind| kind.trim().to_ascii_lowercase().starts_with("text/event-stream"))
        })
    };
    *method == Method::GET && (origin::is_websocket(headers) || streams())
}

fn parameter(uri: &Uri) -> Option<String> {
    url::form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}
