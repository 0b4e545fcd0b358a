//! The body of an answer on its way to the client. It holds the connection to the service, so that one ends with the
//! other.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use thiserror::Error;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::exchange::Line;
use super::pool::{Key, Pool};
use super::target::Use;
use super::upload::Meter;
use crate::auth::Lease;

/// Why a body ended before its end.
#[derive(Debug, Error)]
pub(super) enum RelayError {
    #[error("the service broke off: {0}")]
    Service(hyper::Error),
    #[error("the server is ending, or the log-in has ended")]
    Ending,
}

/// The body.
pub(super) struct Relayed {
    line: Option<Line>,
    body: Incoming,
    /// Where the line goes after the last byte.
    keep: Option<(Arc<Pool>, Key)>,
    /// Set for a body that has no end of its own.
    ending: Option<(Pin<Box<WaitForCancellationFutureOwned>>, Lease)>,
    /// A stream of events ends cleanly, and its events are no sign of use.
    events: bool,
    meter: Option<Meter>,
}

impl Relayed {
    pub(super) const fn new(line: Line, body: Incoming) -> Self {
        Self { line: Some(line), body, keep: None, ending: None, events: false, meter: None }
    }

    /// Gives the line to the pool after the last byte.
    pub(super) fn keep(mut self, pool: Arc<Pool>, key: Key) -> Self {
        if self.body.is_end_stream() {
            if let Some(line) = self.line.take() {
                pool.put(key, line);
            }
        } else {
            self.keep = Some((pool, key));
        }
        self
    }

    /// Ends with the server, or the log-in, where the length is not known: cleanly when it is a stream of events, broken
    /// off otherwise.
    pub(super) fn until(mut self, hold: impl FnOnce() -> Lease, events: bool) -> Self {
        if self.body.size_hint().exact().is_none() {
            let lease = hold();
            self.ending = Some((Box::pin(lease.over().clone().cancelled_owned()), lease));
        }
        self.events = events;
        self
    }

    /// Tells that the session is in use while the body flows.
    pub(super) fn metered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    fn finish(&mut self) {
        if let (Some(line), Some((pool, key))) = (self.line.take(), self.keep.take()) {
            pool.put(key, line);
        }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = RelayError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        let this = &mut *self;
        if let Some((ending, _)) = &mut this.ending
            && ending.as_mut().poll(cx).is_ready()
        {
            this.ending = None;
            this.line = None;
            return Poll::Ready(if this.events { None } else { Some(Err(RelayError::Ending)) });
        }
        loop {
            if let Some(line) = &mut this.line {
                line.poll(cx);
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(RelayError::Service(error)))),
                None => {
                    this.finish();
                    return Poll::Ready(None);
                }
            };
            // Trailers belong to the connection that announced them.
            let Ok(data) = frame.into_data() else { continue };
            if let (false, Some(meter)) = (this.events, &this.meter) {
                meter.note(Use::Active);
            }
            // The last piece of a known length: whoever sends it on asks for no more.
            if this.body.is_end_stream() {
                this.finish();
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
