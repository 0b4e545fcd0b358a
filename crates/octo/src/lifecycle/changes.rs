//! Stop, resume, upgrade and delete.

use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

use super::create::Downfall;
use super::desks::Hold;
use super::{Lifecycle, LifecycleError, SHORT};
use crate::runtime::{Condition, RuntimeError};
use crate::session::{Session, State};
use crate::store::sessions::{self, Change, NoRoom};

/// How long the work on a session may hold it after its state was written.
const LETTING_GO: Duration = Duration::from_secs(1);
/// How long what stood for a container may keep its ports after the runtime has told its end.
const PORTS: Duration = Duration::from_secs(2);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(50);

impl Lifecycle {
    /// Stops a session; its container stays. One that has ended already stays as it is. A start is interrupted.
    ///
    /// # Errors
    /// When there is no such session, or the runtime does not stop its container.
    pub async fn stop(&self, id: Uuid, why: &str) -> Result<Session, LifecycleError> {
        self.stop_within(id, why, self.patience()).await
    }

    /// As [`Self::stop`], with this time from SIGTERM to SIGKILL.
    pub(super) async fn stop_within(
        &self,
        id: Uuid,
        why: &str,
        patience: Duration,
    ) -> Result<Session, LifecycleError> {
        let (this, why) = (self.clone(), why.to_owned());
        self.detached(async move {
            // A hold for a session that does not exist is harmless, but need not be made.
            this.get(id).await?;
            let hold = this.0.desks.take_over(&id).await;
            let session = this.get(id).await?;
            this.halt(&hold, session, &why, patience).await
        })
        .await
    }

    /// Stops the container of a session that is held, and says so only when the runtime confirms it.
    async fn halt(
        &self,
        _hold: &Hold,
        session: Session,
        why: &str,
        patience: Duration,
    ) -> Result<Session, LifecycleError> {
        let id = session.id;
        if session.status.is_terminal() {
            return Ok(session);
        }
        let container = match &session.container_id {
            Some(container) => Some(container.clone()),
            // Its creation was cut off.
            None => self.container_named(id, &session.container_name).await?,
        };
        let Some(container) = container else {
            let stopped = self.change(
                id,
                &[State::Pending, State::Starting, State::Running, State::Stopping],
                State::Stopped,
                Change::because(why),
            );
            return stopped.await?.ok_or(LifecycleError::NotFound);
        };
        let before = session.status;
        if before == State::Pending {
            // There is nothing in it yet that is worth keeping.
            self.0.runtime.remove(&container).await?;
            let stopped = self.change(id, &[State::Pending], State::Stopped, Change::because(why));
            return stopped.await?.ok_or(LifecycleError::NotFound);
        }
        let noted =
            self.change(id, &[State::Starting, State::Running], State::Stopping, Change::because(why)).await;
        match noted {
            // The server goes away: its containers do too, and the next start sees what they came to.
            Err(error) if self.0.ending.is_cancelled() => {
                tracing::warn!("a stop was not written down: {error}")
            }
            noted => drop(noted?),
        }
        let asked = self.0.runtime.stop(&container, patience).await;
        let found = self.0.runtime.inspect(&container).await;
        let (to, change) = match (&asked, &found) {
            (_, Ok(None)) => (State::Stopped, Change::because("its container is gone").container(None)),
            (_, Ok(Some(found))) if !matches!(found.condition, Condition::Running | Condition::Paused) => {
                (State::Stopped, Change::because("its container has ended"))
            }
            (Err(error), Ok(Some(_))) => {
                (State::Running, Change::because(format!("it did not stop: {error}")))
            }
            // Not confirmed. The next look at it, which comes by itself, tells.
            (Ok(()), Ok(Some(_))) => return Err(not_confirmed()),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(error.clone().into()),
        };
        let changed =
            self.change(id, &[State::Stopping], to, change).await?.ok_or(LifecycleError::NotFound)?;
        match (to, asked) {
            (State::Running, Err(error)) => Err(error.into()),
            _ => Ok(changed),
        }
    }

