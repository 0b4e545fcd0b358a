//! One request and its answer over one connection to a service.
//!
//! The connection is driven by whoever waits for the answer, and then by the answer's body ([`Relayed`]): no task of its
//! own. So the service sees the client leave at once, and a slow client slows the service down.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

use super::relayed::Relayed;
use super::upload::{Outcome, Upload};
use super::wire::{Progress, Wire};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing listens: refused, or closed before anything was sent.
    Deaf(String),
    /// The connection was made, and closed before the first byte of an answer.
    Silent(String),
    /// What came back is no answer.
    Broken(String),
    /// It answered that it does not open a socket.
    Declined(StatusCode),
    /// Nothing came in time.
    Slow,
    /// The request's body was too large.
    TooLarge,
    /// The client did not send its body to the end.
    ClientGone,
}

/// A connection to a service on which a request can be sent.
pub(super) struct Line {
    sender: SendRequest<Upload>,
    connection: Pin<Box<Connection<TokioIo<Wire>, Upload>>>,
    progress: Arc<Progress>,
    /// Whether the connection is still to be driven.
    open: bool,
}

impl Line {
    /// Over a fresh connection.
    pub(super) async fn new(stream: TcpStream) -> Result<Self, Failure> {
        let wire = Wire::new(stream);
        let progress = wire.progress();
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Failure::Deaf(error.to_string()))?;
        Ok(Self { sender, connection: Box::pin(connection), progress, open: true })
    }

    /// Drives the connection; what goes wrong shows where the answer is awaited.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        if self.open && self.connection.as_mut().poll(cx).is_ready() {
            self.open = false;
        }
    }

    /// Whether another request can be sent on it.
    pub(super) fn is_ready(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        self.poll(&mut cx);
        self.open && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer; no longer than `limit` without a byte going either way.
    pub(super) async fn send(
        mut self,
        request: Request<Upload>,
        outcome: &Outcome,
        limit: Duration,
    ) -> Result<(Response<Incoming>, Self), Failure> {
        self.progress.forget();
        let mut answer = pin!(self.sender.send_request(request));
        let mut head = pin!(poll_fn(|cx| {
            if self.open && self.connection.as_mut().poll(cx).is_ready() {
                self.open = false;
            }
            answer.as_mut().poll(cx)
        }));
        let head = loop {
            let moved = self.progress.moved();
            tokio::select! {
                head = &mut head => break head,
                () = tokio::time::sleep(limit) => if self.progress.moved() == moved { return Err(Failure::Slow) },
            }
        };
        match head {
            Ok(response) => Ok((response, self)),
            Err(error) => Err(failure(&error, outcome, self.progress.heard())),
        }
    }

    /// The bare connection after an answer 101, with what the service sent behind it.
    pub(super) async fn into_upgraded(mut self) -> Option<(TcpStream, bytes::Bytes)> {
        if self.open {
            poll_fn(|cx| self.connection.poll_without_shutdown(cx)).await.ok()?;
        }
        let connection = Pin::into_inner(self.connection);
        let parts = connection.into_parts();
        Some((parts.io.into_inner().into_stream(), parts.read_buf))
    }

    /// The answer's body as it goes to the client.
    pub(super) fn into_body(self, body: Incoming) -> Relayed {
        Relayed::new(self, body)
    }
}

/// What an error of hyper's means here.
fn failure(error: &hyper::Error, outcome: &Outcome, heard: bool) -> Failure {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    if outcome.too_large() {
        Failure::TooLarge
    } else if outcome.client_gone() {
        Failure::ClientGone
    } else if heard {
        Failure::Broken(words)
    } else {
        Failure::Silent(words)
    }
}

/// Whether the answer gives the connection away.
pub(super) fn is_upgrade(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("open", &self.open).finish_non_exhaustive()
    }
}

/// For [`Relayed`], which drives the line and asks nothing of it.
impl Future for Line {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Line::poll(&mut self, cx);
        if self.open { Poll::Pending } else { Poll::Ready(()) }
    }
}
