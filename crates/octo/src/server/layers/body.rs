//! Bodies of requests: how large, and how slowly they may come.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::api::error::{ApiError, Code};
use crate::server::App;

/// How long a client may send nothing of a body that is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes per second below which a client only holds its place.
const SLOWEST: u64 = 1024;

/// Why a body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is larger than the settings allow.
    #[error("the body is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// It comes too slowly.
    #[error("the body comes too slowly")]
    TooSlow,
}

impl BodyError {
    /// The one among an error's causes.
    #[must_use]
    pub fn among(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref().copied())
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::new(Code::PayloadTooLarge, error.to_string())
                .with(serde_json::json!({"limit_bytes": limit})),
            BodyError::TooSlow => {
                Self::new(Code::BadRequest, error.to_string()).with(serde_json::json!({"reason": "too_slow"}))
            }
        }
    }
}

/// Refuses a body whose announced length is too large, and watches one that comes.
pub async fn watch(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limit = app.config.server.max_upload_size_mb.saturating_mul(1024 * 1024);
    let mut lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        match length.to_str().ok().and_then(|text| text.parse::<u64>().ok()) {
            Some(length) if length > limit => {
                return ApiError::from(BodyError::TooLarge { limit }).into_response();
            }
            Some(_) => {}
            None => {
                return ApiError::new(Code::BadRequest, "the header Content-Length is no number")
                    .into_response();
            }
        }
    }
    let request =
        request.map(|body| if body.is_end_stream() { body } else { Body::new(Watched::new(body, limit)) });
    next.run(request).await
}

/// A body that ends with an error when it grows too large or comes too slowly. Only time in which we wait for the client
/// counts: who reads it may take as long as it likes.
struct Watched {
    inner: Body,
    limit: u64,
    left: u64,
    /// Time that we waited, before this wait.
    waited: Duration,
    /// The wait that goes on.
    since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl Watched {
    fn new(inner: Body, limit: u64) -> Self {
        let alarm = Box::pin(sleep_until(Instant::now()));
        Self { inner, limit, left: limit, waited: Duration::ZERO, since: None, alarm }
    }

    /// How long this wait may go on: silence is bounded, and so is all waiting for what came.
    fn patience(&self) -> Duration {
        let came = self.limit.saturating_sub(self.left);
        let whole = SILENCE + Duration::from_secs(came / SLOWEST);
        SILENCE.min(whole.saturating_sub(self.waited))
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            if this.since.is_none() {
                let now = Instant::now();
                this.since = Some(now);
                let until = now + this.patience();
                this.alarm.as_mut().reset(until);
            }
            ready!(this.alarm.as_mut().poll(context));
            return Poll::Ready(Some(Err(BodyError::TooSlow.into())));
        };
        if let Some(since) = this.since.take() {
            this.waited += since.elapsed();
        }
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            let Some(left) = this.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit: this.limit }.into())));
            };
            this.left = left;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