    /// Starts a session again that has ended: its container, or a new one where that is gone, its ports are taken, or
    /// its image has changed. It answers as soon as the session has its place.
    ///
    /// # Errors
    /// When there is no such session, it has not ended, there is no image or no room.
    pub async fn resume(&self, id: Uuid) -> Result<Session, LifecycleError> {
        let this = self.clone();
        self.detached(async move {
            let (hold, session) = this.hold_if_free(id, "to resume").await?;
            this.do_resume(hold, session).await
        })
        .await
    }

    /// The right to work on a session that nobody works on. A moment is waited where it is settled already: whoever
    /// was told so may come back before the work on it has let go.
    async fn hold_if_free(&self, id: Uuid, what: &'static str) -> Result<(Hold, Session), LifecycleError> {
        self.going_on()?;
        let before = self.get(id).await?;
        let hold = match self.0.desks.try_hold(&id) {
            None if matches!(before.status, State::Running | State::Stopped | State::Failed) => {
                tokio::time::timeout(LETTING_GO, self.0.desks.hold(&id)).await.ok()
            }
            hold => hold,
        };
        let Some(hold) = hold else {
            return Err(LifecycleError::Conflict { what, state: before.status, busy: true });
        };
        Ok((hold, self.get(id).await?))
    }

    async fn do_resume(&self, hold: Hold, session: Session) -> Result<Session, LifecycleError> {
        if !session.status.is_terminal() {
            return Err(LifecycleError::Conflict { what: "to resume", state: session.status, busy: false });
        }
        let image = self.0.runtime.image(&session.image).await?;
        let outdated = image.as_ref().is_some_and(|image| session.image_digest.as_ref() != Some(&image.id));
        let container = match &session.container_id {
            Some(container) => self.0.runtime.inspect(container).await?,
            None => None,
        };
        self.ports_come_free(&hold, &session).await;
        if let Some(container) = container.filter(|_| !outdated) {
            let (store, now) = (&self.0.store, Timestamp::now());
            let ended: &'static [State] = &[State::Stopped, State::Failed];
            let change = Change::because("resumed");
            let place = (self.room(), false);
            match sessions::reserve(store, session.id, ended, State::Starting, change, place, now).await {
                Ok(session) => {
                    self.tell();
                    let this = self.clone();
                    let started = session.clone();
                    self.0.tasks.spawn(async move { this.start_up(hold, started, container.id).await });
                    return Ok(session);
                }
                // Its ports are somebody else's now, and a container cannot change them: it gets a new one below.
                Err(NoRoom::Ports { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(image) = image else { return Err(LifecycleError::NoImage(session.image)) };
        self.make_anew(hold, session, image.id, "resumed with a new container").await
    }

    /// Waits a moment for the ports that the session had, whoever has them. Podman's monitor holds a container's until it
    /// goes, which may be after its stop: a quick resume would cost the container, and all that is in it but the home; and
    /// an upgrade the ports.
    async fn ports_come_free(&self, hold: &Hold, session: &Session) {
        let room = self.room();
        let mine = [session.opencode_port, session.fileserver_port, session.ttyd_port];
        let until = Instant::now() + PORTS;
        while !mine.iter().all(|port| (room.bindable)(*port)) {
            if hold.interrupt.is_cancelled() || Instant::now() >= until {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Removes what is left of an ended session's container and makes another, of this image.
    async fn make_anew(
        &self,
        hold: Hold,
        session: Session,
        image: String,
        why: &str,
    ) -> Result<Session, LifecycleError> {
        self.remove_container_of(&session).await?;
        let env = sessions::env(&self.0.store, session.id).await?;
        let change = Change { digest: Some(image), ..Change::because(why).container(None) };
        let ended: &'static [State] = &[State::Stopped, State::Failed];
        let (store, place, now) = (&self.0.store, (self.room(), true), Timestamp::now());
        let session = sessions::reserve(store, session.id, ended, State::Pending, change, place, now).await?;
        self.tell();
        self.spawn_bring_up(hold, session.clone(), env);
        Ok(session)
    }

    async fn remove_container_of(&self, session: &Session) -> Result<(), RuntimeError> {
        match &session.container_id {
            Some(container) => self.0.runtime.remove(container).await,
            None => self.discard(session.id, &session.container_name).await,
        }
    }

    /// Starts a container that has ended and waits for its services; or makes another where its ports are taken.
    async fn start_up(&self, hold: Hold, session: Session, container: String) {
        let work = async {
            // A mount is resolved anew at each start.
            if let Err(error) = self.prepare_folders(&session).await {
                return Err(Some(Downfall::Failed(error.to_string())));
            }
            match self.0.runtime.start(&container).await {
                Ok(()) => self.wait_and_tell(&session, &container).await.map_err(Some),
                Err(RuntimeError::PortTaken(_) | RuntimeError::NoContainer(_)) => Err(None),
                Err(error) => Err(Some(Downfall::Failed(error.to_string()))),
            }
        };
        let ended = tokio::select! {
            biased;
            () = hold.interrupt.cancelled() => Err(Some(Downfall::Interrupted)),
            done = work => done,
        };
        match ended {
            Ok(()) => {}
            Err(Some(downfall)) => self.fall(&session, &container, downfall).await,
            Err(None) => self.start_elsewhere(&hold, session, container).await,
        }
    }

    /// As [`Self::wait_and_tell`] for a container that was found running, with all that follows.
    pub(super) async fn wait_with(&self, hold: Hold, session: Session, container: String) {
        let ended = tokio::select! {
            biased;
            () = hold.interrupt.cancelled() => Err(Downfall::Interrupted),
            done = self.wait_and_tell(&session, &container) => done,
        };
        if let Err(downfall) = ended {
            self.fall(&session, &container, downfall).await;
        }
    }

    /// Ends a start of a container that had lived before: it is stopped and kept.
    async fn fall(&self, session: &Session, container: &str, downfall: Downfall) {
        let (to, mut reason) = match downfall {
            Downfall::Overtaken => return,
            Downfall::Interrupted => (State::Stopped, "its start was cancelled".to_owned()),
            Downfall::Failed(why) => (State::Failed, why),
        };
        match self.0.runtime.stop(container, SHORT).await {
            Ok(()) | Err(RuntimeError::NoContainer(_)) => {}
            Err(error) => reason = format!("{reason}; its container could not be stopped: {error}"),
        }
        if let Err(error) = self.change(session.id, &[State::Starting], to, Change::because(reason)).await {
            tracing::error!(session = %session.readable_id, "the end of a start was not written down: {error}");
        }
    }

    /// What a start comes to whose container is gone or cannot have its ports: a new container on other ports.
    async fn start_elsewhere(&self, hold: &Hold, session: Session, container: String) {
        let made = async {
            self.0.runtime.remove(&container).await?;
            let image = self.0.runtime.image(&session.image).await?;
            let image = image.ok_or_else(|| LifecycleError::NoImage(session.image.clone()))?;
            let env = sessions::env(&self.0.store, session.id).await?;
            let why = "its container could not be started where it was; a new one is made";
            let change = Change { digest: Some(image.id), ..Change::because(why).container(None) };
            let mut room = self.room();
            room.avoid.extend([session.opencode_port, session.fileserver_port, session.ttyd_port]);
            let (store, now) = (&self.0.store, Timestamp::now());
            let from: &'static [State] = &[State::Starting];
            let moved =
                sessions::reserve(store, session.id, from, State::Pending, change, (room, true), now).await?;
            Ok::<_, LifecycleError>((moved, env))
        };
        match made.await {
            Ok((moved, env)) => {
                self.tell();
                self.bring_up(hold, moved, env).await;
            }
            Err(error) => self.fall(&session, &container, Downfall::Failed(error.to_string())).await,
        }
    }

    /// Gives a session a new container of the image that its name means now, on the same workspace and variables. The
    /// image is looked for first: without it nothing is touched.
    ///
    /// # Errors
    /// When there is no such session or image, something is at work on it, or the runtime fails.
    pub async fn upgrade(&self, id: Uuid) -> Result<Session, LifecycleError> {
        let this = self.clone();
        self.detached(async move {
            let (hold, session) = this.hold_if_free(id, "to upgrade").await?;
            if !matches!(session.status, State::Running | State::Stopped | State::Failed) {
                let state = session.status;
                return Err(LifecycleError::Conflict { what: "to upgrade", state, busy: false });
            }
            let Some(image) = this.0.runtime.image(&session.image).await? else {
                return Err(LifecycleError::NoImage(session.image));
            };
            let session = this.halt(&hold, session, "to be upgraded", this.patience()).await?;
            this.ports_come_free(&hold, &session).await;
            this.make_anew(hold, session, image.id, "upgraded").await
        })
        .await
    }

    /// Stops a session, removes its container and its row; with `purge` its workspace too. A start is interrupted.
    ///
    /// # Errors
    /// When there is no such session, the runtime does not remove its container, or another session has its workspace.
    pub async fn delete(&self, id: Uuid, purge: bool) -> Result<(), LifecycleError> {
        let this = self.clone();
        self.detached(async move {
            this.get(id).await?;
            if purge {
                // Before anything is touched; and again below, when nothing changes any more.
                this.may_purge(&this.get(id).await?).await?;
            }
            let hold = this.0.desks.take_over(&id).await;
            let session = this.get(id).await?;
            match this.halt(&hold, session.clone(), "to be deleted", SHORT).await {
                // Its row could not be removed either: then all of it stays.
                Err(LifecycleError::Store(error)) => return Err(error.into()),
                // What cannot be stopped may still be removed.
                Err(error) => {
                    tracing::warn!(session = %session.readable_id, "not stopped before it is deleted: {error}");
                }
                Ok(_) => {}
            }
            this.remove_container_of(&this.get(id).await?).await?;
            if purge {
                this.may_purge(&session).await?;
                let (homes, path) = (this.0.homes.clone(), session.workspace_path.clone());
                let purged = tokio::task::spawn_blocking(move || homes.purge(Path::new(&path)));
                purged.await.unwrap_or(Err(LifecycleError::Ending))?;
            }
            sessions::remove(&this.0.store, id).await?;
            this.tell();
            tracing::info!(session = %session.readable_id, purge, "deleted");
            drop(hold);
            this.remove_network_of(&session).await;
            Ok(())
        })
        .await
    }

    /// Whether nobody else needs the session's workspace, nor could exchange it for a link while it is removed.
    async fn may_purge(&self, session: &Session) -> Result<(), LifecycleError> {
        let path = Path::new(&session.workspace_path);
        for other in sessions::all(&self.0.store).await?.iter().filter(|other| other.id != session.id) {
            let theirs = Path::new(&other.workspace_path);
            let same = other.workspace_path == session.workspace_path;
            let above = theirs.starts_with(path) || path.starts_with(theirs);
            let at_work = other.user_id == session.user_id && !other.status.is_terminal();
            if same || above || at_work {
                return Err(LifecycleError::Shared(format!(
                    "the workspace is in reach of session {}; stop and delete that first, or delete without purge",
                    if other.user_id == session.user_id { &other.readable_id } else { "of somebody else" }
                )));
            }
        }
        Ok(())
    }

    /// Removes the network that no session needs any more.
    async fn remove_network_of(&self, session: &Session) {
        let Some(network) = self.our_network(session) else { return };
        let rest = match sessions::all(&self.0.store).await {
            Ok(rest) => rest,
            Err(error) => return tracing::warn!("{error}"),
        };
        if rest.iter().any(|other| self.our_network(other).as_ref() == Some(&network)) {
            return;
        }
        if let Err(error) = self.0.runtime.remove_network(&network).await {
            tracing::warn!("a network that nobody needs stays for now: {error}");
        }
    }
}

fn not_confirmed() -> LifecycleError {
    LifecycleError::Runtime(RuntimeError::Failed {
        command: "stop".into(),
        status: "not confirmed".into(),
        said: "the container still runs".into(),
    })
}
