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
use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::patient::Patient;
use super::places::Places;
use super::unread::{Noted, Unread};

/// Bytes that a connection keeps of what comes, and of what goes. A head that is larger is refused with 431; hyper would
/// keep 400 kB, and of all connections together more than many machines have.
const BUFFER: usize = 64 * 1024;
/// What somebody is told who has too many connections already.
const TOO_MANY: &str = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\n\
    Content-Type: application/json\r\nContent-Length: 94\r\n\r\n\
    {\"error\":\"your address has too many connections open; close some\",\"code\":\"TOO_MANY_REQUESTS\"}\n";

/// What connections may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// At one time; more wait until one ends. Each terminal holds one.
    pub connections: usize,
    /// Of one address, or of one network of IPv6, at one time; more are refused. Fewer than all: whoever has so many does
    /// not shut others out.
    pub of_address: usize,
    /// Addresses of proxies, whose connections are those of many people.
    pub proxies: Arc<[IpAddr]>,
    /// From the first byte of a request's head, or from the end of the request before, to the end of its head.
    pub head: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub stall: Duration,
    /// How long a client may send nothing of what it has begun to send, once it is answered and nobody reads that.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            of_address: 2048,
            proxies: Arc::default(),
            head: Duration::from_secs(30),
            stall: Duration::from_secs(120),
            linger: Duration::from_secs(5),
        }
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
    let places = Places::new(limits.connections, limits.of_address, Arc::clone(&limits.proxies));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = ending.cancelled() => break,
            accepted = async {
                let place = places.one().await;
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (place, Ok((stream, peer))) => {
                // What the system refuses here ends this connection alone.
                let Ok(stream) = stream.into_std() else { continue };
                let Some(taken) = places.of(peer.ip()) else {
                    refuse(&stream);
                    continue;
                };
                let Some(turn) = turns.next() else { break };
                let (router, ending, limits) = (router.clone(), ending.clone(), limits.clone());
                let served = async move {
                    // Key strokes in a terminal must not wait for each other.
                    let _ = stream.set_nodelay(true);
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        // A terminal goes on when the requests are over, and its places go with the stream.
                        let unread = Unread::default();
                        let places = (place, taken);
                        let stream =
                            Patient::new(stream, limits.stall, places, unread.clone(), limits.linger);
                        connection(stream, peer, router, limits.head, unread, ending).await;
                    }
                };
                if turn.id() == here {
                    connections.spawn(served);
                } else {
                    connections.spawn_on(served, turn);
                }
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

/// Tells a client that it has too many connections, as far as that is possible without waiting for it.
fn refuse(mut stream: &std::net::TcpStream) {
    tracing::debug!("a connection of an address that has too many is refused");
    let _ = stream.write(TOO_MANY.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
}

async fn connection<S>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    head: Duration,
    unread: Unread,
    ending: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(|body| Body::new(Noted::new(body, unread.clone())));
        request.extensions_mut().insert(ConnectInfo(peer));
        async move { Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        () = ending.cancelled() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    /// Sends a head without an end, `limit` bytes at most, through a pipe that holds little; gives what was taken of it, and
    /// the answer.
    async fn endless(piece: &[u8], limit: usize) -> (usize, String) {
        let (ours, theirs) = duplex(1024);
        let router = Router::new().route("/", get(|| async { "here" }));
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let served = tokio::spawn(connection(
            ours,
            peer,
            router,
            Duration::from_secs(30),
            Default::default(),
            Default::default(),
        ));
        let (mut from, mut to) = tokio::io::split(theirs);
        let sending = async {
            let mut sent = 0;
            to.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
            while sent < limit && to.write_all(piece).await.is_ok() {
                sent += piece.len();
            }
            let _ = to.write_all(b"\r\n\r\n").await;
            sent
        };
        let reading = async {
            let mut answer = vec![0; 4096];
            let count = from.read(&mut answer).await.unwrap();
            answer.truncate(count);
            String::from_utf8(answer).unwrap()
        };
        let (sent, answer) = tokio::join!(sending, reading);
        drop((from, to));
        served.await.unwrap();
        (sent, answer)
    }

    /// Protects the memory: thousands of connections may each keep as much of a head as one may.
    #[tokio::test]
    async fn no_more_is_kept_of_a_head_than_one_may_have() {
        let fits = format!("a: {}\r\n", "x".repeat(BUFFER / 2));
        let (_, answer) = endless(fits.as_bytes(), 1).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let pieces = ["x-long: ".to_owned() + &"x".repeat(1000), format!("x: {}\r\n", "y".repeat(995))];
        for piece in pieces {
            let (taken, answer) = endless(piece.as_bytes(), 100 * BUFFER).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
            // The pipe, and a piece that was partly written, come on top.
            assert!(taken <= BUFFER + 4096, "{taken} bytes were taken");
        }
    }

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (head, body) = TOO_MANY.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
