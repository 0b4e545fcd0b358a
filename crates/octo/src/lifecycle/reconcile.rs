//! Rows and containers made to agree: one session when it is asked for, all of them at the start and now and then.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::desks::Hold;
use super::{GLANCE, Lifecycle, LifecycleError, SHORT};
use crate::runtime::{Condition, Container, labels};
use crate::session::reconcile::{Moment, Verdict, is_orphan, reconcile};
use crate::session::{Session, State};
use crate::store::sessions::{self, Change};

/// A container that ended sooner than this after its start is not started again by itself.
const STEADY: Duration = Duration::from_secs(60);

/// What a clean-up came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cleaned {
    /// Containers of ours that belonged to no session.
    pub orphans_removed: u32,
    /// Sessions whose state was not true.
    pub sessions_marked: u32,
    /// Containers of sessions that were stopped long ago.
    pub stale_removed: u32,
}

impl Lifecycle {
    /// The session as it is now, after a look at its container. Where the runtime does not answer, or something is at
    /// work on it, as the row has it.
    ///
    /// # Errors
    /// When there is no such session.
    pub async fn look(&self, id: Uuid) -> Result<Session, LifecycleError> {
        let session = self.get(id).await?;
        // What has ended is looked at by the clean-up: a container started by hand need not be seen at once.
        if session.status.is_terminal() {
            return Ok(session);
        }
        let this = self.clone();
        self.detached(async move {
            let Some(hold) = this.0.desks.try_hold(&id) else { return Ok(session) };
            let session = this.get(id).await?;
            let key = session.container_id.as_ref().unwrap_or(&session.container_name);
            match timeout(GLANCE, this.0.runtime.inspect(key)).await {
                Ok(Ok(found)) => {
                    let found = found.filter(|container| this.belongs(container, &session));
                    let name = session.readable_id.clone();
                    // Also where nothing can be written, whoever asks gets an answer; the next look makes it true.
                    if let Err(error) = this.settle(hold, session, found.as_ref(), Moment::Running).await {
                        tracing::warn!(session = %name, "not made true: {error}");
                    }
                }
                Ok(Err(error)) => tracing::warn!(session = %session.readable_id, "not looked at: {error}"),
                Err(_) => tracing::warn!(session = %session.readable_id, "not looked at: the runtime does not answer"),
            }
            this.get(id).await
        })
        .await
    }

    /// These sessions as they are now, after one look at all containers in the turn of who asks.
    ///
    /// # Errors
    /// As of the database.
    pub async fn look_at_all(
        &self,
        asker: &str,
        listed: Vec<Session>,
    ) -> Result<Vec<Session>, LifecycleError> {
        if listed.iter().all(|session| session.status.is_terminal()) {
            return Ok(listed);
        }
        let turn = self.turn(asker).await;
        let this = self.clone();
        let rows = listed.clone();
        let looked = self.detached(async move {
            // As long as the look takes, also when who asked has left.
            let _turn = turn;
            match timeout(GLANCE, this.0.runtime.list(&this.0.instance)).await {
                Ok(Ok(found)) => match this.settle_all(&rows, &found, Moment::Running).await {
                    Ok(marked) => Ok(marked),
                    Err(error) => {
                        tracing::warn!("sessions not made true: {error}");
                        Ok(1)
                    }
                },
                Ok(Err(error)) => {
                    tracing::warn!("containers not looked at: {error}");
                    Ok(0)
                }
                Err(_) => {
                    tracing::warn!("containers not looked at: the runtime does not answer");
                    Ok(0)
                }
            }
        });
        if looked.await? == 0 {
            return Ok(listed);
        }
        let mut now = Vec::with_capacity(listed.len());
        for session in listed {
            // Deleted meanwhile: then it is not listed.
            now.extend(sessions::get(&self.0.store, session.id).await?);
        }
        Ok(now)
    }

    /// Makes all rows and containers agree, removes containers that belong to nobody, those of sessions that were stopped
    /// long ago, and networks that nobody needs.
    ///
    /// # Errors
    /// When the runtime or the database does not answer.
    pub async fn clean_up(&self, moment: Moment) -> Result<Cleaned, LifecycleError> {
        let this = self.clone();
        self.detached(async move {
            // Rows first: one that a container belongs to was there before the container.
            let rows = sessions::all(&this.0.store).await?;
            let found = this.0.runtime.list(&this.0.instance).await?;
            let marked = this.settle_all(&rows, &found, moment).await?;
            let orphans = this.remove_orphans(&found).await?;
            let stale = this.remove_stale().await?;
            this.remove_networks().await?;
            Ok(Cleaned { orphans_removed: orphans, sessions_marked: marked, stale_removed: stale })
        })
        .await
    }

