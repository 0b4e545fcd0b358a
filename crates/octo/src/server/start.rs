//! Start and end.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;

use super::end::Signals;
use super::{App, alone, checks, end, listen, router};
use crate::auth::{Role, dev};
use crate::config::{Config, ConfigError, Surroundings, signing_secret};
use crate::lifecycle::LifecycleError;
use crate::runtime::{Kind, RuntimeError};
use crate::session::reconcile::Moment;
use crate::store::users::{self, Filter};
use crate::store::{Store, StoreError};

/// Why the server did not start or run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings are not enough for a server.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A server runs on this data already.
    #[error(
        "another octo serves the data in {}; end that one, or give this one a folder of its own by `paths.data_dir`",
        .0.display()
    )]
    Another(PathBuf),
    /// Whether one does cannot be told.
    #[error("cannot hold {}, by which servers know of each other: {source}", path.display())]
    Hold {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The container runtime does not answer.
    #[error("{0}")]
    Runtime(#[from] RuntimeError),
    /// The default image is missing.
    #[error(
        "there is no image {image} in {kind}; build it with `octoctl image build --tag {image}`, which runs `{kind} build -f \
         container/Dockerfile -t {image} .`; or start without it by `octo serve --no-image-check`"
    )]
    NoImage {
        /// Its name.
        image: String,
        /// The runtime that was found.
        kind: Kind,
    },
    /// Sessions and containers could not be compared.
    #[error("sessions and containers cannot be compared: {0}")]
    Sessions(#[from] LifecycleError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; does another server run there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Threads cannot be had.
    #[error("cannot start the threads that serve connections: {0}")]
    Threads(std::io::Error),
    /// Signals cannot be had.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs the server until SIGTERM, SIGINT or SIGHUP; then ends it in order. A second signal ends it at once.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: Config, around: &Surroundings) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds);
    let (app, listener, _alone) = tokio::select! {
        started = start(config, around) => started?,
        _ = signals.first() => return Ok(()),
    };
    let (ending, routes) = (app.ending.clone(), router(app.clone()));
    let loops = listen::Loops::start().map_err(ServeError::Threads)?;
    let proxies = app.config.server.trusted_proxies.clone().into();
    let limits = listen::Limits { proxies, ..listen::Limits::default() };
    let served = tokio::spawn(async move {
        listen::serve_on(&loops, listener, routes, limits, ending).await;
    });
    let signal = signals.first().await;
    tracing::info!("octo ends by {signal}, within {grace:?}; a second signal ends it at once");
    signals.leave_at_next();
    end::in_order(app, served, grace).await;
    // Also brings what waits of the log to its end.
    tracing::info!("octo has ended");
    Ok(())
}

/// Everything that must be there before somebody is let in.
async fn start(config: Config, around: &Surroundings) -> Result<(App, TcpListener, File), ServeError> {
    let secret = signing_secret(&config, around)?;
    // Before anything is touched: a server that runs on this data already must not be disturbed.
    let alone = alone::with(config.database().parent().unwrap_or(Path::new(".")))?;
    let store = Store::open(&config.database())?;
    if config.auth.dev_mode {
        for odd in dev::provide(&store, &config.auth.dev_users).await? {
            tracing::warn!("{odd}");
        }
    }
    if !has_administrator(&store, config.auth.dev_mode).await? {
        tracing::warn!(
            "there is no administrator yet; make one with `octo user create --admin NAME --email ADDRESS`"
        );
    }
    let runtime = checks::runtime(&config).await?;
    let address = SocketAddr::new(config.server.host, config.server.port);
    // Before sessions are looked at: where nobody can come in, they stay as they are.
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let app = App::new(config, store, &secret).with_runtime(runtime).await?;
    if let Some(lifecycle) = &app.lifecycle {
        let cleaned = lifecycle.clean_up(Moment::Start).await?;
        tracing::info!("{cleaned:?}");
        lifecycle.start_rounds();
    }
    tracing::info!("octo listens on http://{}", listener.local_addr().unwrap_or(address));
    Ok((app, listener, alone))
}

/// Whether somebody may administer this server.
async fn has_administrator(store: &Store, dev_mode: bool) -> Result<bool, StoreError> {
    let filter =
        Filter { role: Some(Role::Admin), is_active: Some(true), search: None, limit: u32::MAX, offset: 0 };
    let all = store.read(move |connection| users::list(connection, &filter)).await?;
    Ok(all.iter().any(|user| dev_mode || !dev::is_dev(user)))
}
