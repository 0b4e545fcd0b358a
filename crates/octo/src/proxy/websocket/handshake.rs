//! The two handshakes of a relayed WebSocket: the browser's with us and ours with the service.

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::exchange::{self, Failure, Line};
use super::super::hop;
use super::super::service::{Ask, Shared};
use super::super::target::Target;
use super::super::upload::{Source, Upload};
use crate::api::error::{ApiError, Code};

/// Whether a browser asks for a WebSocket.
pub(in super::super) fn is_asked_for(parts: &http::request::Parts) -> bool {
    parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && hop::has_word(&parts.headers, header::UPGRADE, "websocket")
        && hop::has_word(&parts.headers, header::CONNECTION, "upgrade")
}

/// The connection that the browser is about to give us.
pub(in super::super) fn promised(ask: &mut Ask) -> Result<OnUpgrade, ApiError> {
    ask.parts
        .extensions
        .remove()
        .ok_or_else(|| ApiError::new(Code::BadRequest, "this connection cannot become a WebSocket"))
}

/// The answer that makes the browser's connection a WebSocket without asking the service.
pub(in super::super) fn accept(
    headers: &HeaderMap,
    protocol: Option<&'static str>,
) -> Result<Response, ApiError> {
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        return Err(ApiError::new(Code::BadRequest, "Sec-WebSocket-Version has to be 13"));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| ApiError::new(Code::BadRequest, "the request has no Sec-WebSocket-Key"))?;
    let mut response = switching();
    let accepted = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    if let Some(protocol) = protocol {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    Ok(response)
}

/// An answer 101.
pub(in super::super) fn switching() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    put_upgrade(response.headers_mut());
    response
}

/// Asks for a WebSocket in headers that lost the hop's own.
pub(in super::super) fn put_upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Our own socket to a terminal server, and what it sent already.
pub(in super::super) async fn dial_terminal(
    shared: &Shared,
    ask: &Ask,
    target: &Target,
    line: Line,
) -> Result<(tokio::net::TcpStream, bytes::Bytes), Failure> {
    let (upload, outcome) = Upload::new(Source::Empty, 0, None);
    let mut request: Request<Upload> = super::super::http::request(shared, ask, target, upload)?;
    let origin = format!("http://{}", target.address);
    // Its own query says which of its terminals is wanted.
    let own = request.uri().query().map(|query| format!("/ws?{query}"));
    *request.uri_mut() = own
        .map_or_else(|| Ok(http::Uri::from_static("/ws")), |to| to.parse())
        .map_err(|_| Failure::Broken("the query cannot be sent on".into()))?;
    let key = generate_key();
    let headers = request.headers_mut();
    put_upgrade(headers);
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("tty"));
    for (name, value) in [
        (header::SEC_WEBSOCKET_KEY, key.as_str()),
        // The browser's page was checked by this server; a terminal server compares it with its own address.
        (header::ORIGIN, origin.as_str()),
    ] {
        headers
            .insert(name, HeaderValue::from_str(value).map_err(|error| Failure::Broken(error.to_string()))?);
    }
    let (answer, line) = line.send(request, &outcome, shared.limits.connect).await?;
    if !exchange::is_upgrade(&answer) {
        return Err(Failure::Declined(answer.status()));
    }
    let accepted = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes())
        || !hop::has_word(answer.headers(), header::SEC_WEBSOCKET_PROTOCOL, "tty")
    {
        return Err(Failure::Broken("the terminal does not speak ttyd's protocol".into()));
    }
    line.into_upgraded().await.ok_or_else(|| Failure::Broken("the terminal broke off".into()))
}
