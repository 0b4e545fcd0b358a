//! The terminal's WebSocket: accepted while the session starts, and connected once its terminal listens.
//!
//! What the browser offers as subprotocol decides. `tty` is ttyd's protocol, relayed frame by frame ([`tty`]); without
//! one it is the simple dialect for programs ([`simple`]).

pub mod dialect;
mod simple;
mod tty;
mod wait;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

use super::exchange::{Failure, Line};
use super::hop;
use super::http as plain;
use super::reach::Reach;
use super::route::Route;
use super::service::{Ask, Shared};
use super::target::Use;
use super::websocket::handshake;
use crate::api::error::ApiError;
use crate::session::State;

/// Whether an upgrade of this path of the terminal means the terminal's own socket.
pub(super) fn is_its_socket(path: &str) -> bool {
    matches!(path, "/" | "/ws")
}

/// Sends a browser to the terminal's page: its own addresses are relative to a path that ends in `/`.
pub(super) fn to_its_page(route: &Route) -> Response {
    let mark = if route.query().is_empty() { "" } else { "?" };
    let query = super::credentials::query(route.query());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(&format!("{}/{mark}{query}", route.prefix)) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// An open socket to a terminal server, and what it sent already.
type Upstream = (tokio::net::TcpStream, bytes::Bytes);

/// Accepts the socket, or says why not.
pub(super) async fn open(shared: &Arc<Shared>, mut ask: Ask) -> Result<Response, ApiError> {
    plain::without_body(&ask)?;
    let is_tty = hop::has_word(&ask.parts.headers, header::SEC_WEBSOCKET_PROTOCOL, "tty");
    let response = handshake::accept(&ask.parts.headers, is_tty.then_some("tty"))?;
    let promised = handshake::promised(&mut ask)?;
    let upstream = {
        let reach = Reach::new(shared, &ask, shared.limits.terminal).await?;
        shared.targets.used(reach.target.session, Use::Active);
        if reach.target.state == State::Running { at_once(shared, &ask, reach).await? } else { None }
    };
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let Ok(client) = promised.await else { return };
        let client = hyper_util::rt::TokioIo::new(client);
        if is_tty {
            tty::serve(&shared, ask, client, upstream).await;
        } else {
            simple::serve(&shared, ask, client, upstream).await;
        }
    });
    Ok(response)
}

/// One attempt at the terminal of a session that runs. Refuses where the session lives and the terminal does not;
/// `None` where the session turns out to be starting.
async fn at_once(
    shared: &Arc<Shared>,
    ask: &Ask,
    mut reach: Reach<'_>,
) -> Result<Option<Upstream>, ApiError> {
    match dial(shared, ask, &reach).await {
        Ok(upstream) => Ok(Some(upstream)),
        // Comes back without an error only where there is something to wait for.
        Err(failure) => reach.after(failure, true).await.map(|()| None),
    }
}

async fn dial(shared: &Shared, ask: &Ask, reach: &Reach<'_>) -> Result<Upstream, Failure> {
    let line = Line::new(reach.connect().await?).await?;
    handshake::dial_terminal(shared, ask, &reach.target, line).await
}
