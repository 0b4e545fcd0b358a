//! The end of the server: what starts is cancelled, what runs is stopped.

use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::Lifecycle;
use crate::store::sessions;

/// What is left of the time for the runtime's own work when a container is killed.
const MARGIN: Duration = Duration::from_secs(2);

impl Lifecycle {
    /// Stops all sessions, side by side, and writes down when they were used. Starts under way are cancelled by the
    /// server's token. What is not done by `deadline` is left to the next start. How many sessions were stopped.
    pub async fn end(&self, deadline: Instant) -> usize {
        let rows = match sessions::all(&self.0.store).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!("sessions are not stopped: {error}");
                return 0;
            }
        };
        let room = deadline.saturating_duration_since(Instant::now()).saturating_sub(MARGIN);
        let patience = self.patience().min(room);
        let stops = rows.into_iter().filter(|session| !session.status.is_terminal()).map(|session| async move {
            match timeout_at(deadline, self.stop_within(session.id, "the server ended", patience)).await {
                Ok(Ok(_)) => 1,
                Ok(Err(error)) => {
                    tracing::warn!(session = %session.readable_id, "not stopped: {error}");
                    0
                }
                Err(_) => {
                    tracing::warn!(session = %session.readable_id, "not stopped in time; the next start looks at it");
                    0
                }
            }
        });
        let stopped = futures_util::future::join_all(stops).await.into_iter().sum();
        if let Err(error) = self.write_uses().await {
            tracing::warn!("{error}");
        }
        stopped
    }
}
