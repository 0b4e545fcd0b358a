//! One connection: the stream as hyper wants it, and the marks by which the server sees that it stands still.

use super::answer::Answer;
use super::page::{self, Seats, Visit};
use super::routes;
use super::view::View;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// Most bytes of a request's line and headers.
const MOST_HEAD: usize = 16 * 1024;
/// Most bytes that are read and thrown away after the last answer. A web server in between goes on sending a body that is
/// refused, and loses the answer when it cannot.
const MOST_REST: usize = 8 << 20;

/// A request must arrive within this time.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A connection without a request is kept this long.
const IDLE_PATIENCE: Duration = Duration::from_secs(30);
/// A client that takes no byte of its answer is waited for this long.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// The longest that an answer may take, from the request to its last byte.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// The client has this long to close after the last answer.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request is awaited or arrives.
    Head,
    /// All requests are answered.
    Idle,
    /// An answer is made.
    Answering,
    /// The answer is on its way.
    Sending,
    /// The answer goes on for as long as the client listens.
    Live,
    /// The last answer is sent; the client's end is awaited.
    Closing,
}

/// Marks that a connection leaves for the server to read.
#[derive(Debug)]
pub(super) struct Pulse {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when the client takes no bytes although there are some.
    blocked: Cell<Option<Instant>>,
    /// Where the bytes of the present answer lie.
    body: Cell<usize>,
    /// Whether others wait for room: the next answer is the last one.
    gives_way: Cell<bool>,
    /// Whether the program stops.
    leaving: Cell<bool>,
}

impl Pulse {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(Phase::Head),
            since: Cell::new(Instant::now()),
            blocked: Cell::new(None),
            body: Cell::new(0),
            gives_way: Cell::new(false),
            leaving: Cell::new(false),
        })
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// For how long the connection has stood still. A picture's way from the camera counts, and so does what an
    /// answer takes beyond the usual, or slow readers could hold every connection.
    pub(super) fn stands(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.since.get());
        let blocked = self.blocked.get().map(|at| now.saturating_duration_since(at)).unwrap_or_default();
        match self.phase.get() {
            Phase::Sending => since.saturating_sub(WRITE_PATIENCE).max(blocked),
            Phase::Live => blocked,
            _ => since,
        }
    }

    /// Makes the next answer the last one of its connection. Returns whether that is new.
    pub(super) fn give_way(&self) -> bool {
        !self.gives_way.replace(true)
    }

    /// Since when an answer is on its way, and where its bytes lie.
    pub(super) fn sends(&self) -> Option<(Instant, usize)> {
        (self.phase.get() == Phase::Sending).then(|| (self.since.get(), self.body.get()))
    }

    /// Whether the connection's time is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let patience = match self.phase.get() {
            Phase::Head => HEAD_PATIENCE,
            Phase::Idle => IDLE_PATIENCE,
            Phase::Answering | Phase::Sending => ANSWER_PATIENCE,
            Phase::Live => Duration::MAX,
            Phase::Closing => CLOSE_PATIENCE,
        };
        let over = |since: Instant, patience| now.saturating_duration_since(since) >= patience;
        over(self.since.get(), patience) || self.blocked.get().is_some_and(|at| over(at, WRITE_PATIENCE))
    }
}

/// Answers what comes over `stream` until the client closes, or `shutdown` says so and the present request is
/// answered.
pub(super) async fn run(
    stream: TcpStream,
    view: Rc<dyn View>,
    pulse: Rc<Pulse>,
    seats: Seats,
    mut shutdown: watch::Receiver<bool>,
) {
    let peer = stream.peer_addr().ok().map(|address| address.ip());
    let client = Client(Rc::new(RefCell::new(stream)));
    let line = client.clone();
    let stops = shutdown.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let (view, pulse) = (Rc::clone(&view), Rc::clone(&pulse));
        let (seats, stops, client) = (seats.clone(), stops.clone(), client.clone());
        async move {
            pulse.enter(Phase::Answering);
            let visit = Visit { view: &view, peer, client: &client, seats: &seats, shutdown: &stops };
            let mut answer: Answer = match page::answer(visit, request).await {
                Ok(answer) => answer,
                Err(request) => routes::answer(&*view, &request).await,
            };
            if pulse.gives_way.get() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            pulse.body.set(answer.body().place());
            // The whole of an answer may take a minute, so the time goes on.
            pulse.phase.set(if answer.body().is_live() { Phase::Live } else { Phase::Sending });
            Ok::<_, Infallible>(answer)
        }
    });
    let io = Io { client: line, pulse: Rc::clone(&pulse), rest: MOST_REST };
    let http = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(MOST_HEAD)
        .max_buf_size(MOST_HEAD)
        .serve_connection(io, service);
    let mut http = pin!(http);
    let ended = tokio::select! {
        ended = &mut http => ended,
        () = stopped(&mut shutdown) => {
            pulse.leaving.set(true);
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        log::debug!("api: {error}");
    }
}

/// Ends when the program is to stop.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever could want us to run.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Client(Rc<RefCell<TcpStream>>);

impl Client {
    /// Whether it has closed, or said that it sends no more. While an answer goes on nobody reads, so that nothing but
    /// the next write would show it.
    pub(super) fn has_gone(&self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0; 1];
        matches!(self.0.borrow().poll_peek(cx, &mut ReadBuf::new(&mut byte)), Poll::Ready(Ok(0) | Err(_)))
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> T) -> T {
        act(Pin::new(&mut *self.0.borrow_mut()))
    }
}

/// The stream as hyper wants it.
struct Io {
    client: Client,
    pulse: Rc<Pulse>,
    /// Bytes that may still be thrown away at the end.
    rest: usize,
}

impl Io {
    fn read_some(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        self.client.with(|stream| stream.poll_read(cx, &mut buffer)).map_ok(|()| buffer.filled().len())
    }

    /// Notes whether the client takes bytes.
    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let blocked = match result {
            Poll::Pending => self.pulse.blocked.get().or_else(|| Some(Instant::now())),
            Poll::Ready(_) => None,
        };
        self.pulse.blocked.set(blocked);
        result
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Requests are short: copying them is cheaper than unsafe code.
        let mut some = [0; 2048];
        let most = into.remaining().min(some.len());
        let Some(room) = some.get_mut(..most) else { return Poll::Ready(Ok(())) };
        let read = std::task::ready!(self.read_some(cx, room))?;
        if read > 0 && self.pulse.phase.get() == Phase::Idle {
            self.pulse.enter(Phase::Head);
        }
        into.put_slice(room.get(..read).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.client.with(|stream| stream.poll_write(cx, bytes));
        self.wrote(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = self.client.with(|stream| stream.poll_write_vectored(cx, parts));
        self.wrote(result)
    }

    /// A picture goes out from where it lies, without a copy for each client.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called when all that there was to write is written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pulse.phase.get() == Phase::Sending {
            self.pulse.enter(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    /// Says that no more will come, and reads what the client still sends until it closes: closing a connection
    /// with bytes unread would take the answer away from the client.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pulse.phase.get() != Phase::Closing {
            std::task::ready!(self.client.with(|stream| stream.poll_shutdown(cx)))?;
            self.pulse.enter(Phase::Closing);
        }
        let mut some = [0; 2048];
        while self.rest > 0 && !self.pulse.leaving.get() {
            let read = std::task::ready!(self.read_some(cx, &mut some))?;
            self.rest = if read == 0 { 0 } else { self.rest.saturating_sub(read) };
        }
        Poll::Ready(Ok(()))
    }
}
