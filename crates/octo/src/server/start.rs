//! Start and end.

use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{App, listen, router};
use crate::auth::dev;
use crate::config::{Config, ConfigError, Surroundings, signing_secret};
use crate::store::{Store, StoreError};

/// Why the server did not start or run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings are not enough for a server.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; does another server run there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Signals cannot be had.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: Config, around: &Surroundings) -> Result<(), ServeError> {
    let secret = signing_secret(&config, around)?;
    let store = Store::open(&config.database())?;
    if config.auth.dev_mode {
        for odd in dev::provide(&store, &config.auth.dev_users).await? {
            tracing::warn!("{odd}");
        }
    }
    let address = SocketAddr::new(config.server.host, config.server.port);
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds);
    let app = App::new(config, store, &secret);
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("octo listens on http://{address}");
    let ending = app.ending.clone();
    let served =
        tokio::spawn(listen::serve(listener, router(app), listen::Limits::default(), ending.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("octo ends");
    ending.cancel();
    let _ = tokio::time::timeout(grace, served).await;
    Ok(())
}
