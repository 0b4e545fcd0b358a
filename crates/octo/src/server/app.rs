//! What every handler is given.

use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::store::Store;

/// The parts of the running server. Clones share them.
#[derive(Clone)]
pub struct App {
    /// The effective settings.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// Cancelled when the server is to end: long answers, streams and sockets end themselves.
    pub ending: CancellationToken,
    /// What the end waits for, besides requests.
    pub tasks: TaskTracker,
}
