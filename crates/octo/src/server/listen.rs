//! Connections: how many, and how long a slow one may hold its place.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::patient::Patient;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At one time; more wait until one ends. Each terminal holds one.
    pub connections: usize,
    /// From the first byte of a request's head, or from the end of the request before, to the end of its head.
    pub head: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, head: Duration::from_secs(30), stall: Duration::from_secs(120) }
    }
}

/// Serves connections until `ending` is cancelled; then lets those that are open finish the request that they are in. Ends
/// when the last one has: give it a deadline.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, ending: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = ending.cancelled() => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (place, Ok((stream, peer))) => {
                let served = connection(stream, peer, router.clone(), limits, ending.clone());
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            (_, Err(error)) => {
                // Out of file descriptors, mostly: it passes when a connection ends.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    ending: CancellationToken,
) {
    // Key strokes in a terminal must not wait for each other.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        async move { Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.stall)), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        () = ending.cancelled() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
