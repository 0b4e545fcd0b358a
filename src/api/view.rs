//! All that the server needs to know of the rest of the program.

use super::page::Desk;
use crate::bridge::BridgeState;
use crate::printer::Snapshot;
use bytes::Bytes;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A picture that is being fetched, or the reason why there is none. May be dropped at any time.
pub type FetchPicture = Pin<Box<dyn Future<Output = Result<Picture, String>>>>;

/// What the server shows. Every call answers at once from what is known; only a picture may take its time.
pub trait View {
    /// The printer's name in the paths.
    fn printer_id(&self) -> &str;

    /// The newest status; none before the first.
    fn status(&self) -> Option<Status>;

    /// Fetches the newest picture. The error is one sentence for people, without secrets.
    fn picture(&self) -> FetchPicture;

    /// The service itself.
    fn service(&self) -> Service;

    /// Every bridge there is, also those that are off.
    fn bridges(&self) -> Vec<BridgeRow>;

    /// The printer as it is known now, for the figures; none while it is not.
    fn snapshot(&self) -> Option<Arc<Snapshot>>;

    /// How old the newest status and picture are.
    fn ages(&self) -> Ages;

    /// Why the service is not ready, a sentence each; empty when it is.
    fn not_ready(&self) -> Vec<String>;

    /// What is behind the set-up page; none where there is no page.
    fn desk(&self) -> Option<&dyn Desk> {
        None
    }
}

/// A status as it is handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// When it came, as time since the Unix epoch.
    pub received: Duration,
    /// The status: one JSON object, passed on byte for byte.
    pub text: Arc<str>,
}

/// A picture of the camera.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The JPEG file. Shared, not copied, by all who get it.
    pub jpeg: Bytes,
    /// When it came, as time since the Unix epoch.
    pub taken: Duration,
}

impl Picture {
    /// A picture whose bytes stay with their `owner`, which is kept as long as somebody reads them.
    pub fn of(owner: impl AsRef<[u8]> + Send + 'static, taken: Duration) -> Self {
        Self { jpeg: Bytes::from_owner(owner), taken }
    }

    /// Its entity tag, with the quotation marks.
    pub(super) fn etag(&self) -> String {
        format!("\"{:x}-{:x}\"", self.taken.as_millis(), self.jpeg.len())
    }
}

/// How the service does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Whether the printer is connected.
    pub connected: bool,
    /// The connection to the printer, in one line.
    pub source: String,
    /// How often the worker had to be started again.
    pub restarts: u64,
    /// Seconds since it started.
    pub up_seconds: u64,
}

/// How a bridge does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BridgeRow {
    /// Its name, as in `extended.cfg`.
    pub name: String,
    /// Its state.
    pub state: BridgeState,
    /// Why, in one line; may be empty.
    pub text: String,
    /// Messages that wait.
    pub queued: u64,
    /// Messages that were given up since the service started.
    pub dropped: u64,
}

/// Ages by the monotonic clock; none where there is nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ages {
    /// Of the newest status.
    pub status: Option<Duration>,
    /// Of the newest picture.
    pub picture: Option<Duration>,
}
