//! A session's creation, and what all starts have in common.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use utoipa::ToSchema;
use uuid::Uuid;

use super::desks::Hold;
use super::{Lifecycle, LifecycleError, SHORT};
use crate::runtime::{RuntimeError, labels};
use crate::session::limits::Asked;
use crate::session::{Session, State, checks};
use crate::store::sessions::{self, Change, NewSession, NoRoom};

/// How often a container is tried to be made, where a port or its name was taken.
const ATTEMPTS: usize = 5;
/// Lines of a container's log that explain a failure.
const LOG_LINES: u32 = 20;
/// Bytes of them that are kept.
const LOG_BYTES: usize = 2000;

/// What is asked for at a creation. No `Debug`: variables may be secrets.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Order {
    /// A folder on the server; without one, the workspace in the user's home.
    pub workspace_path: Option<String>,
    /// The image; without one, the server's default.
    pub image: Option<String>,
    /// An agent's profile, passed on to the container as `OCTO_AGENT_PROFILE`.
    pub agent: Option<String>,
    /// Memory of the container, as `512m` or `2g`; without it, as the settings have it.
    pub memory: Option<String>,
    /// Processors of the container.
    pub cpus: Option<f64>,
    /// Processes in the container.
    pub pids_limit: Option<i64>,
    /// Variables for the container. They stay with the session, and no answer shows them.
    pub env: BTreeMap<String, String>,
}

/// How a start ended that did not succeed.
pub(super) enum Downfall {
    /// Somebody wanted the session for something else, or the server ends.
    Interrupted,
    /// It failed, for this reason.
    Failed(String),
    /// The row is not what it was; nobody asks for this start any more.
    Overtaken,
}

impl Lifecycle {
    /// Makes a session. It answers as soon as the session has its place; the container starts meanwhile.
    ///
    /// # Errors
    /// When something asked for cannot be, there is no such image, or no room.
    pub async fn create(&self, user: &str, order: Order) -> Result<Session, LifecycleError> {
        let (this, user) = (self.clone(), user.to_owned());
        self.detached(async move { this.do_create(&user, order).await }).await
    }

    async fn do_create(&self, user: &str, order: Order) -> Result<Session, LifecycleError> {
        self.going_on()?;
        let image = order.image.unwrap_or_else(|| self.0.config.container.default_image.clone());
        checks::image(&image)?;
        checks::variables(&order.env)?;
        if let Some(agent) = &order.agent {
            checks::agent(agent)?;
        }
        let limits = Asked::of(order.memory.as_deref(), order.cpus, order.pids_limit, &self.most())?;
        let (homes, owner) = (self.0.homes.clone(), user.to_owned());
        tokio::task::spawn_blocking(move || homes.prepare(&owner))
            .await
            .unwrap_or(Err(LifecycleError::Ending))?;
        // Two that name one workspace must see each other.
        let _turn = match &order.workspace_path {
            Some(_) => Some(self.0.askers.hold(&"workspaces".to_owned()).await),
            None => None,
        };
        let workspace = match &order.workspace_path {
            Some(path) => self.free_workspace(user, path).await?,
            None => self.0.homes.default_workspace(user).to_string_lossy().into_owned(),
        };
        let found = {
            let _turn = self.turn(user).await;
            self.0.runtime.image(&image).await?
        };
        let Some(found) = found else { return Err(LifecycleError::NoImage(image)) };
        let id = Uuid::new_v4();
        let hold = self.0.desks.hold(&id).await;
        let new = NewSession {
            id,
            user_id: user.to_owned(),
            container_name: format!("octo-{}", id.simple().to_string().get(..8).unwrap_or_default()),
            workspace_path: workspace,
            image,
            image_digest: found.id,
            agent: order.agent,
            limits,
            env: order.env.clone(),
        };
        let session = sessions::insert(&self.0.store, new, self.room(), Timestamp::now()).await?;
        self.tell();
        tracing::info!(session = %session.readable_id, user, "created");
        self.spawn_bring_up(hold, session.clone(), order.env);
        Ok(session)
    }

