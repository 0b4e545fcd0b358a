//! Answers: their body, and the headers that all of them bear.

use super::page::Stream;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer to one request.
pub(super) type Answer = Response<Payload>;

/// The body of an answer.
pub(super) enum Payload {
    /// It is there as a whole.
    Whole(Bytes),
    /// It goes on for as long as the client listens.
    Live(Stream),
}

impl Payload {
    /// Where its bytes lie: answers that share them have the same place.
    pub(super) fn place(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.as_ptr().addr(),
            Self::Live(_) => 0,
        }
    }

    /// Whether it goes on for as long as the client listens.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => {
                let rest = std::mem::take(bytes);
                Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))))
            }
            Self::Live(stream) => stream.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Live(_) => SizeHint::default(),
        }
    }
}

/// An answer that no cache keeps.
pub(super) fn fresh(status: StatusCode, kind: Option<&'static str>, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Payload::Whole(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    answer
}

/// JSON text.
pub(super) fn json_text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    fresh(status, Some("application/json"), text)
}

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    json_text(status, serde_json::to_string(value).unwrap_or_default())
}

/// An error: `{"detail": …}`, where the detail is a text or a list of texts.
pub(super) fn refusal<T: Serialize + ?Sized>(status: StatusCode, detail: &T) -> Answer {
    #[derive(Serialize)]
    struct Refusal<'a, T: ?Sized> {
        detail: &'a T,
    }
    json(status, &Refusal { detail })
}
