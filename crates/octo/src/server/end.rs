//! The end in order: nobody is let in, streams end, containers stop, requests are answered, the database is closed.

use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::App;

/// What is left for requests once containers have stopped.
const LAST: Duration = Duration::from_secs(1);

/// The signals that end the server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The exit code of the next one, by a shell's custom.
    pub(super) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => 143,
            _ = self.interrupt.recv() => 130,
        }
    }

    /// The next one ends the process at once. Containers may stay; the next start looks at them.
    pub(super) fn leave_at_next(mut self) {
        tokio::spawn(async move {
            let code = self.next().await;
            tracing::warn!("a second signal: the server ends at once");
            std::process::exit(code);
        });
    }
}

/// Ends the server within its grace. `served` ends when the last connection has.
pub(super) async fn in_order(app: App, served: JoinHandle<()>, grace: Duration) {
    let deadline = Instant::now() + grace;
    // No new connections, 503 on those that are open; streams and sockets end, starts are cancelled.
    app.ending.cancel();
    if let Some(lifecycle) = &app.lifecycle {
        let stopped = lifecycle.end(deadline.checked_sub(LAST).unwrap_or(deadline)).await;
        tracing::info!("{stopped} sessions stopped");
    }
    if timeout_at(deadline, served).await.is_err() {
        tracing::warn!("requests were not answered in time");
    }
    app.tasks.close();
    if timeout_at(deadline, app.tasks.wait()).await.is_err() {
        tracing::warn!("{} tasks did not end in time", app.tasks.len());
    }
    app.store.checkpoint().await;
}