    /// Whether a container is the session's, by its labels.
    fn belongs(&self, container: &Container, session: &Session) -> bool {
        let label = |name: &str| container.labels.get(name).map(String::as_str);
        label(labels::INSTANCE) == Some(&self.0.instance)
            && label(labels::SESSION) == Some(&session.id.to_string())
    }

    /// Settles rows by a list of containers that was made after the rows were read. How many were not true.
    async fn settle_all(
        &self,
        rows: &[Session],
        found: &[Container],
        moment: Moment,
    ) -> Result<u32, LifecycleError> {
        let mut marked = 0;
        for row in rows {
            let container = match &row.container_id {
                Some(id) => found.iter().find(|container| container.id == *id),
                None => found.iter().find(|container| self.belongs(container, row)),
            };
            if reconcile(row, container, moment) == Verdict::Keep {
                continue;
            }
            // Something is at work on it, and knows better.
            let Some(hold) = self.0.desks.try_hold(&row.id) else { continue };
            let Some(now) = sessions::get(&self.0.store, row.id).await? else { continue };
            // The list is older than what was done meanwhile.
            let without_use = |session: &Session| Session { last_activity_at: None, ..session.clone() };
            if without_use(&now) != without_use(row) {
                continue;
            }
            let name = now.readable_id.clone();
            match self.settle(hold, now, container, moment).await {
                Ok(changed) => marked += u32::from(changed),
                // Its container's own trouble. The others are made true all the same, and the next look tries it again.
                Err(LifecycleError::Runtime(error)) => {
                    tracing::warn!(session = %name, "not made true: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(marked)
    }

    /// Does what the rules say about a session that is held. Whether its state was not true.
    async fn settle(
        &self,
        hold: Hold,
        session: Session,
        container: Option<&Container>,
        moment: Moment,
    ) -> Result<bool, LifecycleError> {
        let id = session.id;
        match reconcile(&session, container, moment) {
            Verdict::Keep => Ok(false),
            Verdict::Remark(remark) => {
                sessions::remark(&self.0.store, id, remark, Timestamp::now()).await?;
                self.tell();
                Ok(true)
            }
            Verdict::Become(to, why) => {
                let mut change = Change::because(why);
                match container {
                    None => change = change.container(None),
                    // Not written down before: kept for the explanation, and for the clean-up.
                    Some(found) => change = change.container(Some(found.id.clone())),
                }
                let ran = session.status == State::Running && to == State::Failed;
                let changed = self.change(id, &State::ALL_BUT_ENDED, to, change).await?;
                drop(hold);
                if ran && changed.is_some() && self.0.config.container.restart_failed {
                    self.restart(&session);
                }
                Ok(changed.is_some())
            }
            Verdict::Adopt => self.adopt(hold, session, container).await,
            Verdict::StopContainer => {
                let Some(container) = container else { return Ok(false) };
                self.0.runtime.stop(&container.id, SHORT).await?;
                if session.status == State::Stopping {
                    let still = self.0.runtime.inspect(&container.id).await?;
                    if !still.is_some_and(|found| found.condition == Condition::Running) {
                        let done = Change::because("its container has ended");
                        self.change(id, &[State::Stopping], State::Stopped, done).await?;
                    }
                }
                Ok(true)
            }
        }
    }

    /// Takes a running container for the session's, and waits for its services.
    async fn adopt(
        &self,
        hold: Hold,
        session: Session,
        container: Option<&Container>,
    ) -> Result<bool, LifecycleError> {
        let Some(container) = container else { return Ok(false) };
        let change = Change::because("its container was found running").container(Some(container.id.clone()));
        let adopted = match session.status {
            State::Starting => session,
            State::Pending => {
                match self.change(session.id, &[State::Pending], State::Starting, change).await? {
                    Some(session) => session,
                    None => return Ok(false),
                }
            }
            _ => {
                let mut room = self.room();
                // They are bound by the container itself, and nobody is asked who started it.
                room.bindable = std::sync::Arc::new(|_| true);
                room.cap = 0;
                let from: &'static [State] = &[State::Stopped];
                let (store, now) = (&self.0.store, Timestamp::now());
                let place = (room, false);
                match sessions::reserve(store, session.id, from, State::Starting, change, place, now).await {
                    Ok(session) => session,
                    // Its ports are promised to another: that one would fail.
                    Err(sessions::NoRoom::Ports { .. }) => {
                        self.0.runtime.stop(&container.id, SHORT).await?;
                        return Ok(true);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        self.tell();
        let (this, container) = (self.clone(), container.id.clone());
        self.0.tasks.spawn(async move { this.wait_with(hold, adopted, container).await });
        Ok(true)
    }

    /// Starts a session again whose container ended by itself, unless it does so again and again.
    fn restart(&self, session: &Session) {
        let ran = session.started_at.map_or(Duration::ZERO, |started| {
            Duration::try_from(Timestamp::now().duration_since(started)).unwrap_or_default()
        });
        if ran < STEADY {
            return;
        }
        let (this, id) = (self.clone(), session.id);
        self.0.tasks.spawn(async move {
            if let Err(error) = this.resume(id).await {
                tracing::warn!(session = %id, "not started again: {error}");
            }
        });
    }

    /// Stops and removes containers of ours that belong to nobody.
    async fn remove_orphans(&self, found: &[Container]) -> Result<u32, LifecycleError> {
        let mut removed = 0;
        for container in found {
            let label = container.labels.get(labels::SESSION);
            // One that names no session at all is nobody's.
            let id = label.and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_else(Uuid::nil);
            let Some(_hold) = self.0.desks.try_hold(&id) else { continue };
            let session = sessions::get(&self.0.store, id).await?;
            if !is_orphan(container, session.as_ref()) {
                continue;
            }
            tracing::info!(container = %container.name, "removed: it belongs to no session");
            let gone = async {
                if container.condition == Condition::Running {
                    // Whether it listens or not.
                    let _ = self.0.runtime.stop(&container.id, SHORT).await;
                }
                self.0.runtime.remove(&container.id).await
            };
            match gone.await {
                Ok(()) => removed += 1,
                Err(error) => tracing::warn!(container = %container.name, "an orphan stays for now: {error}"),
            }
        }
        Ok(removed)
    }

    /// Removes containers of sessions that ended long ago; their workspaces stay.
    async fn remove_stale(&self) -> Result<u32, LifecycleError> {
        let hours = self.0.config.sessions.retention_hours;
        if hours == 0 {
            return Ok(0);
        }
        let limit = Duration::from_secs(hours.saturating_mul(3600));
        let mut removed = 0;
        for row in sessions::all(&self.0.store).await? {
            let (true, Some(container), Some(ended)) =
                (row.status.is_terminal(), &row.container_id, row.stopped_at)
            else {
                continue;
            };
            let since = Duration::try_from(Timestamp::now().duration_since(ended)).unwrap_or_default();
            if since < limit {
                continue;
            }
            let Some(_hold) = self.0.desks.try_hold(&row.id) else { continue };
            if !sessions::get(&self.0.store, row.id).await?.is_some_and(|now| now.status.is_terminal()) {
                continue;
            }
            match self.0.runtime.remove(container).await {
                Ok(()) => {
                    sessions::forget_container(&self.0.store, row.id, container.clone()).await?;
                    self.tell();
                    removed += 1;
                }
                Err(error) => {
                    tracing::warn!(session = %row.readable_id, "an old container stays for now: {error}")
                }
            }
        }
        Ok(removed)
    }

    /// Removes networks of ours that no session needs.
    async fn remove_networks(&self) -> Result<(), LifecycleError> {
        let there = self.0.runtime.networks(&self.0.instance).await?;
        if there.is_empty() {
            return Ok(());
        }
        let rows = sessions::all(&self.0.store).await?;
        let needed: BTreeSet<String> = rows.iter().filter_map(|row| self.our_network(row)).collect();
        for name in there.iter().filter(|name| !needed.contains(*name)) {
            if let Err(error) = self.0.runtime.remove_network(name).await {
                tracing::warn!("the network {name} stays for now: {error}");
            }
        }
        Ok(())
    }
}
