//! From where a request comes, for all that is behind.

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::auth::Client;
use crate::server::App;

/// Leaves a [`Client`] in the request.
pub async fn find(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), |peer| peer.0);
    let client = Client::of(request.headers(), peer, &app.config.server.trusted_proxies);
    request.extensions_mut().insert(client);
    next.run(request).await
}
