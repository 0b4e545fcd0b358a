//! What both servers do alike: log, listen, and end when they are told to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::serve::{ListenerExt, TapIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// How long requests under way may still take when the program is told to end.
const LAST_REQUESTS: Duration = Duration::from_millis(800);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something else has the port, or there is no such address.
    #[error("{address}: {source}; another program may have the port: choose one with --port")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gives no signals or no connections.
    #[error("the server cannot go on: {0}")]
    System(#[from] std::io::Error),
}

/// Sends log lines to standard error: warnings and more, or what `RUST_LOG` says. octo-init puts time and name before.
pub fn log(verbose: bool) {
    let level = if verbose { "debug" } else { "info" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Takes hold of a port.
///
/// # Errors
///
/// When it cannot be had.
pub async fn listen(address: IpAddr, port: u16) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::from((address, port));
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// Connections that send at once: what a terminal shows for a key is small, and a second such piece would wait until the
/// first is acknowledged, up to 40 ms.
fn prompt(listener: TcpListener) -> TapIo<TcpListener, impl FnMut(&mut TcpStream)> {
    listener.tap_io(|stream| drop(stream.set_nodelay(true)))
}

/// Completes when the program is told to end: SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
///
/// When the system gives no signals.
pub async fn told_to_end() -> Result<(), ServeError> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Serves until `end` completes; then finishes what is under way, within a second.
///
/// # Errors
///
/// When no connections can be taken any more.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (told, heard) = tokio::sync::oneshot::channel::<()>();
    let graceful = axum::serve(prompt(listener), router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            end.await;
            drop(told);
        });
    tokio::select! {
        end = graceful => end.map_err(ServeError::System),
        // Terminals and downloads may never end by themselves.
        () = async { let _ = heard.await; tokio::time::sleep(LAST_REQUESTS).await } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener;

    #[tokio::test]
    async fn a_connection_sends_at_once() {
        let listener = listen([127, 0, 0, 1].into(), 0).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(prompt(listener).accept().await.0.nodelay().unwrap());
    }
}
