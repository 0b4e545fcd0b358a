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
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
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

/// How often each loop wakes for nothing: shorter than what requests wait for at most, so that no timer of theirs is the
/// next one. To set one that is the next costs two calls of the system, for every request.
const PULSE: Duration = Duration::from_secs(10);

/// Threads that serve connections, each with a loop of its own. A connection stays with one of them, so that a request and
/// its answer wake no other thread: that costs more than all that is done with a small one.
#[derive(Debug)]
pub struct Loops {
    handles: Vec<Handle>,
}

impl Loops {
    /// Starts as many as the machine has processors. They end with the process: what connections began may go on in them
    /// when the last connection has ended.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            std::thread::Builder::new().name("connections".into()).spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::time::sleep(PULSE).await;
                    }
                });
            })?;
        }
        Ok(Self { handles })
    }
}

/// Serves connections until `ending` is cancelled; then lets those that are open finish the request that they are in. Ends
/// when the last one has: give it a deadline.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, ending: CancellationToken) {
    serve_on(&Loops { handles: vec![Handle::current()] }, listener, router, limits, ending).await;
}

/// As [`serve`], on these loops by turns.
pub async fn serve_on(
    loops: &Loops,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    ending: CancellationToken,
) {
    let here = Handle::current().id();
    let mut turns = loops.handles.iter().cycle();
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
                let Some(turn) = turns.next() else { break };
                let (router, ending) = (router.clone(), ending.clone());
                if turn.id() == here {
                    connections.spawn(async move {
                        connection(stream, peer, router, limits, ending).await;
                        drop(place);
                    });
                    continue;
                }
                // What the system refuses here ends this connection alone.
                let Ok(stream) = stream.into_std() else { continue };
                let served = async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        connection(stream, peer, router, limits, ending).await;
                    }
                    drop(place);
                };
                connections.spawn_on(served, turn);
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
