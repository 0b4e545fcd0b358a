//! What every handler is given.

use jiff::Timestamp;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::codexbar::CodexBar;
use crate::api::error::{ApiError, Code};
use crate::auth::Auth;
use crate::config::{Config, Secret};
use crate::lifecycle::Lifecycle;
use crate::runtime::Runtime;
use crate::store::{Store, StoreError};

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
    /// Sessions; `None` only where a server is made without containers, as in tests of its other parts.
    pub lifecycle: Option<Lifecycle>,
    /// What `GET /ready` asks.
    pub parts: Vec<Arc<dyn Part>>,
    /// Cancelled when the server is to end: long answers, streams and sockets end themselves.
    pub ending: CancellationToken,
    /// What the end waits for, besides requests.
    pub tasks: TaskTracker,
    /// When the server started.
    pub started_at: Timestamp,
}

impl App {
    /// Of these settings, this database and this secret ([`crate::config::signing_secret`]).
    #[must_use]
    pub fn new(config: Config, store: Store, secret: &Secret) -> Self {
        Self {
            auth: Arc::new(Auth::new(&config, secret)),
            codexbar: Arc::default(),
            lifecycle: None,
            parts: vec![Arc::new(Database(store.clone()))],
            config: Arc::new(config),
            store,
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            started_at: Timestamp::now(),
        }
    }
}

impl App {
    /// With sessions in containers of this runtime.
    ///
    /// # Errors
    /// As of the database.
    pub async fn with_runtime(mut self, runtime: Arc<dyn Runtime>) -> Result<Self, StoreError> {
        let (tasks, ending) = (self.tasks.clone(), self.ending.clone());
        self.parts.push(Arc::new(Containers(Arc::clone(&runtime))));
        let config = Arc::clone(&self.config);
        self.lifecycle = Some(Lifecycle::new(config, self.store.clone(), runtime, tasks, ending).await?);
        Ok(self)
    }

    /// Sessions, for handlers.
    ///
    /// # Errors
    /// 503 where the server has no containers.
    pub fn sessions(&self) -> Result<&Lifecycle, ApiError> {
        let none = || ApiError::new(Code::ServiceUnavailable, "this server runs without a container runtime");
        self.lifecycle.as_ref().ok_or_else(none)
    }
}

struct Containers(Arc<dyn Runtime>);

impl Part for Containers {
    fn name(&self) -> &'static str {
        "container runtime"
    }

    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async { self.0.probe().await.map(drop).map_err(|error| error.to_string()) })
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
