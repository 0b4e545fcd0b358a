//! The body of a request on its way to a service: counted, and kept where it may have to be sent twice.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use thiserror::Error;
use uuid::Uuid;

use super::framing;
use super::target::{Targets, Use};
use crate::api::error::{ApiError, Code};
use crate::server::layers::body::BodyError;
use crate::session::State;

/// A body of at most so many bytes is kept while a session starts, so that it can be sent again.
const KEPT: u64 = 64 * 1024;

/// Tells that a session is in use.
#[derive(Clone)]
pub(super) struct Meter {
    pub(super) targets: Arc<dyn Targets>,
    pub(super) session: Uuid,
}

impl Meter {
    pub(super) fn note(&self, how: Use) {
        self.targets.used(self.session, how);
    }
}

/// Where the body comes from.
pub(super) enum Source {
    /// There is none.
    Empty,
    /// All of it, to be sent as often as needed.
    Whole(Bytes),
    /// As it comes; can be sent once.
    Stream(Body),
    /// It was sent.
    Spent,
}

impl Source {
    /// The body of a request, whose declared length was checked. A short one is read while the session is starting.
    pub(super) async fn of(
        body: Body,
        length: Option<u64>,
        state: State,
        limit: u64,
    ) -> Result<Self, ApiError> {
        match length {
            Some(0) => Ok(Self::Empty),
            Some(length) if length <= KEPT && state != State::Running => {
                let whole = http_body_util::Limited::new(body, usize::try_from(KEPT).unwrap_or(usize::MAX))
                    .collect()
                    .await
                    .map_err(|error| match BodyError::among(error.as_ref()) {
                        Some(error) => error.into(),
                        None => ApiError::new(Code::BadRequest, "the request ended before its body did"),
                    })?;
                Ok(Self::Whole(whole.to_bytes()))
            }
            Some(length) if length > limit => Err(framing::too_large(limit)),
            _ => Ok(Self::Stream(body)),
        }
    }

    /// Whether it can be sent again after it was sent.
    pub(super) const fn is_replayable(&self) -> bool {
        matches!(self, Self::Empty | Self::Whole(_))
    }

    /// What to send now; `None` where it was sent and is gone.
    pub(super) fn take(&mut self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Stream(_) => Some(std::mem::replace(self, Self::Spent)),
            Self::Spent => None,
        }
    }
}

/// What became of a body while it was sent.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    too_large: AtomicBool,
    client_gone: AtomicBool,
}

impl Outcome {
    /// It was longer than is allowed.
    pub(super) fn too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Its sender broke off.
    pub(super) fn client_gone(&self) -> bool {
        self.client_gone.load(Ordering::Relaxed)
    }
}

/// Why a body could not be sent to its end.
#[derive(Debug, Error)]
pub(super) enum UploadError {
    #[error("the body is larger than is allowed")]
    TooLarge,
    #[error("the client broke off: {0}")]
    ClientGone(axum::Error),
}

/// The body as hyper sends it.
pub(super) struct Upload {
    source: Source,
    left: u64,
    outcome: Arc<Outcome>,
    meter: Option<Meter>,
}

impl Upload {
    /// Of at most `limit` bytes.
    pub(super) fn new(source: Source, limit: u64, meter: Option<Meter>) -> (Self, Arc<Outcome>) {
        let outcome = Arc::<Outcome>::default();
        (Self { source, left: limit, outcome: Arc::clone(&outcome), meter }, outcome)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        loop {
            let body = match &mut this.source {
                Source::Empty | Source::Spent => return Poll::Ready(None),
                Source::Whole(bytes) => {
                    let bytes = std::mem::take(bytes);
                    this.source = Source::Spent;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Source::Stream(body) => body,
            };
            let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(None) };
            let data = match frame {
                // Trailers belong to the connection that announced them.
                Ok(frame) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue,
                },
                Err(error) => {
                    // The server's own limit may be the smaller one.
                    let flag = match BodyError::among(&error) {
                        Some(BodyError::TooLarge { .. }) => &this.outcome.too_large,
                        _ => &this.outcome.client_gone,
                    };
                    flag.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(UploadError::ClientGone(error))));
                }
            };
            let Some(left) = this.left.checked_sub(data.len() as u64) else {
                this.outcome.too_large.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(UploadError::TooLarge)));
            };
            this.left = left;
            if let Some(meter) = &this.meter {
                meter.note(Use::Active);
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty | Source::Spent => true,
            Source::Whole(_) => false,
            Source::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty | Source::Spent => SizeHint::with_exact(0),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Stream(body) => body.size_hint(),
        }
    }
}
