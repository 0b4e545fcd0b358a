//! What is done again and again while the server runs.

use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

use super::Lifecycle;
use crate::session::reconcile::Moment;

/// How often uses are written down.
const USES: Duration = Duration::from_secs(15);
/// How often all rows are held against all containers.
const RECONCILE: Duration = Duration::from_secs(30);

impl Lifecycle {
    /// Starts the rounds; they end with the server.
    pub fn start_rounds(&self) {
        let this = self.clone();
        self.0.tasks.spawn(async move {
            let idle = Duration::from_secs(this.0.config.sessions.idle_check_interval_seconds.max(1));
            let mut rounds = [interval(USES), interval(RECONCILE), interval(idle)];
            for round in &mut rounds {
                round.set_missed_tick_behavior(MissedTickBehavior::Delay);
                // The first tick is at once.
                round.reset();
            }
            let [uses, reconcile, idle] = &mut rounds;
            loop {
                tokio::select! {
                    () = this.0.ending.cancelled() => return,
                    _ = uses.tick() => {
                        if let Err(error) = this.write_uses().await {
                            tracing::warn!("{error}");
                        }
                    }
                    _ = reconcile.tick() => match this.clean_up(Moment::Running).await {
                        Ok(cleaned) if cleaned != Default::default() => tracing::info!("{cleaned:?}"),
                        Ok(_) => {}
                        Err(error) => tracing::warn!("sessions and containers not compared: {error}"),
                    },
                    _ = idle.tick() => {
                        if let Err(error) = this.stop_idle().await {
                            tracing::warn!("{error}");
                        }
                    }
                }
            }
        });
    }
}
