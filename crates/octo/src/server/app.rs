//! What every handler is given.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::codexbar::CodexBar;
use crate::auth::Auth;
use crate::config::{Config, Secret};
use crate::store::Store;

/// Something that must answer for the server to be of use: the database, the container runtime.
pub trait Part: Send + Sync {
    /// Its name, as `database`.
    fn name(&self) -> &'static str;
    /// Asks it; an error says in words what is wrong. `GET /ready` gives it five seconds.
    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}

/// The parts of the running server. Clones share them.
#[derive(Clone)]
pub struct App {
    /// The effective settings.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// Who may come in.
    pub auth: Arc<Auth>,
    /// The usage of language models, where that program is installed.
    pub codexbar: Arc<CodexBar>,
    /// What `GET /ready` asks.
    pub parts: Vec<Arc<dyn Part>>,
    /// Cancelled when the server is to end: long answers, streams and sockets end themselves.
    pub ending: CancellationToken,
    /// What the end waits for, besides requests.
    pub tasks: TaskTracker,
}

impl App {
    /// Of these settings, this database and this secret ([`crate::config::signing_secret`]).
    #[must_use]
    pub fn new(config: Config, store: Store, secret: &Secret) -> Self {
        Self {
            auth: Arc::new(Auth::new(&config, secret)),
            codexbar: Arc::default(),
            parts: vec![Arc::new(Database(store.clone()))],
            config: Arc::new(config),
            store,
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}

struct Database(Store);

impl Part for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async {
            let asked: Result<i64, crate::store::StoreError> = self
                .0
                .read(|connection| {
                    Ok(connection.query_row("SELECT count(*) FROM instance", [], |row| row.get(0))?)
                })
                .await;
            asked.map(drop).map_err(|error| error.to_string())
        })
    }
}