    /// The folder that somebody names, where no other session would be disturbed: others must not read it, and who can
    /// write to a folder above it could exchange it for a link.
    async fn free_workspace(&self, user: &str, text: &str) -> Result<String, LifecycleError> {
        let (homes, owner, text) = (self.0.homes.clone(), user.to_owned(), text.to_owned());
        let (path, default, inside) = tokio::task::spawn_blocking(move || {
            let path = homes.named(&owner, &text)?;
            let default = homes.default_workspace(&owner);
            let same = std::fs::canonicalize(&default).is_ok_and(|default| default == path);
            let inside = std::fs::canonicalize(homes.home(&owner)).is_ok_and(|home| path.starts_with(home));
            Ok::<_, LifecycleError>((path, same.then_some(default), inside))
        })
        .await
        .unwrap_or(Err(LifecycleError::Ending))?;
        if let Some(default) = default {
            return Ok(default.to_string_lossy().into_owned());
        }
        if !inside {
            for other in sessions::all(&self.0.store).await? {
                let theirs = Path::new(&other.workspace_path);
                let same = theirs == path;
                let overlaps = theirs.starts_with(&path) || path.starts_with(theirs);
                if (same && other.user_id != user) || (overlaps && !same) {
                    return Err(LifecycleError::Shared(
                        "another session has this workspace, or one above or below it; choose another folder"
                            .into(),
                    ));
                }
            }
        }
        Ok(path.to_string_lossy().into_owned())
    }

    /// Brings a pending session up, in a task that has its hold.
    pub(super) fn spawn_bring_up(&self, hold: Hold, session: Session, env: BTreeMap<String, String>) {
        let this = self.clone();
        self.0.tasks.spawn(async move { this.bring_up(&hold, session, env).await });
    }

    /// Makes the container of a pending session and waits for its services. Whatever happens, row and container agree
    /// afterwards, as far as the runtime answers.
    pub(super) async fn bring_up(&self, hold: &Hold, session: Session, env: BTreeMap<String, String>) {
        let id = session.id;
        // Names that the container may have by now: it gets another where its own is taken.
        let mut name = session.container_name.clone();
        let ended = tokio::select! {
            biased;
            () = hold.interrupt.cancelled() => Err(Downfall::Interrupted),
            done = self.make_and_wait(session, env, &mut name) => done,
        };
        let (to, mut reason) = match ended {
            Ok(()) | Err(Downfall::Overtaken) => return,
            Err(Downfall::Interrupted) => (State::Stopped, "its start was cancelled".to_owned()),
            Err(Downfall::Failed(why)) => (State::Failed, why),
        };
        // First the container: once the row says failed, its ports may be given to another.
        let left = match self.discard(id, &name).await {
            Ok(()) => None,
            Err(error) => {
                reason = format!("{reason}; its container could not be removed: {error}");
                self.container_named(id, &name).await.ok().flatten()
            }
        };
        let change = Change::because(reason).container(left);
        if let Err(error) = self.change(id, &[State::Pending, State::Starting], to, change).await {
            tracing::error!(session = %id, "the end of a start was not written down: {error}");
        }
    }

    async fn make_and_wait(
        &self,
        session: Session,
        env: BTreeMap<String, String>,
        name: &mut String,
    ) -> Result<(), Downfall> {
        let (session, container) = self.make(session, env, name).await?;
        let id = session.id;
        let change = Change { name: Some(name.clone()), ..Change::because("its container was made") };
        let change = change.container(Some(container.clone()));
        let started = self.change(id, &[State::Pending], State::Starting, change).await;
        let Some(session) = started.map_err(|error| Downfall::Failed(error.to_string()))? else {
            // Deleted under us: then nobody else removes it.
            let _ = self.0.runtime.remove(&container).await;
            return Err(Downfall::Overtaken);
        };
        self.wait_and_tell(&session, &container).await
    }

    /// Waits for the services of a container that was started, and tells that the session runs.
    pub(super) async fn wait_and_tell(&self, session: &Session, container: &str) -> Result<(), Downfall> {
        if let Err(why) = self.wait_for_services(session, container).await {
            return Err(Downfall::Failed(self.explained(container, why).await));
        }
        let up = Change::because("its services answer");
        match self.change(session.id, &[State::Starting], State::Running, up).await {
            Ok(Some(_)) => {
                self.mark_used(session.id);
                Ok(())
            }
            Ok(None) => Err(Downfall::Overtaken),
            Err(error) => Err(Downfall::Failed(error.to_string())),
        }
    }

