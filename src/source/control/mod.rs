//! What a bridge may ask of the printer and command it to do, whatever the source is.
//!
//! [`Control`] is a handle on a channel of [`Request`]s. The source at its other end decides what it can do; what it
//! cannot is answered with [`ControlError::Unsupported`]. Every request ends: with an answer, or with an error that
//! says whether it may have been done all the same.

mod error;
mod found;
mod pending;
mod request;

pub use error::{ControlError, Refusal, RefusalKind};
pub use found::{Directory, DiskUsage, FileEntry, Interface, Root, Uploaded};
pub use pending::Pending;
pub use request::{Ask, Request};

pub use super::moonraker::{Progress, TransferError, Upload};

use super::SourceStatus;
use super::moonraker::Web;
use pending::Reader;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Most requests that wait for the source, and most that are under way at it.
pub const MOST_REQUESTS: usize = 32;

/// Longest parameters of a request, in bytes.
const MOST_PARAMETERS: usize = 512 * 1024;

/// The handle by which a bridge asks and commands the printer.
///
/// Cheap to clone, and fit for any thread. The calls themselves are in the modules of the source that knows them;
/// each is sent at once and gives a [`Pending`]. Transfers of files block the thread that asks for them.
#[derive(Debug, Clone)]
pub struct Control {
    requests: mpsc::Sender<Request>,
    /// In whose name this handle asks.
    by: Option<Arc<str>>,
    pub(in crate::source) web: Arc<Web>,
}

/// The source's end of a [`Control`].
#[derive(Debug)]
pub struct Requests {
    receiver: mpsc::Receiver<Request>,
    pub(in crate::source) web: Arc<Web>,
}

/// A handle for bridges, and the end for the source that serves it.
pub fn channel() -> (Control, Requests) {
    let (requests, receiver) = mpsc::channel(MOST_REQUESTS);
    let web = Arc::new(Web::default());
    (Control { requests, by: None, web: Arc::clone(&web) }, Requests { receiver, web })
}

impl Control {
    /// The same handle, asking in the name of `who`: in words for people, such as "Telegram: Ada". What comes of its
    /// pauses, resumptions and cancellations is told as his doing ([`crate::printer::Job::by`]).
    #[must_use]
    pub fn by(&self, who: &str) -> Self {
        Self { by: Some(who.into()), ..self.clone() }
    }

    /// Any call of Moonraker. Parameters are an object, or null for none. Without a limit it is waited for as long
    /// as the connection lasts: a script of G-code may take minutes.
    pub fn call(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: &Value,
        limit: Option<Duration>,
    ) -> Pending<Value> {
        self.ask(method.into(), params, limit, Box::new(|text| serde_json::from_str(text).ok()))
    }

    /// A call whose answer `read` turns into a domain type.
    pub(in crate::source) fn ask<T>(
        &self,
        method: Cow<'static, str>,
        params: &Value,
        limit: Option<Duration>,
        read: Reader<T>,
    ) -> Pending<T> {
        let params = (!params.is_null()).then(|| params.to_string());
        self.send(Ask::Call { method, params }, limit, read)
    }

    /// Sends a request on its way.
    pub(in crate::source) fn send<T>(
        &self,
        ask: Ask,
        limit: Option<Duration>,
        read: Reader<T>,
    ) -> Pending<T> {
        let what = ask.name().to_owned();
        let (reply, answer) = oneshot::channel();
        let sent = self.submit(Request::new(ask, limit, self.by.clone(), reply));
        Pending::new(what, sent.map(|()| answer), read)
    }

    fn submit(&self, request: Request) -> Result<(), ControlError> {
        if request.ask().size() > MOST_PARAMETERS {
            let what = request.ask().name().to_owned();
            return Err(ControlError::TooLong { what, most: MOST_PARAMETERS });
        }
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ControlError::Busy,
            mpsc::error::TrySendError::Closed(_) => ControlError::NotConnected { why: STOPS.to_owned() },
        })
    }
}

/// Why nothing is answered when the source is gone.
const STOPS: &str = "the service stops";

impl Requests {
    /// The next request; never ends when there are no handles any more. May be dropped while it waits.
    pub async fn next(&mut self) -> Request {
        match self.receiver.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Refuses what comes, since there is no connection; never ends. May be dropped at any time.
    pub async fn refuse(&mut self, status: &watch::Sender<SourceStatus>) {
        loop {
            let request = self.next().await;
            let why = status.borrow().last_error.clone();
            let why = why.unwrap_or_else(|| "it is being set up; try again in a few seconds".to_owned());
            request.answer(Err(ControlError::NotConnected { why }));
        }
    }
}

#[cfg(test)]
mod tests;
