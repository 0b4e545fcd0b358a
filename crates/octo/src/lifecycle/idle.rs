//! Who uses sessions, and what happens to those that nobody uses.

use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Lifecycle, LifecycleError, lock};
use crate::session::idle::{Decision, Watched, between, deadline, decide};
use crate::session::{Session, State};
use crate::store::sessions::{self, Filter};
use crate::store::users;

impl Lifecycle {
    /// Notes that a session is used now. Cheap.
    pub fn mark_used(&self, id: Uuid) {
        lock(&self.0.used).insert(id, Timestamp::now());
    }

    /// The session with the time of its last use, which may not be written down yet.
    #[must_use]
    pub fn with_use(&self, mut session: Session) -> Session {
        let used = lock(&self.0.used).get(&session.id).copied();
        session.last_activity_at = session.last_activity_at.max(used);
        session
    }

    /// When a session, with the time of its last use, is idle. It is stopped at the first look after that, unless its
    /// container computes.
    #[must_use]
    pub fn idle_stop_at(&self, session: &Session) -> Option<Timestamp> {
        let limit = Duration::from_secs(self.0.config.sessions.idle_timeout_minutes.saturating_mul(60));
        if session.status != State::Running {
            return None;
        }
        deadline(session.started_at.unwrap_or(session.created_at), session.last_activity_at, limit)
    }

    /// Writes down when sessions were used.
    ///
    /// # Errors
    /// As of the database; then it is kept for the next time.
    pub(super) async fn write_uses(&self) -> Result<(), LifecycleError> {
        let used: Vec<(Uuid, Timestamp)> = lock(&self.0.used).iter().map(|(id, at)| (*id, *at)).collect();
        if used.is_empty() {
            return Ok(());
        }
        sessions::touch(&self.0.store, used.clone()).await?;
        let mut left = lock(&self.0.used);
        for (id, at) in used {
            // Used again meanwhile: that is not written down.
            if left.get(&id) == Some(&at) {
                left.remove(&id);
            }
        }
        Ok(())
    }

    /// Stops running sessions that nobody and nothing uses. How many.
    ///
    /// # Errors
    /// As of the database.
    pub async fn stop_idle(&self) -> Result<u32, LifecycleError> {
        let settings = &self.0.config.sessions;
        let limit = Duration::from_secs(settings.idle_timeout_minutes.saturating_mul(60));
        if limit.is_zero() {
            return Ok(0);
        }
        self.write_uses().await?;
        let running = Filter { status: Some(State::Running), limit: u32::MAX, ..Filter::default() };
        let rows: Vec<Session> = sessions::list(&self.0.store, running).await?;
        let kept_out: HashSet<String> = self.0.store.read(users::kept_out).await?;
        let judge = |session: &Session, cpu_percent: Option<f64>| {
            let watched = Watched {
                started_at: session.started_at.unwrap_or(session.created_at),
                last_activity_at: self.with_use(session.clone()).last_activity_at,
                cpu_percent,
            };
            // What computes for somebody who may not come back would do so for ever.
            let left = kept_out.contains(&session.user_id);
            let busy_percent = if left { 0.0 } else { settings.idle_cpu_percent };
            decide(&watched, Timestamp::now(), limit, busy_percent)
        };
        let measured: Vec<&Session> =
            rows.iter().filter(|session| judge(session, None) == Decision::Measure).collect();
        let cpu = self.computing(&measured).await;
        let mut stopped = 0;
        for session in &rows {
            match judge(session, cpu.get(&session.id).copied()) {
                Decision::Keep | Decision::Measure => {}
                Decision::Bump => self.mark_used(session.id),
                Decision::Stop => match self.stop(session.id, "nobody used it").await {
                    Ok(_) => stopped += 1,
                    Err(error) => {
                        tracing::warn!(session = %session.readable_id, "idle, and not stopped: {error}")
                    }
                },
            }
        }
        Ok(stopped)
    }

    /// What these sessions' containers computed since the last look, in percent of one processor; of those looked at for
    /// the first time nothing is known.
    async fn computing(&self, sessions: &[&Session]) -> HashMap<Uuid, f64> {
        let ids: HashSet<Uuid> = sessions.iter().map(|session| session.id).collect();
        lock(&self.0.computed).retain(|id, _| ids.contains(id));
        let containers: Vec<String> =
            sessions.iter().filter_map(|session| session.container_id.clone()).collect();
        if containers.is_empty() {
            return HashMap::new();
        }
        // It reads at some moment of the call, which may take long. From the end of one call to the start of the next is
        // the least that passed between two readings: so what computes is never taken for idle.
        let asked = Instant::now();
        let samples = match self.0.runtime.stats(&containers).await {
            Ok(samples) => samples,
            Err(error) => {
                tracing::warn!("not known whether idle sessions compute: {error}");
                return HashMap::new();
            }
        };
        let answered = Instant::now();
        let mut before = lock(&self.0.computed);
        let mut found = HashMap::new();
        for session in sessions {
            let Some(container) = &session.container_id else { continue };
            let matches = |id: &str| id.len() >= 12 && container.starts_with(id);
            let Some(sample) = samples.iter().find(|sample| matches(&sample.id)) else { continue };
            let percent = match sample.cpu_seconds {
                // Podman's percentage is of the whole life.
                Some(seconds) => before
                    .insert(session.id, (answered, seconds))
                    .and_then(|(then, earlier)| between(earlier, seconds, asked.duration_since(then))),
                None => sample.cpu_percent,
            };
            found.extend(percent.map(|percent| (session.id, percent)));
        }
        found
    }
}