    /// Makes the container; on other ports or by another name where those were taken.
    async fn make(
        &self,
        mut session: Session,
        env: BTreeMap<String, String>,
        name: &mut String,
    ) -> Result<(Session, String), Downfall> {
        let failed = |error: &dyn std::fmt::Display| Downfall::Failed(error.to_string());
        self.prepare_folders(&session).await.map_err(|error| failed(&error))?;
        let mut room = self.room();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            if let Some(network) = self.our_network(&session) {
                self.0.runtime.network(&network, &self.0.instance).await.map_err(|error| failed(&error))?;
            }
            let launch =
                self.launch_of(&Session { container_name: name.clone(), ..session.clone() }, env.clone());
            let error = match self.0.runtime.launch(&launch).await {
                Ok(container) => return Ok((session, container)),
                Err(error) => error,
            };
            match &error {
                RuntimeError::PortTaken(_) => {
                    room.avoid.extend([session.opencode_port, session.fileserver_port, session.ttyd_port]);
                    let change = Change::because("a port was taken by something else; others are tried");
                    let (store, now) = (&self.0.store, Timestamp::now());
                    let moved = sessions::reserve(
                        store,
                        session.id,
                        &[State::Pending],
                        State::Pending,
                        change,
                        (room.clone(), true),
                        now,
                    );
                    session = match moved.await {
                        Ok(session) => session,
                        Err(NoRoom::Gone | NoRoom::State(_)) => return Err(Downfall::Overtaken),
                        Err(error) => return Err(failed(&error)),
                    };
                    self.tell();
                }
                RuntimeError::NameTaken(_) => match self.container_named(session.id, name).await {
                    // Made just before a kill, or not removed when it should have been.
                    Ok(Some(ours)) => {
                        self.0.runtime.remove(&ours).await.map_err(|error| failed(&error))?;
                    }
                    Ok(None) => *name = format!("octo-{}", Uuid::new_v4().simple()),
                    Err(error) => return Err(failed(&error)),
                },
                // It was removed behind our back; the next try makes it.
                RuntimeError::Failed { said, .. } if said.contains("network") && last.is_none() => {}
                _ => return Err(failed(&error)),
            }
            last = Some(error);
        }
        let why = last.map(|error| error.to_string()).unwrap_or_default();
        Err(Downfall::Failed(format!(
            "its container could not be made, {ATTEMPTS} times; the last time: {why}"
        )))
    }

    /// The id of the container of this name, if it is this session's.
    pub(super) async fn container_named(&self, id: Uuid, name: &str) -> Result<Option<String>, RuntimeError> {
        let ours = id.to_string();
        let found = self.0.runtime.inspect(name).await?.filter(|container| {
            let label = |name: &str| container.labels.get(name).map(String::as_str);
            label(labels::SESSION) == Some(&ours) && label(labels::INSTANCE) == Some(&self.0.instance)
        });
        Ok(found.map(|container| container.id))
    }

    /// Removes the session's container, known by its name alone, if there is one.
    pub(super) async fn discard(&self, id: Uuid, name: &str) -> Result<(), RuntimeError> {
        match self.container_named(id, name).await? {
            Some(container) => self.0.runtime.remove(&container).await,
            None => Ok(()),
        }
    }

    /// A reason with the end of what the container printed.
    async fn explained(&self, container: &str, why: String) -> String {
        let Ok(Ok(log)) = tokio::time::timeout(SHORT, self.0.runtime.logs(container, LOG_LINES)).await else {
            return why;
        };
        let log = log.trim();
        if log.is_empty() {
            return why;
        }
        let mut start = log.len().saturating_sub(LOG_BYTES);
        while !log.is_char_boundary(start) {
            start += 1;
        }
        format!("{why}; it printed last:\n{}", log.get(start..).unwrap_or_default())
    }
}
