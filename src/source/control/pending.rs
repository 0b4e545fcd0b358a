//! An answer that is waited for.

use super::{ControlError, STOPS};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Turns the text of an answer into what was asked for; none if it is something else.
pub(in crate::source) type Reader<T> = Box<dyn FnOnce(&str) -> Option<T> + Send>;

type Raw = Result<String, ControlError>;

/// The answer to a call that is under way. Dropping it does not call the call back.
///
/// To be awaited, or waited for with [`Self::wait`] on a plain thread, or looked at now and then with
/// [`Self::poll_now`].
#[must_use = "it is sent already, but its answer tells whether it was done"]
pub struct Pending<T> {
    what: String,
    answer: Result<oneshot::Receiver<Raw>, Option<ControlError>>,
    read: Option<Reader<T>>,
}

impl<T> Pending<T> {
    pub(super) fn new(
        what: String,
        sent: Result<oneshot::Receiver<Raw>, ControlError>,
        read: Reader<T>,
    ) -> Self {
        Self { what, answer: sent.map_err(Some), read: Some(read) }
    }

    /// Waits on the thread that asks.
    ///
    /// # Errors
    ///
    /// As the source says, or because there is no connection.
    ///
    /// # Panics
    ///
    /// On a thread of the asynchronous runtime, which would wait for itself: there it is to be awaited.
    pub fn wait(mut self) -> Result<T, ControlError> {
        let raw = match self.answer {
            Ok(answer) => answer.blocking_recv(),
            Err(ref mut error) => return Err(taken(error)),
        };
        let raw = raw.unwrap_or_else(|_| Err(lost(&self.what)));
        finish(raw, &mut self.read, &self.what)
    }

    /// The answer if it is there; none as long as it is not. To be asked no more after it was given.
    pub fn poll_now(&mut self) -> Option<Result<T, ControlError>> {
        let raw = match &mut self.answer {
            Ok(answer) => match answer.try_recv() {
                Ok(raw) => raw,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed) => Err(lost(&self.what)),
            },
            Err(error) => Err(taken(error)),
        };
        Some(finish(raw, &mut self.read, &self.what))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, ControlError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let raw = match &mut this.answer {
            Ok(answer) => match Pin::new(answer).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(raw) => raw.unwrap_or_else(|_| Err(lost(&this.what))),
            },
            Err(error) => Err(taken(error)),
        };
        Poll::Ready(finish(raw, &mut this.read, &this.what))
    }
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({})", self.what)
    }
}

fn finish<T>(raw: Raw, read: &mut Option<Reader<T>>, what: &str) -> Result<T, ControlError> {
    let text = raw?;
    let value = read.take().and_then(|read| read(&text));
    value.ok_or_else(|| ControlError::Unreadable { what: what.to_owned() })
}

fn taken(error: &mut Option<ControlError>) -> ControlError {
    error.take().unwrap_or_else(|| ControlError::NotConnected { why: STOPS.to_owned() })
}

fn lost(what: &str) -> ControlError {
    ControlError::Lost { what: what.to_owned(), why: STOPS.to_owned() }
}
